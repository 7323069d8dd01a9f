//! Whose an answer is that a provider keeps: its id says it.
//!
//! Many callers share an account, and there whoever has the id of an answer can read it, go on from it and delete it. Nothing here
//! remembers who was given which. So the id that a caller gets is the provider's with a seal behind it, and one that comes back must
//! have the seal of who asks and of the account that is asked: it says where an answer is kept, too. The provider never sees it.
//!
//! A seal is a keyed hash. Its key is made of the account's credential, which all replicas have and no caller has; with another
//! credential, at another address or for another caller it is another one. Cut to less than half, SHA-256 tells nothing of its state: a
//! seal cannot be lengthened to that of a longer id.
//!
//! Invariants: an id of other characters than ids have gets none; every other byte of an answer stays, wherever it is cut.

use alloc::{borrow::ToOwned, boxed::Box, format, rc::Rc, string::String, vec::Vec};

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::{
    account::Account,
    auth::Caller,
    dialect::{KEEPS_NOTHING, span},
    error::{Error, Kind},
    json::{Edit, Edits, Scanner, member, members},
    passage::{Conduit, Failure, Seen},
    secret::Secret,
    sse::Frame,
    step::Chunk,
    usage::Usage,
};

/// Who is given an answer: a key, by its identifier, or, as one, all that ask without any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner(Option<String>);

impl Owner {
    pub(crate) fn of(caller: &Caller) -> Self {
        Self(caller.key().map(|key| key.id.clone()))
    }
}

/// What makes the seals of an owner's answers at an account.
#[derive(Debug, Clone)]
pub(crate) struct Seal(Secret<[u8; 32]>);

/// The members of an answer that are ids of answers.
const IDS: &[&str] = &["id", "previous_response_id"];

/// What stands between an id and its seal, of twelve bytes.
const MARK: char = '_';
const BYTES: usize = 12;
const LENGTH: usize = 1 + 2 * BYTES;

impl Seal {
    /// The seal of what is kept for an owner at an account, which these parts make: its credential, and where it is presented.
    pub(crate) fn new<'a>(Owner(owner): &'a Owner, account: impl Iterator<Item = &'a str>) -> Self {
        let mut hash = Sha256::new();
        let kind = if owner.is_some() { "key" } else { "nobody" };
        let owner = ["dragoman seal 1", kind, owner.as_deref().unwrap_or_default()];
        for part in owner.into_iter().chain(account) {
            // Behind its length: no two lists of parts have the same bytes.
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        Self(Secret::new(hash.finalize().into()))
    }

    /// What stands behind an id.
    fn mark(&self, id: &[u8]) -> Option<String> {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(byte);
        if id.is_empty() || !id.iter().all(is_part) {
            return None;
        }
        let digest = Sha256::new().chain_update(self.0.expose()).chain_update(id).finalize();
        let digits = digest.iter().take(BYTES).flat_map(|byte| [byte >> 4, byte & 15]);
        let digits = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
        Some([MARK].into_iter().chain(digits).collect())
    }

    /// The provider's own id in one that has this seal.
    pub(crate) fn open<'i>(&self, sealed: &'i str) -> Option<&'i str> {
        let (id, mark) = sealed.split_at_checked(sealed.len().checked_sub(LENGTH)?)?;
        let own = self.mark(id.as_bytes())?;
        // In a time that does not depend on where the difference is.
        let difference = own.bytes().zip(mark.bytes()).fold(0, |difference, (own, other)| difference | (own ^ other));
        (core::hint::black_box(difference) == 0).then_some(id)
    }

    /// The change that seals an id, as it is written.
    fn edit(&self, text: &[u8], start: usize) -> Option<Edit> {
        let id = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        let end = start.saturating_add(text.len()).saturating_sub(1);
        Some(Edit { span: end..end, text: self.mark(id)?.into_bytes() })
    }

    /// An event with the ids of the answer in it sealed; `None` where there are none.
    fn event(&self, frame: Frame<'_>) -> Option<Vec<u8>> {
        const ANSWER: &[u8] = br#""response""#;
        if !frame.raw.windows(ANSWER.len()).any(|part| part == ANSWER) {
            return None;
        }
        let data = frame.data()?;
        let text = core::str::from_utf8(&data).ok()?;
        let event = members(text)?;
        let answer = members(member(&event, "response")?.get())?;
        let ids = answer.iter().filter(|(name, _)| IDS.contains(&&**name)).map(|(_, value)| *value);
        let edit = |value: &RawValue| {
            // A text stands in one line, whatever the event does.
            let start = frame.place(span(text, value.get()).start)?;
            self.edit(value.get().as_bytes(), start)
        };
        let mut edits = Edits::default();
        edits.extend(ids.filter_map(edit));
        (!edits.is_empty()).then(|| edits.apply(frame.raw))
    }
}

/// An id that nobody has given to who sends it.
pub(crate) enum Unknown {
    /// Nobody keeps any answers.
    Unkept,
    /// This one.
    Id(String),
}

impl Unknown {
    /// In OpenAI's words, where it is asked for.
    pub(crate) fn as_asked(&self) -> Error {
        let Self::Id(id) = self else {
            return Error::new(Kind::NotFound, "No provider that can be asked here keeps answers.");
        };
        Error::new(Kind::AnswerNotFound, format!("Response with id '{id}' not found."))
    }

    /// The same, where a request goes on from it.
    pub(crate) fn as_previous(&self) -> Error {
        let Self::Id(id) = self else {
            return Error::refusing(KEEPS_NOTHING, "previous_response_id");
        };
        let message = format!("Previous response with id '{id}' not found.");
        Error::new(Kind::PreviousAnswerNotFound, message).blaming("previous_response_id")
    }
}

/// An id that was given.
pub(crate) struct Opened<'a, T> {
    /// By what it was found.
    pub(crate) what: T,
    /// Who has given it.
    pub(crate) account: &'a Rc<Account>,
    /// The provider's own.
    pub(crate) id: String,
}

/// Which of these accounts has given the answer of an id; `None` where none of them keeps any, and whoever asks is the same.
///
/// # Errors
/// None has given it to this owner.
pub(crate) fn opened<'a, T>(
    accounts: impl Iterator<Item = (T, &'a Rc<Account>)>,
    owner: &Owner,
    id: &str,
) -> Result<Option<Opened<'a, T>>, Unknown> {
    let mut seals = accounts.filter_map(|(what, account)| Some((what, account, account.seal(owner)?))).peekable();
    if seals.peek().is_none() {
        // What they may keep all the same has no owner: no key gets it, and nobody a list of it.
        return if owner.0.is_some() || id.is_empty() { Err(Unknown::Unkept) } else { Ok(None) };
    }
    let found = seals.find_map(|(what, account, seal)| Some(Opened { what, account, id: seal.open(id)?.to_owned() }));
    found.map(Some).ok_or_else(|| Unknown::Id(id.chars().take(MAX_TOLD).collect()))
}

/// So much of an unknown id is told back.
const MAX_TOLD: usize = 128;

/// A whole answer on its way. Its ids may stand anywhere in it, and a seal behind one is all that changes: nothing need be held.
#[derive(Debug)]
pub(crate) struct Sealing {
    seal: Seal,
    scanner: Scanner,
    /// How many ids have passed.
    passed: usize,
    /// Whether it is still what is expected.
    is_sound: bool,
}

impl Sealing {
    pub(crate) fn new(seal: Seal) -> Self {
        Self { seal, scanner: Scanner::new(IDS), passed: 0, is_sound: true }
    }

    /// What becomes of the next piece.
    pub(crate) fn chunk(&mut self, piece: &[u8]) -> Chunk {
        let (base, _) = self.scanner.so_far();
        self.is_sound = self.is_sound && self.scanner.feed(piece).is_ok();
        let (_, members) = self.scanner.so_far();
        let new = members.get(self.passed..).unwrap_or_default();
        self.passed = members.len();
        let mut edits = Edits::default();
        edits.extend(new.iter().filter_map(|id| {
            let Edit { span, text } = self.seal.edit(id.text.as_deref()?, id.span.start)?;
            // An id ends in the piece with which it is found.
            let at = span.start.checked_sub(base)?;
            Some(Edit { span: at..at, text })
        }));
        if edits.is_empty() { Chunk::Keep } else { Chunk::Replace(edits.apply(piece)) }
    }
}

/// A stream with its ids sealed, whatever else is done to it.
#[derive(Debug)]
pub(crate) struct Sealed {
    inner: Box<dyn Conduit>,
    seal: Seal,
}

impl Sealed {
    pub(crate) fn new(inner: Box<dyn Conduit>, seal: Seal) -> Self {
        Self { inner, seal }
    }
}

impl Conduit for Sealed {
    fn pass(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) -> Seen {
        let before = out.len();
        let mut seen = self.inner.pass(frame, out);
        if let Seen::Failure(Failure { event, .. }) = &mut seen {
            if let Some(sealed) = self.seal.event(Frame { raw: event }) {
                *event = sealed;
            }
        } else if out.get(before..) == Some(frame.raw)
            && let Some(sealed) = self.seal.event(frame)
        {
            out.truncate(before);
            out.extend(sealed);
        }
        seen
    }

    fn note_rest(&mut self) {
        self.inner.note_rest();
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> bool {
        self.inner.finish(out)
    }

    fn failure(&mut self, error: &Error) -> Failure {
        self.inner.failure(error)
    }

    fn is_verbatim(&self) -> bool {
        self.inner.is_verbatim()
    }

    fn usage(&self) -> Option<Usage> {
        self.inner.usage()
    }
}
