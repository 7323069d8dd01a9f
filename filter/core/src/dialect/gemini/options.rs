//! Members of a chat request that are not everybody's: Google's own, as its OpenAI-compatible endpoint and other gateways
//! know them; those that change the answer's meaning, which are refused; and the rest, which is left out and listed.

use alloc::{format, string::String, vec::Vec};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    chat::Request,
    error::{Error, Kind},
    json::Str,
};

/// An answer without these would be another one, and Gemini has nothing like them.
const REFUSED: &[&str] = &[
    "audio",
    "grammar",
    "guided_choice",
    "guided_grammar",
    "guided_json",
    "guided_regex",
    "logit_bias",
    "structured_outputs",
];

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
    pub(super) fn read(request: &Request<'a>, dropped: &mut Vec<String>) -> Result<Self, Error> {
        let mut options = Self::default();
        for (name, raw) in &request.other {
            let raw = *raw;
            match name.as_ref() {
                "modalities" => options.modalities = modalities(raw)?,
                "web_search_options" => {
                    if !request.tools.is_empty() {
                        let message = "Gemini does not search the web and call functions in one request.";
                        return Err(invalid(message, "web_search_options"));
                    }
                    options.searches = true;
                    if raw.get().contains(':') {
                        dropped.push("web_search_options.*".into());
                    }
                }
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
                name if REFUSED.contains(&name) && raw.get() != "{}" => {
                    return Err(invalid(format!("Gemini has nothing like `{name}`."), String::from(name)));
                }
                name if REFUSED.contains(&name) => {}
                name => dropped.push(name.into()),
            }
        }
        Ok(options)
    }
}

fn modalities(raw: &RawValue) -> Result<Vec<&'static str>, Error> {
    let wanted: Vec<Str<'_>> = typed("modalities", raw)?;
    let known = wanted.iter().map(|modality| match &**modality {
        "text" => Ok("TEXT"),
        "image" => Ok("IMAGE"),
        other => Err(invalid(format!("Gemini does not answer a chat in `{other}`."), "modalities")),
    });
    let known: Vec<_> = known.collect::<Result<_, _>>()?;
    // Text is what it answers anyway.
    Ok(if known == ["TEXT"] { Vec::new() } else { known })
}

fn typed<'a, T: Deserialize<'a>>(name: &'static str, raw: &'a RawValue) -> Result<T, Error> {
    serde_json::from_str(raw.get()).map_err(|_| invalid(format!("`{name}` is not of the right type."), name))
}

fn invalid(message: impl Into<String>, name: impl Into<alloc::borrow::Cow<'static, str>>) -> Error {
    Error::new(Kind::InvalidRequest, message).blaming(name)
}
