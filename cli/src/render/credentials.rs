//! Secrets are moved from the file into environment variables before anything is rendered.

use std::collections::BTreeSet;

use dragoman_core::config::{Account, Config, Credential};

/// An inline credential and the variable that carries it to the module.
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

/// The file with each inline credential replaced by a variable of its own.
pub(super) fn hand_over(config: &Config) -> (Config, Vec<Handover>) {
    let mut config = config.clone();
    let mut taken: BTreeSet<String> = variables(&config).into_iter().collect();
    let mut handovers = Vec::new();
    for provider in &mut config.providers {
        for account in &mut provider.accounts {
            let Some(Credential::Value(value)) = &account.credential else { continue };
            let variable = unused(&format!("DRAGOMAN_CREDENTIAL_{}_{}", provider.name, account.name), &mut taken);
            handovers.push(Handover { variable: variable.clone(), value: value.clone() });
            account.credential = Some(Credential::Env(variable));
        }
    }
    (config, handovers)
}

/// The variables that the file refers to, sorted and once each.
pub(super) fn variables(config: &Config) -> Vec<String> {
    let accounts = config.providers.iter().flat_map(|provider| &provider.accounts);
    accounts.filter_map(variable).collect::<BTreeSet<_>>().into_iter().map(str::to_owned).collect()
}

fn variable(account: &Account) -> Option<&str> {
    match account.credential.as_ref()? {
        Credential::Env(name) => Some(name),
        Credential::Value(_) => None,
    }
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
