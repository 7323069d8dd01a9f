//! An answer that is not let go yet.

use alloc::{format, vec::Vec};

use super::{
    Attempt, NO_STREAM,
    flow::{Flow, FlowBody},
};
use crate::{
    chat::Response,
    dialect::{
        Broken, Identity,
        openai_chat::{Whole, error_body, error_status},
    },
    error::Error,
    json::Scanner,
    passage::{Failure, Fed, Passage},
    plan::Outcome,
    step::{Chunk, HeaderEdits, Name, Reply},
};

const NOT_JSON: &str = "sent an answer that is not valid JSON";

/// Most bytes of an answer that are held: a larger whole answer is let go before it is known to be valid, and a larger
/// error is cut.
const MAX_HELD: usize = 512 * 1024;

/// Most bytes of a whole answer that is translated: pictures stand in it as base64.
pub const MAX_TRANSLATED: usize = 32 * 1024 * 1024;

/// An answer being judged.
#[derive(Debug)]
pub enum Progress {
    /// More must be seen.
    Held(Held),
    /// It is let go; the rest goes through the flow.
    Released(Release, Flow),
    /// It has ended without a body, and Envoy takes none for it: this is to be answered instead.
    Instead(Reply),
}

/// An answer that is not let go yet.
#[derive(Debug)]
pub struct Held {
    pub(super) head: Head,
    pub(super) body: HeldBody,
}

/// The head of an answer that is not let go yet.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) attempt: Attempt,
    pub(super) status: u16,
    pub(super) edits: HeaderEdits,
}

#[derive(Debug)]
pub(super) enum HeldBody {
    /// A stream before its first content.
    Stream(Passage),
    /// What calls itself JSON where a stream was asked for, as far as it is white space: some servers label their streams so,
    /// and its first byte tells.
    Mislabelled(Vec<u8>),
    /// A whole answer, as far as it has come.
    Whole(Scanner, Vec<u8>),
    /// A whole answer to be translated, as far as it has come, and what it will be called.
    Foreign(Vec<u8>, Identity),
    /// The provider's refusal of the request.
    Refusal(Vec<u8>),
    /// An answer that is replaced whatever it says.
    Unusable(Error),
}

/// What is let go.
#[derive(Debug, PartialEq, Eq)]
pub struct Release {
    /// The status, where it is not the provider's own.
    pub status: Option<u16>,
    /// Changes to the answer's headers.
    pub headers: HeaderEdits,
    /// What becomes of everything held so far.
    pub body: Chunk,
}

impl Held {
    /// The answer ends without a body.
    #[must_use]
    pub fn end_without_body(self) -> Progress {
        let own = self.head.status;
        match self.chunk(&[], true) {
            Progress::Released(release, flow) => {
                let Chunk::Replace(body) = release.body else { return Progress::Released(release, flow) };
                let status = release.status.unwrap_or(own);
                let told = release.headers.set.into_iter().filter(|(name, _)| name != "content-length").collect();
                Progress::Instead(Reply { status, headers: told, body })
            }
            other @ (Progress::Held(_) | Progress::Instead(_)) => other,
        }
    }

    /// The next piece of the answer has come; `end` says that it is the last one.
    #[must_use]
    pub fn chunk(self, piece: &[u8], end: bool) -> Progress {
        let Self { head, body } = self;
        let held = |head, body| Progress::Held(Self { head, body });
        match body {
            HeldBody::Stream(mut passage) => match passage.feed(piece, end) {
                Fed::Nothing => held(head, HeldBody::Stream(passage)),
                Fed::Go(chunk) => {
                    head.attempt.plan.note_usage(passage.usage());
                    head.pass(chunk, FlowBody::Stream(passage))
                }
                Fed::Failed(Failure { status, body, .. }) => head.replace(status, body, Outcome::Unusable(status)),
            },
            HeldBody::Mislabelled(mut begun) => {
                begun.extend_from_slice(piece);
                match begun.trim_ascii_start().first() {
                    None if !end && begun.len() <= MAX_HELD => held(head, HeldBody::Mislabelled(begun)),
                    None | Some(b'{' | b'[') => head.fail_as(NO_STREAM),
                    Some(_) => {
                        let passage = head.attempt.passthrough();
                        let body = HeldBody::Stream(passage);
                        Self { head: head.labelled("text/event-stream"), body }.chunk(&begun, end)
                    }
                }
            }
            HeldBody::Whole(mut scanner, mut begun) => {
                if scanner.feed(piece).is_err() {
                    return head.fail_as(NOT_JSON);
                }
                begun.extend_from_slice(piece);
                if end {
                    return head.judge(scanner, &begun);
                }
                if begun.len() <= MAX_HELD {
                    return held(head, HeldBody::Whole(scanner, begun));
                }
                head.pass(Chunk::Keep, FlowBody::Whole(scanner))
            }
            HeldBody::Foreign(mut body, identity) => {
                body.extend_from_slice(piece);
                if body.len() > MAX_TRANSLATED {
                    return head.fail_as("sent an answer that is too long to be translated");
                }
                if end { head.translate(&body, &identity) } else { held(head, HeldBody::Foreign(body, identity)) }
            }
            HeldBody::Refusal(mut body) => {
                let room = MAX_HELD.saturating_sub(body.len());
                body.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
                if !end && body.len() < MAX_HELD {
                    return held(head, HeldBody::Refusal(body));
                }
                head.refuse(&body)
            }
            HeldBody::Unusable(error) => head.fail(&error),
        }
    }
}

impl Head {
    /// Lets the provider's own answer go.
    fn pass(self, body: Chunk, rest: FlowBody) -> Progress {
        self.attempt.plan.note(Outcome::Answered(self.status));
        self.release(None, body, rest)
    }

    /// A whole document has come.
    fn judge(self, scanner: Scanner, document: &[u8]) -> Progress {
        let Ok(found) = scanner.finish() else { return self.fail_as(NOT_JSON) };
        match Whole::of(&found) {
            Whole::Answer(usage) => {
                self.attempt.plan.note_usage(usage);
                self.pass(Chunk::Keep, FlowBody::Plain)
            }
            Whole::Error => {
                let status = error_status(document);
                self.replace(status, document.to_vec(), Outcome::Unusable(status))
            }
            Whole::Other => self.fail_as("sent JSON that is no answer"),
        }
    }

    /// Lets the provider's refusal go, in the client's format.
    fn refuse(mut self, body: &[u8]) -> Progress {
        let status = self.status;
        // A provider that repeats the gateway's credential is not repeated.
        let body = if self.attempt.target.account.names_secret(body) { &[] } else { body };
        let provider = &self.attempt.target.provider.name;
        let (told, body) = if self.attempt.is_native() {
            match error_body(provider, status, body) {
                Some(body) => (status, body),
                None => return self.pass(Chunk::Keep, FlowBody::Plain),
            }
        } else {
            let upstream = self.attempt.upstream();
            if let Some(seconds) = upstream.retry_after(body) {
                self.edits.set.push((Name::Borrowed("retry-after"), format!("{seconds}")));
            }
            self.attempt.plan.inquiry.downstream.fault(provider, &upstream.fault(status, body))
        };
        self.replace(told, body, Outcome::Answered(status))
    }

    /// Lets a whole answer go, in the client's format.
    fn translate(self, body: &[u8], identity: &Identity) -> Progress {
        let text = core::str::from_utf8(body).map_err(|_| Broken::Malformed);
        // One that does not say why it ended is the beginning of one.
        let is_complete = |response: &Response<'_>| response.choices.iter().all(|choice| choice.finish.is_some());
        let response = match text.and_then(|text| self.attempt.upstream().read(text)) {
            Ok(response) if is_complete(&response) => response,
            Ok(_) | Err(Broken::Malformed) => return self.fail_as("sent an answer that is not of its format"),
            // An error that calls itself a success.
            Err(Broken::Fault(fault)) => {
                let (status, body) =
                    self.attempt.plan.inquiry.downstream.fault(&self.attempt.target.provider.name, &fault);
                return self.replace(status, body, Outcome::Unusable(status));
            }
        };
        let plan = &self.attempt.plan;
        plan.note_usage(response.usage);
        let body = plan.inquiry.downstream.write(&response, identity);
        let status = self.status;
        self.replace(status, body, Outcome::Answered(status))
    }

    /// Answers that the provider did this wrong.
    fn fail_as(self, what: &str) -> Progress {
        let error = self.attempt.error(what);
        self.fail(&error)
    }

    /// Answers with an error in the provider's place.
    fn fail(self, error: &Error) -> Progress {
        let (status, body) = (error.kind.status(), error.body(self.attempt.plan.inquiry.shape));
        // The provider's own status, unless that one claims success.
        let outcome = Outcome::Unusable(if self.status < 400 { status } else { self.status });
        self.replace(status, body, outcome)
    }

    fn labelled(mut self, content_type: &'static str) -> Self {
        self.edits.remove.push(Name::Borrowed("content-length"));
        self.edits.set.push((Name::Borrowed("content-type"), content_type.into()));
        self
    }

    fn replace(mut self, status: u16, mut body: Vec<u8>, outcome: Outcome) -> Progress {
        // A provider that repeats the gateway's credential is not repeated.
        if self.attempt.target.account.names_secret(&body) {
            body = self.attempt.error("reported an error").body(self.attempt.plan.inquiry.shape);
        }
        self.attempt.plan.note(outcome);
        self = self.labelled("application/json");
        self.edits.remove.push(Name::Borrowed("content-encoding"));
        self.edits.set.push((Name::Borrowed("content-length"), format!("{}", body.len())));
        self.release(Some(status), Chunk::Replace(body), FlowBody::Over)
    }

    fn release(mut self, status: Option<u16>, body: Chunk, rest: FlowBody) -> Progress {
        let Attempt { plan, target, dropped } = self.attempt;
        let served = [
            ("x-dragoman-provider", target.provider.name.clone()),
            ("x-dragoman-model", target.model),
            ("x-dragoman-attempts", plan.attempts()),
        ];
        self.edits.set.extend(served.map(|(name, value)| (Name::Borrowed(name), value)));
        if !dropped.is_empty() {
            self.edits.set.push((Name::Borrowed("x-dragoman-dropped"), dropped.join(", ")));
        }
        let release = Release { status, headers: self.edits, body };
        Progress::Released(release, Flow { plan, body: rest })
    }
}
