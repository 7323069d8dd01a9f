//! The content of a message: a string, or typed parts.

use alloc::{borrow::Cow, format, vec::Vec};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::read::typed;
use crate::{
    chat::{Part, Source, Text, TextPart},
    error::Error,
    json::Str,
};

#[derive(Deserialize)]
struct WirePart<'a> {
    #[serde(borrow, rename = "type")]
    kind: Str<'a>,
    #[serde(borrow, default)]
    text: Option<Str<'a>>,
    #[serde(borrow, default)]
    refusal: Option<Str<'a>>,
    #[serde(borrow, default)]
    image_url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    input_audio: Option<WireAudio<'a>>,
    #[serde(borrow, default)]
    file: Option<WireFile<'a>>,
    #[serde(borrow, default)]
    cache_control: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireImage<'a> {
    #[serde(borrow)]
    url: Str<'a>,
    #[serde(borrow, default)]
    detail: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct WireAudio<'a> {
    #[serde(borrow)]
    data: Str<'a>,
    #[serde(borrow)]
    format: Str<'a>,
}

#[derive(Deserialize)]
struct WireFile<'a> {
    #[serde(borrow, default)]
    file_data: Option<Str<'a>>,
    #[serde(borrow, default)]
    file_id: Option<Str<'a>>,
    #[serde(borrow, default)]
    filename: Option<Str<'a>>,
}

/// Appends what a message's content says.
pub(super) fn read<'a>(raw: &'a RawValue, path: &str, parts: &mut Vec<Part<'a>>) -> Result<(), Error> {
    if raw.get().starts_with('"') {
        let text = typed::<Str<'_>>(path, raw)?.0;
        parts.push(Part::Text(TextPart { text, ..TextPart::default() }));
        return Ok(());
    }
    let wires: Vec<WirePart<'_>> = typed(path, raw)?;
    for (index, wire) in wires.into_iter().enumerate() {
        parts.push(read_part(wire, &format!("{path}[{index}]"))?);
    }
    Ok(())
}

fn read_part<'a>(wire: WirePart<'a>, path: &str) -> Result<Part<'a>, Error> {
    let cache = wire.cache_control;
    let missing = |name: &str| Error::refusing(format!("`{path}.{name}` is missing."), format!("{path}.{name}"));
    Ok(match &*wire.kind {
        "text" => {
            let text = wire.text.ok_or_else(|| missing("text"))?.0;
            Part::Text(TextPart { text, cache, ..TextPart::default() })
        }
        "refusal" => Part::Refusal(wire.refusal.ok_or_else(|| missing("refusal"))?.0),
        "image_url" => {
            let raw = wire.image_url.ok_or_else(|| missing("image_url"))?;
            let at = format!("{path}.image_url");
            let image = if raw.get().starts_with('"') {
                WireImage { url: typed(&at, raw)?, detail: None }
            } else {
                typed(&at, raw)?
            };
            let source = source(image.url.0, "image/png", &at)?;
            Part::Image { source, detail: image.detail.map(|detail| detail.0), cache }
        }
        "input_audio" => {
            let audio = wire.input_audio.ok_or_else(|| missing("input_audio"))?;
            Part::Audio { format: audio.format.0, data: audio.data.0 }
        }
        "file" => {
            let file = wire.file.ok_or_else(|| missing("file"))?;
            let source = match (file.file_data, file.file_id) {
                (Some(data), _) => source(data.0, "application/pdf", &format!("{path}.file.file_data"))?,
                (None, Some(id)) => Source::File(id.0),
                (None, None) => return Err(missing("file.file_data")),
            };
            Part::Document { source, name: file.filename.map(|name| name.0), cache }
        }
        other => {
            let message = format!("Content of type `{other}` cannot be translated for this model.");
            return Err(Error::refusing(message, format!("{path}.type")));
        }
    })
}

/// Where data is: a data URL, an address, or base64 without more, which is then of the usual type.
fn source<'a>(text: Text<'a>, usual: &'static str, path: &str) -> Result<Source<'a>, Error> {
    if text.starts_with("https://") || text.starts_with("http://") || text.starts_with("gs://") {
        return Ok(Source::Url(text));
    }
    if !text.starts_with("data:") {
        return Ok(Source::Data { media_type: Cow::Borrowed(usual), base64: text });
    }
    let split = |text: &str| {
        let comma = text.find(',')?;
        let head = text.get(5..comma)?;
        let media_type = head.strip_suffix(";base64")?;
        // Parameters such as a charset are nobody's wish.
        let end = media_type.find(';').unwrap_or(media_type.len());
        Some((end.checked_add(5)?, comma.checked_add(1)?))
    };
    let wrong = || {
        Error::refusing(
            format!("`{path}` must be a base64 data URL or an http(s) URL."),
            alloc::string::String::from(path),
        )
    };
    let (type_end, data_start) = split(&text).ok_or_else(wrong)?;
    Ok(match text {
        Cow::Borrowed(text) => Source::Data {
            media_type: Cow::Borrowed(text.get(5..type_end).unwrap_or_default()),
            base64: Cow::Borrowed(text.get(data_start..).unwrap_or_default()),
        },
        Cow::Owned(text) => Source::Data {
            media_type: Cow::Owned(text.get(5..type_end).unwrap_or_default().into()),
            base64: Cow::Owned(text.get(data_start..).unwrap_or_default().into()),
        },
    })
}
