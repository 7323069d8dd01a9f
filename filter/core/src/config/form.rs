//! Forms: what a value of the file looks like, with its way in and its way out.
//!
//! A form is a value, not a trait of the Rust type, because one type is written in several ways: a `u64` is a size, a time or
//! a count. `read` reports what it refuses and returns nothing; the caller then goes on with a default or a stand-in.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde_json::value::RawValue;

use super::{
    node::Node,
    reader::Reader,
    reference::{Reference, Shape},
};

/// The document that is being written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) text: String,
    /// Whether what is as by default is left out.
    pub(super) brief: bool,
}

impl Writer {
    pub(super) fn push(&mut self, character: char) {
        self.text.push(character);
    }

    pub(super) fn push_str(&mut self, text: &str) {
        self.text.push_str(text);
    }
}

/// How a value is written.
pub(super) trait Form {
    type Value;

    /// Reads a value; `None` where it was refused and reported.
    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<Self::Value>;

    /// The same, with what stands in for a refused value.
    fn read_or_stand_in(&self, raw: &RawValue, reader: &mut Reader) -> Self::Value {
        self.read(raw, reader).unwrap_or_else(|| self.stand_in())
    }

    /// Writes the canonical spelling, which `read` takes back.
    fn write(&self, value: &Self::Value, out: &mut Writer);

    /// What may be written, for the reference.
    fn shape(&self, reference: &mut Reference) -> Shape;

    /// Takes the place of a refused value, so that the rest can be read.
    fn stand_in(&self) -> Self::Value;
}

impl<F: Form> Form for &F {
    type Value = F::Value;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<F::Value> {
        (**self).read(raw, reader)
    }

    fn write(&self, value: &F::Value, out: &mut Writer) {
        (**self).write(value, out);
    }

    fn shape(&self, reference: &mut Reference) -> Shape {
        (**self).shape(reference)
    }

    fn stand_in(&self) -> F::Value {
        (**self).stand_in()
    }
}

/// `true` or `false`.
pub(super) struct Flag;

impl Form for Flag {
    type Value = bool;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<bool> {
        let node = reader.open(raw)?;
        let Node::Flag(flag) = node else {
            reader.expected("true or false", &node);
            return None;
        };
        Some(flag)
    }

    fn write(&self, value: &bool, out: &mut Writer) {
        out.push_str(if *value { "true" } else { "false" });
    }

    fn shape(&self, _: &mut Reference) -> Shape {
        Shape::Flag
    }

    fn stand_in(&self) -> bool {
        false
    }
}

/// A whole number in a range, bare or as text.
pub(super) struct Whole<T> {
    pub(super) min: T,
    pub(super) max: T,
}

impl<T: Copy + Into<u64> + TryFrom<u64>> Form for Whole<T> {
    type Value = T;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<T> {
        read_whole(raw, self.min.into(), self.max.into(), reader)?.try_into().ok()
    }

    fn write(&self, value: &T, out: &mut Writer) {
        let number: u64 = (*value).into();
        out.push_str(&number.to_string());
    }

    fn shape(&self, _: &mut Reference) -> Shape {
        Shape::Whole { min: self.min.into(), max: self.max.into() }
    }

    fn stand_in(&self) -> T {
        self.min
    }
}

/// One word of a fixed set; the first stands in.
pub(super) struct Choice<T: 'static> {
    pub(super) first: (&'static str, T),
    pub(super) rest: &'static [(&'static str, T)],
}

impl<T> Choice<T> {
    fn option(&self, index: usize) -> Option<&(&'static str, T)> {
        index.checked_sub(1).map_or(Some(&self.first), |index| self.rest.get(index))
    }

    fn word(&self, index: usize) -> Option<&'static str> {
        self.option(index).map(|(word, _)| *word)
    }

    fn options(&self) -> impl Iterator<Item = &(&'static str, T)> {
        core::iter::once(&self.first).chain(self.rest)
    }
}

impl<T: Copy + PartialEq> Form for Choice<T> {
    type Value = T;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<T> {
        let index = read_word(raw, &|index| self.word(index), reader)?;
        self.option(index).map(|(_, value)| *value)
    }

    fn write(&self, value: &T, out: &mut Writer) {
        let word = self.options().find(|(_, other)| other == value).map_or(self.first.0, |(word, _)| *word);
        write_text(word, out);
    }

    fn shape(&self, _: &mut Reference) -> Shape {
        Shape::Choice(words(&|index| self.word(index)).collect())
    }

    fn stand_in(&self) -> T {
        self.first.1
    }
}

/// Text that is parsed: the row of a table, because these differ in nothing but two functions and their words.
pub(super) struct Parsed<T> {
    /// What is expected, a noun phrase.
    pub(super) what: &'static str,
    /// What bare JSON is taken besides text.
    pub(super) bare: Bare,
    /// Whether a problem may quote the value.
    pub(super) secret: bool,
    /// Reads it, or says what is wrong, as the rest of the sentence "`…` …".
    pub(super) parse: fn(&str) -> Result<T, &'static str>,
    /// The canonical spelling.
    pub(super) print: fn(&T) -> String,
    pub(super) stand_in: fn() -> T,
}

/// Which values need no quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bare {
    Nothing,
    Number,
    /// YAML 1.1 reads a bare `off` as `false`.
    Off,
}

impl<T> Form for Parsed<T> {
    type Value = T;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<T> {
        let mut value = None;
        let mut parse = |text: &str| (self.parse)(text).map(|parsed| value = Some(parsed));
        read_text(raw, self.what, self.bare, self.secret, &mut parse, reader)?;
        value
    }

    fn write(&self, value: &T, out: &mut Writer) {
        write_text(&(self.print)(value), out);
    }

    fn shape(&self, _: &mut Reference) -> Shape {
        Shape::Text { what: self.what, number: self.bare == Bare::Number }
    }

    fn stand_in(&self) -> T {
        (self.stand_in)()
    }
}

// What follows is apart from the forms, which are compiled for each type of value.

#[inline(never)]
fn read_whole(raw: &RawValue, min: u64, max: u64, reader: &mut Reader) -> Option<u64> {
    let expected = if min == max { format!("{min}") } else { format!("a whole number from {min} to {max}") };
    let node = reader.open(raw)?;
    let text = number_text(&node, &expected, reader)?;
    let number = whole(text).filter(|number| (min..=max).contains(number));
    if number.is_none() {
        reader.report(format!("expected {expected}, found {}", quoted(text)));
    }
    number
}

/// The spelling of a number, bare or as text.
#[inline(never)]
pub(super) fn number_text<'n>(node: &'n Node<'_>, what: &str, reader: &mut Reader) -> Option<&'n str> {
    match node {
        Node::Number(text) => Some(text),
        Node::Text(text) => Some(text),
        Node::Null | Node::Flag(_) | Node::List(_) | Node::Object(_) => {
            reader.expected(what, node);
            None
        }
    }
}

#[inline(never)]
fn read_text(
    raw: &RawValue,
    what: &str,
    bare: Bare,
    secret: bool,
    parse: &mut dyn FnMut(&str) -> Result<(), &'static str>,
    reader: &mut Reader,
) -> Option<()> {
    let node = reader.open(raw)?;
    let text = bare_text(&node, what, bare, reader)?;
    parse(text)
        .map_err(|wrong| {
            let subject = if secret { "the value".to_owned() } else { quoted(text) };
            reader.report(format!("{subject} {wrong}; expected {what}"));
        })
        .ok()
}

fn bare_text<'n>(node: &'n Node<'_>, what: &str, bare: Bare, reader: &mut Reader) -> Option<&'n str> {
    match (node, bare) {
        (Node::Text(text), _) => return Some(text),
        (Node::Number(text), Bare::Number) => return Some(text),
        (Node::Flag(false), Bare::Off) => return Some("off"),
        (Node::Number(_), _) => {
            reader.report(format!("expected {what}, found a number; text that looks like a number needs quotes"));
        }
        _ => reader.expected(what, node),
    }
    None
}

/// The place of the word among those that there are.
#[inline(never)]
fn read_word(raw: &RawValue, word: &dyn Fn(usize) -> Option<&'static str>, reader: &mut Reader) -> Option<usize> {
    let node = reader.open(raw)?;
    let written = match &node {
        Node::Text(text) => &**text,
        // YAML 1.1 reads a bare `off` as `false`.
        Node::Flag(false) => "off",
        Node::Null | Node::Flag(true) | Node::Number(_) | Node::List(_) | Node::Object(_) => "",
    };
    let place = words(word).position(|word| word == written);
    if place.is_none() {
        let words: Vec<_> = words(word).collect();
        let found = if let Node::Text(text) = &node { quoted(text) } else { node.noun().to_owned() };
        let expected = if words.len() == 1 { "expected" } else { "expected one of" };
        reader.report(format!("{expected} {}, found {found}", words.join(", ")));
    }
    place
}

fn words(word: &dyn Fn(usize) -> Option<&'static str>) -> impl Iterator<Item = &'static str> {
    (0..).map_while(word)
}

/// A JSON string.
pub(super) fn write_text(text: &str, out: &mut Writer) {
    // Writing a string to memory cannot fail.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Decimal digits and nothing else; `str::parse` would take a sign.
pub(super) fn whole(digits: &str) -> Option<u64> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// A value for a message, cut where it is long.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN_CHARS: usize = 60;
    let mut shown: String = text.chars().take(SHOWN_CHARS).map(|c| if c.is_control() { '·' } else { c }).collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}
