//! The section of tokens: which are taken, and which claim of one is which attribute of a key.
//!
//! Envoy verifies them. Of what it is told here, the module asks once more whose a token is, and for whom.

use alloc::{borrow::ToOwned, format, string::String, vec::Vec};

use super::{
    collection::List,
    fields::{Fields, Nested, Section},
    form::Choice,
    raw::{BaseUrl, Credential},
    text::{FILE, LABEL},
    url::KEYS_URL,
};
use crate::secret::Secret;

/// Tokens that Envoy verifies, and what in them is what.
#[derive(Debug, Clone, PartialEq)]
pub struct Jwt {
    /// Who issues them.
    pub issuer: String,
    /// For whom they are; any where empty.
    pub audiences: Vec<String>,
    /// Where the signing keys are found.
    pub keys: JwtKeys,
    /// The algorithms that are taken.
    pub algorithms: Vec<Algorithm>,
    /// What they must allow.
    pub scopes: JwtScopes,
    /// Which claims are which attributes.
    pub claims: JwtClaims,
}

/// Where the signing keys of tokens are found.
#[derive(Debug, Clone, PartialEq)]
pub enum JwtKeys {
    /// At a URL, whose path is as it was written, its query included.
    Url(BaseUrl),
    /// In a file.
    File(String),
    /// One secret, for the HS algorithms.
    Secret(Credential),
}

/// How tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Algorithm {
    /// Its name in the token.
    pub name: &'static str,
    /// Whether one secret signs and verifies.
    pub symmetric: bool,
}

impl Algorithm {
    /// The least length of a secret for it: that of its hash (RFC 7518, 3.2).
    #[must_use]
    pub const fn secret_bytes(self) -> usize {
        match self.name.as_bytes() {
            [.., b'3', b'8', b'4'] => 48,
            [.., b'5', b'1', b'2'] => 64,
            _ => 32,
        }
    }
}

impl Jwt {
    /// Whether a secret is long enough for all algorithms that it is to sign with.
    ///
    /// # Errors
    /// How long it must be.
    pub fn check_secret(&self, secret: &Secret) -> Result<(), String> {
        let least = self.algorithms.iter().map(|algorithm| algorithm.secret_bytes()).max().unwrap_or_default();
        if secret.expose().len() < least {
            return Err(format!("is shorter than {least} bytes, and could be found out from a token"));
        }
        Ok(())
    }
}

/// What tokens must allow.
#[derive(Debug, Clone, PartialEq)]
pub struct JwtScopes {
    /// The claim that lists what is allowed.
    pub claim: String,
    /// All of these must be in it.
    pub require: Vec<String>,
}

/// Which claim of a token is which attribute of a key.
#[derive(Debug, Clone, PartialEq)]
pub struct JwtClaims {
    /// The identifier.
    pub id: String,
    /// The name.
    pub name: Option<String>,
    /// The team.
    pub team: Option<String>,
    /// The environment.
    pub environment: Option<String>,
    /// The providers.
    pub providers: Option<String>,
    /// The models.
    pub models: Option<String>,
    /// The labels.
    pub labels: Option<String>,
    /// The cost tags.
    pub cost_tags: Option<String>,
    /// The routing configuration, by name.
    pub routing: Option<String>,
}

const fn row(name: &'static str, symmetric: bool) -> (&'static str, Algorithm) {
    (name, Algorithm { name, symmetric })
}

/// What Envoy verifies.
const ALGORITHM: Choice<Algorithm> = Choice {
    first: RS256,
    rest: &[
        row("RS384", false),
        row("RS512", false),
        row("PS256", false),
        row("PS384", false),
        row("PS512", false),
        row("ES256", false),
        row("ES384", false),
        row("ES512", false),
        row("EdDSA", false),
        HS256,
        row("HS384", true),
        row("HS512", true),
    ],
};
const RS256: (&str, Algorithm) = row("RS256", false);
const HS256: (&str, Algorithm) = row("HS256", true);

impl Section for Jwt {
    const NAME: &'static str = "jwt";
    const DOC: &'static str = "Tokens that Envoy verifies: exactly one of `jwks_url`, `jwks_file` and `secret`.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        let issuer = fields.required("issuer", &LABEL, |jwt| &jwt.issuer, "Who issues them.");
        let audiences =
            fields.many("audiences", &List(LABEL), |jwt| &jwt.audiences, "For whom they are. Default: anyone.");
        let url = fields.optional(
            "jwks_url",
            &KEYS_URL,
            |jwt| match &jwt.keys {
                JwtKeys::Url(url) => Some(url),
                JwtKeys::File(_) | JwtKeys::Secret(_) => None,
            },
            "Where the issuer publishes its signing keys.",
        );
        let file = fields.optional(
            "jwks_file",
            &FILE,
            |jwt| match &jwt.keys {
                JwtKeys::File(file) => Some(file),
                JwtKeys::Url(_) | JwtKeys::Secret(_) => None,
            },
            "The signing keys in a file.",
        );
        let secret = fields.optional(
            "secret",
            &Nested::new(),
            |jwt| match &jwt.keys {
                JwtKeys::Secret(secret) => Some(secret),
                JwtKeys::Url(_) | JwtKeys::File(_) => None,
            },
            "The secret that signs and verifies, for the HS algorithms.",
        );
        let usual = if secret.is_some() { HS256.1 } else { RS256.1 };
        let algorithms = fields.optional(
            "algorithms",
            &List(ALGORITHM),
            |jwt| Some(&jwt.algorithms),
            "The algorithms that are taken. Default: HS256 with `secret`, else RS256.",
        );
        let algorithms = algorithms.unwrap_or_else(|| [usual].into());
        let scopes = fields.section("scopes", |jwt| &jwt.scopes, "What they must allow.");
        let claims = fields.section("claims", |jwt| &jwt.claims, "Which claims are which attributes.");

        let known = ["/jwks_url", "/jwks_file", "/secret"].iter().all(|pointer| fields.is_sound(pointer));
        let sources = [url.is_some(), file.is_some(), secret.is_some()].iter().filter(|is_there| **is_there).count();
        if known && sources != 1 {
            fields.report("", "needs exactly one of `jwks_url`, `jwks_file` and `secret`");
        }
        let fitting = algorithms.iter().all(|algorithm| algorithm.symmetric == usual.symmetric);
        if known && !fitting && fields.is_sound("/algorithms") {
            fields.report("/algorithms", "HS algorithms go with `secret`, all others with `jwks_url` or `jwks_file`");
        }
        let keys = match (url, file, secret) {
            (Some(url), _, _) => JwtKeys::Url(url),
            (None, _, Some(secret)) => JwtKeys::Secret(secret),
            (None, file, None) => JwtKeys::File(file.unwrap_or_default()),
        };
        let jwt = Self { issuer, audiences, keys, algorithms, scopes, claims };
        match &jwt.keys {
            JwtKeys::Secret(Credential::Value(secret)) if fields.is_sound("/secret") => {
                if let Err(wrong) = jwt.check_secret(secret) {
                    fields.report("/secret", &wrong);
                }
            }
            JwtKeys::Url(url) if fields.is_sound("/jwks_url") && !url.tls && !url.is_loopback() => {
                fields.report(
                    "/jwks_url",
                    "is neither https nor on this machine: who is on the way could choose the keys",
                );
            }
            JwtKeys::Url(_) | JwtKeys::File(_) | JwtKeys::Secret(_) => {}
        }
        jwt
    }
}

impl Section for JwtScopes {
    const NAME: &'static str = "jwt_scopes";
    const DOC: &'static str = "What tokens must allow.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            claim: fields.defaulted(
                "claim",
                &LABEL,
                "scope".to_owned(),
                |scopes| &scopes.claim,
                "The claim that lists what is allowed.",
            ),
            require: fields.many("require", &List(LABEL), |scopes| &scopes.require, "All of these must be in it."),
        }
    }
}

impl Section for JwtClaims {
    const NAME: &'static str = "jwt_claims";
    const DOC: &'static str = "Which claim of a token is which attribute of a key. Claims are text of 1 to 128 characters, lists of up to \
        128 such (`models`, `providers` and `cost_tags` also one text with spaces or commas) or, for `labels`, an object of text. A \
        token that lacks a claim is as a key without that attribute; one whose list is empty may use nothing, and one with a claim \
        that is `null` is refused, whichever it is. Tokens have no budgets of their own and bring no credentials: limits hold for each identifier, team and label.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            id: fields.defaulted(
                "id",
                &LABEL,
                "sub".to_owned(),
                |claims| &claims.id,
                "The identifier; that of a key in the file, or `anonymous`, is refused.",
            ),
            name: fields.optional(
                "name",
                &LABEL,
                |claims| claims.name.as_ref(),
                "The name. Without it, the identifier.",
            ),
            team: fields.optional(
                "team",
                &LABEL,
                |claims| claims.team.as_ref(),
                "The team: where there are any, one of them. Without it, none, whose limits do not hold.",
            ),
            environment: fields.optional(
                "environment",
                &LABEL,
                |claims| claims.environment.as_ref(),
                "The environment. Without it, any that the request names.",
            ),
            providers: fields.optional(
                "providers",
                &LABEL,
                |claims| claims.providers.as_ref(),
                "The providers it may use. Without it, all.",
            ),
            models: fields.optional(
                "models",
                &LABEL,
                |claims| claims.models.as_ref(),
                "The models it may use. Without it, all.",
            ),
            labels: fields.optional("labels", &LABEL, |claims| claims.labels.as_ref(), "The labels."),
            cost_tags: fields.optional("cost_tags", &LABEL, |claims| claims.cost_tags.as_ref(), "The cost tags."),
            routing: fields.optional(
                "routing",
                &LABEL,
                |claims| claims.routing.as_ref(),
                "The routing configuration, by its name.",
            ),
        }
    }
}
