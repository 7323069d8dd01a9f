//! What a request that was found in order asks, and how long it is.

use serde_json::{Value, json};

use super::{blocks, model};
use crate::simulate::{
    dialect::field::{is, list, number, string, strings},
    question::{Cache, Format, Question, Streaming, Tool, ToolChoice},
};

pub(super) fn of(body: &Value) -> Question {
    let messages: Vec<&Value> = list(body, "/messages").collect();
    let users = || messages.iter().rev().filter(|message| string(message, "/role") == Some("user"));
    let text = users().filter_map(|message| message.get("content")).map(blocks::text).find(|text| !text.is_empty());
    let trailing = messages.iter().rev().take_while(|message| string(message, "/role") != Some("assistant"));
    let mut trailing: Vec<&&Value> = trailing.collect();
    trailing.reverse();
    let results = trailing.into_iter().flat_map(|message| list(message, "/content"));
    let tool_results: Vec<String> =
        results.filter(|block| string(block, "/type") == Some("tool_result")).map(result).collect();
    let blocks: Vec<&Value> = messages.iter().flat_map(|message| list(message, "/content")).collect();
    let inner = || blocks.iter().flat_map(|block| list(block, "/content")).chain(blocks.iter().copied());
    let of_tag = |tag: &'static str| inner().filter(move |block| string(block, "/type") == Some(tag));
    let images: Vec<String> = of_tag("image").map(source).collect();
    let documents: Vec<String> = of_tag("document").map(source).collect();
    let tools: Vec<Tool> = list(body, "/tools").filter_map(tool).collect();
    let input_tokens = input_tokens(body);
    Question {
        model: string(body, "/model").unwrap_or_default().to_owned(),
        text: text.unwrap_or_default(),
        tool_results,
        images,
        documents,
        tools,
        tool_choice: match string(body, "/tool_choice/type") {
            Some("none") => ToolChoice::Never,
            Some("any") => ToolChoice::Required,
            Some("tool") => ToolChoice::Named(string(body, "/tool_choice/name").unwrap_or_default().to_owned()),
            _ => ToolChoice::Auto,
        },
        one_tool_call: is(body, "/tool_choice/disable_parallel_tool_use", true),
        format: match body.pointer("/output_config/format/schema") {
            Some(schema) => Format::Schema(schema.clone()),
            None => Format::Text,
        },
        choices: 1,
        max_tokens: number(body, "/max_tokens"),
        stop: strings(body, "/stop_sequences"),
        reasoning: matches!(string(body, "/thinking/type"), Some("enabled" | "adaptive")),
        // From 4.7 on thinking is empty unless asked for.
        shows_thoughts: match string(body, "/thinking/display") {
            Some(display) => display == "summarized",
            None => model::has_budgets(string(body, "/model").unwrap_or_default()),
        },
        input_tokens,
        cache: cache(body, input_tokens),
        pictures: 0,
        asked: Value::Null,
        stream: is(body, "/stream", true).then(Streaming::default),
    }
}

fn result(block: &Value) -> String {
    let text = block.get("content").map(blocks::text).unwrap_or_default();
    if is(block, "/is_error", true) { format!("error: {text}") } else { text }
}

/// What there is to say of an image or a document.
fn source(block: &Value) -> String {
    let part = |name| string(block, name).unwrap_or_default();
    match string(block, "/source/type") {
        Some("base64") => {
            format!("{} ({} base64 characters)", part("/source/media_type"), part("/source/data").len())
        }
        Some("url") => part("/source/url").to_owned(),
        Some("text") => format!("text/plain ({} characters)", part("/source/data").chars().count()),
        Some(_) => part("/source/file_id").to_owned(),
        None => String::new(),
    }
}

fn tool(tool: &Value) -> Option<Tool> {
    let parameters = tool.get("input_schema").cloned().unwrap_or_else(|| json!({"type": "object"}));
    Some(Tool { name: string(tool, "/name")?.to_owned(), parameters })
}

fn tokens(block: &Value) -> usize {
    match string(block, "/type") {
        Some("image") => 85,
        Some("document") => 250,
        Some("tool_result") => block.get("content").map_or(0, content_tokens),
        Some("tool_use") => block.get("input").map_or(0, |input| input.to_string().len().div_ceil(4)),
        _ => string(block, "/text").unwrap_or_default().chars().count().div_ceil(4),
    }
}

fn content_tokens(content: &Value) -> usize {
    match content.as_str() {
        Some(text) => text.chars().count().div_ceil(4),
        None => list(content, "").map(tokens).sum(),
    }
}

fn input_tokens(body: &Value) -> usize {
    let of = |content: Option<&Value>| content.map_or(0, content_tokens);
    let messages = list(body, "/messages").map(|message| of(message.get("content")).saturating_add(3));
    let tools = list(body, "/tools").count().saturating_mul(40);
    messages.sum::<usize>().saturating_add(of(body.get("system"))).saturating_add(tools)
}

/// What the prompt cache does, guessed from the request alone: a conversation that has answers in it was cached by the
/// request before, one that begins is written. Unlike the real one, it takes prompts of any length.
fn cache(body: &Value, input_tokens: usize) -> Cache {
    let blocks: Vec<(&Value, usize)> = cacheable(body).collect();
    let cached = if is_breakpoint(body) {
        input_tokens
    } else {
        let last = blocks.iter().rposition(|(block, _)| is_breakpoint(block));
        let prefix = last.and_then(|last| blocks.get(..=last)).unwrap_or_default();
        prefix.iter().map(|(_, tokens)| *tokens).sum::<usize>().min(input_tokens)
    };
    let continues = list(body, "/messages").any(|message| string(message, "/role") == Some("assistant"));
    if continues {
        Cache { read_tokens: cached, written_tokens: 0 }
    } else {
        Cache { read_tokens: 0, written_tokens: cached }
    }
}

/// All that may carry a breakpoint of the prompt cache, in the order of the prompt, each with its length.
pub(super) fn cacheable(body: &Value) -> impl Iterator<Item = (&Value, usize)> {
    let tools = list(body, "/tools").map(|tool| (tool, 40));
    let system = list(body, "/system").map(|block| (block, tokens(block)));
    let messages = list(body, "/messages").flat_map(|message| list(message, "/content"));
    tools.chain(system).chain(messages.map(|block| (block, tokens(block))))
}

pub(super) fn is_breakpoint(value: &Value) -> bool {
    value.get("cache_control").is_some_and(|control| !control.is_null())
}
