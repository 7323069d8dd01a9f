//! Tokens: <https://ai.google.dev/api/generate-content#UsageMetadata>.
//!
//! A stream's events tell some of the counts or all of them, each time so far: what is not told again still holds.

use alloc::vec::Vec;
use serde_json::value::RawValue;

use super::response::word;
use crate::{
    chat::Text,
    json::{Number, Str, record},
    usage::Usage,
};

record! {
    /// Tokens as they are told.
    #[derive(Debug)]
    pub(super) struct Metadata<'a> {
        prompt_token_count: Number<u64> = "promptTokenCount",
        cached_content_token_count: Number<u64> = "cachedContentTokenCount",
        /// What a built-in tool put into the prompt, on top of the prompt's own count.
        tool_use_prompt_token_count: Number<u64> = "toolUsePromptTokenCount",
        candidates_token_count: Number<u64> = "candidatesTokenCount",
        /// On top of the candidates' own count.
        thoughts_token_count: Number<u64> = "thoughtsTokenCount",
        prompt_tokens_details: Option<Vec<Modal<'a>>> = "promptTokensDetails",
        candidates_tokens_details: Option<Vec<Modal<'a>>> = "candidatesTokensDetails",
        service_tier: Option<Str<'a>> = "serviceTier",
    }
}

record! {
    #[derive(Debug)]
    struct Modal<'a> {
        modality: Option<&'a RawValue>,
        token_count: Number<u64> = "tokenCount",
    }
}

/// Tokens so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    /// Its input is the prompt's own, its output the candidates'.
    own: Usage,
    tool_use: u64,
}

impl Counts {
    /// Takes what is told now.
    pub(super) fn update(&mut self, told: &Metadata<'_>) {
        self.own.update(Usage {
            input: told.prompt_token_count.0.unwrap_or_default(),
            cached_input: told.cached_content_token_count.0.unwrap_or_default(),
            cache_write: 0,
            audio_input: sound(told.prompt_tokens_details.as_deref()).unwrap_or_default(),
            output: told.candidates_token_count.0.unwrap_or_default(),
            reasoning: told.thoughts_token_count.0.unwrap_or_default(),
            audio_output: sound(told.candidates_tokens_details.as_deref()).unwrap_or_default(),
            images: 0,
        });
        if let Some(tokens @ 1..) = told.tool_use_prompt_token_count.0 {
            self.tool_use = tokens;
        }
    }

    /// The tokens; `None` where none were told.
    pub(super) fn usage(&self) -> Option<Usage> {
        let Self { own, tool_use } = *self;
        (own != Usage::default()).then(|| Usage {
            input: own.input.saturating_add(tool_use),
            output: own.output.saturating_add(own.reasoning),
            ..own
        })
    }
}

/// The tier that served, in OpenAI's words.
pub(super) fn service_tier<'a>(told: Option<&Metadata<'a>>) -> Option<Text<'a>> {
    let tier = told?.service_tier.clone()?.0;
    Some(match &*tier {
        "standard" | "STANDARD" => "default".into(),
        _ => tier,
    })
}

fn sound(details: Option<&[Modal<'_>]>) -> Option<u64> {
    let is_sound = |modal: &&Modal<'_>| matches!(word(modal.modality), Some("AUDIO" | "4"));
    details?.iter().find(is_sound)?.token_count.0
}
