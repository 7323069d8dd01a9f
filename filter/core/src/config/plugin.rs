//! The configuration of one instance of the module: its role, and for the ingress the whole document.
//!
//! It is a section like those of the file, so that a hand-written one is met with the same pointers and suggestions.

use alloc::{boxed::Box, string::String, vec::Vec};

use serde_json::value::RawValue;

use super::{
    Document, Problem,
    fields::{Fields, Nested, Section, written},
    form::{Choice, Form},
    raw::Config,
    reader::Reader,
};
use crate::json::{member, members};

/// What an instance of the module is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Plugin {
    /// In the listener: one client request.
    Ingress(Box<Config>),
    /// In a provider's cluster: one try at one target.
    Attempt,
    /// In the admin listener: one request to the admin API.
    Admin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Ingress,
    Attempt,
    Admin,
}

const ROLE: Choice<Role> =
    Choice { first: ("ingress", Role::Ingress), rest: &[("attempt", Role::Attempt), ("admin", Role::Admin)] };

impl Plugin {
    /// Reads what Envoy hands to the module; pointers into the document start with `/config`.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn parse(json: &str) -> Result<Self, Vec<Problem>> {
        Reader::document_to_run(json, false, |raw, reader| Nested::new().read(raw, reader))
    }

    /// The document in it, as it is written; empty where there is none.
    #[must_use]
    pub fn document(json: &str) -> &str {
        let members = members(json).unwrap_or_default();
        member(&members, "config").map_or("", RawValue::get)
    }

    /// What [`Plugin::parse`] takes back unchanged, without what is as by default: Envoy shows it to people.
    #[must_use]
    pub fn to_json(&self) -> String {
        written(&Nested::new(), self, true)
    }

    const fn role(&self) -> &Role {
        match self {
            Self::Ingress(_) => &Role::Ingress,
            Self::Attempt => &Role::Attempt,
            Self::Admin => &Role::Admin,
        }
    }

    const fn config(&self) -> Option<&Config> {
        match self {
            Self::Ingress(config) => Some(config),
            Self::Attempt | Self::Admin => None,
        }
    }
}

impl Section for Plugin {
    const NAME: &'static str = "plugin";
    const DOC: &'static str = "The configuration of one instance of the module.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        let role = fields.required("role", &ROLE, Self::role, "What the instance is for.");
        let config = fields.optional("config", &Document, Self::config, "The document; only for the ingress.");
        match (role, config) {
            (Role::Ingress, Some(config)) => Self::Ingress(Box::new(config)),
            (Role::Ingress, None) => {
                if fields.is_sound("/role") && fields.is_sound("/config") {
                    fields.report("/config", "is required for the role ingress");
                }
                Self::Attempt
            }
            (Role::Attempt, None) => Self::Attempt,
            (Role::Admin, None) => Self::Admin,
            (Role::Attempt | Role::Admin, Some(_)) => {
                fields.report("/config", "is only taken by the role ingress");
                Self::Attempt
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_roles_are_read_back() {
        let ingress = r#"{"role": "ingress", "config": {"providers": {"openai": {"kind": "openai"}}}}"#;
        for plugin in [
            Plugin::parse(ingress).unwrap(),
            Plugin::parse(r#"{"role":"attempt"}"#).unwrap(),
            Plugin::parse(r#"{"role":"admin"}"#).unwrap(),
        ] {
            assert_eq!(Plugin::parse(&plugin.to_json()), Ok(plugin));
        }
    }

    #[test]
    fn problems_of_the_document_stand_under_config() {
        let problems = Plugin::parse(
            r#"{"role": "ingress", "config": {"providers": {"openai": {"kind": "openai", "knd": 1}}, "listen": {"address": "0.0.0.0:80"}}}"#,
        )
        .unwrap_err();
        let pointers: Vec<_> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
        assert_eq!(pointers, ["/config/providers/openai/knd", "/config/listen/address"]);
    }

    #[test]
    fn a_role_has_the_document_it_needs_and_no_other() {
        for (json, pointer) in [
            ("{}", "/role"),
            (r#"{"role": "ingres"}"#, "/role"),
            (r#"{"role": "ingress"}"#, "/config"),
            (r#"{"role": "attempt", "config": {"providers": {"openai": {"kind": "openai"}}}}"#, "/config"),
            (r#"{"role": "admin", "config": {"providers": {"openai": {"kind": "openai"}}}}"#, "/config"),
            (r#"{"role": "attempt", "roel": 1}"#, "/roel"),
            ("[]", ""),
            ("", ""),
        ] {
            let problems = Plugin::parse(json).unwrap_err();
            let pointers: Vec<_> = problems.iter().map(|problem| problem.pointer.clone()).collect();
            assert_eq!(pointers, [pointer], "{json}: {problems:?}");
        }
    }
}
