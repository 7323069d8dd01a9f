//! Whether a JSON Schema is of those that OpenAI holds a model to: <https://platform.openai.com/docs/guides/structured-outputs>.
//!
//! It refuses a request whose schema is not, where `strict` is asked for. Who asks in another format has other rules to keep: an object
//! is closed and requires all of its members here, and some keywords are not known.

use alloc::vec::Vec;
use serde_json::value::RawValue;

use crate::{
    json::{self, Str, members},
    map::NameSet,
};

/// OpenAI's own bound of nesting.
const MAX_DEPTH: usize = 10;

/// Keywords that it refuses, as of November 2026.
const REFUSED: &[&str] = &[
    "allOf",
    "contains",
    "default",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "not",
    "oneOf",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
];

/// Whether the answer, or a tool's arguments, can be held to it.
pub(super) fn holds(schema: &RawValue) -> bool {
    members(schema.get()).is_some_and(|found| {
        let is_object = |(name, value): &(Str<'_>, &RawValue)| &**name == "type" && value.get() == r#""object""#;
        found.iter().any(is_object) && !found.iter().any(|(name, _)| &**name == "anyOf")
    }) && fits(schema, 0)
}

fn fits(schema: &RawValue, depth: usize) -> bool {
    let Some(found) = members(schema.get()).filter(|_| depth < MAX_DEPTH) else { return false };
    let deeper = depth.saturating_add(1);
    let all = |schemas: Vec<&RawValue>| schemas.into_iter().all(|schema| fits(schema, deeper));
    let (mut is_object, mut is_closed) = (false, false);
    let (mut required, mut properties): (NameSet<'_>, Vec<Str<'_>>) = (NameSet::default(), Vec::new());
    for (name, value) in found {
        let is_fine = match &*name {
            "type" => {
                is_object |= value.get().contains(r#""object""#);
                true
            }
            "properties" | "$defs" | "definitions" => members(value.get()).is_some_and(|named| {
                let fits = named.iter().all(|(_, schema)| fits(schema, deeper));
                if &*name == "properties" {
                    properties.extend(named.into_iter().map(|(name, _)| name));
                }
                fits
            }),
            "required" => json::read::<Vec<Str<'_>>>(value.get())
                .map(|names| required = names.into_iter().map(|name| name.0).collect())
                .is_ok(),
            "additionalProperties" => {
                is_closed = value.get() == "false";
                is_closed
            }
            "items" => fits(value, deeper),
            "anyOf" => json::read(value.get()).is_ok_and(all),
            name => !REFUSED.contains(&name),
        };
        if !is_fine {
            return false;
        }
    }
    !is_object && properties.is_empty() || is_closed && properties.iter().all(|name| required.contains(&name.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_object_that_requires_all_it_has_can_be_held_to() {
        for (schema, is_held) in [
            (r#"{"type":"object","properties":{},"additionalProperties":false}"#, true),
            (
                r#"{"type":"object","properties":{"a":{"type":["string","null"]}},"required":["a"],"additionalProperties":false}"#,
                true,
            ),
            (
                r##"{"type":"object","properties":{"a":{"type":"array","items":{"$ref":"#/$defs/b"}}},"required":["a"],"additionalProperties":false,"$defs":{"b":{"anyOf":[{"type":"integer","minimum":1},{"type":"null"}]}}}"##,
                true,
            ),
            (r#"{"type":"object","properties":{"a":{}},"additionalProperties":false}"#, false),
            (r#"{"type":"object","properties":{"a":{}},"required":["a"]}"#, false),
            (
                r#"{"type":"object","properties":{"a":{"type":"object"}},"required":["a"],"additionalProperties":false}"#,
                false,
            ),
            (
                r#"{"type":"object","properties":{"a":{"oneOf":[]}},"required":["a"],"additionalProperties":false}"#,
                false,
            ),
            (r#"{"type":"string"}"#, false),
            ("true", false),
        ] {
            assert_eq!(holds(json::read(schema).unwrap()), is_held, "{schema}");
        }
    }
}
