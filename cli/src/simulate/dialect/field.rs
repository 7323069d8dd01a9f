//! Fields of a JSON value by pointer, read leniently: one of another type is as good as absent.

use serde_json::Value;

pub(super) fn string<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer)?.as_str()
}

pub(super) fn number(value: &Value, pointer: &str) -> Option<usize> {
    value.pointer(pointer)?.as_u64().and_then(|number| usize::try_from(number).ok())
}

pub(super) fn is(value: &Value, pointer: &str, expected: bool) -> bool {
    value.pointer(pointer).and_then(Value::as_bool) == Some(expected)
}

pub(super) fn list<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// The items of a list by pointer, or the one string that stands in its place.
pub(super) fn strings(value: &Value, pointer: &str) -> Vec<String> {
    let items = string(value, pointer).into_iter().chain(list(value, pointer).filter_map(Value::as_str));
    items.map(str::to_owned).collect()
}
