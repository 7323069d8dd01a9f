//! Files: uploaded, listed, looked at, fetched, deleted.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use serde_json::{Value, json};

use super::{Errand, ErrandBody, Route, Stamp, form, params};
use crate::simulate::{
    complaint::{Complaint, Reason},
    dialect::field::string,
    memory::Memory,
    record::Request,
};

pub(super) fn route(request: &Request) -> Route<'_> {
    let rest = request.uri.path().rsplit_once("/files").map_or("", |(_, rest)| rest).trim_start_matches('/');
    match (rest.split_once('/'), &request.method) {
        (None, &Method::GET) if rest.is_empty() => Route::Errand(list),
        (None, &Method::GET) => Route::Errand(get),
        (None, &Method::DELETE) if !rest.is_empty() => Route::Errand(delete),
        (Some((_, "content")), &Method::GET) => Route::Errand(content),
        (None | Some((_, "content")), _) => Route::WrongMethod,
        (Some(_), _) => Route::Unknown,
    }
}

fn id(request: &Request) -> &str {
    let rest = request.uri.path().rsplit_once("/files/").map_or("", |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

fn recall(request: &Request, memory: &Memory) -> Result<Value, Complaint> {
    let id = id(request);
    memory
        .recall(id)
        .filter(|_| id.starts_with("file-"))
        .ok_or_else(|| Complaint::new(404, Reason::Malformed, format!("No such File object: {id}")).about("id"))
}

pub(super) fn upload(request: &Request, stamp: &Stamp, memory: &Memory) -> Result<Errand, Complaint> {
    let fields = form::read(request)?;
    let values = form::values(&fields);
    let Some(file) = fields.iter().find(|field| field.name == "file" && field.filename.is_some()) else {
        return Err(params::missing("file"));
    };
    let purposes = ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"];
    let purpose = string(&values, "/purpose").ok_or_else(|| params::missing("purpose"))?;
    if !purposes.contains(&purpose) {
        return Err(params::unsupported_value(purpose, &purposes, "purpose"));
    }
    let id = format!("file-{}", stamp.random.clone().token(22));
    let object = json!({
        "id": id, "object": "file", "bytes": file.bytes.len(), "created_at": stamp.created, "expires_at": null,
        "filename": file.filename, "purpose": purpose, "status": "processed", "status_details": null,
    });
    memory.keep(&id, json!({"file": object, "content": STANDARD.encode(&file.bytes)}));
    Ok(Errand::json("", &object))
}

#[expect(clippy::unnecessary_wraps, reason = "as errands are")]
fn list(_request: &Request, _stamp: &Stamp, memory: &Memory) -> Result<Errand, Complaint> {
    let files = memory.recall_all("file-");
    let data: Vec<&Value> = files.iter().filter_map(|kept| kept.get("file")).collect();
    let end = |file: Option<&&Value>| file.and_then(|file| file.get("id")).cloned();
    let (first, last) = (end(data.first()), end(data.last()));
    Ok(Errand::json(
        "",
        &json!({"object": "list", "data": data, "has_more": false, "first_id": first, "last_id": last}),
    ))
}

fn get(request: &Request, _stamp: &Stamp, memory: &Memory) -> Result<Errand, Complaint> {
    Ok(Errand::json("", recall(request, memory)?.get("file").unwrap_or(&Value::Null)))
}

fn delete(request: &Request, _stamp: &Stamp, memory: &Memory) -> Result<Errand, Complaint> {
    recall(request, memory)?;
    memory.forget(id(request));
    Ok(Errand::json("", &json!({"id": id(request), "object": "file", "deleted": true})))
}

fn content(request: &Request, _stamp: &Stamp, memory: &Memory) -> Result<Errand, Complaint> {
    let kept = recall(request, memory)?;
    let bytes = STANDARD.decode(string(&kept, "/content").unwrap_or_default()).unwrap_or_default();
    Ok(Errand { model: String::new(), content_type: "application/octet-stream", body: ErrandBody::Whole(bytes) })
}
