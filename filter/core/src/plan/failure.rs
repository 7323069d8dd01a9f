//! How a try failed, and which failure of several tells the client most.

use core::time::Duration;

use crate::{
    error::{Error, Shape},
    health,
    step::Reply,
};

/// What the failure of a try is called that says nothing of its target's health.
pub(super) const REFUSED: &str = "refused";

/// How a try failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The status that stands for it in the list of attempts.
    pub status: u16,
    /// What the client gets if it is the last.
    pub reply: Reply,
    /// How long the provider asks to be left alone.
    pub retry_after: Option<Duration>,
    /// Whose fault it is.
    pub cause: Cause,
}

/// Why a try failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The provider says so itself.
    Stated,
    /// It refuses the gateway's credential, and will again.
    Credential,
    /// It sent nothing that can be used, or nothing at all.
    Unusable,
    /// This target cannot do what the request asks for.
    Unable,
    /// It takes a thought in the conversation for forged, which may be another one's.
    Thought,
}

/// How an answer that was passed on has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As it should.
    Whole,
    /// Too early, or in something that is no answer.
    Broken,
    /// In the provider's own error, which stands for this status.
    Fault(u16),
}

impl Failure {
    /// A failure that the provider has not put into words.
    pub(crate) fn of(error: &Error, shape: Shape) -> Self {
        Self { status: error.kind.status(), reply: error.reply(shape), retry_after: None, cause: Cause::Unusable }
    }

    /// What it tells of the target's health; nothing where the request is to blame.
    pub(super) fn symptom(&self) -> Option<health::Symptom> {
        symptom(self.cause, self.status, self.retry_after)
    }

    /// What it is called.
    pub(super) fn name(&self) -> &'static str {
        match (self.symptom(), self.cause) {
            (Some(symptom), _) => symptom.trouble.text(),
            (None, Cause::Unable) => "unable",
            (None, Cause::Thought) => "thought_refused",
            (None, Cause::Stated | Cause::Credential | Cause::Unusable) => REFUSED,
        }
    }

    /// How much it tells the client. What the request itself is to blame for tells most, then when to come again, then what
    /// else a provider has said, then what a target cannot do, then what the gateway makes of silence; a refused credential is
    /// the operator's business, and a thought that a client has from the gateway is not its fault.
    pub(super) fn weight(&self) -> u8 {
        match (self.cause, self.status) {
            (Cause::Stated, 400 | 402..=407 | 409..=428 | 430..=499) => 6,
            (Cause::Stated, 429) => 5,
            (Cause::Stated, _) => 4,
            (Cause::Unable, _) => 3,
            (Cause::Unusable, 504) => 2,
            (Cause::Unusable, _) => 1,
            (Cause::Credential | Cause::Thought, _) => 0,
        }
    }
}

/// What a failure tells of its target's health; nothing where the request is to blame.
pub(super) fn symptom(cause: Cause, status: u16, retry_after: Option<Duration>) -> Option<health::Symptom> {
    let trouble = match (cause, status) {
        (Cause::Credential, _) => health::Trouble::CredentialRefused,
        (Cause::Stated, 429) => health::Trouble::RateLimited,
        (Cause::Stated, 408) | (Cause::Unusable, 504) => health::Trouble::Timeout,
        (Cause::Unable | Cause::Thought, _) | (Cause::Stated, 400..=499) => return None,
        (Cause::Stated, _) => health::Trouble::ServerError,
        (Cause::Unusable, 503) => health::Trouble::Connection,
        (Cause::Unusable, _) => health::Trouble::BadAnswer,
    };
    Some(health::Symptom { trouble, retry_after })
}
