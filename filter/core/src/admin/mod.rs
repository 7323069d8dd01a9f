//! The admin API: what an operator asks the gateway, on a listener of its own and with keys of its own.
//!
//! It is answered by the worker that is asked, from its configuration and from what all workers share. What a worker has not told yet, at
//! most a second's requests, is not in an answer.

mod logs;
mod status;
mod usage;

use alloc::{
    format,
    string::{String, ToString},
};

use sha2::{Digest as _, Sha256};

use crate::{
    auth::{Credential, same},
    config::AdminKey,
    error::{Error, Kind, Shape},
    gateway::Gateway,
    headers::Headers,
    host::Surroundings,
    step::Reply,
    uri,
};

/// Where all of it is.
const ROOT: &str = "/admin/v1/";

/// What is asked, past the check of who asks.
#[derive(Clone, Copy)]
struct Ask<'a> {
    gateway: &'a Gateway,
    /// What follows the collection's name, decoded.
    rest: &'a str,
    query: &'a str,
    around: &'a Surroundings<'a>,
}

impl Ask<'_> {
    /// For a collection that has nothing in it.
    fn refuse_rest(&self) -> Result<(), Error> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Error::new(Kind::NotFound, "There is nothing of that name here."))
        }
    }
}

/// What a collection answers.
type Collection = fn(Ask<'_>) -> Result<Reply, Error>;

/// By the first segment of their paths.
const COLLECTIONS: &[(&str, Collection)] =
    &[("logs", logs::answer), ("status", status::answer), ("usage", usage::answer)];

/// Answers a request on the admin listener. `gateway` is the one that this worker was given last.
#[must_use]
pub fn answer(gateway: Option<&Gateway>, headers: Headers<'_>, around: &Surroundings<'_>) -> Reply {
    let told = gateway.ok_or_else(|| Error::new(Kind::UpstreamUnavailable, "The gateway has no configuration yet."));
    let told = told.and_then(|gateway| {
        admit(&gateway.admins, headers)?;
        find(gateway, headers, around)
    });
    // Of an error, too: it names keys and models.
    told.unwrap_or_else(|error| error.reply(Shape::OpenAi)).with("cache-control", "no-store")
}

fn find(gateway: &Gateway, headers: Headers<'_>, around: &Surroundings<'_>) -> Result<Reply, Error> {
    let target = headers.text(":path").unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let unknown = || Error::new(Kind::NotFound, format!("There is no {path} here."));
    let inside = path.strip_prefix(ROOT).ok_or_else(unknown)?;
    let (name, rest) = inside.split_once('/').unwrap_or((inside, ""));
    let (_, collection) = COLLECTIONS.iter().find(|(known, _)| *known == name).ok_or_else(unknown)?;
    let method = headers.text(":method").unwrap_or_default();
    if method != "GET" {
        return Err(Error::new(Kind::MethodNotAllowed, format!("{method} is not allowed here; use GET.")));
    }
    let rest = uri::decode(rest).ok_or_else(unknown)?;
    collection(Ask { gateway, rest: &rest, query, around })
}

/// Lets in who has an admin key. A client's key is none.
fn admit(admins: &[AdminKey], headers: Headers<'_>) -> Result<(), Error> {
    let refuse = |message: &str| Err(Error::new(Kind::InvalidApiKey, message));
    if admins.is_empty() {
        return refuse("There is nobody who may use the admin API: the file has no `admin.keys`.");
    }
    let Some(Credential(presented)) = Credential::of(headers, "") else {
        return refuse("The admin API needs an admin key: send `Authorization: Bearer`.");
    };
    let hash: [u8; 32] = Sha256::digest(presented).into();
    match admins.iter().find(|key| same(&key.sha256, &hash)) {
        Some(key) if key.enabled => Ok(()),
        Some(_) => refuse("This admin key is switched off."),
        None => refuse("This is no admin key of this gateway."),
    }
}

/// The parameters of a query, decoded, or which one cannot be.
fn parameters(query: &str) -> impl Iterator<Item = Result<(&str, String), Error>> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value =
            uri::decode(&value.replace('+', " ")).ok_or_else(|| misunderstood(name, "percent-encoded UTF-8"))?;
        Ok((name, value))
    })
}

/// Refuses a parameter of a query.
fn misunderstood(name: &str, wanted: &str) -> Error {
    Error::refusing(format!("`{name}` must be {wanted}."), name.to_string())
}

/// Refuses a parameter that nobody knows: it would be taken for one that was heeded.
fn unheeded(name: &str, known: &str) -> Error {
    Error::refusing(format!("There is no parameter `{name}` here; known are {known}."), name.to_string())
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_types,
    reason = "a test that cannot count fails, and compares documents by meaning"
)]
mod tests;
