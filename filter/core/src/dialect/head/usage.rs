//! How a stream is asked for its tokens: by `stream_options`, which are added, changed, or cut out where a target refuses them.

use alloc::{format, vec::Vec};
use core::ops::Range;
use serde_json::value::RawValue;

use crate::{
    error::Error,
    json::{self, Edit, Edits, Member},
};

/// What becomes of a request's `stream_options`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamOptions {
    /// They ask for the usage.
    Asked,
    /// The target refuses them: they are cut out.
    Cut,
    /// It refuses them, and they are cut out with what else is.
    Pruned,
}

/// What asks for a stream's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Usage {
    /// The change that does; none where the client does itself, or nothing is streamed.
    edit: Option<Edit>,
    /// The client's `stream_options`, to be cut out.
    options: Option<Range<usize>>,
}

impl Usage {
    /// Reads the client's `stream_options`; `inside` is where the body's first member stands.
    pub(super) fn read(options: Option<&Member>, asks: bool, inside: usize) -> Result<Self, Error> {
        let edit = match (asks, options) {
            (false, _) => None,
            // At the front: what stands behind the last change need not leave the host's buffer.
            (true, None) => Some(insert(inside, br#""stream_options":{"include_usage":true},"#)),
            (true, Some(options)) => ask_in(options)?,
        };
        Ok(Self { edit, options: options.map(|options| options.whole.clone()) })
    }

    /// See [`super::ChatRequest::usage_edit`].
    pub(super) const fn edit(&self) -> Option<&Edit> {
        self.edit.as_ref()
    }

    /// Adds the change for a target.
    pub(super) fn change(&self, stream_options: StreamOptions, edits: &mut Edits) {
        match (stream_options, &self.edit, &self.options) {
            (StreamOptions::Asked, Some(Edit { span, text }), _) => edits.push(span.clone(), text.clone()),
            (StreamOptions::Cut, _, Some(options)) => edits.push(options.clone(), Vec::new()),
            (StreamOptions::Asked, None, _) | (StreamOptions::Cut, _, None) | (StreamOptions::Pruned, ..) => {}
        }
    }
}

/// The change that asks for the tokens in what the client says, where that does not.
fn ask_in(options: &Member) -> Result<Option<Edit>, Error> {
    let wrong = || Error::refusing("`stream_options` must be an object.", "stream_options");
    let text = options.text.as_deref().ok_or_else(wrong)?;
    if text == b"null" {
        return Ok(Some(Edit { span: options.span.clone(), text: br#"{"include_usage":true}"#.to_vec() }));
    }
    let text = core::str::from_utf8(text).map_err(|_| wrong())?;
    let inner = json::members(text).ok_or_else(wrong)?;
    let mut asked = inner.iter().filter(|(name, _)| &**name == "include_usage");
    match (asked.next(), asked.next()) {
        (_, Some(_)) => {
            Err(Error::refusing("`stream_options.include_usage` stands twice.", "stream_options.include_usage"))
        }
        (Some((_, value)), None) if value.get() == "true" => Ok(None),
        (Some((_, value)), None) if matches!(value.get(), "false" | "null") => {
            let start = options.span.start.saturating_add(offset(text, value));
            let span = start..start.saturating_add(value.get().len());
            Ok(Some(Edit { span, text: b"true".to_vec() }))
        }
        (Some(_), None) => {
            Err(Error::refusing("`stream_options.include_usage` must be a boolean.", "stream_options.include_usage"))
        }
        (None, None) => {
            let start = options.span.start.saturating_add(1);
            let comma = if inner.is_empty() { "" } else { "," };
            Ok(Some(insert(start, format!(r#""include_usage":true{comma}"#).as_bytes())))
        }
    }
}

/// Where a value stands in the text it was read from: `serde_json` borrows it, so its address says so.
fn offset(text: &str, value: &RawValue) -> usize {
    (value.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

fn insert(at: usize, text: &[u8]) -> Edit {
    Edit { span: at..at, text: text.to_vec() }
}
