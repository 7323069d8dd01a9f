//! JSON Schemas in the subset that Anthropic can hold a model to
//! (<https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations>).
//!
//! A schema outside of it is refused by the API. As Anthropic's own SDKs do it, every object is closed and a bound that
//! cannot be enforced (`minimum`, `maxLength` …) is told to the model in the description. What would change the structure,
//! such as a map of any keys or a schema that contains itself, has no counterpart in the subset: the caller must do without.

use alloc::{
    borrow::Cow,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use serde_json::value::RawValue;

use crate::json::{self, Str, members};
use crate::map::{NameMap, NameSet};

/// Deepest nesting of a schema that is looked into.
const MAX_DEPTH: usize = 32;

/// Most references between definitions that are followed.
const MAX_REFERENCES: usize = 500;

/// Formats of strings that can be enforced.
const FORMATS: &[&str] = &["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// Members that say what the value looks like and have no counterpart.
const STRUCTURAL: &[&str] = &[
    "$dynamicRef",
    "contains",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "not",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// The schema in the subset, the same where it is in it already; `None` where it cannot be.
pub(super) fn narrow(schema: &RawValue) -> Option<Cow<'_, RawValue>> {
    let mut narrowing = Narrowing::default();
    narrowing.schema(schema, 0)?;
    if narrowing.contains_itself() {
        return None;
    }
    if !narrowing.changed {
        return Some(Cow::Borrowed(schema));
    }
    RawValue::from_string(narrowing.out).ok().map(Cow::Owned)
}

/// The schema of a tool's arguments, which must say that it is of an object.
pub(super) fn of_object(schema: &RawValue) -> Cow<'_, RawValue> {
    let Some(found) = members(schema.get()).filter(|found| !found.iter().any(|(name, _)| &**name == "type")) else {
        return Cow::Borrowed(schema);
    };
    let rest = schema.get().trim_start().strip_prefix('{').unwrap_or("}");
    let comma = if found.is_empty() { "" } else { "," };
    let text = [r#"{"type":"object""#, comma, rest].concat();
    RawValue::from_string(text).map_or(Cow::Borrowed(schema), Cow::Owned)
}

/// The members of an object; `None` where a name stands twice, of which readers of JSON take one or the other.
fn distinct(raw: &RawValue) -> Option<Vec<(Str<'_>, &RawValue)>> {
    let found = members(raw.get())?;
    let mut names = NameSet::default();
    let is_distinct = found.iter().all(|(name, _)| names.insert(&**name));
    drop(names);
    is_distinct.then_some(found)
}

#[derive(Default)]
struct Narrowing {
    out: String,
    changed: bool,
    /// The number of the definition that is being written.
    within: Option<usize>,
    /// The numbers of the definitions, by where they stand.
    definitions: NameMap<'static, usize>,
    /// Definitions, and what they refer to: at most [`MAX_REFERENCES`].
    references: Vec<(usize, String)>,
}

impl Narrowing {
    fn schema(&mut self, schema: &RawValue, depth: usize) -> Option<()> {
        let found = (depth < MAX_DEPTH).then(|| distinct(schema)).flatten()?;
        let stands = |keyword: &str| found.iter().any(|(name, _)| &**name == keyword);
        let (is_reference, has_any_of) = (stands("$ref"), stands("anyOf"));
        let is_object = found.iter().any(|(name, raw)| match &**name {
            "properties" => true,
            "type" => raw.get().contains("\"object\""),
            _ => false,
        });
        let (mut hints, mut description, mut properties, mut closed) = (String::new(), None, 0_usize, false);
        self.out.push('{');
        let start = self.out.len();
        for (name, raw) in &found {
            match &**name {
                "$defs" | "definitions" => self.definitions(name, raw, start, depth)?,
                "$ref" => self.reference(raw, start)?,
                // What stands beside a reference is about the place, not about the value.
                _ if is_reference => self.changed = true,
                "type" | "title" | "required" | "const" | "default" => self.keep(name, raw, start),
                "enum" => {
                    let values: Vec<&RawValue> = json::read(raw.get()).ok()?;
                    if values.iter().any(|value| value.get().starts_with(['{', '['])) {
                        return None;
                    }
                    self.keep(name, raw, start);
                }
                "description" => description = json::read::<Str<'_>>(raw.get()).ok(),
                "properties" => {
                    properties = self.named(name, raw, start, depth)?;
                }
                "items" => {
                    self.key(name, start);
                    self.schema(raw, depth.saturating_add(1))?;
                }
                "anyOf" | "allOf" => self.list(name, raw, start, depth)?,
                // Both hold at once, which one list cannot say.
                "oneOf" if has_any_of => return None,
                "oneOf" => {
                    self.changed = true;
                    self.list("anyOf", raw, start, depth)?;
                }
                "additionalProperties" if raw.get() == "false" => {
                    closed = true;
                    self.keep(name, raw, start);
                }
                // Other members than the named ones may come, and whoever says so waits for them.
                "additionalProperties" => return None,
                "format" if FORMATS.iter().any(|format| raw.get().trim_matches('"') == *format) => {
                    self.keep(name, raw, start);
                }
                "minItems" if matches!(raw.get(), "0" | "1") => self.keep(name, raw, start),
                // Says which draft is spoken.
                "$schema" | "$id" => self.changed = true,
                name if STRUCTURAL.contains(&name) => return None,
                name => {
                    hints.push_str(if hints.is_empty() { "{" } else { ", " });
                    hints.extend([name, ": ", raw.get()]);
                }
            }
        }
        if is_object && !is_reference && !closed {
            if properties == 0 {
                return None;
            }
            self.changed = true;
            self.key("additionalProperties", start);
            self.out.push_str("false");
        }
        self.describe(description, hints, start);
        self.out.push('}');
        Some(())
    }

    fn describe(&mut self, description: Option<Str<'_>>, mut hints: String, start: usize) {
        if !hints.is_empty() {
            self.changed = true;
            hints.push('}');
        }
        let text = match (description, hints.is_empty()) {
            (None, true) => return,
            (None, false) => hints,
            (Some(description), true) => description.0.into_owned(),
            (Some(description), false) => [&*description, "\n\n", &hints].concat(),
        };
        self.key("description", start);
        self.out.push_str(&serde_json::to_string(&text).unwrap_or_default());
    }

    /// A member's name; `start` is where its object starts.
    fn key(&mut self, name: &str, start: usize) {
        if self.out.len() > start {
            self.out.push(',');
        }
        self.out.push_str(&serde_json::to_string(name).unwrap_or_default());
        self.out.push(':');
    }

    fn keep(&mut self, name: &str, raw: &RawValue, start: usize) {
        self.key(name, start);
        self.out.push_str(raw.get());
    }

    /// Schemas by name; returns how many.
    fn named(&mut self, name: &str, raw: &RawValue, start: usize, depth: usize) -> Option<usize> {
        let found = distinct(raw)?;
        self.key(name, start);
        self.out.push('{');
        let start = self.out.len();
        for (name, schema) in &found {
            self.key(name, start);
            self.schema(schema, depth.saturating_add(1))?;
        }
        self.out.push('}');
        Some(found.len())
    }

    fn list(&mut self, name: &str, raw: &RawValue, start: usize, depth: usize) -> Option<()> {
        self.key(name, start);
        let schemas: Vec<&RawValue> = json::read(raw.get()).ok()?;
        for (index, schema) in schemas.iter().enumerate() {
            self.out.push(if index == 0 { '[' } else { ',' });
            self.schema(schema, depth.saturating_add(1))?;
        }
        self.out.push(']');
        (!schemas.is_empty()).then_some(())
    }

    fn definitions(&mut self, name: &str, raw: &RawValue, start: usize, depth: usize) -> Option<()> {
        self.key(name, start);
        self.out.push('{');
        let start = self.out.len();
        for (definition, schema) in distinct(raw)? {
            self.key(&definition, start);
            let next = self.definitions.len();
            let number = *self.definitions.entry(["#/", name, "/", &definition].concat(), || next)?;
            let outer = self.within.replace(number);
            self.schema(schema, depth.saturating_add(1))?;
            self.within = outer;
        }
        self.out.push('}');
        Some(())
    }

    fn reference(&mut self, raw: &RawValue, start: usize) -> Option<()> {
        let to = json::read::<Str<'_>>(raw.get()).ok().filter(|to| to.starts_with("#/"))?;
        if let Some(within) = self.within {
            (self.references.len() < MAX_REFERENCES).then_some(())?;
            self.references.push((within, to.to_string()));
        }
        self.keep("$ref", raw, start);
        Some(())
    }

    /// Whether following the references leads back: definitions that refer to none that is left are taken away until no
    /// more can be.
    fn contains_itself(&self) -> bool {
        let numbered = self.references.iter().map(|(from, to)| Some((*from, *self.definitions.get(to)?)));
        let mut references: Vec<(usize, usize)> = numbered.flatten().collect();
        loop {
            let before = references.len();
            let mut left = vec![false; self.definitions.len()];
            for (from, _) in &references {
                if let Some(left) = left.get_mut(*from) {
                    *left = true;
                }
            }
            references.retain(|(_, to)| left.get(*to) == Some(&true));
            if references.len() == before {
                return before > 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narrowed(schema: &str) -> Option<String> {
        let raw: &RawValue = serde_json::from_str(schema).unwrap();
        narrow(raw).map(|narrow| narrow.get().to_string())
    }

    #[test]
    fn a_schema_in_the_subset_stays_as_it_is() {
        let schema = r##"{ "type":"object","properties":{"a":{"type":"string","format":"date","description":"d"},
            "b":{"anyOf":[{"$ref":"#/$defs/B"},{"type":"null"}]},"c":{"type":"array","items":{"enum":[1,2]},"minItems":1}},
            "required":["a"],"additionalProperties":false,"$defs":{"B":{"type":"integer"}}}"##;
        assert_eq!(narrowed(schema).as_deref(), Some(schema));
    }

    #[test]
    fn what_cannot_be_enforced_is_told() {
        for (schema, expected) in [
            (
                r#"{"type":"integer","minimum":0,"description":"d"}"#,
                r#"{"type":"integer","description":"d\n\n{minimum: 0}"}"#,
            ),
            (
                r#"{"type":"string","maxLength":5,"pattern":"^a"}"#,
                r#"{"type":"string","description":"{maxLength: 5, pattern: \"^a\"}"}"#,
            ),
            (
                r#"{"type":"object","properties":{"a":{"type":"string"}}}"#,
                r#"{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}"#,
            ),
            (r#"{"oneOf":[{"type":"string"}],"$schema":"x"}"#, r#"{"anyOf":[{"type":"string"}]}"#),
            (r##"{"$ref":"#/$defs/A","description":"d"}"##, r##"{"$ref":"#/$defs/A"}"##),
        ] {
            assert_eq!(narrowed(schema).as_deref(), Some(expected), "{schema}");
        }
    }

    #[test]
    fn what_has_no_counterpart_is_not_narrowed() {
        for schema in [
            r#"{"type":"object"}"#,
            r#"{"type":"object","additionalProperties":{"type":"string"}}"#,
            r#"{"type":"object","properties":{"a":{"type":"null"}},"additionalProperties":true}"#,
            r#"{"oneOf":[{"type":"string"}],"anyOf":[{"type":"null"}]}"#,
            r#"{"type":"object","properties":{"a":true}}"#,
            r##"{"$ref":"#"}"##,
            r#"{"$ref":"https://example.com/schema"}"#,
            r##"{"$ref":"#/$defs/A","$defs":{"A":{"anyOf":[{"$ref":"#/$defs/B"}]},"B":{"type":"array","items":{"$ref":"#/$defs/A"}}}}"##,
            r#"{"enum":[{"a":1}]}"#,
            r#"{"if":{"type":"string"}}"#,
            r#"{"type":"string","type":"null"}"#,
            r#"{"type":"object","properties":{"a":{"type":"null"},"a":{"type":"string"}}}"#,
        ] {
            assert_eq!(narrowed(schema), None, "{schema}");
        }
    }

    #[test]
    fn a_keyword_that_is_repeated_costs_no_more_than_its_bytes() {
        let schema = [r#"{"oneOf":[{}]"#, &r#","oneOf":[{}]"#.repeat(200_000), "}"].concat();
        assert_eq!(narrowed(&schema), None);
        let long = "A".repeat(1 << 20);
        let references = alloc::vec![r##"{"$ref":"#/$defs/B"}"##; MAX_REFERENCES].join(",");
        let schema = |more: &str| {
            [r#"{"$defs":{"B":{"type":"null"},""#, &long, r#"":{"anyOf":["#, &references, more, "]}}}"].concat()
        };
        assert!(narrowed(&schema("")).is_some());
        assert_eq!(narrowed(&schema(r##",{"$ref":"#/$defs/B"}"##)), None);
    }

    #[test]
    fn a_definition_may_be_used_twice() {
        let schema = r##"{"anyOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/B"}],"$defs":{"A":{"$ref":"#/$defs/B"},"B":{"type":"null"}}}"##;
        assert_eq!(narrowed(schema).as_deref(), Some(schema));
    }

    #[test]
    fn arguments_are_an_object() {
        for (schema, expected) in [
            ("{}", r#"{"type":"object"}"#),
            (r#" {"properties":{}}"#, r#"{"type":"object","properties":{}}"#),
            (r#"{"type":"object"}"#, r#"{"type":"object"}"#),
        ] {
            let raw: &RawValue = serde_json::from_str(schema).unwrap();
            assert_eq!(of_object(raw).get(), expected);
        }
    }
}
