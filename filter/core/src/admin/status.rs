//! `GET /admin/v1/status`: which version runs, how attempts are made, and how the providers are.

use alloc::string::String;

use super::{Ask, providers::Health, unheeded};
use crate::{
    config::{self, print_millis},
    error::Error,
    gateway::Provider,
    json::{Composed, quoted},
    live::Cooling,
    plan::Mode,
    step::Reply,
};

pub(super) fn answer(ask: Ask<'_>) -> Result<Reply, Error> {
    ask.refuse_rest()?;
    if let Some(parameter) = super::parameters(ask.query).next() {
        return Err(unheeded(parameter?.0, "none"));
    }
    let gateway = ask.gateway;
    let cooling = ask.around.observer.cooling(ask.around.clock.epoch_millis());
    let is_native = gateway.providers.iter().all(|provider| provider.mode == Mode::Native);
    let changes = ask.current.changes();
    let unfit = ask.current.misfits();
    let unfit = unfit.iter().filter_map(|misfit| {
        let (section, name) = changes.entry(misfit.entry)?;
        let mut told = Composed::default();
        told.text("section", section.name);
        told.text("name", name);
        told.text("problem", &misfit.sentence());
        Some(told.end())
    });
    let left_without = config::parse_to_run(&ask.current.document()).err().unwrap_or_default();
    let left_without = left_without.iter().map(|problem| {
        let mut told = Composed::default();
        told.text("at", &problem.pointer);
        told.text("problem", &problem.message);
        told.end()
    });
    let listed = gateway.keys.revoked_in_file().into_iter().map(|id| quoted(&id));
    let mut status = Composed::new();
    status.text("object", "status");
    status.text("version", env!("CARGO_PKG_VERSION"));
    status.text("mode", if is_native { "native" } else { "dispatch" });
    status.flag("ready", gateway.is_ready());
    status.text("time", &print_millis(ask.around.clock.epoch_millis()));
    let mut told_changes = Composed::default();
    told_changes.whole("generation", changes.generation);
    told_changes.whole("entries", u64::try_from(changes.len()).unwrap_or_default());
    told_changes.whole("revoked_keys", u64::try_from(changes.revoked().len()).unwrap_or_default());
    told_changes.list("not_in_effect", unfit);
    told_changes.list("left_without", left_without);
    told_changes.list("revoked_but_listed", listed);
    status.json("changes", &told_changes.end());
    status.list("providers", gateway.providers.iter().map(|provider| told(provider, &cooling)));
    Ok(Reply::json(200, status.end().into_bytes()))
}

fn told(provider: &Provider, cooling: &[Cooling]) -> String {
    let accounts = provider.accounts.iter().map(|account| {
        let mut told = Composed::default();
        told.text("name", &account.name);
        told.some_text("missing", account.missing.as_deref().unwrap_or_default());
        told.end()
    });
    let health = Health::of(provider, cooling);
    let mut all = Composed::default();
    all.text("name", &provider.name);
    all.text("kind", provider.spec.name);
    all.text("state", health.state);
    all.list("accounts", accounts);
    all.json("cooling", &health.cooling);
    all.end()
}
