//! What is particular about providers: how each is.

use alloc::{string::String, vec::Vec};

use super::Ask;
use crate::{
    config::print_millis,
    gateway::Provider,
    json::{Composed, listed},
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
        let mut targets = Vec::new();
        for Cooling { name, until_millis, trouble } in own {
            let (name, mut told) = (name.borrowed(), Composed::default());
            told.text("account", name.account);
            told.text("model", name.model);
            told.text("until", &print_millis(*until_millis));
            told.text("why", trouble.text());
            targets.push(told.end());
        }
        Self { state, cooling: listed(targets) }
    }
}

/// Tells how a provider is, before what the file says of it.
#[inline(never)]
pub(super) fn tell_health(told: &mut Composed, name: &str, ask: Ask<'_>) {
    let gateway = ask.current.gateway();
    let Some(provider) = gateway.provider(name) else { return told.text("status", "disabled") };
    let health = Health::of(provider, &ask.around.observer.cooling(ask.around.clock.epoch_millis()));
    let mut lacking = Vec::new();
    for account in &provider.accounts {
        if let Some(missing) = &account.missing {
            let mut told = Composed::default();
            told.text("account", &account.name);
            told.text("missing", missing);
            lacking.push(told.end());
        }
    }
    told.text("status", health.state);
    told.list("lacking", lacking);
    told.json("cooling", &health.cooling);
}
