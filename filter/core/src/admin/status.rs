//! `GET /admin/v1/status`: which version runs, how attempts are made, and how the providers are.

use alloc::{string::String, vec::Vec};

use super::{Ask, providers::Health};
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
    ask.refuse_parameters()?;
    let gateway = ask.gateway;
    let cooling = ask.around.observer.cooling(ask.around.clock.epoch_millis());
    let is_native = gateway.providers.iter().all(|provider| provider.mode == Mode::Native);
    let changes = ask.current.changes();
    let mut unfit = Vec::new();
    for misfit in ask.current.misfits().iter() {
        let Some((section, name)) = changes.entry(misfit.entry) else { continue };
        let mut told = Composed::default();
        told.text("section", section.name);
        told.text("name", name);
        told.text("problem", &misfit.sentence());
        unfit.push(told.end());
    }
    let mut left_without = Vec::new();
    for problem in config::parse_to_run(&ask.current.document()).err().unwrap_or_default() {
        let mut told = Composed::default();
        told.text("at", &problem.pointer);
        told.text("problem", &problem.message);
        left_without.push(told.end());
    }
    let mut listed = gateway.keys.revoked_in_file();
    for id in &mut listed {
        *id = quoted(id);
    }
    let mut providers = Vec::new();
    for provider in &gateway.providers {
        providers.push(told(provider, &cooling));
    }
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
    status.list("providers", providers);
    Ok(Reply::json(200, status.end().into_bytes()))
}

fn told(provider: &Provider, cooling: &[Cooling]) -> String {
    let mut accounts = Vec::new();
    for account in &provider.accounts {
        let mut told = Composed::default();
        told.text("name", &account.name);
        told.some_text("missing", account.missing.as_deref().unwrap_or_default());
        accounts.push(told.end());
    }
    let health = Health::of(provider, cooling);
    let mut all = Composed::default();
    all.text("name", &provider.name);
    all.text("kind", provider.spec.name);
    all.text("state", health.state);
    all.list("accounts", accounts);
    all.json("cooling", &health.cooling);
    all.end()
}
