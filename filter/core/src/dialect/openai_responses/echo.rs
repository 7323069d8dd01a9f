//! What an answer repeats of its request, in the client's own words; what it does not say is told as it is taken.

use alloc::string::String;

use crate::json::members;

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

/// An object of what is repeated.
pub(super) fn echo(body: &str) -> String {
    let members = members(body).unwrap_or_default();
    let mut echo = String::from("{");
    for (name, usual) in REPEATED {
        let said = members.iter().find(|(said, value)| &**said == *name && value.get() != "null");
        let told = said.map_or(*usual, |(_, value)| value.get());
        if !told.is_empty() {
            let comma = if echo.len() > 1 { "," } else { "" };
            for piece in [comma, "\"", name, "\":", told] {
                echo.push_str(piece);
            }
        }
    }
    echo.push('}');
    echo
}
