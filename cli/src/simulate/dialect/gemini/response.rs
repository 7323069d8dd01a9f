//! Answers of generateContent: whole, or as the events of a stream.
//!
//! Every event has the usage so far. A function call is one event with all its arguments; the last event says only why
//! the answer ended and, with an empty text, what generation 3 thought. Of calls made together the first is signed.

use std::io;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{Value, ser};

use super::{PURPOSE, Stamp, pretty};
use crate::simulate::{
    answer::{Answer, Choice, Content, Finish, Usage},
    dialect::signature,
    picture,
    question::Question,
};

/// What a picture is charged as.
const PICTURE_TOKENS: usize = 1290;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names on the wire")]
pub(super) struct Response {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<Candidate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_feedback: Option<PromptFeedback>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_metadata: Option<UsageMetadata>,
    model_version: String,
    response_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    content: WireContent,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'static str>,
    index: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    safety_ratings: Vec<SafetyRating>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_message: Option<&'static str>,
}

#[derive(Serialize)]
struct WireContent {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Part>,
    role: &'static str,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<FunctionCall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inline_data: Option<InlineData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InlineData {
    mime_type: &'static str,
    data: String,
}

#[derive(Serialize)]
struct FunctionCall {
    name: String,
    args: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

#[derive(Serialize)]
struct SafetyRating {
    category: &'static str,
    probability: &'static str,
    blocked: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PromptFeedback {
    block_reason: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UsageMetadata {
    prompt_token_count: usize,
    #[serde(skip_serializing_if = "is_zero")]
    cached_content_token_count: usize,
    #[serde(skip_serializing_if = "is_zero")]
    candidates_token_count: usize,
    total_token_count: usize,
    prompt_tokens_details: Vec<ModalityTokens>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cache_tokens_details: Vec<ModalityTokens>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates_tokens_details: Vec<ModalityTokens>,
    #[serde(skip_serializing_if = "is_zero")]
    thoughts_token_count: usize,
    service_tier: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ModalityTokens {
    modality: &'static str,
    token_count: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Count {
    total_tokens: usize,
    prompt_tokens_details: Vec<ModalityTokens>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

pub(super) fn count(question: &Question) -> Count {
    let total_tokens = question.input_tokens;
    Count { total_tokens, prompt_tokens_details: vec![ModalityTokens { modality: "TEXT", token_count: total_tokens }] }
}

pub(super) fn whole(question: &Question, answer: &Answer, mut stamp: Stamp) -> Vec<u8> {
    let candidates = answer.choices.iter().enumerate().map(|(index, choice)| {
        let mut parts: Vec<Part> = Vec::new();
        for part in choice.parts(index, question, &mut stamp) {
            match parts.last_mut() {
                Some(last) if last.joins(&part) => last.join(part),
                _ => parts.push(part),
            }
        }
        Candidate { content: WireContent { parts, role: "model" }, ..choice.end(index) }
    });
    let candidates = candidates.collect();
    pretty(&Response { candidates, ..Response::empty(question, answer, &stamp) })
}

pub(super) fn stream(question: &Question, answer: &Answer, mut stamp: Stamp) -> Vec<Response> {
    let mut events = Vec::new();
    let id = stamp.clone();
    let mut said = 0_usize;
    for (index, choice) in answer.choices.iter().enumerate() {
        let parts = choice.parts(index, question, &mut stamp);
        let last = parts.len().saturating_sub(1);
        for (place, part) in parts.into_iter().enumerate() {
            said = said.saturating_add(usize::from(part.thought.is_none()));
            let candidate = if place == last { choice.end(index) } else { Candidate::going_on(index) };
            let content = WireContent { parts: vec![part], role: "model" };
            let mut event = Response {
                candidates: vec![Candidate { content, ..candidate }],
                ..Response::empty(question, answer, &id)
            };
            if let Some(usage) = event.usage_metadata.as_mut().filter(|_| place < last) {
                usage.say(said);
            }
            events.push(event);
        }
    }
    if events.is_empty() {
        events.push(Response::empty(question, answer, &id));
    }
    events
}

/// One framed event. After a colon there is a space here, after a comma none.
pub(super) fn event(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = b"data: ".to_vec();
    // Writing plain structs to memory cannot fail.
    let _infallible = value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Colons));
    bytes.extend_from_slice(b"\r\n\r\n");
    bytes
}

struct Colons;

impl ser::Formatter for Colons {
    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

impl Response {
    /// All but the candidates; without any the prompt was blocked.
    fn empty(question: &Question, answer: &Answer, stamp: &Stamp) -> Self {
        let blocked = answer.choices.is_empty();
        Self {
            candidates: Vec::new(),
            prompt_feedback: blocked.then_some(PromptFeedback { block_reason: "PROHIBITED_CONTENT" }),
            usage_metadata: answer
                .usage
                .map(UsageMetadata::of)
                .map(|usage| if question.pictures > 0 { usage.drawn() } else { usage }),
            model_version: question.model.clone(),
            response_id: stamp.clone().random.token(22),
        }
    }
}

impl UsageMetadata {
    /// The thoughts are not in `candidatesTokenCount`, the cached part is in `promptTokenCount`.
    fn of(usage: Usage) -> Self {
        let text = |token_count| vec![ModalityTokens { modality: "TEXT", token_count }];
        let cached = usage.cache.read_tokens;
        Self {
            prompt_token_count: usage.input,
            cached_content_token_count: cached,
            candidates_token_count: usage.output.saturating_sub(usage.reasoning),
            total_token_count: usage.input.saturating_add(usage.output),
            prompt_tokens_details: text(usage.input),
            cache_tokens_details: if cached == 0 { Vec::new() } else { text(cached) },
            candidates_tokens_details: Vec::new(),
            thoughts_token_count: usage.reasoning,
            service_tier: "standard",
        }
    }

    /// The same with a picture.
    fn drawn(mut self) -> Self {
        self.candidates_token_count = self.candidates_token_count.saturating_add(PICTURE_TOKENS);
        self.total_token_count = self.total_token_count.saturating_add(PICTURE_TOKENS);
        self.candidates_tokens_details = vec![ModalityTokens { modality: "IMAGE", token_count: PICTURE_TOKENS }];
        self
    }

    /// What it was when so many tokens had been said.
    fn say(&mut self, tokens: usize) {
        let rest = self.candidates_token_count.saturating_sub(tokens);
        self.candidates_token_count = self.candidates_token_count.min(tokens);
        self.total_token_count = self.total_token_count.saturating_sub(rest);
    }
}

impl Candidate {
    fn going_on(index: usize) -> Self {
        let content = WireContent { parts: Vec::new(), role: "model" };
        Self { content, finish_reason: None, index, safety_ratings: Vec::new(), finish_message: None }
    }
}

impl Part {
    fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    /// Whether a whole answer has the two in one part.
    fn joins(&self, next: &Self) -> bool {
        self.text.is_some() && next.text.is_some() && self.thought == next.thought
    }

    fn join(&mut self, next: Self) {
        if let (Some(text), Some(more)) = (&mut self.text, next.text) {
            text.push_str(&more);
        }
        self.thought_signature = next.thought_signature.or_else(|| self.thought_signature.take());
    }
}

impl Choice {
    /// What is said, in the pieces that a stream sends; the last one ends it.
    fn parts(&self, index: usize, question: &Question, stamp: &mut Stamp) -> Vec<Part> {
        let thoughts = self.thoughts.iter().map(|token| Part { thought: Some(true), ..Part::text(token) });
        let mut parts: Vec<Part> = thoughts.collect();
        let sign = |text: &str, stamp: &mut Stamp| question.reasoning.then(|| signature::issue(PURPOSE, text, stamp));
        match &self.content {
            Content::Text(tokens) | Content::Refusal(tokens) => {
                parts.extend(tokens.iter().map(Part::text));
                if question.pictures > 0 {
                    let data = STANDARD.encode(picture::draw(&question.text, index));
                    let thought_signature = sign("", stamp);
                    let inline_data = Some(InlineData { mime_type: "image/png", data });
                    parts.push(Part { inline_data, thought_signature, ..Part::default() });
                    return parts;
                }
                parts.push(Part { thought_signature: sign("", stamp), ..Part::text("") });
            }
            Content::Calls(calls) => {
                for (index, call) in calls.iter().enumerate() {
                    let thought_signature = if index == 0 { sign(&call.name, stamp) } else { None };
                    let args = serde_json::from_str(&call.arguments.concat()).unwrap_or_default();
                    // Generation 3 names its calls, and only it.
                    let id = (!question.model.contains("gemini-2")).then(|| stamp.random.token(8));
                    let function_call = Some(FunctionCall { name: call.name.clone(), args, id });
                    parts.push(Part { function_call, thought_signature, ..Part::default() });
                }
            }
        }
        parts
    }

    /// The candidate that ends, without its content.
    fn end(&self, index: usize) -> Candidate {
        let failed = !matches!(self.content, Content::Calls(_));
        let finish_reason = match self.finish {
            Finish::ToolCalls if failed => "MALFORMED_FUNCTION_CALL",
            Finish::Stop | Finish::ToolCalls => "STOP",
            Finish::Length => "MAX_TOKENS",
            Finish::ContentFilter => "SAFETY",
        };
        let safety_ratings = match self.finish {
            Finish::ContentFilter => {
                vec![SafetyRating { category: "HARM_CATEGORY_DANGEROUS_CONTENT", probability: "HIGH", blocked: true }]
            }
            Finish::Stop | Finish::Length | Finish::ToolCalls => Vec::new(),
        };
        let finish_message = match self.finish {
            Finish::ToolCalls if failed => Some("Malformed function call: print(default_api."),
            Finish::ToolCalls => Some("Model generated function call(s)."),
            Finish::Stop | Finish::Length | Finish::ContentFilter => None,
        };
        Candidate { finish_reason: Some(finish_reason), safety_ratings, finish_message, ..Candidate::going_on(index) }
    }
}
