//! Pictures drawn from a text: what of `OpenAI`'s `/images/generations` others can do.
//!
//! A picture is carried as its provider wrote it, base64 and all, and never decoded. What only changes how it looks (`quality`,
//! `style`) is left out and listed; what makes it another answer (a link in the place of a picture, a transparent background, several
//! where one is drawn) is refused.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use serde_json::value::RawValue;

use super::{append, embedding::quoted};
use crate::{
    chat::Text,
    dialect::{
        Aim, Broken, Dropped, Written,
        head::{CHOICES, STREAM},
        openai_chat::RESPONSE_FORMAT,
        typed,
    },
    error::Error,
    json::{self, Found, Str, is_base64, members},
    usage::Usage,
};

/// How a dialect draws pictures.
#[derive(Debug)]
pub struct Painter {
    /// How many it draws at a time.
    pub most: u64,
    /// Writes a request.
    pub write: fn(&Request<'_>, &Aim<'_>) -> Written,
    /// Reads an answer.
    pub read: for<'a> fn(&'a str) -> Result<Response<'a>, Broken>,
}

/// A request.
#[derive(Debug)]
pub struct Request<'a> {
    /// What to draw, as written: a JSON string.
    pub prompt: &'a RawValue,
    /// Width and height; `None` where that is left to the model.
    pub size: Option<(u32, u32)>,
    /// What else it says, which only `OpenAI`'s dialect can.
    pub others: Vec<Str<'a>>,
}

/// An answer.
#[derive(Debug)]
pub struct Response<'a> {
    /// The pictures in base64. At least one.
    pub pictures: Vec<Text<'a>>,
    /// The media type of the first.
    pub media_type: Option<Text<'a>>,
    /// Its tokens, where they are told.
    pub usage: Option<Usage>,
}

/// What of a request matters for who can answer it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) count: u64,
    is_streamed: bool,
    is_link: bool,
}

impl Wanted {
    pub(super) fn of(found: &Found) -> Self {
        Self {
            count: found.text(CHOICES).and_then(|count| json::read(count).ok()).unwrap_or(1),
            is_streamed: found.text(STREAM) == Some("true"),
            is_link: found.text(RESPONSE_FORMAT) == Some(r#""url""#),
        }
    }

    pub(super) fn check(self, painter: &Painter) -> Result<(), Error> {
        if self.count > painter.most {
            let message = format!("This model draws {} pictures at a time at most: `n` is too large.", painter.most);
            return Err(Error::refusing(message, "n"));
        }
        if self.is_streamed {
            return Err(Error::refusing("This model draws no picture in parts: `stream` must be false.", "stream"));
        }
        if self.is_link {
            let message =
                "This model answers with the picture and not with a link: `response_format` must be `b64_json`.";
            return Err(Error::refusing(message, "response_format"));
        }
        Ok(())
    }
}

/// Reads a request.
///
/// # Errors
/// A field that is no such thing, or that only a provider of `OpenAI`'s dialect can do.
pub(super) fn read(body: &str) -> Result<Request<'_>, Error> {
    let (mut prompt, mut size, mut others) = (None, None, Vec::new());
    for (name, value) in members(body).unwrap_or_default() {
        match (&*name, value.get()) {
            ("model" | "n" | "stream" | "response_format", _)
            | (_, "null")
            | ("quality" | "background" | "moderation", r#""auto""#)
            | ("background", r#""opaque""#) => {}
            ("prompt", text) if text.starts_with('"') => prompt = Some(value),
            ("size", _) => size = read_size(&typed::<Str<'_>>("size", value)?)?,
            ("background", r#""transparent""#) => {
                return Err(Error::refusing("This model draws no transparent background.", "background"));
            }
            _ => others.push(name),
        }
    }
    let prompt = prompt.ok_or_else(|| Error::refusing("`prompt` must say what to draw.", "prompt"))?;
    Ok(Request { prompt, size, others })
}

impl Request<'_> {
    /// What of it is left out.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        let mut dropped = Dropped::default();
        self.others.iter().for_each(|name| dropped.note(name));
        dropped
    }
}

fn read_size(size: &str) -> Result<Option<(u32, u32)>, Error> {
    if size == "auto" {
        return Ok(None);
    }
    let sides = size.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let sides = sides.filter(|(width, height)| (1..=65_536).contains(width) && (1..=65_536).contains(height));
    let message = "`size` must be `auto`, or a width and a height as in `1024x1024`.";
    sides.map(Some).ok_or_else(|| Error::refusing(message, "size"))
}

/// Of these ratios, as `16:9`, the one that is nearest to a size.
pub(crate) fn nearest_ratio((width, height): (u32, u32), ratios: &[&'static str]) -> &'static str {
    let distance = |ratio: &str| {
        let (across, down) = ratio.split_once(':')?;
        let (across, down): (u64, u64) = (across.parse().ok()?, down.parse().ok()?);
        let (one, other) = (u64::from(width).saturating_mul(down), u64::from(height).saturating_mul(across));
        // How many times too wide or too high, in millionths.
        one.max(other).saturating_mul(1_000_000).checked_div(one.min(other))
    };
    ratios.iter().copied().min_by_key(|ratio| distance(ratio).unwrap_or(u64::MAX)).unwrap_or_default()
}

/// Writes an answer.
pub(super) fn write(answer: &Response<'_>, created: u64) -> Vec<u8> {
    let length = answer.pictures.iter().fold(256, |sum: usize, picture| sum.saturating_add(picture.len()));
    let mut out = String::with_capacity(length);
    append(&mut out, &[r#"{"created":"#, &created.to_string(), r#","data":["#]);
    for (index, picture) in answer.pictures.iter().enumerate() {
        // Base64 has nothing to escape; whatever else a provider sends is written as a text.
        let other = (!picture.bytes().all(is_base64)).then(|| quoted(picture));
        let (quote, picture) = other.as_deref().map_or(("\"", &**picture), |text| ("", text));
        append(&mut out, &[if index == 0 { "" } else { "," }, r#"{"b64_json":"#, quote, picture, quote, "}"]);
    }
    out.push(']');
    if let Some(kind) = answer.media_type.as_deref().and_then(|media| media.strip_prefix("image/")) {
        append(&mut out, &[r#","output_format":"#, &quoted(kind)]);
    }
    if let Some(Usage { input, output, .. }) = answer.usage {
        let total = input.saturating_add(output).to_string();
        let (input, output) = (input.to_string(), output.to_string());
        // What is drawn from is a text.
        let details =
            [r#","input_tokens_details":{"text_tokens":"#, &input, r#","image_tokens":0},"output_tokens":"#].concat();
        append(
            &mut out,
            &[r#","usage":{"input_tokens":"#, &input, &details, &output, r#","total_tokens":"#, &total, "}"],
        );
    }
    out.push('}');
    out.into_bytes()
}
