//! What a simulated provider remembers of the requests it got.
//!
//! Headers are kept as bytes and in the order of arrival, because the tests ask what really left the gateway; a body
//! may be kept as its digest only, because a test of twenty-megabyte bodies must not hold hundreds of them.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, Version};
use sha2::{Digest as _, Sha256};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// When its body was complete.
    pub at: Instant,
    /// Who sent it.
    pub peer: SocketAddr,
    /// The number of its connection, from 0.
    pub connection: u64,
    /// Whether it came over TLS.
    pub tls: bool,
    /// HTTP/1.1 or HTTP/2.
    pub version: Version,
    /// The method.
    pub method: Method,
    /// Path and query (on HTTP/2 also scheme and authority).
    pub uri: Uri,
    /// The headers; values are bytes, not necessarily text.
    pub headers: HeaderMap,
    /// The body, as far as [`Keep`] keeps it.
    pub body: Bytes,
    /// The length of the body.
    pub body_bytes: usize,
    /// SHA-256 of the body, with [`Keep::Digest`].
    pub body_sha256: Option<[u8; 32]>,
    /// What became of the answer.
    pub fate: Fate,
}

/// What is kept of request bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// All of it.
    #[default]
    Whole,
    /// Length and SHA-256.
    Digest,
    /// The length.
    Length,
}

/// How far an answer was played. The client's leaving first leaves it unsettled for ever.
#[derive(Clone, Debug, Default)]
pub struct Fate(Arc<Played>);

#[derive(Debug, Default)]
struct Played {
    pieces: AtomicUsize,
    is_settled: AtomicBool,
}

impl Fate {
    /// Whether the answer was written as its script says.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.0.is_settled.load(Ordering::Acquire)
    }

    /// How many pieces of it were given out to be written: of a stream, its events.
    #[must_use]
    pub fn pieces(&self) -> usize {
        self.0.pieces.load(Ordering::Acquire)
    }

    pub(super) fn settle(&self) {
        self.0.is_settled.store(true, Ordering::Release);
    }

    pub(super) fn add_piece(&self) {
        self.0.pieces.fetch_add(1, Ordering::Release);
    }
}

impl Request {
    /// Path and query as sent.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", |path| path.as_str())
    }

    /// A header's value where it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The same without what is not to be kept.
    pub(super) fn reduced(mut self, keep: Keep) -> Self {
        match keep {
            Keep::Whole => return self,
            Keep::Digest => self.body_sha256 = Some(Sha256::digest(&self.body).into()),
            Keep::Length => {}
        }
        self.body = Bytes::new();
        self
    }
}
