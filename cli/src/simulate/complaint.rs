//! What a simulated provider complains about, in no dialect's terms; a dialect gives it its type, code and shape.

use std::borrow::Cow;

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) status: u16,
    pub(super) reason: Reason,
    pub(super) message: String,
    /// The field at fault.
    pub(super) param: Option<Cow<'static, str>>,
    /// A code for machines that says more than the reason does.
    pub(super) code: Option<&'static str>,
    /// Every field at fault and what is wrong with it, where the provider lists them.
    pub(super) violations: Vec<(String, String)>,
    /// How long to wait, where the answer's body says so too.
    pub(super) retry_after_ms: Option<u64>,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Malformed,
    MissingField,
    EmptyList,
    NoKey,
    WrongKey,
    Forbidden,
    WrongPath,
    WrongMethod,
    UnknownModel,
    ContextLength,
    ContentPolicy,
    RateLimit,
    Quota,
    TooLarge,
    Timeout,
    Overloaded,
    Internal,
}

impl Complaint {
    pub(super) fn new(status: u16, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            status,
            reason,
            message: message.into(),
            param: None,
            code: None,
            violations: Vec::new(),
            retry_after_ms: None,
        }
    }

    pub(super) fn about(self, param: impl Into<Cow<'static, str>>) -> Self {
        Self { param: Some(param.into()), ..self }
    }

    pub(super) fn coded(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// What is wrong with a request.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, Reason::Malformed, message)
    }

    /// The same in a provider's own words.
    pub(super) fn saying(self, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..self }
    }

    /// What providers say with a status.
    pub(super) fn of_status(status: u16) -> Self {
        let (reason, message) = match status {
            401 => (Reason::WrongKey, "Incorrect API key provided: sk-simul*****ated."),
            402 => (Reason::Quota, "Your account has no credit left."),
            403 => (Reason::Forbidden, "You do not have access to this model."),
            404 => (Reason::UnknownModel, "The model does not exist or you do not have access to it."),
            405 => (Reason::WrongMethod, "This method is not allowed on this path."),
            408 => (Reason::Timeout, "The request took too long to arrive."),
            413 => (Reason::TooLarge, "The request is larger than the largest that is accepted."),
            429 => (Reason::RateLimit, "Rate limit reached for requests per minute. Please try again later."),
            503 | 529 => (Reason::Overloaded, "The model is overloaded with other requests. Please try again later."),
            504 => (Reason::Timeout, "The model took too long to answer."),
            400..=499 => (Reason::Malformed, "The request is not one that can be answered."),
            _ => (Reason::Internal, "The server had an error while processing your request. Sorry about that!"),
        };
        Self::new(status, reason, message)
    }

    pub(super) fn context_length() -> Self {
        let message = "This model's maximum context length is 8192 tokens. However, your messages resulted in more. \
                       Please reduce the length of the messages.";
        Self::new(400, Reason::ContextLength, message).about("messages")
    }

    pub(super) fn content_policy() -> Self {
        Self::new(400, Reason::ContentPolicy, "The prompt was filtered by the content policy.").about("prompt")
    }

    pub(super) fn quota() -> Self {
        Self::new(429, Reason::Quota, "You exceeded your current quota, please check your plan and billing details.")
    }
}
