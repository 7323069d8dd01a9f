//! The file as a whole: read, refused, printed and described.

mod arbitrary;
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
fn ten_mistakes_are_ten_problems_each_with_its_place() {
    let json = r#"{
        "version": 2,
        "listen": {"address": "localhost:8080", "concurency": 2},
        "providers": {
            "openai": {"kind": "bard", "base_url": "ftp://x", "timeouts": {"idle": "60"}},
            "models": {"kind": "openai"}
        },
        "keys": [
            {"id": "a", "sha256": "sk-secret", "providers": ["opnai"], "expires": "tomorrow"},
            {"id": "a", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}
        ],
        "max_body": "32MB"
    }"#;
    assert_eq!(
        pointers(json),
        [
            "/version",
            "/listen/address",
            "/listen/concurency",
            "/providers/models",
            "/providers/openai/kind",
            "/providers/openai/base_url",
            "/providers/openai/timeouts/idle",
            "/keys/0/sha256",
            "/keys/0/expires",
            "/max_body",
            "/keys/1/id",
            "/keys/0/providers/0",
        ]
    );
}

#[test]
fn mistakes_in_ten_sections_are_ten_problems() {
    let json = with(
        r#""teams": {"ml": {"budget": {}}},
        "limits": [{"name": "a", "of": "token", "per": "minute", "max": "many"}],
        "retry": {"attempts": -1},
        "routing": {"r": {"strategy": "splitt", "targets": ["gpt-*"]}},
        "routers": {"r": {"load_balance": {"chats": {}}}},
        "auto": {"task_routes": {"coding": {"hihg": ["m"]}}},
        "policy": {"alpha": 1.5},
        "log": {"content": "all"},
        "models": {"gpt-4o": {}}"#,
    );
    assert_eq!(
        pointers(&json),
        [
            "/models/gpt-4o",
            "/teams/ml/budget",
            "/limits/0/of",
            "/limits/0/max",
            "/retry/attempts",
            "/routing/r/strategy",
            "/routing/r/targets/0",
            "/routers/r/load_balance/chats",
            "/auto/task_routes/coding/hihg",
            "/policy/alpha",
            "/log/content",
        ]
    );
}

#[test]
fn what_was_refused_is_not_compared_with_anything() {
    for (json, expected) in [
        (
            with(r#""keys": [{"id": 1, "sha256": "x"}, {"id": 2, "sha256": "y"}]"#),
            vec!["/keys/0/id", "/keys/0/sha256", "/keys/1/id", "/keys/1/sha256"],
        ),
        (key(r#""providers": [1]"#), vec!["/keys/0/providers/0"]),
        (with(r#""listen": {"address": "x", "admin": "127.0.0.1:8080"}"#), vec!["/listen/address"]),
        (with(r#""listen": {"address": "0.0.0.0:1"}, "keys": 1"#), vec!["/keys"]),
        (provider(r#""enabled": "no""#), vec!["/providers/openai/enabled"]),
        (
            provider(r#""accounts": [{}, {}]"#),
            vec!["/providers/openai/accounts/0/name", "/providers/openai/accounts/1/name"],
        ),
    ] {
        assert_eq!(pointers(&json), expected);
    }
}

#[test]
fn an_unknown_field_comes_with_what_was_meant() {
    assert_eq!(
        problem(&provider(r#""base-ulr": "http://h""#)),
        "/providers/openai/base-ulr: unknown field; did you mean `base_url`?"
    );
    assert_eq!(problem(&with(r#""tls": {"zzz": 1}"#)), "/tls/zzz: unknown field; known here: ca_file");
}

#[test]
fn a_repeated_field_is_a_problem_in_either_spelling() {
    assert_eq!(pointers(&with(r#""max_body": 1, "max-body": 2"#)), ["/max-body"]);
    assert_eq!(pointers(r#"{"providers": {"a": {"kind": "openai"}, "a": {"kind": "openai"}}}"#), ["/providers/a"]);
    assert_eq!(pointers(&provider(r#""headers": {"X-A": "1", "x-a": "2"}"#)), ["/providers/openai/headers/x-a"]);
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
fn no_problem_repeats_a_secret() {
    let secret = "sk-do-not-print";
    for json in [
        provider(&format!(r#""credential": "{secret}""#)),
        provider(&format!(r#""credential": {{"env": "{secret}"}}"#)),
        provider(&format!(r#""credential": {{"value": "{secret} "}}"#)),
        provider(&format!(r#""headers": {{"authorization": "{secret}\n"}}"#)),
        provider(&format!(r#""base_url": "https://user:{secret}@h""#)),
        key(&format!(r#""id": "b", "sha256": "{secret}""#)),
        with(&format!(r#""keys": [{{"id": "a", "sha256": "{secret}"}}]"#)),
    ] {
        let problems = parse(&json).unwrap_err();
        assert!(!format!("{problems:?}").contains(secret), "{problems:?}");
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

#[test]
fn credentials_contradict_themselves_in_no_way() {
    for (fields, pointer) in [
        (r#""credential": {"env": "A"}, "auth": "none""#, "/auth"),
        (r#""credential": {"env": "A", "value": "b"}"#, "/credential"),
        (r#""credential": {}"#, "/credential"),
        (r#""auth": "api_key", "accounts": [{"name": "a"}]"#, "/auth"),
        (r#""credential": {"env": "A"}, "accounts": [{"name": "default"}]"#, "/accounts/0/name"),
        (r#""accounts": [{"name": "a"}, {"name": "b"}, {"name": "a"}]"#, "/accounts/2/name"),
        (r#""accounts": [{"name": "a", "auth": "none", "credential": {"value": "b"}}]"#, "/accounts/0/auth"),
        (r#""accounts": [{"name": "a", "auth": "oauht"}]"#, "/accounts/0/auth"),
        (r#""accounts": [{"name": "a"}, {"name": "b", "cluster": "c"}]"#, "/accounts/1/cluster"),
    ] {
        assert_eq!(pointers(&provider(fields)), [format!("/providers/openai{pointer}")], "{fields}");
    }
}

#[test]
fn a_kind_that_is_not_known_comes_with_those_that_are() {
    let others = crate::provider::OTHERS.iter().map(|(kind, _)| [", ", kind].concat());
    let kinds = others.fold(crate::provider::FIRST.0.to_owned(), |kinds, other| kinds + &other);
    let json = r#"{"providers": {"a": {"kind": "nobody"}}}"#;
    assert_eq!(problem(json), format!("/providers/a/kind: expected one of {kinds}, found `nobody`"));
}

#[test]
fn keys_are_told_apart() {
    let hash = "ab".repeat(32);
    let json = with(&format!(r#""keys": [{{"id": "a", "sha256": "{hash}"}}, {{"id": "b", "sha256": "{hash}"}}]"#));
    assert_eq!(problem(&json), "/keys/1/sha256: is also that of /keys/0");
}

#[test]
fn a_key_names_providers_that_exist() {
    assert_eq!(
        problem(&key(r#""providers": ["openai", "opnai"]"#)),
        "/keys/0/providers/1: there is no such provider; did you mean `openai`?"
    );
}

#[test]
fn a_key_is_accepted_at_some_time() {
    let json = key(r#""not_before": "2026-01-01T00:00:00Z", "expires": "2026-01-01T00:00:00Z""#);
    assert_eq!(pointers(&json), ["/keys/0/expires"]);
}

#[test]
fn listeners_do_not_share_an_address() {
    for (listen, pointer) in [
        (r#""address": "127.0.0.1:1", "admin": "127.0.0.1:1""#, "/listen/admin"),
        (r#""admin": "0.0.0.0:8080""#, "/listen/admin"),
        (r#""envoy_admin": "127.0.0.1:9902""#, "/listen/envoy_admin"),
    ] {
        assert_eq!(pointers(&with(&format!(r#""listen": {{{listen}}}"#))), [pointer]);
    }
    assert!(parse(&with(r#""listen": {"address": "127.0.0.1:1", "admin": "127.0.0.2:1"}"#)).is_ok());
}

#[test]
fn a_gateway_without_keys_is_open_on_loopback_or_by_decision() {
    let open = r#""listen": {"address": "0.0.0.0:8080"}"#;
    assert_eq!(pointers(&with(open)), ["/listen/address"]);
    assert!(parse(&with(&format!(r#"{open}, "auth": {{"required": false}}"#))).is_ok());
    assert!(parse(&key(r#""name": "a""#).replacen('{', &format!("{{{open}, "), 1)).is_ok());
    assert!(parse(&with(r#""listen": {"address": "[::1]:8080"}"#)).is_ok());
}

#[test]
fn some_provider_is_enabled() {
    assert_eq!(problem(&provider(r#""enabled": false"#)), "/providers: no provider is enabled");
    assert_eq!(problem(r#"{"providers": {}}"#), "/providers: no provider is enabled");
    assert_eq!(problem("{}"), "/providers: is required");
}

#[test]
fn a_status_that_is_no_failure_is_not_retried() {
    assert_eq!(
        pointers(&with(r#""retry": {"statuses": [500, 200, "503", 600]}"#)),
        ["/retry/statuses/1", "/retry/statuses/3"]
    );
}

#[test]
fn what_is_not_json_says_where() {
    assert!(problem("{\n  \"providers\": }").contains("line 2 column 16"));
    for json in ["", "{}{}", "\u{feff}{}", "[", "{\"a\":1,}"] {
        assert_eq!(pointers(json), [""], "{json}");
    }
    assert_eq!(pointers("[]"), [""]);
}

#[test]
fn depth_is_no_danger() {
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let objects = format!("{}1{}", r#"{"tls":"#.repeat(20_000), "}".repeat(20_000));
    for json in [deep.clone(), with(&format!(r#""keys": {deep}"#)), with(&format!(r#""x": {objects}"#)), objects] {
        assert!(parse(&json).is_err());
    }
}

/// A section that contains itself, as strategies will.
#[derive(Debug, Clone, PartialEq)]
struct Nest {
    within: Vec<Self>,
}

impl Section for Nest {
    const NAME: &'static str = "nest";
    const DOC: &'static str = "";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self { within: fields.defaulted("within", &collection::List(Nested::new()), vec![], |nest| &nest.within, "") }
    }
}

#[test]
fn a_section_that_contains_itself_is_read_to_a_bounded_depth_and_described_once() {
    let nested = |levels| format!("{}{{}}{}", r#"{"within":["#.repeat(levels), "]}".repeat(levels));
    let read = |json: &str| Reader::document(json, |raw, reader| Nested::<Nest>::new().read(raw, reader));
    let shallow = read(&nested(30)).unwrap();
    assert_eq!(read(&written(&Nested::new(), &shallow, false)), Ok(shallow));
    assert!(read(&nested(5_000)).unwrap_err()[0].message.contains("nested deeper"));

    let mut reference = Reference::default();
    Nested::<Nest>::new().shape(&mut reference);
    assert_eq!(reference.sections.len(), 1);
    assert_eq!(reference.sections[0].fields[0].shape, Shape::List(Box::new(Shape::Section("nest"))));
}

/// Calls `see` with each object of a document that is a section, and its name.
fn walk(
    raw: &RawValue,
    shape: &Shape,
    reference: &Reference,
    see: &mut impl FnMut(&SectionReference, &[(String, String)]),
) {
    match (shape, Node::open(raw).unwrap()) {
        (Shape::Section(name), Node::Object(members)) => {
            let section = reference.sections.iter().find(|section| section.name == *name).unwrap();
            for (member, value) in &members {
                match section.fields.iter().find(|field| field.name == &**member) {
                    Some(field) => walk(value, &field.shape, reference, see),
                    None => assert!(section.open, "{} {}", section.name, &**member),
                }
            }
            let members: Vec<_> =
                members.iter().map(|(name, value)| (name.to_string(), value.get().to_owned())).collect();
            see(section, &members);
        }
        (Shape::Either(shapes), Node::Object(_)) => {
            for shape in shapes {
                walk(raw, shape, reference, see);
            }
        }
        (Shape::List(element), Node::List(elements)) => {
            for value in elements {
                walk(value, element, reference, see);
            }
        }
        (Shape::Map { value, .. }, Node::Object(members)) => {
            for (_, member) in members {
                walk(member, value, reference, see);
            }
        }
        _ => {}
    }
}

fn walk_document(json: &str, see: &mut impl FnMut(&SectionReference, &[(String, String)])) {
    walk(serde_json::from_str(json).unwrap(), &Shape::Section("document"), &reference(), see);
}

#[test]
fn the_reference_has_every_field_and_no_other() {
    let mut seen: Vec<(&str, String)> = Vec::new();
    // Of the places of signing keys a document has one.
    let jwt = |place: &str| with(&format!(r#""auth": {{"jwt": {{"issuer": "i", {place}}}}}"#));
    for document in [FULL.to_owned(), jwt(r#""jwks_file": "f""#), jwt(r#""secret": {"env": "S"}"#)] {
        walk_document(&document, &mut |section, members| {
            seen.extend(members.iter().map(|(member, _)| (section.name, member.clone())));
        });
        assert_eq!(parse(&document).err(), None, "no field is unknown to the reader");
    }
    for section in reference().sections {
        for field in section.fields {
            assert!(
                seen.iter().any(|(name, member)| (*name, member.as_str()) == (section.name, field.name)),
                "{field:?}"
            );
            assert!(!field.doc.is_empty() && field.doc.ends_with('.'), "{field:?}");
        }
    }
}

#[test]
fn the_reference_has_the_defaults_that_reading_gives() {
    let mut compared = BTreeSet::new();
    walk_document(&to_json(&parse(BARE).unwrap()), &mut |section, members| {
        for field in &section.fields {
            // What the document has of lists and mappings is there to show what they hold.
            if let Some(default) = field.default.as_ref().filter(|default| !matches!(default.as_str(), "[]" | "{}")) {
                let read = members.iter().find(|(member, _)| member == field.name).map(|(_, value)| value);
                if section.name != "document" || field.name != "limits_backend" {
                    assert_eq!(read, Some(default), "{} {}", section.name, field.name);
                }
                compared.insert((section.name, field.name));
            }
        }
    });
    for section in reference().sections {
        for field in section.fields.iter().filter(|field| field.default.as_ref().is_some_and(|json| json.len() > 2)) {
            assert!(compared.contains(&(section.name, field.name)), "{} {}", section.name, field.name);
        }
    }
}

#[test]
fn what_is_pending_is_a_field() {
    let of = |name: &str| reference().sections.into_iter().find(|section| section.name == name).unwrap();
    let pending = |section: &SectionReference| section.fields.iter().filter(|field| field.pending.is_some()).count();
    assert_eq!(pending(&of("document")), Config::PENDING.len());
    assert_eq!(pending(&of("key")), Key::PENDING.len());
    assert_eq!(pending(&of("team")), Team::PENDING.len());
    assert_eq!(pending(&of("auth")), Auth::PENDING.len());
    assert_eq!(pending(&of("provider")), Provider::PENDING.len());
    assert_eq!(pending(&of("listen")), Listen::PENDING.len());
    assert_eq!(pending(&of("router")), Router::PENDING.len());
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
