//! Where the head of a request says what.

use alloc::{string::String, vec::Vec};

use super::{
    carried::OF_OPENAI,
    input::{KEPT, OWN},
    tools::{HOSTED, SEARCHES},
};
use crate::{
    dialect::{
        Wishes,
        abilities::Notes,
        call_id,
        head::{OF_RESPONSES, PLUGINS, Scheme, TOOL_CHOICE, TOOLS, USER, has_tools, wanted},
    },
    json::{self, Found, Marks, Others, Tools, members},
};

/// See the module's documentation.
pub(super) static SCHEME: Scheme =
    Scheme { wanted: WANTED, marks: &MARKS, asks_for_usage: false, unproven: None, terms: OF_RESPONSES, user, wishes };

const WANTED: &[&str] = wanted!["include", "text", "top_logprobs", "store", "conversation", "safety_identifier"];

/// What of a history only its provider can prove, what the gateway has put into it for other providers, and what stands nowhere but
/// at its provider.
static MARKS: Marks = Marks {
    names: &[],
    proof: (&["encrypted_content"], OF_OPENAI),
    carrier: (&["call_id"], call_id::SEPARATOR.as_bytes()),
    place: "input",
    foreign: "arguments",
    kinds: (
        "type",
        &[&["input_image"], &["input_audio"], &["input_file"], KEPT, OWN, &["additional_tools"], HOSTED, SEARCHES],
    ),
    sources: &["image_url"],
    // A tool that draws has a model of its own.
    others: Others { names: &[], within: &[TOOLS, PLUGINS] },
    tools: Some(Tools { list: TOOLS, functions: &["function", "custom"], search: "web_search" }),
};

fn user(found: &Found) -> Option<String> {
    let newer = place("safety_identifier").and_then(|place| found.text(place));
    newer.or_else(|| found.text(USER)).and_then(|text| json::read(text).ok())
}

/// What of a request not every format can express.
fn wishes(found: &Found) -> Wishes {
    let [images, sounds, files, kept, own, more_tools, hosted, searches] = found.noticed_kinds;
    let text = |name| place(name).and_then(|place| found.text(place));
    let is_said =
        |name| place(name).is_some_and(|place| found.member(place).is_some() && found.text(place) != Some("null"));
    let mut relies_on: Vec<&str> =
        ["previous_response_id", "conversation", "prompt"].into_iter().filter(|name| is_said(name)).collect();
    relies_on.extend(["store", "background"].into_iter().filter(|name| text(name) == Some("true")));
    if kept > 0 {
        relies_on.push("input");
    }
    let format = text("text").and_then(members).unwrap_or_default();
    let format = format.iter().find(|(name, _)| &**name == "format").map(|(_, format)| Some(format.get()));
    let is_long = is_said("text") && text("text").is_none();
    let tells_logprobs = text("include").is_some_and(|include| include.contains("logprobs"))
        || text("top_logprobs").is_some_and(|top| !matches!(top, "0" | "null"));
    let by_name = |name: &str| match name {
        "response_format" if is_long => Some(None),
        "response_format" => format,
        "logprobs" => tells_logprobs.then_some(Some("true")),
        _ => None,
    };
    // Tools may be offered in the middle of the conversation.
    let has_tools = has_tools(found) || more_tools > 0;
    Wishes::noted(&Notes {
        member: &by_name,
        has_tools,
        may_call: has_tools && found.text(TOOL_CHOICE) != Some(r#""none""#),
        sounds,
        files,
        linked_images: images.saturating_sub(found.noticed_data),
        searches: found.noticed_searches.saturating_add(searches),
        hosted: found.noticed_hosted.saturating_add(own).saturating_add(hosted),
        relies_on: &relies_on,
        has_prompts: false,
    })
}

/// Where a member is in the list of wanted names.
fn place(name: &str) -> Option<usize> {
    WANTED.iter().position(|wanted| *wanted == name)
}
