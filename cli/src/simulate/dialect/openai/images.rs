//! Images: made of a prompt, or of other images; whole or in ever better versions.
//!
//! The models of the `gpt-image` family always send the bytes, know formats and qualities of their own, and charge
//! tokens; those before them send an address unless told otherwise.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Errand, ErrandBody, Ordered, Stamp, form, params};
use crate::simulate::{
    complaint::Complaint,
    dialect::field::{is, number, string},
    memory::Memory,
    picture,
    record::Request,
};

const FIELDS: [&str; 6] = ["model", "prompt", "n", "size", "quality", "user"];
const NEWER_FIELDS: [&str; 8] = [
    "background",
    "moderation",
    "output_compression",
    "output_format",
    "partial_images",
    "stream",
    "safety_identifier",
    "input_fidelity",
];
const OLDER_FIELDS: [&str; 2] = ["response_format", "style"];
const EDIT_FIELDS: [&str; 4] = ["image", "image[]", "images", "mask"];

pub(super) fn generate(request: &Request, stamp: &Stamp, _memory: &Memory) -> Result<Errand, Complaint> {
    draw(&params::json(&request.body)?, "image_generation", stamp)
}

pub(super) fn edit(request: &Request, stamp: &Stamp, _memory: &Memory) -> Result<Errand, Complaint> {
    let body = if form::is_form(request) {
        let fields = form::read(request)?;
        let images = fields.iter().filter(|field| field.name.starts_with("image")).count();
        if images == 0 {
            return Err(params::missing("image"));
        }
        form::values(&fields)
    } else {
        let body = params::json(&request.body)?;
        body.get("images").map(|_| ()).ok_or_else(|| params::missing("images"))?;
        body
    };
    draw(&body, "image_edit", stamp)
}

fn draw(body: &Value, what: &str, stamp: &Stamp) -> Result<Errand, Complaint> {
    let model = string(body, "/model").unwrap_or("dall-e-2");
    let newer = model.contains("gpt-image");
    let more: &[&str] = if newer { &NEWER_FIELDS } else { &OLDER_FIELDS };
    let own: &[&str] = if what == "image_edit" { &EDIT_FIELDS } else { &[] };
    params::check_known(body, &[&FIELDS, more, own].concat(), "")?;
    let Some(prompt) = string(body, "/prompt").filter(|prompt| !prompt.is_empty()) else {
        return Err(params::missing("prompt"));
    };
    let count = number(body, "/n").unwrap_or(1);
    params::check_range(body, "n", 1.0, if model.contains("dall-e-3") { 1.0 } else { 10.0 })?;
    let (sizes, qualities): (&[&str], &[&str]) = if newer {
        (&["1024x1024", "1024x1536", "1536x1024", "auto"], &["low", "medium", "high", "auto"])
    } else if model.contains("dall-e-3") {
        (&["1024x1024", "1024x1792", "1792x1024"], &["standard", "hd"])
    } else {
        (&["256x256", "512x512", "1024x1024"], &["standard"])
    };
    for (name, supported) in [("size", sizes), ("quality", qualities)] {
        let given = string(body, &format!("/{name}"));
        if let Some(given) = given.filter(|given| !supported.contains(given)) {
            return Err(params::unsupported_value(given, supported, name));
        }
    }
    let pictures: Vec<String> = (0..count).map(|index| STANDARD.encode(picture::draw(prompt, index))).collect();
    if !newer {
        let data = pictures.iter().map(|picture| older(body, model, prompt, picture, stamp)).collect::<Vec<_>>();
        return Ok(Errand::json(model, &json!({"created": stamp.created, "data": data})));
    }
    let look = look(body);
    if is(body, "/stream", true) {
        let events = events(body, what, prompt, pictures.first().map_or("", String::as_str), stamp);
        let content_type = "text/event-stream; charset=utf-8";
        return Ok(Errand { model: model.to_owned(), content_type, body: ErrandBody::Stream(events) });
    }
    let data: Vec<Value> = pictures.iter().map(|picture| json!({"b64_json": picture})).collect();
    let answer = json!({"created": stamp.created, "data": data, "usage": usage(body, prompt, count)});
    Ok(Errand::json(model, &merged(answer, look)))
}

fn older(body: &Value, model: &str, prompt: &str, picture: &str, stamp: &Stamp) -> Value {
    let mut datum = match string(body, "/response_format") {
        Some("b64_json") => json!({"b64_json": picture}),
        _ => json!({"url": format!("https://images.invalid/img-{}.png", stamp.random.clone().token(24))}),
    };
    if let Some(fields) = datum.as_object_mut().filter(|_| model.contains("dall-e-3")) {
        fields.insert("revised_prompt".into(), json!(format!("{prompt}, simulated")));
    }
    datum
}

/// What an answer repeats of its request, with what was left to the model.
fn look(body: &Value) -> Value {
    let or = |name: &str, default: &str| {
        string(body, &format!("/{name}")).filter(|value| *value != "auto").unwrap_or(default).to_owned()
    };
    json!({
        "background": or("background", "opaque"), "output_format": or("output_format", "png"),
        "quality": or("quality", "medium"), "size": or("size", "1024x1024"),
    })
}

fn merged(one: Value, other: Value) -> Value {
    let fields = |value: Value| if let Value::Object(fields) = value { fields } else { serde_json::Map::new() };
    Value::Object(fields(one).into_iter().chain(fields(other)).collect())
}

fn usage(body: &Value, prompt: &str, count: usize) -> Value {
    let input = prompt.chars().count().div_ceil(4);
    let each = match string(body, "/quality") {
        Some("low") => 272_usize,
        Some("high") => 4160,
        _ => 1056,
    };
    let output = each.saturating_mul(count);
    json!({
        "input_tokens": input,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": input},
        "output_tokens": output,
        "output_tokens_details": {"image_tokens": output, "text_tokens": 0},
        "total_tokens": input.saturating_add(output),
    })
}

fn events(body: &Value, what: &str, prompt: &str, picture: &str, stamp: &Stamp) -> Vec<Vec<u8>> {
    let event = |kind: &str, fields: Value| {
        let event = json!({"type": format!("{what}.{kind}"), "created_at": stamp.created});
        let event = merged(merged(event, look(body)), fields);
        let data = serde_json::to_string(&Ordered(&event)).unwrap_or_default();
        format!("event: {what}.{kind}\ndata: {data}\n\n").into_bytes()
    };
    let parts = number(body, "/partial_images").unwrap_or(0).min(3);
    let drafts = (0..parts).map(|index| {
        let draft = STANDARD.encode(picture::draw(prompt, index.saturating_add(1000)));
        event("partial_image", json!({"b64_json": draft, "partial_image_index": index}))
    });
    let last = event("completed", json!({"b64_json": picture, "usage": usage(body, prompt, 1)}));
    drafts.chain([last]).collect()
}
