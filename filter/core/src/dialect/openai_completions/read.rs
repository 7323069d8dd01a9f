//! A whole request, read into the canonical one, for a model that only chats.

use alloc::vec::Vec;
use serde_json::value::RawValue;

use crate::{
    chat::{Message, Part, Request, Role, TextPart},
    dialect::{Ability, abilities::is_no_wish, field::typed, openai_chat::read::read_with},
    error::Error,
    json::{self, Str},
};

/// Most tokens of an answer, where the client does not say: the API's own default.
const USUAL_MAX_TOKENS: u64 = 16;

/// Members that make no sense here, though the formats that are read alike have them.
const OF_CHATS: &[&str] = &[
    "audio",
    "function_call",
    "functions",
    "messages",
    "modalities",
    "parallel_tool_calls",
    "tool_choice",
    "tools",
    "web_search_options",
];

/// Reads a request.
pub(super) fn read(body: &str) -> Result<Request<'_>, Error> {
    let mut request = read_with(body, &mut own)?;
    if request.messages.is_empty() {
        return Err(Error::refusing("`prompt` is missing.", "prompt"));
    }
    request.max_tokens = request.max_tokens.or(Some(USUAL_MAX_TOKENS));
    Ok(request)
}

fn own<'a>(name: &str, raw: &'a RawValue, request: &mut Request<'a>) -> Result<bool, Error> {
    match name {
        "prompt" => request.messages.push(said(raw)?),
        "logprobs" => request.logprobs = Some(typed(name, raw)?),
        "echo" | "suffix" if !is_no_wish(raw.get()) => return Err(Ability::Completing.refuse(name)),
        // The best of several is one of them.
        "best_of" if raw.get() != "1" => request.leave("best_of"),
        "best_of" | "echo" | "suffix" => {}
        name => match OF_CHATS.iter().find(|other| **other == name) {
            Some(other) => request.leave(*other),
            None => return Ok(false),
        },
    }
    Ok(true)
}

/// The prompt, as the words of a user.
fn said(raw: &RawValue) -> Result<Message<'_>, Error> {
    let one = || -> Option<Str<'_>> {
        if raw.get().starts_with('"') {
            return json::read(raw.get()).ok();
        }
        let mut texts: Vec<Str<'_>> = json::read(raw.get()).ok()?;
        texts.pop().filter(|_| texts.is_empty())
    };
    let text = one().ok_or_else(|| Ability::Completing.refuse("prompt"))?.0;
    let parts = alloc::vec![Part::Text(TextPart { text, ..TextPart::default() })];
    Ok(Message { role: Role::User, name: None, parts, cache: None, place: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_one_text_however_it_is_written() {
        for (prompt, text) in [
            (r#""a\nb""#, Some("a\nb")),
            (r#"["a"]"#, Some("a")),
            (r#"["a","b"]"#, None),
            ("[1,2]", None),
            ("[[1,2]]", None),
            ("[]", None),
            ("7", None),
        ] {
            let body = alloc::format!(r#"{{"model":"m","prompt":{prompt}}}"#);
            let said = read(&body).map(|request| match request.messages[0].parts.as_slice() {
                [Part::Text(part)] => part.text.clone(),
                parts => panic!("{parts:?}"),
            });
            assert_eq!(said.as_deref().ok(), text, "{prompt}");
            if let Err(error) = said {
                assert_eq!(error.param.as_deref(), Some("prompt"));
            }
        }
        assert_eq!(read("{}").unwrap_err().param.as_deref(), Some("prompt"));
    }
}
