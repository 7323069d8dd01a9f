//! Where the head of a request says what.

use crate::{
    dialect::{
        Wishes,
        abilities::Notes,
        head::{OF_COMPLETIONS, PROMPT, Scheme, USER, wanted},
        openai_chat,
    },
    json::{self, Found},
};

/// See the module's documentation.
pub(super) static SCHEME: Scheme = Scheme {
    wanted: WANTED,
    // Nothing has places here that a chat has not.
    marks: &openai_chat::scheme::MARKS,
    asks_for_usage: true,
    unproven: None,
    terms: OF_COMPLETIONS,
    user: |found| found.text(USER).and_then(|text| json::read(text).ok()),
    wishes,
};

const WANTED: &[&str] = wanted![
    "logprobs",
    "logit_bias",
    "stop",
    "echo",
    "suffix",
    "response_format",
    "grammar",
    "guided_choice",
    "guided_grammar",
    "guided_json",
    "guided_regex",
    "structured_outputs",
];

/// What of a request not every format can express.
fn wishes(found: &Found) -> Wishes {
    let member = |name: &str| {
        let place = WANTED.iter().position(|wanted| *wanted == name)?;
        let text = found.text(place);
        // Here it is how many alternatives are told.
        let text = if name == "logprobs" { text.filter(|count| *count != "null").map(|_| "true") } else { text };
        found.member(place).map(|_| text)
    };
    Wishes::noted(&Notes {
        member: &member,
        has_tools: false,
        may_call: false,
        sounds: 0,
        files: 0,
        linked_images: 0,
        searches: 0,
        hosted: 0,
        relies_on: &[],
        has_prompts: found.member(PROMPT).is_some_and(|prompt| {
            let is_one = matches!(prompt.opens, [b'"', _]) || prompt.opens == *b"[\"" && prompt.parts == 1;
            !is_one
        }),
    })
}
