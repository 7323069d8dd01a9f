//! Tokens of a request that is not answered: <https://ai.google.dev/api/tokens>.

use alloc::{string::String, vec::Vec};

use super::request::path;
use crate::{
    dialect::{Aim, Written},
    json::{self, members},
    task::{
        append,
        count::Counter,
        embedding::{member, quoted},
    },
};

pub(super) static COUNTER: Counter = Counter { write, read };

/// With the instruction and the tools, which only the whole request has a place for.
fn write(written: Written, aim: &Aim<'_>) -> Written {
    let collection = if aim.model.contains('/') { "" } else { "models/" };
    let mut begin = String::new();
    append(&mut begin, &[r#"{"generateContentRequest":{"model":"#, &quoted(&[collection, aim.model].concat()), ","]);
    let members = written.body.strip_prefix(b"{").unwrap_or(b"}");
    let body: Vec<u8> = [begin.as_bytes(), members, b"}"].concat();
    Written { path: path(aim.model, "countTokens"), body, ..written }
}

fn read(body: &str) -> Option<u64> {
    json::read(member(&members(body)?, "totalTokens")?.get()).ok()
}
