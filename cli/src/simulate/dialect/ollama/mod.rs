//! The chat of `Ollama`, as a local server of 2026 has it.
//!
//! Unknown fields and options are ignored, as the real one ignores them; what it decodes into typed fields must be of
//! that type, and is refused in the words of its decoder. Streams are one JSON object a line, and on unless turned off.
//! A tool cannot be forced: there is no such field.

mod embed;
mod request;
mod response;

use http::{HeaderName, HeaderValue, Method, header};
use serde_json::json;

use super::{Dialect, Route, Stamp};
use crate::simulate::{
    answer::Answer,
    complaint::{Complaint, Reason},
    memory::Memory,
    question::Question,
    record::Request,
};

pub(super) struct Ollama;

const MODELS: [(&str, &str, u64, &str); 3] = [
    ("llama3.2:latest", "llama", 2_019_393_189, "3.2B"),
    ("qwen3:8b", "qwen3", 5_225_388_164, "8.2B"),
    ("gpt-oss:20b", "gptoss", 13_793_441_244, "20.9B"),
];

impl Dialect for Ollama {
    fn route<'r>(&self, request: &'r Request) -> Option<Route<'r>> {
        let path = request.uri.path();
        if path.ends_with("/api/chat") {
            return Some(Route::Chat.by(&Method::POST, request));
        }
        if path.ends_with("/api/embed") {
            return Some(Route::Errand(embed::run).by(&Method::POST, request));
        }
        path.ends_with("/api/tags").then(|| Route::Models(None).by(&Method::GET, request))
    }

    fn key<'r>(&self, request: &'r Request) -> Option<&'r [u8]> {
        request.headers.get(header::AUTHORIZATION)?.as_bytes().strip_prefix(b"Bearer ")
    }

    fn no_key(&self) -> Complaint {
        Complaint::new(401, Reason::NoKey, "unauthorized")
    }

    fn wrong_key(&self) -> Complaint {
        Complaint::new(401, Reason::WrongKey, "unauthorized")
    }

    fn headers(&self, _stamp: &Stamp) -> Vec<(HeaderName, HeaderValue)> {
        Vec::new()
    }

    fn read(&self, request: &Request, _memory: &Memory) -> Result<Question, Complaint> {
        request::read(&request.body)
    }

    fn content_type(&self) -> &'static str {
        "application/json; charset=utf-8"
    }

    fn whole(&self, question: &Question, answer: &Answer, stamp: &Stamp) -> Vec<u8> {
        response::whole(question, answer, stamp.clone())
    }

    fn stream_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn stream(&self, question: &Question, answer: &Answer, stamp: &Stamp) -> Vec<Vec<u8>> {
        response::stream(question, answer, stamp.clone())
    }

    fn word(&self, complaint: Complaint) -> Option<Complaint> {
        Some(match complaint.reason {
            Reason::ContextLength => complaint.saying("the input length exceeds the context length"),
            Reason::Overloaded => complaint.saying("server busy, please try again.  maximum pending requests exceeded"),
            Reason::UnknownModel => complaint.saying("model 'simulated' not found"),
            Reason::Malformed
            | Reason::ContentPolicy
            | Reason::MissingField
            | Reason::EmptyList
            | Reason::NoKey
            | Reason::WrongKey
            | Reason::Forbidden
            | Reason::WrongPath
            | Reason::WrongMethod
            | Reason::RateLimit
            | Reason::Quota
            | Reason::TooLarge
            | Reason::Timeout
            | Reason::Internal => complaint,
        })
    }

    fn complaint(&self, complaint: &Complaint, _stamp: &Stamp) -> Vec<u8> {
        json!({"error": complaint.message}).to_string().into_bytes()
    }

    fn complaint_event(&self, complaint: &Complaint, stamp: &Stamp, _first: bool) -> Vec<u8> {
        [self.complaint(complaint, stamp).as_slice(), b"\n"].concat()
    }

    fn models(&self, _one: Option<&str>) -> Result<Vec<u8>, Complaint> {
        let models = MODELS.map(|(name, family, size, parameters)| {
            json!({
                "name": name, "model": name, "modified_at": "2026-01-31T12:00:00.000000000Z", "size": size,
                "digest": format!("{size:064x}"),
                "details": {
                    "parent_model": "", "format": "gguf", "family": family, "families": [family],
                    "parameter_size": parameters, "quantization_level": "Q4_K_M",
                },
            })
        });
        Ok(json!({"models": models}).to_string().into_bytes())
    }
}

impl Stamp {
    /// With as many digits of a second as a server's clock has.
    fn nanosecond_time(&mut self) -> String {
        let nanoseconds = self.random.below(1_000_000_000);
        format!("{}.{nanoseconds:09}Z", self.date_time())
    }

    fn tool_call_id(&mut self) -> String {
        format!("call_{}", self.random.token(8).to_lowercase())
    }
}
