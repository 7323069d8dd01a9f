//! `dragoman check`: what a good file amounts to, in a few lines. A bad one never gets here.

use std::{env, fmt::Write, path::Path};

use dragoman_core::config::{Account, AuthMode, Config, Credential};

use crate::render::scheme;

/// The summary of a file without problems. Credentials that are not set are named: their accounts would be skipped.
#[must_use]
pub fn summarize(path: &Path, config: &Config) -> String {
    let mut text = String::new();
    let listen = &config.listen;
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}: ok", path.display());
    let _ = writeln!(text, "  listens on {}, admin on {}", listen.address, listen.admin);
    for provider in &config.providers {
        let url = &provider.base_url;
        let state = if provider.enabled { "" } else { " (disabled)" };
        let _ = writeln!(text, "  provider {} at {}{}{state}", provider.name, scheme::origin(url), url.path);
        for account in &provider.accounts {
            if let Some(missing) = missing(account) {
                let _ = writeln!(text, "    account {} is not configured: {missing}", account.name);
            }
        }
    }
    let required = config.auth.required.unwrap_or(!config.keys.is_empty());
    let _ = writeln!(
        text,
        "  keys: {}; {}",
        config.keys.len(),
        if required { "one is required" } else { "none is required" }
    );
    text
}

/// Why the account would be skipped.
fn missing(account: &Account) -> Option<String> {
    match (&account.credential, account.auth) {
        (Some(Credential::Env(name)), _) => env::var_os(name).is_none().then(|| format!("{name} is not set")),
        (None, AuthMode::ApiKey) => Some("it has no credential".into()),
        (Some(Credential::Value(_)), _) | (None, AuthMode::None) => None,
    }
}
