//! One direction of a stream: what has arrived, what the filter holds of it and may touch, and what has left.

use super::{Headers, Message};

/// One direction of a stream, with what the filter may touch of it.
#[derive(Default)]
pub(super) struct Half {
    pub(super) headers: Headers,
    pub(super) head: Head,
    /// What a body callback sees: this chunk, or with it all that was held before.
    pub(super) buffer: Option<Vec<u8>>,
    /// Body bytes that have arrived.
    pub(super) received: usize,
    pub(super) ended: bool,
    pub(super) sent: Option<Message>,
    /// A filter without `allow_on_headers_stop_iteration` that holds the head gets no body until it lets go.
    pub(super) waiting: Option<Vec<(Vec<u8>, bool)>>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    #[default]
    Absent,
    Held,
    Left,
}

impl Half {
    /// A head has come.
    pub(super) fn arrived(headers: Headers, end: bool) -> Self {
        Self { headers, head: Head::Held, ended: end, ..Self::default() }
    }

    pub(super) fn is_held(&self) -> bool {
        self.head == Head::Held
    }

    pub(super) fn has_head(&self) -> bool {
        self.head != Head::Absent
    }

    /// Lets everything that is held go on.
    pub(super) fn release(&mut self) {
        if self.head == Head::Held {
            self.head = Head::Left;
            self.sent = Some(Message { headers: self.headers.clone(), ..Message::default() });
        }
        let chunk = self.buffer.take().unwrap_or_default();
        if let Some(sent) = &mut self.sent {
            if !chunk.is_empty() {
                sent.chunks.push(chunk);
            }
            sent.complete = self.ended;
        }
    }

    /// Replaces whatever is there by a complete message that goes out at once.
    pub(super) fn settle(&mut self, headers: Headers, body: Vec<u8>) {
        *self = Self { headers, head: Head::Held, ended: true, buffer: Some(body), ..Self::default() };
        self.release();
    }

    /// Envoy sends the length as it stands: a longer body is cut on the wire, a shorter one leaves the reader waiting.
    #[track_caller]
    pub(super) fn assert_framed(&self) {
        if let Some(sent) = self.sent.as_ref().filter(|sent| sent.complete)
            && let Some(length) = sent.headers.text("content-length")
        {
            assert_eq!(length, sent.body().len().to_string(), "content-length is not the body's: {:?}", sent.headers);
        }
    }
}
