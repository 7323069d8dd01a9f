//! What another provider's answers have left in a conversation that goes to Anthropic: thoughts without a signature, which it refuses,
//! and what the gateway has put into the ids of calls. Every other byte stays as it came, but for one wish: a model that is given a
//! budget to think in refuses to go on behind calls that it has not thought about, so that there it does not think.
//!
//! Only a request that may have any is looked at here (the scan of its head has noticed), so that this may read it as a whole.

use alloc::{borrow::Cow, vec::Vec};
use serde_json::value::RawValue;

use super::super::{
    conversation::spell,
    wire::{self, WireBlock},
};
use crate::{
    dialect::{Dropped, call_id, cut},
    json::{self, Edit, Str, member, members},
};

/// The changes that take them out, and what they were. `forgets` says that all thoughts go, whoever has signed them.
pub(super) fn prune(body: &str, forgets: bool) -> (Vec<Edit>, Dropped) {
    let mut shears = Shears { body, forgets, edits: Vec::new(), dropped: Dropped::default(), last: None };
    let all = members(body.trim_ascii()).unwrap_or_default();
    if let Some(messages) = member(&all, "messages") {
        shears.messages(messages);
    }
    if let Some(thinking) = member(&all, "thinking").filter(|_| shears.last == Some(Opening::Unthought))
        && members(thinking.get())
            .and_then(|thinking| member(&thinking, "type"))
            .is_some_and(|kind| kind.get() == r#""enabled""#)
    {
        shears.dropped.note("thinking");
        shears.replace(thinking, br#"{"type":"disabled"}"#);
        // Thoughts can be cleared away only where there can be some.
        if let Some(editing) =
            member(&all, "context_management").filter(|editing| editing.get().contains("clear_thinking"))
        {
            shears.dropped.note("context_management");
            shears.replace(editing, b"null");
        }
    }
    (shears.edits, shears.dropped)
}

/// How a turn of the model begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// With a call that no thought stands before.
    Unthought,
    Other,
}

struct Shears<'a> {
    body: &'a str,
    forgets: bool,
    edits: Vec<Edit>,
    dropped: Dropped,
    /// The last turn of the model.
    last: Option<Opening>,
}

impl<'a> Shears<'a> {
    fn messages(&mut self, messages: &'a RawValue) {
        let turns = elements(messages);
        let items: Vec<_> = turns.iter().map(|turn| (cut::span(self.body, turn.get()).end, self.turn(turn))).collect();
        self.cut(messages, &items);
    }

    /// Whether nothing of a turn is left.
    fn turn(&mut self, turn: &'a RawValue) -> bool {
        let members = members(turn.get()).unwrap_or_default();
        let Some(content) = member(&members, "content") else { return false };
        let before = self.edits.len();
        let blocks = elements(content);
        let items: Vec<_> =
            blocks.iter().map(|block| (cut::span(self.body, block.get()).end, self.block(block))).collect();
        let is_empty = !items.is_empty() && items.iter().all(|(_, is_cut)| *is_cut);
        let role = member(&members, "role").map(RawValue::get);
        if role == Some(r#""assistant""#) && !is_empty {
            let left = || blocks.iter().zip(&items).filter(|(_, (_, is_cut))| !is_cut);
            let is = |block: &RawValue, end: &str| wire::kind(block).is_ok_and(|kind| kind.ends_with(end));
            let thinks = left().next().is_some_and(|(block, _)| is(block, "thinking"));
            let calls = left().any(|(block, _)| is(block, "tool_use"));
            self.last = Some(if calls && !thinks { Opening::Unthought } else { Opening::Other });
        }
        if is_empty {
            self.edits.truncate(before);
        } else {
            self.cut(content, &items);
        }
        is_empty
    }

    /// Whether a block goes.
    fn block(&mut self, raw: &'a RawValue) -> bool {
        let (Ok(kind), Ok(block)) = (wire::kind(raw), json::read::<WireBlock<'_>>(raw.get())) else { return false };
        match &*kind {
            kind @ ("thinking" | "redacted_thinking")
                if self.forgets || kind == "thinking" && block.signature.as_deref().is_none_or(str::is_empty) =>
            {
                self.dropped.note("messages[].thinking_blocks");
                return true;
            }
            "tool_use" => self.trim(members(raw.get()).and_then(|block| member(&block, "id"))),
            "tool_result" => self.trim(block.tool_use_id),
            _ => {}
        }
        false
    }

    /// Takes the signature out of an id.
    fn trim(&mut self, value: Option<&'a RawValue>) {
        let Some(value) = value else { return };
        let Some(Str(id)) = wire::optional(Some(value)) else { return };
        if let (id, Some(_)) = call_id::split(id) {
            let id: Cow<'_, str> = spell(&id);
            self.dropped.note("messages[].tool_calls[].extra_content");
            // A string can always be written.
            let text = serde_json::to_vec(&id).unwrap_or_default();
            self.replace(value, &text);
        }
    }

    fn replace(&mut self, value: &RawValue, text: &[u8]) {
        self.edits.push(Edit { span: cut::span(self.body, value.get()), text: text.to_vec() });
    }

    fn cut(&mut self, list: &'a RawValue, items: &[(usize, bool)]) {
        let inside = cut::span(self.body, list.get()).start.saturating_add(1);
        self.edits.extend(cut::cuts(self.body, inside, items));
    }
}

/// The elements of a list; none where it is no list.
fn elements(value: &RawValue) -> Vec<&RawValue> {
    json::read(value.get()).unwrap_or_default()
}
