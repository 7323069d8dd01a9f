//! Who is spoken to: one small file a kind of provider, and one line of the table.
//!
//! What is spoken (the wire format) is a dialect's business; here is where, with which credential and which habits.

mod anthropic;
mod gemini;
mod ollama;
mod openai;
mod served;
mod vendor;

use core::fmt;

use crate::{dialect::Upstream, secret::Secret, step::Name};

pub use vendor::{Responses, Vendor};

/// What a kind of provider needs to be spoken to.
#[derive(Debug)]
pub struct Spec {
    /// The kind's name in the file.
    pub name: &'static str,
    /// Where it is, unless the file says otherwise: host and path, by TLS.
    pub home: (&'static str, &'static str),
    /// How a credential is presented: the header's name and what stands before the secret.
    pub credential: (&'static str, &'static str),
    /// What it speaks.
    pub dialect: &'static dyn Upstream,
    /// Tokens that it adds to a request that offers tools, where those are many: its own words about what tools are.
    pub tools_preface: u64,
}

/// A kind of provider: a line of the table.
#[derive(Clone, Copy)]
pub struct Kind(pub &'static Spec);

/// The kind that everything compatible is, by its name in the file.
pub const FIRST: (&str, Kind) = ("openai", Kind(&openai::SPEC));

/// The other kinds.
pub const OTHERS: &[(&str, Kind)] =
    &[("anthropic", Kind(&anthropic::SPEC)), ("gemini", Kind(&gemini::SPEC)), ("ollama", Kind(&ollama::SPEC))];

/// The header that presents a credential, the name and what stands before the secret given.
#[must_use]
pub fn authorization((name, scheme): (&'static str, &'static str), secret: &Secret) -> (Name, Secret) {
    (Name::Borrowed(name), Secret::new([scheme, secret.expose()].concat()))
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}
