//! What went wrong, as the caller should conclude it, in one table; each dialect writes it in its own shape.
//!
//! No prompt, key or provider's page is ever part of an error.

use alloc::{borrow::Cow, string::String, vec::Vec};
use serde::Serialize;

use crate::step::Reply;

/// An error for the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What to conclude.
    pub kind: Kind,
    /// One sentence for a human.
    pub message: String,
    /// The field of the request that is to blame.
    pub param: Option<Cow<'static, str>>,
}

/// What the caller should conclude.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request cannot be understood.
    InvalidRequest,
    /// No model that may be asked can hold the request.
    ContextLengthExceeded,
    /// No key, or one that is not accepted.
    InvalidApiKey,
    /// The key was good when the answer began.
    Revoked,
    /// The key may not do this.
    PermissionDenied,
    /// No such model.
    ModelNotFound,
    /// No such path.
    NotFound,
    /// The conversation that is to go on is held by nobody.
    ThreadNotFound,
    /// No answer of this id is kept for the caller.
    AnswerNotFound,
    /// The same of the one that a conversation is to go on from.
    PreviousAnswerNotFound,
    /// The path exists, with another method.
    MethodNotAllowed,
    /// The body is larger than `max_body`.
    RequestTooLarge,
    /// The body is not plain JSON.
    UnsupportedMediaType,
    /// Somebody else was faster, or something else stands in the way.
    Conflict,
    /// Asked too often, or for too much at a time: a limit.
    RateLimited,
    /// What may be spent is spent: a budget.
    InsufficientQuota,
    /// A known path that this version does not serve.
    NotImplemented,
    /// The gateway itself is set up wrongly.
    Misconfigured,
    /// The provider answered something that cannot be passed on.
    BadUpstream,
    /// The provider cannot be reached or is not configured.
    UpstreamUnavailable,
    /// The provider did not answer in time.
    UpstreamTimeout,
}

/// The error shape of a family of APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `{"error":{"message","type","param","code"}}`.
    OpenAi,
    /// `{"type":"error","error":{"type","message"}}`.
    Anthropic,
    /// `{"error":{"code","message","status"}}`: <https://google.aip.dev/193>.
    Gemini,
    /// `{"error":"message"}`.
    Ollama,
}

/// Upon it the SDKs of Anthropic send the whole conversation once more.
const THREAD_NOT_FOUND: &str = "thread_not_found";

/// A line of the table of kinds.
struct Row {
    status: u16,
    openai_type: &'static str,
    openai_code: Option<&'static str>,
    anthropic_type: &'static str,
}

impl Kind {
    const fn row(self) -> Row {
        const fn row(status: u16, openai: (&'static str, Option<&'static str>), anthropic: &'static str) -> Row {
            Row { status, openai_type: openai.0, openai_code: openai.1, anthropic_type: anthropic }
        }
        const INVALID: &str = "invalid_request_error";
        const UNKNOWN: &str = "authentication_error";
        const QUOTA: &str = "insufficient_quota";
        const RATE: (&str, Option<&str>) = ("rate_limit_error", Some("rate_limit_exceeded"));
        const UPSTREAM: (&str, Option<&str>) = ("upstream_error", Some("upstream_error"));
        match self {
            Self::InvalidRequest => row(400, (INVALID, None), INVALID),
            Self::ContextLengthExceeded => row(400, (INVALID, Some("context_length_exceeded")), INVALID),
            Self::InvalidApiKey => row(401, (INVALID, Some("invalid_api_key")), UNKNOWN),
            // On its way an answer has no status: the type alone says whose fault it is.
            Self::Revoked => row(401, (UNKNOWN, Some("invalid_api_key")), UNKNOWN),
            Self::PermissionDenied => row(403, ("permission_error", Some("permission_denied")), "permission_error"),
            Self::ModelNotFound => row(404, (INVALID, Some("model_not_found")), "not_found_error"),
            Self::NotFound => row(404, (INVALID, Some("not_found")), "not_found_error"),
            Self::ThreadNotFound => row(404, (INVALID, Some(THREAD_NOT_FOUND)), "not_found_error"),
            // As OpenAI has them: 2026-11.
            Self::AnswerNotFound => row(404, (INVALID, None), "not_found_error"),
            Self::PreviousAnswerNotFound => row(400, (INVALID, Some("previous_response_not_found")), INVALID),
            Self::MethodNotAllowed => row(405, (INVALID, Some("method_not_allowed")), INVALID),
            Self::RequestTooLarge => row(413, (INVALID, Some("request_too_large")), "request_too_large"),
            Self::UnsupportedMediaType => row(415, (INVALID, Some("unsupported_media_type")), INVALID),
            Self::Conflict => row(409, (INVALID, Some("conflict")), INVALID),
            Self::RateLimited => row(429, RATE, RATE.0),
            Self::InsufficientQuota => row(429, (QUOTA, Some(QUOTA)), RATE.0),
            Self::NotImplemented => row(501, (INVALID, Some("not_implemented")), "api_error"),
            Self::Misconfigured => row(500, ("server_error", Some("misconfigured")), "api_error"),
            Self::BadUpstream => row(502, UPSTREAM, "api_error"),
            Self::UpstreamUnavailable => row(503, UPSTREAM, "api_error"),
            Self::UpstreamTimeout => row(504, UPSTREAM, "api_error"),
        }
    }

    /// What OpenAI's clients know it by: its code, or its type where it has none.
    #[must_use]
    pub const fn name(self) -> &'static str {
        let Row { openai_type, openai_code, .. } = self.row();
        match openai_code {
            Some(code) => code,
            None => openai_type,
        }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().status
    }
}

impl Error {
    /// An error without a field to blame.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), param: None }
    }

    /// Refuses a request for one of its fields.
    #[must_use]
    pub fn refusing(message: impl Into<String>, param: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::InvalidRequest, message).blaming(param)
    }

    /// Refuses a body that says that it is something else.
    pub(crate) fn not_json() -> Self {
        Self::new(Kind::UnsupportedMediaType, "The body must be JSON: send `Content-Type: application/json`.")
    }

    /// Blames a field of the request.
    #[must_use]
    pub fn blaming(self, param: impl Into<Cow<'static, str>>) -> Self {
        Self { param: Some(param.into()), ..self }
    }

    /// The body of this error.
    #[must_use]
    pub fn body(&self, shape: Shape) -> Vec<u8> {
        self.body_as(shape, self.kind.status())
    }

    /// The body of this error under a provider's own status.
    #[must_use]
    pub fn body_as(&self, shape: Shape, status: u16) -> Vec<u8> {
        #[derive(Serialize)]
        struct OpenAi<'a> {
            error: OpenAiError<'a>,
        }
        #[derive(Serialize)]
        struct OpenAiError<'a> {
            message: &'a str,
            #[serde(rename = "type")]
            kind: &'a str,
            param: Option<&'a str>,
            code: Option<&'a str>,
        }
        #[derive(Serialize)]
        struct Anthropic<'a> {
            #[serde(rename = "type")]
            kind: &'a str,
            error: AnthropicError<'a>,
        }
        #[derive(Serialize)]
        struct AnthropicError<'a> {
            #[serde(rename = "type")]
            kind: &'a str,
            message: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            details: Option<Details>,
        }
        #[derive(Serialize)]
        struct Details {
            error_code: &'static str,
        }
        #[derive(Serialize)]
        struct Gemini<'a> {
            error: GeminiError<'a>,
        }
        #[derive(Serialize)]
        struct GeminiError<'a> {
            code: u16,
            message: &'a str,
            status: &'a str,
        }
        #[derive(Serialize)]
        struct Ollama<'a> {
            error: &'a str,
        }
        let row = self.kind.row();
        let (message, kind) = (self.message.as_str(), row.openai_type);
        match shape {
            Shape::OpenAi => {
                let (kind, code) = match status {
                    429 if row.status != 429 => ("rate_limit_error", Some("rate_limit_exceeded")),
                    _ => (kind, row.openai_code),
                };
                serde_json::to_vec(&OpenAi { error: OpenAiError { message, kind, param: self.param.as_deref(), code } })
            }
            Shape::Anthropic => {
                let kind = match status {
                    429 => "rate_limit_error",
                    529 => "overloaded_error",
                    _ => row.anthropic_type,
                };
                let blamed = self.param.as_deref().filter(|param| !param.is_empty() && !message.contains(*param));
                let message = blamed.map_or_else(|| message.into(), |param| [param, ": ", message].concat());
                let details = (self.kind == Kind::ThreadNotFound).then_some(Details { error_code: THREAD_NOT_FOUND });
                serde_json::to_vec(&Anthropic {
                    kind: "error",
                    error: AnthropicError { kind, message: &message, details },
                })
            }
            Shape::Gemini => {
                serde_json::to_vec(&Gemini { error: GeminiError { code: status, message, status: canonical(status) } })
            }
            Shape::Ollama => serde_json::to_vec(&Ollama { error: message }),
        }
        // Strings with string names: there is nothing here that can fail to be written.
        .unwrap_or_default()
    }

    /// The whole answer.
    #[must_use]
    pub fn reply(&self, shape: Shape) -> Reply {
        Reply { error: Some(self.kind), ..Reply::json(self.kind.status(), self.body(shape)) }
    }
}

/// The name of a status in Google's APIs: <https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto>.
const fn canonical(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        501 => "UNIMPLEMENTED",
        502 | 503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        400..=499 => "INVALID_ARGUMENT",
        _ => "INTERNAL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_says_the_same_in_its_own_words() {
        let error = Error::new(Kind::InvalidApiKey, "No \"key\".");
        assert_eq!(
            error.body(Shape::OpenAi),
            br#"{"error":{"message":"No \"key\".","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#
        );
        assert_eq!(
            error.body(Shape::Anthropic),
            br#"{"type":"error","error":{"type":"authentication_error","message":"No \"key\"."}}"#
        );
        assert_eq!(
            error.body(Shape::Gemini),
            br#"{"error":{"code":401,"message":"No \"key\".","status":"UNAUTHENTICATED"}}"#
        );
        assert_eq!(error.body(Shape::Ollama), br#"{"error":"No \"key\"."}"#);
        assert_eq!(error.reply(Shape::OpenAi).status, 401);
    }

    #[test]
    fn a_budget_that_is_spent_is_told_apart_from_a_rate() {
        let told = |kind, shape| String::from_utf8(Error::new(kind, "").body(shape)).unwrap();
        for (kind, named, code) in [
            (Kind::RateLimited, "rate_limit_error", "rate_limit_exceeded"),
            (Kind::InsufficientQuota, "insufficient_quota", "insufficient_quota"),
            // A provider's own 429, in the gateway's words.
            (Kind::BadUpstream, "rate_limit_error", "rate_limit_exceeded"),
        ] {
            let body = String::from_utf8(Error::new(kind, "").body_as(Shape::OpenAi, 429)).unwrap();
            assert!(body.contains(&alloc::format!(r#""type":"{named}","param":null,"code":"{code}""#)), "{body}");
        }
        for kind in [Kind::RateLimited, Kind::InsufficientQuota] {
            assert_eq!(kind.status(), 429);
            assert!(told(kind, Shape::Anthropic).contains("rate_limit_error"));
            assert!(told(kind, Shape::Gemini).contains("RESOURCE_EXHAUSTED"));
        }
    }
}
