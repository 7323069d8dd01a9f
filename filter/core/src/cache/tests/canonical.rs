//! Which requests are the same question.

use alloc::{string::ToString, vec};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn same(one: &str, other: &str) -> bool {
    let asked = |body| asked(&Caller::Anonymous, &[], body).expect("something is asked");
    asked(one) == asked(other)
}

#[test]
fn how_a_document_is_written_makes_no_difference() {
    for (one, other) in [
        (r#"{"a":1,"b":[true,null]}"#, "\n{ \"b\" : [ true , null ] ,\t\"a\" : 1 }"),
        (r#"{"a":{"x":1,"y":{"p":1,"q":2}}}"#, r#"{"a":{"y":{"q":2,"p":1},"x":1}}"#),
        (r#"{"a":"café/\n\"\\"}"#, r#"{"a":"caf\u00e9\/\u000a\u0022\u005C"}"#),
        (r#"{"a":"😀x"}"#, r#"{"\u0061":"\ud83d\uDE00x"}"#),
        (r#"{"a":0.50,"b":1.0,"c":-0.0,"d":2E5}"#, r#"{"a":0.5,"b":1,"c":0,"d":2e5}"#),
    ] {
        assert!(same(one, other), "{one} {other}");
    }
}

#[test]
fn what_a_document_says_makes_one() {
    let documents = [
        r"{}",
        r#"{"a":{}}"#,
        r#"{"a":[]}"#,
        r#"{"a":""}"#,
        r#"{"a":null}"#,
        r#"{"a":false}"#,
        r#"{"a":0}"#,
        r#"{"a":"0"}"#,
        r#"{"a":10}"#,
        r#"{"a":1}"#,
        r#"{"a":-1}"#,
        r#"{"a":["b"]}"#,
        r#"{"a":["b",""]}"#,
        r#"{"a":["","b"]}"#,
        r#"{"a":[["b"],[]]}"#,
        r#"{"a":[[],["b"]]}"#,
        r#"{"a":[1,2]}"#,
        r#"{"a":[2,1]}"#,
        r#"{"a":[12]}"#,
        r#"{"a":"b"}"#,
        r#"{"b":"a"}"#,
        r#"{"ab":""}"#,
        r#"{"a":"b","c":"d"}"#,
        r#"{"a":"d","c":"b"}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"a":2,"a":1}"#,
        r#"{"a":"\ud83d"}"#,
        r#"{"a":"\ude00"}"#,
        r#"{"a":"\ude00\ud83d"}"#,
        r#"{"a":"\ufffd"}"#,
        r#"{"a":{"b":1},"c":{"d":1}}"#,
        r#"{"a":{"d":1},"c":{"b":1}}"#,
    ];
    for (place, one) in documents.iter().enumerate() {
        for other in &documents[..place] {
            assert!(!same(one, other), "{one} {other}");
        }
    }
}

#[test]
fn who_asks_and_where_makes_a_difference() {
    let body = r#"{"model":"m"}"#;
    let place = Place { environment: None, router: "r", path: "chat/completions", query: "" };
    let (anna, version) = (key("anna"), ("anthropic-version", "2023-06-01"));
    let questions = [
        asked_at(&Caller::Anonymous, place, &[], body),
        asked_at(&anna, place, &[], body),
        asked_at(&key(""), place, &[], body),
        asked_at(&key("ann"), place, &[], body),
        asked_at(&anna, Place { environment: Some("eu"), ..place }, &[], body),
        asked_at(&anna, Place { router: "s", ..place }, &[], body),
        asked_at(&anna, Place { path: "completions", ..place }, &[], body),
        asked_at(&anna, Place { query: "beta=true", ..place }, &[], body),
        asked_at(&anna, place, &[("x-dragoman-provider-key", "openai=sk-1")], body),
        asked_at(&anna, place, &[("x-dragoman-provider-key", "openai=sk-2")], body),
        asked_at(&anna, place, &[("x-dragoman-cache-seed", "s")], body),
        asked_at(&anna, place, &[version], body),
        asked_at(&anna, place, &[("anthropic-beta", version.0)], body),
        asked_at(&anna, place, &[("anthropic-beta", version.0), version], body),
        asked_at(&anna, place, &[("openai-beta", "assistants=v2")], body),
    ];
    for (place, one) in questions.iter().enumerate() {
        assert!(one.is_some() && !questions[..place].contains(one), "{place}");
    }
    assert_eq!(asked_at(&anna, place, &[("user-agent", "x"), ("cache-control", "max-age=1")], body), questions[1]);
}

#[test]
fn what_its_client_wants_nobody_to_keep_is_not_kept() {
    for (body, is_kept) in [
        (r#"{"store":false}"#, false),
        (r#"{"model":"m", "st\u006fre" : false }"#, false),
        (r#"{"store":true}"#, true),
        (r#"{"store":null}"#, true),
        (r#"{"stored":false,"stor":false}"#, true),
        (r#"{"metadata":{"store":false},"list":["store",false]}"#, true),
    ] {
        assert_eq!(asked(&Caller::Anonymous, &[], body).is_some(), is_kept, "{body}");
    }
}

#[test]
fn of_what_has_too_many_parts_nothing_is_kept() {
    let members: Vec<String> = (0..9_000).map(|number| format!(r#""{number}":0"#)).collect();
    let body = format!("{{{}}}", members.join(","));
    assert_eq!(asked(&Caller::Anonymous, &[], &body), None);
    // Objects that are closed do not count.
    let parts = vec![r#"{"role":"user"}"#; 20_000].join(",");
    assert!(asked(&Caller::Anonymous, &[], &format!(r#"{{"messages":[{parts}]}}"#)).is_some());
}

fn some_document() -> impl Strategy<Value = Value> {
    let text = prop_oneof!["[a-c\"\\\\\n/é漢😀\u{7f}]{0,6}", "store|messages|role"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-20_i64..20).prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..5).prop_map(|map| json!(map)),
        ]
    });
    prop::collection::btree_map("[a-d]{1,2}", value, 0..5).prop_map(|map| json!(map))
}

/// The same document in other words.
fn respelled(value: &Value, seed: u64) -> String {
    let space = ["", " ", "\n\t"][usize::try_from(seed % 3).unwrap()];
    let next = seed / 3 * 7 + 1;
    match value {
        Value::Object(members) => {
            let mut parts: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{}{space}:{}", respelled(&json!(name), next), respelled(value, next)))
                .collect();
            let turn = usize::try_from(seed).unwrap() % parts.len().max(1);
            parts.rotate_left(turn);
            format!("{{{space}{}{space}}}", parts.join(","))
        }
        Value::Array(values) => {
            let parts: Vec<String> = values.iter().map(|value| respelled(value, next)).collect();
            format!("[{}{space}]", parts.join(&format!("{space},")))
        }
        Value::String(text) if seed.is_multiple_of(2) => {
            let units = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
            format!("\"{}\"", units.collect::<String>())
        }
        Value::Number(number) if seed.is_multiple_of(2) => format!("{number}.00"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

proptest! {
    #[test]
    fn a_document_is_the_same_in_other_words_and_any_pieces(
        one in some_document(),
        other in some_document(),
        seed in 0_u64..1_000,
        cut in 1_usize..9,
    ) {
        let written = respelled(&one, seed);
        prop_assert_eq!(serde_json::from_str::<Value>(&one.to_string()).is_ok(), true);
        let place = Place { environment: None, router: "r", path: "p", query: "" };
        let in_pieces = |document: &str| {
            let rules = rules("max-age=60", 1);
            let mut visit = Visit::begin(&rules, &Caller::Anonymous, place, head(&[]).headers()).unwrap().unwrap();
            document.as_bytes().chunks(cut).for_each(|piece| visit.see(piece));
            visit.end().map(|wanted| wanted.question)
        };
        let whole = |document: &str| asked_at(&Caller::Anonymous, place, &[], document);
        prop_assert_eq!(in_pieces(&written), whole(&one.to_string()), "{}", written);
        prop_assert_eq!(whole(&one.to_string()) == whole(&other.to_string()), one == other);
    }
}
