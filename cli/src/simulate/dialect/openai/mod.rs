//! The API of `OpenAI`, as api.openai.com has it in 2026.
//!
//! Three ways to ask a model (chat completions, Responses, the old completions), which differ in requests, answers and
//! streams and in nothing else, and what takes no conversation ([`errands`](Errand)). The order of the fields is the
//! provider's too ([`Ordered`]), and so is the white space: whole answers and errors are indented by two spaces, stream
//! events are on one line.

mod audio;
mod completions;
mod embeddings;
mod files;
mod form;
mod images;
mod moderations;
mod ordered;
mod params;
mod request;
mod rerank;
mod responses;
mod stream;
mod strict;
mod usage;
mod whole;

use http::{HeaderName, HeaderValue, Method, header};
use serde::Serialize;
use serde_json::{Value, json};

use self::ordered::Ordered;
use super::{Dialect, Errand, ErrandBody, Route, Run, Stamp};
use crate::simulate::{
    answer::{Answer, Finish},
    complaint::{Complaint, Reason},
    memory::Memory,
    question::Question,
    record::Request,
};

/// The ways to ask a model.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenAi {
    /// Also what is no way to ask a model, and whatever nobody knows.
    Chat,
    Completions,
    Responses,
}

/// The JSON that is sent for each.
const JSON: &str = "application/json";
const ERRANDS: [(&str, Method, Run); 9] = [
    ("/embeddings", Method::POST, embeddings::run),
    ("/images/generations", Method::POST, images::generate),
    ("/images/edits", Method::POST, images::edit),
    ("/moderations", Method::POST, moderations::run),
    ("/rerank", Method::POST, rerank::run),
    ("/audio/speech", Method::POST, audio::speak),
    ("/audio/transcriptions", Method::POST, audio::transcribe),
    ("/audio/translations", Method::POST, audio::transcribe),
    ("/files", Method::POST, files::upload),
];

const FINGERPRINT: &str = "fp_51a7ed0000";
const MODELS: [(&str, u64); 5] = [
    ("gpt-4o", 1_715_367_049),
    ("gpt-4o-mini", 1_721_172_741),
    ("gpt-4.1", 1_744_316_542),
    ("gpt-5-mini", 1_754_425_928),
    ("o3", 1_744_225_308),
];

impl Dialect for OpenAi {
    /// The last dialect to be tried is the chat: whatever no other one knows is its.
    fn route<'r>(&self, request: &'r Request) -> Option<Route<'r>> {
        let path = request.uri.path();
        match self {
            Self::Responses => return responses::route(path, request),
            Self::Completions => {
                let asks = path.ends_with("/completions") && !path.ends_with("/chat/completions");
                return asks.then(|| Route::Chat.by(&Method::POST, request));
            }
            Self::Chat => {}
        }
        let mut errands = ERRANDS.iter().filter(|(end, ..)| path.ends_with(end)).peekable();
        if errands.peek().is_some() && !(path.ends_with("/files") && request.method == Method::GET) {
            let errand = errands.find(|(_, method, _)| request.method == *method);
            return Some(errand.map_or(Route::WrongMethod, |(.., run)| Route::Errand(*run)));
        }
        Some(if path.ends_with("/chat/completions") {
            Route::Chat.by(&Method::POST, request)
        } else if path.ends_with("/files") || path.contains("/files/") {
            files::route(request)
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

    fn read(&self, request: &Request, memory: &Memory) -> Result<Question, Complaint> {
        match self {
            Self::Chat => request::read(request),
            Self::Completions => completions::read(&request.body),
            Self::Responses => responses::read(request, memory),
        }
    }

    fn whole(&self, question: &Question, answer: &Answer, stamp: &Stamp) -> Vec<u8> {
        match self {
            Self::Chat => whole::write(question, answer, stamp.clone()),
            Self::Completions => completions::whole(question, answer, stamp.clone()),
            Self::Responses => responses::whole(question, answer, stamp),
        }
    }

    fn stream(&self, question: &Question, answer: &Answer, stamp: &Stamp) -> Vec<Vec<u8>> {
        match self {
            Self::Chat => stream::write(question, answer, stamp.clone()),
            Self::Completions => completions::stream(question, answer, stamp.clone()),
            Self::Responses => responses::stream(question, answer, stamp),
        }
    }

    fn keep(&self, question: &Question, answer: &Answer, stamp: &Stamp, memory: &Memory) {
        if *self == Self::Responses {
            responses::keep(question, answer, stamp, memory);
        }
    }

    fn count(&self, question: &Question) -> Vec<u8> {
        pretty(&json!({"object": "response.input_tokens", "input_tokens": question.input_tokens}))
    }

    fn complaint(&self, complaint: &Complaint, _stamp: &Stamp) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(&ErrorObject::of(complaint)).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    fn complaint_event(&self, complaint: &Complaint, _stamp: &Stamp, _first: bool) -> Vec<u8> {
        let error = ErrorObject::of(complaint);
        match self {
            Self::Chat | Self::Completions => stream::event(&error),
            Self::Responses => responses::error_event(&error.error),
        }
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

/// A whole answer.
fn pretty(value: &Value) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(&Ordered(value)).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

impl Errand {
    fn json(model: &str, value: &Value) -> Self {
        Self { model: model.to_owned(), content_type: JSON, body: ErrandBody::Whole(pretty(value)) }
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
    param: Option<&'a str>,
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
        let (param, code) = (complaint.param.as_deref(), complaint.code.or(code));
        Self { error: ErrorBody { message: &complaint.message, kind, param, code } }
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
