//! An example of a JSON Schema: a value that satisfies it, for tool arguments and structured output.
//!
//! Not a validator and not complete: it reads what the providers' strict modes allow (types, enumerations, nesting,
//! references, bounds) and ignores `pattern` and conditions. It never fails: what it cannot read becomes `null`.
//!
//! Invariant: it ends, and soon. A recursive schema is unrolled to a fixed depth; below it only what is required is
//! made, and nothing at all at the very bottom, nor once the example has as many values as any sane one.

use std::cell::Cell;

use serde_json::{Map, Value, json};

const OPTIONAL_DEPTH: usize = 6;
const DEPTH: usize = 24;
/// A schema may ask for a million items.
const MOST: usize = 64;
/// Two references to itself double a schema at every level.
const VALUES: usize = 4096;

/// A value that satisfies `schema`.
pub(super) fn example(schema: &Value) -> Value {
    Reader { root: schema, left: &Cell::new(VALUES) }.value(schema, "value", 0)
}

#[derive(Clone, Copy)]
struct Reader<'s> {
    root: &'s Value,
    left: &'s Cell<usize>,
}

impl Reader<'_> {
    fn value(self, schema: &Value, name: &str, depth: usize) -> Value {
        let left = self.left.get();
        if depth > DEPTH || left == 0 {
            return Value::Null;
        }
        self.left.set(left.saturating_sub(1));
        let deeper = depth.saturating_add(1);
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            return target.map_or(Value::Null, |target| self.value(target, name, deeper));
        }
        if let Some(constant) = schema.get("const") {
            return constant.clone();
        }
        if let Some(first) = schema.get("enum").and_then(|values| values.get(0)) {
            return first.clone();
        }
        if let Some(option) = ["anyOf", "oneOf"].iter().find_map(|key| schema.get(*key)?.get(0)) {
            return self.value(option, name, deeper);
        }
        if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
            return all.iter().map(|part| self.value(part, name, deeper)).reduce(merge).unwrap_or_default();
        }
        match kind(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, name, depth),
            "string" => string(schema, name),
            "integer" => json!(number(schema).0),
            "number" => {
                let (whole, bounded) = number(schema);
                // A fraction shows that the number is not an integer, where no bound forbids it.
                if bounded { json!(whole) } else { json!(1.5) }
            }
            "boolean" => json!(true),
            _ => Value::Null,
        }
    }

    fn object(self, schema: &Value, depth: usize) -> Value {
        let required: Vec<&str> = list(schema, "required").iter().filter_map(Value::as_str).collect();
        let mut object = Map::new();
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            for (name, property) in properties {
                if depth < OPTIONAL_DEPTH || required.contains(&name.as_str()) {
                    object.insert(name.clone(), self.value(property, name, depth.saturating_add(1)));
                }
            }
        }
        for name in required {
            if !object.contains_key(name) {
                object.insert(name.to_owned(), json!(name));
            }
        }
        Value::Object(object)
    }

    fn array(self, schema: &Value, name: &str, depth: usize) -> Value {
        let wanted = usize::from(depth < OPTIONAL_DEPTH);
        let count = bound(schema, "minItems").unwrap_or(0).max(wanted);
        let count = count.min(bound(schema, "maxItems").unwrap_or(MOST)).min(MOST);
        let any = json!({"type": "string"});
        let items = schema.get("items").filter(|items| items.is_object()).unwrap_or(&any);
        let prefix = list(schema, "prefixItems");
        let count = count.max(prefix.len().min(MOST));
        let item = |index| self.value(prefix.get(index).unwrap_or(items), name, depth.saturating_add(1));
        (0..count).map(item).collect()
    }
}

/// The type, also where it must be guessed or is one of several.
fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null")
        }
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "string",
    }
}

fn string(schema: &Value, name: &str) -> Value {
    let text = match schema.get("format").and_then(Value::as_str) {
        Some("date-time") => "2026-01-31T12:00:00Z",
        Some("date") => "2026-01-31",
        Some("time") => "12:00:00Z",
        Some("duration") => "PT1H",
        Some("email") => "someone@example.com",
        Some("hostname") => "example.com",
        Some("ipv4") => "192.0.2.1",
        Some("ipv6") => "2001:db8::1",
        Some("uuid") => "123e4567-e89b-42d3-a456-426614174000",
        Some("uri" | "url") => "https://example.com/",
        _ => name,
    };
    let least = bound(schema, "minLength").unwrap_or(0).min(4096);
    let most = bound(schema, "maxLength").unwrap_or(usize::MAX);
    let padding = least.saturating_sub(text.chars().count());
    Value::String(text.chars().chain(std::iter::repeat_n('x', padding)).take(most).collect())
}

/// An integer within the bounds, and whether there are any.
fn number(schema: &Value) -> (i64, bool) {
    // The smallest and largest integers allowed: 2 for a minimum of 1.5, 1 for an exclusive minimum of 0.
    let floor = |key| schema.get(key).and_then(Value::as_f64).map(f64::floor).map(whole);
    let ceiling = |key| schema.get(key).and_then(Value::as_f64).map(f64::ceil).map(whole);
    let least = [ceiling("minimum"), floor("exclusiveMinimum").map(|least| least.saturating_add(1))];
    let most = [floor("maximum"), ceiling("exclusiveMaximum").map(|most| most.saturating_sub(1))];
    let least = least.into_iter().flatten().max();
    let most = most.into_iter().flatten().min();
    let step = schema.get("multipleOf").and_then(Value::as_i64).filter(|step| *step > 0);
    let mut value = 1.max(least.unwrap_or(1)).min(most.unwrap_or(i64::MAX));
    if least.is_some_and(|least| least > value) {
        value = least.unwrap_or(value);
    }
    if let Some(step) = step {
        // Up to the next multiple; down where that is out of bounds.
        let over = value.checked_rem_euclid(step).unwrap_or(0);
        let up = if over == 0 { value } else { value.saturating_add(step.saturating_sub(over)) };
        value = if most.is_some_and(|most| up > most) { value.saturating_sub(over) } else { up };
    }
    (value, least.is_some() || most.is_some() || schema.get("multipleOf").is_some())
}

#[expect(clippy::cast_possible_truncation, reason = "float to integer saturates, which is what a bound needs")]
fn whole(number: f64) -> i64 {
    number as i64
}

fn bound(schema: &Value, key: &str) -> Option<usize> {
    schema.get(key)?.as_u64().and_then(|bound| usize::try_from(bound).ok())
}

fn list<'s>(schema: &'s Value, key: &str) -> &'s [Value] {
    schema.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn merge(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Object(mut one), Value::Object(other)) => {
            one.extend(other);
            Value::Object(one)
        }
        (one, _) => one,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_is_made_of_its_own_schema() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "days": {"type": "integer", "minimum": 2, "maximum": 5},
                "ratio": {"type": "number"},
                "nested": {"$ref": "#/$defs/point"},
                "maybe": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
                "list": {"type": "array", "items": {"type": ["string", "null"]}, "minItems": 2},
                "when": {"type": "string", "format": "date"},
            },
            "required": ["city", "absent"],
            "$defs": {"point": {"type": "object", "properties": {"x": {"type": "number", "exclusiveMinimum": 3}}}},
        });
        assert_eq!(
            example(&schema),
            json!({
                "city": "city", "unit": "celsius", "days": 2, "ratio": 1.5, "nested": {"x": 4}, "maybe": true,
                "list": ["list", "list"], "when": "2026-01-31", "absent": "absent",
            })
        );
    }

    #[test]
    fn a_recursive_schema_ends() {
        let tree = json!({
            "type": "object", "required": ["children"],
            "properties": {"children": {"type": "array", "items": {"$ref": "#"}}},
        });
        assert!(example(&tree).to_string().len() < 1000);
        assert_eq!(example(&json!({"$ref": "#"})), Value::Null);
        let endless = json!({"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}});
        assert!(example(&endless).to_string().len() < 1000);
        let both = json!({
            "type": "object", "required": ["a", "b"], "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}},
        });
        assert!(example(&both).to_string().len() < 100_000);
    }

    #[test]
    fn numbers_and_lengths_stay_within_their_bounds() {
        let of = |schema: Value| example(&schema);
        assert_eq!(of(json!({"type": "integer", "maximum": -3})), json!(-3));
        assert_eq!(of(json!({"type": "integer", "multipleOf": 5})), json!(5));
        assert_eq!(of(json!({"type": "integer", "minimum": 1.5})), json!(2));
        assert_eq!(of(json!({"type": "string", "maxLength": 2})), json!("va"));
        assert_eq!(of(json!({"type": "string", "minLength": 7})), json!("valuexx"));
        assert_eq!(of(json!({"type": "integer", "minimum": 1e300})), json!(i64::MAX));
        assert_eq!(of(json!({"type": "array", "minItems": u64::MAX})).as_array().unwrap().len(), MOST);
    }

    #[test]
    fn nonsense_becomes_something_harmless() {
        for schema in [json!(null), json!(true), json!([]), json!({"type": 3}), json!({"enum": []})] {
            example(&schema);
        }
        assert_eq!(example(&json!({"$ref": "#/nowhere"})), Value::Null);
        assert_eq!(example(&json!({"type": "array", "items": true})), json!(["value"]));
    }
}
