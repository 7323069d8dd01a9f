//! A document without the secrets in it: in the place of each stands the name of a variable, by where it stands. So a configuration that is
//! exported is one that can be loaded, and lacks what it must not tell until somebody says it.

use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
    vec::Vec,
};

use serde_json::value::RawValue;

use crate::{
    change::{CREDENTIALS, HOLDERS},
    json::{Composed, listed, member, members, read},
};

/// What stands at this place of the document, without secrets.
pub(super) fn without_secrets(text: &str, path: &mut Vec<String>) -> String {
    if is_secret(text, path) {
        let mut variable = Composed::default();
        variable.text("env", &variable_of(path));
        return variable.end();
    }
    if let Some(members) = members(text) {
        let mut object = Composed::default();
        for (name, value) in members {
            path.push(name.to_string());
            object.any(&name, &without_secrets(value.get(), path));
            path.pop();
        }
        return object.end();
    }
    let Ok(elements) = read::<Vec<&RawValue>>(text) else { return text.to_owned() };
    listed(elements.iter().enumerate().map(|(at, element)| {
        // An account has a name, which tells more than its place.
        let name = members(element.get()).and_then(|members| Some(member(&members, "name")?.get().to_owned()));
        path.push(name.unwrap_or_else(|| at.to_string()));
        let element = without_secrets(element.get(), path);
        path.pop();
        element
    }))
}

fn is_secret(text: &str, path: &[String]) -> bool {
    if text.starts_with('{') {
        return is_credential(path) && members(text).is_some_and(|members| member(&members, "value").is_some());
    }
    // A provider's header may be written as it is. Those of rules are conditions.
    let is_header = path.len() == 4 && path.first().is_some_and(|section| section == "providers");
    text.starts_with('"') && is_header && is_one(path.iter().nth_back(1), HOLDERS)
}

/// Whether what stands there says where a secret is found.
fn is_credential(path: &[String]) -> bool {
    let mut up = path.iter().rev();
    let (last, holder) = (up.next(), up.next());
    is_one(last, CREDENTIALS) || is_one(holder, HOLDERS)
}

fn is_one(name: Option<&String>, of: &[&str]) -> bool {
    name.is_some_and(|name| of.contains(&name.as_str()))
}

/// `PROVIDERS_OPENAI_CREDENTIAL`.
fn variable_of(path: &[String]) -> String {
    let upper = |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte.to_ascii_uppercase()) } else { '_' };
    path.join("_").trim_matches('"').bytes().filter(|byte| *byte != b'"').map(upper).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_place_of_a_secret_stands_where_it_is_to_come_from() {
        let document = r#"{"providers":{"o":{"credential":{"value":"sk-canary"},"headers":{"x-a":"canary","x-b":{"env":"B"}},
            "accounts":[{"name":"eu","credential":{"value":"canary"}}]}},"keys":[{"id":"k","labels":{"value":"gold"},
            "byok":{"credentials":{"o":{"value":"canary"}}}}],"auth":{"jwt":{"secret":{"value":"canary"}}},
            "routers":{"r":{"rules":[{"when":{"headers":{"x-tier":"gold"}}}]}}}"#;
        let told = without_secrets(document, &mut Vec::new());
        assert!(!told.contains("canary"), "{told}");
        for kept in [
            r#""credential":{"env":"PROVIDERS_O_CREDENTIAL"}"#,
            r#""x-a":{"env":"PROVIDERS_O_HEADERS_X_A"},"x-b":{"env":"B"}"#,
            r#"{"env":"PROVIDERS_O_ACCOUNTS_EU_CREDENTIAL"}"#,
            r#""labels":{"value":"gold"}"#,
            r#"{"x-tier":"gold"}"#,
            r#"{"env":"AUTH_JWT_SECRET"}"#,
        ] {
            assert!(told.contains(kept), "{kept} in {told}");
        }
    }
}
