//! Where the head of a request says what.

use crate::{
    dialect::{
        Wishes,
        abilities::Notes,
        call_id,
        head::{CHOICES, OF_CHAT, PLUGINS, Scheme, TOOL_CHOICE, TOOLS, USER, has_tools, place, wanted},
    },
    json::{self, Found, Marks, Others},
};

/// How a request of this format is found and read, and one on a path of a provider's own, whatever its format.
pub static SCHEME: Scheme = Scheme {
    wanted: WANTED,
    marks: &MARKS,
    asks_for_usage: true,
    unproven: None,
    terms: OF_CHAT,
    user: |found| found.text(USER).and_then(|text| json::read(text).ok()),
    wishes,
};

/// From the number of answers on wishes that not every format can express, by the names that their table has: see [`Wishes`].
const WANTED: &[&str] = wanted![
    "logprobs",
    "logit_bias",
    "modalities",
    "web_search_options",
    "response_format",
    "stop",
    "audio",
    "grammar",
    "guided_choice",
    "guided_grammar",
    "guided_json",
    "guided_regex",
    "moderation",
    "structured_outputs",
];

/// How a request on other paths of OpenAI's API is found and read: of most of its members nothing need be known.
pub static TASKS: Scheme = Scheme {
    wanted: OF_TASKS,
    asks_for_usage: false,
    unproven: None,
    wishes: |_| Wishes::default(),
    marks: &MARKS,
    terms: OF_CHAT,
    user: SCHEME.user,
};

const OF_TASKS: &[&str] = wanted!["input", "encoding_format", "response_format"];

pub(crate) const INPUT: usize = place(OF_TASKS, "input");
pub(crate) const ENCODING_FORMAT: usize = place(OF_TASKS, "encoding_format");
pub(crate) const RESPONSE_FORMAT: usize = place(OF_TASKS, "response_format");

/// What only some providers understand and others refuse: it comes from a history that one of them began. And pictures, which
/// stand in parts of messages and not everywhere where their names do: a tool may well have a parameter `image_url`.
pub(in crate::dialect) static MARKS: Marks = Marks {
    names: &["cache_control", "thinking_blocks", "reasoning_content", "extra_content"],
    proof: (&["signature", "thought_signature"], ""),
    carrier: (&["tool_call_id"], call_id::SEPARATOR.as_bytes()),
    place: "messages",
    foreign: "arguments",
    kinds: ("type", &[&["image_url", "input_image", "image"], &["input_audio"], &["file"]]),
    sources: &["image_url", "url"],
    // 2026-11: a tool of OpenAI's that draws and one of Anthropic's that advises have models of their own. OpenRouter has lists
    // (`models`) and presets of models, Groq's compound systems name theirs in `compound_custom`, Vercel's gateway in
    // `providerOptions`, Together one that guards in `safety_model`, Azure one that embeds in `data_sources`.
    others: Others {
        names: &["compound_custom", "data_sources", "preset", "providerOptions"],
        within: &[TOOLS, PLUGINS],
    },
    tools: None,
};

/// What of a request not every format can express. Most requests have nothing of it.
fn wishes(found: &Found) -> Wishes {
    let [images, sounds, files, ..] = found.noticed_kinds;
    let linked_images = images.saturating_sub(found.noticed_data);
    if sounds == 0 && files == 0 && linked_images == 0 && found.members.iter().all(|member| member.index < CHOICES) {
        return Wishes::default();
    }
    let member = |name: &str| {
        let place = WANTED.iter().position(|wanted| *wanted == name)?;
        found.member(place).map(|_| found.text(place))
    };
    let has_tools = has_tools(found);
    let may_call = has_tools && found.text(TOOL_CHOICE).is_none_or(|choice| CALLING.contains(&choice));
    let (searches, hosted) = (0, 0);
    Wishes::noted(&Notes {
        member: &member,
        has_tools,
        may_call,
        sounds,
        files,
        linked_images,
        searches,
        hosted,
        relies_on: &[],
        has_prompts: false,
    })
}

/// Words by which tools may be called.
const CALLING: &[&str] = &["null", r#""auto""#, r#""required""#];
