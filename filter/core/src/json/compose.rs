//! An object that the gateway writes itself, member by member: what is told of requests and to operators.
//!
//! Each way to add a member is compiled once, and called: there are some hundred of them in the module.

use alloc::{format, string::String};

use super::{push_plain, quoted};

/// An object without its end.
#[derive(Debug, Default)]
pub(crate) struct Composed(String);

impl Composed {
    /// One with room for a usual record.
    pub(crate) fn new() -> Self {
        Self(String::with_capacity(512))
    }

    #[inline(never)]
    fn name(&mut self, name: &str) {
        self.0.push_str(if self.0.is_empty() { "{\"" } else { ",\"" });
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    /// A member of any name, that is JSON already.
    #[inline(never)]
    pub(crate) fn any(&mut self, name: &str, value: &str) {
        let name = quoted(name);
        self.json(name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or_default(), value);
    }

    /// A member that is JSON already.
    #[inline(never)]
    pub(crate) fn json(&mut self, name: &str, value: &str) {
        self.name(name);
        self.0.push_str(value);
    }

    #[inline(never)]
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.0.push('"');
        push_plain(&mut self.0, value);
        self.0.push('"');
    }

    /// A text, where there is one.
    #[inline(never)]
    pub(crate) fn some_text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.text(name, value);
        }
    }

    #[inline(never)]
    pub(crate) fn whole(&mut self, name: &str, value: u64) {
        self.name(name);
        push_whole(&mut self.0, value);
    }

    #[inline(never)]
    pub(crate) fn flag(&mut self, name: &str, value: bool) {
        self.json(name, if value { "true" } else { "false" });
    }

    /// A list of what is JSON already.
    pub(crate) fn list<T: AsRef<str>>(&mut self, name: &str, values: impl IntoIterator<Item = T>) {
        self.name(name);
        append_list(&mut self.0, values);
    }

    /// The whole object.
    #[inline(never)]
    pub(crate) fn end(mut self) -> String {
        if self.0.is_empty() {
            return "{}".into();
        }
        self.0.push('}');
        self.0
    }

    /// The whole object, with the members of another one behind its own.
    #[inline(never)]
    pub(crate) fn end_with(self, rest: &str) -> String {
        let members = rest.strip_prefix('{').unwrap_or_default();
        if members == "}" {
            return self.end();
        }
        if self.0.is_empty() { rest.into() } else { format!("{},{members}", self.0) }
    }
}

/// A list of what is JSON already.
pub(crate) fn listed<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> String {
    let mut list = String::new();
    append_list(&mut list, values);
    list
}

fn append_list<T: AsRef<str>>(out: &mut String, values: impl IntoIterator<Item = T>) {
    let mut before = '[';
    for value in values {
        out.push(before);
        out.push_str(value.as_ref());
        before = ',';
    }
    out.push_str(if before == '[' { "[]" } else { "]" });
}

/// Writes a whole number. To make a text of it first would cost memory of its own.
pub(crate) fn push_whole(out: &mut String, number: u64) {
    // No number of 64 bits has more digits.
    let (mut digits, mut rest, mut length) = ([0; 20], number, 0_usize);
    for digit in digits.iter_mut().rev() {
        *digit = rest % 10;
        (rest, length) = (rest / 10, length.saturating_add(1));
        if rest == 0 {
            break;
        }
    }
    let written = digits.len().saturating_sub(length);
    let written = digits.iter().skip(written).filter_map(|digit| char::from_digit(u32::try_from(*digit).ok()?, 10));
    out.extend(written);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stand_in_the_order_in_which_they_were_told() {
        assert_eq!(Composed::new().end(), "{}");
        assert_eq!(Composed::new().end_with("{}"), "{}");
        let mut object = Composed::new();
        object.text("a", "x\"y");
        object.some_text("b", "");
        object.whole("c", u64::MAX);
        object.flag("d", true);
        object.list("e", ["1", "{}"]);
        object.list::<&str>("f", []);
        object.any("\"h\"", "0");
        object.whole("i", 0);
        object.text("j", "\n\\");
        let whole = object.end_with("{\"g\":null}");
        assert_eq!(
            whole,
            r#"{"a":"x\"y","c":18446744073709551615,"d":true,"e":[1,{}],"f":[],"\"h\"":0,"i":0,"j":"\n\\","g":null}"#
        );
    }
}
