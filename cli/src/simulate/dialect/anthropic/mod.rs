//! The Messages API of `Anthropic`, as api.anthropic.com has it in 2026.
//!
//! What it is strict about, it is strict about by version and by the model's generation ([`model`]). Version 2026-10-21,
//! which the SDKs since that date send, with the key as a bearer token, has no sampling parameters; in the older one,
//! models from 4.7 on take none, nor thinking budgets. From 4.6 on there are no prefilled answers, and only from 4.8 on
//! system messages in the middle. A name that says nothing is of an old model.
//!
//! A conversation that asks to be one is kept as a thread, which goes on with its new messages alone ([`thread`]).

mod blocks;
mod model;
mod question;
mod request;
mod schema;
mod stream;
mod thread;
mod turns;
mod whole;

use http::{HeaderName, HeaderValue, Method};
use serde::Serialize;
use serde_json::json;

use super::{Dialect, Route, Stamp};
use crate::simulate::{
    answer::Answer,
    complaint::{Complaint, Reason},
    memory::Memory,
    question::Question,
    record::Request,
};

pub(super) struct Anthropic;

/// For signatures: those of one provider mean nothing to another.
const PURPOSE: &str = "anthropic";
const MODELS: [(&str, &str, &str); 4] = [
    ("claude-opus-4-8", "Claude Opus 4.8", "2026-05-28T00:00:00Z"),
    ("claude-opus-4-6", "Claude Opus 4.6", "2026-02-04T00:00:00Z"),
    ("claude-haiku-4-5-20251001", "Claude Haiku 4.5", "2025-10-15T00:00:00Z"),
    ("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", "2025-09-29T00:00:00Z"),
];

impl Dialect for Anthropic {
    fn route<'r>(&self, request: &'r Request) -> Option<Route<'r>> {
        let path = request.uri.path();
        if path.ends_with("/messages") {
            return Some(Route::Chat.by(&Method::POST, request));
        }
        if path.ends_with("/messages/count_tokens") {
            return Some(Route::CountTokens.by(&Method::POST, request));
        }
        // The paths of the models are OpenAI's too; the header is not.
        request.headers.get("anthropic-version")?;
        Some(match path.split_once("/models") {
            Some((_, "")) => Route::Models(None).by(&Method::GET, request),
            Some((_, id)) if id.starts_with('/') => Route::Models(id.get(1..)).by(&Method::GET, request),
            _ => Route::Unknown,
        })
    }

    fn key<'r>(&self, request: &'r Request) -> Option<&'r [u8]> {
        let header = |name| request.headers.get(name).map(HeaderValue::as_bytes);
        header("x-api-key").or_else(|| header("authorization")?.strip_prefix(b"Bearer "))
    }

    fn always_wants_a_key(&self) -> bool {
        true
    }

    fn no_key(&self) -> Complaint {
        Complaint::new(401, Reason::NoKey, "x-api-key header is required")
    }

    fn wrong_key(&self) -> Complaint {
        Complaint::new(401, Reason::WrongKey, "invalid x-api-key")
    }

    fn headers(&self, stamp: &Stamp) -> Vec<(HeaderName, HeaderValue)> {
        let limits = [
            ("anthropic-ratelimit-requests-limit", "4000"),
            ("anthropic-ratelimit-requests-remaining", "3999"),
            ("anthropic-ratelimit-input-tokens-limit", "2000000"),
            ("anthropic-ratelimit-input-tokens-remaining", "1999000"),
            ("anthropic-ratelimit-output-tokens-limit", "400000"),
            ("anthropic-ratelimit-output-tokens-remaining", "400000"),
            ("anthropic-ratelimit-tokens-limit", "2400000"),
            ("anthropic-ratelimit-tokens-remaining", "2399000"),
        ];
        let limits = limits.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let now = HeaderValue::from_str(&format!("{}Z", stamp.date_time()));
        let resets = ["requests", "input-tokens", "output-tokens", "tokens"]
            .map(|what| (format!("anthropic-ratelimit-{what}-reset").parse::<HeaderName>(), &now))
            .into_iter()
            .filter_map(|(name, now)| Some((name.ok()?, now.as_ref().ok()?.clone())));
        let id = HeaderValue::from_str(&stamp.request_id()).map(|id| (HeaderName::from_static("request-id"), id));
        limits.into_iter().chain(resets).chain(id).collect()
    }

    fn read(&self, request: &Request, memory: &Memory) -> Result<Question, Complaint> {
        request::read(request, memory)
    }

    fn keep(&self, question: &Question, answer: &Answer, stamp: &Stamp, memory: &Memory) {
        thread::keep(question, &whole::write(question, answer, stamp.clone()), memory);
    }

    fn whole(&self, question: &Question, answer: &Answer, stamp: &Stamp) -> Vec<u8> {
        whole::write(question, answer, stamp.clone())
    }

    fn stream(&self, question: &Question, answer: &Answer, stamp: &Stamp) -> Vec<Vec<u8>> {
        stream::write(question, answer, stamp.clone())
    }

    fn count(&self, question: &Question) -> Vec<u8> {
        json!({"input_tokens": question.input_tokens}).to_string().into_bytes()
    }

    fn word(&self, complaint: Complaint) -> Option<Complaint> {
        Some(match complaint.reason {
            Reason::ContextLength => complaint.saying("prompt is too long: 212345 tokens > 200000 maximum"),
            Reason::ContentPolicy => complaint.saying("Output blocked by content filtering policy"),
            // There is no 429 for an empty account here.
            Reason::Quota if complaint.status == 429 => Complaint { status: 400, ..complaint }.saying(
                "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade \
                 or purchase credits.",
            ),
            Reason::RateLimit => complaint.saying(
                "This request would exceed your organization's rate limit of 2,000,000 input tokens per minute. \
                 Please reduce the prompt length or the maximum tokens requested, or try again later.",
            ),
            Reason::Overloaded => complaint.saying("Overloaded"),
            Reason::Internal => complaint.saying("Internal server error"),
            Reason::WrongKey => complaint.saying("invalid x-api-key"),
            Reason::Malformed
            | Reason::MissingField
            | Reason::EmptyList
            | Reason::NoKey
            | Reason::Forbidden
            | Reason::WrongPath
            | Reason::WrongMethod
            | Reason::UnknownModel
            | Reason::Quota
            | Reason::TooLarge
            | Reason::Timeout => complaint,
        })
    }

    fn complaint(&self, complaint: &Complaint, stamp: &Stamp) -> Vec<u8> {
        let error = ErrorObject { request_id: Some(stamp.request_id()), ..ErrorObject::of(complaint) };
        serde_json::to_vec(&error).unwrap_or_default()
    }

    fn complaint_event(&self, complaint: &Complaint, _stamp: &Stamp, _first: bool) -> Vec<u8> {
        stream::event("error", &ErrorObject::of(complaint), 0)
    }

    fn models(&self, one: Option<&str>) -> Result<Vec<u8>, Complaint> {
        let model = |(id, name, created): (&str, &str, &str)| {
            json!({
                "type": "model", "id": id, "display_name": name, "created_at": created, "lifecycle": "active",
                "max_input_tokens": 200_000, "max_tokens": 64_000,
            })
        };
        let Some(id) = one else {
            let (first, last) = (MODELS.first().map(|model| model.0), MODELS.last().map(|model| model.0));
            let data: Vec<_> = MODELS.into_iter().map(model).collect();
            let models = json!({"data": data, "has_more": false, "first_id": first, "last_id": last});
            return Ok(models.to_string().into_bytes());
        };
        match MODELS.into_iter().find(|model| model.0 == id) {
            Some(found) => Ok(model(found).to_string().into_bytes()),
            None => Err(Complaint::new(404, Reason::UnknownModel, format!("model: {id}"))),
        }
    }
}

impl Stamp {
    /// In a header and in errors, the same.
    fn request_id(&self) -> String {
        format!("req_011C{}", self.random.clone().token(20))
    }

    fn message_id(&mut self) -> String {
        format!("msg_01{}", self.random.token(22))
    }

    fn tool_use_id(&mut self) -> String {
        format!("toolu_01{}", self.random.token(22))
    }
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: ErrorBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

#[derive(Serialize)]
struct Details {
    error_code: &'static str,
}

impl<'a> ErrorObject<'a> {
    fn of(complaint: &'a Complaint) -> Self {
        let kind = match complaint.status {
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            503 | 529 => "overloaded_error",
            408 | 504 => "timeout_error",
            400..=499 => "invalid_request_error",
            _ => "api_error",
        };
        let details = complaint.code.map(|error_code| Details { error_code });
        Self { kind: "error", error: ErrorBody { kind, message: &complaint.message, details }, request_id: None }
    }
}
