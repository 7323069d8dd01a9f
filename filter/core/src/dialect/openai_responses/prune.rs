//! What the gateway has put into a conversation for other providers: items that carry what these want to see again, and the ids of
//! calls. Whoever speaks this format has never seen them. Every other byte stays as it came.
//!
//! Only a request that may have any is looked at here (the scan of its head has noticed), so that this may read it as a whole.

use alloc::vec::Vec;
use serde_json::value::RawValue;

use super::{carried::Carried, object::Object};
use crate::{
    dialect::{Dropped, call_id, cut},
    json::{self, Edit, Str},
};

/// How OpenAI's own proofs of a thought begin: <https://github.com/fernet/spec>.
const OF_OPENAI: &str = "gAAAA";

/// The changes that take them out, and what they were. `of_openai` says that OpenAI's own proofs go, too.
pub(super) fn prune(body: &str, of_openai: bool) -> (Vec<Edit>, Dropped) {
    let (mut edits, mut dropped) = (Vec::new(), Dropped::default());
    let Some(input) = Object::of(body.trim_ascii()).get("input") else { return (edits, dropped) };
    let items: Vec<&RawValue> = json::read(input.get()).unwrap_or_default();
    let mut places = Vec::with_capacity(items.len());
    let mut inner = Vec::new();
    for item in items {
        let is_cut = is_foreign(item, of_openai);
        places.push((cut::span(body, item.get()).end, is_cut));
        if is_cut {
            dropped.note("input[].reasoning");
        } else if let Some(edit) = trim_id(body, item) {
            dropped.note("input[].call_id");
            inner.push(edit);
        }
    }
    let inside = cut::span(body, input.get()).start.saturating_add(1);
    edits.extend(cut::cuts(body, inside, &places));
    edits.extend(inner);
    (edits, dropped)
}

fn is_foreign(item: &RawValue, of_openai: bool) -> bool {
    let encrypted = Object::of(item.get()).find::<Str<'_>>("encrypted_content");
    encrypted.is_some_and(|encrypted| Carried::is_marked(&encrypted) || of_openai && encrypted.starts_with(OF_OPENAI))
}

/// Takes the signature out of an item's id of a call.
fn trim_id(body: &str, item: &RawValue) -> Option<Edit> {
    let value = Object::of(item.get()).get("call_id")?;
    let Str(id) = json::read::<Str<'_>>(value.get()).ok()?;
    let (id, Some(_)) = call_id::split(id) else { return None };
    // A string can always be written.
    Some(Edit { span: cut::span(body, value.get()), text: serde_json::to_vec(&id).unwrap_or_default() })
}
