//! Server-sent events, JSON lines and the elements of a JSON array: framing only, at any chunk boundary, without delay and without copying what is already whole.
//!
//! A frame is everything up to and with the blank line that ends an event. Its bytes are kept as they came, so that a
//! passed-through stream stays identical; what a frame says is read on demand. An incomplete frame at the end of a chunk is
//! carried over: a client could not have used it before its blank line either. Line ends may be LF, CRLF or CR
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>).

mod elements;

use alloc::{borrow::Cow, vec::Vec};

pub(crate) use elements::Elements;

/// Longest event; a longer one ends the stream with an error, so that memory stays bounded. Image events, the largest that
/// exist, carry a few MiB of base64.
pub const MAX_FRAME: usize = 8 * 1024 * 1024;

/// What ends a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// A blank line: server-sent events.
    #[default]
    Events,
    /// A line feed: JSON lines.
    Lines,
    /// The end of an element of an array, or of the array. What stands between elements begins the next frame.
    Elements,
}

/// Cuts a byte stream into frames.
#[derive(Debug, Default)]
pub struct Decoder {
    framing: Framing,
    carry: Vec<u8>,
    elements: Elements,
}

/// A frame longer than [`MAX_FRAME`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlong;

/// One event as it came, its blank line included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The bytes.
    pub raw: &'a [u8],
}

impl Decoder {
    /// A decoder for this framing.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        Self { framing, ..Self::default() }
    }

    /// Gives each frame that ends in `chunk` to `each`, and keeps what is left for the next call.
    ///
    /// # Errors
    /// [`Overlong`] when what is left is longer than any event may be.
    pub fn feed(&mut self, chunk: &[u8], mut each: impl FnMut(Frame<'_>)) -> Result<(), Overlong> {
        let Self { framing, carry, elements } = self;
        let mut end = |bytes: &[u8]| match framing {
            Framing::Events => blank_line_end(bytes),
            Framing::Lines => bytes.iter().position(|&byte| byte == b'\n').map(|at| at.saturating_add(1)),
            Framing::Elements => elements.end(bytes),
        };
        if carry.is_empty() {
            let used = split(chunk, 0, &mut end, &mut each);
            carry.extend_from_slice(chunk.get(used..).unwrap_or_default());
        } else {
            // Only the seam can complete the carried frame; looking at all of it again would be quadratic.
            let seam = if *framing == Framing::Elements { 0 } else { 3 };
            let from = carry.len().saturating_sub(seam);
            carry.extend_from_slice(chunk);
            let used = split(carry, from, &mut end, &mut each);
            carry.drain(..used);
        }
        if self.carry.len() > MAX_FRAME { Err(Overlong) } else { Ok(()) }
    }

    /// The length of what is carried over.
    #[must_use]
    pub fn carried(&self) -> usize {
        self.carry.len()
    }

    /// The incomplete frame at the end of the stream, which some providers leave without its blank line.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.carry)
    }
}

impl<'a> Frame<'a> {
    /// Whether it ends with the blank line that it needs.
    #[must_use]
    pub fn is_closed(self) -> bool {
        blank_line_end(self.raw) == Some(self.raw.len())
    }

    /// Whether it is what is left of an event that was cut before its data: without data it is none, and without its blank line
    /// more was to come.
    #[must_use]
    pub fn is_torn(self) -> bool {
        self.fields(b"data").all(<[u8]>::is_empty) && !self.is_closed()
    }

    /// The last `event` field.
    #[must_use]
    pub fn event(&self) -> Option<&'a [u8]> {
        self.fields(b"event").last()
    }

    /// The `data` fields, joined by line feeds; `None` where there is none (a comment, a ping, a blank line).
    #[must_use]
    pub fn data(&self) -> Option<Cow<'a, [u8]>> {
        let mut lines = self.fields(b"data");
        let first = lines.next()?;
        let mut joined = match lines.next() {
            None => return Some(Cow::Borrowed(first)),
            Some(second) => [first, b"\n", second].concat(),
        };
        for line in lines {
            joined.push(b'\n');
            joined.extend_from_slice(line);
        }
        Some(Cow::Owned(joined))
    }

    /// Where among the bytes a byte of the data stands.
    #[must_use]
    pub fn place(&self, mut at: usize) -> Option<usize> {
        for line in self.fields(b"data") {
            if at < line.len() {
                let start = (line.as_ptr() as usize).saturating_sub(self.raw.as_ptr() as usize);
                return Some(start.saturating_add(at));
            }
            at = at.checked_sub(line.len())?.checked_sub(1)?;
        }
        None
    }

    fn fields(&self, name: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
        // One byte order mark may stand before the first line of a stream; a frame does not know whether it is the first, and no
        // field begins so.
        let raw = self.raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(self.raw);
        raw.split(|&byte| byte == b'\n' || byte == b'\r').filter_map(move |line| {
            let value = line.strip_prefix(name)?;
            let value = match value.split_first() {
                None => value,
                Some((b':', value)) => value,
                Some(_) => return None,
            };
            Some(value.strip_prefix(b" ").unwrap_or(value))
        })
    }
}

/// Writes an event.
pub fn write_event(out: &mut Vec<u8>, event: Option<&str>, data: &[u8]) {
    if let Some(event) = event {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(event.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
}

/// Gives each whole frame of `bytes` to `each` and returns how many bytes they are. `frame_end` finds the place just after the first
/// frame of what it is given; it is looked for from `search_from` on.
fn split(
    bytes: &[u8],
    search_from: usize,
    frame_end: &mut impl FnMut(&[u8]) -> Option<usize>,
    each: &mut impl FnMut(Frame<'_>),
) -> usize {
    let mut start = 0_usize;
    let mut from = search_from;
    while let Some(length) = bytes.get(from..).and_then(&mut *frame_end) {
        let end = from.saturating_add(length);
        each(Frame { raw: bytes.get(start..end).unwrap_or_default() });
        (start, from) = (end, end);
    }
    start
}

/// The place just after the first blank line.
fn blank_line_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0_usize;
    // At the start of a line, a line end is a blank line.
    let mut line_is_empty = false;
    loop {
        let rest = bytes.get(at..)?;
        let skipped = rest.iter().position(|&byte| byte == b'\n' || byte == b'\r')?;
        if skipped > 0 {
            line_is_empty = false;
        }
        at = at.saturating_add(skipped);
        at = at.saturating_add(if bytes.get(at..at.saturating_add(2)) == Some(b"\r\n") { 2 } else { 1 });
        if line_is_empty {
            return Some(at);
        }
        line_is_empty = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::String, vec};
    use proptest::prelude::*;

    type Said = (Option<Vec<u8>>, Vec<u8>);

    /// All bytes of the frames, and what the frames say.
    fn decode(pieces: &[&[u8]]) -> (Vec<u8>, Vec<Said>) {
        let mut decoder = Decoder::default();
        let (mut bytes, mut said) = (Vec::new(), Vec::new());
        for piece in pieces {
            decoder
                .feed(piece, |frame| {
                    bytes.extend_from_slice(frame.raw);
                    if let Some(data) = frame.data() {
                        said.push((frame.event().map(<[u8]>::to_vec), data.into_owned()));
                    }
                })
                .unwrap();
        }
        bytes.extend_from_slice(&decoder.finish());
        (bytes, said)
    }

    #[test]
    fn reads_events_comments_and_data_of_several_lines() {
        let (_, said) = decode(&[b": ping\n\nevent: a\ndata: 1\ndata:2\n\ndata\n\ndatax: no\n\ndata: [DONE]\r\n\r\n"]);
        let expected: Vec<Said> =
            vec![(Some(b"a".to_vec()), b"1\n2".to_vec()), (None, Vec::new()), (None, b"[DONE]".to_vec())];
        assert_eq!(said, expected);
    }

    #[test]
    fn what_has_no_blank_line_yet_is_carried() {
        let mut decoder = Decoder::default();
        let mut count = 0;
        decoder.feed(b"data: 1\n\ndata: 2\n", |_| count += 1).unwrap();
        assert_eq!((count, decoder.carried()), (1, 8));
        decoder.feed(b"\n", |frame| assert_eq!(frame.raw, b"data: 2\n\n")).unwrap();
        assert_eq!(decoder.carried(), 0);
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut decoder = Decoder::default();
        let piece = vec![b'x'; MAX_FRAME / 4];
        let fed = (0..5).try_for_each(|_| decoder.feed(&piece, |_| ()));
        assert_eq!(fed, Err(Overlong));
    }

    /// The elements of what comes in pieces of this length, and what is left.
    fn elements(document: &str, length: usize) -> (Vec<String>, String) {
        let mut decoder = Decoder::new(Framing::Elements);
        let mut found = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        for piece in document.as_bytes().chunks(length) {
            decoder.feed(piece, |frame| found.push(text(frame.raw))).unwrap();
        }
        (found, text(&decoder.finish()))
    }

    #[test]
    fn an_element_ends_with_its_last_bracket_wherever_it_is_cut() {
        for (document, expected, left) in [
            (r#"[{"a":[1,{}]},{"b":"}]\\\"]"}]"#, &[r#"[{"a":[1,{}]}"#, r#",{"b":"}]\\\"]"}"#, "]"][..], ""),
            ("[ {}\n,\r\n{} ]\n", &["[ {}", "\n,\r\n{}", " ]"], "\n"),
            (r#"{"a":{"b":[]}} "#, &[r#"{"a":{"b":[]}}"#], " "),
            ("[[1],2]", &["[[1]", ",2]"], ""),
            ("[]", &["[]"], ""),
            (r#"[{"a":1},{"b"#, &[r#"[{"a":1}"#], r#",{"b"#),
            ("]]{}", &["]", "]", "{}"], ""),
            ("<html>", &[], "<html>"),
        ] {
            for length in [1, 2, 3, 7, 100] {
                assert_eq!(
                    elements(document, length),
                    (expected.iter().map(|&part| part.into()).collect(), left.into())
                );
            }
        }
    }

    proptest! {
        #[test]
        fn cutting_the_stream_anywhere_changes_nothing(
            lines in prop::collection::vec(("(data: ?|event: ?|: ?|id: ?|)[a-zä]{0,4}", "\n|\r\n|\r|\n\n|\r\n\r\n|\r\r"), 0..12),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            let stream: Vec<u8> = lines.into_iter().flat_map(|(line, end)| [line, end].concat().into_bytes()).collect();
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len().saturating_add(1))).collect();
            places.push(stream.len());
            places.sort_unstable();
            let mut start = 0;
            let pieces: Vec<&[u8]> = places.iter().map(|&end| &stream[core::mem::replace(&mut start, end)..end]).collect();
            let (bytes, said) = decode(&pieces);
            let whole = decode(&[&stream]);
            prop_assert_eq!(&bytes, &stream);
            prop_assert_eq!(said, whole.1);
        }
    }
}
