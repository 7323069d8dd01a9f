//! Arguments of a call that come value by value, each with its `JSONPath`, as Vertex AI streams them where it is asked to
//! (<https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling>), written as one JSON document.
//!
//! The model writes a document from its beginning to its end, so the values come in its order: what has been written is never
//! come back to, and only the way to the last value is remembered. A value that would need more is malformed.

use alloc::{string::String, vec::Vec};
use serde_json::value::RawValue;

use crate::json::{Read, Slot, Spelled, Str, record};

/// Deepest way.
const MAX_DEPTH: usize = 64;

record! {
    /// A value, or a piece of one.
    #[derive(Debug)]
    pub(super) struct PartialArgument<'a> {
        json_path: Option<Str<'a>> = "jsonPath",
        string_value: Option<Str<'a>> = "stringValue",
        number_value: Option<&'a RawValue> = "numberValue",
        bool_value: Option<bool> = "boolValue",
        /// Whatever it is: its one value is written as `null` or by its name.
        null_value: Given = "nullValue",
        will_continue: Option<bool> = "willContinue",
    }
}

/// Whether something is there, whatever it is.
#[derive(Debug)]
struct Given(bool);

impl<'a> Read<'a> for Given {
    const IS_NEEDED: bool = false;

    fn empty() -> Self {
        Self(false)
    }

    fn slot(&mut self) -> Slot<'_, 'a> {
        Slot::Spelled(self)
    }
}

impl Spelled<'_> for Given {
    fn spell(&mut self, _: &str) {
        self.0 = true;
    }
}

/// A document being written.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// The way to the last value: one open container a step.
    way: Vec<Step>,
    string_is_open: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Item(u32),
}

impl Document {
    /// Appends what a value adds to the document.
    ///
    /// # Errors
    /// It does not follow the last one in any document.
    pub(super) fn add(&mut self, argument: &PartialArgument<'_>, out: &mut String) -> Result<(), Malformed> {
        let way = parse(argument.json_path.as_deref().unwrap_or_default()).ok_or(Malformed)?;
        if way == self.way {
            return self.go_on(argument, out);
        }
        if let Some(text) = &argument.string_value {
            self.go(way, out)?;
            out.push('"');
            escape(text, out);
            self.string_is_open = true;
            self.end_string(argument, out);
        } else if let Some(number) = argument.number_value {
            self.go(way, out)?;
            out.push_str(number.get());
        } else if let Some(is_true) = argument.bool_value {
            self.go(way, out)?;
            out.push_str(if is_true { "true" } else { "false" });
        } else if argument.null_value.0 {
            self.go(way, out)?;
            out.push_str("null");
        }
        Ok(())
    }

    /// Appends what the document lacks.
    pub(super) fn finish(mut self, out: &mut String) {
        if self.way.is_empty() {
            out.push_str("{}");
            return;
        }
        self.close_string(out);
        self.close_from(0, out);
    }

    /// The last value goes on, which only a string can.
    fn go_on(&mut self, argument: &PartialArgument<'_>, out: &mut String) -> Result<(), Malformed> {
        let text = argument.string_value.as_deref().unwrap_or_default();
        if !self.string_is_open {
            return if text.is_empty() { Ok(()) } else { Err(Malformed) };
        }
        escape(text, out);
        self.end_string(argument, out);
        Ok(())
    }

    fn end_string(&mut self, argument: &PartialArgument<'_>, out: &mut String) {
        if argument.will_continue != Some(true) {
            self.close_string(out);
        }
    }

    fn close_string(&mut self, out: &mut String) {
        if core::mem::take(&mut self.string_is_open) {
            out.push('"');
        }
    }

    /// Closes and opens containers up to where the next value stands.
    fn go(&mut self, way: Vec<Step>, out: &mut String) -> Result<(), Malformed> {
        let common = self.way.iter().zip(&way).take_while(|(old, new)| old == new).count();
        let next = way.get(common).ok_or(Malformed)?;
        let follows = match (self.way.get(common), next) {
            (None, _) => self.way.is_empty(),
            (Some(Step::Member(_)), Step::Member(_)) => true,
            (Some(Step::Item(old)), Step::Item(new)) => old.checked_add(1) == Some(*new),
            (Some(Step::Member(_)), Step::Item(_)) | (Some(Step::Item(_)), Step::Member(_)) => false,
        };
        let begins = |step: &Step| matches!(step, Step::Member(_) | Step::Item(0));
        if !follows || !way.iter().skip(common.saturating_add(1)).all(begins) {
            return Err(Malformed);
        }
        self.close_string(out);
        if self.way.is_empty() {
            // Arguments are an object.
            if matches!(next, Step::Item(_)) {
                return Err(Malformed);
            }
            out.push('{');
        } else {
            self.close_from(common.saturating_add(1), out);
            out.push(',');
        }
        for (depth, step) in way.iter().enumerate().skip(common) {
            let is_inner = depth > common;
            match step {
                Step::Member(name) => {
                    out.push_str(if is_inner { "{\"" } else { "\"" });
                    escape(name, out);
                    out.push_str("\":");
                }
                Step::Item(_) if is_inner => out.push('['),
                Step::Item(_) => {}
            }
        }
        self.way = way;
        Ok(())
    }

    /// Closes the containers from this depth on.
    fn close_from(&mut self, depth: usize, out: &mut String) {
        for step in self.way.drain(depth.min(self.way.len())..).rev() {
            out.push(if matches!(step, Step::Member(_)) { '}' } else { ']' });
        }
    }
}

/// Reads `$.name[0]['other name']`.
fn parse(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut way = Vec::new();
    while !rest.is_empty() {
        if way.len() == MAX_DEPTH {
            return None;
        }
        let step;
        (step, rest) = if let Some(named) = rest.strip_prefix('.') {
            let end = named.find(['.', '[']).unwrap_or(named.len());
            let (name, rest) = named.split_at(end);
            (Step::Member(name.into()), rest)
        } else if let Some(quoted) = rest.strip_prefix("['") {
            let (name, rest) = quoted.split_once("']")?;
            (Step::Member(name.into()), rest)
        } else if let Some(quoted) = rest.strip_prefix("[\"") {
            let (name, rest) = quoted.split_once("\"]")?;
            (Step::Member(name.into()), rest)
        } else {
            let (number, rest) = rest.strip_prefix('[')?.split_once(']')?;
            (Step::Item(number.parse().ok()?), rest)
        };
        way.push(step);
    }
    (!way.is_empty()).then_some(way)
}

/// Appends a string's inside.
fn escape(text: &str, out: &mut String) {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    out.push_str(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default());
}

/// A value that does not follow on the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn write(values: &[&str]) -> Result<String, Malformed> {
        let (mut document, mut out) = (Document::default(), String::new());
        for value in values {
            document.add(&json::read(value).unwrap(), &mut out)?;
        }
        document.finish(&mut out);
        Ok(out)
    }

    #[test]
    fn values_become_one_document() {
        let values = [
            r#"{"jsonPath":"$.a[0].b","stringValue":"x\"","willContinue":true}"#,
            r#"{"jsonPath":"$.a[0].b","stringValue":"ü","willContinue":true}"#,
            r#"{"jsonPath":"$.a[0].b","stringValue":""}"#,
            r#"{"jsonPath":"$.a[0].c","numberValue":0.50}"#,
            r#"{"jsonPath":"$.a[1].b","boolValue":true}"#,
            r#"{"jsonPath":"$.d['e f'][0][0]","nullValue":"NULL_VALUE"}"#,
            r#"{"jsonPath":"$.d['e f'][0][1]","nullValue":null}"#,
            r#"{"jsonPath":"$.d['e f'][0][2]","stringValue":null,"numberValue":1e400}"#,
            r#"{"jsonPath":"$.g","stringValue":"cut","willContinue":true}"#,
        ];
        let expected = r#"{"a":[{"b":"x\"ü","c":0.50},{"b":true}],"d":{"e f":[[null,null,1e400]]},"g":"cut"}"#;
        assert_eq!(write(&values).unwrap(), expected);
        assert_eq!(write(&[]).unwrap(), "{}");
    }

    #[test]
    fn what_does_not_follow_is_malformed() {
        let first = r#"{"jsonPath":"$.a[0]","numberValue":1}"#;
        for path in ["$", "a", "$.a", "$.a[0].b", "$.a[2]", "$.a['x']", "$[0]", "$.b[1]", "$.a[", "$.a[x]"] {
            let second = alloc::format!(r#"{{"jsonPath":"{path}","numberValue":2}}"#);
            assert_eq!(write(&[first, &second]), Err(Malformed), "{path}");
        }
        let deep = alloc::format!(r#"{{"jsonPath":"${}","numberValue":2}}"#, ".a".repeat(MAX_DEPTH + 1));
        assert_eq!(write(&[&deep]), Err(Malformed));
    }
}
