//! What only some dialects can do and an answer would be another one without: one table of it, so that every target refuses a
//! wish in the same words, and so that who plans and who translates cannot disagree. A dialect lists its abilities.
//!
//! A wish is seen twice: by the scan of the body, so that a target which cannot fulfil it is passed over before anybody is asked,
//! and in the canonical request, by the dialect that writes it. Behind Envoy's router the first must do: a try that fails to write
//! its request there cannot ask for another one. What neither a name nor a kind of content tells (where in a conversation a picture
//! stands, whose a file is) is found by the writer only.

mod table;

use alloc::vec::Vec;

use crate::{
    chat::{CallMode, Format, Request},
    error::Error,
    json::{self, Str},
};

pub(crate) use table::KEEPS_NOTHING;
pub(super) use table::is_no_wish;
use table::{Row, TABLE};

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

    /// Whether a provider must keep something already, and not only from now on.
    pub(crate) fn relies_on_kept(self) -> bool {
        self.wished().any(|row| row.ability == Ability::State && !matches!(row.field, "store" | "background"))
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

#[cfg(test)]
mod tests;
