//! An answer as it goes over the wire: what, in which pieces, when, and how it ends.
//!
//! Everything a simulated provider says is a script, whether a test wrote it, a dialect rendered it or a fault bent it,
//! so there is one player and a fault is a plain function from script to script.
//!
//! A piece is written and flushed on its own: it leaves as its own segment, not as a part of a larger one. (Whether the
//! peer reads it on its own is the peer's doing; a pause makes it all but certain.)

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tokio::sync::Semaphore;

/// One answer.
#[derive(Clone, Debug)]
pub struct Script {
    /// How long the request waits before anything happens.
    pub delay: Duration,
    /// How the answer begins.
    pub opening: Opening,
    /// The status.
    pub status: StatusCode,
    /// The headers. Without a `content-length` the body is chunked (HTTP/1.1).
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<Piece>,
    /// How the answer ends after its last piece.
    pub finish: Finish,
}

/// A part of a body.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    /// How long to wait before it is written.
    pub pause: Duration,
    /// What must be opened before it is written.
    pub gate: Option<Gate>,
    /// The bytes; none make a mere pause.
    pub bytes: Bytes,
}

/// How an answer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// With its whole head.
    Head,
    /// Not at all: the request is never answered.
    Hang,
    /// Not at all: the connection is reset (on HTTP/2: the stream).
    Reset,
    /// With so many bytes of what would have been sent, then the connection is reset.
    Torn(usize),
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Properly.
    Clean,
    /// The connection closes (FIN) without the end of the message.
    Cut,
    /// The connection is reset (RST); on HTTP/2 the stream (`RST_STREAM`).
    Reset,
    /// Never: the connection stays open and silent.
    Hang,
}

/// Holds a piece back until the test says so.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets everything through that waits here or will.
    pub fn open(&self) {
        self.0.add_permits(1);
    }

    /// Returns once the gate is open. The permit goes back, so the gate stays open.
    pub(super) async fn passed(&self) {
        let _permit = self.0.acquire().await;
    }
}

impl Piece {
    /// Bytes to be written at once.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), ..Self::default() }
    }

    /// Time to pass with nothing written.
    #[must_use]
    pub fn silence(pause: Duration) -> Self {
        Self { pause, ..Self::default() }
    }

    /// The same after a pause.
    #[must_use]
    pub fn after(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// The same behind a gate.
    #[must_use]
    pub fn behind(self, gate: &Gate) -> Self {
        Self { gate: Some(gate.clone()), ..self }
    }

    /// The same bytes in pieces that end at `ends` (ascending offsets); the first keeps pause and gate.
    fn split_at(self, ends: &[usize]) -> Vec<Self> {
        let Self { pause, gate, bytes } = self;
        let mut start = 0;
        let mut parts = Vec::new();
        for end in ends.iter().copied().chain([bytes.len()]) {
            if start < end && end <= bytes.len() {
                parts.push(Self::new(bytes.slice(start..end)));
                start = end;
            }
        }
        match parts.first_mut() {
            Some(first) => {
                first.pause = pause;
                first.gate = gate;
            }
            None => parts.push(Self { pause, gate, bytes }),
        }
        parts
    }
}

impl Script {
    /// An answer without a body.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self {
            delay: Duration::ZERO,
            opening: Opening::Head,
            status,
            headers: HeaderMap::new(),
            body: Vec::new(),
            finish: Finish::Clean,
        }
    }

    /// A body that is known as a whole, with its length.
    #[must_use]
    pub fn whole(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let length = HeaderValue::from(body.len());
        let mut script = Self::new(status).with(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        script.headers.insert(header::CONTENT_LENGTH, length);
        script.body = vec![Piece::new(body)];
        script
    }

    /// A stream of server-sent events, given as written (`data: …\n\n`), one piece each.
    #[must_use]
    pub fn events<B: Into<Bytes>>(events: impl IntoIterator<Item = B>) -> Self {
        Self::stream("text/event-stream; charset=utf-8", events)
    }

    /// A stream of events in any framing, one piece each, of unknown length.
    #[must_use]
    pub fn stream<B: Into<Bytes>>(content_type: &'static str, events: impl IntoIterator<Item = B>) -> Self {
        let mut script = Self::new(StatusCode::OK).with(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        script.body = events.into_iter().map(Piece::new).collect();
        script
    }

    /// The same with a header in place of any of its name.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The same, ended otherwise.
    #[must_use]
    pub fn ending(self, finish: Finish) -> Self {
        Self { finish, ..self }
    }

    /// The same, begun otherwise.
    #[must_use]
    pub fn opening(self, opening: Opening) -> Self {
        Self { opening, ..self }
    }

    /// The same, begun later.
    #[must_use]
    pub fn delayed(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// The same with a pause before every piece but the first.
    #[must_use]
    pub fn paced(mut self, pause: Duration) -> Self {
        for piece in self.body.iter_mut().skip(1) {
            piece.pause = pause;
        }
        self
    }

    /// The same body in pieces of at most `size` bytes, wherever that cuts.
    #[must_use]
    pub fn in_pieces_of(mut self, size: usize) -> Self {
        let size = size.max(1);
        self.body = self
            .body
            .into_iter()
            .flat_map(|piece| {
                let ends: Vec<usize> = (0..piece.bytes.len()).step_by(size).collect();
                piece.split_at(&ends)
            })
            .collect();
        self
    }

    /// The same body cut at places that `seed` decides, in the middle of lines and characters too.
    ///
    /// Events are also joined: the cuts know nothing of the pieces there were, whose pauses and gates are lost.
    #[must_use]
    pub fn cut_at_random(mut self, seed: u64) -> Self {
        let body = self.bytes();
        let mut random = Random::new(seed);
        let mut ends = Vec::new();
        let mut end = 0_usize;
        while end < body.len() {
            // Mostly tiny, sometimes larger than an event.
            let span = if random.below(4) == 0 { 400 } else { 12 };
            end = end.saturating_add(1).saturating_add(random.below(span));
            ends.push(end);
        }
        self.body = Piece::new(body).split_at(&ends);
        self
    }

    /// Whether the body is a stream: those alone are of unknown length.
    pub(super) fn is_stream(&self) -> bool {
        !self.headers.contains_key(header::CONTENT_LENGTH)
    }

    /// Whether its events are server-sent events.
    pub(super) fn is_sse(&self) -> bool {
        let kind = self.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        self.is_stream() && kind.is_some_and(|kind| kind.starts_with(b"text/event-stream"))
    }

    /// The same with the `content-length` of what the body has become; a stream stays without.
    pub(super) fn measured(mut self) -> Self {
        if !self.is_stream() {
            let length: usize = self.body.iter().map(|piece| piece.bytes.len()).sum();
            self.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        self
    }

    /// The whole body.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        match self.body.as_slice() {
            [only] => only.bytes.clone(),
            pieces => pieces.iter().flat_map(|piece| piece.bytes.iter().copied()).collect(),
        }
    }
}

/// `SplitMix64`: a few lines give the same cuts on every machine and for ever; a crate's generator may change.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let drawn = usize::try_from(self.next() >> 33).unwrap_or(0);
        drawn.checked_rem(bound).unwrap_or(0)
    }

    /// Letters and digits.
    pub(super) fn token(&mut self, length: usize) -> String {
        const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        (0..length).filter_map(|_| ALPHABET.get(self.below(ALPHABET.len())).copied().map(char::from)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_changes_the_pieces_and_never_the_bytes() {
        let text = "data: {\"content\":\"Grüße 🦀\"}\n\n".repeat(40);
        let script = Script::whole(StatusCode::OK, "text/plain", text.clone());
        for size in [1, 2, 7, 5000] {
            let cut = script.clone().in_pieces_of(size);
            assert_eq!(cut.bytes(), text);
            assert!(cut.body.iter().all(|piece| piece.bytes.len() <= size && !piece.bytes.is_empty()));
        }
        for seed in 0..50 {
            let cut = script.clone().cut_at_random(seed);
            assert_eq!(cut.bytes(), text);
            assert!(cut.body.len() > 10, "seed {seed} hardly cuts");
        }
    }

    #[test]
    fn random_cuts_follow_the_seed_and_reach_into_characters() {
        let script = Script::whole(StatusCode::OK, "text/plain", "🦀".repeat(200));
        let lengths =
            |seed| script.clone().cut_at_random(seed).body.iter().map(|piece| piece.bytes.len()).collect::<Vec<_>>();
        assert_eq!(lengths(7), lengths(7));
        assert_ne!(lengths(7), lengths(8));
        assert!(lengths(7).iter().any(|length| length % 4 != 0));
    }

    #[test]
    fn an_empty_piece_keeps_its_pause_when_cut() {
        let mut script = Script::new(StatusCode::OK);
        script.body = vec![Piece::silence(Duration::from_secs(1))];
        let cut = script.in_pieces_of(3);
        assert_eq!(cut.body.len(), 1);
        assert_eq!(cut.body[0].pause, Duration::from_secs(1));
    }
}
