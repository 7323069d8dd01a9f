//! Credentials that a request brings: `x-dragoman-provider-key: CREDENTIAL`, or `PROVIDER=CREDENTIAL`, also several times.
//!
//! Who gets one must be beyond doubt, because it is somebody's own. One that names its provider is that provider's. Any other is the
//! provider's whose path the request is on, or whose model it asks for, and where that is nobody's it is refused: never the first
//! target's, which routing may have chosen. Targets of other providers are asked with what the gateway has.

use alloc::{format, string::String};

use crate::{
    auth::Caller,
    error::{Error, Kind},
    gateway::{Gateway, Provider},
    headers::Headers,
    secret::Secret,
};

const HEADER: &str = "x-dragoman-provider-key";

/// Adds to a caller what the request brings for providers that it names, and for the one that is asked, where that is known.
///
/// # Errors
/// The key may bring none, or it is no credential.
pub(super) fn bring(
    gateway: &Gateway,
    mut caller: Caller,
    headers: Headers<'_>,
    asked: Option<&Provider>,
) -> Result<Caller, Error> {
    for value in headers.all(HEADER) {
        if !caller.key().is_some_and(|key| key.may_bring) {
            return Err(Error::new(
                Kind::PermissionDenied,
                format!("This key may not bring a credential (`{HEADER}`)."),
            ));
        }
        let text = core::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()));
        let text = text.ok_or_else(|| refused("has characters that no credential has"))?;
        let named = text.split_once('=').and_then(|(name, credential)| Some((gateway.provider(name)?, credential)));
        let (provider, credential) = match (named, asked) {
            (Some((provider, credential)), _) => (&**provider, credential),
            (None, Some(provider)) => (provider, text),
            (None, None) => continue,
        };
        if credential.is_empty() {
            return Err(refused("is empty"));
        }
        let account = provider.account_of_caller(&Secret::new(credential.into()));
        let account = account.ok_or_else(|| refused("is for a provider that has no address of its own"))?;
        caller = caller.bringing(&provider.name, account);
    }
    Ok(caller)
}

/// The same, once the model that is asked for is known.
///
/// # Errors
/// The same, and a credential of which nobody can say whose it is.
pub(super) fn bring_for(
    gateway: &Gateway,
    caller: Caller,
    headers: Headers<'_>,
    model: Option<&str>,
) -> Result<Caller, Error> {
    if headers.get(HEADER).is_none() {
        return Ok(caller);
    }
    let names = |value: &[u8]| {
        let text = core::str::from_utf8(value).unwrap_or_default();
        text.split_once('=').is_some_and(|(name, _)| gateway.provider(name).is_some())
    };
    if headers.all(HEADER).all(names) {
        return Ok(caller);
    }
    let catalogue = &gateway.catalogue;
    let model = catalogue.asked(model).and_then(|asked| catalogue.names(asked).next());
    let owner = model.and_then(|model| catalogue.find_checked(model, &|_| Ok(())).ok());
    let owner = owner.ok_or_else(|| refused("does not say for which provider it is: write `PROVIDER=CREDENTIAL`"))?;
    bring(gateway, caller, headers, Some(&**owner.provider))
}

fn refused(what: &str) -> Error {
    let message: String = format!("The header `{HEADER}` {what}.");
    Error::new(Kind::InvalidRequest, message)
}
