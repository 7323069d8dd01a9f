//! Who is spoken to: one small file a kind of provider, and one line of the table.
//!
//! What is spoken (the wire format) is a dialect's business; here is where, with which credential and which habits.

mod openai;

use alloc::string::String;

use crate::{config::Kind, step::Name};

/// What a kind of provider needs to be spoken to.
#[derive(Debug)]
pub struct Spec {
    /// How a credential is presented: the header's name and what stands before the secret.
    pub credential: (&'static str, &'static str),
}

/// The spec of a kind.
#[must_use]
pub const fn spec(kind: Kind) -> &'static Spec {
    match kind {
        Kind::OpenAi => &openai::SPEC,
    }
}

impl Spec {
    /// The header that presents a credential.
    #[must_use]
    pub fn authorization(&self, secret: &str) -> (Name, String) {
        let (name, scheme) = self.credential;
        (Name::Borrowed(name), [scheme, secret].concat())
    }
}
