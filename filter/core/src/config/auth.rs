//! The sections of access: whether a key is needed, keys of the admin API, users of the console.

use alloc::{string::String, vec::Vec};

use super::{
    collection::List,
    fields::{Fields, Nested, Section},
    form::{Choice, Flag},
    raw::Auth,
    text::{LABEL, SHA256},
};

/// Who may use the admin API.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Admin {
    /// Its keys; never those of clients.
    pub keys: Vec<AdminKey>,
}

/// A key of the admin API.
#[derive(Debug, Clone, PartialEq)]
pub struct AdminKey {
    /// Its identifier, unique.
    pub id: String,
    /// SHA-256 of the whole key.
    pub sha256: [u8; 32],
    /// What it may do.
    pub role: Role,
    /// Reversible switch.
    pub enabled: bool,
}

/// What an administrator may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Operator,
    /// Look, and use the playground.
    Developer,
}

/// Who may use the console.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Console {
    /// Its users, besides the holders of admin keys.
    pub users: Vec<ConsoleUser>,
}

/// A user of the console.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsoleUser {
    /// The name to sign in with, unique.
    pub name: String,
    /// SHA-256 of the password.
    pub sha256: [u8; 32],
    /// What the user may do.
    pub role: Role,
    /// Reversible switch.
    pub enabled: bool,
}

const ROLE: Choice<Role> = Choice { first: ("operator", Role::Operator), rest: &[("developer", Role::Developer)] };

impl Section for Auth {
    const NAME: &'static str = "auth";
    const DOC: &'static str = "Who may ask.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            required: fields.optional(
                "required",
                &Flag,
                |auth| auth.required.as_ref(),
                "Whether a key or token is needed. Default: where there are keys or tokens.",
            ),
            jwt: fields.optional("jwt", &Nested::new(), |auth| auth.jwt.as_ref(), "Tokens that Envoy verifies."),
        }
    }
}

impl Section for Admin {
    const NAME: &'static str = "admin";
    const DOC: &'static str = "Who may use the admin API.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            keys: fields.many(
                "keys",
                &List(Nested::new()),
                |admin| &admin.keys,
                "Its keys. They are no keys of clients, and those are none of these.",
            ),
        }
    }
}

impl Section for AdminKey {
    const NAME: &'static str = "admin_key";
    const DOC: &'static str = "A key of the admin API.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            id: fields.required("id", &LABEL, |key| &key.id, "Its identifier, unique."),
            sha256: fields.required("sha256", &SHA256, |key| &key.sha256, "SHA-256 of the whole key."),
            role: fields.defaulted("role", &ROLE, Role::Operator, |key| &key.role, "What its holder may do."),
            enabled: fields.defaulted("enabled", &Flag, true, |key| &key.enabled, "A switch that can be turned back."),
        }
    }
}

impl Section for Console {
    const NAME: &'static str = "console";
    const DOC: &'static str = "Who may use the console.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            users: fields.many(
                "users",
                &List(Nested::new()),
                |console| &console.users,
                "Its users, besides the holders of admin keys.",
            ),
        }
    }
}

impl Section for ConsoleUser {
    const NAME: &'static str = "console_user";
    const DOC: &'static str = "A user of the console.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            name: fields.required("name", &LABEL, |user| &user.name, "The name to sign in with, unique."),
            sha256: fields.required(
                "sha256",
                &SHA256,
                |user| &user.sha256,
                "SHA-256 of the password, which must be long and random.",
            ),
            role: fields.defaulted("role", &ROLE, Role::Developer, |user| &user.role, "What the user may do."),
            enabled: fields.defaulted(
                "enabled",
                &Flag,
                true,
                |user| &user.enabled,
                "A switch that can be turned back.",
            ),
        }
    }
}
