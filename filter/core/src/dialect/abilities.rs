//! What only some dialects can do and an answer would be another one without: one table of it, so that every target refuses a
//! wish in the same words, and so that who plans and who translates cannot disagree. A dialect lists its abilities.
//!
//! A wish is seen twice: by the scan of the body, so that a target which cannot fulfil it is passed over before anybody is asked,
//! and in the canonical request, by the dialect that writes it. Behind Envoy's router the first must do: a try that fails to write
//! its request there cannot ask for another one. What neither a name nor a kind of content tells (where in a conversation a picture
//! stands, whose a file is) is found by the writer only.

use alloc::vec::Vec;

use crate::{
    chat::{CallMode, Format, Modality, Request},
    error::Error,
    json::{self, Str, members},
};

/// Something that only some dialects can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// Several answers at a time.
    Choices,
    /// Log probabilities of tokens.
    Logprobs,
    /// Tokens made likelier or unlikelier.
    LogitBias,
    /// Answers with pictures.
    Pictures,
    /// Answers with sound.
    Sound,
    /// Searches in the web.
    WebSearch,
    /// The same beside tools.
    SearchWithTools,
    /// Answers in JSON beside tools.
    JsonWithTools,
    /// An end of the answer at white space.
    WhiteStop,
    /// Members of some servers that decide what the answer is.
    Decisive,
    /// Sound in a message.
    Hearing,
    /// Files in a message.
    Files,
    /// Pictures that the provider has to fetch.
    LinkedImages,
    /// What runs on the servers of one provider, or needs them.
    Hosted,
    /// What a provider keeps of earlier answers, or is to keep.
    State,
    /// What only the older completions have: several prompts, tokens for a prompt, and the text around the answer.
    Completing,
}

/// What a request asks for of what only some dialects can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wishes(u64);

/// What the scan of a request has noted.
pub(super) struct Notes<'a> {
    /// The value of a top-level member as written, by the name that it has in `OpenAI`'s shape; `Some(None)` where it is too long
    /// to be kept.
    pub(super) member: &'a dyn Fn(&str) -> Option<Option<&'a str>>,
    /// Whether it offers tools.
    pub(super) has_tools: bool,
    /// Whether one may be called.
    pub(super) may_call: bool,
    /// How much sound its messages hold.
    pub(super) sounds: usize,
    /// How many files.
    pub(super) files: usize,
    /// How many pictures that stand elsewhere.
    pub(super) linked_images: usize,
    /// How many of its tools search the web.
    pub(super) searches: usize,
    /// How many are a provider's own otherwise.
    pub(super) hosted: usize,
    /// The members by which the client relies on what a provider keeps.
    pub(super) relies_on: &'a [&'a str],
    /// Whether its prompt is more, or less, than one text.
    pub(super) has_prompts: bool,
}

/// A wish.
struct Row {
    ability: Ability,
    /// The field that says it.
    field: &'static str,
    /// What to say where the ability is missing.
    refusal: &'static str,
    /// Whether a request has it, given the field. Of what stands in messages the writer blames the very part.
    is_asked: fn(&Request<'_>, &str) -> bool,
    /// Whether a scan has noted it, given the field.
    is_noted: fn(&Notes<'_>, &str) -> bool,
}

const TABLE: &[Row] = &[
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
    kept(
        "previous_response_id",
        "This model keeps no earlier answers: send the conversation in `input`, without `previous_response_id`.",
    ),
    kept("conversation", "This model keeps no conversations: send it in `input`, without `conversation`."),
    kept("prompt", "This model knows no `prompt` templates: send what they say in `instructions` and `input`."),
    kept("background", "This model does not answer in the `background`."),
    kept("store", "This model does not `store` answers."),
    kept("input", "This model keeps nothing of earlier answers: the items themselves must stand in `input`."),
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

/// A row is a bit of [`Wishes`].
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

impl Ability {
    /// All that `OpenAI`'s format can say.
    pub(super) const ALL: &[Self] = &[
        Self::Choices,
        Self::Logprobs,
        Self::LogitBias,
        Self::Pictures,
        Self::Sound,
        Self::WebSearch,
        Self::SearchWithTools,
        Self::JsonWithTools,
        Self::WhiteStop,
        Self::Decisive,
        Self::Hearing,
        Self::Files,
        Self::LinkedImages,
    ];

    /// Refuses a field that only the client's reader has seen.
    pub(super) fn refuse(self, field: &str) -> Error {
        let row = TABLE.iter().find(|row| row.ability == self && row.field == field);
        row.map_or_else(|| Error::refusing("", ""), |row| Error::refusing(row.refusal, row.field))
    }

    /// What to say where it is missing.
    pub(super) fn refusal(self) -> &'static str {
        TABLE.iter().find(|row| row.ability == self).map_or("", |row| row.refusal)
    }
}

impl Wishes {
    /// Those that a scan has noted.
    pub(super) fn noted(notes: &Notes<'_>) -> Self {
        Self::of(|row| (row.is_noted)(notes, row.field))
    }

    fn of(is_wished: impl Fn(&Row) -> bool) -> Self {
        let rows = TABLE.iter().rev();
        Self(rows.fold(0, |wishes, row| wishes << 1 | u64::from(is_wished(row))))
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Refuses those that need this ability.
    ///
    /// # Errors
    /// [`crate::error::Kind::InvalidRequest`], blaming the field.
    pub fn forbid(self, ability: Ability) -> Result<(), Error> {
        refuse(self.wished().filter(|row| row.ability == ability), &[])
    }

    fn wished(self) -> impl Iterator<Item = &'static Row> {
        let wished = TABLE.iter().enumerate().filter(move |(bit, _)| self.0 >> bit & 1 == 1);
        wished.map(|(_, row)| row)
    }

    /// Refuses those that need more than these abilities.
    ///
    /// # Errors
    /// [`crate::error::Kind::InvalidRequest`], blaming the field.
    pub fn require(self, abilities: &[Ability]) -> Result<(), Error> {
        if self.is_empty() {
            return Ok(());
        }
        refuse(self.wished(), abilities)
    }
}

/// Refuses a request that needs more than these abilities.
///
/// # Errors
/// [`crate::error::Kind::InvalidRequest`], blaming the field.
pub(super) fn require(abilities: &[Ability], request: &Request<'_>) -> Result<(), Error> {
    refuse(TABLE.iter().filter(|row| (row.is_asked)(request, row.field)), abilities)
}

fn refuse(mut wished: impl Iterator<Item = &'static Row>, abilities: &[Ability]) -> Result<(), Error> {
    let missing = wished.find(|row| !abilities.contains(&row.ability));
    missing.map_or(Ok(()), |row| Err(Error::refusing(row.refusal, row.field)))
}

impl Notes<'_> {
    /// Whether a member is there that says something so; `null` says nothing.
    fn says(&self, field: &str, so: impl Fn(&str) -> bool) -> bool {
        (self.member)(field).flatten().is_some_and(|text| text != "null" && so(text))
    }

    /// Whether a member is there that is too long to be looked into.
    fn is_long(&self, field: &str) -> bool {
        (self.member)(field).is_some_and(|text| text.is_none())
    }

    fn lists(&self, field: &str, word: &str) -> bool {
        let has_word = |words: Vec<Str<'_>>| words.iter().any(|listed| &**listed == word);
        self.says(field, |text| json::read(text).is_ok_and(has_word))
    }

    fn searches(&self) -> bool {
        self.searches > 0
            || self.says("web_search_options", |options| options.starts_with('{'))
            || self.is_long("web_search_options")
    }
}

impl Request<'_> {
    /// Whether the answer is to be JSON.
    pub(super) fn is_json(&self) -> bool {
        matches!(self.format, Some(Format::JsonObject | Format::JsonSchema { .. }))
    }

    fn may_call(&self) -> bool {
        !self.tools.is_empty() && self.calling().is_ok_and(|calling| calling.mode != CallMode::Never)
    }
}

/// Whether a moderation holds anything back.
fn blocks(moderation: &str) -> bool {
    moderation.contains(r#""block""#)
}

/// Whether a value says as much as none.
pub(super) fn is_no_wish(value: &str) -> bool {
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

#[cfg(test)]
mod tests;
