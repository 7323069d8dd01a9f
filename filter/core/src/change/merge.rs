//! A merge patch (RFC 7396), on text: numbers keep their spelling, and what is not patched its bytes.
//!
//! A member may be written `base_url` or `base-url`; both are the same one. One thing is not as the standard has it: where a credential is
//! found is said whole, so that a value stands in the place of a variable, and not beside it.

use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
    vec::Vec,
};

use crate::json::{Composed, members};

/// Members that are a credential, and those that hold several.
pub(crate) const CREDENTIALS: &[&str] = &["credential", "secret"];
pub(crate) const HOLDERS: &[&str] = &["credentials", "headers"];

/// A document with a patch in it.
pub(crate) fn merge(document: &str, patch: &str) -> String {
    // What is merged into a document can always be.
    patched(document, patch, (false, false)).unwrap_or_default()
}

/// A patch that does what this one and then the other does. `None` where no patch does: the one takes away, or replaces, what the
/// other writes members of.
pub(crate) fn compose(first: &str, then: &str) -> Option<String> {
    patched(first, then, (true, false))
}

/// Whether two names are of the same member.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let snake = |byte| if byte == b'-' { b'_' } else { byte };
    one.bytes().map(snake).eq(other.bytes().map(snake))
}

/// `is_patch`: the document is a patch itself, and what is taken away must be said in it. `holds`: its members are credentials.
fn patched(document: &str, patch: &str, (is_patch, holds): (bool, bool)) -> Option<String> {
    let Some(patches) = members(patch) else { return Some(patch.to_owned()) };
    let before = members(document);
    if is_patch && before.is_none() {
        return None;
    }
    let before = before.unwrap_or_default();
    let mut merged: Vec<(String, String)> =
        before.into_iter().map(|(name, value)| (name.to_string(), value.get().to_owned())).collect();
    for (name, value) in patches {
        let value = value.get();
        let at = merged.iter().position(|(other, _)| is_same(other, &name));
        match at.and_then(|at| merged.get_mut(at)) {
            Some(_) if value == "null" && !is_patch => merged.retain(|(other, _)| !is_same(other, &name)),
            Some((_, before)) if holds || CREDENTIALS.contains(&&*name) => {
                *before = if is_patch { value.to_owned() } else { patched("null", value, (false, false))? };
            }
            Some((_, before)) => *before = patched(before, value, (is_patch, HOLDERS.contains(&&*name)))?,
            None if value == "null" && !is_patch => {}
            None if is_patch => merged.push((name.to_string(), value.to_owned())),
            // What was not there is made of the patch as of nothing: the nulls in it go.
            None => merged.push((name.to_string(), patched("null", value, (false, false))?)),
        }
    }
    let mut object = Composed::default();
    for (name, value) in merged {
        object.any(&name, &value);
    }
    Some(object.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 7396, Appendix A.
    const EXAMPLES: &[(&str, &str, &str)] = &[
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
        (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
        (r#"{"a":"foo"}"#, "null", "null"),
        (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
        ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
        ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
    ];

    #[test]
    fn what_the_standard_shows_is_what_comes_out() {
        for (document, patch, merged) in EXAMPLES {
            assert_eq!(merge(document, patch), *merged, "{document} and {patch}");
        }
    }

    /// Members have no order.
    fn sorted(document: &str) -> Vec<(String, String)> {
        let members = members(document).unwrap_or_default().into_iter();
        let mut members: Vec<_> = members.map(|(name, value)| (name.to_string(), value.get().to_owned())).collect();
        members.sort();
        members
    }

    #[test]
    fn two_patches_in_one_do_what_they_do_one_after_the_other() {
        for (document, first, _) in EXAMPLES {
            for (_, then, _) in EXAMPLES {
                if let Some(both) = compose(first, then) {
                    let (at_once, in_turn) = (merge(document, &both), merge(&merge(document, first), then));
                    assert_eq!(sorted(&at_once), sorted(&in_turn), "{document}, {first}, {then}");
                }
            }
        }
    }

    #[test]
    fn no_patch_writes_into_what_another_has_replaced() {
        for (first, then) in [(r#"{"a":"b"}"#, r#"{"a":{"c":1}}"#), (r#"{"a":null}"#, r#"{"a":{"c":1}}"#), ("1", "{}")]
        {
            assert_eq!(compose(first, then), None, "{first}, {then}");
        }
        assert_eq!(compose(r#"{"a":{"b":1}}"#, r#"{"a":{"b":null}}"#).unwrap(), r#"{"a":{"b":null}}"#);
    }

    #[test]
    fn a_credential_is_given_in_the_place_of_another_one_and_nothing_else_is_touched() {
        for (document, patch, merged) in [
            (
                r#"{"credential":{"env":"A"},"b":1}"#,
                r#"{"credential":{"value":"x"}}"#,
                r#"{"credential":{"value":"x"},"b":1}"#,
            ),
            (
                r#"{"credential":{"value":"x"}}"#,
                r#"{"credential":{"env":"A","value":null}}"#,
                r#"{"credential":{"env":"A"}}"#,
            ),
            (r#"{"credential":{"env":"A"}}"#, r#"{"credential":null}"#, "{}"),
            (
                r#"{"headers":{"a":{"value":"x"},"b":"y"}}"#,
                r#"{"headers":{"a":{"env":"A"}}}"#,
                r#"{"headers":{"a":{"env":"A"},"b":"y"}}"#,
            ),
            (
                r#"{"byok":{"credentials":{"p":{"env":"A"}},"c":1}}"#,
                r#"{"byok":{"credentials":{"p":{"value":"x"}}}}"#,
                r#"{"byok":{"credentials":{"p":{"value":"x"}},"c":1}}"#,
            ),
            (r#"{"labels":{"env":"prod"}}"#, r#"{"labels":{"value":"x"}}"#, r#"{"labels":{"env":"prod","value":"x"}}"#),
        ] {
            assert_eq!(merge(document, patch), merged);
            assert_eq!(
                merge(document, &compose(r#"{"credential":{"value":"z"}}"#, patch).unwrap()),
                merge(&merge(document, r#"{"credential":{"value":"z"}}"#), patch)
            );
        }
    }

    #[test]
    fn names_that_need_escapes_and_both_spellings_are_kept() {
        assert_eq!(merge(r#"{"a\"b":1,"base-url":2}"#, r#"{"base_url":3}"#), r#"{"a\"b":1,"base-url":3}"#);
    }
}
