//! Callers with a token (RFC 7519): Envoy's own filter has verified it before the module sees the request.
//!
//! What the token says is read from the dynamic metadata that the filter writes, never from the token itself, although it is at
//! hand: a client can send several, in headers that two programs may well read differently, and only of what stands in the
//! metadata is it known that it was verified. Nothing a client sends gets there. Without the filter there is no metadata, and
//! every token is refused.
//!
//! For whom the token is, and whose, is asked once more: an Envoy of somebody's own may verify tokens of several issuers, or for
//! other audiences, and write all of them to one place.
//!
//! Values arrive as the host serializes them, without their types. A list or an object begins with its length, and with a zero
//! byte in it, which text never has here; a number is eight bytes, and of few numbers are all of them printable. So claims are
//! text, lists of text, or objects of text, and an identifier is text only: of numbers one in hundreds would pass for one.

use alloc::{borrow::ToOwned, rc::Rc, string::String, vec::Vec};

use super::{Glob, Key, Refusal};
use crate::{
    config::{Jwt, JwtClaims, JwtScopes},
    host::Metadata,
};

/// The name of Envoy's filter, under which it writes.
pub const FILTER: &str = "envoy.filters.http.jwt_authn";
/// Where the verified claims are.
pub const CLAIMS: &str = "dragoman.claims";
/// Where the verified header is.
pub const HEADER: &str = "dragoman.header";
/// Where it is said why a token is not good.
pub const FAILURE: &str = "dragoman.failure";

/// What the filter says of a token that another issuer made.
const UNKNOWN_ISSUER: &str = "Jwt issuer is not configured";
/// What it says where it is without the issuer's keys.
const NO_KEYS: [&str; 4] = [
    "Jwks remote fetch is failed",
    "Jwks is an invalid JSON",
    "Jwks does not have [keys] field",
    "Jwks doesn't have any valid public key",
];

/// Elements of a claim at most: each is looked at for each model of a listing.
const MOST_ELEMENTS: usize = 128;
/// Characters of a text that stands in logs and metrics, as in the file.
const MOST_CHARACTERS: usize = 128;

/// What makes a key of a token.
#[derive(Debug)]
pub(super) struct Tokens {
    issuer: String,
    audiences: Vec<String>,
    algorithms: Vec<&'static str>,
    scopes: JwtScopes,
    claims: JwtClaims,
}

impl Tokens {
    pub(super) fn new(jwt: &Jwt) -> Self {
        let algorithms = jwt.algorithms.iter().map(|algorithm| algorithm.name).collect();
        Self {
            issuer: jwt.issuer.clone(),
            audiences: jwt.audiences.clone(),
            algorithms,
            scopes: jwt.scopes.clone(),
            claims: jwt.claims.clone(),
        }
    }

    /// Whether a credential has the form of a token, which those that [`super::Credential`] finds may have by chance only.
    pub(super) fn is_one(credential: &[u8]) -> bool {
        credential.split(|&byte| byte == b'.').count() == 3
    }

    /// The key that a verified token amounts to; `None` where another issuer made it. Where a request has several tokens, all
    /// must be good.
    pub(super) fn read(&self, metadata: &dyn Metadata) -> Result<Option<Rc<Key>>, Refusal> {
        let written = |key: &str| metadata.read(&[FILTER, key]);
        if let Some(failure) = written(FAILURE) {
            let said = members(&failure).and_then(|members| text(find(&members, "message")?));
            if said.as_deref() == Some(UNKNOWN_ISSUER) {
                return Ok(None);
            }
            let said = said.unwrap_or_default();
            return Err(if NO_KEYS.contains(&&*said) { Refusal::NoIssuer } else { Refusal::Unverified(said) });
        }
        let (Some(claims), Some(header)) = (written(CLAIMS), written(HEADER)) else {
            return Err(Refusal::Unverified(String::new()));
        };
        let (Some(claims), Some(header)) = (members(&claims), members(&header)) else {
            return Err(Refusal::Unverified(String::new()));
        };
        let algorithm = find(&header, "alg").and_then(text).unwrap_or_default();
        if !self.algorithms.iter().any(|taken| *taken == algorithm) {
            return Err(Refusal::Algorithm(algorithm));
        }
        let claims = Claims(claims);
        if find(&claims.0, "iss") != Some(self.issuer.as_bytes()) {
            return Err(Refusal::Foreign("iss"));
        }
        if !self.audiences.is_empty() && !self.is_meant(find(&claims.0, "aud").unwrap_or_default()) {
            return Err(Refusal::Foreign("aud"));
        }
        let allowed = claims.words(&self.scopes.claim)?;
        if let Some(missing) = self.scopes.require.iter().find(|scope| !allowed.contains(scope)) {
            return Err(Refusal::Scope(missing.clone()));
        }
        self.key(&claims).map(|key| Some(Rc::new(key)))
    }

    /// Whether a claim of audiences has one of the file's.
    fn is_meant(&self, claim: &[u8]) -> bool {
        let is_one = |audience: &[u8]| {
            !audience.is_empty() && self.audiences.iter().any(|own| bare(own.as_bytes()) == bare(audience))
        };
        match members(claim) {
            Some(list) => list.iter().any(|(audience, _)| is_one(audience)),
            None => is_one(claim),
        }
    }

    fn key(&self, claims: &Claims<'_>) -> Result<Key, Refusal> {
        let named = &self.claims;
        let id = claims.text(Some(&named.id))?.ok_or_else(|| Refusal::Claim(named.id.clone()))?;
        let models = claims.list(named.models.as_ref())?;
        Ok(Key {
            name: claims.text(named.name.as_ref())?.unwrap_or_else(|| id.clone()),
            id,
            team: claims.text(named.team.as_ref())?,
            environment: claims.text(named.environment.as_ref())?,
            labels: claims.pairs(named.labels.as_ref())?,
            cost_tags: claims.list(named.cost_tags.as_ref())?.unwrap_or_default(),
            routing: claims.text(named.routing.as_ref())?,
            providers: claims.list(named.providers.as_ref())?,
            models: models.map(|models| models.iter().map(|model| Glob::new(model)).collect()),
            enabled: true,
            ..Key::default()
        })
    }
}

/// The claims of a token. One that the file names and the token has, but in another form, is refused: it was meant to say something.
struct Claims<'b>(Vec<(&'b [u8], &'b [u8])>);

impl Claims<'_> {
    fn text(&self, name: Option<&String>) -> Result<Option<String>, Refusal> {
        self.read(name, |value| label(text(value)?))
    }

    /// A list of labels. An empty one allows nothing.
    fn list(&self, name: Option<&String>) -> Result<Option<Vec<String>>, Refusal> {
        self.read(name, |value| {
            let words = words(value).filter(|words| words.len() <= MOST_ELEMENTS)?;
            words.into_iter().map(label).collect()
        })
    }

    /// Words that are only compared.
    fn words(&self, name: &String) -> Result<Vec<String>, Refusal> {
        self.read(Some(name), words).map(Option::unwrap_or_default)
    }

    fn pairs(&self, name: Option<&String>) -> Result<Vec<(String, String)>, Refusal> {
        let pairs = self.read(name, |value| {
            let pairs = members(value).filter(|pairs| pairs.len() <= MOST_ELEMENTS)?;
            pairs.into_iter().map(|(name, value)| Some((label(text(name)?)?, label(text(value)?)?))).collect()
        })?;
        Ok(pairs.unwrap_or_default())
    }

    fn read<T>(&self, name: Option<&String>, form: impl FnOnce(&[u8]) -> Option<T>) -> Result<Option<T>, Refusal> {
        let Some(name) = name else { return Ok(None) };
        let Some(value) = find(&self.0, name) else { return Ok(None) };
        form(value).map(Some).ok_or_else(|| Refusal::Claim(name.clone()))
    }
}

fn find<'b>(members: &[(&[u8], &'b [u8])], name: &str) -> Option<&'b [u8]> {
    members.iter().find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| *value)
}

/// A list, or one text with words in it, as `scope` is (RFC 8693, 4.2).
fn words(value: &[u8]) -> Option<Vec<String>> {
    if let Some(words) = text(value) {
        let words = words.split([' ', ',']).filter(|word| !word.is_empty());
        return Some(words.map(ToOwned::to_owned).collect());
    }
    members(value)?.into_iter().map(|(element, _)| text(element)).collect()
}

/// Text that stands in logs and metrics.
fn label(text: String) -> Option<String> {
    (1..=MOST_CHARACTERS).contains(&text.chars().count()).then_some(text)
}

/// An audience as Envoy compares it: without its scheme, and without a slash at its end.
fn bare(audience: &[u8]) -> &[u8] {
    let place = audience.strip_prefix(b"https://").or_else(|| audience.strip_prefix(b"http://")).unwrap_or(audience);
    place.strip_suffix(b"/").unwrap_or(place)
}

fn text(value: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(value).ok()?;
    (!text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// An object, or a list, whose elements are names without a value: how many there are, the lengths of each one's name and value,
/// then all of them, a zero byte after each. Numbers are little-endian, of four bytes.
fn members(bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
        let (number, rest) = bytes.split_first_chunk()?;
        Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
    }
    fn part(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
        let (part, rest) = bytes.split_at_checked(length)?;
        rest.strip_prefix(b"\0").map(|rest| (part, rest))
    }
    let (count, mut lengths) = number(bytes)?;
    let mut values = lengths.get(count.checked_mul(8)?..)?;
    let mut members = Vec::with_capacity(count);
    for _ in 0..count {
        let (name, rest) = number(lengths)?;
        let (value, rest) = number(rest)?;
        lengths = rest;
        let (name, rest) = part(values, name)?;
        let (value, rest) = part(rest, value)?;
        values = rest;
        members.push((name, value));
    }
    values.is_empty().then_some(members)
}

#[cfg(test)]
mod tests;
