//! What a file says that the gateway does not act on yet.
//!
//! Every section is read and checked, so that a file can be written for what the gateway will do. Which fields those are, the
//! declarations say; here they are found in a document. Some are no more than missed. Others somebody relies on for money or
//! access, and a gateway that ignored them would be another one than the file describes: such a file is checked, and not run.

use dragoman_core::config::{self, Config, Problem, Reference, Shape, Silence, step};
use serde_json::Value;

/// A field that is written and not acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Where it stands, as a JSON pointer.
    pub pointer: String,
    /// What ignoring it means.
    pub silence: Silence,
}

/// All that is written in the file and not acted on, in the order of the reference.
#[must_use]
pub fn find(config: &Config) -> Vec<Pending> {
    let reference = config::reference();
    let mut found = Vec::new();
    let document = serde_json::from_str(&config::to_brief_json(config)).unwrap_or_default();
    if let Some(root) = reference.sections.first() {
        walk(&document, &Shape::Section(root.name), "", &reference, &mut found);
    }
    found
}

/// Refuses a file that the gateway would not be true to.
///
/// # Errors
/// With each field that must not be ignored.
pub fn refuse(config: &Config) -> Result<(), Vec<Problem>> {
    let relied_on = find(config).into_iter().filter(|pending| pending.silence == Silence::Unsafe);
    let problems: Vec<_> = relied_on
        .map(|Pending { pointer, .. }| Problem {
            pointer,
            message: format!("{}; `dragoman check` passes", config::NOT_ACTED_ON),
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn walk(value: &Value, shape: &Shape, at: &str, reference: &Reference, found: &mut Vec<Pending>) {
    match (shape, value) {
        (Shape::Section(name), Value::Object(members)) => {
            let section = reference.sections.iter().find(|section| section.name == *name);
            for field in section.iter().flat_map(|section| &section.fields) {
                let Some(value) = members.get(field.name) else { continue };
                let pointer = format!("{at}{}", step(field.name));
                match field.pending {
                    Some(silence) => found.push(Pending { pointer, silence }),
                    None => walk(value, &field.shape, &pointer, reference, found),
                }
            }
        }
        (Shape::List(element), Value::Array(values)) => {
            for (index, value) in values.iter().enumerate() {
                walk(value, element, &format!("{at}/{index}"), reference, found);
            }
        }
        (Shape::Map { value: shape, .. }, Value::Object(members)) => {
            for (name, value) in members {
                walk(value, shape, &format!("{at}{}", step(name)), reference, found);
            }
        }
        (Shape::Either(shapes), _) => {
            for shape in shapes {
                walk(value, shape, at, reference, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(file: &str) -> Vec<(String, Silence)> {
        let found = find(&config::parse(file).unwrap());
        found.into_iter().map(|Pending { pointer, silence }| (pointer, silence)).collect()
    }

    #[test]
    fn what_is_as_by_default_is_no_news() {
        let file = r#"{"providers": {"a": {"kind": "openai", "accounts": [{"name": "b", "weight": "1.0"}]}},
            "limits": [], "cache": {"max_bytes": "65536KiB"}, "catalogue": {"strict": false}}"#;
        assert_eq!(pointers(file), []);
    }

    #[test]
    fn each_field_is_found_where_it_stands() {
        let file = r#"{"providers": {"a": {"kind": "gemini", "dialect": "openai"}},
            "keys": [{"id": "k", "sha256": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752", "cost_tags": ["c"]}],
            "teams": {"x/y": {"budgets": {"daily_usd": 1}}, "z": {}},
            "retry": {"attempts": 0, "deadline": "1s"}, "log": {"ring": 1, "redact": ["x"]}, "auth": {"jwt": {"issuer": "i", "jwks_file": "f"}}}"#;
        let expected = [("/providers/a/dialect", Silence::Harmless)];
        assert_eq!(pointers(file), expected.map(|(pointer, silence)| (pointer.to_owned(), silence)));
    }
}
