//! The table: each wish, where it is said, and what to say where it cannot be fulfilled.

use alloc::vec::Vec;

use super::{Ability, Notes};
use crate::{
    chat::{Modality, Request},
    json::{self, Str, members},
};

/// A wish.
pub(super) struct Row {
    pub(super) ability: Ability,
    /// The field that says it.
    pub(super) field: &'static str,
    /// What to say where the ability is missing.
    pub(super) refusal: &'static str,
    /// Whether a request has it, given the field. Of what stands in messages the writer blames the very part.
    pub(super) is_asked: fn(&Request<'_>, &str) -> bool,
    /// Whether a scan has noted it, given the field.
    pub(super) is_noted: fn(&Notes<'_>, &str) -> bool,
}

pub(super) const TABLE: &[Row] = &[
    Row {
        ability: Ability::Choices,
        field: "n",
        refusal: "This model gives one answer at a time: `n` must be 1.",
        is_asked: |request, _| request.choices.is_some_and(|choices| choices != 1),
        is_noted: |notes, field| notes.says(field, |n| json::read::<u32>(n).is_ok_and(|choices| choices != 1)),
    },
    Row {
        ability: Ability::Logprobs,
        field: "logprobs",
        refusal: "This model does not tell log probabilities.",
        is_asked: |request, _| request.logprobs.is_some(),
        is_noted: |notes, field| notes.says(field, |tells| tells == "true"),
    },
    Row {
        ability: Ability::LogitBias,
        field: "logit_bias",
        refusal: "This model takes no `logit_bias`.",
        is_asked: |request, _| request.logit_bias.is_some(),
        is_noted: |notes, field| {
            notes.is_long(field) || notes.says(field, |bias| members(bias).is_some_and(|bias| !bias.is_empty()))
        },
    },
    Row {
        ability: Ability::Pictures,
        field: "modalities",
        refusal: "This model does not answer with pictures.",
        is_asked: |request, _| request.modalities.contains(&Modality::Image),
        is_noted: |notes, field| notes.lists(field, "image"),
    },
    Row {
        ability: Ability::Sound,
        field: "modalities",
        refusal: "This model does not answer with sound.",
        is_asked: |request, _| request.modalities.contains(&Modality::Audio),
        is_noted: |notes, field| notes.lists(field, "audio"),
    },
    Row {
        ability: Ability::WebSearch,
        field: "web_search_options",
        refusal: "This model cannot search the web.",
        is_asked: |request, _| request.web_search.is_some(),
        is_noted: |notes, _| notes.searches(),
    },
    Row {
        ability: Ability::SearchWithTools,
        field: "web_search_options",
        refusal: "This model cannot search the web and call functions in one conversation of OpenAI's shape.",
        is_asked: |request, _| request.web_search.is_some() && !request.tools.is_empty(),
        is_noted: |notes, _| notes.searches() && notes.has_tools,
    },
    Row {
        ability: Ability::JsonWithTools,
        field: "response_format",
        refusal: "This model does not answer in JSON where it has tools.",
        is_asked: |request, _| request.is_json() && (request.web_search.is_some() || request.may_call()),
        is_noted: |notes, field| {
            (notes.searches() || notes.may_call) && (notes.is_long(field) || notes.says(field, is_json))
        },
    },
    Row {
        ability: Ability::WhiteStop,
        field: "stop",
        refusal: "This model cannot stop at white space: `stop` needs other characters.",
        is_asked: |request, _| request.stop.iter().any(|stop| is_white(stop)),
        is_noted: |notes, field| notes.says(field, stops_at_white_space),
    },
    decisive("audio", "`audio` cannot be expressed for this model."),
    decisive("grammar", "`grammar` cannot be expressed for this model."),
    decisive("guided_choice", "`guided_choice` cannot be expressed for this model."),
    decisive("guided_grammar", "`guided_grammar` cannot be expressed for this model."),
    decisive("guided_json", "`guided_json` cannot be expressed for this model."),
    decisive("guided_regex", "`guided_regex` cannot be expressed for this model."),
    decisive("structured_outputs", "`structured_outputs` cannot be expressed for this model."),
    // That an answer is scored is harmless to leave out; that it is held back is not.
    Row {
        ability: Ability::Decisive,
        field: "moderation",
        refusal: "This model's answers are not held back by `moderation`.",
        is_asked: |request, field| request.other.iter().any(|(name, raw)| name == field && blocks(raw.get())),
        is_noted: |notes, field| notes.says(field, blocks),
    },
    of_messages(Ability::Hearing, "This model cannot listen to audio.", |notes, _| notes.sounds > 0),
    of_messages(Ability::Files, "This model reads no files.", |notes, _| notes.files > 0),
    of_messages(
        Ability::LinkedImages,
        "This model reads pictures from data URLs only: a URL is never fetched.",
        |notes, _| notes.linked_images > 0,
    ),
    Row {
        ability: Ability::Hosted,
        field: "tools",
        refusal: "This model has no tools but those that you run yourself: each of the `tools` must be a function.",
        is_asked: |_, _| false,
        is_noted: |notes, _| notes.hosted > 0,
    },
    hosted("container", "This model has no `container`."),
    hosted("inference_geo", "Where this model runs cannot be chosen: `inference_geo`."),
    hosted("mcp_servers", "This model calls no MCP servers."),
    kept("previous_response_id", KEEPS_NOTHING),
    kept("conversation", "This model keeps no conversations: send it in `input`, without `conversation`."),
    kept("prompt", "This model knows no `prompt` templates: send what they say in `instructions` and `input`."),
    kept("background", "This model does not answer in the `background`."),
    kept("store", "This model does not `store` answers."),
    kept(
        "input",
        "This model keeps nothing of earlier answers: the items themselves must stand in `input`, as SDKs send them with `store: false`.",
    ),
    Row {
        ability: Ability::Completing,
        field: "prompt",
        refusal: "This model takes one prompt, and as text.",
        is_asked: |_, _| false,
        is_noted: |notes, _| notes.has_prompts,
    },
    completing("echo", "This model does not repeat the prompt: `echo`."),
    completing("suffix", "This model takes no `suffix`."),
];

/// A row is a bit of [`super::Wishes`].
/// What to say of `previous_response_id` where nobody keeps any answers.
pub(crate) const KEEPS_NOTHING: &str =
    "This model keeps no earlier answers: send the conversation in `input`, without `previous_response_id`.";

const _: () = assert!(TABLE.len() <= u64::BITS as usize);

const fn decisive(field: &'static str, refusal: &'static str) -> Row {
    Row {
        ability: Ability::Decisive,
        field,
        refusal,
        is_asked: |request, field| request.other.iter().any(|(name, raw)| name == field && raw.get() != "false"),
        is_noted: |notes, field| notes.is_long(field) || notes.says(field, |value| value != "false"),
    }
}

const fn hosted(field: &'static str, refusal: &'static str) -> Row {
    Row {
        ability: Ability::Hosted,
        field,
        refusal,
        is_asked: |request, field| request.unplaced.iter().any(|name| name == field),
        is_noted: |notes, field| notes.is_long(field) || notes.says(field, |value| value != "[]"),
    }
}

const fn kept(field: &'static str, refusal: &'static str) -> Row {
    Row {
        ability: Ability::State,
        field,
        refusal,
        is_asked: |request, field| request.relies_on.contains(&field),
        is_noted: |notes, field| notes.relies_on.contains(&field),
    }
}

const fn completing(field: &'static str, refusal: &'static str) -> Row {
    Row {
        ability: Ability::Completing,
        field,
        refusal,
        is_asked: |_, _| false,
        is_noted: |notes, field| notes.is_long(field) || notes.says(field, |value| !is_no_wish(value)),
    }
}

const fn of_messages(ability: Ability, refusal: &'static str, is_noted: fn(&Notes<'_>, &str) -> bool) -> Row {
    Row { ability, field: "messages", refusal, is_asked: |_, _| false, is_noted }
}

/// Whether a moderation holds anything back.
fn blocks(moderation: &str) -> bool {
    moderation.contains(r#""block""#)
}

/// Whether a value says as much as none.
pub(in crate::dialect) fn is_no_wish(value: &str) -> bool {
    matches!(value, "null" | "false" | r#""""#)
}

fn is_json(format: &str) -> bool {
    let kind = |(name, value): &(Str<'_>, &serde_json::value::RawValue)| {
        &**name == "type" && matches!(value.get(), r#""json_object""# | r#""json_schema""#)
    };
    members(format).is_some_and(|members| members.iter().any(kind))
}

fn stops_at_white_space(stop: &str) -> bool {
    match json::read::<Str<'_>>(stop) {
        Ok(stop) => is_white(&stop),
        Err(_) => json::read::<Vec<Str<'_>>>(stop).is_ok_and(|stops| stops.iter().any(|stop| is_white(stop))),
    }
}

fn is_white(stop: &str) -> bool {
    !stop.is_empty() && stop.trim().is_empty()
}
