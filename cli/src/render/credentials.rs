//! Secrets are moved from the file into environment variables before anything is rendered.

use std::collections::BTreeSet;

use dragoman_core::{
    config::{Config, Credential, JwtKeys},
    secret::Secret,
};

use super::token::KEYS_VARIABLE;

/// An inline secret and the variable that carries it to the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// Name of the variable.
    pub variable: String,
    /// The secret.
    pub value: Secret,
}

/// The file with each inline secret replaced by a variable of its own, and without the secret of tokens. Headers count as secrets,
/// whatever is in them: which of them are cannot be told.
#[must_use]
pub fn hand_over(config: &Config) -> (Config, Vec<Handover>) {
    let mut taken: BTreeSet<String> = variables(config).into_iter().collect();
    let mut config = config.clone();
    forget_token_secret(&mut config);
    let mut handovers = Vec::new();
    config.visit_credentials(&mut |place, secret| {
        if let Credential::Value(value) = secret {
            let name = place.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_");
            let variable = unused(&format!("DRAGOMAN_{name}"), &mut taken);
            handovers.push(Handover { variable: variable.clone(), value: value.clone() });
            *secret = Credential::Env(variable);
        }
    });
    (config, handovers)
}

/// The file with each inline secret replaced by a variable, that of tokens included, to be shown.
#[must_use]
pub fn without_secrets(config: &Config) -> Config {
    let (mut masked, _) = hand_over(config);
    let written = config.auth.jwt.as_ref().map(|jwt| &jwt.keys);
    let shown = masked.auth.jwt.as_mut().map(|jwt| &mut jwt.keys);
    if let (Some(JwtKeys::Secret(written)), Some(JwtKeys::Secret(shown))) = (written, shown) {
        *shown = match written {
            Credential::Env(name) => Credential::Env(name.clone()),
            Credential::Value(_) => Credential::Env("DRAGOMAN_JWT_SECRET".into()),
        };
    }
    masked
}

/// The file with each inline secret replaced by the variable that carries it already, by its value: a secret may have moved to
/// another provider since. `None` where the file has another secret, or means another variable by such a name.
pub(super) fn carry(config: &Config, handovers: &[Handover]) -> Option<Config> {
    let named = variables(config);
    if handovers.iter().any(|handover| named.contains(&handover.variable)) {
        return None;
    }
    let mut config = config.clone();
    forget_token_secret(&mut config);
    let mut is_complete = true;
    config.visit_credentials(&mut |_, secret| {
        if let Credential::Value(value) = secret {
            match handovers.iter().find(|handover| handover.value == *value) {
                Some(handover) => *secret = Credential::Env(handover.variable.clone()),
                None => is_complete = false,
            }
        }
    });
    is_complete.then_some(config)
}

/// The secret of tokens is Envoy's alone. That there is one, the module is told by where Envoy has it.
fn forget_token_secret(config: &mut Config) {
    if let Some(JwtKeys::Secret(secret)) = config.auth.jwt.as_mut().map(|jwt| &mut jwt.keys) {
        *secret = Credential::Env(KEYS_VARIABLE.into());
    }
}

/// The variables of the file that the module needs, sorted and once each.
pub(super) fn variables(config: &Config) -> Vec<String> {
    let mut names = BTreeSet::new();
    config.clone().visit_credentials(&mut |_, secret| {
        if let Credential::Env(name) = secret {
            names.insert(name.clone());
        }
    });
    names.into_iter().collect()
}

/// `wanted` as the name of a variable, numbered where taken: `a-b` and `a_b` are two providers but one such name.
fn unused(wanted: &str, taken: &mut BTreeSet<String>) -> String {
    let base: String =
        wanted.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    let numbered = (2_u32..).map(|n| format!("{base}_{n}"));
    let free = std::iter::once(base.clone()).chain(numbered).find(|name| !taken.contains(name)).unwrap_or(base);
    taken.insert(free.clone());
    free
}
