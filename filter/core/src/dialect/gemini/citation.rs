//! Where a text is from: grounding by search and files, and recited sources.
//!
//! Google counts bytes of the answer's text (<https://ai.google.dev/api/generate-content#Segment>), the canonical answer
//! characters. What an event adds to the text is at hand when its sources come; of what came before only the ends are kept,
//! which are enough while bytes and characters are the same. A place behind the first other character of an earlier event is
//! not told.

use alloc::{string::String, vec::Vec};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::response::Candidate;
use crate::{
    chat::{Citation, Text},
    json::{self, Number, Str},
};

/// Most sources of an answer that are told: each support may name each source again, so that what a few bytes say could take any
/// amount to write.
pub(super) const MAX_SOURCES: usize = 1024;

/// Longest page that is told as one, in bytes; a longer one is told once, as it came.
const MAX_PAGE: usize = 4096;

/// What search and files contributed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(super) struct Grounding<'a> {
    grounding_chunks: Option<Vec<&'a RawValue>>,
    grounding_supports: Option<Vec<Support>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Support {
    segment: Option<Segment>,
    grounding_chunk_indices: Option<Vec<Number<usize>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Segment {
    #[serde(default)]
    start_index: Number<usize>,
    #[serde(default)]
    end_index: Number<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Chunk<'a> {
    web: Option<Source<'a>>,
    maps: Option<Source<'a>>,
    retrieved_context: Option<Source<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Source<'a> {
    uri: Option<Str<'a>>,
    title: Option<Str<'a>>,
}

/// A source that has an address.
struct Page<'a> {
    url: Text<'a>,
    title: Option<Text<'a>>,
}

/// Recited sources.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(super) struct Recitation<'a> {
    #[serde(alias = "citations")]
    citation_sources: Option<Vec<Recited<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Recited<'a> {
    #[serde(default)]
    start_index: Number<usize>,
    #[serde(default)]
    end_index: Number<usize>,
    uri: Option<Str<'a>>,
    title: Option<Str<'a>>,
}

/// An end of a text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    bytes: usize,
    characters: u64,
}

impl Place {
    /// Where it is once `text` is added.
    pub(super) fn advance(&mut self, text: &str) {
        self.bytes = self.bytes.saturating_add(text.len());
        self.characters = self.characters.saturating_add(beginnings(text.as_bytes()));
    }
}

/// A text whose places can be told in characters, without counting from its beginning each time.
#[derive(Debug)]
pub(super) struct Ruler {
    begin: Place,
    text: String,
    /// How many characters begin before each block of [`BLOCK`] bytes.
    before: Vec<u64>,
}

const BLOCK: usize = 256;

impl Ruler {
    /// The last part of an answer's text, which begins there.
    pub(super) fn new(begin: Place, text: String) -> Self {
        let mut before = alloc::vec![begin.characters];
        let mut sum = begin.characters;
        for block in text.as_bytes().chunks(BLOCK) {
            sum = sum.saturating_add(beginnings(block));
            before.push(sum);
        }
        Self { begin, text, before }
    }

    /// The place of a byte.
    fn locate(&self, bytes: usize) -> Option<u64> {
        let place = u64::try_from(bytes).ok()?;
        let Some(bytes) = bytes.checked_sub(self.begin.bytes) else {
            let is_ascii = u64::try_from(self.begin.bytes) == Ok(self.begin.characters);
            return is_ascii.then_some(place);
        };
        let block = bytes.checked_div(BLOCK)?;
        let rest = self.text.as_bytes().get(block.checked_mul(BLOCK)?..bytes)?;
        self.text.is_char_boundary(bytes).then_some(self.before.get(block)?.saturating_add(beginnings(rest)))
    }

    fn span(&self, start: Number<usize>, end: Number<usize>) -> Option<(u64, u64)> {
        Some((self.locate(start.0.unwrap_or(0))?, self.locate(end.0?)?))
    }
}

/// How many characters begin in these bytes.
fn beginnings(bytes: &[u8]) -> u64 {
    let count = bytes.iter().filter(|byte| **byte & 0b1100_0000 != 0b1000_0000).count();
    u64::try_from(count).unwrap_or(u64::MAX)
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
    let recited = candidate.citation_metadata.iter().filter_map(|recitation| recitation.citation_sources.as_deref());
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
        let text: String = "aä€😀".repeat(200);
        for split in [0, 3, 1000] {
            let (first, last) = text.split_at(split);
            let mut begin = Place::default();
            begin.advance(first);
            let ruler = Ruler::new(begin, last.into());
            for bytes in split..text.len() + 3 {
                let expected = text.get(..bytes).map(|before| before.chars().count() as u64);
                assert_eq!(ruler.locate(bytes), expected, "{split} {bytes}");
            }
        }
        let mut begin = Place::default();
        begin.advance("abc");
        assert_eq!(Ruler::new(begin, "ä".into()).locate(2), Some(2));
        begin.advance("ä");
        assert_eq!(Ruler::new(begin, "d".into()).locate(2), None);
        assert_eq!(Ruler::new(Place::default(), String::new()).locate(usize::MAX), None);
    }
}
