//! The provider of a request whose body does not say it, because it has none, is a form, or names no model.
//!
//! That is the one that [`HEADER`] names; else the first of those of OpenAI's dialect to whom the way leads (the key's routing, the
//! router's, or the whole file's, in this order) that the key may use and that is configured. Always the same one, so that what was
//! put there is found there again; but nobody is asked in its place.

use alloc::{format, rc::Rc};

use crate::{
    auth::Caller,
    catalogue::Choice,
    dialect::{Upstream, openai_chat::OpenAiChat},
    error::{Error, Kind},
    gateway::{Gateway, Provider},
    headers::Headers,
    route::Way,
};

/// Names the provider.
pub(super) const HEADER: &str = "x-dragoman-provider";

/// The provider that a request names.
///
/// # Errors
/// There is none of that name, or it speaks another dialect.
pub(super) fn named<'a>(gateway: &'a Gateway, headers: Headers<'_>) -> Result<Option<&'a Rc<Provider>>, Error> {
    let Some(name) = headers.get(HEADER) else { return Ok(None) };
    let provider = core::str::from_utf8(name).ok().and_then(|name| gateway.provider(name));
    let refuse = |message| Error::new(Kind::InvalidRequest, message);
    let provider =
        provider.ok_or_else(|| refuse(format!("The header `{HEADER}` names no provider that there is here.")))?;
    if speaks_openai(provider) {
        return Ok(Some(provider));
    }
    let name = &provider.name;
    Err(refuse(format!("The provider `{name}` has an API of its own: its paths are below /{name}/.")))
}

/// The provider that is asked.
///
/// # Errors
/// The one that is named cannot be, or nobody can.
pub(super) fn pick(
    gateway: &Gateway,
    caller: &Caller,
    way: Way<'_>,
    headers: Headers<'_>,
) -> Result<Rc<Provider>, Error> {
    if let Some(provider) = named(gateway, headers)? {
        return Ok(Rc::clone(provider));
    }
    let is_usable = |provider: &&Rc<Provider>| {
        let choice = Choice::unlisted(provider, "");
        speaks_openai(provider)
            && caller.check_provider(&provider.name).is_ok()
            && choice.check_configured(caller).is_ok()
    };
    let reached = gateway.routing.reach_of(caller, way, &gateway.catalogue);
    let mut providers = reached.as_deref().unwrap_or(&gateway.providers).iter();
    providers.find(is_usable).map(Rc::clone).ok_or_else(|| {
        let message = format!(
            "This request does not say in a `model` whom to ask, and there is no provider of OpenAI's dialect here that this \
             key may use; the header `{HEADER}` names one."
        );
        Error::new(Kind::InvalidRequest, message)
    })
}

fn speaks_openai(provider: &Provider) -> bool {
    provider.spec.dialect.name() == Upstream::name(&OpenAiChat)
}
