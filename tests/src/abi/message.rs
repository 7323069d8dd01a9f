//! What comes out of a filter: a head with a body, and which way it went.

use super::Headers;

/// A head and body that have left the filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Headers with pseudo-headers.
    pub headers: Headers,
    /// The body, in the pieces in which it left.
    pub chunks: Vec<Vec<u8>>,
    /// Whether its end has left too.
    pub complete: bool,
}

impl Message {
    /// The whole body.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        self.chunks.concat()
    }

    /// The whole body, escaped where it is not text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body()).into_owned()
    }

    /// `:status`.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.headers.status()
    }
}

/// What became of a request or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The filter holds it.
    Held,
    /// It went on: a request to the upstream, an answer to the client.
    Forwarded(Message),
    /// The filter answered the client itself.
    Replied(Message),
    /// The stream was reset.
    Reset,
}

impl Outcome {
    /// What went on.
    ///
    /// # Panics
    /// When it did not.
    #[must_use]
    #[track_caller]
    pub fn forwarded(self) -> Message {
        match self {
            Self::Forwarded(message) => message,
            other @ (Self::Held | Self::Replied(_) | Self::Reset) => panic!("expected it to go on, got {other:#?}"),
        }
    }

    /// What the filter answered.
    ///
    /// # Panics
    /// When it did not.
    #[must_use]
    #[track_caller]
    pub fn replied(self) -> Message {
        match self {
            Self::Replied(message) => message,
            other @ (Self::Held | Self::Forwarded(_) | Self::Reset) => panic!("expected a reply, got {other:#?}"),
        }
    }
}
