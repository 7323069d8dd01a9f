//! JSON with its fields in the order in which the provider writes them.
//!
//! Its newer APIs write who and what something is first and then the rest in the order of the alphabet; so does this,
//! for a value that was made without regard to order.

use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::Value;

const FIRST: [&str; 9] = ["id", "object", "type", "created_at", "created", "status", "index", "flagged", "role"];
const LAST: [&str; 2] = ["user", "metadata"];

/// A value to be written so.
#[derive(Clone, Copy)]
pub(super) struct Ordered<'v>(pub(super) &'v Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(items) => serializer.collect_seq(items.iter().map(Ordered)),
            Value::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                let named = |names: &'static [&str]| names.iter().filter_map(|name| fields.get_key_value(*name));
                let first = |name: &str| FIRST.contains(&name) || LAST.contains(&name);
                let rest = fields.iter().filter(|(name, _)| !first(name));
                for (name, value) in named(&FIRST).chain(rest).chain(named(&LAST)) {
                    map.serialize_entry(name, &Ordered(value))?;
                }
                map.end()
            }
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_and_what_comes_first_and_the_rest_by_the_alphabet() {
        let value = json!({"b": [{"text": "x", "type": "t"}], "a": 1, "user": null, "status": "s", "id": "i"});
        let written = serde_json::to_string(&Ordered(&value)).unwrap();
        assert_eq!(written, r#"{"id":"i","status":"s","a":1,"b":[{"type":"t","text":"x"}],"user":null}"#);
    }
}
