//! Where the head of a request says what.

use alloc::string::String;

use crate::{
    dialect::{
        Wishes,
        abilities::Notes,
        call_id,
        head::{OF_MESSAGES, PLUGINS, Scheme, TOOL_CHOICE, TOOLS, has_tools, wanted},
    },
    json::{self, Found, Marks, Others, Str, Tools, members},
};

/// See the module's documentation.
pub(super) static SCHEME: Scheme = Scheme {
    wanted: WANTED,
    marks: &MARKS,
    asks_for_usage: false,
    unproven: Some(REDACTED),
    terms: OF_MESSAGES,
    user,
    wishes,
};

const WANTED: &[&str] =
    wanted!["metadata", "stop_sequences", "output_config", "container", "inference_geo", "mcp_servers"];

/// What of a history another provider's answers have left in it: signatures that say nothing, which are the gateway's, and what it
/// has put into the ids of calls. And what stands elsewhere than in the request.
static MARKS: Marks = Marks {
    names: &[],
    proof: (&["signature"], ""),
    carrier: (&["tool_use_id"], call_id::SEPARATOR.as_bytes()),
    place: "messages",
    foreign: "input",
    // A picture and a file have one source each; what is a text has another.
    kinds: ("type", &[&["image"], &["base64"], &["url", "file"], &["redacted_thinking"]]),
    sources: &[],
    // A tool that advises has a model of its own.
    others: Others { names: &["fallbacks"], within: &[TOOLS, PLUGINS] },
    tools: Some(Tools { list: TOOLS, functions: &["custom"], search: "web_search_" }),
};

/// The group of kinds that are thoughts which nobody can read.
const REDACTED: usize = 3;

fn user(found: &Found) -> Option<String> {
    let metadata = members(found.text(place("metadata")?)?)?;
    let (_, id) = metadata.into_iter().find(|(name, _)| &**name == "user_id")?;
    json::read(id.get()).ok()
}

/// What of a request not every format can express.
fn wishes(found: &Found) -> Wishes {
    let [images, embedded, linked, ..] = found.noticed_kinds;
    let config = place("output_config").and_then(|place| found.text(place)).and_then(members).unwrap_or_default();
    let format = config.iter().find(|(name, _)| &**name == "format").map(|(_, format)| Some(format.get()));
    let by_name = |name: &str| {
        let own = match name {
            "stop" => "stop_sequences",
            "response_format" => return format,
            name => name,
        };
        let place = place(own)?;
        found.member(place).map(|_| found.text(place))
    };
    let has_tools = has_tools(found);
    Wishes::noted(&Notes {
        member: &by_name,
        has_tools,
        may_call: has_tools && !forbids_tools(found),
        sounds: 0,
        files: embedded.saturating_add(linked).saturating_sub(images),
        linked_images: linked.min(images),
        searches: found.noticed_searches,
        hosted: found.noticed_hosted,
        relies_on: &[],
        has_prompts: false,
    })
}

/// Where a member is in the list of wanted names.
fn place(name: &str) -> Option<usize> {
    WANTED.iter().position(|wanted| *wanted == name)
}

fn forbids_tools(found: &Found) -> bool {
    let choice = found.text(TOOL_CHOICE).and_then(members).unwrap_or_default();
    choice.iter().any(|(name, kind): &(Str<'_>, _)| &**name == "type" && kind.get() == r#""none""#)
}
