//! What a scan notices in names and texts while it passes them.
//!
//! It may cost next to nothing: a text is looked at when it ends, of most only the length. What has to be looked at is cut out
//! of the piece, or was kept from the pieces before.

use alloc::{borrow::Cow, string::String};

use super::{Carrier, Current, Marks, Piece, Proofs, Scanner};

/// Longest spelling of a name that can still be a wanted one: every character written as `\uXXXX`.
const MAX_NAME: usize = 6 * 40;

/// From this length on a string is looked at for being no text.
const LONG: usize = 1024;

impl Scanner {
    /// A name or a text begins with the quote at `at`.
    pub(super) fn begin_text(&mut self, at: usize) {
        self.text.clear();
        self.text_start = at.saturating_add(1);
    }

    /// A name was read.
    pub(super) fn see_name(&mut self) {
        let Some(marks) = self.marks else { return };
        if self.depth > self.foreign {
            return;
        }
        let is = |name: &&str| name.as_bytes() == self.text;
        self.foreign = if self.is_in_place && is(&marks.foreign) { self.depth } else { u32::MAX };
        self.found.noticed_name |= marks.names.iter().any(is);
        if self.depth == 1 {
            self.is_in_place = is(&marks.place);
        }
        if marks.carrier.0.iter().any(is) {
            self.found.noticed_carriers = self.found.noticed_carriers.saturating_add(1);
            self.carrier = Carrier::Named;
        } else if is(&marks.kinds.0) && self.is_of_tool(marks) {
            self.carrier = Carrier::Tool;
        } else if self.is_in_place && is(&marks.kinds.0) {
            self.carrier = Carrier::Kind;
        } else if self.is_in_place && marks.sources.iter().any(is) {
            self.carrier = Carrier::Source;
        } else if marks.proof.0.iter().any(is) {
            self.carrier = Carrier::Proof;
        } else if self.may_name_other(marks) {
            self.carrier = Carrier::Other;
        }
    }

    /// Whether what is read is a member of a tool itself.
    fn is_of_tool(&self, marks: &Marks) -> bool {
        const OF_LISTED: u32 = 3;
        let list = marks.tools.as_ref().map(|tools| tools.list);
        self.depth == OF_LISTED && list.is_some() && self.current.as_ref().map(|current| current.index) == list
    }

    /// Whether a member of the name that was read may name other models.
    fn may_name_other(&self, marks: &Marks) -> bool {
        let is_top = self.depth == 1;
        let is_within = |Current { index, .. }: &Current| marks.others.within.contains(index);
        if !is_top && !self.current.as_ref().is_some_and(is_within) {
            return false;
        }
        let Some(name) = self.name() else { return false };
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        let ends = |end: &[u8]| {
            let start = name.len().checked_sub(end.len());
            start.and_then(|start| name.get(start..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
        };
        let is_called_so = [&b"model"[..], b"models", b"fallbacks"].into_iter().any(ends);
        (is_called_so && !(is_top && is("model"))) || (is_top && marks.others.names.iter().any(|other| is(other)))
    }

    /// The wanted name that was read, and whether it is spelled as wanted or only alike but for its case.
    pub(super) fn wanted_name(&self) -> Option<(usize, bool)> {
        let name = self.name()?;
        let index = self.wanted.iter().position(|wanted| wanted.as_bytes().eq_ignore_ascii_case(&name))?;
        Some((index, self.wanted.get(index).is_some_and(|wanted| wanted.as_bytes() == &*name)))
    }

    /// The name that was read, its escapes decoded.
    pub(super) fn name(&self) -> Option<Cow<'_, [u8]>> {
        if !self.text.contains(&b'\\') {
            return Some(Cow::Borrowed(&self.text));
        }
        let quoted = [b"\"", &*self.text, b"\""].concat();
        serde_json::from_slice::<String>(&quoted).ok().map(|name| Cow::Owned(name.into_bytes()))
    }

    /// A text that is a value was read; its closing quote stands at `end`.
    pub(super) fn see_text(&mut self, piece: Piece<'_>, end: usize) {
        let Some(Marks { kinds: (_, kinds), tools, proof, carrier, .. }) = self.marks else { return };
        let length = end.saturating_sub(self.text_start);
        if self.carrier == Carrier::Kind {
            self.keep_text(piece, end);
            for (group, noticed) in kinds.iter().zip(&mut self.found.noticed_kinds) {
                let is_marked = group.iter().any(|kind| kind.as_bytes() == self.text);
                *noticed = noticed.saturating_add(is_marked.into());
            }
        }
        if let (Carrier::Tool, Some(tools)) = (self.carrier, tools) {
            self.keep_text(piece, end);
            if self.text.starts_with(tools.search.as_bytes()) {
                self.found.noticed_searches = self.found.noticed_searches.saturating_add(1);
            } else if !tools.functions.iter().any(|function| function.as_bytes() == self.text) {
                self.found.noticed_hosted = self.found.noticed_hosted.saturating_add(1);
            }
        }
        if self.carrier == Carrier::Source {
            self.keep_text(piece, end);
            self.found.noticed_data = self.found.noticed_data.saturating_add((!is_address(&self.text)).into());
        }
        if self.carrier == Carrier::Proof {
            self.keep_text(piece, end);
            let mut beginnings = self.text.windows(carrier.1.len());
            let Proofs { empty, of_openai, of_others } = &mut self.found.noticed_proofs;
            let noticed = if length == 0 {
                empty
            } else if self.text.starts_with(proof.1.as_bytes()) {
                of_openai
            } else if beginnings.any(|part| part == carrier.1) {
                &mut self.found.noticed_text
            } else {
                of_others
            };
            *noticed = true;
        }
        if length >= LONG {
            self.keep_text(piece, end);
            if is_opaque(&self.text) {
                self.found.opaque = self.found.opaque.saturating_add(length);
            }
        }
        self.carrier = Carrier::No;
    }

    /// A byte of a carrier's value was read, after `seen` bytes of the text.
    pub(super) fn see_carried(&mut self, seen: usize, byte: u8) {
        let Some(Marks { carrier: (_, text), .. }) = self.marks else { return };
        let begun = usize::from(text.first() == Some(&byte));
        let seen = match text.get(seen) {
            Some(&wanted) if wanted == byte => seen.saturating_add(1),
            // The text begins with a doubled byte: a third one leaves two.
            Some(_) if begun == 1 && text.get(..seen).is_some_and(|part| part.iter().all(|&other| other == byte)) => {
                seen
            }
            Some(_) | None => begun,
        };
        self.found.noticed_text |= seen == text.len();
        self.carrier = Carrier::Inside(seen);
    }

    /// Keeps what this piece has of the beginning of a name or text, which ends at `end` or goes on behind the piece.
    pub(super) fn keep_text(&mut self, piece: Piece<'_>, end: usize) {
        if self.depth > 1 && self.marks.is_none() {
            return;
        }
        // One byte more than any wanted name can have says that it is none of them.
        let room = (MAX_NAME + 1).saturating_sub(self.text.len());
        let part = piece.part(self.text_start..end);
        self.text.extend_from_slice(part.get(..room).unwrap_or(part));
    }
}

/// Whether a string that begins so is base64, or a URL that holds its data.
fn is_opaque(beginning: &[u8]) -> bool {
    beginning.starts_with(b"data:") || beginning.iter().copied().all(is_base64)
}

/// Whether a byte may stand in base64, as JSON writes it.
pub(crate) const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'\\')
}

/// Whether a text that begins so is an address that somebody could fetch; some writers escape its slashes.
fn is_address(beginning: &[u8]) -> bool {
    const SCHEMES: [&str; 3] = ["https://", "http://", "gs://"];
    SCHEMES.iter().any(|scheme| {
        let mut bytes = beginning.iter().filter(|byte| **byte != b'\\');
        scheme.bytes().all(|expected| bytes.next().is_some_and(|byte| byte.eq_ignore_ascii_case(&expected)))
    })
}
