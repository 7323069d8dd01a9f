//! Both roles in one VM, joined as Envoy joins them: client, ingress, attempt, provider and back.
//!
//! The router between the two is not modelled beyond one try: a request that the ingress lets go reaches one attempt, and
//! what that lets go reaches the provider; where the route leads to a cluster without the module, it reaches the provider at
//! once. Every piece of an answer passes both filters before the next one arrives.

use super::{Headers, Message, Outcome, Root, Stream, Vm};
use serde_json::{Value, json};

/// A loaded gateway.
#[derive(Clone, Copy)]
pub struct Gateway<'vm> {
    ingress: Root<'vm>,
    attempt: Root<'vm>,
}

impl<'vm> Gateway<'vm> {
    /// Loads a configuration file's content.
    ///
    /// # Panics
    /// When the filter refuses it.
    #[must_use]
    #[track_caller]
    pub fn load(vm: &'vm Vm, config: &Value) -> Self {
        let ingress = vm.root(&json!({"role": "ingress", "config": config}).to_string());
        Self { ingress, attempt: vm.root(&json!({"role": "attempt"}).to_string()) }
    }

    /// A client comes.
    #[must_use]
    pub fn exchange(self) -> Exchange<'vm> {
        let client = self.ingress.stream();
        Exchange { client, attempt: client.attempt(self.attempt), relayed: None, is_plain: false }
    }
}

/// One client request and its answer.
pub struct Exchange<'vm> {
    /// The stream through the ingress.
    pub client: Stream<'vm>,
    /// The stream through the attempt.
    pub attempt: Stream<'vm>,
    /// How many pieces of the answer the ingress has; `None` before its head.
    relayed: Option<usize>,
    /// Whether the route leads past the attempt.
    is_plain: bool,
}

impl Exchange<'_> {
    /// The client's request: forwarded is what reaches the provider, replied what the client gets instead.
    #[track_caller]
    pub fn request<B: AsRef<[u8]>>(&mut self, headers: impl Into<Headers>, chunks: &[B]) -> Outcome {
        let Outcome::Forwarded(request) = self.client.request(headers, chunks) else {
            return self.client.request_outcome();
        };
        let next = self.client.routed_by("dragoman.next").unwrap_or_default();
        self.is_plain = String::from_utf8_lossy(&next).contains(".plain#");
        if self.is_plain {
            self.client.set_property(&["response", "code_details"], b"via_upstream");
            return Outcome::Forwarded(request);
        }
        let outcome = self.attempt.request(request.headers, &request.chunks);
        if let Outcome::Replied(reply) = outcome {
            self.relay(&reply);
            return Outcome::Replied(self.client.response_outcome().forwarded());
        }
        outcome
    }

    /// The provider's whole answer: forwarded is what reaches the client.
    #[track_caller]
    pub fn response<B: AsRef<[u8]>>(&mut self, headers: impl Into<Headers>, chunks: &[B]) -> Outcome {
        let mut outcome = self.response_head(headers, chunks.is_empty());
        for chunk in chunks {
            outcome = self.response_chunk(chunk, false);
        }
        if chunks.is_empty() { outcome } else { self.response_chunk(b"", true) }
    }

    /// The head of the provider's answer.
    #[track_caller]
    pub fn response_head(&mut self, headers: impl Into<Headers>, end: bool) -> Outcome {
        if self.is_plain {
            return self.client.response_head(headers, end);
        }
        let outcome = self.attempt.response_head(headers, end);
        self.pass(outcome)
    }

    /// A piece of its body.
    #[track_caller]
    pub fn response_chunk(&mut self, chunk: impl AsRef<[u8]>, end: bool) -> Outcome {
        if self.is_plain {
            return self.client.response_chunk(chunk, end);
        }
        let outcome = self.attempt.response_chunk(chunk, end);
        self.pass(outcome)
    }

    /// Envoy answers in the provider's place: it could not be reached, or was too slow. `details` are the response code's.
    #[track_caller]
    pub fn local_reply(&mut self, status: u16, details: &str) -> Outcome {
        self.attempt.finish();
        self.client.set_property(&["response", "code_details"], details.as_bytes());
        self.client.response([(":status", status.to_string())], &["upstream connect error"])
    }

    /// Both streams are over.
    pub fn finish(self) {
        self.attempt.finish();
        self.client.finish();
    }

    #[track_caller]
    fn pass(&mut self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Forwarded(answer) | Outcome::Replied(answer) => {
                self.relay(&answer);
                self.client.response_outcome()
            }
            held @ (Outcome::Held | Outcome::Reset) => held,
        }
    }

    /// What of the answer the ingress has not yet got.
    #[track_caller]
    fn relay(&mut self, answer: &Message) {
        let ended_with_head = answer.complete && answer.chunks.is_empty();
        let first = self.relayed.is_none();
        if first {
            self.client.response_head(answer.headers.clone(), ended_with_head);
        }
        for chunk in answer.chunks.iter().skip(self.relayed.unwrap_or_default()) {
            self.client.response_chunk(chunk, false);
        }
        if answer.complete && !(first && ended_with_head) {
            self.client.response_chunk(b"", true);
        }
        self.relayed = Some(answer.chunks.len());
    }
}
