//! The chat completions of `OpenAI`, as api.openai.com writes them.
//!
//! Structs and not `json!`, because the order of the fields is the provider's too: whole answers are indented by two
//! spaces, stream events are on one line, `usage` is null on every event but the last when it was asked for and absent
//! when not, and events are padded by `obfuscation` unless told otherwise (since 2025).

mod request;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Dialect, Stamp};
use crate::simulate::{
    answer::{Answer, Call, Choice, Content, Finish, Question, Streaming, Usage},
    complaint::{Complaint, Reason},
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
    fn key<'h>(&self, headers: &'h HeaderMap) -> Option<&'h [u8]> {
        headers.get(header::AUTHORIZATION)?.as_bytes().strip_prefix(b"Bearer ")
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

    fn read(&self, body: &[u8]) -> Result<Question, Complaint> {
        request::read(body)
    }

    fn whole(&self, question: &Question, answer: &Answer, stamp: &Stamp) -> Vec<u8> {
        let mut stamp = stamp.clone();
        let completion = Completion {
            id: stamp.id(),
            object: "chat.completion",
            created: stamp.created,
            model: &question.model,
            choices: (0..)
                .zip(&answer.choices)
                .map(|(index, choice)| WholeChoice::of(index, choice, &mut stamp))
                .collect(),
            usage: answer.usage.map(UsageObject::of),
            service_tier: "default",
            system_fingerprint: FINGERPRINT,
        };
        let mut bytes = serde_json::to_vec_pretty(&completion).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    fn stream(&self, question: &Question, answer: &Answer, stamp: &Stamp) -> Vec<Vec<u8>> {
        let mut writer = StreamWriter::new(question, stamp.clone());
        for (index, choice) in (0..).zip(&answer.choices) {
            writer.open(index, choice);
        }
        // The choices of `n` advance together.
        let mut deltas: Vec<_> =
            answer.choices.iter().map(|choice| choice.deltas(&mut writer.stamp).into_iter()).collect();
        loop {
            let round: Vec<_> =
                (0..).zip(&mut deltas).filter_map(|(index, rest)| Some((index, rest.next()?))).collect();
            if round.is_empty() {
                break;
            }
            for (index, delta) in round {
                writer.event(vec![StreamChoice { index, delta, logprobs: None, finish_reason: None }], None);
            }
        }
        for (index, choice) in (0..).zip(&answer.choices) {
            let finish_reason = Some(finish_reason(choice.finish));
            writer.event(vec![StreamChoice { index, delta: json!({}), logprobs: None, finish_reason }], None);
        }
        if writer.streaming.usage
            && let Some(usage) = answer.usage
        {
            writer.event(Vec::new(), Some(UsageObject::of(usage)));
        }
        writer.events.push(b"data: [DONE]\n\n".to_vec());
        writer.events
    }

    fn complaint(&self, complaint: &Complaint) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(&ErrorObject::of(complaint)).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    fn complaint_event(&self, complaint: &Complaint) -> Vec<u8> {
        event(&ErrorObject::of(complaint))
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
struct Completion<'a> {
    id: String,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<WholeChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageObject>,
    service_tier: &'static str,
    system_fingerprint: &'static str,
}

#[derive(Serialize)]
struct WholeChoice {
    index: usize,
    message: Message,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Message {
    role: &'static str,
    content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall>,
    refusal: Option<String>,
    annotations: [(); 0],
}

#[derive(Serialize)]
struct ToolCall {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function,
}

#[derive(Serialize)]
struct Function {
    name: String,
    arguments: String,
}

impl WholeChoice {
    fn of(index: usize, choice: &Choice, stamp: &mut Stamp) -> Self {
        let mut message =
            Message { role: "assistant", content: None, tool_calls: Vec::new(), refusal: None, annotations: [] };
        match &choice.content {
            Content::Text(tokens) => message.content = Some(tokens.concat()),
            Content::Refusal(tokens) => message.refusal = Some(tokens.concat()),
            Content::Calls(calls) => {
                message.tool_calls =
                    calls.iter().map(|call| ToolCall::of(call, call.arguments.concat(), stamp)).collect();
            }
        }
        Self { index, message, logprobs: None, finish_reason: finish_reason(choice.finish) }
    }
}

impl ToolCall {
    fn of(call: &Call, arguments: String, stamp: &mut Stamp) -> Self {
        Self { id: stamp.call_id(), kind: "function", function: Function { name: call.name.clone(), arguments } }
    }
}

#[derive(Serialize)]
struct UsageObject {
    prompt_tokens: usize,
    completion_tokens: usize,
    total_tokens: usize,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: usize,
    audio_tokens: usize,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names on the wire")]
struct CompletionDetails {
    reasoning_tokens: usize,
    audio_tokens: usize,
    accepted_prediction_tokens: usize,
    rejected_prediction_tokens: usize,
}

impl UsageObject {
    fn of(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.input,
            completion_tokens: usage.output,
            total_tokens: usage.input.saturating_add(usage.output),
            prompt_tokens_details: PromptDetails { cached_tokens: 0, audio_tokens: 0 },
            completion_tokens_details: CompletionDetails {
                reasoning_tokens: usage.reasoning,
                audio_tokens: 0,
                accepted_prediction_tokens: 0,
                rejected_prediction_tokens: 0,
            },
        }
    }
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    service_tier: &'static str,
    system_fingerprint: &'static str,
    choices: Vec<StreamChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[expect(clippy::option_option, reason = "absent, null and an object are three things on the wire")]
    usage: Option<Option<UsageObject>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    obfuscation: Option<String>,
}

#[derive(Serialize)]
struct StreamChoice {
    index: usize,
    delta: Value,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

struct StreamWriter<'a> {
    model: &'a str,
    streaming: Streaming,
    id: String,
    stamp: Stamp,
    events: Vec<Vec<u8>>,
}

impl<'a> StreamWriter<'a> {
    fn new(question: &'a Question, mut stamp: Stamp) -> Self {
        let streaming = question.stream.unwrap_or_default();
        Self { model: &question.model, streaming, id: stamp.id(), stamp, events: Vec::new() }
    }

    /// The event that only says who speaks.
    fn open(&mut self, index: usize, choice: &Choice) {
        let delta = match &choice.content {
            Content::Text(_) => json!({"role": "assistant", "content": "", "refusal": null}),
            Content::Refusal(_) => json!({"role": "assistant", "content": null, "refusal": ""}),
            Content::Calls(_) => json!({"role": "assistant", "content": null, "refusal": null}),
        };
        self.event(vec![StreamChoice { index, delta, logprobs: None, finish_reason: None }], None);
    }

    fn event(&mut self, choices: Vec<StreamChoice>, usage: Option<UsageObject>) {
        let padding = self.streaming.padding.then(|| {
            let length = self.stamp.random.below(16);
            self.stamp.random.token(length)
        });
        self.events.push(event(&Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.stamp.created,
            model: self.model,
            service_tier: "default",
            system_fingerprint: FINGERPRINT,
            choices,
            usage: self.streaming.usage.then_some(usage),
            obfuscation: padding,
        }));
    }
}

impl Choice {
    /// What the events after the first say.
    fn deltas(&self, stamp: &mut Stamp) -> Vec<Value> {
        match &self.content {
            Content::Text(tokens) => tokens.iter().map(|token| json!({"content": token})).collect(),
            Content::Refusal(tokens) => tokens.iter().map(|token| json!({"refusal": token})).collect(),
            Content::Calls(calls) => {
                let mut deltas = Vec::new();
                for (index, call) in calls.iter().enumerate() {
                    let name = json!({"name": call.name, "arguments": ""});
                    let id = stamp.call_id();
                    deltas.push(
                        json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": name}]}),
                    );
                    for slice in &call.arguments {
                        deltas.push(json!({"tool_calls": [{"index": index, "function": {"arguments": slice}}]}));
                    }
                }
                deltas
            }
        }
    }
}

fn event(data: &impl Serialize) -> Vec<u8> {
    let mut bytes = b"data: ".to_vec();
    // Writing plain structs to memory cannot fail.
    let _infallible = serde_json::to_writer(&mut bytes, data);
    bytes.extend_from_slice(b"\n\n");
    bytes
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
