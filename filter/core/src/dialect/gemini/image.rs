//! Pictures, of the models that draw: <https://ai.google.dev/gemini-api/docs/image-generation>. Such a model answers a message with
//! one, and is read like any other. Imagen, which drew several at a time by a method of its own, was shut down in August 2026.
//!
//! None takes a width and a height: a size becomes the nearest ratio that the models know and, where they know any, the size class of
//! the longer side.

use alloc::{string::String, vec::Vec};

use super::{request::path, steps};
use crate::{
    chat::{Fault, Finish, Part, Reason, Source},
    dialect::{Aim, Broken, Written},
    task::{
        append,
        image::{Painter, Request, Response, nearest_ratio},
    },
};

/// What draws pictures of a model, where it does.
pub(super) fn painter(model: &str) -> Option<&'static Painter> {
    static PAINTER: Painter = Painter { most: 1, write, read };
    let draws = ["-image", "banana"].iter().any(|word| model.contains(word));
    draws.then_some(&PAINTER)
}

const RATIOS: &[&str] = &["1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"];

/// Size classes, each with the longer side that it begins with.
const CLASSES: &[(u32, &str)] = &[(3_072, "4K"), (1_793, "2K"), (0, "1K")];

fn write(request: &Request<'_>, aim: &Aim<'_>) -> Written {
    let mut config = String::new();
    if let Some(size) = request.size {
        // Those of Gemini 2.5 draw in one size only.
        let classes = if aim.model.contains("gemini-2") { &[] } else { CLASSES };
        let class = classes.iter().find(|(least, _)| size.0.max(size.1) >= *least).map(|(_, class)| *class);
        append(&mut config, &[r#","imageConfig":{"aspectRatio":""#, nearest_ratio(size, RATIOS)]);
        if let Some(class) = class {
            append(&mut config, &[r#"","imageSize":""#, class]);
        }
        config.push_str("\"}");
    }
    let body = [
        r#"{"contents":[{"role":"user","parts":[{"text":"#,
        request.prompt.get(),
        r#"}]}],"generationConfig":{"responseModalities":["IMAGE"]"#,
        &config,
        "}}",
    ];
    Written {
        path: path(aim.model, "generateContent"),
        headers: Vec::new(),
        body: body.concat().into_bytes(),
        dropped: request.dropped(),
    }
}

fn read(body: &str) -> Result<Response<'_>, Broken> {
    let answer = steps::read(body)?;
    let (mut pictures, mut media_types, mut refusal) = (Vec::new(), Vec::new(), None);
    let is_withheld = answer.choices.iter().any(|choice| choice.finish == Some(Finish::ContentFilter));
    for part in answer.choices.into_iter().flat_map(|choice| choice.parts) {
        match part {
            Part::Image { source: Source::Data { media_type, base64 }, .. } => {
                pictures.push(base64);
                media_types.push(media_type);
            }
            Part::Refusal(said) => refusal = Some(said),
            Part::Text(_)
            | Part::Image { .. }
            | Part::Document { .. }
            | Part::Audio { .. }
            | Part::Thinking { .. }
            | Part::RedactedThinking(_)
            | Part::ToolCall(_)
            | Part::ToolResult(_) => {}
        }
    }
    if !pictures.is_empty() {
        return Ok(Response { pictures, media_type: media_types.into_iter().next(), usage: answer.usage });
    }
    if !is_withheld {
        return Err(Broken::Malformed);
    }
    let said = refusal.as_deref().unwrap_or("The provider's policy forbids this picture.");
    Err(Broken::Fault(Fault::new(400, Some(Reason::ContentPolicy), said)))
}
