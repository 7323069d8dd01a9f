//! An answer that is not let go yet.

use alloc::{format, vec::Vec};
use core::time::Duration;

use super::{
    Attempt, NO_STREAM, REFUSED_CREDENTIAL,
    flow::{Flow, FlowBody},
    head::Head,
};
use crate::{
    chat::{Reason, Response},
    dialect::{Broken, Identity, Whole, head::Contents},
    error::Error,
    host::Clock,
    json::Scanner,
    passage::{Failure as Failed, Fed, Passage},
    plan::Cause,
    route::estimate::tokens,
    step::{Chunk, HeaderEdits, Name, Reply},
    task::Translated,
    usage::Matter,
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
    /// It cannot be used; another target is asked, or this one again. Of its head these must go, whoever reads it.
    Again(Vec<Name>),
    /// This is to be answered instead: nobody is left to be asked, and another failure tells the client more, or Envoy takes
    /// no body for this one, which has ended without.
    Instead(Reply),
}

/// An answer that is not let go yet.
#[derive(Debug)]
pub struct Held {
    pub(super) head: Head,
    pub(super) body: HeldBody,
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
    /// An answer that is of no use whatever it says.
    Unusable(Error, Cause),
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
    pub fn end_without_body(self, clock: &dyn Clock) -> Progress {
        let own = self.head.status;
        match self.chunk(&[], true, clock) {
            Progress::Released(release, flow) => {
                let Chunk::Replace(body) = release.body else { return Progress::Released(release, flow) };
                let status = release.status.unwrap_or(own);
                let told = release.headers.set.into_iter().filter(|(name, _)| name != "content-length").collect();
                Progress::Instead(Reply { status, headers: told, body, error: None })
            }
            other @ (Progress::Held(_) | Progress::Again(_) | Progress::Instead(_)) => other,
        }
    }

    /// The next piece of the answer has come; `end` says that it is the last one. The clock is asked only where the piece decides:
    /// that is a call of the host.
    #[must_use]
    pub fn chunk(self, piece: &[u8], end: bool, clock: &dyn Clock) -> Progress {
        let Self { head, body } = self;
        let held = |head, body| Progress::Held(Self { head, body });
        let decided = |head: Head| Head { now: clock.now(), ..head };
        match body {
            HeldBody::Stream(mut passage) => match passage.feed(piece, end) {
                Fed::Nothing => held(head, HeldBody::Stream(passage)),
                Fed::Go(chunk) => {
                    head.attempt.plan.note_usage(passage.usage());
                    head.attempt.plan.note_flowed(passage.flowed());
                    match passage.fault() {
                        Some(status) => decided(head).pass_fault(status, chunk, FlowBody::Stream(passage)),
                        None => decided(head).pass(chunk, FlowBody::Stream(passage)),
                    }
                }
                Fed::Failed(Failed { status, body, is_stated: true, reason, .. }) => {
                    decided(head).fail_within((status, status), body, reason)
                }
                Fed::Failed(Failed { status, body, .. }) => decided(head).fail(status, status, body, Cause::Unusable),
            },
            HeldBody::Mislabelled(mut begun) => {
                let first = piece.trim_ascii_start().first().copied();
                begun.extend_from_slice(piece);
                match first {
                    None if !end && begun.len() <= MAX_HELD => held(head, HeldBody::Mislabelled(begun)),
                    None | Some(b'{' | b'[') => decided(head).fail_as(NO_STREAM),
                    Some(_) => {
                        let native = head.attempt.plan.inquiry.native();
                        let Some(passage) = native.map(|native| head.attempt.passthrough(native)) else {
                            return decided(head).fail_as(NO_STREAM);
                        };
                        let body = HeldBody::Stream(passage);
                        Self { head: head.labelled("text/event-stream"), body }.chunk(&begun, end, clock)
                    }
                }
            }
            HeldBody::Whole(mut scanner, mut begun) => {
                if scanner.feed(piece).is_err() {
                    return decided(head).fail_as(NOT_JSON);
                }
                if end && begun.is_empty() {
                    return decided(head).judge(scanner, piece);
                }
                begun.extend_from_slice(piece);
                if end {
                    return decided(head).judge(scanner, &begun);
                }
                if begun.len() <= MAX_HELD {
                    return held(head, HeldBody::Whole(scanner, begun));
                }
                head.attempt.plan.note_part(&begun, Matter::Text);
                let mut going = decided(head);
                let begun = going.seal(&begun);
                going.pass(begun, FlowBody::Whole(scanner))
            }
            HeldBody::Foreign(mut body, identity) => {
                body.extend_from_slice(piece);
                if body.len() > MAX_TRANSLATED {
                    return decided(head).fail_as("sent an answer that is too long to be translated");
                }
                if end {
                    decided(head).translate(&body, &identity)
                } else {
                    held(head, HeldBody::Foreign(body, identity))
                }
            }
            HeldBody::Refusal(mut body) => {
                let room = MAX_HELD.saturating_sub(body.len());
                body.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
                if !end && body.len() < MAX_HELD {
                    return held(head, HeldBody::Refusal(body));
                }
                decided(head).refuse(&body)
            }
            HeldBody::Unusable(error, cause) => decided(head).fail_with(&error, cause),
        }
    }
}

impl Head {
    /// Lets the provider's own answer go.
    pub(super) fn pass(self, body: Chunk, rest: FlowBody) -> Progress {
        let plan = &self.attempt.plan;
        plan.settle(self.status, self.now);
        // Of all else that passes only the head is known, or it is whole.
        if matches!(rest, FlowBody::Stream(_)) {
            plan.note_content(self.now);
        }
        self.release(None, body, rest)
    }

    /// What becomes of what has come of a whole answer.
    fn seal(&mut self, begun: &[u8]) -> Chunk {
        self.sealing.as_mut().map_or(Chunk::Keep, |sealing| sealing.chunk(begun))
    }

    /// A whole document has come.
    fn judge(mut self, scanner: Scanner, document: &[u8]) -> Progress {
        let Ok(found) = scanner.finish() else { return self.fail_as(NOT_JSON) };
        let native = self.attempt.plan.inquiry.native();
        match native.map_or(Whole::Other, |native| native.whole(&found)) {
            Whole::Answer(usage) => {
                self.attempt.plan.note_usage(usage);
                self.attempt.plan.note_part(document, Matter::Text);
                let body = self.seal(document);
                if let Chunk::Replace(body) = &body {
                    self.edits.set.push((Name::Borrowed("content-length"), format!("{}", body.len())));
                }
                self.pass(body, FlowBody::Plain)
            }
            Whole::Error(status) => self.fail_within((status, status), document.to_vec(), None),
            Whole::Other => self.fail_as("sent JSON that is no answer"),
        }
    }

    /// The provider refuses the request.
    fn refuse(mut self, body: &[u8]) -> Progress {
        if self.attempt.plan.inquiry.own().is_some() {
            return self.refuse_as_is(body);
        }
        let status = self.status;
        // A provider that repeats the gateway's credential is not repeated.
        let body = if self.attempt.target.account.names_secret(body) { &[] } else { body };
        let provider = &self.attempt.target.provider.name;
        let plan = &self.attempt.plan;
        let upstream = self.attempt.upstream();
        let fault = upstream.fault(status, body);
        if fault.reason == Some(Reason::Thought) && plan.may_forget() {
            return self.fail_thoughts();
        }
        let (told, told_body) = if self.attempt.is_native() {
            (status, plan.inquiry.format().error_body(provider, status, body))
        } else {
            if let Some(seconds) = upstream.retry_after(body) {
                self.edits.set.push((Name::Borrowed("retry-after"), format!("{seconds}")));
                self.retry_after = Some(Duration::from_secs(seconds));
            }
            let (told, body) = plan.inquiry.format().fault(provider, &fault);
            (told, Some(body))
        };
        // What a provider means may be another status than it says: a 400 for an account without money.
        let fails = [status, told].into_iter().find(|status| plan.policy.statuses.contains(status));
        let is_detour = fault.reason.is_some_and(|reason| plan.detour(reason));
        if is_detour || fails.is_some() {
            let body = told_body.unwrap_or_else(|| body.to_vec());
            return self.fail(fails.unwrap_or(status), told, body, Cause::Stated);
        }
        let Some(body) = told_body else { return self.pass(Chunk::Keep, FlowBody::Plain) };
        self.attempt.plan.settle(status, self.now);
        self.replace(told, body)
    }

    /// Lets a whole answer go, in the client's format.
    fn translate(self, body: &[u8], identity: &Identity) -> Progress {
        let text = core::str::from_utf8(body).map_err(|_| Broken::Malformed);
        let text = text.map(|text| text.trim_start_matches('\u{feff}'));
        if let Some(task) = self.attempt.plan.inquiry.task() {
            let Contents { text_length, images, .. } = self.attempt.plan.inquiry.request.contents;
            let estimate = tokens(text_length, images);
            let translated = text.and_then(|text| task.translate(self.attempt.upstream(), text, identity, estimate));
            return self.translated(translated);
        }
        // One that does not say why it ended is the beginning of one.
        let is_complete = |response: &Response<'_>| {
            !response.choices.is_empty() && response.choices.iter().all(|choice| choice.finish.is_some())
        };
        let plan = &self.attempt.plan;
        let response = match text.and_then(|text| self.attempt.upstream().read(text)) {
            Ok(response) if is_complete(&response) => response,
            Ok(_) => return self.fail_translated(Broken::Malformed),
            Err(broken) => return self.fail_translated(broken),
        };
        plan.note_usage(response.usage);
        plan.note_part(body, Matter::Text);
        plan.settle(self.status, self.now);
        let body = plan.inquiry.format().write(&response, identity);
        let status = self.status;
        self.replace(status, body)
    }

    /// Lets an answer go that was none of a chat.
    fn translated(mut self, translated: Result<Translated, Broken>) -> Progress {
        let Translated { body, usage, is_estimated } = match translated {
            Ok(translated) => translated,
            Err(broken) => return self.fail_translated(broken),
        };
        // A refusal costs what it costs.
        self.attempt.plan.note_usage(usage);
        let body = match body {
            Ok(body) => body,
            Err(fault) => return self.fail_translated(Broken::Fault(fault)),
        };
        self.attempt.plan.settle(self.status, self.now);
        if is_estimated {
            self.edits.set.push((Name::Borrowed("x-dragoman-usage"), "estimated".into()));
        }
        let status = self.status;
        self.replace(status, body)
    }

    /// An answer cannot be translated: it is none, or an error that calls itself a success.
    fn fail_translated(self, broken: Broken) -> Progress {
        let Broken::Fault(fault) = broken else { return self.fail_as("sent an answer that is not of its format") };
        let (told, body) = self.attempt.plan.inquiry.format().fault(&self.attempt.target.provider.name, &fault);
        self.fail_within((fault.status, told), body, fault.reason)
    }

    /// What others have thought is refused.
    fn fail_thoughts(self) -> Progress {
        let error = self.attempt.error("takes a thought in the conversation for another model's");
        self.fail_with(&error, Cause::Thought)
    }

    /// An error stands where an answer was to be: in a success, or at the beginning of a stream. It is what the same words would be with
    /// a status of their own. `reason` is what they are about, where `body` is not the provider's.
    fn fail_within(self, (status, told): (u16, u16), body: Vec<u8>, reason: Option<Reason>) -> Progress {
        let Attempt { plan, target, .. } = &self.attempt;
        if matches!(status, 401 | 403) && !target.account.is_callers {
            let error = self.attempt.error(REFUSED_CREDENTIAL);
            return self.fail_with(&error, Cause::Credential);
        }
        let own = || self.attempt.is_native().then(|| self.attempt.upstream().fault(status, &body).reason).flatten();
        let reason = reason.or_else(own);
        if reason == Some(Reason::Thought) && plan.may_forget() {
            return self.fail_thoughts();
        }
        let is_detour = reason.is_some_and(|reason| plan.detour(reason));
        let fails = [status, told].into_iter().find(|status| *status >= 500 || plan.policy.statuses.contains(status));
        if is_detour || fails.is_some() {
            return self.fail(fails.unwrap_or(status), told, body, Cause::Stated);
        }
        plan.settle(told, self.now);
        let body = self.tellable(body);
        self.replace(told, body)
    }
}
