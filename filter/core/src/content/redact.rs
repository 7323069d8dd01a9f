//! Leaves values out of JSON as it passes: those of fields with certain names, at any depth, in a document and in a stream of events.
//!
//! A machine of bytes, and no parser: what passes may be cut, malformed, or no JSON at all, and must come out all the same, without
//! what is to be left out of it. A text is a name if a colon follows; then the value behind that goes, whatever it is, and [`MARK`] stands
//! in its place. Nothing is held back but an escape.
//!
//! Texts may have JSON in them, as the arguments of a tool's call do. So what a text says is watched in the same manner, one level deep;
//! and in a stream, where such a text comes in pieces, a field of [`IN_PIECES`] goes on where its last piece ended.

use alloc::{string::String, vec::Vec};

/// Stands in place of a value; within a text it is escaped as the text is.
const MARK: &[u8] = br#""[redacted]""#;
const MARK_WITHIN: &[u8] = br#"\"[redacted]\""#;

/// Credentials that requests hand on to tools and servers: left out whatever the file says.
const CREDENTIALS: &[&str] = &[
    "access_token",
    "api-key",
    "api_key",
    "apikey",
    "authorization",
    "authorization_token",
    "client_secret",
    "x-api-key",
    "x-goog-api-key",
];

/// Fields that a stream tells in pieces, which may be those of a document.
const IN_PIECES: &[&str] = &["arguments", "content", "delta", "input", "partial_json", "text"];

/// Longest name that is known, in bytes: 128 characters.
const MOST_NAME: usize = 512;

/// What becomes of a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Dropped,
    /// It begins a value that is left out.
    Marked,
    /// The same, in a document within a text.
    MarkedWithin,
    /// Those that follow tell.
    Held,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Redactor {
    outer: Lexer,
    /// Documents within texts: that of a text by itself, and those that come in pieces, by the field.
    within: [Lexer; 1 + IN_PIECES.len()],
    held: Vec<u8>,
    /// Whether lines of events pass, and no document; nothing until something has.
    is_stream: Option<bool>,
    /// Whether the line that passes is empty so far.
    is_blank: bool,
}

/// Where a document is.
#[derive(Debug, Default)]
struct Lexer {
    state: State,
    escape: Escape,
    /// What the text says that is being read, or was last; longer than any name where it is.
    name: Vec<u8>,
    /// Which of the documents within texts the next text goes on with, if it is the value of the last name.
    place: usize,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    Between,
    /// In a text.
    Text,
    /// Behind one.
    Named,
    /// Behind a colon and a name whose value is left out.
    Due,
    /// In such a value, a text.
    DroppedText,
    /// In one that is a number or a word.
    DroppedBare,
    /// In one that is a list or an object, so deep; and whether in a text of it.
    DroppedNest(u32, bool),
}

impl Redactor {
    /// For what is a document, whatever it begins with.
    pub(super) fn of_document() -> Self {
        Self { is_stream: Some(false), ..Self::default() }
    }

    /// The next byte passes.
    pub(super) fn pass(&mut self, byte: u8, names: &[String], out: &mut Vec<u8>) {
        if self.is_stream.is_none() && !byte.is_ascii_whitespace() {
            self.is_stream = Some(!matches!(byte, b'{' | b'['));
        }
        // An event ends there, however broken it is.
        if byte == b'\n' {
            if self.is_blank && self.is_stream == Some(true) {
                self.outer = Lexer::default();
            }
            self.is_blank = true;
        } else if byte != b'\r' {
            self.is_blank = false;
        }
        self.held.push(byte);
        match self.fate(byte, names) {
            Fate::Held => return,
            Fate::Kept => out.append(&mut self.held),
            Fate::Dropped => {}
            Fate::Marked => out.extend_from_slice(MARK),
            Fate::MarkedWithin => out.extend_from_slice(MARK_WITHIN),
        }
        self.held.clear();
    }

    fn fate(&mut self, byte: u8, names: &[String]) -> Fate {
        let Self { outer, within, is_stream, .. } = self;
        let was_text = matches!(outer.state, State::Text);
        let (fate, said) = outer.read(byte, names);
        let place = if *is_stream == Some(true) { outer.place } else { 0 };
        let Some(inner) = within.get_mut(place) else { return fate };
        if !was_text && matches!(outer.state, State::Text) && place == 0 {
            *inner = Lexer::default();
        }
        match said {
            Some(said) => {
                let mut bytes = said.as_bytes().iter().map(|byte| inner.read(*byte, names).0);
                let first = bytes.next();
                bytes.for_each(drop);
                match first {
                    Some(Fate::Marked) => Fate::MarkedWithin,
                    Some(Fate::Held) | None => Fate::Kept,
                    Some(fate) => fate,
                }
            }
            None => fate,
        }
    }
}

impl Lexer {
    /// The next byte; and what it says, if it is a text's or the end of an escape in one.
    fn read(&mut self, byte: u8, names: &[String]) -> (Fate, Option<Said>) {
        let fate = match self.state {
            State::Text => return self.read_text(byte),
            State::Between => {
                self.look(byte);
                Fate::Kept
            }
            State::Named => {
                if byte == b':' {
                    self.place = 0;
                    self.state = State::Between;
                    if is_left_out(&self.name, names) {
                        self.state = State::Due;
                    } else if let Some(place) = IN_PIECES.iter().position(|name| name.as_bytes() == self.name) {
                        self.place = place.saturating_add(1);
                    }
                } else if !byte.is_ascii_whitespace() {
                    self.look(byte);
                }
                Fate::Kept
            }
            State::Due => {
                self.state = match byte {
                    b' ' | b'\t' | b'\r' | b'\n' => return (Fate::Kept, None),
                    b',' | b'}' | b']' => State::Between,
                    b'"' => State::DroppedText,
                    b'{' | b'[' => State::DroppedNest(1, false),
                    _ => State::DroppedBare,
                };
                if matches!(self.state, State::Between) { Fate::Kept } else { Fate::Marked }
            }
            State::DroppedText => {
                if self.escape.ends_text(byte) {
                    self.state = State::Between;
                }
                Fate::Dropped
            }
            State::DroppedBare => match byte {
                b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n' => {
                    self.state = State::Between;
                    Fate::Kept
                }
                _ => Fate::Dropped,
            },
            State::DroppedNest(depth, is_text) => {
                self.state = match byte {
                    _ if is_text => State::DroppedNest(depth, !self.escape.ends_text(byte)),
                    b'"' => State::DroppedNest(depth, true),
                    b'{' | b'[' => State::DroppedNest(depth.saturating_add(1), false),
                    b'}' | b']' if depth <= 1 => State::Between,
                    b'}' | b']' => State::DroppedNest(depth.saturating_sub(1), false),
                    _ => self.state,
                };
                Fate::Dropped
            }
        };
        (fate, None)
    }

    /// A byte outside of texts.
    fn look(&mut self, byte: u8) {
        self.state = if byte == b'"' { State::Text } else { State::Between };
        if byte == b'"' {
            self.name.clear();
            self.escape = Escape::default();
        } else if !byte.is_ascii_whitespace() {
            self.place = 0;
        }
    }

    fn read_text(&mut self, byte: u8) -> (Fate, Option<Said>) {
        if self.escape.is_idle() && matches!(byte, b'"' | b'\n') {
            // No text has an end of line in it: the quote before it was none of JSON's.
            self.state = if byte == b'"' { State::Named } else { State::Between };
            return (Fate::Kept, None);
        }
        let Some(said) = self.escape.read(byte) else { return (Fate::Held, None) };
        if self.name.len() <= MOST_NAME {
            self.name.extend_from_slice(said.as_bytes());
        }
        (Fate::Kept, Some(said))
    }
}

/// Whether a field of this name has a value that is left out.
fn is_left_out(name: &[u8], names: &[String]) -> bool {
    let mut all = CREDENTIALS.iter().copied().chain(names.iter().map(String::as_str));
    all.any(|other| other.as_bytes().eq_ignore_ascii_case(name))
}

/// An escape that is being read.
#[derive(Debug, Clone, Copy, Default)]
struct Escape {
    /// How many of its bytes have come.
    length: u8,
    code: u32,
    /// The first half of a character that has two escapes.
    high: u32,
}

/// What a text says next: a character, or a byte of one.
#[derive(Debug, Clone, Copy)]
struct Said {
    bytes: [u8; 4],
    length: usize,
}

impl Said {
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn byte(byte: u8) -> Self {
        Self { bytes: [byte, 0, 0, 0], length: 1 }
    }

    fn character(character: char) -> Self {
        let mut bytes = [0; 4];
        let length = character.encode_utf8(&mut bytes).len();
        Self { bytes, length }
    }
}

impl Escape {
    const fn is_idle(self) -> bool {
        self.length == 0
    }

    /// Whether this byte ends the text.
    fn ends_text(&mut self, byte: u8) -> bool {
        let is_end = self.is_idle() && byte == b'"';
        // What follows a backslash is skipped; four digits end no text.
        self.length = u8::from(self.is_idle() && byte == b'\\');
        is_end
    }

    /// The next byte; what it says, unless more is to come.
    fn read(&mut self, byte: u8) -> Option<Said> {
        match (self.length, byte) {
            (0, b'\\') => self.length = 1,
            (0, _) => {
                self.high = 0;
                return Some(Said::byte(byte));
            }
            (1, b'u') => (self.length, self.code) = (2, 0),
            (1, _) => {
                self.length = 0;
                return Some(Said::byte(match byte {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'b' => 8,
                    b'f' => 12,
                    other => other,
                }));
            }
            _ => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                self.code = self.code << 4 | digit;
                self.length = self.length.saturating_add(1);
                if self.length == 6 {
                    self.length = 0;
                    return self.coded();
                }
            }
        }
        None
    }

    /// What an escape by a number says. Of a character that has two, the first says nothing yet.
    fn coded(&mut self) -> Option<Said> {
        let high = core::mem::take(&mut self.high);
        let code = match self.code {
            0xd800..=0xdbff => {
                self.high = self.code;
                return None;
            }
            0xdc00..=0xdfff if high > 0 => 0x1_0000_u32.saturating_add((high & 0x3ff) << 10 | self.code & 0x3ff),
            code => code,
        };
        Some(Said::character(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "a test compares documents by meaning")]
mod tests {
    use alloc::{borrow::ToOwned, string::ToString};

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn passed(mut redactor: Redactor, text: &str) -> String {
        let names = ["email".to_owned(), "naïve 🦀".to_owned()];
        let mut out = Vec::new();
        text.bytes().for_each(|byte| redactor.pass(byte, &names, &mut out));
        String::from_utf8(out).unwrap()
    }

    fn of_document(text: &str) -> String {
        passed(Redactor::of_document(), text)
    }

    #[test]
    fn a_value_of_any_kind_goes_and_what_stands_around_it_stays_as_it_was() {
        for (text, expected) in [
            (r#"{"email": "a\"}, \\", "x":1}"#, r#"{"email": "[redacted]", "x":1}"#),
            (r#"{"email":12.5e3}"#, r#"{"email":"[redacted]"}"#),
            (r#"{ "email" : null , "x" : [ ] }"#, r#"{ "email" : "[redacted]" , "x" : [ ] }"#),
            (r#"[{"email":{"a":["]}",{}],"b":"\""}},"email"]"#, r#"[{"email":"[redacted]"},"email"]"#),
            ("{\"Email\":[1,\n\n2]}", "{\"Email\":\"[redacted]\"}"),
            (r#"{"e\u006dail":"x"}"#, r#"{"e\u006dail":"[redacted]"}"#),
            (
                r#"{"na\u00efve \ud83e\udd80":"x","naïve 🦀":"y"}"#,
                r#"{"na\u00efve \ud83e\udd80":"[redacted]","naïve 🦀":"[redacted]"}"#,
            ),
            (
                r#"{"emails":"x","a":"email","b":{"email":"x"}}"#,
                r#"{"emails":"x","a":"email","b":{"email":"[redacted]"}}"#,
            ),
            (
                r#"{"tools":[{"authorization":"t","headers":{"X-API-Key":"k"}}]}"#,
                r#"{"tools":[{"authorization":"[redacted]","headers":{"X-API-Key":"[redacted]"}}]}"#,
            ),
        ] {
            assert_eq!(of_document(text), expected);
        }
    }

    #[test]
    fn what_a_text_has_in_it_goes_too() {
        let said = json!({"email": "ann \"x\" 🦀", "n": {"email": [1, "é"]}, "z": "email"}).to_string();
        let told = of_document(&json!({"arguments": said, "b": "email: \"x\""}).to_string());
        let told: Value = serde_json::from_str(&told).unwrap();
        let expected = json!({"email": "[redacted]", "n": {"email": "[redacted]"}, "z": "email"}).to_string();
        assert_eq!(told, json!({"arguments": expected, "b": "email: \"x\""}));
        let escaped = r#"{"a":"{\u0022email\u0022:\u0022ann \ud83e\udd80 z\u0022,\"x\":1}"}"#;
        assert_eq!(of_document(escaped), r#"{"a":"{\u0022email\u0022:\"[redacted]\",\"x\":1}"}"#);
    }

    #[test]
    fn an_event_ends_what_is_open_in_it_and_a_text_in_pieces_goes_on() {
        let stream = "data: {\"email\":\"ann\n\ndata: {\"x\":\"y\"}\r\n\r\n: it's \" so\ndata: {\"email\":\"ann\"}\n\n";
        let expected = "data: {\"email\":\"[redacted]\"\n\ndata: {\"x\":\"y\"}\r\n\r\n: it's \" so\ndata: {\"email\":\"[redacted]\"}\n\n";
        assert_eq!(passed(Redactor::default(), stream), expected.replacen("\"[redacted]\"\n", "\"[redacted]\"", 1));
        let said = json!({"email": "ann@x", "n": 1}).to_string();
        for size in 1..said.len() {
            let mut text = String::new();
            for piece in said.as_bytes().chunks(size) {
                let delta = json!({"delta": {"arguments": str::from_utf8(piece).unwrap()}, "id": "call \"1"});
                text.extend(["data: ", &delta.to_string(), "\n\n"]);
            }
            let told = passed(Redactor::default(), &text);
            let pieces = told.lines().filter_map(|line| line.strip_prefix("data: "));
            let whole: String = pieces
                .map(|json| {
                    serde_json::from_str::<Value>(json).unwrap()["delta"]["arguments"].as_str().unwrap().to_owned()
                })
                .collect();
            assert_eq!(whole, json!({"email": "[redacted]", "n": 1}).to_string(), "{size}");
        }
    }

    fn redacted(value: &Value) -> Value {
        match value {
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| {
                    let value = if name == "email" { json!("[redacted]") } else { redacted(value) };
                    (name.clone(), value)
                })
                .collect(),
            Value::Array(values) => values.iter().map(redacted).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            "[a\\\\é\n]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            let name = prop_oneof![Just("email".to_owned()), "[a\\\\]{0,3}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((name, inner), 0..4).prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn of_any_document_these_values_go_and_nothing_else(document in documents(), is_pretty in any::<bool>()) {
            let text = if is_pretty { serde_json::to_string_pretty(&document).unwrap() } else { document.to_string() };
            let told: Value = serde_json::from_str(&of_document(&text)).unwrap();
            prop_assert_eq!(told, redacted(&document));
        }

        #[test]
        fn what_is_no_document_passes_without_a_panic(text in "\\PC{0,64}|[{}\\[\\]\":,\\\\u\n e-m]{0,64}") {
            let _ = (passed(Redactor::default(), &text), of_document(&text));
        }
    }
}
