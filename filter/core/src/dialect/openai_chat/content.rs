//! The content of a message: a string, or typed parts.

use alloc::{borrow::Cow, format, vec::Vec};
use serde_json::value::RawValue;

use crate::{
    chat::{Part, Source, Text, TextPart},
    dialect::field::typed,
    error::Error,
    json::{Str, record},
};

record! {
    struct WirePart<'a> {
        kind: Str<'a> = "type",
        text: Option<Str<'a>>,
        refusal: Option<Str<'a>>,
        image_url: Option<&'a RawValue>,
        input_audio: Option<WireAudio<'a>>,
        file: Option<WireFile<'a>>,
        cache_control: Option<&'a RawValue>,
    }
}

record! {
    struct WireImage<'a> {
        url: Str<'a>,
        detail: Option<Str<'a>>,
    }
}

record! {
    struct WireAudio<'a> {
        data: Str<'a>,
        format: Str<'a>,
    }
}

record! {
    struct WireFile<'a> {
        file_data: Option<Str<'a>>,
        file_id: Option<Str<'a>>,
        filename: Option<Str<'a>>,
    }
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

/// Whether a text can be base64, by its beginning: a picture is not read through for it.
fn is_base64(text: &str) -> bool {
    const LOOKED_AT: usize = 64;
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=\r\n".contains(&byte);
    !text.is_empty() && text.bytes().take(LOOKED_AT).all(is_digit)
}

/// Where data is: a data URL, an address, or base64 without more, which is then of the usual type.
pub(in crate::dialect) fn source<'a>(text: Text<'a>, usual: &'static str, path: &str) -> Result<Source<'a>, Error> {
    let begins = |scheme: &str| text.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme));
    if ["https://", "http://", "gs://"].into_iter().any(begins) {
        return Ok(Source::Url(text));
    }
    let split = |text: &str| {
        let comma = text.find(',')?;
        let head = text.get(5..comma)?;
        let base64 = head.len().checked_sub(";base64".len())?;
        let (media_type, _) = head.split_at_checked(base64).filter(|(_, mark)| mark.eq_ignore_ascii_case(";base64"))?;
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
    if !begins("data:") {
        let data = Source::Data { media_type: Cow::Borrowed(usual), base64: text };
        return if matches!(&data, Source::Data { base64, .. } if is_base64(base64)) { Ok(data) } else { Err(wrong()) };
    }
    let (type_end, data_start) = split(&text).ok_or_else(wrong)?;
    let piece = |from: usize, to: usize| match &text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(from..to).unwrap_or_default()),
        Cow::Owned(text) => Cow::Owned(text.get(from..to).unwrap_or_default().into()),
    };
    let (mut media_type, base64) = (piece(5, type_end), piece(data_start, text.len()));
    if media_type.bytes().any(|byte| byte.is_ascii_uppercase()) {
        media_type.to_mut().make_ascii_lowercase();
    }
    if !is_base64(&base64) {
        return Err(wrong());
    }
    Ok(Source::Data { media_type: if media_type.is_empty() { Cow::Borrowed(usual) } else { media_type }, base64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_an_address_nor_base64_is_refused() {
        let data = |media_type: &'static str, base64: &'static str| {
            Some(Source::Data { media_type: media_type.into(), base64: base64.into() })
        };
        for (text, expected) in [
            ("HTTPS://example.com/a.png", Some(Source::Url("HTTPS://example.com/a.png".into()))),
            ("DATA:IMAGE/PNG;BASE64,aGk=", data("image/png", "aGk=")),
            ("data:image/png;charset=x;base64,aGk=", data("image/png", "aGk=")),
            ("data:;base64,aGk=", data("image/png", "aGk=")),
            ("aGk=", data("image/png", "aGk=")),
            ("data:image/png;base64,", None),
            ("data:image/png;base64,@@@", None),
            ("data:image/png,aGk=", None),
            ("file:///etc/passwd", None),
            ("", None),
        ] {
            assert_eq!(source(text.into(), "image/png", "url").ok(), expected, "{text}");
        }
    }
}
