//! The Gemini API of `Google`: generateContent and its stream, as generativelanguage.googleapis.com has them in 2026.
//!
//! Three framings of one dialect: whole answers; streams as server-sent events with `?alt=sse`; and streams as one JSON
//! array that is sent element by element, in which errors are elements too, even if nothing else comes. They differ in
//! nothing else, so each is a value of one type.
//!
//! Strict is what protocol buffers are strict about (unknown names: `proto`), and the order of calls, results and
//! thought signatures (`turns`), the latter for generation 3 and later only.

mod embed;
mod proto;
mod request;
mod response;
mod turns;

use http::{HeaderName, HeaderValue, Method, header};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Dialect, Route, Stamp};
use crate::simulate::{
    answer::Answer,
    complaint::{Complaint, Reason},
    memory::Memory,
    question::Question,
    record::Request,
};

pub(super) struct Gemini(Framing);

pub(super) static WHOLE: Gemini = Gemini(Framing::Whole);
pub(super) static EVENTS: Gemini = Gemini(Framing::Events);
pub(super) static ARRAY: Gemini = Gemini(Framing::Array);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    Whole,
    Events,
    Array,
}

/// For signatures: those of one provider mean nothing to another.
const PURPOSE: &str = "gemini";
const MODELS: [(&str, &str); 3] = [
    ("gemini-3.6-flash", "Gemini 3.6 Flash"),
    ("gemini-3-flash-preview", "Gemini 3 Flash Preview"),
    ("gemini-2.5-flash", "Gemini 2.5 Flash"),
];

impl Dialect for Gemini {
    fn route<'r>(&self, request: &'r Request) -> Option<Route<'r>> {
        let path = request.uri.path();
        let operation = operation(path).map(|(_, operation)| operation);
        let framing = match operation {
            Some("streamGenerateContent") if query(request, "alt") == Some("sse") => Framing::Events,
            Some("streamGenerateContent") => Framing::Array,
            Some(_) | None => Framing::Whole,
        };
        if framing != self.0 || path.contains("/openai/") {
            return None;
        }
        if let Some(operation) = operation {
            return Some(match operation {
                "generateContent" | "streamGenerateContent" => Route::Chat.by(&Method::POST, request),
                "embedContent" | "batchEmbedContents" => Route::Errand(embed::run).by(&Method::POST, request),
                "countTokens" => Route::CountTokens.by(&Method::POST, request),
                _ => Route::Unknown,
            });
        }
        let version = path.contains("/v1beta/") || request.headers.contains_key("x-goog-api-key");
        match path.split_once("/models") {
            Some((_, "")) if version => Some(Route::Models(None).by(&Method::GET, request)),
            Some((_, id)) if version => Some(Route::Models(id.strip_prefix('/')).by(&Method::GET, request)),
            _ => None,
        }
    }

    fn key<'r>(&self, request: &'r Request) -> Option<&'r [u8]> {
        let header = request.headers.get("x-goog-api-key").map(HeaderValue::as_bytes);
        header.or_else(|| query(request, "key").map(str::as_bytes)).filter(|key| !key.is_empty())
    }

    fn always_wants_a_key(&self) -> bool {
        true
    }

    fn no_key(&self) -> Complaint {
        let message = "Method doesn't allow unregistered callers (callers without established identity). Please use \
                       API Key or other form of API consumer identity to call this API.";
        Complaint::new(403, Reason::NoKey, message)
    }

    fn wrong_key(&self) -> Complaint {
        Complaint::new(400, Reason::WrongKey, "API key not valid. Please pass a valid API key.")
    }

    fn headers(&self, _stamp: &Stamp) -> Vec<(HeaderName, HeaderValue)> {
        vec![
            (header::SERVER, HeaderValue::from_static("scaffolding on HTTPServer2")),
            (header::VARY, HeaderValue::from_static("Origin, X-Origin, Referer")),
            (HeaderName::from_static("server-timing"), HeaderValue::from_static("gfet4t7; dur=12")),
        ]
    }

    fn read(&self, request: &Request, _memory: &Memory) -> Result<Question, Complaint> {
        request::read(request)
    }

    fn content_type(&self) -> &'static str {
        "application/json; charset=UTF-8"
    }

    fn whole(&self, question: &Question, answer: &Answer, stamp: &Stamp) -> Vec<u8> {
        response::whole(question, answer, stamp.clone())
    }

    fn stream_type(&self) -> &'static str {
        match self.0 {
            Framing::Events => "text/event-stream",
            Framing::Array | Framing::Whole => self.content_type(),
        }
    }

    fn stream(&self, question: &Question, answer: &Answer, stamp: &Stamp) -> Vec<Vec<u8>> {
        let events = response::stream(question, answer, stamp.clone());
        match self.0 {
            Framing::Events => events.iter().map(response::event).collect(),
            Framing::Array | Framing::Whole => {
                let mut elements: Vec<Vec<u8>> =
                    events.iter().enumerate().map(|(index, event)| element(event, index == 0)).collect();
                elements.push(b"]".to_vec());
                elements
            }
        }
    }

    fn count(&self, question: &Question) -> Vec<u8> {
        pretty(&response::count(question))
    }

    fn word(&self, complaint: Complaint) -> Option<Complaint> {
        Some(match complaint.reason {
            // A blocked prompt is an answer.
            Reason::ContentPolicy => return None,
            Reason::ContextLength => complaint
                .saying("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
            Reason::RateLimit | Reason::Quota => complaint.saying(
                "You exceeded your current quota, please check your plan and billing details. For more information on \
                 this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.",
            ),
            Reason::Overloaded => complaint.saying("The model is overloaded. Please try again later."),
            Reason::Internal => complaint.saying(
                "An internal error has occurred. Please retry or report in \
                 https://developers.generativeai.google/guide/troubleshooting",
            ),
            Reason::UnknownModel => complaint.saying(
                "models/simulated is not found for API version v1beta, or is not supported for generateContent. Call \
                 ListModels to see the list of available models and their supported methods.",
            ),
            Reason::Timeout => complaint.saying("Deadline expired before operation could complete."),
            Reason::Malformed
            | Reason::MissingField
            | Reason::EmptyList
            | Reason::NoKey
            | Reason::WrongKey
            | Reason::Forbidden
            | Reason::WrongPath
            | Reason::WrongMethod
            | Reason::TooLarge => complaint,
        })
    }

    fn complaint(&self, complaint: &Complaint, stamp: &Stamp) -> Vec<u8> {
        match self.0 {
            Framing::Whole | Framing::Events => pretty(&ErrorObject::of(complaint)),
            Framing::Array => self.complaint_event(complaint, stamp, true),
        }
    }

    fn complaint_event(&self, complaint: &Complaint, _stamp: &Stamp, first: bool) -> Vec<u8> {
        let error = ErrorObject::of(complaint);
        match self.0 {
            Framing::Events => response::event(&error),
            Framing::Array | Framing::Whole => [element(&error, first).as_slice(), b"]"].concat(),
        }
    }

    fn models(&self, one: Option<&str>) -> Result<Vec<u8>, Complaint> {
        let model = |(id, name): (&str, &str)| {
            json!({
                "name": format!("models/{id}"), "version": "001", "displayName": name,
                "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
                "temperature": 1, "topP": 0.95, "topK": 64, "maxTemperature": 2, "thinking": true,
            })
        };
        let Some(id) = one else {
            let models: Vec<Value> = MODELS.into_iter().map(model).collect();
            return Ok(pretty(&json!({"models": models})));
        };
        let Some(found) = MODELS.into_iter().find(|model| model.0 == id) else {
            let message = format!("Model is not found: models/{id} for api version v1beta");
            return Err(Complaint::new(404, Reason::UnknownModel, message));
        };
        Ok(pretty(&model(found)))
    }
}

/// The model and what is to be done with it: `…/models/{model}:{operation}`.
fn operation(path: &str) -> Option<(&str, &str)> {
    path.rsplit_once("/models/")?.1.rsplit_once(':')
}

fn query<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    let pairs = request.uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// An element of the array that a stream is.
fn element(value: &impl Serialize, first: bool) -> Vec<u8> {
    let before: &[u8] = if first { b"[" } else { b",\r\n" };
    [before, &pretty(value)].concat()
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    error: ErrorBody<'a>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: u16,
    message: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Value>,
}

impl<'a> ErrorObject<'a> {
    fn of(complaint: &'a Complaint) -> Self {
        let status = match complaint.status {
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            408 | 504 => "DEADLINE_EXCEEDED",
            409 => "ABORTED",
            429 => "RESOURCE_EXHAUSTED",
            499 => "CANCELLED",
            400..=499 => "INVALID_ARGUMENT",
            501 => "UNIMPLEMENTED",
            503 | 529 => "UNAVAILABLE",
            _ => "INTERNAL",
        };
        let details = details(complaint);
        Self { error: ErrorBody { code: complaint.status, message: &complaint.message, status, details } }
    }
}

/// What a machine is to read of an error.
fn details(complaint: &Complaint) -> Vec<Value> {
    let of_type = |name: &str| format!("type.googleapis.com/google.rpc.{name}");
    if !complaint.violations.is_empty() {
        let violations = complaint.violations.iter().map(|(field, description)| {
            if field.is_empty() {
                json!({"description": description})
            } else {
                json!({"field": field, "description": description})
            }
        });
        return vec![json!({"@type": of_type("BadRequest"), "fieldViolations": violations.collect::<Vec<_>>()})];
    }
    if complaint.reason == Reason::WrongKey {
        return vec![
            json!({
                "@type": of_type("ErrorInfo"), "reason": "API_KEY_INVALID", "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com"},
            }),
            json!({"@type": of_type("LocalizedMessage"), "locale": "en-US", "message": complaint.message}),
        ];
    }
    if complaint.status != 429 {
        return Vec::new();
    }
    let period = if complaint.reason == Reason::Quota { "Day" } else { "Minute" };
    let quota = json!({
        "@type": of_type("QuotaFailure"),
        "violations": [{
            "quotaMetric": "generativelanguage.googleapis.com/generate_content_requests",
            "quotaId": format!("GenerateRequestsPer{period}PerProjectPerModel"),
            "quotaDimensions": {"location": "global", "model": "simulated"},
            "quotaValue": "10",
        }],
    });
    let wait_ms = complaint.retry_after_ms.unwrap_or(34_074);
    let delay = format!("{}.{:03}s", wait_ms / 1000, wait_ms % 1000);
    let delay = delay.strip_suffix(".000s").map_or_else(|| delay.clone(), |seconds| format!("{seconds}s"));
    vec![quota, json!({"@type": of_type("RetryInfo"), "retryDelay": delay})]
}
