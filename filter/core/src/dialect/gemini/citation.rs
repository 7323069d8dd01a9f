//! Where a text is from: grounding by search and files, and recited sources.
//!
//! Google counts bytes of the answer's text (<https://ai.google.dev/api/generate-content#Segment>), the canonical answer
//! characters. A whole answer has its text at hand; of a stream only the counts are kept, which are enough while bytes and
//! characters are the same: behind the first other character a place is not told.

use alloc::vec::Vec;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{chat::Citation, json::Str};

/// What search and files contributed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Grounding<'a> {
    #[serde(borrow, default)]
    grounding_chunks: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    grounding_supports: Option<Vec<Support>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Support {
    #[serde(default)]
    segment: Option<Segment>,
    #[serde(default)]
    grounding_chunk_indices: Option<Vec<usize>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Segment {
    #[serde(default)]
    start_index: Option<usize>,
    #[serde(default)]
    end_index: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk<'a> {
    #[serde(borrow, default)]
    web: Option<Place<'a>>,
    #[serde(borrow, default)]
    maps: Option<Place<'a>>,
    #[serde(borrow, default)]
    retrieved_context: Option<Place<'a>>,
}

#[derive(Debug, Deserialize)]
struct Place<'a> {
    #[serde(borrow, default)]
    uri: Option<Str<'a>>,
    #[serde(borrow, default)]
    title: Option<Str<'a>>,
}

/// Recited sources.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Recitation<'a> {
    #[serde(borrow, default, alias = "citations")]
    citation_sources: Option<Vec<Recited<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recited<'a> {
    #[serde(default)]
    start_index: Option<usize>,
    #[serde(default)]
    end_index: Option<usize>,
    #[serde(borrow, default)]
    uri: Option<Str<'a>>,
    #[serde(borrow, default)]
    title: Option<Str<'a>>,
}

/// Turns a place in bytes into one in characters, where it can.
pub(super) type Locate<'l> = &'l dyn Fn(usize) -> Option<u64>;

/// A text whose places can be told in characters, without counting from its beginning each time.
#[derive(Debug)]
pub(super) struct Ruler<'t> {
    text: &'t str,
    /// How many characters begin before each block of [`BLOCK`] bytes.
    before: Vec<u64>,
}

const BLOCK: usize = 256;

impl<'t> Ruler<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let mut before = alloc::vec![0];
        let mut sum = 0_u64;
        for block in text.as_bytes().chunks(BLOCK) {
            sum = sum.saturating_add(beginnings(block));
            before.push(sum);
        }
        Self { text, before }
    }

    /// The place of a byte.
    pub(super) fn locate(&self, bytes: usize) -> Option<u64> {
        let block = bytes.checked_div(BLOCK)?;
        let rest = self.text.as_bytes().get(block.checked_mul(BLOCK)?..bytes)?;
        self.text.is_char_boundary(bytes).then_some(self.before.get(block)?.saturating_add(beginnings(rest)))
    }
}

/// How many characters begin in these bytes.
fn beginnings(bytes: &[u8]) -> u64 {
    let count = bytes.iter().filter(|byte| **byte & 0b1100_0000 != 0b1000_0000).count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Gives each place to `each`: those that support a segment, then those that support nothing in particular.
pub(super) fn grounding<'a>(grounding: &Grounding<'a>, locate: Locate<'_>, each: &mut dyn FnMut(Citation<'a>)) {
    let chunks = grounding.grounding_chunks.as_deref().unwrap_or_default();
    let supports = grounding.grounding_supports.as_deref().unwrap_or_default();
    let mut is_cited = alloc::vec![false; chunks.len()];
    for support in supports {
        let span = support.segment.as_ref().and_then(|segment| span(segment.start_index, segment.end_index, locate));
        for &index in support.grounding_chunk_indices.iter().flatten() {
            let Some(citation) = chunks.get(index).and_then(|chunk| page(chunk, span)) else { continue };
            if let Some(is_cited) = is_cited.get_mut(index) {
                *is_cited = true;
            }
            each(citation);
        }
    }
    for (chunk, is_cited) in chunks.iter().zip(is_cited) {
        if !is_cited {
            each(page(chunk, None).unwrap_or(Citation::Document(chunk)));
        }
    }
}

/// Gives each recited source to `each`.
pub(super) fn recitation<'a>(recitation: &Recitation<'a>, locate: Locate<'_>, each: &mut dyn FnMut(Citation<'a>)) {
    for source in recitation.citation_sources.iter().flatten() {
        if let Some(uri) = &source.uri {
            let span = span(source.start_index, source.end_index, locate);
            each(Citation::Url { url: uri.0.clone(), title: source.title.clone().map(|title| title.0), span });
        }
    }
}

fn span(start: Option<usize>, end: Option<usize>, locate: Locate<'_>) -> Option<(u64, u64)> {
    Some((locate(start.unwrap_or(0))?, locate(end?)?))
}

fn page<'a>(chunk: &'a RawValue, span: Option<(u64, u64)>) -> Option<Citation<'a>> {
    let chunk: Chunk<'a> = serde_json::from_str(chunk.get()).ok()?;
    let place = chunk.web.or(chunk.maps).or(chunk.retrieved_context)?;
    Some(Citation::Url { url: place.uri?.0, title: place.title.map(|title| title.0), span })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    #[test]
    fn a_place_in_bytes_is_one_in_characters_or_none() {
        let text: String = "aä€😀".repeat(200);
        let ruler = Ruler::new(&text);
        for bytes in 0..text.len() + 3 {
            let expected = text.get(..bytes).map(|before| before.chars().count() as u64);
            assert_eq!(ruler.locate(bytes), expected, "{bytes}");
        }
        assert_eq!((Ruler::new("").locate(0), Ruler::new("").locate(usize::MAX)), (Some(0), None));
    }
}
