//! What a scan is told to notice, what it found, and why it refused.

use alloc::vec::Vec;
use core::ops::Range;

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
    /// The value as written; `None` when longer than 16 KiB, and an array when it is longer than 512 bytes.
    pub text: Option<Vec<u8>>,
    /// Its first byte and, of an array, that of its first element; 0 where there is none.
    pub opens: [u8; 2],
    /// Of an array: how many texts and arrays stand in it.
    pub parts: u64,
}

/// What a scan notices wherever it stands: enough to know that a closer look is due.
#[derive(Debug)]
pub struct Marks {
    /// Members of these names.
    pub names: &'static [&'static str],
    /// Members of these names that are a text: what proves a thought; and how OpenAI's own begin.
    pub proof: (&'static [&'static str], &'static str),
    /// This text in the value of a member of one of these names.
    pub carrier: (&'static [&'static str], &'static [u8]),
    /// The top-level member within which the following are noticed.
    pub place: &'static str,
    /// A member there whose value is somebody else's document: nothing in it is noticed.
    pub foreign: &'static str,
    /// Members of this name that are one of these texts, by groups.
    pub kinds: (&'static str, &'static [&'static [&'static str]]),
    /// Members of these names that are a text, and no address.
    pub sources: &'static [&'static str],
    /// Members that may name other models than `model` does.
    pub others: Others,
    /// The kinds of tools that are told apart, where they are.
    pub tools: Option<Tools>,
}

/// The kinds of the objects of one list: tools are a client's own functions, searches in the web, or what else a provider has.
#[derive(Debug)]
pub struct Tools {
    /// The list, by its place in the list of wanted names.
    pub list: usize,
    /// The kinds of functions.
    pub functions: &'static [&'static str],
    /// How the kinds of searches begin.
    pub search: &'static str,
}

/// Members that may name other models than the member `model` does: what stands at the top under these names, and there and
/// in these wanted members whatever is called a model, models or fallbacks and is a text or a list. The schema of a tool may well
/// have a property of that name, which is neither.
#[derive(Debug)]
pub struct Others {
    /// Names at the top.
    pub names: &'static [&'static str],
    /// Wanted members, by their place in the list of wanted names.
    pub within: &'static [usize],
}

/// Whether there are proofs of thoughts, and whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Proofs {
    /// Some prove nothing.
    pub empty: bool,
    /// Some begin as OpenAI's do.
    pub of_openai: bool,
    /// Some are others'.
    pub of_others: bool,
}

/// So many kinds of kinds can be told apart.
pub const GROUPS: usize = 8;

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Where the object's `{` stands.
    pub open: usize,
    /// Whether the object has no members.
    pub is_empty: bool,
    /// The wanted members, in the order written.
    pub members: Vec<Member>,
    /// Whether one of the marked names was noticed.
    pub noticed_name: bool,
    /// What was noticed of proofs.
    pub noticed_proofs: Proofs,
    /// Whether the marked text was noticed in its carrier, or in a proof.
    pub noticed_text: bool,
    /// How many carriers there are, whatever they carry.
    pub noticed_carriers: usize,
    /// How many members were one of the marked kinds, by groups.
    pub noticed_kinds: [usize; GROUPS],
    /// How many of the marked sources are no address.
    pub noticed_data: usize,
    /// How many members were noticed that may name other models.
    pub noticed_others: usize,
    /// How many tools are searches in the web.
    pub noticed_searches: usize,
    /// How many are a provider's own of other kinds.
    pub noticed_hosted: usize,
    /// Bytes of white space between values.
    pub blank: usize,
    /// Bytes of long strings that are no text for people: base64.
    pub opaque: usize,
    /// How many times `\uXXXX` stands in texts and names.
    pub escapes: usize,
}

impl Found {
    /// The wanted member with this index.
    #[must_use]
    pub fn member(&self, index: usize) -> Option<&Member> {
        self.members.iter().find(|member| member.index == index)
    }

    /// Its value as written, where it is there and was kept.
    #[must_use]
    pub fn text(&self, index: usize) -> Option<&str> {
        core::str::from_utf8(self.member(index)?.text.as_deref()?).ok()
    }
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
    /// Nested deeper than [`super::MAX_DEPTH`].
    TooDeep,
    /// The document is valid so far but not an object.
    NotAnObject,
    /// The wanted name with this index stands twice, or once in another case.
    Duplicate(usize),
}
