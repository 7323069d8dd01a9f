//! Pictures, of the models that draw: <https://ai.google.dev/gemini-api/docs/image-generation>. Such a model answers a message with
//! one. Imagen, which drew several at a time by a method of its own, was shut down in August 2026.
//!
//! None takes a width and a height: a size becomes the nearest ratio that the models know and, where they know any, the size class of
//! the longer side.

use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{request::path, usage};
use crate::{
    chat::{Fault, Reason},
    dialect::{Aim, Broken, Written},
    json::{self, Str},
    task::image::{Painter, Request, Response, nearest_ratio},
};

/// What draws pictures of a model, where it does.
pub(super) fn painter(model: &str) -> Option<&'static Painter> {
    static PAINTER: Painter = Painter { most: 1, write, read };
    let draws = ["-image", "banana"].iter().any(|word| model.contains(word));
    draws.then_some(&PAINTER)
}

const RATIOS: &[&str] = &["1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireContents<'a> {
    contents: [WireContent<'a>; 1],
    generation_config: WireGeneration,
}

#[derive(Serialize)]
struct WireContent<'a> {
    role: &'static str,
    parts: [WireText<'a>; 1],
}

#[derive(Serialize)]
struct WireText<'a> {
    text: &'a RawValue,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireGeneration {
    response_modalities: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    image_config: Option<WireSize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireSize {
    #[serde(skip_serializing_if = "Option::is_none")]
    aspect_ratio: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_size: Option<&'static str>,
}

/// Size classes, each with the longer side that it begins with.
const CLASSES: &[(u32, &str)] = &[(3_072, "4K"), (1_793, "2K"), (0, "1K")];

fn write(request: &Request<'_>, aim: &Aim<'_>) -> Written {
    let config = |size: (u32, u32)| {
        // Those of Gemini 2.5 draw in one size only.
        let classes = if aim.model.contains("gemini-2") { &[] } else { CLASSES };
        let class = classes.iter().find(|(least, _)| size.0.max(size.1) >= *least);
        WireSize { aspect_ratio: nearest_ratio(size, RATIOS), image_size: class.map(|(_, class)| *class) }
    };
    let wire = WireContents {
        contents: [WireContent { role: "user", parts: [WireText { text: request.prompt }] }],
        generation_config: WireGeneration { response_modalities: ["IMAGE"], image_config: request.size.map(config) },
    };
    Written {
        path: path(aim.model, "generateContent"),
        headers: Vec::new(),
        // Texts, and what was JSON before: nothing here can fail to be written.
        body: serde_json::to_vec(&wire).unwrap_or_default(),
        dropped: request.dropped(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct WireAnswer<'a> {
    #[serde(default)]
    candidates: Vec<WireCandidate<'a>>,
    prompt_feedback: Option<WireFeedback<'a>>,
    usage_metadata: Option<usage::Metadata<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct WireCandidate<'a> {
    content: Option<WireDrawn<'a>>,
    finish_reason: Option<Str<'a>>,
    finish_message: Option<Str<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct WireFeedback<'a> {
    block_reason: Option<Str<'a>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct WireDrawn<'a> {
    #[serde(default)]
    parts: Vec<WirePart<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct WirePart<'a> {
    inline_data: Option<WireData<'a>>,
    /// A sketch on the way to the picture.
    #[serde(default)]
    thought: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct WireData<'a> {
    mime_type: Option<Str<'a>>,
    data: &'a RawValue,
}

/// Whether a picture was not drawn, or not shown, for what it would have been.
fn is_policy(reason: &str) -> bool {
    ["SAFETY", "PROHIBITED", "BLOCKLIST", "RECITATION", "SPII"].iter().any(|word| reason.contains(word))
}

fn read(body: &str) -> Result<Response<'_>, Broken> {
    let wire: WireAnswer<'_> = json::read(body).map_err(|_| Broken::Malformed)?;
    let mut counts = usage::Counts::default();
    wire.usage_metadata.iter().for_each(|told| counts.update(told));
    let (mut pictures, mut media_type) = (Vec::new(), None);
    let mut blocked = wire.prompt_feedback.and_then(|feedback| feedback.block_reason).map(|_| None);
    for WireCandidate { content, finish_reason, finish_message } in wire.candidates {
        let parts = content.into_iter().flat_map(|content| content.parts).filter(|part| !part.thought);
        for WireData { mime_type, data } in parts.filter_map(|part| part.inline_data) {
            pictures.push(data);
            media_type = media_type.or(mime_type);
        }
        let refusal = || finish_reason.filter(|reason| is_policy(reason)).map(|_| finish_message);
        blocked = blocked.or_else(refusal);
    }
    match blocked {
        _ if !pictures.is_empty() => Ok(Response { pictures, media_type, usage: counts.usage() }),
        Some(said) => {
            let said = said.as_deref().unwrap_or("The provider's policy forbids this picture.");
            Err(Broken::Fault(Fault::new(400, Some(Reason::ContentPolicy), said)))
        }
        None => Err(Broken::Malformed),
    }
}
