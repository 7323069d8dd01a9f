//! Callers with a token (RFC 7519): Envoy's own filter has verified it before the module sees the request.
//!
//! What the token says is read from the dynamic metadata that the filter writes, never from the token itself, although it is at
//! hand: a client can send several, in headers that two programs may well read differently, and only of what stands in the
//! metadata is it known that it was verified. Nothing a client sends gets there. Without the filter there is no metadata, and
//! every token is refused.
//!
//! Values arrive as the host serializes them, without their types. A list or an object begins with its length, and with a zero
//! byte in it, which text never has here; a number looks like eight bytes of anything. So claims are text, lists of text, or
//! objects of text, and an identifier is text only.

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

/// What makes a key of a token.
#[derive(Debug)]
pub(super) struct Tokens {
    algorithms: Vec<&'static str>,
    scopes: JwtScopes,
    claims: JwtClaims,
}

impl Tokens {
    pub(super) fn new(jwt: &Jwt) -> Self {
        let algorithms = jwt.algorithms.iter().map(|algorithm| algorithm.name).collect();
        Self { algorithms, scopes: jwt.scopes.clone(), claims: jwt.claims.clone() }
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
            return Err(Refusal::Unverified(said.unwrap_or_default()));
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
        let allowed = claims.list(Some(&self.scopes.claim))?.unwrap_or_default();
        if let Some(missing) = self.scopes.require.iter().find(|scope| !allowed.contains(scope)) {
            return Err(Refusal::Scope(missing.clone()));
        }
        self.key(&claims).map(|key| Some(Rc::new(key)))
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
        self.read(name, |value| if value.is_empty() { None } else { text(value) })
    }

    /// A list, or one text with words in it, as `scope` is (RFC 8693, 4.2). An empty one allows nothing.
    fn list(&self, name: Option<&String>) -> Result<Option<Vec<String>>, Refusal> {
        self.read(name, |value| {
            if let Some(words) = text(value) {
                let words = words.split([' ', ',']).filter(|word| !word.is_empty());
                return Some(words.map(ToOwned::to_owned).collect());
            }
            members(value)?.into_iter().map(|(element, _)| text(element)).collect()
        })
    }

    fn pairs(&self, name: Option<&String>) -> Result<Vec<(String, String)>, Refusal> {
        let pairs = self.read(name, |value| {
            members(value)?.into_iter().map(|(name, value)| Some((text(name)?, text(value)?))).collect()
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
