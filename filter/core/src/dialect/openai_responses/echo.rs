//! What an answer repeats of its request, in the client's own words; what it does not say is told as it is taken.
//!
//! Before that, in a line of its own, stand the names of the tools that get one text: a call of one is another item. They may be
//! offered in the middle of the conversation, too, which no answer repeats.

use alloc::{string::String, vec::Vec};
use serde_json::value::RawValue;

use crate::{
    chat::Text,
    dialect::object::Object,
    json::{self, Str, member, members},
    map::NameSet,
};

/// What is repeated, in the order of OpenAI's own answers, and what is told where the client does not say it; nothing where that is
/// empty.
const REPEATED: &[(&str, &str)] = &[
    ("background", "false"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", ""),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("prompt_cache_key", ""),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", ""),
    ("store", "false"),
    ("temperature", "null"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_logprobs", ""),
    ("top_p", "null"),
    ("truncation", r#""disabled""#),
    ("user", ""),
];

/// What of a request its answer needs.
pub(super) fn echo(body: &str) -> String {
    let members = members(body).unwrap_or_default();
    let mut echo = custom_tools(&members);
    let mut comma = "\n{";
    for (name, usual) in REPEATED {
        let said = member(&members, name).filter(|value| value.get() != "null");
        let told = said.map_or(*usual, RawValue::get);
        if !told.is_empty() {
            for piece in [comma, "\"", name, "\":", told] {
                echo.push_str(piece);
            }
            comma = ",";
        }
    }
    echo.push('}');
    echo
}

/// The two apart.
pub(super) fn split(mut echo: String) -> (NameSet<'static>, String) {
    let Some((custom, _)) = echo.split_once('\n') else { return (NameSet::default(), echo) };
    let names: Vec<String> = json::read(custom).unwrap_or_default();
    let object = echo.split_off(custom.len().saturating_add(1));
    (names.into_iter().collect(), object)
}

/// The names of the tools whose arguments are one text, as a list.
fn custom_tools(request: &[(Str<'_>, &RawValue)]) -> String {
    let listed = |name| list(member(request, name).filter(|raw| raw.get().contains("\"custom\"")));
    let mut tools = listed("tools");
    for item in listed("input") {
        let item = Object::of(item.get());
        if item.text("type") == "additional_tools" {
            tools.extend(list(item.get("tools")));
        }
    }
    let tools = tools.into_iter().map(|tool| Object::of(tool.get()));
    let names: Vec<Text<'_>> =
        tools.filter(|tool| tool.text("type") == "custom").map(|tool| tool.text("name")).collect();
    // A string can always be written.
    serde_json::to_string(&names).unwrap_or_default()
}

fn list(raw: Option<&RawValue>) -> Vec<&RawValue> {
    raw.and_then(|raw| json::read(raw.get()).ok()).unwrap_or_default()
}
