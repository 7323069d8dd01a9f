//! JSON values written as YAML that people read: names first, one value a line, strings never folded.

use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_saphyr::LitStr;

/// The document as text.
///
/// # Errors
/// When the writer refuses a value.
pub(super) fn write(document: &Value) -> Result<String, serde_saphyr::SerializeError> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false, min_fold_chars: 0 };
    serde_saphyr::to_string_with_options(&Ordered(document), options).map(|body| format!("{}\n", body.trim_end()))
}

/// A text under the line that says where it comes from: `dragoman render VERB`.
pub(super) fn headed(verb: &str, text: &str) -> String {
    format!("# Rendered by `dragoman render {verb}`; edit the source file, not this one.\n{text}")
}

/// Writes `name` and `@type` before the other keys, which stay sorted.
struct Ordered<'a>(&'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(items) => serializer.collect_seq(items.iter().map(Ordered)),
            Value::Object(entries) => {
                let rank = |key: &str| match key {
                    "name" => 0,
                    "@type" => 1,
                    _ => 2,
                };
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_by_key(|(key, _)| rank(key));
                serializer.collect_map(entries.into_iter().map(|(key, value)| (key, Ordered(value))))
            }
            // JSON within a string stays readable: no escapes.
            Value::String(text) if text.contains('"') => LitStr(text).serialize(serializer),
            scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                scalar.serialize(serializer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_come_first_and_what_is_written_reads_back_the_same() {
        let long = format!("{{\"role\":\"ingress\",\"text\":\"{}\"}}", "a b: #".repeat(100));
        let document = json!({
            "alpha": [1, 2.5, true, null, {}, []], "name": "x", "@type": "t", "off": "off", "port": "8080", "plugin": long,
            "multi": "one\ntwo\n",
        });
        let text = write(&document).unwrap();
        assert!(text.starts_with("name: x\n"), "{text}");
        assert_eq!(headed("envoy", "a: 1\n").lines().nth(1), Some("a: 1"));
        assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), document);
    }
}
