//! Members of a chat request that are not everybody's: Google's own, as its OpenAI-compatible endpoint and other gateways
//! know them; those that change the answer's meaning, which are refused; and the rest, which is left out and listed.

use alloc::{format, vec::Vec};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    chat::{Modality, Request},
    dialect::Dropped,
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

/// <https://ai.google.dev/gemini-api/docs/openai#extra-body>
#[derive(Deserialize)]
struct Extra<'a> {
    #[serde(borrow, default)]
    google: Option<Google<'a>>,
}

#[derive(Deserialize)]
struct Google<'a> {
    #[serde(borrow, default)]
    thinking_config: Option<&'a RawValue>,
    #[serde(borrow, default)]
    safety_settings: Option<&'a RawValue>,
    #[serde(borrow, default)]
    cached_content: Option<&'a RawValue>,
}

impl<'a> Options<'a> {
    /// Reads them; the names of those that are left out go to `dropped`.
    pub(super) fn read(request: &Request<'a>, dropped: &mut Dropped) -> Result<Self, Error> {
        if request.logit_bias.is_some() {
            return Err(Error::refusing("Gemini has nothing like `logit_bias`.", "logit_bias"));
        }
        let mut options = Self { modalities: modalities(&request.modalities)?, ..Self::default() };
        if let Some(search) = &request.web_search {
            if !request.tools.is_empty() {
                let message = "Gemini does not search the web and call functions in one request.";
                return Err(Error::refusing(message, "web_search_options"));
            }
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
                "extra_body" => {
                    if let Some(google) = typed::<Extra<'_>>("extra_body", raw)?.google {
                        options.safety_settings = google.safety_settings.or(options.safety_settings);
                        options.cached_content = google.cached_content.or(options.cached_content);
                        options.thinking_config = google.thinking_config;
                    }
                }
                name => dropped.leave_out(name, raw)?,
            }
        }
        Ok(options)
    }
}

fn modalities(wanted: &[Modality]) -> Result<Vec<&'static str>, Error> {
    let word = |modality: &Modality| match modality {
        Modality::Text => Ok("TEXT"),
        Modality::Image => Ok("IMAGE"),
        Modality::Audio => Err(Error::refusing("Gemini does not answer a chat in sound.", "modalities")),
    };
    let words: Vec<_> = wanted.iter().map(word).collect::<Result<_, _>>()?;
    // Text is what it answers anyway.
    Ok(if words == ["TEXT"] { Vec::new() } else { words })
}

fn typed<'a, T: Deserialize<'a>>(name: &'static str, raw: &'a RawValue) -> Result<T, Error> {
    serde_json::from_str(raw.get()).map_err(|_| Error::refusing(format!("`{name}` is not of the right type."), name))
}
