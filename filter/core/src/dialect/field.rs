//! Fields that clients write alike in several formats.

use alloc::{borrow::Cow, format, string::String, vec::Vec};
use serde_json::value::RawValue;

use crate::{
    chat::{Effort, Reasoning, Request, Telling},
    error::Error,
    json::{self, Read, Slot, Str, members, record},
};

/// Reads a value, or blames it.
pub(crate) fn typed<'a, T: Read<'a>>(path: &str, raw: &'a RawValue) -> Result<T, Error> {
    let mut value = T::empty();
    fill(path, raw, value.slot())?;
    Ok(value)
}

/// Reads a value into a slot, or blames it.
#[inline(never)]
pub(super) fn fill<'a>(path: &str, raw: &'a RawValue, slot: Slot<'_, 'a>) -> Result<(), Error> {
    json::fill(raw.get(), slot)
        .map_err(|_| Error::refusing(format!("`{path}` is not of the right type."), String::from(path)))
}

/// The members of an object, or blames it.
pub(super) fn members_of<'a>(path: &str, raw: &'a RawValue) -> Result<Vec<(Str<'a>, &'a RawValue)>, Error> {
    members(raw.get()).ok_or_else(|| Error::refusing(format!("`{path}` must be an object."), String::from(path)))
}

/// Longest text in which members are looked for that nobody reads: longer ones are data but for a little.
const LONGEST_LOOKED_THROUGH: usize = 64 * 1024;

/// Notes what an object says, or each object of a list, in members that are none of these: its reader passes them over.
///
/// The known ones are a text: names between spaces, in braces behind a name those of what stands there. What has no braces is not
/// looked into.
pub(super) fn note_spare(raw: &RawValue, known: &str, place: &str, request: &mut Request<'_>) {
    if raw.get().len() > LONGEST_LOOKED_THROUGH {
        return;
    }
    if raw.get().starts_with('[') {
        let place = [place, "[]"].concat();
        let items: Vec<&RawValue> = json::read(raw.get()).unwrap_or_default();
        for item in items {
            note_spare(item, known, &place, request);
        }
        return;
    }
    for (name, value) in members(raw.get()).into_iter().flatten() {
        let path = || [place, ".", &name].concat();
        match within(known, &name) {
            Some("") => {}
            Some(inner) => note_spare(value, inner, &path(), request),
            None if matches!(value.get(), "null" | "false" | "[]" | "{}" | r#""""#) => {}
            None => request.leave(path()),
        }
    }
}

/// The same of a member of the request itself.
pub(super) fn note_spare_in(name: &str, raw: &RawValue, known: &str, request: &mut Request<'_>) {
    if let Some(inner) = within(known, name).filter(|inner| !inner.is_empty()) {
        note_spare(raw, inner, name, request);
    }
}

/// What is in the braces behind a name: nothing where there are none, `None` where the name is not there.
fn within<'k>(known: &'k str, name: &str) -> Option<&'k str> {
    let (mut rest, mut found) = (known, None);
    while !rest.is_empty() {
        let end = rest.find([' ', '{']).unwrap_or(rest.len());
        let is_it = rest.get(..end) == Some(name);
        let mut depth = 0_usize;
        let length = rest.get(end..)?.find(|character| {
            match character {
                '{' => depth = depth.saturating_add(1),
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0
        });
        let close = end.saturating_add(length.unwrap_or(0));
        if is_it {
            found = rest.get(end.saturating_add(1)..close).or(Some(""));
            break;
        }
        rest = rest.get(close..)?.trim_start_matches(['}', ' ']);
    }
    found
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
    record! {
        struct Wire<'a> {
            /// Absent where other members are set only, as Z.ai's `clear_thinking`.
            kind: Option<Str<'a>> = "type",
            budget_tokens: Option<u64>,
            display: Option<Str<'a>>,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_reads_is_listed_by_its_path() {
        let known = "a b{c d{e} f} g{h}";
        for (name, inner) in [("a", Some("")), ("b", Some("c d{e} f")), ("g", Some("h")), ("c", None), ("", None)] {
            assert_eq!(within(known, name), inner, "{name}");
        }
        assert_eq!(within("c d{e} f", "f"), Some(""));
        let mut request = Request::default();
        let text = r#"{"a":{"x":1},"b":[{"c":1,"x":1,"d":{"e":1,"x":1}},{"y":null,"x":2}],"g":"text","z":[],"c":1}"#;
        note_spare(json::read(text).unwrap(), known, "in", &mut request);
        assert_eq!(request.unplaced, ["in.b[].x", "in.b[].d.x", "in.c"]);
    }
}
