//! An incremental, validating scan of one JSON object that reports the top-level members named beforehand.
//!
//! It accepts exactly what RFC 8259 allows (a property holds it against `serde_json`), refuses a wanted name that stands
//! twice (two parsers would disagree on which one counts; escapes in names are decoded first), and refuses nesting deeper
//! than [`MAX_DEPTH`], because whoever reads the body next may recurse. Memory is bounded: what is kept is one name and the
//! text of wanted values up to 16 KiB each. Cutting the input anywhere changes nothing.
//!
//! A little over 400 lines, because the automaton's states and steps are read together or not at all.
//!
//! Nearly all bytes of a large body stand inside strings, so strings have a fast path: blocks of 32 bytes are tested as a
//! whole, in a form that compilers turn into vector instructions, and the common escapes and letters pass with them. Names and wanted values are not gathered byte by byte but cut
//! out of the piece when they end, or it does.

mod found;
mod notice;
mod number;
mod text;

use alloc::vec::Vec;
use core::ops::Range;

use number::Number;
use text::{Inside, skip_common};

pub use found::{Failure, Fault, Found, GROUPS, Marks, Member, Others};

/// Objects and arrays open at one time; a bit each in [`Scanner::kinds`].
pub const MAX_DEPTH: u32 = 128;

/// Longest text kept of one wanted value.
const MAX_CAPTURE: usize = 16 * 1024;

/// Longest text kept of one that is an array: enough to know that there is something in it.
const MAX_ARRAY_CAPTURE: usize = 64;

/// The scan; see the module's documentation.
#[derive(Debug)]
pub struct Scanner {
    wanted: &'static [&'static str],
    state: State,
    depth: u32,
    /// Bit `d` is set when the container at depth `d` is an object.
    kinds: u128,
    offset: usize,
    /// The last name or text, of those that matter, as far as the pieces before this one had it.
    text: Vec<u8>,
    /// Where it begins.
    text_start: usize,
    /// Of the last top-level name: where it stands, and the comma before it.
    name_span: Range<usize>,
    comma: Option<usize>,
    current: Option<Current>,
    marks: Option<&'static Marks>,
    carrier: Carrier,
    /// Whether the top-level member is the one within which kinds are noticed.
    is_in_place: bool,
    found: Found,
}

/// Whether the value of a marked member is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carrier {
    No,
    /// Its name was read.
    Named,
    /// So many bytes of the text were seen just now.
    Inside(usize),
    /// The name of a kind was read, or its value is being.
    Kind,
    /// A name was read that may name other models.
    Other,
    /// The same of a source.
    Source,
}

/// A piece of the document, and where in it the piece begins.
#[derive(Clone, Copy)]
struct Piece<'a> {
    bytes: &'a [u8],
    base: usize,
}

/// The wanted value being read: its index, where it starts, and its text as far as the pieces before this one had it.
#[derive(Debug)]
struct Current {
    index: usize,
    start: usize,
    is_array: bool,
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

impl<'a> Piece<'a> {
    fn end(self) -> usize {
        self.base.saturating_add(self.bytes.len())
    }

    /// What of this part of the document stands in the piece.
    fn part(self, range: Range<usize>) -> &'a [u8] {
        let within = |at: usize| at.saturating_sub(self.base);
        self.bytes.get(within(range.start)..within(range.end)).unwrap_or_default()
    }
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
            text: Vec::new(),
            text_start: 0,
            name_span: 0..0,
            comma: None,
            current: None,
            marks: None,
            carrier: Carrier::No,
            is_in_place: false,
            found: Found::default(),
        }
    }

    /// Also notices these marks.
    #[must_use]
    pub fn noticing(self, marks: &'static Marks) -> Self {
        Self { marks: Some(marks), ..self }
    }

    /// Reads the next piece of the document.
    ///
    /// # Errors
    /// The first fault. The scan must not be fed again after one.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), Failure> {
        let piece = Piece { bytes: piece, base: self.offset };
        let mut rest = piece.bytes;
        while let Some((&byte, after)) = rest.split_first() {
            if matches!(self.state, State::Text(Text { inside: Inside::Plain, .. }))
                && !matches!(self.carrier, Carrier::Inside(_))
            {
                let left = skip_common(rest);
                if left.len() < rest.len() {
                    rest = left;
                    continue;
                }
            }
            self.step(piece, byte, piece.end().saturating_sub(rest.len()))?;
            rest = after;
        }
        self.offset = piece.end();
        if matches!(self.state, State::Text(_)) {
            self.keep_text(piece, self.offset);
        }
        self.keep_value(piece, self.offset);
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

    fn step(&mut self, piece: Piece<'_>, byte: u8, at: usize) -> Result<(), Failure> {
        let fail = |fault| Err(Failure { fault, offset: at });
        if let State::Number(number) = self.state {
            match number.next(byte) {
                Some(next) => {
                    self.state = State::Number(next);
                    return Ok(());
                }
                // The byte after a number belongs to what follows.
                None if number.is_complete() => self.end_value(piece, at),
                None => return fail(Fault::Syntax),
            }
        }
        if let State::Text(text) = self.state {
            return self.step_text(piece, text, byte, at);
        }
        if let State::Literal(left) = self.state {
            return match left.split_first() {
                Some((&expected, left)) if expected == byte => {
                    self.state = State::Literal(left);
                    if left.is_empty() {
                        self.end_value(piece, at.saturating_add(1));
                    }
                    Ok(())
                }
                Some(_) | None => fail(Fault::Syntax),
            };
        }
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            self.found.blank = self.found.blank.saturating_add(1);
            return Ok(());
        }
        match (self.state, byte) {
            (State::Start, b'{') => {
                self.found.open = at;
                self.open(true, at)
            }
            (State::Start, b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => fail(Fault::NotAnObject),
            (State::FirstElement, b']') | (State::FirstName, b'}') | (State::AfterValue, b'}' | b']') => {
                self.found.is_empty |= self.depth == 1 && self.state == State::FirstName;
                self.close(piece, byte, at)
            }
            (State::Value | State::FirstElement, _) => self.begin_value(byte, at),
            (State::FirstName | State::Name, b'"') => {
                self.begin_text(at);
                if self.depth == 1 {
                    self.name_span.start = at;
                }
                self.state = State::Text(Text { is_name: true, inside: Inside::Plain });
                Ok(())
            }
            (State::Colon, b':') => {
                self.state = State::Value;
                Ok(())
            }
            (State::AfterValue, b',') => {
                if self.depth == 1 {
                    self.see_comma(at);
                }
                self.state = if self.in_object() { State::Name } else { State::Value };
                Ok(())
            }
            _ => fail(Fault::Syntax),
        }
    }

    fn step_text(&mut self, piece: Piece<'_>, text: Text, byte: u8, at: usize) -> Result<(), Failure> {
        let inside = match text.inside.next(byte) {
            Ok(Some(inside)) => inside,
            Ok(None) => {
                if text.is_name {
                    if self.depth == 1 {
                        self.name_span.end = at.saturating_add(1);
                    }
                    self.keep_text(piece, at);
                    self.see_name();
                    self.state = State::Colon;
                } else {
                    self.see_text(piece, at);
                    self.end_value(piece, at.saturating_add(1));
                }
                return Ok(());
            }
            Err(fault) => return Err(Failure { fault, offset: at }),
        };
        if let Carrier::Inside(seen) = self.carrier {
            self.see_carried(seen, byte);
        }
        self.state = State::Text(Text { inside, ..text });
        Ok(())
    }

    fn begin_value(&mut self, byte: u8, at: usize) -> Result<(), Failure> {
        if self.depth == 1
            && let Some((index, is_exact)) = self.wanted_name()
        {
            // Some parsers do not look at the case of names: for them another spelling is the same name.
            if !is_exact || self.found.members.iter().any(|member| member.index == index) {
                return Err(Failure { fault: Fault::Duplicate(index), offset: at });
            }
            self.current = Some(Current { index, start: at, is_array: byte == b'[', text: Some(Vec::new()) });
        }
        let is_other =
            self.carrier == Carrier::Other && (matches!(byte, b'"' | b'[') || (self.depth == 1 && byte == b'{'));
        self.found.noticed_others = self.found.noticed_others.saturating_add(is_other.into());
        self.carrier = match self.carrier {
            Carrier::Named if byte == b'"' => Carrier::Inside(0),
            kept @ (Carrier::Kind | Carrier::Source) if byte == b'"' => kept,
            Carrier::Named | Carrier::Kind | Carrier::Source | Carrier::Other | Carrier::No | Carrier::Inside(_) => {
                Carrier::No
            }
        };
        self.state = match byte {
            b'{' => return self.open(true, at),
            b'[' => return self.open(false, at),
            b'"' => {
                self.begin_text(at);
                State::Text(Text { is_name: false, inside: Inside::Plain })
            }
            b'-' => State::Number(Number::Minus),
            b'0' => State::Number(Number::Zero),
            b'1'..=b'9' => State::Number(Number::Integer),
            b't' => State::Literal(b"rue"),
            b'f' => State::Literal(b"alse"),
            b'n' => State::Literal(b"ull"),
            _ => return Err(Failure { fault: Fault::Syntax, offset: at }),
        };
        Ok(())
    }

    fn open(&mut self, is_object: bool, at: usize) -> Result<(), Failure> {
        if self.depth >= MAX_DEPTH {
            return Err(Failure { fault: Fault::TooDeep, offset: at });
        }
        let bit = 1_u128.checked_shl(self.depth).unwrap_or(0);
        self.kinds = if is_object { self.kinds | bit } else { self.kinds & !bit };
        self.depth = self.depth.saturating_add(1);
        self.state = if is_object { State::FirstName } else { State::FirstElement };
        Ok(())
    }

    fn close(&mut self, piece: Piece<'_>, byte: u8, at: usize) -> Result<(), Failure> {
        if self.in_object() != (byte == b'}') {
            return Err(Failure { fault: Fault::Syntax, offset: at });
        }
        self.depth = self.depth.saturating_sub(1);
        self.end_value(piece, at.saturating_add(1));
        Ok(())
    }

    /// A value ends just before `end`.
    fn end_value(&mut self, piece: Piece<'_>, end: usize) {
        self.state = if self.depth == 0 { State::End } else { State::AfterValue };
        if self.depth != 1 {
            return;
        }
        self.keep_value(piece, end);
        if let Some(Current { index, start, text, .. }) = self.current.take() {
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

    /// Keeps what this piece has of the wanted value, which ends at `end` or goes on behind the piece.
    fn keep_value(&mut self, piece: Piece<'_>, end: usize) {
        let Some(Current { start, is_array, text, .. }) = &mut self.current else { return };
        let part = piece.part(*start..end);
        let most = if *is_array { MAX_ARRAY_CAPTURE } else { MAX_CAPTURE };
        *text = text.take().filter(|kept| kept.len().saturating_add(part.len()) <= most).map(|mut kept| {
            kept.extend_from_slice(part);
            kept
        });
    }

    /// The wanted name that was read, and whether it is spelled as wanted or only alike but for its case.
    fn wanted_name(&self) -> Option<(usize, bool)> {
        let name = self.name()?;
        let index = self.wanted.iter().position(|wanted| wanted.as_bytes().eq_ignore_ascii_case(&name))?;
        Some((index, self.wanted.get(index).is_some_and(|wanted| wanted.as_bytes() == &*name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::String, vec};
    use proptest::prelude::*;

    const WANTED: &[&str] = &["model", "stream"];

    const NOTHING_OTHER: Others = Others { names: &[], within: &[] };

    static KINDS: Marks = Marks {
        names: &["no"],
        carrier: ("no", b"no"),
        place: "model",
        kinds: ("a", [&["b"], &["c"], &[]]),
        sources: &["b"],
        others: NOTHING_OTHER,
    };

    fn scan(pieces: &[&[u8]]) -> Result<Vec<Member>, Failure> {
        scan_whole(pieces).map(|found| found.members)
    }

    fn scan_whole(pieces: &[&[u8]]) -> Result<Found, Failure> {
        let mut scanner = Scanner::new(WANTED).noticing(&KINDS);
        for piece in pieces {
            scanner.feed(piece)?;
        }
        scanner.finish()
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
    fn marks_are_noticed_wherever_they_may_stand() {
        static MARKS: Marks = Marks {
            names: &["cache_control"],
            carrier: ("tool_call_id", b"__thought__"),
            place: "a",
            kinds: ("type", [&["image_url"], &["file"], &[]]),
            sources: &["url"],
            others: NOTHING_OTHER,
        };
        for (body, name, text) in [
            (r#"{"a":"cache_control","b":["__thought__"]}"#, false, false),
            (r#"{"cache_control":1}"#, true, false),
            (r#"{"a":[{"cache_control":null}]}"#, true, false),
            (r#"{"a":[{"tool_call_id":"call_1"},{"id":"__thought__"}]}"#, false, false),
            (r#"{"a":[{"tool_call_id":"call___thought__x"}]}"#, false, true),
            (r#"{"a":[{"tool_call_id":"__th__thought__"}]}"#, false, true),
            (r#"{"a":[{"tool_call_id":["__thought__"]}]}"#, false, false),
            (r#"{"type":"image_url","tool_call_id":"__thought__"}"#, false, true),
        ] {
            for cut in 0..body.len() {
                let mut scanner = Scanner::new(WANTED).noticing(&MARKS);
                let (a, b) = body.as_bytes().split_at(cut);
                scanner.feed(a).and_then(|()| scanner.feed(b)).unwrap();
                let found = scanner.finish().unwrap();
                assert_eq!((found.noticed_name, found.noticed_text), (name, text), "{body}");
            }
        }
        for (body, kinds, data) in [
            (r#"{"type":"image_url","url":"x","b":[{"type":"file","url":"x"}]}"#, [0, 0, 0], 0),
            (r#"{"a":[{"type":"file"},{"type":["file"]},{"type":"image_url"},{"type":"file"}]}"#, [1, 2, 0], 0),
            (
                r#"{"a":[{"url":"https://x"},{"url":"HTTP:\/\/x"},{"url":"gs://x"},{"url":{"x":"data:"}}]}"#,
                [0, 0, 0],
                0,
            ),
            (
                r#"{"a":[{"url":"data:x"},{"url":"aGk="},{"url":""},{"url":"https"}],"b":{"url":"data:x"}}"#,
                [0, 0, 0],
                4,
            ),
        ] {
            for cut in 0..body.len() {
                let mut scanner = Scanner::new(WANTED).noticing(&MARKS);
                let (a, b) = body.as_bytes().split_at(cut);
                scanner.feed(a).and_then(|()| scanner.feed(b)).unwrap();
                let found = scanner.finish().unwrap();
                assert_eq!((found.noticed_kinds, found.noticed_data), (kinds, data), "{body}");
            }
        }
    }

    #[test]
    fn an_escaped_name_is_the_same_name() {
        assert_eq!(fault(r#"{"model":"a","mod\u0065l":"b"}"#), Fault::Duplicate(0));
        assert_eq!(fault(r#"{"model":"a","Model":"b"}"#), Fault::Duplicate(0));
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
            prop_oneof!["[ab]", "[a-z+/]{1020,1030}", "[a-z ]{1020,1030}"].prop_map(|text| format!("\"{text}\"")),
        ];
        let value = leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("[{}]", v.join(" ,"))),
                prop::collection::vec(("[a-z]{1,6}", inner), 0..4).prop_map(|members| object(&members)),
            ]
        });
        prop::collection::vec((prop_oneof!["model", "a", "[a-z]{1,6}"], value), 0..5)
            .prop_map(|members| object(&members))
    }

    fn object(members: &[(String, String)]) -> String {
        let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        format!("{{{}}}", members.join(","))
    }

    proptest! {
        #[test]
        fn cutting_the_document_anywhere_changes_nothing(document in documents(), cut in any::<prop::sample::Index>()) {
            let (a, b) = document.as_bytes().split_at(cut.index(document.len()));
            prop_assert_eq!(scan_whole(&[a, b]), scan_whole(&[document.as_bytes()]));
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
