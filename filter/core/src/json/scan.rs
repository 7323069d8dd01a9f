//! An incremental, validating scan of one JSON object that reports the top-level members named beforehand.
//!
//! It accepts exactly what RFC 8259 allows (a property holds it against `serde_json`), refuses a wanted name that stands
//! twice (two parsers would disagree on which one counts; escapes in names are decoded first), and refuses nesting deeper
//! than [`MAX_DEPTH`], because whoever reads the body next may recurse. Memory is bounded: what is kept is one name and the
//! text of wanted values up to 16 KiB each. Cutting the input anywhere changes nothing.
//!
//! Nearly all bytes of a large body stand inside strings, so strings have a fast path: blocks of 32 bytes are tested as a
//! whole, in a form that compilers turn into vector instructions.

use alloc::vec::Vec;
use core::ops::Range;

/// Objects and arrays open at one time; a bit each in [`Scanner::kinds`].
pub const MAX_DEPTH: u32 = 128;

/// Longest text kept of one wanted value.
const MAX_CAPTURE: usize = 16 * 1024;

/// Longest spelling of a name that can still be a wanted one: every character written as `\uXXXX`.
const MAX_NAME: usize = 6 * 40;

/// A wanted member that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its place in the list of wanted names.
    pub index: usize,
    /// Where its name stands in the document, with its quotes.
    pub name: Range<usize>,
    /// Where its value stands in the document.
    pub span: Range<usize>,
    /// What to cut out to remove it: name and value, with one comma where there are other members.
    pub whole: Range<usize>,
    /// The value as written; `None` when longer than 16 KiB.
    pub text: Option<Vec<u8>>,
}

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Where the object's `{` stands.
    pub open: usize,
    /// The wanted members, in the order written.
    pub members: Vec<Member>,
}

/// Why a document was refused, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// What is wrong.
    pub fault: Fault,
    /// Byte offset of the first byte that cannot stand where it does; the document's length when it ends too early.
    pub offset: usize,
}

/// What is wrong with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It ends inside a value.
    Truncated,
    /// There is nothing but white space.
    Empty,
    /// A byte stands where the grammar does not allow it.
    Syntax,
    /// A string is not UTF-8.
    Utf8,
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// The document is valid so far but not an object.
    NotAnObject,
    /// The wanted name with this index stands twice.
    Duplicate(usize),
}

/// The scan; see the module's documentation.
#[derive(Debug)]
pub struct Scanner {
    wanted: &'static [&'static str],
    state: State,
    depth: u32,
    /// Bit `d` is set when the container at depth `d` is an object.
    kinds: u128,
    offset: usize,
    name: Vec<u8>,
    /// Of the last top-level name: where it stands, and the comma before it.
    name_span: Range<usize>,
    comma: Option<usize>,
    current: Option<Current>,
    found: Found,
}

/// The wanted value being read: its index, where it starts, and its text so far.
#[derive(Debug)]
struct Current {
    index: usize,
    start: usize,
    text: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the document's first byte that counts.
    Start,
    /// A value must follow.
    Value,
    /// A value or `]` must follow.
    FirstElement,
    /// A name or `}` must follow.
    FirstName,
    /// A name must follow.
    Name,
    /// `:` must follow.
    Colon,
    /// `,` or the container's end must follow.
    AfterValue,
    /// Inside a string.
    Text(Text),
    /// Inside a number.
    Number(Number),
    /// Inside `true`, `false` or `null`: what is left of it.
    Literal(&'static [u8]),
    /// After the document: only white space.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Text {
    is_name: bool,
    inside: Inside,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Plain,
    Escape,
    /// Hexadecimal digits still to come.
    Unicode(u8),
    /// Continuation bytes still to come, and what the next one may be (RFC 3629, table 3-7 of Unicode).
    Utf8 {
        left: u8,
        low: u8,
        high: u8,
    },
}

/// Where nearly all bytes of a large body stand.
const INSIDE_VALUE_TEXT: State = State::Text(Text { is_name: false, inside: Inside::Plain });

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

impl Scanner {
    /// A scan that looks for `wanted` members of the top-level object.
    #[must_use]
    pub fn new(wanted: &'static [&'static str]) -> Self {
        Self {
            wanted,
            state: State::Start,
            depth: 0,
            kinds: 0,
            offset: 0,
            name: Vec::new(),
            name_span: 0..0,
            comma: None,
            current: None,
            found: Found::default(),
        }
    }

    /// Reads the next piece of the document.
    ///
    /// # Errors
    /// The first fault. The scan must not be fed again after one.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), Failure> {
        let base = self.offset;
        let mut rest = piece;
        while let Some((&byte, after)) = rest.split_first() {
            let at = base.saturating_add(piece.len().saturating_sub(rest.len()));
            self.offset = at;
            if self.state == INSIDE_VALUE_TEXT && self.current.is_none() {
                let left = skip_plain(rest);
                if left.len() < rest.len() {
                    rest = left;
                    continue;
                }
            }
            self.step(byte, at)?;
            rest = after;
        }
        self.offset = base.saturating_add(piece.len());
        Ok(())
    }

    /// Ends the document and returns what was found.
    ///
    /// # Errors
    /// [`Fault::Empty`] or [`Fault::Truncated`].
    pub fn finish(self) -> Result<Found, Failure> {
        if self.state == State::End {
            return Ok(self.found);
        }
        let fault = if self.state == State::Start { Fault::Empty } else { Fault::Truncated };
        Err(Failure { fault, offset: self.offset })
    }

    fn step(&mut self, byte: u8, at: usize) -> Result<(), Failure> {
        let fail = |fault| Err(Failure { fault, offset: at });
        if let State::Number(number) = self.state {
            match number.next(byte) {
                Some(next) => {
                    self.capture(byte);
                    self.state = State::Number(next);
                    return Ok(());
                }
                // The byte after a number belongs to what follows.
                None if number.is_complete() => self.end_value(at),
                None => return fail(Fault::Syntax),
            }
        }
        if let State::Text(text) = self.state {
            return self.step_text(text, byte, at);
        }
        if let State::Literal(left) = self.state {
            return match left.split_first() {
                Some((&expected, left)) if expected == byte => {
                    self.capture(byte);
                    self.state = State::Literal(left);
                    if left.is_empty() {
                        self.end_value(at.saturating_add(1));
                    }
                    Ok(())
                }
                Some(_) | None => fail(Fault::Syntax),
            };
        }
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            // White space inside a wanted container is part of its text.
            self.capture(byte);
            return Ok(());
        }
        match (self.state, byte) {
            (State::Start, b'{') => {
                self.found.open = at;
                self.open(true, at)
            }
            (State::Start, b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => fail(Fault::NotAnObject),
            (State::FirstElement, b']') | (State::FirstName, b'}') | (State::AfterValue, b'}' | b']') => {
                self.close(byte, at)
            }
            (State::Value | State::FirstElement, _) => self.begin_value(byte, at),
            (State::FirstName | State::Name, b'"') => {
                self.capture(byte);
                self.name.clear();
                if self.depth == 1 {
                    self.name_span.start = at;
                }
                self.state = State::Text(Text { is_name: true, inside: Inside::Plain });
                Ok(())
            }
            (State::Colon, b':') => {
                self.capture(byte);
                self.state = State::Value;
                Ok(())
            }
            (State::AfterValue, b',') => {
                self.capture(byte);
                if self.depth == 1 {
                    self.see_comma(at);
                }
                self.state = if self.in_object() { State::Name } else { State::Value };
                Ok(())
            }
            _ => fail(Fault::Syntax),
        }
    }

    fn step_text(&mut self, text: Text, byte: u8, at: usize) -> Result<(), Failure> {
        let fail = |fault| Err(Failure { fault, offset: at });
        let inside = match (text.inside, byte) {
            (Inside::Plain, b'"') => {
                self.capture(byte);
                if text.is_name {
                    if self.depth == 1 {
                        self.name_span.end = at.saturating_add(1);
                    }
                    self.state = State::Colon;
                } else {
                    self.end_value(at.saturating_add(1));
                }
                return Ok(());
            }
            (Inside::Plain, b'\\') => Inside::Escape,
            (Inside::Plain, 0x20..=0x7f) | (Inside::Escape, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                Inside::Plain
            }
            (Inside::Plain, 0x80..) => match utf8_lead(byte) {
                Some(inside) => inside,
                None => return fail(Fault::Utf8),
            },
            (Inside::Escape, b'u') => Inside::Unicode(4),
            (Inside::Unicode(left), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => match left {
                0 | 1 => Inside::Plain,
                _ => Inside::Unicode(left.saturating_sub(1)),
            },
            (Inside::Plain | Inside::Escape | Inside::Unicode(_), _) => return fail(Fault::Syntax),
            (Inside::Utf8 { left, low, high }, _) if (low..=high).contains(&byte) => match left {
                0 | 1 => Inside::Plain,
                _ => Inside::Utf8 { left: left.saturating_sub(1), low: 0x80, high: 0xbf },
            },
            (Inside::Utf8 { .. }, _) => return fail(Fault::Utf8),
        };
        self.capture(byte);
        // One byte more than any wanted name can have says that it is none of them.
        if text.is_name && self.depth == 1 && self.name.len() <= MAX_NAME {
            self.name.push(byte);
        }
        self.state = State::Text(Text { inside, ..text });
        Ok(())
    }

    fn begin_value(&mut self, byte: u8, at: usize) -> Result<(), Failure> {
        if self.depth == 1
            && let Some(index) = self.wanted_name()
        {
            if self.found.members.iter().any(|member| member.index == index) {
                return Err(Failure { fault: Fault::Duplicate(index), offset: at });
            }
            self.current = Some(Current { index, start: at, text: Some(Vec::new()) });
        }
        self.state = match byte {
            b'{' => return self.open(true, at),
            b'[' => return self.open(false, at),
            b'"' => State::Text(Text { is_name: false, inside: Inside::Plain }),
            b'-' => State::Number(Number::Minus),
            b'0' => State::Number(Number::Zero),
            b'1'..=b'9' => State::Number(Number::Integer),
            b't' => State::Literal(b"rue"),
            b'f' => State::Literal(b"alse"),
            b'n' => State::Literal(b"ull"),
            _ => return Err(Failure { fault: Fault::Syntax, offset: at }),
        };
        self.capture(byte);
        Ok(())
    }

    fn open(&mut self, is_object: bool, at: usize) -> Result<(), Failure> {
        if self.depth >= MAX_DEPTH {
            return Err(Failure { fault: Fault::TooDeep, offset: at });
        }
        self.capture(if is_object { b'{' } else { b'[' });
        let bit = 1_u128.checked_shl(self.depth).unwrap_or(0);
        self.kinds = if is_object { self.kinds | bit } else { self.kinds & !bit };
        self.depth = self.depth.saturating_add(1);
        self.state = if is_object { State::FirstName } else { State::FirstElement };
        Ok(())
    }

    fn close(&mut self, byte: u8, at: usize) -> Result<(), Failure> {
        if self.in_object() != (byte == b'}') {
            return Err(Failure { fault: Fault::Syntax, offset: at });
        }
        self.capture(byte);
        self.depth = self.depth.saturating_sub(1);
        self.end_value(at.saturating_add(1));
        Ok(())
    }

    /// A value ends just before `end`.
    fn end_value(&mut self, end: usize) {
        self.state = if self.depth == 0 { State::End } else { State::AfterValue };
        if self.depth == 1
            && let Some(Current { index, start, text }) = self.current.take()
        {
            let name = self.name_span.clone();
            let whole = self.comma.unwrap_or(name.start)..end;
            self.found.members.push(Member { index, name, span: start..end, whole, text });
        }
    }

    /// A comma between two top-level members. The first member goes with the comma behind it, the others with the one
    /// before them.
    fn see_comma(&mut self, at: usize) {
        if self.comma.is_none()
            && let Some(first) = self.found.members.first_mut()
        {
            first.whole.end = at.saturating_add(1);
        }
        self.comma = Some(at);
    }

    fn in_object(&self) -> bool {
        let bit = 1_u128.checked_shl(self.depth.saturating_sub(1)).unwrap_or(0);
        self.kinds & bit != 0
    }

    fn capture(&mut self, byte: u8) {
        if let Some(Current { text, .. }) = &mut self.current
            && let Some(kept) = text
        {
            if kept.len() < MAX_CAPTURE {
                kept.push(byte);
            } else {
                *text = None;
            }
        }
    }

    fn wanted_name(&self) -> Option<usize> {
        let is = |name: &[u8]| self.wanted.iter().position(|wanted| wanted.as_bytes() == name);
        if !self.name.contains(&b'\\') {
            return is(&self.name);
        }
        let mut quoted = Vec::with_capacity(self.name.len().saturating_add(2));
        quoted.push(b'"');
        quoted.extend_from_slice(&self.name);
        quoted.push(b'"');
        let decoded: alloc::string::String = serde_json::from_slice(&quoted).ok()?;
        is(decoded.as_bytes())
    }
}

impl Number {
    fn next(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Minus, b'0') => Self::Zero,
            (Self::Minus, b'1'..=b'9') | (Self::Integer, b'0'..=b'9') => Self::Integer,
            (Self::Zero | Self::Integer, b'.') => Self::Point,
            (Self::Point | Self::Fraction, b'0'..=b'9') => Self::Fraction,
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Self::Exponent,
            (Self::Exponent, b'+' | b'-') => Self::ExponentSign,
            (Self::Exponent | Self::ExponentSign | Self::ExponentDigits, b'0'..=b'9') => Self::ExponentDigits,
            _ => return None,
        })
    }

    fn is_complete(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::ExponentDigits)
    }
}

fn utf8_lead(byte: u8) -> Option<Inside> {
    let (left, low, high) = match byte {
        0xc2..=0xdf => (1, 0x80, 0xbf),
        0xe0 => (2, 0xa0, 0xbf),
        0xe1..=0xec | 0xee | 0xef => (2, 0x80, 0xbf),
        0xed => (2, 0x80, 0x9f),
        0xf0 => (3, 0x90, 0xbf),
        0xf1..=0xf3 => (3, 0x80, 0xbf),
        0xf4 => (3, 0x80, 0x8f),
        _ => return None,
    };
    Some(Inside::Utf8 { left, low, high })
}

/// Whether a byte is ordinary ASCII text inside a string.
fn is_plain(byte: u8) -> bool {
    (0x20..0x80).contains(&byte) && byte != b'"' && byte != b'\\'
}

/// What is left of `bytes` from the first byte on that is not plain.
fn skip_plain(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk::<32>() {
        // No early exit inside the block: the whole test becomes a few vector instructions.
        if !block.iter().fold(true, |plain, &byte| plain & is_plain(byte)) {
            break;
        }
        rest = after;
    }
    let plain = rest.iter().take_while(|&&byte| is_plain(byte)).count();
    rest.get(plain..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::String, vec};
    use proptest::prelude::*;

    const WANTED: &[&str] = &["model", "stream"];

    fn scan(pieces: &[&[u8]]) -> Result<Vec<Member>, Failure> {
        let mut scanner = Scanner::new(WANTED);
        for piece in pieces {
            scanner.feed(piece)?;
        }
        scanner.finish().map(|found| found.members)
    }

    fn fault(document: &str) -> Fault {
        scan(&[document.as_bytes()]).unwrap_err().fault
    }

    #[test]
    fn finds_wanted_members_with_their_place_and_text() {
        let body = br#" {"messages":[{"model":"no"}], "model" : "gpt-4o" ,"stream":true}"#;
        let found = scan(&[body]).unwrap();
        let texts: Vec<_> = found.iter().map(|m| m.text.clone().unwrap()).collect();
        assert_eq!(texts, vec![br#""gpt-4o""#.to_vec(), b"true".to_vec()]);
        for member in &found {
            assert_eq!(member.text.as_deref(), body.get(member.span.clone()));
        }
    }

    #[test]
    fn a_member_can_be_cut_out_wherever_it_stands() {
        for (body, expected) in [
            (r#"{ "model" : 1 , "a":2}"#, r#"{  "a":2}"#),
            (r#"{"a":2 , "model":1 }"#, r#"{"a":2  }"#),
            (r#"{"a":2,"model":1,"b":[3]}"#, r#"{"a":2,"b":[3]}"#),
            (r#"{"model":1}"#, "{}"),
        ] {
            let found = scan(&[body.as_bytes()]).unwrap();
            let Member { name, whole, .. } = found.first().unwrap();
            let bytes = body.as_bytes();
            assert_eq!(&bytes[name.clone()], br#""model""#);
            assert_eq!([&bytes[..whole.start], &bytes[whole.end..]].concat(), expected.as_bytes());
        }
    }

    #[test]
    fn an_escaped_name_is_the_same_name() {
        assert_eq!(fault(r#"{"model":"a","mod\u0065l":"b"}"#), Fault::Duplicate(0));
        assert_eq!(scan(&[br#"{"\u006do\u0064el":1}"#]).unwrap().len(), 1);
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(fault(""), Fault::Empty);
        assert_eq!(fault(" \n"), Fault::Empty);
        assert_eq!(fault("[1]"), Fault::NotAnObject);
        assert_eq!(fault(r#"{"a":1"#), Fault::Truncated);
        assert_eq!(fault(r#"{"a":01}"#), Fault::Syntax);
        assert_eq!(fault(r#"{"a":1}x"#), Fault::Syntax);
        assert_eq!(fault("\u{feff}{}"), Fault::Syntax);
        assert_eq!(fault(&format!("{{\"a\":{}", "[".repeat(20_000))), Fault::TooDeep);
        assert_eq!(scan(&[b"{\"a\":\"\xff\"}"]).unwrap_err(), Failure { fault: Fault::Utf8, offset: 6 });
        assert_eq!(scan(&[b"{\"a\":1,}"]).unwrap_err(), Failure { fault: Fault::Syntax, offset: 7 });
    }

    #[test]
    fn a_long_value_is_placed_but_not_kept() {
        let body = format!(r#"{{"model":"{}"}}"#, "x".repeat(MAX_CAPTURE));
        let found = scan(&[body.as_bytes()]).unwrap();
        assert_eq!(found.first().map(|m| (m.span.clone(), m.text.is_none())), Some((9..body.len() - 1, true)));
    }

    fn documents() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".into()),
            Just("true".into()),
            "-?(0|[1-9][0-9]{0,4})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
            any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        ];
        let value = leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("[{}]", v.join(" ,"))),
                prop::collection::vec(("[a-z]{1,6}", inner), 0..4).prop_map(|members| object(&members)),
            ]
        });
        prop::collection::vec((prop_oneof!["model", "[a-z]{1,6}"], value), 0..5).prop_map(|members| object(&members))
    }

    fn object(members: &[(String, String)]) -> String {
        let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        format!("{{{}}}", members.join(","))
    }

    proptest! {
        #[test]
        fn cutting_the_document_anywhere_changes_nothing(document in documents(), cut in any::<prop::sample::Index>()) {
            let (a, b) = document.as_bytes().split_at(cut.index(document.len()));
            prop_assert_eq!(scan(&[a, b]), scan(&[document.as_bytes()]));
        }

        #[test]
        fn accepts_exactly_what_serde_json_accepts(
            document in documents(),
            at in any::<prop::sample::Index>(),
            byte in prop_oneof![any::<u8>(), prop::sample::select(br#"{}[]":,\tfn0-.eE "#.to_vec())],
        ) {
            let mut bytes = document.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let theirs = serde_json::from_slice::<&serde_json::value::RawValue>(&bytes);
            match scan(&[&bytes]) {
                Ok(_) => prop_assert!(theirs.is_ok()),
                Err(Failure { fault: Fault::Duplicate(_) | Fault::NotAnObject, .. }) => {}
                Err(_) => prop_assert!(theirs.is_err()),
            }
        }
    }
}
