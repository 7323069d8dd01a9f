//! Vectors of texts: what of `OpenAI`'s `/embeddings` others can do.
//!
//! Neither a text nor a number is decoded on its way: texts go into the other request as they were written, and numbers into the
//! answer as their provider wrote them. Only who asks for base64, as `OpenAI`'s own SDKs do unless told otherwise, gets them as the
//! four bytes that each stands for.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use serde_json::value::RawValue;

use super::append;
use crate::{
    dialect::{
        Aim, Broken, Dropped, Written,
        openai_chat::{ENCODING_FORMAT, INPUT},
        typed,
    },
    error::Error,
    json::{Found, Str, members},
    usage::Usage,
};

/// How a dialect makes vectors.
#[derive(Debug)]
pub struct Embedder {
    /// Writes a request.
    pub write: fn(&Request<'_>, &Aim<'_>) -> Written,
    /// Reads an answer.
    pub read: for<'a> fn(&'a str) -> Result<Response<'a>, Broken>,
}

/// A request.
#[derive(Debug)]
pub struct Request<'a> {
    /// The texts, as written: JSON strings.
    pub texts: Vec<&'a RawValue>,
    /// How long each vector shall be: a number.
    pub dimensions: Option<&'a RawValue>,
    /// What else it says.
    pub others: Vec<(Str<'a>, &'a RawValue)>,
}

/// An answer.
#[derive(Debug)]
pub struct Response<'a> {
    /// A vector for each text, as written: a list of numbers.
    pub vectors: Vec<&'a RawValue>,
    /// Its tokens, where they are told.
    pub usage: Option<Usage>,
}

/// What of a request matters for who can answer it, and for the answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    is_base64: bool,
    /// Whether a text is said in numbers of a tokenizer's.
    has_tokens: bool,
    /// How many vectors there are to be.
    count: usize,
}

const TEXTS_ONLY: &str = "This model embeds texts and no token numbers: `input` must be a text or a list of texts.";

impl Wanted {
    pub(super) fn of(found: &Found, body: Option<&[u8]>) -> Self {
        let input = found.member(INPUT);
        let written = input.and_then(|input| body?.get(input.span.clone()));
        let list = written.and_then(|written| written.strip_prefix(b"["));
        let first = list.and_then(|list| list.trim_ascii_start().first());
        Self {
            is_base64: found.text(ENCODING_FORMAT) == Some(r#""base64""#),
            has_tokens: first.is_some_and(|first| *first == b'[' || first.is_ascii_digit()),
            count: input.map_or(1, |input| usize::try_from(input.parts).unwrap_or(usize::MAX).max(1)),
        }
    }

    pub(super) fn check(self) -> Result<(), Error> {
        if self.has_tokens { Err(Error::refusing(TEXTS_ONLY, "input")) } else { Ok(()) }
    }

    /// The answer; `None` where it is not for each text a vector.
    pub(super) fn write(self, vectors: &[&RawValue], tokens: u64, model: &str) -> Option<Vec<u8>> {
        let length = vectors.iter().fold(256, |sum: usize, vector| sum.saturating_add(vector.get().len()));
        let mut out = String::with_capacity(length);
        out.push_str(r#"{"object":"list","data":["#);
        for (index, vector) in vectors.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            append(&mut out, &[comma, r#"{"object":"embedding","index":"#, &index.to_string(), r#","embedding":"#]);
            if self.is_base64 {
                push_base64(&mut out, vector.get())?;
            } else {
                out.push_str(vector.get());
            }
            out.push('}');
        }
        let (model, tokens) = (quoted(model), tokens.to_string());
        let usage = [r#","usage":{"prompt_tokens":"#, &tokens, r#","total_tokens":"#, &tokens, "}}"].concat();
        append(&mut out, &[r#"],"model":"#, &model, &usage]);
        (vectors.len() == self.count).then(|| out.into_bytes())
    }
}

/// A text as JSON.
#[must_use]
pub fn quoted(text: &str) -> String {
    // A text can always be written.
    serde_json::to_string(text).unwrap_or_default()
}

/// A member of an object.
#[must_use]
pub fn member<'a>(members: &[(Str<'a>, &'a RawValue)], name: &str) -> Option<&'a RawValue> {
    members.iter().find(|(other, _)| &**other == name).map(|(_, value)| *value)
}

/// Reads a request.
///
/// # Errors
/// A field that is no such thing, or that only a provider of `OpenAI`'s dialect can do.
pub(super) fn read(body: &str) -> Result<Request<'_>, Error> {
    let mut request = Request { texts: Vec::new(), dimensions: None, others: Vec::new() };
    for (name, value) in members(body).unwrap_or_default() {
        match (&*name, value.get()) {
            ("model", _) | (_, "null") | ("encoding_format", r#""float""# | r#""base64""#) => {}
            ("input", _) => request.texts = texts(value)?,
            ("dimensions", _) => {
                typed::<u64>("dimensions", value)?;
                request.dimensions = Some(value);
            }
            ("encoding_format", _) => {
                return Err(Error::refusing("`encoding_format` must be `float` or `base64`.", "encoding_format"));
            }
            _ => request.others.push((name, value)),
        }
    }
    if request.texts.is_empty() {
        return Err(Error::refusing("`input` must be a text, or a list of at least one.", "input"));
    }
    Ok(request)
}

fn texts(input: &RawValue) -> Result<Vec<&RawValue>, Error> {
    let is_text = |text: &&RawValue| text.get().starts_with('"');
    let texts = if input.get().starts_with('[') { typed("input", input)? } else { alloc::vec![input] };
    if texts.iter().all(is_text) { Ok(texts) } else { Err(Error::refusing(TEXTS_ONLY, "input")) }
}

impl<'a> Request<'a> {
    /// What else it says under this name.
    #[must_use]
    pub fn other(&self, name: &str) -> Option<&'a RawValue> {
        member(&self.others, name)
    }

    /// What of it is left out where these other names are known.
    #[must_use]
    pub fn dropped(&self, known: &[&str]) -> Dropped {
        let mut dropped = Dropped::default();
        let unknown = self.others.iter().filter(|(name, _)| !known.contains(&&**name));
        unknown.for_each(|(name, _)| dropped.note(name));
        dropped
    }
}

/// Appends a list of numbers as base64 of four bytes for each, the least first; `None` where it is none.
fn push_base64(out: &mut String, numbers: &str) -> Option<()> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let list = numbers.trim().strip_prefix('[')?.strip_suffix(']')?;
    let mut bytes = Vec::with_capacity(list.len() / 2);
    for number in list.split(',') {
        bytes.extend_from_slice(&number.trim().parse::<f32>().ok()?.to_le_bytes());
    }
    out.push('"');
    for group in bytes.chunks(3) {
        let byte = |index: usize| group.get(index).copied().unwrap_or_default();
        let [first, second, third] = [byte(0), byte(1), byte(2)];
        let sextets = [first >> 2, first << 4 | second >> 4, second << 2 | third >> 6, third];
        for (index, sextet) in sextets.into_iter().enumerate() {
            let letter = LETTERS.get(usize::from(sextet & 63)).copied().unwrap_or_default();
            out.push(if index > group.len() { '=' } else { char::from(letter) });
        }
    }
    out.push('"');
    Some(())
}
