//! The head of a chat request in whatever format a client speaks: what the gateway must know of it before it knows who is asked,
//! and the places where it is changed for a target of the same format.
//!
//! A format says where its head says what ([`Scheme`]). The members that formats share stand first in every scheme's list, in one
//! order: no two formats mean different things by one of these names, so that one reading serves all.

use alloc::{
    format,
    string::{String, ToString},
};
use core::ops::Range;

mod bounds;
mod members;
mod usage;

pub use bounds::Bounds;
pub(crate) use bounds::{OF_CHAT, OF_COMPLETIONS, OF_GEMINI, OF_MESSAGES, OF_OLLAMA, OF_RESPONSES, Terms};

use members::{
    BACKGROUND, BEST_OF, CAMEL_SERVICE_TIER, GENERATION_CONFIG, MAX_COMPLETION_TOKENS, MAX_OUTPUT_TOKENS, MAX_TOKENS,
    OPTIONS, PREVIOUS, REQUEST_ID, SERVICE_TIER, SNAKE_GENERATION_CONFIG, STREAM_OPTIONS, TEMPERATURE, THINKING,
};
pub(crate) use members::{CHOICES, MODEL, STREAM};
pub(super) use members::{PLUGINS, PROMPT, TOOL_CHOICE, TOOLS, USER, place, wanted};
pub use usage::StreamOptions;

use usage::Usage;

use crate::{
    dialect::Wishes,
    error::{Error, Kind},
    json::{self, Edit, Edits, Failure, Fault, Found, MAX_DEPTH, Marks, Member, Proofs, Scanner},
};

/// How the head of a request is found and read in a client's format.
#[derive(Debug)]
pub struct Scheme {
    /// The members that decide; the rest is the provider's business.
    pub(super) wanted: &'static [&'static str],
    /// What is noticed wherever it stands.
    pub(super) marks: &'static Marks,
    /// The group of marked kinds that are thoughts without a proof beside them.
    pub(super) unproven: Option<usize>,
    /// Whether a stream tells its tokens only where `stream_options` asks for them.
    pub(super) asks_for_usage: bool,
    /// The members by which it bounds its answers.
    pub(super) terms: Terms,
    /// Who the client says that it asks for.
    pub(super) user: fn(&Found) -> Option<String>,
    /// What of it not every format can express.
    pub(super) wishes: fn(&Found) -> Wishes,
}

/// Longest name of a model.
const MAX_MODEL: usize = 256;

/// A chat request as far as the gateway must know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatRequest {
    /// The model as asked for, where one is; an empty name is none.
    pub model: Option<String>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Whether the slow, cheap tier is asked for.
    pub flex: bool,
    /// Whether the answer is to be made while nobody waits for it, and fetched later.
    pub is_background: bool,
    /// The body's length.
    pub length: usize,
    /// What it is made of.
    pub contents: Contents,
    /// Who the client says that it asks for.
    pub user: Option<String>,
    /// How long its answer may be.
    pub bounds: Bounds,
    /// What another provider has left in it.
    pub history: History,
    /// What not every format can express.
    pub wishes: Wishes,
    /// The answer that it goes on from.
    pub(crate) previous: Option<Previous>,
    /// Where its name stands, or can stand.
    model_span: Range<usize>,
    /// What follows where it has to be added.
    comma: &'static str,
    /// What asks for the stream's tokens.
    usage: Usage,
    /// The name `max_completion_tokens`.
    max_tokens_name: Option<Range<usize>>,
}

/// The answer that a request goes on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Previous {
    /// Its id as the client says it, and, once it is known whose it is, as its provider does.
    pub(crate) id: String,
    /// Where it stands.
    span: Range<usize>,
    /// Whether it is the provider's.
    is_own: bool,
}

impl Previous {
    /// What a scan has found: a text. What is none is the provider's business.
    pub(crate) fn of(found: &Found) -> Option<Self> {
        let member = found.member(PREVIOUS).filter(|member| member.opens[0] == b'"')?;
        let id = found.text(PREVIOUS).and_then(|text| json::read(text).ok()).unwrap_or_default();
        Some(Self { id, span: member.span.clone(), is_own: false })
    }

    /// From now on it is called what its provider calls it.
    pub(crate) fn rename(&mut self, id: String) {
        (self.id, self.is_own) = (id, true);
    }

    /// The change for its provider.
    pub(crate) fn edit(&self) -> Option<Edit> {
        // A string can always be written.
        let text = || serde_json::to_vec(&self.id).unwrap_or_default();
        self.is_own.then(|| Edit { span: self.span.clone(), text: text() })
    }
}

/// What a request is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// Its length without what is no text: base64, and white space between values.
    pub text_length: usize,
    /// How many pictures it holds.
    pub images: usize,
    /// Whether it offers tools.
    pub has_tools: bool,
    /// Whether something in it may name other models than its `model`.
    pub names_others: bool,
    /// Whether it may say by which id its answer is kept: `request_id` does at vLLM and `SGLang`.
    pub names_answer: bool,
}

/// What another provider may have left in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Fields that only some providers understand: cache breakpoints, thoughts.
    pub has_foreign_fields: bool,
    /// What proves to a provider that a thought is its own.
    pub proofs: Proofs,
    /// A call's id, or such a proof, that carries what the gateway once put into it for Gemini.
    pub has_carried_signature: bool,
    /// Results of tools, where the model is to go on thinking about them: it cannot, where the calls were another one's.
    pub is_thought_about: bool,
}

impl History {
    /// Whether it has thoughts that may be refused by whom they are not from.
    #[must_use]
    pub const fn may_be_refused(self) -> bool {
        let Proofs { empty: _, of_openai, of_others } = self.proofs;
        self.has_carried_signature || of_openai || of_others
    }
}

impl Scheme {
    /// The scan that [`Self::read`] needs.
    #[must_use]
    pub fn scanner(&self) -> Scanner {
        Scanner::new(self.wanted).noticing(self.marks)
    }

    /// Reads what a scan found in a body of this length.
    ///
    /// # Errors
    /// A fault of the document, or a field of the wrong type.
    pub fn read(&self, scanned: Result<Found, Failure>, length: usize) -> Result<ChatRequest, Error> {
        let found = scanned.map_err(|failure| self.describe(failure))?;
        let flex = is_flex(&found);
        let member = |index| found.member(index);

        let inside = found.open.saturating_add(1);
        let (model, model_span) = match member(MODEL) {
            // Clients that leave the choice to the gateway must often send the member.
            Some(model) if is_unnamed(model) => (None, model.span.clone()),
            Some(model) => (Some(model_name(model)?), model.span.clone()),
            None => (None, inside..inside),
        };

        let stream = match member(STREAM).map(|member| member.text.as_deref()) {
            None | Some(Some(b"false" | b"null")) => false,
            Some(Some(b"true")) => true,
            Some(_) => return Err(Error::refusing("`stream` must be a boolean.", "stream")),
        };
        let temperature = member(TEMPERATURE).and_then(|member| member.text.as_deref());
        let temperature: Option<f64> = temperature.and_then(|text| json::read(&json::text(text)).ok());
        if temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
            return Err(Error::refusing("`temperature` must be between 0 and 2.", "temperature"));
        }
        let options = member(STREAM_OPTIONS).filter(|_| self.asks_for_usage);
        let usage = Usage::read(options, stream && self.asks_for_usage, inside)?;
        let has_unproven =
            self.unproven.and_then(|group| found.noticed_kinds.get(group)).is_some_and(|number| *number > 0);
        let proofs = found.noticed_proofs;
        Ok(ChatRequest {
            model,
            stream,
            flex,
            is_background: is_background(&found),
            length,
            contents: Contents::of(&found, length),
            user: (self.user)(&found),
            bounds: Bounds::of(&found, self.terms),
            history: History {
                has_foreign_fields: found.noticed_name,
                proofs: Proofs { of_others: proofs.of_others || has_unproven, ..proofs },
                has_carried_signature: found.noticed_text,
                is_thought_about: found.noticed_carriers > 0
                    && found.text(THINKING).is_some_and(|thinking| thinking.contains(r#""enabled""#)),
            },
            wishes: (self.wishes)(&found),
            previous: Previous::of(&found),
            model_span,
            comma: if found.is_empty { "" } else { "," },
            usage,
            max_tokens_name: member(MAX_COMPLETION_TOKENS).map(|tokens| tokens.name.clone()),
        })
    }

    /// What to tell a caller whose body is no JSON object that can be read in one way only.
    pub(crate) fn describe(&self, Failure { fault, offset }: Failure) -> Error {
        let message = match fault {
            Fault::Empty => "The request has no body; a JSON object is expected.".to_string(),
            Fault::Truncated => format!("The body is not valid JSON: it ends too early, at byte {offset}."),
            Fault::Syntax => format!("The body is not valid JSON: unexpected byte at offset {offset}."),
            Fault::Utf8 => format!("The body is not valid JSON: not UTF-8 at offset {offset}."),
            Fault::TooDeep => format!("The body is nested deeper than {MAX_DEPTH} levels at offset {offset}."),
            Fault::NotAnObject => "The body must be a JSON object.".to_string(),
            Fault::Duplicate(index) => {
                let name = self.wanted.get(index).copied().unwrap_or_default();
                let message = format!("`{name}` stands twice in the body, or in another case, at offset {offset}.");
                return Error::new(Kind::InvalidRequest, message).blaming(name);
            }
        };
        Error::new(Kind::InvalidRequest, message)
    }
}

impl ChatRequest {
    /// The change that asks a stream for its tokens, where the client does not.
    #[must_use]
    pub fn usage_edit(&self) -> Option<&Edit> {
        self.usage.edit()
    }

    /// Whether the client asked for the stream's usage itself; if not, the usage chunk is hidden from it.
    #[must_use]
    pub fn wants_usage(&self) -> bool {
        self.usage.edit().is_none()
    }

    /// The changes for a target that calls the model `id` and `max_completion_tokens` perhaps something else.
    #[must_use]
    pub fn edits(&self, id: &str, stream_options: StreamOptions, max_tokens: Option<&str>) -> Edits {
        let mut edits = Edits::default();
        if self.model.as_deref() != Some(id) {
            let name = json::quoted(id);
            let is_missing = self.model_span.is_empty();
            let text = if is_missing { format!(r#""model":{name}{}"#, self.comma) } else { name };
            edits.push(self.model_span.clone(), text.into_bytes());
        }
        self.usage.change(stream_options, &mut edits);
        if let Some(Edit { span, text }) = self.previous.as_ref().and_then(Previous::edit) {
            edits.push(span, text);
        }
        if let (Some(name), Some(span)) = (max_tokens, &self.max_tokens_name) {
            edits.push(span.clone(), format!("\"{name}\"").into_bytes());
        }
        edits
    }
}

impl Contents {
    /// What a scan has noticed in a body of this length.
    pub(crate) fn of(found: &Found, length: usize) -> Self {
        Self {
            text_length: length
                .saturating_sub(found.blank)
                .saturating_sub(found.opaque)
                .saturating_sub(found.escapes.saturating_mul(ESCAPE_BYTES)),
            images: found.noticed_kinds[0],
            has_tools: has_tools(found),
            names_others: found.noticed_others > 0,
            names_answer: found.member(REQUEST_ID).is_some(),
        }
    }
}

/// What `\uXXXX` has more than the letter itself, which is of three bytes mostly.
const ESCAPE_BYTES: usize = 3;

/// Whether a request asks for the slow, cheap tier: in lower case in OpenAI's API, in either in Google's.
pub(crate) fn is_flex(found: &Found) -> bool {
    let is = |index| found.text(index).is_some_and(|tier| tier.eq_ignore_ascii_case(r#""flex""#));
    is(SERVICE_TIER) || is(CAMEL_SERVICE_TIER)
}

/// See [`ChatRequest::is_background`].
pub(crate) fn is_background(found: &Found) -> bool {
    found.text(BACKGROUND) == Some("true")
}

/// Whether a request names no model.
pub(crate) fn names_no_model(found: &Found) -> bool {
    found.member(MODEL).is_none_or(is_unnamed)
}

fn is_unnamed(model: &Member) -> bool {
    model.text.as_deref() == Some(b"\"\"")
}

/// The name of a model: it is told back in headers, so it must be what a header can hold.
pub(crate) fn model_name(model: &Member) -> Result<String, Error> {
    let text = model.text.as_deref().unwrap_or_default();
    let within = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
    // Hardly any name has a character that is written otherwise than it is.
    let plain = within.filter(|name| !name.contains(&b'\\')).and_then(|name| core::str::from_utf8(name).ok());
    let name = plain.map_or_else(|| json::read(&json::text(text)).unwrap_or_default(), String::from);
    checked_name(name)
}

/// The same for a name that stands elsewhere.
pub(crate) fn checked_name(name: String) -> Result<String, Error> {
    if (1..=MAX_MODEL).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(name);
    }
    Err(Error::refusing("`model` must be a name of 1 to 256 ASCII characters.", "model"))
}

/// Whether a request offers tools.
pub(super) fn has_tools(found: &Found) -> bool {
    found.member(TOOLS).is_some_and(|tools| !is_nothing(tools))
}

/// Whether a list is empty or `null`.
fn is_nothing(list: &Member) -> bool {
    // A longer one is not kept.
    let Some(text) = list.text.as_deref() else { return false };
    let inner = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]"));
    inner.map_or(text == b"null", |inner| inner.trim_ascii().is_empty())
}

#[cfg(test)]
mod tests;
