//! Tokens of one answer, as providers count them, and what is taken for them where an answer broke off before its provider
//! did.

use crate::json;

/// Tokens. What a provider does not say is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the request, cached ones included.
    pub input: u64,
    /// Those of them that came from the provider's cache.
    pub cached_input: u64,
    /// Those of them that were written to the provider's cache.
    pub cache_write: u64,
    /// Those of them that are sound.
    pub audio_input: u64,
    /// Tokens of the answer, reasoning included.
    pub output: u64,
    /// Those of them that were spent on reasoning.
    pub reasoning: u64,
    /// Those of them that are sound.
    pub audio_output: u64,
    /// Pictures that were drawn.
    pub images: u64,
}

/// More tokens than any answer has. What is told beyond it would spoil every sum that it is added to.
const MOST_CREDIBLE: u64 = 1 << 40;

impl Usage {
    /// Whether it can be what one answer has used.
    #[must_use]
    pub fn is_credible(&self) -> bool {
        let mut copy = *self;
        copy.beside(Self::default()).into_iter().all(|(count, _)| *count <= MOST_CREDIBLE)
    }

    /// Takes what is told now of the whole answer so far. What is told as nothing is not told, and stays.
    pub fn update(&mut self, told: Self) {
        for (count, told) in self.beside(told) {
            if told > 0 {
                *count = told;
            }
        }
    }

    /// Takes what is told of something more.
    pub fn add(&mut self, told: Self) {
        for (count, told) in self.beside(told) {
            *count = count.saturating_add(told);
        }
    }

    fn beside(&mut self, told: Self) -> [(&mut u64, u64); 8] {
        [
            (&mut self.input, told.input),
            (&mut self.cached_input, told.cached_input),
            (&mut self.cache_write, told.cache_write),
            (&mut self.audio_input, told.audio_input),
            (&mut self.output, told.output),
            (&mut self.reasoning, told.reasoning),
            (&mut self.audio_output, told.audio_output),
            (&mut self.images, told.images),
        ]
    }
}

/// What has come of an answer, since the provider told its tokens last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flowed {
    /// How many pieces had content.
    pieces: u64,
    /// How long those were, without the data in them.
    bytes: u64,
    /// How long the shortest was.
    shortest: Option<u64>,
    /// How long the data was: sound and pictures.
    data: u64,
    /// How many of the last bytes may be base64.
    run: u64,
    /// How many tokens were told.
    told: u64,
    /// Those of them that were told before anything had come, so that they are of what comes.
    ahead: u64,
}

/// What the bytes of an answer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter {
    /// Text, in which data may stand as base64.
    Text,
    /// Sound or pictures, as they are.
    Data,
}

/// What of a piece is around its content at most. Events of one stream have much the same around theirs, so that the shortest says
/// how much that is, unless it is a long one itself.
const LONGEST_ENVELOPE: u64 = 400;

/// Bytes a token of the content.
const BYTES: u64 = 4;

/// Bytes a token of data. Of sound, MP3 of 128 kbit has 800 and base64 of raw samples 3,200; a picture of a megabyte is a thousand
/// tokens, or two.
const DATA_BYTES: u64 = 1024;

/// From this length on what may be base64 is.
const DATA: u64 = 1024;

impl Flowed {
    /// A piece with content came.
    pub fn add(&mut self, piece: &[u8]) {
        let before = self.bytes;
        // Most are too short to hold any, and are not looked at.
        match length(piece) {
            short @ ..DATA => self.bytes = before.saturating_add(short),
            _ => self.count(piece),
        }
        let text = self.bytes.saturating_sub(before);
        self.pieces = self.pieces.saturating_add(1);
        self.shortest = Some(self.shortest.map_or(text, |shortest| shortest.min(text)));
    }

    /// More came of what is one piece.
    pub fn extend(&mut self, part: &[u8], matter: Matter) {
        match matter {
            Matter::Text => self.count(part),
            Matter::Data => self.data = self.data.saturating_add(length(part)),
        }
        (self.pieces, self.shortest) = (1, Some(self.bytes));
    }

    /// Most of an answer is text, in which no run is long. Whether one is, its last byte but few says: of text, hardly any is
    /// looked at.
    fn count(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while !rest.is_empty() {
            let lacking = usize::try_from(DATA.saturating_sub(self.run)).unwrap_or(usize::MAX);
            let (window, behind) = rest.split_at_checked(lacking).unwrap_or((rest, &[]));
            rest = if lacking == 0 {
                let end = rest.iter().position(|byte| !json::is_base64(*byte)).unwrap_or(rest.len());
                self.data = self.data.saturating_add(length(rest.get(..end).unwrap_or_default()));
                self.run = if end < rest.len() { 0 } else { self.run };
                rest.get(end..).unwrap_or_default()
            } else if let Some(last) = window.iter().rposition(|byte| !json::is_base64(*byte)) {
                let (text, after) = rest.split_at_checked(last.saturating_add(1)).unwrap_or((rest, &[]));
                self.bytes = self.bytes.saturating_add(length(text));
                self.run = 0;
                after
            } else {
                self.bytes = self.bytes.saturating_add(length(window));
                self.run = self.run.saturating_add(length(window));
                if self.run == DATA {
                    self.data = self.data.saturating_add(DATA);
                    self.bytes = self.bytes.saturating_sub(DATA);
                }
                behind
            };
        }
    }

    /// The provider has counted so many tokens until now.
    pub fn tell(&mut self, tokens: u64) {
        if tokens != self.told {
            let ahead = if self.shortest.is_none() { tokens } else { 0 };
            *self = Self { told: tokens, ahead, shortest: self.shortest, ..Self::default() };
        }
    }

    /// How many tokens the answer is so far: those that were told, and at least one for each piece since, as most providers send
    /// each as it is made.
    #[must_use]
    pub fn tokens(self) -> u64 {
        let envelope = self.shortest.unwrap_or_default().min(LONGEST_ENVELOPE);
        let content = self.bytes.saturating_sub(self.pieces.saturating_mul(envelope));
        let since = self.pieces.max((content / BYTES).saturating_add(self.data / DATA_BYTES));
        self.told.saturating_add(since.saturating_sub(self.ahead))
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use proptest::prelude::*;

    use super::*;

    /// The same, byte by byte.
    fn count_by_bytes(flowed: &mut Flowed, piece: &[u8]) {
        for &byte in piece {
            let run = if json::is_base64(byte) { flowed.run.saturating_add(1) } else { 0 };
            let (bytes, data) = (flowed.bytes.saturating_add(1), flowed.data);
            (flowed.bytes, flowed.data) = match run {
                ..DATA => (bytes, data),
                DATA => (bytes.saturating_sub(DATA), data.saturating_add(DATA)),
                _ => (bytes.saturating_sub(1), data.saturating_add(1)),
            };
            flowed.run = run.min(DATA);
        }
    }

    proptest! {
        #[test]
        fn looking_at_few_bytes_counts_as_looking_at_all(
            runs in prop::collection::vec((prop_oneof![0..9_usize, 1_000..1_050_usize, 2_000..3_000_usize], 1..4_usize), 1..8),
            cuts in prop::collection::vec(0..5_000_usize, 0..9),
        ) {
            let text: Vec<u8> = runs.iter().flat_map(|(run, gap)| [vec![b'a'; *run], vec![b' '; *gap]].concat()).collect();
            let (mut fast, mut slow, mut rest) = (Flowed::default(), Flowed::default(), &text[..]);
            for cut in cuts.into_iter().chain([usize::MAX]) {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                fast.count(piece);
                count_by_bytes(&mut slow, piece);
                prop_assert_eq!(fast, slow);
                rest = after;
            }
        }
    }

    #[test]
    fn a_piece_is_a_token_or_as_many_as_fit_into_it() {
        let mut flowed = Flowed::default();
        assert_eq!(flowed.tokens(), 0);
        (0..40).for_each(|place| flowed.add(&vec![b' '; 300 + place % 8]));
        assert_eq!(flowed.tokens(), 40);
        flowed.add(&[b' '; 300 + 4 * 100]);
        assert_eq!(flowed.tokens(), 135);
    }

    #[test]
    fn what_is_told_counts_and_what_has_come_since() {
        let word = [b' '; 300];
        let mut flowed = Flowed::default();
        flowed.add(&[b' '; 3_000]);
        flowed.tell(7);
        assert_eq!(flowed.tokens(), 7);
        flowed.add(&word);
        flowed.tell(7);
        flowed.add(&word);
        assert_eq!(flowed.tokens(), 9);
        flowed.tell(8);
        assert_eq!(flowed.tokens(), 8);
        // Before anything has come.
        let mut flowed = Flowed::default();
        flowed.tell(2);
        flowed.add(&word);
        assert_eq!(flowed.tokens(), 2);
        (0..4).for_each(|_| flowed.add(&word));
        assert_eq!(flowed.tokens(), 5);
        flowed.tell(u64::MAX);
        flowed.add(&word);
        assert_eq!(flowed.tokens(), u64::MAX);
    }

    #[test]
    fn no_answer_has_used_more_than_the_world() {
        assert!(Usage { input: MOST_CREDIBLE, ..Usage::default() }.is_credible());
        assert!(!Usage { input: u64::MAX, ..Usage::default() }.is_credible());
        assert!(!Usage { output: 5, images: MOST_CREDIBLE + 1, ..Usage::default() }.is_credible());
    }

    #[test]
    fn what_is_told_as_nothing_stays() {
        let told = Usage {
            input: 1,
            cached_input: 2,
            cache_write: 3,
            audio_input: 4,
            output: 5,
            reasoning: 6,
            audio_output: 7,
            images: 8,
        };
        let mut usage = Usage::default();
        usage.update(told);
        usage.update(Usage::default());
        assert_eq!(usage, told);
        usage.update(Usage { output: 9, ..Usage::default() });
        assert_eq!(usage, Usage { output: 9, ..told });
    }

    #[test]
    fn a_document_is_one_piece_however_it_comes() {
        let mut flowed = Flowed::default();
        for part in [b"so.".repeat(100), b" ok".repeat(100), b"so ".repeat(200)] {
            flowed.extend(&part, Matter::Text);
        }
        assert_eq!(flowed.tokens(), 200);
    }

    #[test]
    fn data_is_no_text_however_it_comes() {
        let picture = [&br#"{"data":[{"b64_json":""#[..], &b"aB+/".repeat(250_000), br#""}]}"#].concat();
        for size in [1_000, 1_024, 1_500, picture.len()] {
            let mut flowed = Flowed::default();
            picture.chunks(size).for_each(|part| flowed.extend(part, Matter::Text));
            assert_eq!(flowed.tokens(), 976, "{size}");
        }
        let mut flowed = Flowed::default();
        (0..10).for_each(|_| flowed.add(&picture));
        assert_eq!(flowed.tokens(), 9_765);
        // Shorter than what is taken for data.
        let mut flowed = Flowed::default();
        flowed.extend(&[b'a'; 1_023], Matter::Text);
        assert_eq!(flowed.tokens(), (1_023 - 400) / 4);
        let mut flowed = Flowed::default();
        for length in [1_000_000, 48_576] {
            flowed.extend(&vec![b' '; length], Matter::Data);
        }
        assert_eq!(flowed.tokens(), 1_024);
    }
}
