//! Secrets are moved from the file into environment variables before anything is rendered.

use std::collections::BTreeSet;

use dragoman_core::config::{Config, Credential, Provider};

/// An inline secret and the variable that carries it to the module.
#[derive(Clone, PartialEq, Eq)]
pub struct Handover {
    /// Name of the variable.
    pub variable: String,
    /// The secret.
    pub value: String,
}

impl std::fmt::Debug for Handover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handover").field("variable", &self.variable).finish_non_exhaustive()
    }
}

/// The file with each inline secret replaced by a variable of its own. Headers count as secrets, whatever is in them: which
/// of them are cannot be told.
pub(super) fn hand_over(config: &Config) -> (Config, Vec<Handover>) {
    let mut config = config.clone();
    let mut taken: BTreeSet<String> = variables(&config).into_iter().collect();
    let mut handovers = Vec::new();
    let mut take = |secret: &mut Credential, kind: &str, provider: &str, name: &str| {
        if let Credential::Value(value) = secret {
            let variable = unused(&format!("DRAGOMAN_{kind}_{provider}_{name}"), &mut taken);
            handovers.push(Handover { variable: variable.clone(), value: value.clone() });
            *secret = Credential::Env(variable);
        }
    };
    for Provider { name, accounts, headers, .. } in &mut config.providers {
        for account in accounts {
            if let Some(secret) = &mut account.credential {
                take(secret, "CREDENTIAL", name, &account.name);
            }
        }
        for (header, secret) in headers {
            take(secret, "HEADER", name, header);
        }
    }
    (config, handovers)
}

/// The variables that the file refers to, sorted and once each.
pub(super) fn variables(config: &Config) -> Vec<String> {
    let variable = |secret: &Credential| match secret {
        Credential::Env(name) => Some(name.clone()),
        Credential::Value(_) => None,
    };
    let names: BTreeSet<_> = config.providers.iter().flat_map(secrets).filter_map(variable).collect();
    names.into_iter().collect()
}

fn secrets(provider: &Provider) -> impl Iterator<Item = &Credential> {
    let credentials = provider.accounts.iter().filter_map(|account| account.credential.as_ref());
    credentials.chain(provider.headers.iter().map(|(_, secret)| secret))
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
