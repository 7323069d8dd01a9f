//! `dragoman check`: what a good file amounts to, in a few lines. A bad one never gets here.

use std::{env, fmt::Write, path::Path};

use dragoman_core::config::{Config, Credential};

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
            if let Some(Credential::Env(name)) = &account.credential
                && env::var_os(name).is_none()
            {
                let _ = writeln!(text, "    account {} is not configured: {name} is not set", account.name);
            }
        }
    }
    let _ = writeln!(text, "  {} keys", config.keys.len());
    text
}
