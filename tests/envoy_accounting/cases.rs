//! What is asked, what its providers are told to answer, and what that comes to.

use super::{ANTHROPIC, DRIFT, Expected, FRACTION, OPENAI, PENS, UNLISTED, Used, VECTORS};
use dragoman::simulate::{Finish, Gate, Opening, Script};
use dragoman_tests::chain::{body, post_as, status};
use dragoman_tests::http::Request;
use http::StatusCode;
use serde_json::{Value, json};

/// How many kinds of request there are.
const KINDS: usize = 20;

/// The keys that may ask, by their id.
pub(crate) const KEYS: [(&str, &str); 3] =
    [("app", "sk-canary-app-71"), ("batch", "sk-canary-batch-72"), ("scarce", "sk-canary-scarce-73")];
/// Its budget does not last for all it asks.
pub(crate) const SCARCE: usize = 2;
/// One that nobody has.
pub(crate) const STRANGER: &str = "sk-canary-stranger-74";
/// A key in a place where it must not be.
pub(crate) const SECRET_QUERY: &str = "sk-canary-query-76";
/// What is said, which nobody is to write down.
pub(crate) const SECRET_TEXT: &str = "canary-text-75";

/// A request, and what becomes of it.
pub(crate) struct Case {
    pub(crate) request: Request,
    /// Whose it is, unless it is nobody's.
    pub(crate) key: Option<usize>,
    /// What each provider answers.
    pub(crate) scripts: Vec<(&'static str, Script)>,
    pub(crate) expected: Expected,
    /// Whether its client leaves after the first content.
    pub(crate) leaves: bool,
}

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";

/// The request of this number. `gate` holds back what a client that leaves does not wait for.
pub(crate) fn case(number: usize, gate: &Gate) -> Case {
    let kind = number % KINDS;
    let draft = Draft { number, key: if kind == 19 { SCARCE } else { number % 2 } };
    match kind {
        11..=15 => draft.failing(kind),
        16..=18 => draft.uncounted(kind, gate),
        _ => draft.counted(kind),
    }
}

/// A chat that says what nobody is to write down.
fn chat(model: &str, stream: bool) -> Value {
    let mut body = body(model, stream);
    body["max_tokens"] = json!(30);
    body["messages"][0]["content"] = json!(SECRET_TEXT);
    body
}

/// A request in the making.
#[derive(Clone, Copy)]
struct Draft {
    number: usize,
    key: usize,
}

impl Draft {
    fn ask(self, path: &str, body: &Value) -> Request {
        post_as(KEYS[self.key].1, path, &self.number.to_string(), body)
    }

    fn case(self, request: Request, scripts: Vec<(&'static str, Script)>, expected: Expected) -> Case {
        Case { request, key: Some(self.key), scripts, expected, leaves: false }
    }

    /// What is used in OpenAI's and Gemini's answers: nothing is written to a cache.
    fn used(self) -> Used {
        let count = u64::try_from(self.number).unwrap();
        Used {
            input: 100 + 3 * count,
            cached: count % 50,
            written: 0,
            output: 20 + count * 7 % 391,
            reasoning: count % 9,
        }
    }

    /// The same in Anthropic's: reasoning is not told.
    fn used_of_anthropic(self) -> Used {
        let used = self.used();
        Used { written: used.input % 7, reasoning: 0, ..used }
    }

    /// One provider answers, and says what was used.
    fn counted(self, kind: usize) -> Case {
        let (open, claude) = (self.used(), self.used_of_anthropic());
        let plain = Used { cached: 0, reasoning: 0, ..open };
        let (path, body, script, target, used) = match kind {
            1 => {
                let mut body = chat(OPENAI, true);
                if self.number.is_multiple_of(3) {
                    body["stream_options"] = json!({"include_usage": true});
                }
                (CHAT, body, openai_stream(open), OPENAI, open)
            }
            2 => (MESSAGES, chat(ANTHROPIC, false), anthropic(claude), ANTHROPIC, claude),
            3 => (MESSAGES, chat(ANTHROPIC, true), anthropic_stream(claude), ANTHROPIC, claude),
            // Translated, both ways.
            4 => (CHAT, chat(ANTHROPIC, false), anthropic(claude), ANTHROPIC, claude),
            5 => {
                let script = anthropic_stream(claude).cut_at_random(open.input);
                (CHAT, chat(ANTHROPIC, true), script, ANTHROPIC, claude)
            }
            6 => (MESSAGES, chat(FRACTION, true), openai_stream(open), FRACTION, open),
            7 => (CHAT, chat(DRIFT, false), gemini(open, false), DRIFT, open),
            8 => (CHAT, chat(DRIFT, true), gemini(open, true), DRIFT, open),
            9 => {
                let vectors = Used { output: 0, ..plain };
                ("/v1/embeddings", json!({"model": VECTORS, "input": SECRET_TEXT}), vector(vectors), VECTORS, vectors)
            }
            10 => {
                let target = UNLISTED[self.number / KINDS % UNLISTED.len()];
                (CHAT, chat(target, false), openai(plain), target, plain)
            }
            _ => (CHAT, chat(OPENAI, false), openai(open), OPENAI, open),
        };
        let provider = target.split('/').next().unwrap();
        self.case(self.ask(path, &body), vec![(provider, script)], Expected::Counted(target, used))
    }

    /// The first of a chain fails, all of it does, or nobody is asked.
    fn failing(self, kind: usize) -> Case {
        let claude = self.used_of_anthropic();
        let stream = kind == 12 || (kind == 13 && self.number.is_multiple_of(3));
        let chained = self.ask(CHAT, &chat("chain", stream));
        let served = Expected::Counted(ANTHROPIC, claude);
        match (kind, self.number % 3) {
            (11, _) => self.case(chained, vec![("openai", status(503)), ("anthropic", anthropic(claude))], served),
            (12, _) => {
                let reset = Script::new(StatusCode::OK).opening(Opening::Reset);
                self.case(chained, vec![("openai", reset), ("anthropic", anthropic_stream(claude))], served)
            }
            (13, _) => self.case(chained, vec![("openai", status(429)), ("anthropic", status(529))], Expected::Nothing),
            (14, _) => {
                let error =
                    json!({"error": {"message": "no", "type": "invalid_request_error", "param": null, "code": null}});
                let refusal = Script::whole(StatusCode::BAD_REQUEST, "application/json", error.to_string());
                self.case(chained, vec![("openai", refusal)], Expected::Nothing)
            }
            (_, 0) => self.case(self.ask(CHAT, &chat("nobody/knows", false)), vec![], Expected::Nothing),
            (_, 1) => {
                let nowhere = self.ask(&format!("/v1/nowhere?key={SECRET_QUERY}"), &json!({}));
                self.case(nowhere, vec![], Expected::Nothing)
            }
            _ => {
                let request = post_as(STRANGER, CHAT, &self.number.to_string(), &chat(OPENAI, false));
                Case { key: None, ..self.case(request, vec![], Expected::Nothing) }
            }
        }
    }

    /// The gateway has to estimate, because the provider does not say what was used, or not to the end.
    fn uncounted(self, kind: usize, gate: &Gate) -> Case {
        let open = self.used();
        match (kind, self.number % 3) {
            // Its client leaves, a stream that is passed on and one that is translated.
            (16 | 17, _) => {
                let (path, model) = if kind == 16 { (CHAT, OPENAI) } else { (MESSAGES, FRACTION) };
                let scripts = vec![("openai", held_back(openai_stream(open), gate))];
                let left =
                    self.case(self.ask(path, &chat(model, true)), scripts, Expected::Estimated(model, "abandoned"));
                Case { leaves: true, ..left }
            }
            (_, 0) => {
                let mut broken = openai_stream(open).ending(Finish::Cut);
                broken.body.truncate(2);
                let request = self.ask(CHAT, &chat(OPENAI, true));
                self.case(request, vec![("openai", broken)], Expected::Estimated(OPENAI, "broken"))
            }
            (_, 1) => {
                let silent = whole(&json!({"usage": null}), openai_answer());
                let request = self.ask(CHAT, &chat(OPENAI, false));
                self.case(request, vec![("openai", silent)], Expected::Estimated(OPENAI, "answered"))
            }
            _ => {
                let body = json!({"model": PENS, "prompt": SECRET_TEXT, "n": 2});
                let drawn = json!({"created": 1, "data": [{"b64_json": "AA=="}, {"b64_json": "AA=="}]});
                let request = self.ask("/v1/images/generations", &body);
                self.case(request, vec![("openai", whole(&json!({}), drawn))], Expected::Estimated(PENS, "answered"))
            }
        }
    }
}

/// A stream whose first content comes at once, and the rest behind the gate.
fn held_back(mut script: Script, gate: &Gate) -> Script {
    let rest = script.body.split_off(2);
    script.body.extend(rest.into_iter().map(|piece| piece.behind(gate)));
    script
}

/// An answer with these members more.
fn whole(more: &Value, mut answer: Value) -> Script {
    answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Script::whole(StatusCode::OK, "application/json", answer.to_string())
}

fn openai_answer() -> Value {
    json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hello there"}, "finish_reason": "stop"}]})
}

fn openai_usage(used: Used) -> Value {
    json!({
        "prompt_tokens": used.input,
        "completion_tokens": used.output,
        "total_tokens": used.input + used.output,
        "prompt_tokens_details": {"cached_tokens": used.cached},
        "completion_tokens_details": {"reasoning_tokens": used.reasoning},
    })
}

fn openai(used: Used) -> Script {
    whole(&json!({"usage": openai_usage(used)}), openai_answer())
}

fn openai_stream(used: Used) -> Script {
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": choices, "usage": usage});
        format!("data: {chunk}\n\n")
    };
    let word =
        |word: &str| chunk(json!([{"index": 0, "delta": {"content": word}, "finish_reason": null}]), Value::Null);
    Script::events([
        word("Hello"),
        word(" there"),
        chunk(json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]), Value::Null),
        chunk(json!([]), openai_usage(used)),
        "data: [DONE]\n\n".to_owned(),
    ])
}

fn vector(used: Used) -> Script {
    let data = json!([{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]);
    let usage = json!({"prompt_tokens": used.input, "total_tokens": used.input});
    whole(&json!({"usage": usage}), json!({"object": "list", "model": "m", "data": data}))
}

/// Anthropic counts what is cached beside the input, and not within it.
fn anthropic_usage(used: Used, output: u64) -> Value {
    json!({
        "input_tokens": used.input - used.cached - used.written,
        "cache_read_input_tokens": used.cached,
        "cache_creation_input_tokens": used.written,
        "output_tokens": output,
    })
}

fn anthropic(used: Used) -> Script {
    let content = json!([{"type": "text", "text": "Hello there"}]);
    let answer = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
        "stop_reason": "end_turn", "stop_sequence": null});
    whole(&json!({"usage": anthropic_usage(used, used.output)}), answer)
}

fn anthropic_stream(used: Used) -> Script {
    let event = |json: Value| format!("event: {}\ndata: {json}\n\n", json["type"].as_str().unwrap());
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": anthropic_usage(used, 1)});
    Script::events([
        event(json!({"type": "message_start", "message": message})),
        event(json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})),
        event(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}})),
        event(json!({"type": "content_block_stop", "index": 0})),
        event(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": used.output}})),
        event(json!({"type": "message_stop"})),
    ])
}

/// Gemini counts thoughts beside the output, and not within it.
fn gemini(used: Used, stream: bool) -> Script {
    let answer = json!({
        "candidates": [{"index": 0, "finishReason": "STOP",
            "content": {"role": "model", "parts": [{"text": "Hello there"}]}}],
        "usageMetadata": {
            "promptTokenCount": used.input,
            "cachedContentTokenCount": used.cached,
            "candidatesTokenCount": used.output - used.reasoning,
            "thoughtsTokenCount": used.reasoning,
            "totalTokenCount": used.input + used.output,
        },
    });
    if stream { Script::events([format!("data: {answer}\n\n")]) } else { whole(&json!({}), answer) }
}
