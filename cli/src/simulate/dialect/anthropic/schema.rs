//! What `Anthropic` refuses in a schema that its answers are to satisfy: structured output and strict tools.
//!
//! Objects must be closed, and of the numeric, string and array bounds only the smallest `minItems` are known.

use serde_json::Value;

use crate::simulate::complaint::Complaint;

/// The first thing that is not supported.
pub(super) fn check(schema: &Value, at: &str) -> Result<(), Complaint> {
    match schema {
        Value::Object(fields) => {
            check_object(schema, at)?;
            // Of names that a schema gives itself, the values are schemas; the names are not keywords.
            for (keyword, value) in fields {
                match keyword.as_str() {
                    "properties" | "$defs" | "definitions" => {
                        value.as_object().into_iter().flatten().try_for_each(|(_, schema)| check(schema, at))?;
                    }
                    "items" | "anyOf" | "allOf" => check(value, at)?,
                    _ => {}
                }
            }
            Ok(())
        }
        Value::Array(schemas) => schemas.iter().try_for_each(|schema| check(schema, at)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn check_object(schema: &Value, at: &str) -> Result<(), Complaint> {
    let kinds: Vec<&str> = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.and_then(Value::as_str).into_iter().collect(),
    };
    let invalid = |message: String| Err(Complaint::invalid(format!("{at}: {message}")));
    if kinds.contains(&"object") && schema.get("additionalProperties") != Some(&Value::Bool(false)) {
        return invalid("For 'object' type, 'additionalProperties' must be explicitly set to false".into());
    }
    if schema.get("oneOf").is_some() {
        return invalid("Schema type 'oneOf' is not supported".into());
    }
    for kind in kinds {
        let unsupported: &[&str] = match kind {
            "integer" | "number" => &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
            "string" => &["minLength", "maxLength"],
            "array" => &["maxItems", "uniqueItems"],
            _ => &[],
        };
        if let Some(keyword) = unsupported.iter().find(|keyword| schema.get(**keyword).is_some()) {
            return invalid(format!("For '{kind}' type, property '{keyword}' is not supported"));
        }
        if kind == "array" && schema.get("minItems").and_then(Value::as_u64).is_some_and(|least| least > 1) {
            return invalid("For 'array' type, 'minItems' values other than 0 or 1 are not supported".into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn open_objects_and_bounds_are_refused_wherever_they_are() {
        let closed =
            |properties: Value| json!({"type": "object", "additionalProperties": false, "properties": properties});
        let refused = [
            json!({"type": "object"}),
            closed(json!({"a": {"type": "object", "properties": {}}})),
            closed(json!({"a": {"type": ["integer", "null"], "minimum": 1}})),
            closed(json!({"a": {"type": "array", "items": {"type": "string", "maxLength": 3}}})),
            closed(json!({"a": {"anyOf": [{"type": "null"}, {"type": "array", "minItems": 2}]}})),
            closed(json!({"a": {"oneOf": []}})),
        ];
        for schema in refused {
            assert!(check(&schema, "x").is_err(), "{schema}");
        }
        let fine = closed(json!({"minimum": {"type": "string", "enum": ["a"]}, "b": {"type": "array", "minItems": 1}}));
        assert_eq!(check(&fine, "x"), Ok(()));
    }
}
