//! What is particular about providers: how each is, and that a credential is given whole.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use super::{Ask, secrets::is_credential};
use crate::{
    config::print_millis,
    gateway::Provider,
    json::{Composed, listed, members},
    live::Cooling,
};

/// The section's name.
pub(super) const NAME: &str = "providers";

/// How a provider is.
pub(super) struct Health {
    pub(super) state: &'static str,
    /// Its targets that are passed over, until when and why: a list.
    pub(super) cooling: String,
}

impl Health {
    #[inline(never)]
    pub(super) fn of(provider: &Provider, cooling: &[Cooling]) -> Self {
        let is_own = |target: &&Cooling| {
            let name = target.name.borrowed();
            (name.provider, name.environment) == (provider.name.as_str(), provider.environment())
        };
        let own: Vec<_> = cooling.iter().filter(is_own).collect();
        let state = match (&provider.missing, own.is_empty()) {
            (Some(_), _) => "not_configured",
            (None, false) => "cooling_down",
            (None, true) => "connected",
        };
        let targets = own.iter().map(|Cooling { name, until_millis, trouble }| {
            let (name, mut told) = (name.borrowed(), Composed::default());
            told.text("account", name.account);
            told.text("model", name.model);
            told.text("until", &print_millis(*until_millis));
            told.text("why", trouble.text());
            told.end()
        });
        Self { state, cooling: listed(targets) }
    }
}

/// Tells how a provider is, before what the file says of it.
pub(super) fn tell_health(told: &mut Composed, name: &str, ask: Ask<'_>) {
    let gateway = ask.current.gateway();
    let Some(provider) = gateway.provider(name) else { return told.text("status", "disabled") };
    let health = Health::of(provider, &ask.around.observer.cooling(ask.around.clock.epoch_millis()));
    let lacking = provider.accounts.iter().filter_map(|account| {
        let mut told = Composed::default();
        told.text("account", &account.name);
        told.text("missing", account.missing.as_ref()?);
        Some(told.end())
    });
    told.text("status", health.state);
    told.list("lacking", lacking);
    told.json("cooling", &health.cooling);
}

/// A patch whose credentials are given whole: in the place of a variable stands a value, and not beside it.
pub(super) fn with_whole_credentials(given: &str, path: &mut Vec<String>) -> String {
    let Some(members) = members(given) else { return given.into() };
    let mut whole = Composed::default();
    let is_given = |name: &str| members.iter().any(|(other, _)| &**other == name);
    for (name, other) in [("env", "value"), ("value", "env")] {
        if is_credential(path) && is_given(other) && !is_given(name) {
            whole.json(name, "null");
        }
    }
    for (name, value) in &members {
        path.push(name.to_string());
        whole.any(name, &with_whole_credentials(value.get(), path));
        path.pop();
    }
    whole.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_given_in_the_place_of_another_one_and_nothing_else_is_touched() {
        for (patch, whole) in [
            (
                r#"{"credential":{"value":"x"},"enabled":true}"#,
                r#"{"credential":{"env":null,"value":"x"},"enabled":true}"#,
            ),
            (r#"{"headers":{"a":{"env":"X"},"b":"y"}}"#, r#"{"headers":{"a":{"value":null,"env":"X"},"b":"y"}}"#),
            (
                r#"{"byok":{"credentials":{"p":{"value":"x"}}}}"#,
                r#"{"byok":{"credentials":{"p":{"env":null,"value":"x"}}}}"#,
            ),
            (r#"{"credential":{"env":"X","value":"x"}}"#, r#"{"credential":{"env":"X","value":"x"}}"#),
            (r#"{"labels":{"env":"prod","value":"x"}}"#, r#"{"labels":{"env":"prod","value":"x"}}"#),
            (r#"{"labels":{"value":"x"},"accounts":[{}]}"#, r#"{"labels":{"value":"x"},"accounts":[{}]}"#),
            (r#"{"credential":null}"#, r#"{"credential":null}"#),
        ] {
            assert_eq!(with_whole_credentials(patch, &mut Vec::new()), whole);
        }
    }
}
