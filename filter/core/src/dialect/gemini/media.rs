//! Pictures, documents and sound, as data and as addresses.
//!
//! Addresses are passed on: Google fetches public and signed ones itself
//! (<https://ai.google.dev/gemini-api/docs/file-input-methods>). Their media type is told from the name where it has one, and
//! left to Google where not: a wrong guess would be refused.

use alloc::{borrow::Cow, format, string::String};
use serde::Serialize;

use crate::{
    chat::{Source, Text},
    error::{Error, Kind},
};

/// Data, in base64.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Blob<'a> {
    pub(super) mime_type: Cow<'a, str>,
    pub(super) data: &'a str,
}

/// Data elsewhere.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct File<'a> {
    file_uri: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'static str>,
}

/// Either.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Media<'a> {
    InlineData(Blob<'a>),
    FileData(File<'a>),
}

/// What `source` is here; `path` is to blame where it is nothing.
pub(super) fn of<'a>(source: &'a Source<'_>, path: &str) -> Result<Media<'a>, Error> {
    Ok(match source {
        Source::Data { media_type, base64 } => {
            // A spelling that is common and wrong.
            let mime_type = if media_type == "image/jpg" { "image/jpeg" } else { media_type };
            Media::InlineData(Blob { mime_type: Cow::Borrowed(mime_type), data: base64 })
        }
        Source::Url(url) => Media::FileData(File { file_uri: Cow::Borrowed(url), mime_type: type_of(url) }),
        Source::File(id) => Media::FileData(File { file_uri: address(id, path)?, mime_type: None }),
    })
}

/// Sound in one of OpenAI's formats.
pub(super) fn sound<'a>(format: &str, data: &'a Text<'_>) -> Media<'a> {
    Media::InlineData(Blob { mime_type: Cow::Owned(["audio/", format].concat()), data })
}

/// The address of an uploaded file: the API takes no bare ids.
fn address<'a>(id: &'a str, path: &str) -> Result<Cow<'a, str>, Error> {
    if id.contains("://") {
        return Ok(Cow::Borrowed(id));
    }
    if id.starts_with("files/") {
        return Ok(Cow::Owned(["https://generativelanguage.googleapis.com/v1beta/", id].concat()));
    }
    let message =
        format!("`{path}` names a file that Gemini does not have; give its data, or the URI of a Gemini file.");
    Err(Error::new(Kind::InvalidRequest, message).blaming(String::from(path)))
}

/// The media type that a name's ending stands for.
fn type_of(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next()?;
    let (_, name) = path.split_once("://")?.1.rsplit_once('/')?;
    let (_, ending) = name.rsplit_once('.')?;
    Some(match &*ending.to_ascii_lowercase() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "json" => "application/json",
        "mp3" => "audio/mp3",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_tells_its_type_by_its_ending_only() {
        assert_eq!(type_of("https://a.example/x/y.PNG?size=1.5#a.pdf"), Some("image/png"));
        assert_eq!(type_of("gs://bucket/a.b.pdf"), Some("application/pdf"));
        assert_eq!(type_of("https://a.example/photo"), None);
        assert_eq!(type_of("https://a.png"), None);
        assert_eq!(type_of("https://a.example/x.unknown"), None);
    }

    #[test]
    fn files_of_other_providers_are_refused() {
        assert_eq!(address("files/abc", "p").unwrap(), "https://generativelanguage.googleapis.com/v1beta/files/abc");
        assert_eq!(address("gs://b/o", "p").unwrap(), "gs://b/o");
        assert_eq!(address("file-abc", "messages[0]").unwrap_err().param.as_deref(), Some("messages[0]"));
    }
}
