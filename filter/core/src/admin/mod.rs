//! The admin API: what an operator asks the gateway, on a listener of its own and with keys of its own.
//!
//! It is answered by the worker that is asked, from its configuration and from what all workers share. What a worker has not told yet, at
//! most a second's requests, is not in an answer.

mod entries;
mod inquiry;
mod keys;
mod logs;
mod models;
mod providers;
mod secrets;
mod status;
mod usage;
mod write;

use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    vec::Vec,
};

use sha2::{Digest as _, Sha256};

pub use self::inquiry::{Inquiry, PATIENCE};
use self::secrets::without_secrets;
use crate::{
    auth::{Credential, same},
    change::{Current, SECTIONS},
    config::{AdminKey, Role},
    error::{Error, Kind, Shape},
    gateway::Gateway,
    headers::Headers,
    host::Surroundings,
    json,
    step::Reply,
    uri,
};

/// Where all of it is.
const ROOT: &str = "/admin/v1/";

/// The largest body that is read, in bytes.
pub const MAX_BODY: usize = 1 << 20;

/// What is asked, past the check of who asks.
#[derive(Clone, Copy)]
struct Ask<'a> {
    current: &'a Current,
    gateway: &'a Gateway,
    deed: Deed,
    role: Role,
    headers: Headers<'a>,
    /// What follows the collection's name, decoded.
    rest: &'a str,
    query: &'a str,
    body: &'a [u8],
    around: &'a Surroundings<'a>,
}

/// What is to be done with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Look,
    Make,
    Replace,
    Change,
    Remove,
}

const DEEDS: &[(&str, Deed)] = &[
    ("GET", Deed::Look),
    ("POST", Deed::Make),
    ("PUT", Deed::Replace),
    ("PATCH", Deed::Change),
    ("DELETE", Deed::Remove),
];

/// What a collection answers.
type Collection = fn(Ask<'_>) -> Result<Reply, Error>;

/// Those that are only looked at, by the first segment of their paths.
const VIEWS: &[(&str, Collection)] =
    &[("config", config), ("logs", logs::answer), ("status", status::answer), ("usage", usage::answer)];

impl Ask<'_> {
    /// For a collection that has nothing in it.
    fn refuse_rest(&self) -> Result<(), Error> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Error::new(Kind::NotFound, "There is nothing of that name here."))
        }
    }

    /// For what has no parameters.
    #[inline(never)]
    fn refuse_parameters(&self) -> Result<(), Error> {
        parameters(self.query).next().map_or(Ok(()), |parameter| Err(unheeded(parameter?.0, "none")))
    }

    fn refuse_deed(&self, allowed: &str) -> Error {
        let method = DEEDS.iter().find(|(_, deed)| *deed == self.deed).map_or("", |(method, _)| *method);
        Error::new(Kind::MethodNotAllowed, format!("{method} is not allowed here; use {allowed}."))
    }

    /// The object that was sent.
    fn object(&self) -> Result<String, Error> {
        let text = core::str::from_utf8(self.body).map_err(|_| Error::not_json())?;
        let wrong =
            |error: serde_json::Error| Error::new(Kind::InvalidRequest, format!("The body is not valid JSON: {error}"));
        let raw: &serde_json::value::RawValue = serde_json::from_str(text).map_err(wrong)?;
        let members = json::members(raw.get());
        let members = members.ok_or_else(|| Error::new(Kind::InvalidRequest, "The body must be a JSON object."))?;
        for (place, (name, _)) in members.iter().enumerate() {
            if members.iter().take(place).any(|(other, _)| **other == **name) {
                return Err(Error::refusing(format!("`{}` is written twice.", &**name), name.to_string()));
            }
        }
        Ok(raw.get().to_string())
    }

    /// An answer that says which changes it knows.
    fn tagged(&self, reply: Reply) -> Reply {
        reply.with("etag", format!("\"{}\"", self.current.changes().generation))
    }
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Answer {
    /// It is answered.
    Reply(Reply),
    /// It is answered when a provider has been asked.
    Inquiry(Box<Inquiry>),
}

/// Answers a request on the admin listener, whose body is this. `current` is what this worker was given last.
#[must_use]
pub fn answer(current: Option<&Current>, headers: Headers<'_>, body: &[u8], around: &Surroundings<'_>) -> Answer {
    let told = current.ok_or_else(|| Error::new(Kind::UpstreamUnavailable, "The gateway has no configuration yet."));
    let told = told.and_then(|current| {
        let gateway = current.gateway();
        let role = admit(&gateway.admins, headers)?;
        find(current, (&gateway, role), headers, body, around)
    });
    match told {
        Ok(Answer::Reply(reply)) => Answer::Reply(unkept(reply)),
        Ok(inquiry @ Answer::Inquiry(_)) => inquiry,
        // Of an error, too: it names keys and models.
        Err(error) => Answer::Reply(unkept(error.reply(Shape::OpenAi))),
    }
}

/// An answer that nobody may keep.
fn unkept(reply: Reply) -> Reply {
    reply.with("cache-control", "no-store")
}

/// Refuses a body that is too large to be read.
#[must_use]
pub fn too_large() -> Reply {
    let message = format!("The body is larger than {MAX_BODY} bytes.");
    unkept(Error::new(Kind::RequestTooLarge, message).reply(Shape::OpenAi))
}

fn find(
    current: &Current,
    (gateway, role): (&Gateway, Role),
    headers: Headers<'_>,
    body: &[u8],
    around: &Surroundings<'_>,
) -> Result<Answer, Error> {
    let target = headers.text(":path").unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let unknown = || Error::new(Kind::NotFound, format!("There is no {path} here."));
    let inside = path.strip_prefix(ROOT).ok_or_else(unknown)?;
    let (name, rest) = inside.split_once('/').unwrap_or((inside, ""));
    let view = VIEWS.iter().find(|(known, _)| *known == name);
    let section = SECTIONS.iter().find(|section| section.name == name);
    if view.is_none() && section.is_none() {
        return Err(unknown());
    }
    let method = headers.text(":method").unwrap_or_default();
    let deed = DEEDS.iter().find(|(known, _)| *known == method).map(|(_, deed)| *deed);
    let allowed = if view.is_some() { "GET" } else { "GET, POST, PUT, PATCH or DELETE" };
    let deed = deed.filter(|deed| section.is_some() || *deed == Deed::Look);
    let deed = deed
        .ok_or_else(|| Error::new(Kind::MethodNotAllowed, format!("{method} is not allowed here; use {allowed}.")))?;
    let rest = uri::decode(rest).ok_or_else(unknown)?;
    let ask = Ask { current, gateway, deed, role, headers, rest: &rest, query, body, around };
    if let Some(name) = inquiry::name_of(&rest).filter(|_| name == providers::NAME) {
        return inquiry::prepare(name, ask);
    }
    let reply = match (view, section) {
        (Some((_, view)), _) => view(ask),
        (None, Some(section)) => entries::answer(section, ask),
        (None, None) => Err(unknown()),
    };
    reply.map(Answer::Reply)
}

/// `GET /admin/v1/config`: the file with all changes in it, as a file again.
fn config(ask: Ask<'_>) -> Result<Reply, Error> {
    ask.refuse_rest()?;
    ask.refuse_parameters()?;
    if ask.role != Role::Operator {
        return Err(Error::new(Kind::PermissionDenied, "The configuration is for operators only."));
    }
    let document = ask.current.document();
    let mut document = without_secrets(&document, &mut Vec::new());
    for (hash, _) in ask.current.changes().revoked() {
        document = keys::without(&document, hash);
    }
    Ok(ask.tagged(Reply::json(200, document.into_bytes())))
}

/// Lets in who has an admin key. A client's key is none.
fn admit(admins: &[AdminKey], headers: Headers<'_>) -> Result<Role, Error> {
    let refuse = |message: &str| Err(Error::new(Kind::InvalidApiKey, message));
    if admins.is_empty() {
        return refuse("There is nobody who may use the admin API: the file has no `admin.keys`.");
    }
    let Some(Credential(presented)) = Credential::of(headers, "") else {
        return refuse("The admin API needs an admin key: send `Authorization: Bearer`.");
    };
    let hash: [u8; 32] = Sha256::digest(presented).into();
    match admins.iter().find(|key| same(&key.sha256, &hash)) {
        Some(key) if key.enabled => Ok(key.role),
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
