//! The blocks that a turn consists of, as they are sent. They borrow from the request: an image is copied once, into the body.

use alloc::{borrow::Cow, format, string::String, vec::Vec};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{
    chat::{Citation, Input, Source, Text},
    error::Error,
};

/// A block.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'r> {
    Text {
        text: Cow<'r, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        citations: Vec<Cited<'r>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'r RawValue>,
    },
    Image {
        source: Data<'r>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'r RawValue>,
    },
    Document {
        source: Data<'r>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'r str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'r RawValue>,
    },
    Thinking {
        thinking: &'r str,
        signature: &'r str,
    },
    RedactedThinking {
        data: &'r str,
    },
    ToolUse {
        id: Cow<'r, str>,
        name: &'r str,
        input: Input<'r>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'r RawValue>,
    },
    ToolResult {
        tool_use_id: Cow<'r, str>,
        #[serde(serialize_with = "self::content", skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block<'r>>,
        #[serde(skip_serializing_if = "core::ops::Not::not")]
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'r RawValue>,
    },
}

/// Where a text of an answer is from.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Cited<'r> {
    /// In Anthropic's own words.
    Document(&'r RawValue),
    /// A page. What was read there, and the place in a form for Anthropic's own eyes, nobody else tells.
    Page {
        #[serde(rename = "type")]
        kind: &'static str,
        url: &'r str,
        title: Option<&'r str>,
        encrypted_index: &'static str,
        cited_text: &'static str,
    },
}

impl<'r> Cited<'r> {
    /// The citation of an answer.
    pub(super) fn of(citation: &'r Citation<'_>) -> Self {
        match citation {
            Citation::Document(raw) => Self::Document(raw),
            Citation::Url { url, title, .. } => Self::Page {
                kind: "web_search_result_location",
                url,
                title: title.as_deref(),
                encrypted_index: "",
                cited_text: "",
            },
        }
    }
}

impl<'r> Block<'r> {
    /// Where a cache breakpoint behind it stands; thoughts bear none.
    fn cache_control(&mut self) -> Option<&mut Option<&'r RawValue>> {
        match self {
            Self::Text { cache_control, .. }
            | Self::Image { cache_control, .. }
            | Self::Document { cache_control, .. }
            | Self::ToolUse { cache_control, .. }
            | Self::ToolResult { cache_control, .. } => Some(cache_control),
            Self::Thinking { .. } | Self::RedactedThinking { .. } => None,
        }
    }
}

/// Puts a cache breakpoint behind the last block that can bear one, and says whether there is one.
pub(super) fn mark<'r>(blocks: &mut [Block<'r>], breakpoint: &'r RawValue) -> bool {
    let last = blocks.iter_mut().rev().find_map(Block::cache_control);
    last.map(|cache_control| cache_control.get_or_insert(breakpoint)).is_some()
}

/// Which part of the client's request a block is of, for the error that blames it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) message: usize,
    /// Among the pieces of content.
    pub(super) part: usize,
}

impl Place {
    /// Refuses the request for a member of the part.
    pub(super) fn refuse<T>(self, message: impl Into<String>, member: &str) -> Result<T, Error> {
        Err(Error::refusing(message, format!("messages[{}].content[{}].{member}", self.message, self.part)))
    }
}

/// Where the data of a block is.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Data<'r> {
    Url { url: &'r str },
    Base64 { media_type: &'r str, data: &'r str },
    Text { media_type: &'static str, data: String },
    File { file_id: &'r str },
}

/// Writes blocks as content: a lone text as a string.
pub(super) fn content<S: Serializer>(blocks: &[Block<'_>], serializer: S) -> Result<S::Ok, S::Error> {
    if let [Block::Text { text, cache_control: None, .. }] = blocks {
        text.serialize(serializer)
    } else {
        blocks.serialize(serializer)
    }
}

/// Where a picture is.
pub(super) fn image<'r>(source: &'r Source<'_>, place: Place) -> Result<Data<'r>, Error> {
    const MEMBER: &str = "image_url.url";
    match source {
        Source::Data { media_type, base64 } => {
            let media_type = match media_type.as_ref() {
                // No such type is registered, but many a client says it.
                "image/jpg" => "image/jpeg",
                known @ ("image/jpeg" | "image/png" | "image/gif" | "image/webp") => known,
                other => {
                    return place.refuse(format!("Images of type `{other}` cannot be read by this model."), MEMBER);
                }
            };
            Ok(Data::Base64 { media_type, data: base64 })
        }
        Source::Url(url) => address(url, place, MEMBER),
        Source::File(id) => file(id, place),
    }
}

/// Where a document is: a PDF, or text, which is sent as such.
pub(super) fn document<'r>(source: &'r Source<'_>, place: Place) -> Result<Data<'r>, Error> {
    const MEMBER: &str = "file.file_data";
    match source {
        Source::Data { media_type, base64 } if media_type == "application/pdf" => {
            Ok(Data::Base64 { media_type: "application/pdf", data: base64 })
        }
        Source::Data { media_type, base64 } if is_text(media_type) => match decode(base64) {
            Some(data) => Ok(Data::Text { media_type: "text/plain", data }),
            None => place.refuse("A file of text must be the base64 of UTF-8.", MEMBER),
        },
        Source::Data { media_type, .. } => {
            place.refuse(format!("Files of type `{media_type}` cannot be read by this model."), MEMBER)
        }
        Source::Url(url) => address(url, place, MEMBER),
        Source::File(id) => file(id, place),
    }
}

/// A file at the provider. OpenAI's ids look different, and its files are not here.
fn file(id: &str, place: Place) -> Result<Data<'_>, Error> {
    if id.starts_with("file-") {
        return place.refuse(format!("The file `{id}` is at another provider than this model."), "file.file_id");
    }
    Ok(Data::File { file_id: id })
}

fn address<'r>(url: &'r Text<'_>, place: Place, member: &str) -> Result<Data<'r>, Error> {
    if url.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http")) {
        return Ok(Data::Url { url });
    }
    place.refuse("This model takes http(s) URLs and data URLs only.", member)
}

fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/") || matches!(media_type, "application/json" | "application/xml" | "application/yaml")
}

/// The text that this is the base64 of, padded or not.
fn decode(base64: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(base64.len().div_ceil(4).saturating_mul(3));
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in base64.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte.wrapping_sub(b'A'),
            b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => byte.wrapping_sub(b'0').wrapping_add(52),
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        held = held.wrapping_add(6);
        if held >= 8 {
            held = held.wrapping_sub(8);
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap_or_default());
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_known_by_its_base64() {
        assert_eq!(decode("").as_deref(), Some(""));
        assert_eq!(decode("aMOkbGxvIQ==").as_deref(), Some("hällo!"));
        assert_eq!(decode("aMOkbGxvIQ").as_deref(), Some("hällo!"));
        assert_eq!(decode("a*"), None);
        assert_eq!(decode("/w=="), None);
    }
}
