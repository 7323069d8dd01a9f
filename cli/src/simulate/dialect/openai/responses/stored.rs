//! What can be done with a response by its id.

use serde_json::{Value, json};

use super::{event, output};
use crate::simulate::{
    complaint::{Complaint, Reason},
    dialect::{
        Errand, ErrandBody, Stamp,
        field::{is, list, string},
    },
    memory::Memory,
    record::Request,
};

/// The id in a path: `…/responses/{id}` or `…/responses/{id}/…`.
fn id(request: &Request) -> &str {
    let rest = request.uri.path().rsplit_once("/responses/").map_or("", |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

fn recall(request: &Request, memory: &Memory) -> Result<Value, Complaint> {
    let id = id(request);
    memory.recall(id).filter(|_| id.starts_with("resp_")).ok_or_else(|| {
        let message = format!("Response with id '{id}' not found.");
        Complaint::new(404, Reason::Malformed, message)
    })
}

fn model(stored: &Value) -> &str {
    string(stored, "/response/model").unwrap_or_default()
}

fn query<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    let mut pairs = request.uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The response, or its stream once more, after an event that the client already has.
pub(super) fn get(request: &Request, _stamp: &Stamp, memory: &Memory) -> Result<Errand, Complaint> {
    let stored = recall(request, memory)?;
    let response = stored.get("response").unwrap_or(&Value::Null);
    if query(request, "stream") != Some("true") {
        return Ok(Errand::json(model(&stored), response));
    }
    if !is(response, "/background", true) {
        let message = "Streaming is only supported for background responses created with `stream=true`.";
        return Err(Complaint::invalid(message));
    }
    let after: Option<usize> = query(request, "starting_after").and_then(|after| after.parse().ok());
    let events = list(&stored, "/events").skip(after.map_or(0, |after| after.saturating_add(1))).map(event).collect();
    let content_type = "text/event-stream; charset=utf-8";
    Ok(Errand { model: model(&stored).to_owned(), content_type, body: ErrandBody::Stream(events) })
}

pub(super) fn delete(request: &Request, _stamp: &Stamp, memory: &Memory) -> Result<Errand, Complaint> {
    let stored = recall(request, memory)?;
    memory.forget(id(request));
    Ok(Errand::json(model(&stored), &json!({"id": id(request), "object": "response", "deleted": true})))
}

pub(super) fn cancel(request: &Request, _stamp: &Stamp, memory: &Memory) -> Result<Errand, Complaint> {
    let mut stored = recall(request, memory)?;
    if !is(&stored, "/response/background", true) {
        return Err(Complaint::invalid("Cannot cancel a synchronous response."));
    }
    if let Some(response) = stored.get_mut("response") {
        output::reopen(response, "cancelled");
    }
    memory.keep(id(request), stored.clone());
    Ok(Errand::json(model(&stored), stored.get("response").unwrap_or(&Value::Null)))
}

/// What was asked, the latest first unless told otherwise.
pub(super) fn input_items(request: &Request, _stamp: &Stamp, memory: &Memory) -> Result<Errand, Complaint> {
    let stored = recall(request, memory)?;
    let mut items: Vec<Value> = list(&stored, "/input").cloned().collect();
    for (index, item) in items.iter_mut().enumerate() {
        if let Some(fields) = item.as_object_mut() {
            fields.entry("id").or_insert_with(|| json!(format!("msg_{index:050x}")));
            fields.entry("type").or_insert_with(|| json!("message"));
            if let Some(text) = fields.get("content").and_then(Value::as_str) {
                let content = json!([{"type": "input_text", "text": text}]);
                fields.insert("content".into(), content);
            }
        }
    }
    if query(request, "order") != Some("asc") {
        items.reverse();
    }
    let end = |item: Option<&Value>| item.and_then(|item| item.get("id")).cloned();
    let (first, last) = (end(items.first()), end(items.last()));
    let page = json!({"object": "list", "data": items, "first_id": first, "last_id": last, "has_more": false});
    Ok(Errand::json(model(&stored), &page))
}
