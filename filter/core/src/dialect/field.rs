//! Fields that clients write alike in several formats.

use alloc::{borrow::Cow, format, string::String, vec::Vec};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    chat::{Effort, Reasoning, Request, Telling},
    error::Error,
    json::{self, Str, members},
};

/// Reads a value, or blames it.
pub(crate) fn typed<'a, T: Deserialize<'a>>(path: &str, raw: &'a RawValue) -> Result<T, Error> {
    json::read(raw.get())
        .map_err(|_| Error::refusing(format!("`{path}` is not of the right type."), String::from(path)))
}

/// Longest text in which members are looked for that nobody reads: longer ones are data but for a little.
const LONGEST_LOOKED_THROUGH: usize = 64 * 1024;

/// Notes what an object says in members that are none of these: its reader passes them over.
pub(super) fn note_spare(raw: &RawValue, known: &[&str], place: &str, request: &mut Request<'_>) {
    if raw.get().len() > LONGEST_LOOKED_THROUGH {
        return;
    }
    for (name, value) in members(raw.get()).into_iter().flatten() {
        let says_nothing = matches!(value.get(), "null" | "false" | "[]" | "{}" | r#""""#);
        if !says_nothing && !known.contains(&&*name) {
            request.leave(format!("{place}.{}", &*name));
        }
    }
}

/// The same of each object of a list.
pub(super) fn note_spares(raw: &RawValue, known: &[&str], place: &str, request: &mut Request<'_>) {
    if raw.get().len() <= LONGEST_LOOKED_THROUGH {
        let objects: Vec<&RawValue> = json::read(raw.get()).unwrap_or_default();
        for object in objects {
            note_spare(object, known, place, request);
        }
    }
}

/// Randomness.
pub(super) fn temperature(raw: &RawValue) -> Result<f64, Error> {
    let temperature: f64 = typed("temperature", raw)?;
    if (0.0..=2.0).contains(&temperature) {
        return Ok(temperature);
    }
    Err(Error::refusing("`temperature` must be between 0 and 2.", "temperature"))
}

/// How much to think, in words.
pub(super) fn effort(path: &str, raw: &RawValue) -> Result<Effort, Error> {
    Ok(match &*typed::<Str<'_>>(path, raw)? {
        "none" => Effort::None,
        "minimal" => Effort::Minimal,
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" | "max" => Effort::Xhigh,
        other => return Err(Error::refusing(format!("`{other}` is no reasoning effort."), String::from(path))),
    })
}

/// Anthropic's way, as its own API and LiteLLM's clients write it.
///
/// False where nothing of it is known.
pub(super) fn thinking<'a>(raw: &'a RawValue, reasoning: &mut Reasoning<'a>) -> Result<bool, Error> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        /// Absent where other members are set only, as Z.ai's `clear_thinking`.
        #[serde(borrow, rename = "type", default)]
        kind: Option<Str<'a>>,
        #[serde(default)]
        budget_tokens: Option<u64>,
        #[serde(borrow, default)]
        display: Option<Str<'a>>,
    }
    let wire = typed::<Wire<'_>>("thinking", raw)?;
    reasoning.members.push("thinking");
    let tells = wire.display.is_some();
    if let Some(display) = wire.display {
        let summary = match &*display {
            "summarized" => Some(Cow::Borrowed("auto")),
            "omitted" => None,
            other => {
                return Err(Error::refusing(format!("`{other}` is no way to tell thoughts."), "thinking.display"));
            }
        };
        reasoning.telling = Some(Telling { summary, member: "thinking.display" });
    }
    let Some(kind) = wire.kind else {
        reasoning.budget = wire.budget_tokens.or(reasoning.budget);
        return Ok(wire.budget_tokens.is_some() || tells);
    };
    match &*kind {
        "disabled" => reasoning.budget = Some(0),
        "enabled" if wire.budget_tokens.is_some() => reasoning.budget = wire.budget_tokens,
        "enabled" | "adaptive" | "between_tools" | "auto" => {
            reasoning.effort = reasoning.effort.or(Some(Effort::Medium));
        }
        other => return Err(Error::refusing(format!("`{other}` is no kind of thinking."), "thinking.type")),
    }
    Ok(true)
}
