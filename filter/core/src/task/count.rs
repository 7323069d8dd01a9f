//! How long a chat is, in the tokens of its model: <https://platform.claude.com/docs/en/api/messages-count-tokens>.
//!
//! Who speaks Messages counts what it would answer. Of the others some count a chat that is written for them; a guess of the gateway's
//! own is no count, so that who counts nothing is not asked.

use alloc::{format, vec::Vec};
use core::fmt;

use crate::{
    dialect::{Aim, Broken, Downstream, Thoughts, Upstream, Written, anthropic::Anthropic},
    error::Error,
};

/// How a dialect counts.
pub struct Counter {
    /// Turns a request for an answer into one for its count.
    pub(crate) write: fn(Written, &Aim<'_>) -> Written,
    /// Reads the count.
    pub(crate) read: fn(&str) -> Option<u64>,
}

// Not derived: see the module of dialects.
impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counter")
    }
}

/// Writes a request for a target that counts.
pub(super) fn write(upstream: &dyn Upstream, counter: &Counter, body: &str, aim: &Aim<'_>) -> Result<Written, Error> {
    let blame = |error: Error| Error {
        param: error.param.map(|field| alloc::string::String::from(Anthropic.name_of(&field)).into()),
        ..error
    };
    let mut request = Downstream::read(&Anthropic, body)?;
    if aim.habits.thoughts == Thoughts::Nobody {
        request.forget();
    }
    Ok((counter.write)(upstream.write(&request, aim).map_err(blame)?, aim))
}

/// Reads a count and writes it for the client.
pub(super) fn translate(counter: &Counter, body: &str) -> Result<Vec<u8>, Broken> {
    let count = (counter.read)(body).ok_or(Broken::Malformed)?;
    Ok(format!(r#"{{"input_tokens":{count}}}"#).into_bytes())
}
