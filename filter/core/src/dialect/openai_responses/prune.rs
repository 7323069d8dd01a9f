//! What the gateway has put into a conversation for other providers: items that carry what these want to see again, and the ids of
//! calls. Whoever speaks this format has never seen them. Every other byte stays as it came.
//!
//! Only a request that may have any is looked at here (the scan of its head has noticed), so that this may read it as a whole.

use alloc::vec::Vec;
use serde_json::value::RawValue;

use super::carried::{Carried, OF_OPENAI};
use crate::{
    dialect::{Dropped, Thoughts, call_id, cut, object::Object},
    json::{self, Edit, Str},
};

/// The changes that take them out, and what they were; of the thoughts these stay.
pub(super) fn prune(body: &str, kept: Thoughts) -> (Vec<Edit>, Dropped) {
    let (mut edits, mut dropped) = (Vec::new(), Dropped::default());
    let Some(input) = Object::of(body.trim_ascii()).get("input") else { return (edits, dropped) };
    let items: Vec<&RawValue> = json::read(input.get()).unwrap_or_default();
    let mut places = Vec::with_capacity(items.len());
    let mut inner = Vec::new();
    for raw in items {
        let item = &Object::of(raw.get());
        let is_cut = is_foreign(item, kept);
        places.push((cut::span(body, raw.get()).end, is_cut));
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

/// Whether an item is a thought that somebody else has to prove. What proves more, a history made short, is not left out unseen.
fn is_foreign(item: &Object<'_>, kept: Thoughts) -> bool {
    let encrypted = item.text("encrypted_content");
    if encrypted.is_empty() || item.text("type") != "reasoning" {
        return false;
    }
    let is_openais = encrypted.starts_with(OF_OPENAI);
    match kept {
        Thoughts::OpenAi => !is_openais,
        Thoughts::Others => is_openais || Carried::is_marked(&encrypted),
        Thoughts::Nobody => true,
    }
}

/// Takes the signature out of an item's id of a call.
fn trim_id(body: &str, item: &Object<'_>) -> Option<Edit> {
    let value = item.get("call_id")?;
    let Str(id) = json::read::<Str<'_>>(value.get()).ok()?;
    let (id, Some(_)) = call_id::split(id) else { return None };
    // A string can always be written.
    Some(Edit { span: cut::span(body, value.get()), text: serde_json::to_vec(&id).unwrap_or_default() })
}
