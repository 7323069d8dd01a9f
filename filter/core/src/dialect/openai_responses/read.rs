//! A whole request, read into the canonical one.
//!
//! What has no place there and makes the answer no other one is noted as left out, whatever its name: the API gets new members
//! often. A member that is of the wrong type is refused by its path.

use alloc::{format, string::String, vec::Vec};
use serde_json::value::RawValue;

use super::{input, tools};
use crate::{
    chat::{Format, Message, Part, Request, Role, Telling, Text, TextPart, User},
    dialect::field::{self, fill, members_of, note_spare_in, typed},
    error::Error,
    json::{Read, Slot, Str, members},
    map::NameSet,
};

/// What an item of `include` asks for that an answer of any provider can have.
const LOGPROBS: &str = "message.output_text.logprobs";
const ENCRYPTED: &str = "reasoning.encrypted_content";

/// The members that are read of what has some.
const KNOWN: &str =
    "text{format{type name description schema strict} verbosity} tool_choice{type name mode tools{type name}}";

/// Reads a request.
pub(super) fn read(body: &str) -> Result<Request<'_>, Error> {
    let members = members(body).ok_or_else(|| Error::refusing("The body must be a JSON object.", ""))?;
    let mut request = Request::default();
    let (mut input, mut older_user) = (None, None);
    let (mut tells_logprobs, mut top_logprobs) = (false, 0);
    let mut seen = NameSet::default();
    for (name, raw) in members {
        // Two readers could disagree on which of them counts.
        if !seen.insert(name.0.clone()) {
            return Err(Error::refusing(format!("`{}` stands twice.", &*name), String::from(&*name)));
        }
        // The head answers for the model; that a stream is not padded is nobody's loss.
        if raw.get() == "null" || matches!(&*name, "model" | "stream_options") {
            continue;
        }
        note_spare_in(&name, raw, KNOWN, &mut request);
        if let Some(slot) = slot(&name, &mut request) {
            fill(&name, raw, slot)?;
            continue;
        }
        match &*name {
            "input" => input = Some(raw),
            "instructions" => {
                let text = typed::<Str<'_>>(&name, raw)?.0;
                let parts = alloc::vec![Part::Text(TextPart { text, ..TextPart::default() })];
                request.messages.push(Message { role: Role::System, name: None, parts, cache: None, place: 0 });
            }
            "tools" => tools::read(raw, "tools", &mut request)?,
            "tool_choice" => tools::read_choice(raw, &mut request)?,
            "text" => read_text(raw, &mut request)?,
            "reasoning" => read_reasoning(raw, &mut request)?,
            "temperature" => request.temperature = Some(field::temperature(raw)?),
            "top_logprobs" => top_logprobs = typed(&name, raw)?,
            "include" => {
                for included in typed::<Vec<Str<'_>>>(&name, raw)? {
                    match &*included {
                        LOGPROBS => tells_logprobs = true,
                        ENCRYPTED => {}
                        _ => request.leave("include"),
                    }
                }
            }
            "user" => older_user = Some(raw),
            "safety_identifier" => request.user = Some(read_user("safety_identifier", raw)?),
            "store" if typed(&name, raw)? => request.relies_on.push("store"),
            "background" if typed(&name, raw)? => request.relies_on.push("background"),
            "store" | "background" => {}
            "previous_response_id" => request.relies_on.push("previous_response_id"),
            "conversation" => request.relies_on.push("conversation"),
            "prompt" => request.relies_on.push("prompt"),
            "truncation" if raw.get() == r#""disabled""# => {}
            _ if matches!(raw.get(), "{}" | "[]") => {}
            _ => request.leave(name.0),
        }
    }
    if tells_logprobs || top_logprobs > 0 {
        request.logprobs = Some(top_logprobs);
    }
    // What everybody does who is told nothing.
    request.service_tier = request.service_tier.filter(|tier| tier != "auto");
    // One of the two is enough for those that know one.
    match (&request.user, older_user) {
        (None, Some(raw)) => request.user = Some(read_user("user", raw)?),
        (Some(_), Some(_)) => request.leave("user"),
        (_, None) => {}
    }
    if let Some(input) = input {
        input::read(input, &mut request)?;
    }
    // That several may be called is what everybody takes for said, and where there is none it says nothing.
    let has_tools = !request.tools.is_empty();
    request.parallel_tools = request.parallel_tools.filter(|parallel| !parallel && has_tools);
    if request.messages.is_empty() && request.relies_on.is_empty() {
        return Err(Error::refusing("`input` must be a text or have at least one item.", "input"));
    }
    Ok(request)
}

/// Where a member goes that is one value.
fn slot<'r, 'a>(name: &str, request: &'r mut Request<'a>) -> Option<Slot<'r, 'a>> {
    Some(match name {
        "parallel_tool_calls" => request.parallel_tools.slot(),
        "max_output_tokens" => request.max_tokens.slot(),
        "top_p" => request.top_p.slot(),
        "service_tier" => request.service_tier.slot(),
        "stream" => request.stream.slot(),
        _ => return None,
    })
}

fn read_user<'a>(member: &'static str, raw: &'a RawValue) -> Result<User<'a>, Error> {
    Ok(User { id: typed::<Str<'_>>(member, raw)?.0, member })
}

fn read_text<'a>(raw: &'a RawValue, request: &mut Request<'a>) -> Result<(), Error> {
    for (name, value) in members_of("text", raw)? {
        match &*name {
            _ if value.get() == "null" => {}
            "format" => request.format = Some(read_format(value)?),
            other => request.leave(format!("text.{other}")),
        }
    }
    Ok(())
}

fn read_format(raw: &RawValue) -> Result<Format<'_>, Error> {
    const PATH: &str = "text.format";
    let (mut kind, mut name, mut description) = (Text::default(), None, None);
    let (mut schema, mut strict) = (None, None);
    for (member, value) in members_of(PATH, raw)? {
        let slot = match &*member {
            _ if value.get() == "null" => continue,
            "type" => kind.slot(),
            "name" => name.slot(),
            "description" => description.slot(),
            "schema" => schema.slot(),
            "strict" => strict.slot(),
            _ => continue,
        };
        fill(&format!("{PATH}.{}", &*member), value, slot)?;
    }
    match (&*kind, name) {
        ("text", _) => Ok(Format::Text),
        ("json_object", _) => Ok(Format::JsonObject),
        ("json_schema", Some(name)) => Ok(Format::JsonSchema { name, description, schema, strict }),
        ("json_schema", None) => Err(Error::refusing("A schema needs a `name`.", "text.format.name")),
        (other, _) => Err(Error::refusing(format!("`{other}` is no format of answers."), "text.format.type")),
    }
}

fn read_reasoning<'a>(raw: &'a RawValue, request: &mut Request<'a>) -> Result<(), Error> {
    const EFFORT: &str = "reasoning.effort";
    for (name, value) in members_of("reasoning", raw)? {
        match &*name {
            _ if value.get() == "null" => {}
            "effort" => {
                request.reasoning.effort = Some(field::effort(EFFORT, value)?);
                request.reasoning.members.push(EFFORT);
            }
            // The second is its older name.
            "summary" | "generate_summary" => {
                let summary = Some(typed::<Str<'_>>("reasoning.summary", value)?.0);
                request.reasoning.telling = Some(Telling { summary, member: "reasoning.summary" });
            }
            other => request.leave(format!("reasoning.{other}")),
        }
    }
    Ok(())
}
