//! What the gateway says of itself: its models, whether it is ready, how its targets live.

use alloc::{format, rc::Rc};

use crate::{
    auth::Caller,
    error::{Error, Kind, Shape},
    gateway::{Gateway, Provider},
    health::NameRef,
    host::Surroundings,
    step::Reply,
    uri,
};

/// Which models are asked about.
#[derive(Clone, Copy)]
pub(super) struct Listing<'a> {
    /// The one, not decoded yet, or all.
    pub(super) name: &'a str,
    pub(super) query: &'a str,
    pub(super) caller: &'a Caller,
    /// Only theirs.
    pub(super) providers: Option<&'a [Rc<Provider>]>,
}

/// The models, or the one of this name.
pub(super) fn models(gateway: &Gateway, listing: &Listing<'_>, shape: Shape) -> Reply {
    let Listing { name, query, caller, providers } = *listing;
    let catalogue = &gateway.catalogue;
    if name.is_empty() {
        return Reply::json(200, catalogue.list(caller, query, providers));
    }
    let found = uri::decode(name).and_then(|name| catalogue.retrieve(&name, caller, providers));
    found.map_or_else(
        || {
            let message = format!("There is no model {name}, or this key may not use it.");
            Error::new(Kind::ModelNotFound, message).blaming("model").reply(shape)
        },
        |model| Reply::json(200, model),
    )
}

/// Whether it can serve.
pub(super) fn ready(gateway: &Gateway) -> Reply {
    if gateway.is_ready() {
        return Reply::json(200, br#"{"status":"ready"}"#.to_vec());
    }
    Reply::json(503, br#"{"status":"no provider is configured"}"#.to_vec())
}

/// What is known of the targets that a caller may use; those of another environment are none of them.
pub(super) fn live_metrics(gateway: &Gateway, caller: &Caller, around: &Surroundings<'_>) -> Reply {
    let is_here = |name: NameRef<'_>| {
        let provider = gateway.provider(name.provider);
        provider.map_or("", |provider| provider.environment()) == name.environment
    };
    let is_shown = |name: NameRef<'_>| is_here(name) && caller.may_use(name.provider, name.model);
    Reply::json(200, around.observer.report(around.clock.epoch_millis(), is_shown))
}
