//! Where a text is from: grounding by search and files, and recited sources.
//!
//! Google counts bytes of the answer's text (<https://ai.google.dev/api/generate-content#Segment>), the canonical answer
//! characters. Sources come with the last event, when the text is gone: of each of its bytes a bit is kept.

use alloc::vec::Vec;
use serde_json::value::RawValue;

use super::response::Candidate;
use crate::{
    chat::{Citation, Text},
    json::{self, Number, Str, record},
};

/// Most sources of an answer that are told: each support may name each source again, so that what a few bytes say could take any
/// amount to write.
pub(super) const MAX_SOURCES: usize = 1024;

/// Longest page that is told as one, in bytes; a longer one is told once, as it came.
const MAX_PAGE: usize = 4096;

record! {
    /// What search and files contributed.
    #[derive(Debug)]
    pub(super) struct Grounding<'a> {
        grounding_chunks: Option<Vec<&'a RawValue>> = "groundingChunks",
        grounding_supports: Option<Vec<Support>> = "groundingSupports",
    }
}

record! {
    #[derive(Debug)]
    struct Support {
        segment: Option<Segment>,
        grounding_chunk_indices: Option<Vec<Number<usize>>> = "groundingChunkIndices",
    }
}

record! {
    #[derive(Debug)]
    struct Segment {
        start_index: Number<usize> = "startIndex",
        end_index: Number<usize> = "endIndex",
    }
}

record! {
    #[derive(Debug)]
    struct Chunk<'a> {
        web: Option<Source<'a>>,
        maps: Option<Source<'a>>,
        retrieved_context: Option<Source<'a>> = "retrievedContext",
    }
}

record! {
    #[derive(Debug)]
    struct Source<'a> {
        uri: Option<Str<'a>>,
        title: Option<Str<'a>>,
    }
}

/// A source that has an address.
struct Page<'a> {
    url: Text<'a>,
    title: Option<Text<'a>>,
}

record! {
    /// Recited sources.
    #[derive(Debug)]
    pub(super) struct Recitation<'a> {
        citation_sources: Option<Vec<Recited<'a>>> = "citationSources",
        /// The same, as Vertex AI calls them.
        citations: Option<Vec<Recited<'a>>>,
    }
}

record! {
    #[derive(Debug)]
    struct Recited<'a> {
        start_index: Number<usize> = "startIndex",
        end_index: Number<usize> = "endIndex",
        uri: Option<Str<'a>>,
        title: Option<Str<'a>>,
    }
}

/// The places of a text's characters in its bytes.
#[derive(Debug, Default)]
pub(super) struct Ruler {
    bytes: usize,
    /// Of each 64 bytes: how many characters begin before them, and, bit by bit, at which of them one begins.
    marks: Vec<(u64, u64)>,
}

impl Ruler {
    /// Longest text that is measured, in bytes.
    const MOST: usize = 1024 * 1024;

    /// Goes on with more of the text.
    pub(super) fn add(&mut self, text: &str) {
        for byte in text.bytes() {
            if self.bytes.is_multiple_of(64) && self.bytes < Self::MOST {
                let before =
                    self.marks.last().map_or(0, |(before, mark)| before.saturating_add(mark.count_ones().into()));
                self.marks.push((before, 0));
            }
            if byte & 0b1100_0000 != 0b1000_0000
                && let Some((_, mark)) = self.marks.get_mut(self.bytes.div_euclid(64))
            {
                *mark |= 1 << self.bytes.rem_euclid(64);
            }
            self.bytes = self.bytes.saturating_add(1);
        }
    }

    /// The place of a byte.
    fn locate(&self, bytes: usize) -> Option<u64> {
        let Some(last) = bytes.checked_sub(1) else { return Some(0) };
        // What ends behind a byte ends where none goes on.
        let begins = |at: usize| Some(self.marks.get(at.div_euclid(64))?.1 >> at.rem_euclid(64) & 1 == 1);
        (bytes == self.bytes || begins(bytes)?).then_some(())?;
        let (before, mark) = self.marks.get(last.div_euclid(64))?;
        let within = mark & u64::MAX >> 63_usize.saturating_sub(last.rem_euclid(64));
        Some(before.saturating_add(within.count_ones().into()))
    }

    fn span(&self, start: Number<usize>, end: Number<usize>) -> Option<(u64, u64)> {
        Some((self.locate(start.0.unwrap_or(0))?, self.locate(end.0?)?))
    }
}

/// Gives each source to `each`, up to `left` of them: those that support a segment, those that support nothing in particular,
/// those recited.
pub(super) fn sources<'a>(
    candidate: &Candidate<'a>,
    ruler: &Ruler,
    left: &mut usize,
    each: &mut dyn FnMut(Citation<'a>),
) {
    let mut tell = |citation| {
        let rest = left.checked_sub(1)?;
        *left = rest;
        each(citation);
        Some(())
    };
    tell_all(candidate, ruler, &mut tell);
}

/// Gives each source to `tell` until that takes no more.
fn tell_all<'a>(
    candidate: &Candidate<'a>,
    ruler: &Ruler,
    tell: &mut dyn FnMut(Citation<'a>) -> Option<()>,
) -> Option<()> {
    let grounding = candidate.grounding_metadata.as_ref();
    let chunks = grounding.and_then(|grounding| grounding.grounding_chunks.as_deref()).unwrap_or_default();
    let supports = grounding.and_then(|grounding| grounding.grounding_supports.as_deref()).unwrap_or_default();
    let pages: Vec<_> = chunks.iter().map(|chunk| Page::read(chunk)).collect();
    let mut is_cited = alloc::vec![false; chunks.len()];
    for support in supports {
        let span = support.segment.as_ref().and_then(|segment| ruler.span(segment.start_index, segment.end_index));
        for index in support.grounding_chunk_indices.iter().flatten().filter_map(|index| index.0) {
            let (Some(Some(page)), Some(is_cited)) = (pages.get(index), is_cited.get_mut(index)) else { continue };
            *is_cited = true;
            tell(page.cited(span))?;
        }
    }
    for ((chunk, page), is_cited) in chunks.iter().zip(&pages).zip(is_cited) {
        if !is_cited {
            tell(page.as_ref().map_or(Citation::Document(chunk), |page| page.cited(None)))?;
        }
    }
    let recited = candidate
        .citation_metadata
        .iter()
        .filter_map(|recitation| recitation.citation_sources.as_ref().or(recitation.citations.as_ref()));
    for source in recited.flatten() {
        if let Some(uri) = &source.uri {
            let (url, title) = (uri.0.clone(), source.title.clone().map(|title| title.0));
            tell(Citation::Url { url, title, span: ruler.span(source.start_index, source.end_index) })?;
        }
    }
    Some(())
}

impl<'a> Page<'a> {
    fn read(chunk: &'a RawValue) -> Option<Self> {
        let chunk: Chunk<'a> = json::read(chunk.get()).ok()?;
        let place = chunk.web.or(chunk.maps).or(chunk.retrieved_context)?;
        let (url, title) = (place.uri?.0, place.title.map(|title| title.0));
        let bytes = url.len().saturating_add(title.as_deref().map_or(0, str::len));
        (bytes <= MAX_PAGE).then_some(Self { url, title })
    }

    fn cited(&self, span: Option<(u64, u64)>) -> Citation<'a> {
        Citation::Url { url: self.url.clone(), title: self.title.clone(), span }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_bytes_is_one_in_characters_or_none() {
        let text = "aä€😀".repeat(200);
        for split in [0, 3, 1000] {
            let (first, last) = text.split_at(split);
            let mut ruler = Ruler::default();
            ruler.add(first);
            ruler.add(last);
            for bytes in 0..text.len() + 3 {
                let expected = text.get(..bytes).map(|before| before.chars().count() as u64);
                assert_eq!(ruler.locate(bytes), expected, "{split} {bytes}");
            }
        }
        assert_eq!(Ruler::default().locate(0), Some(0));
        assert_eq!(Ruler::default().locate(usize::MAX), None);
        let mut long = Ruler::default();
        long.add(&"a".repeat(Ruler::MOST + 100));
        assert_eq!((long.locate(Ruler::MOST), long.locate(Ruler::MOST + 100)), (None, None));
        assert_eq!(long.locate(Ruler::MOST - 1), Some(Ruler::MOST as u64 - 1));
    }
}
