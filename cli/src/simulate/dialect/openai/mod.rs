//! The chat completions of `OpenAI`, as api.openai.com writes them.
//!
//! Structs and not `json!`, because the order of the fields is the provider's too, and so is the white space: whole
//! answers and errors are indented by two spaces, stream events are on one line.

mod request;
mod stream;
mod usage;
mod whole;

use http::{HeaderName, HeaderValue, Method, header};
use serde::Serialize;

use super::{Dialect, Route, Stamp};
use crate::simulate::{
    answer::{Answer, Finish},
    complaint::{Complaint, Reason},
    question::Question,
    record::Request,
};

pub(super) struct OpenAi;

const FINGERPRINT: &str = "fp_51a7ed0000";
const MODELS: [(&str, u64); 5] = [
    ("gpt-4o", 1_715_367_049),
    ("gpt-4o-mini", 1_721_172_741),
    ("gpt-4.1", 1_744_316_542),
    ("gpt-5-mini", 1_754_425_928),
    ("o3", 1_744_225_308),
];

impl Dialect for OpenAi {
    /// The last dialect to be tried: whatever no other one knows is its.
    fn route<'r>(&self, request: &'r Request) -> Option<Route<'r>> {
        let path = request.uri.path();
        Some(if path.ends_with("/chat/completions") {
            Route::Chat.by(&Method::POST, request)
        } else if path.ends_with("/models") {
            Route::Models(None).by(&Method::GET, request)
        } else if let Some((_, id)) = path.split_once("/models/") {
            Route::Models(Some(id)).by(&Method::GET, request)
        } else {
            Route::Unknown
        })
    }

    fn key<'r>(&self, request: &'r Request) -> Option<&'r [u8]> {
        request.headers.get(header::AUTHORIZATION)?.as_bytes().strip_prefix(b"Bearer ")
    }

    fn no_key(&self) -> Complaint {
        let message = "You didn't provide an API key. You need to provide it in an Authorization header using Bearer \
                       auth (i.e. Authorization: Bearer YOUR_KEY).";
        Complaint::new(401, Reason::NoKey, message)
    }

    fn headers(&self, stamp: &Stamp) -> Vec<(HeaderName, HeaderValue)> {
        let fixed = [
            ("openai-organization", "simulated"),
            ("openai-processing-ms", "12"),
            ("openai-version", "2020-10-01"),
            ("x-ratelimit-limit-requests", "10000"),
            ("x-ratelimit-limit-tokens", "2000000"),
            ("x-ratelimit-remaining-requests", "9999"),
            ("x-ratelimit-remaining-tokens", "1999990"),
            ("x-ratelimit-reset-requests", "6ms"),
            ("x-ratelimit-reset-tokens", "0s"),
        ];
        let id = format!("req_{:032x}", u128::from(stamp.random.clone().next()));
        fixed
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .chain(HeaderValue::from_str(&id).map(|id| (HeaderName::from_static("x-request-id"), id)))
            .collect()
    }

    fn read(&self, request: &Request) -> Result<Question, Complaint> {
        request::read(&request.body)
    }

    fn whole(&self, question: &Question, answer: &Answer, stamp: &Stamp) -> Vec<u8> {
        whole::write(question, answer, stamp.clone())
    }

    fn stream(&self, question: &Question, answer: &Answer, stamp: &Stamp) -> Vec<Vec<u8>> {
        stream::write(question, answer, stamp.clone())
    }

    fn complaint(&self, complaint: &Complaint, _stamp: &Stamp) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(&ErrorObject::of(complaint)).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    fn complaint_event(&self, complaint: &Complaint, _stamp: &Stamp, _first: bool) -> Vec<u8> {
        stream::event(&ErrorObject::of(complaint))
    }

    fn models(&self, one: Option<&str>) -> Result<Vec<u8>, Complaint> {
        let models = MODELS.map(|(id, created)| Model { id, object: "model", created, owned_by: "simulated" });
        let bytes = match one {
            None => serde_json::to_vec_pretty(&Models { object: "list", data: &models }),
            Some(id) => {
                let Some(model) = models.iter().find(|model| model.id == id) else {
                    let message = format!("The model '{id}' does not exist");
                    return Err(Complaint::new(404, Reason::UnknownModel, message).about("model"));
                };
                serde_json::to_vec_pretty(model)
            }
        };
        Ok(bytes.unwrap_or_default())
    }
}

impl Stamp {
    fn id(&mut self) -> String {
        format!("chatcmpl-{}", self.random.token(29))
    }

    fn call_id(&mut self) -> String {
        format!("call_{}", self.random.token(24))
    }
}

fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
    }
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    error: ErrorBody<'a>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'static str>,
    code: Option<&'static str>,
}

impl<'a> ErrorObject<'a> {
    fn of(complaint: &'a Complaint) -> Self {
        let (kind, code) = match complaint.reason {
            Reason::Malformed | Reason::NoKey | Reason::WrongPath => ("invalid_request_error", None),
            Reason::MissingField => ("invalid_request_error", Some("missing_required_parameter")),
            Reason::EmptyList => ("invalid_request_error", Some("empty_array")),
            Reason::WrongKey => ("invalid_request_error", Some("invalid_api_key")),
            Reason::Forbidden => ("invalid_request_error", Some("permission_denied")),
            Reason::WrongMethod => ("invalid_request_error", Some("method_not_supported")),
            Reason::UnknownModel => ("invalid_request_error", Some("model_not_found")),
            Reason::ContextLength => ("invalid_request_error", Some("context_length_exceeded")),
            Reason::ContentPolicy => ("invalid_request_error", Some("content_policy_violation")),
            Reason::TooLarge => ("invalid_request_error", Some("request_too_large")),
            Reason::RateLimit => ("requests", Some("rate_limit_exceeded")),
            Reason::Quota => ("insufficient_quota", Some("insufficient_quota")),
            Reason::Timeout | Reason::Overloaded | Reason::Internal => ("server_error", None),
        };
        Self { error: ErrorBody { message: &complaint.message, kind, param: complaint.param, code } }
    }
}

#[derive(Serialize)]
struct Models<'a> {
    object: &'static str,
    data: &'a [Model],
}

#[derive(Serialize)]
struct Model {
    id: &'static str,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
}
