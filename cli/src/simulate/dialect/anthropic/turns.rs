//! The order of messages: who begins, who ends, and that every tool call has its result right after it.
//!
//! Neighbours of the same role are one turn, as the API joins them.

use serde_json::Value;

use super::{
    blocks::{self, check_text},
    model,
    request::Version,
};
use crate::simulate::{complaint::Complaint, dialect::field::string};

/// Consecutive messages of one role.
struct Turn<'r> {
    /// The index of its first message.
    index: usize,
    role: &'r str,
    blocks: Vec<&'r Value>,
}

/// What the order depends on.
#[derive(Clone, Copy)]
pub(super) struct Rules<'r> {
    pub(super) model: &'r str,
    pub(super) version: Version,
    /// Thinking with a budget is on.
    pub(super) budgeted: bool,
}

/// What is wrong with the messages.
pub(super) fn check(messages: &[Value], rules: Rules<'_>) -> Result<(), Complaint> {
    if messages.is_empty() {
        return Err(Complaint::invalid("messages: at least one message is required"));
    }
    for (index, message) in messages.iter().enumerate() {
        check_message(message, index, rules)?;
    }
    if string(messages.first().unwrap_or(&Value::Null), "/role") != Some("user") {
        return Err(Complaint::invalid("messages: first message must use the \"user\" role"));
    }
    let turns = join(messages);
    check_pairs(&turns)?;
    check_end(messages, rules.model)?;
    if rules.budgeted { check_thinking_first(&turns) } else { Ok(()) }
}

fn check_message(message: &Value, index: usize, rules: Rules<'_>) -> Result<(), Complaint> {
    let at = format!("messages.{index}");
    let inside = format!("{at}.");
    blocks::extra(message, &["role", "content"], &inside)?;
    blocks::missing(message, &["role", "content"], &inside)?;
    let role = string(message, "/role").unwrap_or_default();
    match role {
        "user" | "assistant" => {}
        "system" if model::has_system_messages(rules.model) => {}
        "system" => {
            return Err(Complaint::invalid(
                "messages: Unexpected role \"system\". The Messages API accepts a top-level `system` parameter, not \
                 \"system\" as an input message role.",
            ));
        }
        other => {
            let message = format!("messages: Unexpected role \"{other}\". Allowed roles are \"user\" or \"assistant\"");
            return Err(Complaint::invalid(message));
        }
    }
    match message.get("content") {
        Some(Value::String(text)) if text.is_empty() => {
            Err(Complaint::invalid(format!("{at}: {role} messages must have non-empty content")))
        }
        Some(Value::String(text)) => check_text(text),
        Some(Value::Array(parts)) if parts.is_empty() => {
            Err(Complaint::invalid(format!("{at}: {role} messages must have non-empty content")))
        }
        Some(Value::Array(parts)) => parts.iter().enumerate().try_for_each(|(index, part)| {
            let at = format!("{at}.content.{index}");
            blocks::check(part, role, &at)?;
            check_version(part, role, &at, rules.version)
        }),
        _ => Err(Complaint::invalid(format!("{at}.content: Input should be a valid list"))),
    }
}

/// What version 2026-10-21 no longer takes.
fn check_version(block: &Value, role: &str, at: &str, version: Version) -> Result<(), Complaint> {
    if version == Version::June2023 {
        return Ok(());
    }
    if role == "assistant" && string(block, "/type") == Some("document") {
        return Err(Complaint::invalid(format!("{at}: `document` blocks can only be in `user` messages")));
    }
    let cites = block.get("citations").and_then(Value::as_array).is_some_and(|citations| !citations.is_empty());
    if role == "user" && cites {
        return Err(Complaint::invalid(format!("{at}.text.citations: citations can only be in `assistant` messages")));
    }
    Ok(())
}

fn join(messages: &[Value]) -> Vec<Turn<'_>> {
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let role = string(message, "/role").unwrap_or_default();
        let blocks = blocks::of(message.get("content")).iter();
        match turns.last_mut() {
            Some(turn) if turn.role == role => turn.blocks.extend(blocks),
            _ => turns.push(Turn { index, role, blocks: blocks.collect() }),
        }
    }
    turns
}

impl<'r> Turn<'r> {
    fn ids(&self, tag: &'r str, field: &'r str) -> impl Iterator<Item = &'r str> {
        let of_tag = self.blocks.iter().filter(move |block| string(block, "/type") == Some(tag));
        of_tag.filter_map(move |block| string(block, field))
    }
}

fn check_pairs(turns: &[Turn<'_>]) -> Result<(), Complaint> {
    let mut all: Vec<&str> = Vec::new();
    for (position, turn) in turns.iter().enumerate() {
        for id in turn.ids("tool_use", "/id") {
            if all.contains(&id) {
                return Err(Complaint::invalid("messages: `tool_use` ids must be unique"));
            }
            all.push(id);
        }
        // Results come first in their message: any other block ends them.
        let results: Vec<&str> = turns
            .get(position.saturating_add(1))
            .filter(|next| next.role == "user")
            .map(|next| next.blocks.iter().take_while(|block| string(block, "/type") == Some("tool_result")))
            .into_iter()
            .flatten()
            .filter_map(|block| string(block, "/tool_use_id"))
            .collect();
        let open: Vec<&str> = turn.ids("tool_use", "/id").filter(|id| !results.contains(id)).collect();
        if !open.is_empty() {
            return Err(Complaint::invalid(format!(
                "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each \
                 `tool_use` block must have a corresponding `tool_result` block in the next message.",
                turn.index,
                open.join(", "),
            )));
        }
        let before: Vec<&str> = position
            .checked_sub(1)
            .and_then(|previous| turns.get(previous))
            .map(|previous| previous.ids("tool_use", "/id").collect())
            .unwrap_or_default();
        let mut seen: Vec<&str> = Vec::new();
        for (place, block) in turn.blocks.iter().enumerate() {
            // Those of the provider's own tools stand in the turn that called them.
            let result = Some(block).filter(|block| string(block, "/type") == Some("tool_result"));
            let Some(id) = result.and_then(|block| string(block, "/tool_use_id")) else { continue };
            if !before.contains(&id) {
                return Err(Complaint::invalid(format!(
                    "messages.{}.content.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each \
                     `tool_result` block must have a corresponding `tool_use` block in the previous message.",
                    turn.index,
                )));
            }
            if seen.contains(&id) {
                return Err(Complaint::invalid(format!(
                    "messages.{}.content.{place}: each tool_use must have a single result. Found multiple \
                     `tool_result` blocks with id: {id}",
                    turn.index,
                )));
            }
            seen.push(id);
        }
    }
    Ok(())
}

fn check_end(messages: &[Value], model: &str) -> Result<(), Complaint> {
    let Some(last) = messages.last().filter(|last| string(last, "/role") == Some("assistant")) else { return Ok(()) };
    if !model::has_prefill(model) {
        return Err(Complaint::invalid(
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        ));
    }
    let text = last.get("content").map(blocks::text).unwrap_or_default();
    if text.ends_with(char::is_whitespace) {
        return Err(Complaint::invalid("messages: final assistant content cannot end with trailing whitespace"));
    }
    Ok(())
}

/// With a budget, the turn that called the tools whose results end the conversation must begin with its thinking.
fn check_thinking_first(turns: &[Turn<'_>]) -> Result<(), Complaint> {
    let Some([caller, results]) = turns.last_chunk::<2>() else { return Ok(()) };
    if results.ids("tool_result", "/tool_use_id").next().is_none() {
        return Ok(());
    }
    match caller.blocks.first().and_then(|block| string(block, "/type")) {
        None | Some("thinking" | "redacted_thinking") => Ok(()),
        Some(found) => Err(Complaint::invalid(format!(
            "messages.{}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{found}`. When \
             `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the \
             lastmost set of `tool_use` and `tool_result` blocks). We recommend you include thinking blocks from \
             previous turns. To avoid this requirement, disable `thinking`. Please consult our documentation at \
             https://docs.claude.com/en/docs/build-with-claude/extended-thinking",
            caller.index,
        ))),
    }
}
