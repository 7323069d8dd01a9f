//! Threads: conversations that the API holds between turns, in beta since November 2026.
//!
//! The first request brings everything, each further one its new messages and the id of the message before them. It may
//! find that nothing is held any more, and must then begin again.

use serde_json::{Value, json};

use super::blocks::{extra, missing};
use crate::simulate::{
    complaint::{Complaint, Reason},
    dialect::field::{list, string},
    memory::Memory,
    question::Question,
};

/// Opens the field.
pub(super) const BETA: &str = "message-threads-2026-08-12";
/// What a thread keeps of its first request.
const KEPT: [&str; 2] = ["system", "tools"];

/// Puts what was kept before what is new.
pub(super) fn resume(body: &mut Value, memory: &Memory) -> Result<(), Complaint> {
    let Some(thread) = body.get("thread").filter(|thread| !thread.is_null()) else { return Ok(()) };
    match string(thread, "/type") {
        Some("create") => return extra(thread, &["type"], "thread.create."),
        Some("continue") => {}
        _ => {
            let message = "thread: Input tag found using 'type' does not match any of the expected tags: 'create', \
                           'continue'";
            return Err(Complaint::invalid(message));
        }
    }
    extra(thread, &["type", "previous_message_id"], "thread.continue.")?;
    missing(thread, &["previous_message_id"], "thread.continue.")?;
    if let Some(name) = KEPT.into_iter().find(|name| body.get(*name).is_some()) {
        let message = format!("{name}: must not be given when a thread is continued");
        return Err(Complaint::invalid(message));
    }
    let id = string(thread, "/previous_message_id").unwrap_or_default();
    let kept = memory.recall(id).filter(|_| id.starts_with("msg_")).ok_or_else(|| {
        let message = format!("thread: no thread was found for previous_message_id {id}");
        Complaint::new(404, Reason::UnknownModel, message).coded("thread_not_found")
    })?;
    let messages: Vec<Value> = list(&kept, "/messages").chain(list(body, "/messages")).cloned().collect();
    if let Some(fields) = body.as_object_mut() {
        fields.insert("messages".into(), json!(messages));
        for name in KEPT {
            if let Some(value) = kept.get(name) {
                fields.insert(name.into(), value.clone());
            }
        }
    }
    Ok(())
}

/// Keeps the conversation with its answer, where it is a thread.
pub(super) fn keep(question: &Question, message: &[u8], memory: &Memory) {
    let asked = &question.asked;
    if asked.get("thread").is_none_or(Value::is_null) {
        return;
    }
    let message: Value = serde_json::from_slice(message).unwrap_or_default();
    let reply = json!({"role": "assistant", "content": message.get("content")});
    let messages: Vec<Value> = list(asked, "/messages").cloned().chain([reply]).collect();
    let mut kept = json!({"messages": messages});
    for name in KEPT {
        if let Some((fields, value)) = kept.as_object_mut().zip(asked.get(name)) {
            fields.insert(name.into(), value.clone());
        }
    }
    memory.keep(string(&message, "/id").unwrap_or_default(), kept);
}
