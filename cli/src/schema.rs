//! The configuration file's JSON Schema, for editors: generated from the declarations that read the file, so that it cannot
//! promise what the reader refuses.
//!
//! It says less than `dragoman check`, which also compares sections with each other and reads inside of texts.

use dragoman_core::config::{Field, Reference, SectionReference, Shape};
use serde_json::{Map, Value, json};

/// The schema of a whole file, as text.
#[must_use]
pub fn document(reference: &Reference) -> String {
    let sections = reference.sections.iter().map(|section| (section.name.to_owned(), object(section)));
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Dragoman's configuration file",
        "$ref": reference.sections.first().map(|document| pointer(document.name)),
        "$defs": sections.collect::<Map<_, _>>(),
    });
    format!("{schema:#}\n")
}

fn pointer(section: &str) -> String {
    format!("#/$defs/{section}")
}

fn object(section: &SectionReference) -> Value {
    let required: Vec<_> = section.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    json!({
        "description": section.doc,
        "type": "object",
        "properties": section.fields.iter().flat_map(spellings).collect::<Map<_, _>>(),
        "required": required,
        "additionalProperties": section.open,
    })
}

/// A field under its name, and where that has two spellings, under both.
fn spellings(field: &Field) -> impl Iterator<Item = (String, Value)> {
    let kebab = field.name.replace('_', "-");
    let second = (kebab != field.name).then_some(kebab);
    let schema = property(field);
    [Some(field.name.to_owned()), second].into_iter().flatten().map(move |name| (name, schema.clone()))
}

fn property(field: &Field) -> Value {
    let mut schema = shape(&field.shape);
    if let Some(entries) = schema.as_object_mut() {
        entries.insert("description".into(), field.doc.into());
        if let Some(default) = field.default.as_ref().and_then(|json| serde_json::from_str::<Value>(json).ok()) {
            entries.insert("default".into(), default);
        }
    }
    schema
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::Flag => json!({ "type": "boolean" }),
        // A bound is of the number, a pattern of the text: each holds where its type is.
        Shape::Whole { min, max } => {
            json!({ "type": ["integer", "string"], "minimum": min, "maximum": max, "pattern": "^[0-9]+$" })
        }
        Shape::Number { what } => json!({ "type": ["number", "string"], "title": what }),
        Shape::Text { what, number: false } => json!({ "type": "string", "title": what }),
        Shape::Text { what, number: true } => json!({ "type": ["string", "number"], "title": what }),
        Shape::Choice(words) => json!({ "enum": words }),
        Shape::List(element) => json!({ "type": "array", "items": self::shape(element) }),
        Shape::Map { name, value } => {
            json!({ "type": "object", "propertyNames": { "title": name }, "additionalProperties": self::shape(value) })
        }
        Shape::Either(shapes) => json!({ "anyOf": shapes.iter().map(self::shape).collect::<Vec<_>>() }),
        Shape::Section(name) => json!({ "$ref": pointer(name) }),
    }
}

#[cfg(test)]
mod tests {
    use dragoman_core::config;

    use super::*;

    #[test]
    fn every_reference_leads_to_a_section() {
        fn follow(value: &Value, schema: &Value) {
            if let Some(target) = value.get("$ref") {
                let target = target.as_str().unwrap().strip_prefix('#').unwrap();
                assert!(schema.pointer(target).is_some(), "{target}");
            }
            let inner: Vec<_> = match value {
                Value::Object(entries) => entries.values().collect(),
                Value::Array(items) => items.iter().collect(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
            };
            for inner in inner {
                follow(inner, schema);
            }
        }
        let schema: Value = serde_json::from_str(&document(&config::reference())).unwrap();
        follow(&schema, &schema);
        assert_eq!(schema["$ref"], "#/$defs/document");
        assert_eq!(schema["$defs"]["document"]["required"], json!(["providers"]));
        assert_eq!(schema["$defs"]["provider"]["properties"]["base-url"]["type"], "string");
        assert_eq!(schema["$defs"]["listen"]["properties"]["concurrency"]["default"], 2);
    }
}
