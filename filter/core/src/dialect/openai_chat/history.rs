//! What another provider has left in a conversation: thoughts, signatures, cache breakpoints. A provider that refuses such
//! members gets the client's own request without them, and every other byte of it as it came.
//!
//! Only a request that has any is looked at here (the scan of its head has noticed), so that this may read it as a whole.

use alloc::vec::Vec;
use serde_json::value::RawValue;

use crate::{
    dialect::{Dropped, call_id, cut},
    json::{self, Edit, Str, members},
};

/// Members of a message, of a part of its content or of a call, and what they are listed as.
const OF_MESSAGES: &[(&str, &str)] = &[
    ("cache_control", "cache_control"),
    ("extra_content", "messages[].extra_content"),
    ("reasoning_content", "messages[].reasoning_content"),
    ("thinking_blocks", "messages[].thinking_blocks"),
];
const OF_CALLS: &[(&str, &str)] =
    &[("cache_control", "cache_control"), ("extra_content", "messages[].tool_calls[].extra_content")];
const OF_OTHERS: &[(&str, &str)] = &[("cache_control", "cache_control")];
const OF_REQUESTS: &[(&str, &str)] = &[("cache_control", "cache_control"), ("stream_options", "")];

/// Members to be cut, with the names that they are listed under.
type Cut = &'static [(&'static str, &'static str)];

/// What is taken out.
#[derive(Debug, Clone, Copy)]
pub struct Pruning {
    /// The members of messages and tools, and not only what the gateway itself has put into the ids of calls.
    pub members: bool,
    /// `stream_options`, which is nobody's history: two cuts side by side have one comma between them, so that whoever makes
    /// the one must know of the other.
    pub stream_options: bool,
}

/// A request being pruned.
struct Shears<'a> {
    body: &'a str,
    pruning: Pruning,
    edits: Vec<Edit>,
    dropped: Dropped,
}

/// The changes that take them out, and what they were.
#[must_use]
pub fn prune(body: &str, pruning: Pruning) -> (Vec<Edit>, Dropped) {
    let mut shears = Shears { body, pruning, edits: Vec::new(), dropped: Dropped::default() };
    let names = if pruning.stream_options { OF_REQUESTS } else { OF_OTHERS };
    for (name, value) in shears.cut(body.trim_ascii(), names) {
        match &*name {
            "messages" => elements(value).into_iter().for_each(|message| shears.message(message)),
            "tools" => elements(value).into_iter().for_each(|tool| shears.tool(tool)),
            _ => {}
        }
    }
    (shears.edits, shears.dropped)
}

impl<'a> Shears<'a> {
    fn message(&mut self, message: &'a RawValue) {
        for (name, value) in self.cut(message.get(), OF_MESSAGES) {
            match &*name {
                "content" => elements(value).into_iter().for_each(|part| drop(self.cut(part.get(), OF_OTHERS))),
                "tool_calls" => elements(value).into_iter().for_each(|call| self.call(call)),
                "tool_call_id" => self.trim_id(value),
                _ => {}
            }
        }
    }

    fn call(&mut self, call: &'a RawValue) {
        for (name, value) in self.cut(call.get(), OF_CALLS) {
            if &*name == "id" {
                self.trim_id(value);
            }
        }
    }

    fn tool(&mut self, tool: &'a RawValue) {
        for (name, value) in self.cut(tool.get(), OF_OTHERS) {
            if &*name == "function" {
                self.cut(value.get(), OF_OTHERS);
            }
        }
    }

    /// Takes the signature out of an id.
    fn trim_id(&mut self, value: &'a RawValue) {
        let Ok(Str(id)) = json::read::<Str<'_>>(value.get()) else { return };
        if let (id, Some(_)) = call_id::split(id) {
            self.dropped.note("messages[].tool_calls[].extra_content");
            // A string can always be written.
            self.edits.push(Edit {
                span: cut::span(self.body, value.get()),
                text: serde_json::to_vec(&id).unwrap_or_default(),
            });
        }
    }

    /// Cuts members out of an object and returns those that stay. What is no object has none.
    fn cut(&mut self, object: &'a str, names: Cut) -> Vec<(Str<'a>, &'a RawValue)> {
        let Some(mut all) = members(object) else { return Vec::new() };
        let members_too = self.pruning.members;
        let mut items = Vec::with_capacity(all.len());
        all.retain(|(name, value)| {
            let is_cut = |(cut, listed): &&(&str, &str)| **cut == **name && (members_too || listed.is_empty());
            let cut = names.iter().find(is_cut);
            if let Some((_, listed)) = cut {
                self.dropped.note_if(!listed.is_empty(), listed);
            }
            items.push((cut::span(self.body, value.get()).end, cut.is_some()));
            cut.is_none()
        });
        let inside = cut::span(self.body, object).start.saturating_add(1);
        self.edits.extend(cut::cuts(self.body, inside, &items));
        all
    }
}

/// The elements of a list; none where it is no list.
fn elements(value: &RawValue) -> Vec<&RawValue> {
    json::read(value.get()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Edits;

    const ALL: Pruning = Pruning { members: true, stream_options: true };
    use alloc::{borrow::ToOwned, string::String};

    fn pruned(body: &str, pruning: Pruning) -> (String, Vec<String>) {
        let (more, dropped) = prune(body, pruning);
        let mut edits = Edits::default();
        edits.extend(more);
        let mut bytes = body.as_bytes().to_vec();
        edits.apply_in_place(&mut bytes);
        (String::from_utf8(bytes).unwrap(), dropped.names().to_owned())
    }

    #[test]
    fn every_other_byte_stays() {
        for (before, after, names) in [
            (r#" { "cache_control" : {} , "model": 1e400}"#, r#" { "model": 1e400}"#, &["cache_control"][..]),
            (r#"{"model":"m","cache_control":{"a":","}}"#, r#"{"model":"m"}"#, &["cache_control"]),
            (r#"{"cache_control":1}"#, "{}", &["cache_control"]),
            (
                r#"{"tools":[{"type":"custom","cache_control":1},{"function":{"cache_control":1,"name":"f"}}]}"#,
                r#"{"tools":[{"type":"custom"},{"function":{"name":"f"}}]}"#,
                &["cache_control"],
            ),
            (
                r#"{"messages":[{"thinking_blocks":[],"reasoning_content":"x","role":"assistant","content":[{"text":"ü","cache_control":1}],"extra_content":0,"new":{"cache_control":1}}]}"#,
                r#"{"messages":[{"role":"assistant","content":[{"text":"ü"}],"new":{"cache_control":1}}]}"#,
                &[
                    "messages[].thinking_blocks",
                    "messages[].reasoning_content",
                    "messages[].extra_content",
                    "cache_control",
                ],
            ),
            (
                r#"{"messages":[{"tool_calls":[{"id":"a__thought__b","extra_content":1}]},{"tool_call_id":"a__thought__b"}]}"#,
                r#"{"messages":[{"tool_calls":[{"id":"a"}]},{"tool_call_id":"a"}]}"#,
                &["messages[].tool_calls[].extra_content"],
            ),
            (
                r#"{"messages":"none","tools":{"cache_control":1}}"#,
                r#"{"messages":"none","tools":{"cache_control":1}}"#,
                &[],
            ),
        ] {
            assert_eq!(pruned(before, ALL), (after.to_owned(), names.iter().map(|name| (*name).to_owned()).collect()));
        }
    }

    #[test]
    fn cuts_side_by_side_leave_one_comma_or_none() {
        for (before, after) in [
            (r#"{"stream_options":{},"cache_control":1,"model":"m"}"#, r#"{"model":"m"}"#),
            (r#"{"model":"m","cache_control":1,"stream_options":{}}"#, r#"{"model":"m"}"#),
            (r#"{"cache_control":1,"model":"m","stream_options":{},"cache_control":1}"#, r#"{"model":"m"}"#),
            (r#"{"stream_options":{},"cache_control":1}"#, "{}"),
        ] {
            assert_eq!(pruned(before, ALL).0, after, "{before}");
        }
    }

    #[test]
    fn ids_may_be_all_that_changes() {
        let body =
            r#"{"messages":[{"reasoning_content":"kept","tool_calls":[{"id":"a__thought__b"}]}],"stream_options":{}}"#;
        let (after, names) = pruned(body, Pruning { members: false, stream_options: false });
        assert_eq!(
            after,
            r#"{"messages":[{"reasoning_content":"kept","tool_calls":[{"id":"a"}]}],"stream_options":{}}"#
        );
        assert_eq!(names, ["messages[].tool_calls[].extra_content"]);
    }
}
