//! Where secrets are found, and whether a provider has what it needs.
//!
//! There is one reading of "configured": the module drops what is not, `check` and `up` say so beforehand. A secret comes from
//! the environment at run time, after the file was checked, so what a header cannot hold is found out here: it is not cut to
//! size, because a key with half of it cut off fails at the provider with a message that misleads.

use alloc::{format, rc::Rc, string::String};

use serde_json::value::RawValue;

use super::{
    fields::{Fields, Nested, Section},
    form::{Form, Parsed, Writer},
    node::is_mapping,
    raw::{Account, AuthMode, Credential, Provider},
    reader::Reader,
    reference::{Reference, Shape},
    text::{HEADER_VALUE, SECRET, VARIABLE},
};
use crate::{secret::Secret, step::Name};

impl Provider {
    /// What it lacks, as the end of a sentence: something that all its accounts need, or what the first of them does where none
    /// is configured.
    #[must_use]
    pub fn missing(&self, environment: impl Fn(&str) -> Option<String>) -> Option<String> {
        if let Err(missing) = self.shared_headers(&environment) {
            return Some(missing);
        }
        let mut lacking = self.accounts.iter().map(|account| account.secret(&environment).err());
        let first = lacking.next().unwrap_or_else(|| Some("it has no account".into()))?;
        if lacking.any(|missing| missing.is_none()) { None } else { Some(first) }
    }

    /// The headers of all its accounts.
    ///
    /// # Errors
    /// What is missing, as the end of a sentence.
    pub fn shared_headers(&self, environment: impl Fn(&str) -> Option<String>) -> Result<Rc<[(Name, Secret)]>, String> {
        let header = |(name, value): &(String, Credential)| {
            value.resolve(&HEADER_VALUE, &environment).map(|value| (Name::Owned(name.clone()), value))
        };
        self.headers.iter().map(header).collect()
    }
}

impl Account {
    /// The secret; `None` where none is sent.
    ///
    /// # Errors
    /// What is missing, as the end of a sentence.
    pub fn secret(&self, environment: impl Fn(&str) -> Option<String>) -> Result<Option<Secret>, String> {
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
    fn resolve(&self, rule: &Parsed<String>, environment: impl Fn(&str) -> Option<String>) -> Result<Secret, String> {
        match self {
            Self::Value(value) => Ok(value.clone()),
            Self::Env(name) => match environment(name).filter(|value| !value.is_empty()) {
                Some(value) => (rule.parse)(&value)
                    .map(Secret::new)
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
                Self::Value(value) => Some(value.expose()),
                Self::Env(_) => None,
            },
            "The secret itself.",
        );
        match (env, value) {
            (Some(env), None) => Self::Env(env),
            (None, Some(value)) => Self::Value(Secret::new(value)),
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
        if is_mapping(raw) {
            return Nested::new().read(raw, reader);
        }
        HEADER_VALUE.read(raw, reader).map(|text| Credential::Value(Secret::new(text)))
    }

    fn write(&self, value: &Credential, out: &mut Writer) {
        match value {
            Credential::Value(text) => HEADER_VALUE.write(text.expose(), out),
            Credential::Env(_) => Nested::new().write(value, out),
        }
    }

    fn shape(&self, reference: &mut Reference) -> Shape {
        let section = Nested::<Credential>::new().shape(reference);
        Shape::Either([HEADER_VALUE.shape(reference), section].into())
    }

    fn stand_in(&self) -> Credential {
        Credential::Value(Secret::default())
    }
}

#[cfg(test)]
mod tests {
    use alloc::{borrow::ToOwned, vec::Vec};

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
    fn a_provider_is_configured_when_one_of_its_accounts_is() {
        let accounts = |first: &str, second: &str| {
            provider(&format!(r#""accounts": [{{"name": "a", {first}}}, {{"name": "b", {second}}}]"#))
                .missing(environment)
        };
        let (set, unset) = (r#""credential": {"env": "A"}"#, r#""credential": {"env": "UNSET"}"#);
        let lacking = Some("the environment variable UNSET is not set".to_owned());
        assert_eq!(accounts(unset, set), None);
        assert_eq!(accounts(set, unset), None);
        assert_eq!(accounts(unset, r#""enabled": false"#), lacking, "of several, what the first one lacks");
        assert_eq!(
            accounts(r#""credential": {"env": "A"}, "enabled": false"#, unset),
            Some("it is disabled".to_owned())
        );
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
            assert_eq!(provider(fields).missing(environment).as_deref(), Some(missing), "{fields}");
        }
    }

    #[test]
    fn a_header_is_text_or_a_secret_found_elsewhere() {
        let provider = provider(
            r#""auth": "none", "headers": {"X-Plain": "two words", "x-value": {"value": "v"}, "x-env": {"env": "WORDS"}}"#,
        );
        let headers = provider.shared_headers(environment).unwrap();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (&**name, value.expose().as_str())).collect();
        assert_eq!(headers, [("x-plain", "two words"), ("x-value", "v"), ("x-env", "two words")]);
        assert!(!format!("{provider:?}").contains("two words"));
    }
}
