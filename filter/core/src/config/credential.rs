//! Where secrets are found, and whether a provider has what it needs.
//!
//! There is one reading of "configured": the module drops what is not, `check` and `up` say so beforehand. A secret comes from
//! the environment at run time, after the file was checked, so what a header cannot hold is found out here: it is not cut to
//! size, because a key with half of it cut off fails at the provider with a message that misleads.

use alloc::{format, string::String, vec::Vec};
use core::fmt;

use serde_json::value::RawValue;

use super::{
    fields::{Fields, Nested, Section},
    form::{Form, Parsed, Writer},
    node::Node,
    raw::{Account, AuthMode, Credential, Provider},
    reader::Reader,
    reference::{Reference, Shape},
    text::{HEADER_VALUE, SECRET, VARIABLE},
};

/// What a provider is sent that must not be seen: all there, or it is not configured.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets {
    /// Of the account that is used; `None` where it sends none.
    pub credential: Option<String>,
    /// The provider's own headers, in the order written.
    pub headers: Vec<(String, String)>,
}

impl Provider {
    /// The secrets of the first account that is configured, and of the headers.
    ///
    /// # Errors
    /// What is missing, as the end of a sentence.
    pub fn secrets(&self, environment: impl Fn(&str) -> Option<String>) -> Result<Secrets, String> {
        let mut accounts = self.accounts.iter().map(|account| account.secret(&environment));
        // Where none is configured, what the first one lacks.
        let first = accounts.next().unwrap_or_else(|| Err("it has no account".into()));
        let credential = accounts.fold(first, |found, next| found.or_else(|lacking| next.or(Err(lacking))))?;
        let header = |(name, value): &(String, Credential)| {
            value.resolve(&HEADER_VALUE, &environment).map(|value| (name.clone(), value))
        };
        Ok(Secrets { credential, headers: self.headers.iter().map(header).collect::<Result<_, _>>()? })
    }
}

impl Account {
    /// The secret; `None` where none is sent.
    ///
    /// # Errors
    /// What is missing, as the end of a sentence.
    pub fn secret(&self, environment: impl Fn(&str) -> Option<String>) -> Result<Option<String>, String> {
        if !self.enabled {
            return Err("it is disabled".into());
        }
        match (self.auth, &self.credential) {
            (AuthMode::None, _) => Ok(None),
            (AuthMode::Oauth, _) => Err("signing in (`auth: oauth`) is not acted on yet".into()),
            (AuthMode::ApiKey, Some(credential)) => credential.resolve(&SECRET, environment).map(Some),
            (AuthMode::ApiKey, None) => Err("it has no credential".into()),
        }
    }
}

impl Credential {
    fn resolve(&self, rule: &Parsed<String>, environment: impl Fn(&str) -> Option<String>) -> Result<String, String> {
        match self {
            Self::Value(value) => Ok(value.clone()),
            Self::Env(name) => match environment(name).filter(|value| !value.is_empty()) {
                Some(value) => (rule.parse)(&value)
                    .map_err(|_| format!("the environment variable {name} holds characters that a header cannot")),
                None => Err(format!("the environment variable {name} is not set")),
            },
        }
    }
}

impl Section for Credential {
    const NAME: &'static str = "credential";
    const DOC: &'static str = "Where a secret is found: exactly one of its fields.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        let env = fields.optional(
            "env",
            &VARIABLE,
            |credential| match credential {
                Self::Env(name) => Some(name),
                Self::Value(_) => None,
            },
            "In this environment variable.",
        );
        let value = fields.optional(
            "value",
            &SECRET,
            |credential| match credential {
                Self::Value(value) => Some(value),
                Self::Env(_) => None,
            },
            "The secret itself.",
        );
        match (env, value) {
            (Some(env), None) => Self::Env(env),
            (None, Some(value)) => Self::Value(value),
            (Some(env), Some(_)) => {
                fields.report("", "has both `env` and `value`");
                Self::Env(env)
            }
            (None, None) => {
                if fields.is_sound("/env") && fields.is_sound("/value") {
                    fields.report("", "has neither `env` nor `value`");
                }
                Self::Env(String::new())
            }
        }
    }
}

/// The value of a header: text as it is, or where a secret is found.
pub(super) struct HeaderSource;

impl Form for HeaderSource {
    type Value = Credential;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<Credential> {
        match Node::open(raw) {
            Some(Node::Object(_)) => Nested::new().read(raw, reader),
            _ => HEADER_VALUE.read(raw, reader).map(Credential::Value),
        }
    }

    fn write(&self, value: &Credential, out: &mut Writer) {
        match value {
            Credential::Value(text) => HEADER_VALUE.write(text, out),
            Credential::Env(_) => Nested::new().write(value, out),
        }
    }

    fn shape(&self, reference: &mut Reference) -> Shape {
        let section = Nested::<Credential>::new().shape(reference);
        Shape::Either([HEADER_VALUE.shape(reference), section].into())
    }

    fn stand_in(&self) -> Credential {
        Credential::Value(String::new())
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => f.debug_tuple("Env").field(name).finish(),
            Self::Value(_) => f.write_str("Value(…)"),
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Secrets").field("headers", &names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;

    use super::*;
    use crate::config::parse;

    fn provider(fields: &str) -> Provider {
        let file = format!(r#"{{"providers": {{"p": {{"kind": "openai", {fields}}}}}}}"#);
        parse(&file).unwrap().providers.remove(0)
    }

    fn environment(name: &str) -> Option<String> {
        let known = [("A", "sk-a"), ("B", "sk-b"), ("EMPTY", ""), ("LINE", "sk-a\n"), ("WORDS", "two words")];
        known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn the_first_account_that_is_configured_is_used() {
        let spare = provider(
            r#""accounts": [{"name": "a", "credential": {"env": "UNSET"}}, {"name": "b", "credential": {"env": "B"}},
                {"name": "c", "credential": {"env": "A"}}]"#,
        );
        assert_eq!(spare.secrets(environment).unwrap().credential.as_deref(), Some("sk-b"));
    }

    #[test]
    fn an_account_that_is_switched_off_is_passed_over() {
        let both = |first: &str| {
            provider(&format!(
                r#""accounts": [{{"name": "a", "credential": {{"env": "A"}}, {first}}}, {{"name": "b", "credential": {{"env": "B"}}}}]"#
            ))
        };
        assert_eq!(both(r#""enabled": false"#).secrets(environment).unwrap().credential.as_deref(), Some("sk-b"));
        assert_eq!(both(r#""enabled": true"#).secrets(environment).unwrap().credential.as_deref(), Some("sk-a"));
    }

    #[test]
    fn of_several_that_lack_something_the_first_is_named() {
        let none = provider(r#""accounts": [{"name": "a", "credential": {"env": "UNSET"}}, {"name": "b"}]"#);
        assert_eq!(none.secrets(environment), Err("the environment variable UNSET is not set".to_owned()));
    }

    #[test]
    fn what_is_missing_is_named_and_never_shown() {
        for (fields, missing) in [
            (r#""credential": {"env": "UNSET"}"#, "the environment variable UNSET is not set"),
            (r#""credential": {"env": "EMPTY"}"#, "the environment variable EMPTY is not set"),
            (r#""credential": {"env": "LINE"}"#, "the environment variable LINE holds characters that a header cannot"),
            (
                r#""credential": {"env": "WORDS"}"#,
                "the environment variable WORDS holds characters that a header cannot",
            ),
            (r#""auth": "api_key""#, "it has no credential"),
            (
                r#""credential": {"env": "A"}, "headers": {"x-a": {"env": "UNSET"}}"#,
                "the environment variable UNSET is not set",
            ),
            (
                r#""credential": {"env": "A"}, "headers": {"x-a": {"env": "LINE"}}"#,
                "the environment variable LINE holds characters that a header cannot",
            ),
        ] {
            assert_eq!(provider(fields).secrets(environment), Err(missing.to_owned()), "{fields}");
        }
    }

    #[test]
    fn a_header_is_text_or_a_secret_found_elsewhere() {
        let provider = provider(
            r#""auth": "none", "headers": {"X-Plain": "two words", "x-value": {"value": "v"}, "x-env": {"env": "WORDS"}}"#,
        );
        let secrets = provider.secrets(environment).unwrap();
        let headers: Vec<_> = secrets.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(headers, [("x-plain", "two words"), ("x-value", "v"), ("x-env", "two words")]);
        assert!(!format!("{secrets:?}{provider:?}").contains("two words"));
    }
}
