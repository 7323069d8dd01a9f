//! Members of a chat request that are not everybody's: Google's own, as its OpenAI-compatible endpoint and other gateways
//! know them; those that change the answer's meaning, which are refused; and the rest, which is left out and listed.

use alloc::{format, vec::Vec};
use serde_json::value::RawValue;

use crate::{
    chat::{Modality, Request},
    dialect::{
        Dropped,
        field::{members_of, typed},
    },
    error::Error,
};

/// What the members ask for.
#[derive(Debug, Default)]
pub(super) struct Options<'a> {
    pub(super) modalities: Vec<&'static str>,
    pub(super) searches: bool,
    pub(super) stores: Option<bool>,
    pub(super) safety_settings: Option<&'a RawValue>,
    pub(super) cached_content: Option<&'a RawValue>,
    /// In the place of everything that the request says about thinking.
    pub(super) thinking_config: Option<&'a RawValue>,
}

impl<'a> Options<'a> {
    /// Reads them; the names of those that are left out go to `dropped`.
    pub(super) fn read(request: &Request<'a>, dropped: &mut Dropped) -> Result<Self, Error> {
        let mut options = Self { modalities: modalities(&request.modalities), ..Self::default() };
        if let Some(search) = &request.web_search {
            options.searches = true;
            dropped.note_if(search.context_size.is_some(), "web_search_options.search_context_size");
            dropped.note_if(search.user_location.is_some(), "web_search_options.user_location");
        }
        for (name, raw) in &request.other {
            let raw = *raw;
            match name.as_ref() {
                "store" => options.stores = Some(typed("store", raw)?),
                "safety_settings" | "safetySettings" => options.safety_settings = Some(raw),
                "cached_content" | "cachedContent" => options.cached_content = Some(raw),
                "extra_body" => options.extra(raw, dropped)?,
                name => dropped.note(name),
            }
        }
        if options.thinking_config.is_some() {
            request.reasoning.members.iter().for_each(|member| dropped.note(member));
        }
        Ok(options)
    }

    /// <https://ai.google.dev/gemini-api/docs/openai#extra-body>
    fn extra(&mut self, raw: &'a RawValue, dropped: &mut Dropped) -> Result<(), Error> {
        for (name, raw) in members_of("extra_body", raw)? {
            if &*name != "google" {
                dropped.note(&format!("extra_body.{}", &*name));
                continue;
            }
            for (name, raw) in members_of("extra_body.google", raw)? {
                match &*name {
                    "safety_settings" => self.safety_settings = Some(raw),
                    "cached_content" => self.cached_content = Some(raw),
                    "thinking_config" => self.thinking_config = Some(raw),
                    name => dropped.note(&format!("extra_body.google.{name}")),
                }
            }
        }
        Ok(())
    }
}

fn modalities(wanted: &[Modality]) -> Vec<&'static str> {
    let word = |modality: &Modality| match modality {
        Modality::Text => "TEXT",
        Modality::Image => "IMAGE",
        Modality::Audio => "AUDIO",
    };
    let words: Vec<_> = wanted.iter().map(word).collect();
    // Text is what it answers anyway.
    if words == ["TEXT"] { Vec::new() } else { words }
}
