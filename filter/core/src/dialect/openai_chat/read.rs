//! A whole chat request, read into the canonical one.
//!
//! Besides `OpenAI`'s own fields it knows what others have put into the same shape: `thinking_blocks`, `reasoning_content`,
//! `cache_control`, `thinking` and `reasoning` (Anthropic's and `OpenRouter`'s ways to ask for thought), `extra_content`
//! (Google's way to carry thought signatures). A field that is of the wrong type is refused by its path.

use alloc::{borrow::Cow, format, string::String, vec::Vec};
use serde_json::value::RawValue;

use super::{
    message::read_messages,
    tool::{read_functions, read_legacy_call, read_tool_choice, read_tools},
};
use crate::{
    chat::{Effort, Format, Modality, Place, Reasoning, Request, Telling, Text, User, WebSearch},
    dialect::field::{self, fill, members_of, note_spare_in, typed},
    error::Error,
    json::{self, Read, Slot, Str, members, record},
    map::NameSet,
};

/// Members that the head already answers for.
const HEAD: &[&str] = &["model", "stream_options"];

/// The members that are read of what has some.
const KNOWN: &str = "response_format{type json_schema{name description schema strict}} thinking{type budget_tokens display} \
    tool_choice{type function{name} allowed_tools{mode tools{type function{name}}}} function_call{name} \
    functions{name description parameters strict cache_control} reasoning{effort max_tokens enabled exclude summary}";

/// Reads a request.
pub(super) fn read(body: &str) -> Result<Request<'_>, Error> {
    let request = read_with(body, &mut |name, raw, request| {
        if name == "messages" {
            request.messages = read_messages(raw, request)?;
        }
        Ok(name == "messages")
    })?;
    if request.messages.is_empty() {
        return Err(Error::refusing("`messages` must have at least one message.", "messages"));
    }
    Ok(request)
}

/// What reads the members that a format alone has, and says which they are.
pub(in crate::dialect) type Own<'f, 'a> =
    &'f mut dyn FnMut(&str, &'a RawValue, &mut Request<'a>) -> Result<bool, Error>;

/// Reads what the formats of `OpenAI`'s older APIs have in common; who is `own` is asked first.
pub(in crate::dialect) fn read_with<'a>(body: &'a str, own: Own<'_, 'a>) -> Result<Request<'a>, Error> {
    let members = members(body).ok_or_else(|| Error::refusing("The body must be a JSON object.", ""))?;
    let mut request = Request::default();
    let (mut tells_logprobs, mut top_logprobs) = (false, 0);
    let (mut legacy_functions, mut legacy_call, mut older_user) = (None, None, None);
    let mut seen = NameSet::default();
    for (name, raw) in members {
        // Two readers could disagree on which of them counts.
        if !seen.insert(name.0.clone()) {
            return Err(Error::refusing(format!("`{}` stands twice.", &*name), String::from(&*name)));
        }
        if raw.get() == "null" || HEAD.contains(&&*name) {
            continue;
        }
        note_spare_in(&name, raw, KNOWN, &mut request);
        if own(&name, raw, &mut request)? {
            continue;
        }
        if let Some(slot) = slot(&name, &mut request) {
            fill(&name, raw, slot)?;
            continue;
        }
        match &*name {
            "tools" => request.tools = read_tools(raw, &mut request)?,
            "tool_choice" => request.tool_choice = Some(read_tool_choice(raw)?),
            "functions" => legacy_functions = Some(raw),
            "function_call" => legacy_call = Some(raw),
            "response_format" => request.format = Some(read_format(raw)?),
            "max_tokens" => request.max_tokens = request.max_tokens.or(Some(typed(&name, raw)?)),
            "stop" => request.stop = read_stop(raw)?,
            "temperature" => request.temperature = Some(field::temperature(raw)?),
            "logit_bias" => {
                let bias = members_of(&name, raw)?;
                request.logit_bias = Some(raw).filter(|_| !bias.is_empty());
            }
            "modalities" => request.modalities = read_modalities(raw)?,
            "web_search_options" => request.web_search = Some(read_web_search(raw, &mut request)?),
            "logprobs" => tells_logprobs = typed(&name, raw)?,
            "top_logprobs" => top_logprobs = typed(&name, raw)?,
            "reasoning_effort" => {
                request.reasoning.effort = Some(field::effort("reasoning_effort", raw)?);
                request.reasoning.members.push("reasoning_effort");
            }
            "reasoning" => read_reasoning(raw, &mut request.reasoning)?,
            "thinking" if field::thinking(raw, &mut request.reasoning)? => {}
            "user" => older_user = Some((name.0, raw)),
            "safety_identifier" => request.user = Some(read_user("safety_identifier", raw)?),
            _ => request.other.push((name.0, raw)),
        }
    }
    if tells_logprobs {
        request.logprobs = Some(top_logprobs);
    } else if top_logprobs > 0 {
        return Err(Error::refusing("`top_logprobs` needs `logprobs` to be true.", "top_logprobs"));
    }
    // One of the two is enough for those that know one.
    match (&request.user, older_user) {
        (None, Some((_, raw))) => request.user = Some(read_user("user", raw)?),
        (Some(_), Some(member)) => request.other.push(member),
        (_, None) => {}
    }
    if let Some(raw) = legacy_functions {
        request.tools.extend(read_functions(raw)?);
    }
    if let Some(raw) = legacy_call {
        request.tool_choice = Some(read_legacy_call(raw)?);
    }
    Ok(request)
}

/// Where a member goes that is one value.
fn slot<'r, 'a>(name: &str, request: &'r mut Request<'a>) -> Option<Slot<'r, 'a>> {
    Some(match name {
        "parallel_tool_calls" => request.parallel_tools.slot(),
        "max_completion_tokens" => request.max_tokens.slot(),
        "top_p" => request.top_p.slot(),
        "top_k" => request.top_k.slot(),
        "presence_penalty" => request.presence_penalty.slot(),
        "frequency_penalty" => request.frequency_penalty.slot(),
        "seed" => request.seed.slot(),
        "n" => request.choices.slot(),
        "service_tier" => request.service_tier.slot(),
        "stream" => request.stream.slot(),
        _ => return None,
    })
}

fn read_format(raw: &RawValue) -> Result<Format<'_>, Error> {
    record! {
        struct Wire<'a> {
            kind: Str<'a> = "type",
            json_schema: Option<WireSchema<'a>>,
        }
    }
    record! {
        struct WireSchema<'a> {
            name: Option<Str<'a>>,
            description: Option<Str<'a>>,
            schema: Option<&'a RawValue>,
            strict: Option<bool>,
        }
    }
    let wire = typed::<Wire<'_>>("response_format", raw)?;
    match (&*wire.kind, wire.json_schema) {
        ("text", _) => Ok(Format::Text),
        ("json_object", _) => Ok(Format::JsonObject),
        ("json_schema", Some(wire)) => Ok(Format::JsonSchema {
            name: wire.name.map_or(Cow::Borrowed("response"), |name| name.0),
            description: wire.description.map(|description| description.0),
            schema: wire.schema,
            strict: wire.strict,
        }),
        ("json_schema", None) => {
            Err(Error::refusing("`response_format.json_schema` is missing.", "response_format.json_schema"))
        }
        (other, _) => Err(Error::refusing(format!("`{other}` is no response format."), "response_format.type")),
    }
}

fn read_user<'a>(member: &'static str, raw: &'a RawValue) -> Result<User<'a>, Error> {
    Ok(User { id: typed::<Str<'_>>(member, raw)?.0, member })
}

fn read_modalities(raw: &RawValue) -> Result<Vec<Modality>, Error> {
    let words: Vec<Str<'_>> = typed("modalities", raw)?;
    let read = |word: &Str<'_>| match &**word {
        "text" => Ok(Modality::Text),
        "audio" => Ok(Modality::Audio),
        "image" => Ok(Modality::Image),
        other => Err(Error::refusing(format!("`{other}` is no modality."), "modalities")),
    };
    words.iter().map(read).collect()
}

fn read_web_search<'a>(raw: &'a RawValue, request: &mut Request<'a>) -> Result<WebSearch<'a>, Error> {
    record! {
        struct Located<'a> {
            approximate: Option<Place<'a>>,
        }
    }
    let mut search = WebSearch::default();
    for (name, value) in members_of("web_search_options", raw)? {
        match &*name {
            "search_context_size" => search.context_size = Some(value),
            _ if value.get() == "null" => {}
            "user_location" => {
                search.user_location =
                    json::read::<Located<'_>>(value.get()).ok().and_then(|located| located.approximate);
                if search.user_location.is_none() {
                    request.leave("web_search_options.user_location");
                }
            }
            other => request.leave(format!("web_search_options.{other}")),
        }
    }
    Ok(search)
}

fn read_stop(raw: &RawValue) -> Result<Vec<Text<'_>>, Error> {
    if raw.get().starts_with('"') {
        return typed("stop", raw).map(|stop| alloc::vec![stop]);
    }
    typed("stop", raw)
}

/// `OpenRouter`'s way: <https://openrouter.ai/docs/use-cases/reasoning-tokens>.
fn read_reasoning<'a>(raw: &'a RawValue, reasoning: &mut Reasoning<'a>) -> Result<(), Error> {
    record! {
        struct Wire<'a> {
            effort: Option<&'a RawValue>,
            max_tokens: Option<u64>,
            enabled: Option<bool>,
            exclude: Option<bool>,
            summary: Option<Str<'a>>,
        }
    }
    let wire = typed::<Wire<'_>>("reasoning", raw)?;
    reasoning.members.push("reasoning");
    if let Some(effort) = wire.effort {
        reasoning.effort = Some(field::effort("reasoning.effort", effort)?);
    }
    match wire.enabled {
        Some(false) => reasoning.effort = Some(Effort::None),
        Some(true) if wire.max_tokens.is_none() => reasoning.effort = reasoning.effort.or(Some(Effort::Medium)),
        Some(true) | None => {}
    }
    reasoning.budget = wire.max_tokens.or(reasoning.budget);
    if wire.exclude == Some(true) {
        reasoning.telling = Some(Telling { summary: None, member: "reasoning.exclude" });
    } else if let Some(Str(summary)) = wire.summary {
        reasoning.telling = Some(Telling { summary: Some(summary), member: "reasoning.summary" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let message = r#"{"role":"user","content":"x"}"#;
        for (body, param) in [
            (format!(r#"{{"messages":[{message}],"messages":[]}}"#), "messages"),
            (format!(r#"{{"messages":[{message}],"metadata":1,"metadata":2}}"#), "metadata"),
            (r#"{"messages":[["user","x"]]}"#.into(), "messages[0]"),
            (r#"{"messages":[{"role":"user","content":[["text","x"]]}]}"#.into(), "messages[0].content"),
            (format!(r#"{{"messages":[{message}],"tools":[["function"]]}}"#), "tools[0]"),
            (format!(r#"{{"messages":[{message}],"top_logprobs":2}}"#), "top_logprobs"),
        ] {
            assert_eq!(read(&body).unwrap_err().param.as_deref(), Some(param), "{body}");
        }
    }

    #[test]
    fn what_nobody_reads_is_listed_however_deep_it_stands() {
        let body = r#"{"tool_choice":{"type":"function","function":{"name":"f","x":1},"x":1},
            "tools":[{"type":"function","function":{"name":"f","x":1,"parameters":{"x":1}},"x":1}],
            "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"x":1},"x":1},"x":1},
            "messages":[{"role":"user","x":1,"content":[{"type":"image_url","image_url":{"url":"https://e.x","x":1},"x":1}]},
                {"role":"assistant","thinking_blocks":[{"type":"thinking","thinking":"a","x":1}],
                    "tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}","x":1},"x":1}]}]}"#;
        assert_eq!(
            read(body).unwrap().unplaced,
            [
                "tool_choice.function.x",
                "tool_choice.x",
                "tools[].function.x",
                "tools[].x",
                "response_format.json_schema.x",
                "response_format.x",
                "messages[].x",
                "messages[].content[].image_url.x",
                "messages[].content[].x",
                "messages[].thinking_blocks[].x",
                "messages[].tool_calls[].function.x",
                "messages[].tool_calls[].x",
            ]
        );
    }
}
