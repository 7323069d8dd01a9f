//! The file as a whole: read, refused, printed and described.

mod arbitrary;
mod described;
mod problems;
mod references;

use alloc::{
    borrow::ToOwned,
    boxed::Box,
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::{ops::Range, time::Duration};

use proptest::prelude::*;

use super::{
    fields::{Fields, Section},
    node::Node,
    *,
};
use crate::secret::Secret;

/// Every field of every section.
const FULL: &str = include_str!("tests/full.json");
/// Every section, with nothing in it that need not be.
const BARE: &str = include_str!("tests/bare.json");
const MINIMAL: &str = r#"{"providers": {"openai": {"kind": "openai"}}}"#;

fn pointers(json: &str) -> Vec<String> {
    parse(json).unwrap_err().into_iter().map(|problem| problem.pointer).collect()
}

/// The only problem of a document.
fn problem(json: &str) -> String {
    let problems = parse(json).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].to_string()
}

fn with(section: &str) -> String {
    format!(r#"{{"providers": {{"openai": {{"kind": "openai"}}}}, {section}}}"#)
}

fn provider(fields: &str) -> String {
    format!(r#"{{"providers": {{"openai": {{"kind": "openai", {fields}}}}}}}"#)
}

fn key(fields: &str) -> String {
    with(&format!(r#""keys": [{{"id": "a", "sha256": "{}", {fields}}}]"#, "a".repeat(64)))
}

fn first_account(json: &str) -> Account {
    parse(json).unwrap().providers.remove(0).accounts.remove(0)
}

#[test]
fn what_is_not_written_has_its_default() {
    let config = parse(MINIMAL).unwrap();
    assert_eq!(config.listen.address, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.listen.admin, "127.0.0.1:9902".parse().unwrap());
    assert_eq!((config.listen.concurrency, config.listen.envoy_admin), (2, EnvoyAdmin::FreePort));
    assert_eq!(config.tls.ca_file, None);
    assert_eq!(config.auth.required, None);
    assert_eq!(config.keys, []);
    assert_eq!(config.retry.statuses, [408, 429, 500, 502, 503, 504, 529]);
    assert_eq!(config.retry.deadline, Duration::from_mins(1));
    assert_eq!(config.max_body, 32 << 20);
    let provider = &config.providers[0];
    assert_eq!(provider.base_url.to_string(), "https://api.openai.com/v1");
    assert_eq!(provider.timeouts.total, Duration::from_mins(10));
    assert_eq!(provider.headers, []);
    assert!(provider.enabled);
}

#[test]
fn every_field_can_be_written() {
    let config = parse(FULL).unwrap();
    assert_eq!(config.providers.iter().map(|provider| provider.name.as_str()).collect::<Vec<_>>(), ["openai", "vllm"]);
    assert_eq!(config.providers[0].accounts.len(), 3);
    assert_eq!(
        config.providers[0].headers,
        [
            ("openai-organization".to_owned(), Credential::Value(Secret::new("org-123".to_owned()))),
            ("x-secret".to_owned(), Credential::Env("A_SECRET".to_owned()))
        ]
    );
    assert_eq!(config.keys[0].sha256[0], 0x9f);
    assert_eq!(config.keys[0].expires, Some(1_798_761_600));
}

#[test]
fn an_empty_value_counts_as_not_written() {
    assert_eq!(parse(&with(r#""keys": null, "listen": null, "max_body": null"#)), parse(MINIMAL));
    assert_eq!(pointers(r#"{"providers": null}"#), ["/providers"]);
}

#[test]
fn a_bare_off_that_became_false_is_off() {
    for spelling in ["false", r#""off""#] {
        let config = parse(&with(&format!(r#""listen": {{"envoy_admin": {spelling}}}"#))).unwrap();
        assert_eq!(config.listen.envoy_admin, EnvoyAdmin::Off);
    }
}

#[test]
fn an_unwritten_credential_is_not_configured_unless_the_server_is_ones_own() {
    let not_configured = Account::new("default", None, AuthMode::ApiKey);
    let open = Account { auth: AuthMode::None, ..not_configured.clone() };
    assert_eq!(first_account(MINIMAL), not_configured);
    assert_eq!(first_account(&provider(r#""auth": "none""#)), open);
    assert_eq!(first_account(&provider(r#""base_url": "http://127.0.0.1:8000/v1""#)), open);
    assert_eq!(first_account(&provider(r#""base_url": "http://h", "auth": "api_key""#)), not_configured);
    assert_eq!(
        first_account(&provider(r#""base_url": "http://h", "accounts": [{"name": "default"}]"#)),
        not_configured
    );
}

proptest! {
    #[test]
    fn a_configuration_is_printed_as_it_is_read(config in arbitrary::config()) {
        prop_assert_eq!(parse(&to_json(&config)), Ok(config.clone()));
        let plugin = Plugin::Ingress(Box::new(config));
        prop_assert_eq!(Plugin::parse(&plugin.to_json()), Ok(plugin));
    }

    #[test]
    fn a_document_with_parts_left_out_is_refused_or_printed_as_it_is_read(kept in prop::collection::vec(prop::bool::weighted(0.9), 400)) {
        let mut kept = kept.into_iter();
        let document = leave_out(serde_json::from_str(FULL).unwrap(), &mut || kept.next().unwrap_or(true));
        match parse(&document) {
            Ok(config) => {
                prop_assert_eq!(parse(&to_json(&config)), Ok(config.clone()));
                prop_assert_eq!(parse(&to_brief_json(&config)), Ok(config));
            }
            Err(problems) => prop_assert!(!problems.is_empty()),
        }
    }

    #[test]
    fn any_text_is_read_or_refused(json in any::<String>()) {
        let _ = parse(&json);
    }

    #[test]
    fn a_damaged_document_is_read_or_refused(at in 0..FULL.len(), length in 0..40_usize,
            put in prop_oneof!["[\\[\\]{}:,\"0-9a-z\\\\]{0,6}", Just("null".to_owned()), Just("\"\\ud800\"".to_owned())]) {
        if let Err(problems) = parse(&changed(at..at.saturating_add(length).min(FULL.len()), &put)) {
            prop_assert!(!problems.is_empty());
        }
    }

    #[test]
    fn a_value_of_another_type_is_a_problem_at_its_place_only(index in any::<prop::sample::Index>(),
            put in prop_oneof![Just("{\"$\":1}"), Just("[[]]"), Just("\"\\u0000\""), Just("-1.5e300")]) {
        let values = scalar_values();
        let document = changed(values[index.index(values.len())].clone(), put);
        if let Err(problems) = parse(&document) {
            let first = &problems[0].pointer;
            prop_assert!(first.len() > 1);
            // A mapping may be what is expected there; then its members are wrong.
            let place = if put.starts_with('{') { first.rsplit_once('/').unwrap().0 } else { first };
            prop_assert!(problems.iter().all(|problem| problem.pointer.starts_with(place)), "{:?}", problems);
        } else {
            prop_assert!(document.contains("\"description\": \"\\u0000\""));
        }
    }
}

/// A value without what is not to be kept, but with all that nearly everything else refers to.
fn leave_out(raw: &RawValue, keep: &mut impl FnMut() -> bool) -> String {
    match Node::open(raw).unwrap() {
        Node::Object(members) => {
            let needed = |name: &str| matches!(name, "providers" | "kind" | "strategy" | "name" | "id");
            let kept = members.into_iter().filter(|(name, _)| needed(name) || keep()).collect::<Vec<_>>();
            let kept = kept.iter().map(|(name, value)| format!("\"{}\": {}", &**name, leave_out(value, keep)));
            format!("{{{}}}", kept.collect::<Vec<_>>().join(","))
        }
        Node::List(elements) => {
            let kept = elements.into_iter().filter(|_| keep()).collect::<Vec<_>>();
            format!("[{}]", kept.iter().map(|element| leave_out(element, keep)).collect::<Vec<_>>().join(","))
        }
        Node::Null | Node::Flag(_) | Node::Number(_) | Node::Text(_) => raw.get().to_owned(),
    }
}

/// The full document with another text in one place.
fn changed(place: Range<usize>, put: &str) -> String {
    let mut document = FULL.to_owned();
    document.replace_range(place, put);
    document
}

/// Where the members of the full document stand whose value is one scalar.
fn scalar_values() -> Vec<Range<usize>> {
    let value = |(at, colon): (usize, &str)| {
        let start = at.saturating_add(colon.len());
        let rest = FULL.get(start..)?;
        let length = rest.find([',', '}', '\n'])?;
        let is_scalar = !rest.get(..length)?.contains(['{', '[']);
        is_scalar.then_some(start..start.saturating_add(length))
    };
    FULL.match_indices("\": ").filter_map(value).collect()
}

#[test]
fn kebab_case_and_numbers_as_text_read_alike() {
    let mut kebab = FULL.to_owned();
    for section in reference().sections {
        for field in section.fields {
            kebab = kebab.replace(&format!("\"{}\":", field.name), &format!("\"{}\":", field.name.replace('_', "-")));
        }
    }
    assert_ne!(kebab, FULL);
    assert_eq!(parse(&kebab), parse(FULL));

    let quoted = FULL
        .replace("\"version\": 1", "\"version\": \"1\"")
        .replace("[429, 503]", "[\"429\", \"503\"]")
        .replace("\"concurrency\": 4", "\"concurrency\": \"4\"");
    assert_eq!(quoted.len(), FULL.len() + 8);
    assert_eq!(parse(&quoted), parse(FULL));
}
