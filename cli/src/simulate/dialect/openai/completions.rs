//! The old completions: a text that goes on.
//!
//! They know neither roles nor tools. A prompt may be one text, several, or the numbers of tokens, and each prompt gets
//! `n` choices.

use serde_json::{Value, json};

use super::{FINGERPRINT, Ordered, Stamp, finish_reason, params, pretty, stream as events};
use crate::simulate::{
    answer::{Answer, Content, Usage},
    complaint::Complaint,
    dialect::field::{is, list, number, string, strings},
    question::{Question, Streaming},
};

const FIELDS: [&str; 18] = [
    "model",
    "prompt",
    "best_of",
    "echo",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_tokens",
    "n",
    "presence_penalty",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "suffix",
    "temperature",
    "top_p",
    "user",
];
/// What the API makes of no limit.
const TOKENS: usize = 16;
const LAST_TOKEN: u64 = 100_257;

pub(super) fn read(body: &[u8]) -> Result<Question, Complaint> {
    let body = params::json(body)?;
    if let Some(stranger) =
        body.as_object().and_then(|fields| fields.keys().find(|name| !FIELDS.contains(&name.as_str())))
    {
        return Err(Complaint::invalid(format!("Unrecognized request argument supplied: {stranger}")));
    }
    let Some(model) = string(&body, "/model").filter(|model| !model.is_empty()) else {
        return Err(Complaint::invalid("you must provide a model parameter"));
    };
    let prompts = prompts(body.get("prompt"))?;
    if body.get("suffix").is_some_and(|suffix| !suffix.is_null()) && is(&body, "/echo", true) {
        return Err(Complaint::invalid("You cannot use echo and suffix together."));
    }
    if number(&body, "/logprobs").is_some_and(|most| most > 5) {
        return Err(
            Complaint::invalid("Invalid value for 'logprobs': must be less than or equal to 5.").about("logprobs")
        );
    }
    let n = number(&body, "/n").unwrap_or(1).clamp(1, 128);
    let best = number(&body, "/best_of").unwrap_or(n);
    if best < n {
        let message = format!(
            "You requested that the server return more choices than it will generate (HINT: you must set 'n' \
                               (currently {n}) to be at most 'best_of' (currently {best}), or omit either parameter if \
                               you don't specifically want to use them.)"
        );
        return Err(Complaint::invalid(message));
    }
    if best > 1 && is(&body, "/stream", true) && body.get("best_of").is_some() {
        return Err(Complaint::invalid("You cannot stream results with best_of > 1."));
    }
    let characters: usize = prompts.iter().map(|prompt| prompt.chars().count()).sum();
    let stream = is(&body, "/stream", true)
        .then(|| Streaming { usage: is(&body, "/stream_options/include_usage", true), padding: false });
    Ok(Question {
        model: model.to_owned(),
        text: prompts.first().cloned().unwrap_or_default(),
        input_tokens: characters.div_ceil(4),
        choices: n.saturating_mul(prompts.len().max(1)),
        max_tokens: Some(number(&body, "/max_tokens").unwrap_or(TOKENS)),
        stop: strings(&body, "/stop"),
        stream,
        asked: json!({"prompts": prompts, "echo": is(&body, "/echo", true), "n": n, "logprobs": body.get("logprobs")}),
        ..Question::default()
    })
}

/// The texts of a prompt; tokens are worth their numbers.
fn prompts(prompt: Option<&Value>) -> Result<Vec<String>, Complaint> {
    let tokens = |tokens: &[Value]| -> Result<String, Complaint> {
        let wrong = tokens.iter().find(|token| token.as_u64().is_none_or(|token| token > LAST_TOKEN));
        if let Some(wrong) = wrong {
            return Err(Complaint::invalid(format!(
                "Invalid token in prompt: {wrong}. Minimum value is 0, maximum value is {LAST_TOKEN} (inclusive)."
            )));
        }
        Ok(tokens.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    };
    match prompt {
        // The beginning of a new document.
        None | Some(Value::Null) => Ok(vec![String::new()]),
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        Some(Value::Array(items)) if items.first().is_some_and(Value::is_number) => Ok(vec![tokens(items)?]),
        Some(Value::Array(items)) if !items.is_empty() => items
            .iter()
            .map(|item| match item {
                Value::String(text) => Ok(text.clone()),
                Value::Array(numbers) => tokens(numbers),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                    Err(params::mistyped(item, "a string", "prompt"))
                }
            })
            .collect(),
        Some(other) => Err(params::mistyped(other, "a string, an array of strings, or tokens", "prompt")),
    }
}

fn tokens_of(content: &Content) -> &[String] {
    match content {
        Content::Text(tokens) | Content::Refusal(tokens) => tokens,
        Content::Calls(_) => &[],
    }
}

/// The prompt of the choice with this index, where it is to be repeated.
fn echo(question: &Question, index: usize) -> &str {
    let n = number(&question.asked, "/n").unwrap_or(1).max(1);
    let prompt = list(&question.asked, "/prompts").nth(index.checked_div(n).unwrap_or(0)).and_then(Value::as_str);
    prompt.filter(|_| is(&question.asked, "/echo", true)).unwrap_or_default()
}

fn logprobs(question: &Question, tokens: &[String], offset: usize) -> Value {
    let Some(count) = number(&question.asked, "/logprobs") else { return Value::Null };
    let offsets = tokens.iter().scan(offset, |at, token| {
        let here = *at;
        *at = at.saturating_add(token.chars().count());
        Some(here)
    });
    let top = tokens.iter().map(|token| if count == 0 { Value::Null } else { json!({token.as_str(): -0.25}) });
    json!({
        "tokens": tokens,
        "token_logprobs": tokens.iter().map(|_| -0.25).collect::<Vec<f64>>(),
        "top_logprobs": top.collect::<Vec<_>>(),
        "text_offset": offsets.collect::<Vec<_>>(),
    })
}

fn usage(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.input, "completion_tokens": usage.output,
        "total_tokens": usage.input.saturating_add(usage.output),
    })
}

pub(super) fn whole(question: &Question, answer: &Answer, mut stamp: Stamp) -> Vec<u8> {
    let choices = answer.choices.iter().enumerate().map(|(index, choice)| {
        let (tokens, echo) = (tokens_of(&choice.content), echo(question, index));
        json!({
            "text": format!("{echo}{}", tokens.concat()), "index": index,
            "logprobs": logprobs(question, tokens, echo.chars().count()), "finish_reason": finish_reason(choice.finish),
        })
    });
    let mut completion = json!({
        "id": format!("cmpl-{}", stamp.random.token(29)), "object": "text_completion", "created": stamp.created,
        "model": question.model, "choices": choices.collect::<Vec<_>>(), "system_fingerprint": FINGERPRINT,
    });
    if let Some((usage, fields)) = answer.usage.map(usage).zip(completion.as_object_mut()) {
        fields.insert("usage".into(), usage);
    }
    pretty(&completion)
}

pub(super) fn stream(question: &Question, answer: &Answer, mut stamp: Stamp) -> Vec<Vec<u8>> {
    let id = format!("cmpl-{}", stamp.random.token(29));
    let wants_usage = question.stream.is_some_and(|stream| stream.usage);
    let event = |choices: Vec<Value>, usage: Option<Value>| {
        let mut chunk = json!({
            "id": id, "object": "text_completion", "created": stamp.created, "choices": choices,
            "model": question.model, "system_fingerprint": FINGERPRINT,
        });
        if let Some(fields) = chunk.as_object_mut().filter(|_| wants_usage) {
            fields.insert("usage".into(), usage.unwrap_or_default());
        }
        events::event(&Ordered(&chunk))
    };
    let mut stream = Vec::new();
    for (index, choice) in answer.choices.iter().enumerate() {
        let (tokens, echo) = (tokens_of(&choice.content), echo(question, index));
        let said = |text: &str, logprobs: Value, finish: Option<&str>| json!({"text": text, "index": index, "logprobs": logprobs, "finish_reason": finish});
        if !echo.is_empty() {
            stream.push(event(vec![said(echo, Value::Null, None)], None));
        }
        let mut offset = echo.chars().count();
        for token in tokens {
            let logprobs = logprobs(question, std::slice::from_ref(token), offset);
            offset = offset.saturating_add(token.chars().count());
            stream.push(event(vec![said(token, logprobs, None)], None));
        }
        stream.push(event(vec![said("", Value::Null, Some(finish_reason(choice.finish)))], None));
    }
    if let Some(usage) = answer.usage.filter(|_| wants_usage) {
        stream.push(event(Vec::new(), Some(self::usage(usage))));
    }
    stream.push(b"data: [DONE]\n\n".to_vec());
    stream
}
