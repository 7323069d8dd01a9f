//! What was said, as far as the file asks for it to be kept: the beginning of a request's body and of its answer, as the client sent the
//! one and received the other, beside the record in the ring of the last requests, and nowhere else.
//!
//! What the file wants left out is left out byte by byte on the way in ([`redact`]), before anything is kept, so that no cut and no chunk
//! comes between. Only text is kept. Memory is bounded: so many bytes of each, however long it is.

mod redact;

use alloc::{rc::Rc, string::String, vec::Vec};

use self::redact::Redactor;
use crate::{
    config::{self, Log},
    json::Composed,
};

/// What is kept, and what is left out of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    request: bool,
    response: bool,
    /// Of each so many bytes.
    most: usize,
    /// Fields whose values are left out.
    names: Vec<String>,
}

impl Terms {
    /// What the file says; nothing where nothing is kept.
    pub(crate) fn of(log: &Log) -> Option<Rc<Self>> {
        let (request, response) = match log.content {
            _ if log.ring == 0 => return None,
            config::Content::None => return None,
            config::Content::Request => (true, false),
            config::Content::Response => (false, true),
            config::Content::Both => (true, true),
        };
        let most = usize::try_from(log.max_content).unwrap_or(usize::MAX);
        Some(Rc::new(Self { request, response, most, names: log.redact.clone() }))
    }
}

/// What is kept of one exchange so far.
#[derive(Debug)]
pub(crate) struct Content {
    terms: Rc<Terms>,
    request: Option<Excerpt>,
    response: Option<Excerpt>,
}

impl Content {
    pub(crate) const fn new(terms: Rc<Terms>) -> Self {
        Self { terms, request: None, response: None }
    }

    /// Whether anything of the answer is wanted.
    pub(crate) fn wants_response(&self) -> bool {
        self.terms.response
    }

    /// A piece of a request's body has come, which is read as JSON.
    pub(crate) fn request(&mut self, piece: &[u8]) {
        if self.terms.request {
            self.request.get_or_insert_with(Excerpt::of_document).push(piece, &self.terms);
        }
    }

    /// An answer of this media type is about to come: whether it is kept.
    pub(crate) fn expect_response(&mut self, media_type: &[u8]) {
        let is_text = media_type.is_empty() || is_text(media_type);
        self.response = (self.terms.response && is_text).then(Excerpt::default);
    }

    /// Whether more of the answer is wanted.
    pub(crate) fn has_room(&self) -> bool {
        self.response.as_ref().is_some_and(|excerpt| excerpt.text.len() <= self.terms.most)
    }

    /// A piece of the answer is on its way to the client.
    pub(crate) fn response(&mut self, piece: &[u8]) {
        if let Some(excerpt) = &mut self.response {
            excerpt.push(piece, &self.terms);
        }
    }

    /// The gateway answers by itself.
    pub(crate) fn reply(&mut self, body: &[u8]) {
        self.expect_response(b"");
        self.response(body);
    }

    /// All of it, as an object; nothing where there is nothing. What names a credential, as `is_secret` tells, is withheld.
    pub(crate) fn to_json(&self, is_secret: &dyn Fn(&[u8]) -> bool) -> Option<String> {
        let mut out = Composed::default();
        for (name, excerpt) in [("request", &self.request), ("response", &self.response)] {
            if let Some(excerpt) = excerpt.as_ref().filter(|excerpt| !excerpt.text.is_empty()) {
                out.json(name, &excerpt.to_json(self.terms.most, is_secret));
            }
        }
        Some(out.end()).filter(|text| text != "{}")
    }
}

/// The beginning of a text, without what is to be left out.
#[derive(Debug, Default)]
struct Excerpt {
    redactor: Redactor,
    /// One byte more than are kept says that there are more.
    text: Vec<u8>,
}

impl Excerpt {
    fn of_document() -> Self {
        Self { redactor: Redactor::of_document(), text: Vec::new() }
    }

    fn push(&mut self, piece: &[u8], terms: &Terms) {
        for byte in piece {
            if self.text.len() > terms.most {
                return;
            }
            self.redactor.pass(*byte, &terms.names, &mut self.text);
        }
    }

    fn to_json(&self, most: usize, is_secret: &dyn Fn(&[u8]) -> bool) -> String {
        let mut out = Composed::default();
        if is_secret(&self.text) {
            out.flag("withheld", true);
            return out.end();
        }
        let (mut text, mut rest) = (String::with_capacity(self.text.len()), &*self.text);
        while !rest.is_empty() {
            let (valid, invalid) = match str::from_utf8(rest) {
                Ok(valid) => (valid, 0),
                Err(error) => {
                    let valid = rest.get(..error.valid_up_to()).and_then(|valid| str::from_utf8(valid).ok());
                    (valid.unwrap_or_default(), error.error_len().unwrap_or(rest.len()))
                }
            };
            text.push_str(valid);
            if invalid > 0 {
                text.push(char::REPLACEMENT_CHARACTER);
            }
            rest = rest.get(valid.len().saturating_add(invalid)..).unwrap_or_default();
        }
        let is_cut = text.len() > most;
        // What stands for a character that was cut is behind the bound, too.
        text.truncate(text.floor_char_boundary(most));
        out.text("text", &text);
        if is_cut {
            out.flag("cut", true);
        }
        out.end()
    }
}

/// Whether what calls itself this can be read.
fn is_text(media_type: &[u8]) -> bool {
    let essence = media_type.split(|byte| *byte == b';').next().unwrap_or_default().to_ascii_lowercase();
    essence.starts_with(b"text/") || essence.windows(4).any(|part| part == b"json")
}

#[cfg(test)]
mod tests {
    use alloc::{borrow::ToOwned, format};

    use super::*;

    fn terms(most: usize) -> Rc<Terms> {
        Rc::new(Terms { request: true, response: true, most, names: ["email".to_owned()].into() })
    }

    fn kept(most: usize, text: &[u8], size: usize) -> String {
        let mut content = Content::new(terms(most));
        text.chunks(size).for_each(|piece| content.request(piece));
        content.to_json(&|_| false).unwrap_or_default()
    }

    #[test]
    fn what_is_kept_is_cut_between_characters_and_says_so() {
        let text = r#"{"a":"äöü"}"#;
        for (most, expected) in [
            (14, r#"{"text":"{\"a\":\"äöü\"}"}"#.to_owned()),
            (13, r#"{"text":"{\"a\":\"äöü\"","cut":true}"#.to_owned()),
            (9, r#"{"text":"{\"a\":\"ä","cut":true}"#.to_owned()),
            (7, r#"{"text":"{\"a\":\"","cut":true}"#.to_owned()),
        ] {
            for size in 1..=text.len() {
                assert_eq!(kept(most, text.as_bytes(), size), format!(r#"{{"request":{expected}}}"#), "{most} {size}");
            }
        }
    }

    #[test]
    fn what_is_left_out_is_left_out_at_any_chunk_and_at_any_bound() {
        let text = r#"{"to":{"email":"ann@secret.example","n":1},"x":"y"}"#;
        let whole = r#"{"to":{"email":"[redacted]","n":1},"x":"y"}"#;
        for most in 1..=text.len() {
            for size in [1, 2, 3, 7, text.len()] {
                let kept = kept(most, text.as_bytes(), size);
                assert!(!kept.contains("ann") && !kept.contains("secret"), "{most} {size} {kept}");
                let part = crate::json::quoted(whole.get(..most.min(whole.len())).unwrap());
                assert!(kept.contains(&part), "{most} {size} {kept}");
            }
        }
    }

    #[test]
    fn only_text_is_kept_and_nothing_that_names_a_credential() {
        let answered = |media: &[u8], body: &[u8]| {
            let mut content = Content::new(terms(100));
            content.expect_response(media);
            content.response(body);
            content.to_json(&|text| text.starts_with(b"sk-"))
        };
        for media in [&b"application/json; charset=utf-8"[..], b"", b"text/event-stream", b"application/x-ndjson"] {
            assert_eq!(answered(media, b"hi").as_deref(), Some(r#"{"response":{"text":"hi"}}"#));
        }
        for media in [&b"audio/mpeg"[..], b"application/octet-stream", b"image/png"] {
            assert_eq!(answered(media, b"hi"), None);
        }
        assert_eq!(answered(b"text/plain", b"sk-upstream").as_deref(), Some(r#"{"response":{"withheld":true}}"#));
        assert_eq!(answered(b"text/plain", b"a\xffb").as_deref(), Some("{\"response\":{\"text\":\"a\u{fffd}b\"}}"));
        let mut content = Content::new(terms(4));
        content.reply(b"{\"error\":1}");
        assert!(!content.has_room());
        assert_eq!(content.to_json(&|_| false).unwrap(), r#"{"response":{"text":"{\"er","cut":true}}"#);
    }

    #[test]
    fn nothing_is_kept_unless_the_file_says_so() {
        let of = |log: &str| {
            let file = format!(r#"{{"providers":{{"a":{{"kind":"openai"}}}},"log":{log}}}"#);
            Terms::of(&config::parse(&file).unwrap().log)
        };
        assert_eq!(of("{}"), None);
        assert_eq!(of(r#"{"redact":["email"]}"#), None);
        assert_eq!(of(r#"{"content":"both","ring":0}"#), None, "it would be kept nowhere");
        let terms = of(r#"{"content":"response","max_content":"1KiB","redact":["email"]}"#).unwrap();
        let mut content = Content::new(Rc::clone(&terms));
        content.request(b"{}");
        assert!(content.wants_response());
        assert_eq!((terms.most, content.to_json(&|_| false)), (1_024, None));
    }
}
