//! Credentials that a request brings: `x-dragoman-provider-key: CREDENTIAL`, or `PROVIDER=CREDENTIAL`, also several times.
//!
//! Who gets one must be beyond doubt, because it is somebody's own. One that names its provider is that provider's. Any other is the
//! provider's whose path the request is on, or whose model it asks for (of an alias that stands for several, the first), and where
//! that is nobody's it is refused: never the first target's, which routing may have chosen. Targets of other providers are asked with
//! what the gateway has.
//!
//! What stands before a `=` is always a name, but where nothing else follows, as in base64: a name that is not one here (of another
//! environment, of a kind in place of a provider, misspelt) would otherwise be sent to whom it does not name, with the credential.
//! For the same reason a comma is refused: a proxy that joins the lines of a header puts one between two credentials.

use alloc::{format, string::String, vec::Vec};

use crate::{
    auth::Caller,
    error::{Error, Kind},
    gateway::{Gateway, Provider},
    headers::Headers,
    secret::Secret,
};

const HEADER: &str = "x-dragoman-provider-key";

/// What a request has brought.
#[derive(Debug, Default)]
pub(super) struct Brought {
    /// The providers that it is for.
    providers: Vec<String>,
    /// What names none.
    unnamed: Option<Secret>,
}

/// Adds to a caller what the request brings for providers that it names, and for the one that is asked, where that is known.
///
/// # Errors
/// The key may bring none, it is no credential, or there are two for one provider.
pub(super) fn bring(
    gateway: &Gateway,
    mut caller: Caller,
    headers: Headers<'_>,
    asked: Option<&Provider>,
) -> Result<(Caller, Brought), Error> {
    let mut brought = Brought::default();
    for value in headers.all(HEADER) {
        if !caller.key().is_some_and(|key| key.may_bring) {
            return Err(Error::new(
                Kind::PermissionDenied,
                format!("This key may not bring a credential (`{HEADER}`)."),
            ));
        }
        let (name, credential) = parse(gateway, value)?;
        let named = match name {
            None => asked,
            Some(name) => {
                let unknown = || refused("names a provider that there is not here; it is `PROVIDER=CREDENTIAL`");
                Some(&**gateway.provider(name).ok_or_else(unknown)?)
            }
        };
        let secret = Secret::new(credential.into());
        match named {
            Some(provider) => caller = brought.give(caller, provider, &secret)?,
            None if brought.unnamed.is_some() => {
                return Err(refused("has two that do not say for which provider they are"));
            }
            None => brought.unnamed = Some(secret),
        }
    }
    Ok((caller, brought))
}

impl Brought {
    /// Adds what named no provider, once the model that is asked for is known.
    ///
    /// # Errors
    /// Nobody can say whose it is, or that provider has another.
    pub(super) fn claim(mut self, gateway: &Gateway, caller: Caller, model: Option<&str>) -> Result<Caller, Error> {
        let Some(secret) = self.unnamed.take() else { return Ok(caller) };
        let catalogue = &gateway.catalogue;
        let model = catalogue.asked(model).and_then(|asked| catalogue.names(asked).next());
        let owner = model.and_then(|model| catalogue.find_checked(model, &|_| Ok(())).ok());
        let owner = owner.ok_or_else(nobodys)?;
        self.give(caller, owner.provider, &secret)
    }

    /// Refuses what named no provider where nobody can say whose it is.
    ///
    /// # Errors
    /// There is such.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.unnamed.is_none() { Ok(()) } else { Err(nobodys()) }
    }

    fn give(&mut self, caller: Caller, provider: &Provider, secret: &Secret) -> Result<Caller, Error> {
        if self.providers.contains(&provider.name) {
            return Err(refused("has two credentials for one provider"));
        }
        self.providers.push(provider.name.clone());
        Ok(caller.bringing(&provider.name, provider.account_of_caller(secret)))
    }
}

/// The name, where there is one, and the credential.
fn parse<'v>(gateway: &Gateway, value: &'v [u8]) -> Result<(Option<&'v str>, &'v str), Error> {
    let is_credential = |text: &&str| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    let text = core::str::from_utf8(value).ok().filter(is_credential);
    let text = text.ok_or_else(|| refused("has characters that no credential has"))?;
    let named = text.split_once('=').filter(|(name, rest)| {
        let is_padding = rest.bytes().all(|byte| byte == b'=');
        !is_padding || gateway.provider(name).is_some()
    });
    let (name, credential) = named.map_or((None, text), |(name, rest)| (Some(name), rest));
    if credential.bytes().all(|byte| byte == b'=') {
        return Err(refused("is empty"));
    }
    Ok((name, credential))
}

fn nobodys() -> Error {
    refused("does not say for which provider it is: write `PROVIDER=CREDENTIAL`")
}

fn refused(what: &str) -> Error {
    let message: String = format!("The header `{HEADER}` {what}.");
    Error::new(Kind::InvalidRequest, message)
}
