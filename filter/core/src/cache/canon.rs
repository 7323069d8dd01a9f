//! The hash of a JSON document that is the same for all documents that mean the same: white space, the order of an object's members,
//! escapes in texts, and zeros behind a number's point make no difference. It is made as the document comes, and nothing of that is kept
//! but a hash for each member of the objects that are open.
//!
//! The document is one that a [scan](crate::json::Scanner) has found valid, piece by piece; of any other the hash says nothing. A name that stands
//! twice in an object counts twice, in its order: parsers disagree on which of the two is meant.

use alloc::{collections::BinaryHeap, string::String, vec::Vec};
use core::mem;

use super::hash::Hash;
use crate::fnv;

/// Most members of objects that are open at a time: 56 bytes each.
const MOST_MEMBERS: usize = 8_192;

/// Behind a text or a number: a byte that UTF-8 never has.
const END: u8 = 0xff;

/// The longest number that is brought into one form.
const MOST_DIGITS: usize = 64;

/// The member by which a client says that nothing is to be kept.
const STORE: &str = "store";

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Canon {
    root: Hash,
    open: Vec<Level>,
    state: State,
    /// How many members the open objects have.
    members: usize,
    /// The name of the last member of the document itself, as far as it matters.
    name: Vec<u8>,
    /// The number that is being read.
    number: String,
    /// The first half of a character that is written as two.
    half: Option<u16>,
    is_refused: bool,
}

/// An object or array that is not closed.
#[derive(Debug)]
enum Level {
    Array(Hash),
    Object {
        /// Each under a number of its name and its place, by which they are sorted.
        members: BinaryHeap<(u64, usize, [u8; 32])>,
        /// The one that is being read, name and value.
        member: Hash,
        order: u64,
        is_named: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Between,
    Text {
        is_name: bool,
    },
    /// Behind a backslash.
    Escape {
        is_name: bool,
    },
    /// In `\u`: so many digits are still to come, and the value of those before.
    Unicode {
        is_name: bool,
        left: u8,
        value: u16,
    },
    Number,
    Literal,
}

impl Canon {
    pub(super) fn new() -> Self {
        Self {
            root: Hash::default(),
            open: Vec::new(),
            state: State::Between,
            members: 0,
            name: Vec::new(),
            number: String::new(),
            half: None,
            is_refused: false,
        }
    }

    /// The next piece has come.
    pub(super) fn feed(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while let Some((&byte, after)) = rest.split_first() {
            if self.is_refused {
                return;
            }
            rest = match self.state {
                State::Text { is_name } => {
                    let plain = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\')).count();
                    let (plain, after) = rest.split_at_checked(plain).unwrap_or_default();
                    self.text(is_name, plain);
                    let Some((&byte, after)) = after.split_first() else { return };
                    self.state = if byte == b'\\' { State::Escape { is_name } } else { self.end_text(is_name) };
                    after
                }
                State::Escape { is_name } => {
                    self.state = self.escape(is_name, byte);
                    after
                }
                State::Unicode { is_name, left, value } => {
                    self.state = self.digit(is_name, left, value, byte);
                    after
                }
                State::Number if matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E') => {
                    self.number.push(byte.to_ascii_lowercase().into());
                    if self.number.len() > MOST_DIGITS {
                        self.write_number();
                    }
                    after
                }
                State::Literal if byte.is_ascii_lowercase() => after,
                State::Number => {
                    self.end_number();
                    rest
                }
                State::Literal => {
                    self.state = State::Between;
                    rest
                }
                State::Between => {
                    self.begin(byte);
                    after
                }
            };
        }
    }

    /// The hash; `None` where nothing is to be kept.
    pub(super) fn end(mut self) -> Option<[u8; 32]> {
        (!self.is_refused && self.open.is_empty()).then(|| self.root.take())
    }

    fn begin(&mut self, byte: u8) {
        match byte {
            b'{' => self.open.push(Level::Object {
                members: BinaryHeap::new(),
                member: Hash::default(),
                order: fnv::EMPTY,
                is_named: false,
            }),
            b'[' => self.open.push(Level::Array(Hash::default())),
            b'}' | b']' => self.close(),
            b'"' => {
                let is_top = self.open.len() == 1;
                let is_name = match self.open.last_mut() {
                    Some(Level::Object { member, order, is_named, .. }) if !*is_named => {
                        (*member, *order) = (Hash::default(), fnv::EMPTY);
                        true
                    }
                    Some(Level::Object { .. } | Level::Array(_)) | None => false,
                };
                if is_name && is_top {
                    self.name.clear();
                }
                if !is_name {
                    self.put(b"s");
                }
                self.state = State::Text { is_name };
            }
            b'-' | b'0'..=b'9' => {
                self.put(b"n");
                self.number.clear();
                self.number.push(byte.into());
                self.state = State::Number;
            }
            b't' | b'f' | b'n' => {
                self.is_refused |= byte == b'f' && self.open.len() == 1 && self.name == STORE.as_bytes();
                self.put(&[b'l', byte]);
                self.end_value();
                self.state = State::Literal;
            }
            _ => {}
        }
    }

    fn close(&mut self) {
        let (kind, mut hash) = match self.open.pop() {
            Some(Level::Array(hash)) => (b'a', hash),
            Some(Level::Object { members, .. }) => {
                self.members = self.members.saturating_sub(members.len());
                let mut hash = Hash::default();
                for (.., member) in members.into_sorted_vec() {
                    hash.put(&member);
                }
                (b'o', hash)
            }
            None => return,
        };
        self.put(&[kind]);
        self.put(&hash.take());
        self.end_value();
    }

    /// A value is complete.
    fn end_value(&mut self) {
        if let Some(Level::Object { members, member, order, is_named }) = self.open.last_mut() {
            members.push((*order, members.len(), member.take()));
            *is_named = false;
            self.members = self.members.saturating_add(1);
            self.is_refused |= self.members > MOST_MEMBERS;
        }
    }

    /// Takes bytes into the hash of what is being read.
    fn put(&mut self, bytes: &[u8]) {
        match self.open.last_mut() {
            Some(Level::Array(hash) | Level::Object { member: hash, .. }) => hash.put(bytes),
            None => self.root.put(bytes),
        }
    }

    /// A part of a text has come.
    fn text(&mut self, is_name: bool, part: &[u8]) {
        if !part.is_empty() {
            self.end_half(is_name);
            self.put_text(is_name, part);
        }
    }

    fn put_text(&mut self, is_name: bool, part: &[u8]) {
        self.put(part);
        if !is_name {
            return;
        }
        let is_top = self.open.len() == 1;
        if let Some(Level::Object { order, .. }) = self.open.last_mut() {
            *order = fnv::more(*order, part.iter().copied());
        }
        if is_top {
            // One byte more than the name that matters says that it is another.
            let room = STORE.len().saturating_add(1).saturating_sub(self.name.len());
            self.name.extend(part.iter().take(room));
        }
    }

    /// What does not go on to a whole character is none, and counts as what it is written as.
    fn end_half(&mut self, is_name: bool) {
        let Some(half) = self.half.take() else { return };
        let [high, low] = half.to_be_bytes();
        self.put_text(is_name, &[END, high, low]);
    }

    fn end_text(&mut self, is_name: bool) -> State {
        self.end_half(is_name);
        self.put(&[END]);
        if !is_name {
            self.end_value();
        } else if let Some(Level::Object { is_named, .. }) = self.open.last_mut() {
            *is_named = true;
        }
        State::Between
    }

    fn escape(&mut self, is_name: bool, byte: u8) -> State {
        let meant = match byte {
            b'u' => return State::Unicode { is_name, left: 4, value: 0 },
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            other => other,
        };
        self.text(is_name, &[meant]);
        State::Text { is_name }
    }

    fn digit(&mut self, is_name: bool, left: u8, value: u16, byte: u8) -> State {
        let digit = char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok()).unwrap_or_default();
        let value = value << 4 | digit;
        if left > 1 {
            return State::Unicode { is_name, left: left.saturating_sub(1), value };
        }
        self.unit(is_name, value);
        State::Text { is_name }
    }

    /// A unit of UTF-16 was written.
    fn unit(&mut self, is_name: bool, unit: u16) {
        let whole = self.half.and_then(|half| char::decode_utf16([half, unit]).next()?.ok());
        if let Some(character) = whole {
            self.half = None;
            return self.put_text(is_name, character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.end_half(is_name);
        match char::from_u32(unit.into()) {
            Some(character) => self.put_text(is_name, character.encode_utf8(&mut [0; 4]).as_bytes()),
            None => self.half = Some(unit),
        }
    }

    fn write_number(&mut self) {
        let number = mem::take(&mut self.number);
        self.put(number.as_bytes());
    }

    fn end_number(&mut self) {
        let has_fraction = self.number.contains('.') && !self.number.contains('e');
        if has_fraction {
            let kept = self.number.trim_end_matches('0').trim_end_matches('.').len();
            self.number.truncate(kept);
        }
        if self.number == "-0" {
            self.number.remove(0);
        }
        self.write_number();
        self.put(&[END]);
        self.end_value();
        self.state = State::Between;
    }
}
