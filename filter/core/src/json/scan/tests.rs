//! What is found, what is refused, and that it does not matter how a document is cut.

use super::*;
use alloc::{format, string::String, vec};
use proptest::prelude::*;

const WANTED: &[&str] = &["model", "stream"];

const NOTHING_OTHER: Others = Others { names: &[], within: &[] };

static KINDS: Marks = Marks {
    names: &["no"],
    proof: (&["p"], "g"),
    carrier: (&["no"], b"no"),
    place: "model",
    foreign: "f",
    kinds: ("a", &[&["b"], &["c"]]),
    sources: &["b"],
    others: NOTHING_OTHER,
    tools: None,
};

fn scan(pieces: &[&[u8]]) -> Result<Vec<Member>, Failure> {
    scan_whole(pieces).map(|found| found.members)
}

fn scan_whole(pieces: &[&[u8]]) -> Result<Found, Failure> {
    let mut scanner = Scanner::new(WANTED).noticing(&KINDS);
    for piece in pieces {
        scanner.feed(piece)?;
    }
    scanner.finish()
}

fn fault(document: &str) -> Fault {
    scan(&[document.as_bytes()]).unwrap_err().fault
}

#[test]
fn finds_wanted_members_with_their_place_and_text() {
    let body = br#" {"messages":[{"model":"no"}], "model" : "gpt-4o" ,"stream":true}"#;
    let found = scan(&[body]).unwrap();
    let texts: Vec<_> = found.iter().map(|m| m.text.clone().unwrap()).collect();
    assert_eq!(texts, vec![br#""gpt-4o""#.to_vec(), b"true".to_vec()]);
    for member in &found {
        assert_eq!(member.text.as_deref(), body.get(member.span.clone()));
    }
}

#[test]
fn a_member_can_be_cut_out_wherever_it_stands() {
    for (body, expected) in [
        (r#"{ "model" : 1 , "a":2}"#, r#"{  "a":2}"#),
        (r#"{"a":2 , "model":1 }"#, r#"{"a":2  }"#),
        (r#"{"a":2,"model":1,"b":[3]}"#, r#"{"a":2,"b":[3]}"#),
        (r#"{"model":1}"#, "{}"),
    ] {
        let found = scan(&[body.as_bytes()]).unwrap();
        let Member { name, whole, .. } = found.first().unwrap();
        let bytes = body.as_bytes();
        assert_eq!(&bytes[name.clone()], br#""model""#);
        assert_eq!([&bytes[..whole.start], &bytes[whole.end..]].concat(), expected.as_bytes());
    }
}

#[test]
fn marks_are_noticed_wherever_they_may_stand() {
    static MARKS: Marks = Marks {
        names: &["cache_control"],
        proof: (&["signature"], "gA"),
        carrier: (&["tool_call_id"], b"__thought__"),
        place: "a",
        foreign: "input",
        kinds: ("type", &[&["image_url"], &["file"]]),
        sources: &["url"],
        others: NOTHING_OTHER,
        tools: None,
    };
    for (body, name, text) in [
        (r#"{"a":"cache_control","b":["__thought__"]}"#, false, false),
        (r#"{"cache_control":1}"#, true, false),
        (r#"{"a":[{"cache_control":null}]}"#, true, false),
        (r#"{"a":[{"signature":"__th__thought__x"}]}"#, false, true),
        (r#"{"a":[{"tool_call_id":"call_1"},{"id":"__thought__"}]}"#, false, false),
        (r#"{"a":[{"tool_call_id":"call___thought__x"}]}"#, false, true),
        (r#"{"a":[{"tool_call_id":"__th__thought__"}]}"#, false, true),
        (r#"{"a":[{"tool_call_id":["__thought__"]}]}"#, false, false),
        (r#"{"type":"image_url","tool_call_id":"__thought__"}"#, false, true),
    ] {
        for cut in 0..body.len() {
            let mut scanner = Scanner::new(WANTED).noticing(&MARKS);
            let (a, b) = body.as_bytes().split_at(cut);
            scanner.feed(a).and_then(|()| scanner.feed(b)).unwrap();
            let found = scanner.finish().unwrap();
            assert_eq!((found.noticed_name, found.noticed_text), (name, text), "{body}");
        }
    }
    for (body, empty, of_openai, of_others) in [
        (r#"{"a":[{"signature":""}]}"#, true, false, false),
        (r#"{"a":[{"signature":["",null]},{"signature":null,"b":""},{"b":"gAx"}]}"#, false, false, false),
        (r#"{"a":[{"signature":"gAx"},{"signature":"g"}]}"#, false, true, true),
        (r#"{"signature":"x__thought__"}"#, false, false, false),
    ] {
        for cut in 0..body.len() {
            let mut scanner = Scanner::new(WANTED).noticing(&MARKS);
            let (a, b) = body.as_bytes().split_at(cut);
            scanner.feed(a).and_then(|()| scanner.feed(b)).unwrap();
            let noticed = Proofs { empty, of_openai, of_others };
            assert_eq!(scanner.finish().unwrap().noticed_proofs, noticed, "{body}");
        }
    }
    for (body, kinds, data) in [
        (r#"{"type":"image_url","url":"x","b":[{"type":"file","url":"x"}]}"#, [0, 0], 0),
        (r#"{"a":[{"type":"file"},{"type":["file"]},{"type":"image_url"},{"type":"file"}]}"#, [1, 2], 0),
        (
            r#"{"a":[{"input":{"type":"file","b":[{"type":"file","url":"x"}]},"type":"file"},{"type":"file"}],"input":{"url":"x"}}"#,
            [0, 2],
            0,
        ),
        (r#"{"a":[{"url":"https://x"},{"url":"HTTP:\/\/x"},{"url":"gs://x"},{"url":{"x":"data:"}}]}"#, [0, 0], 0),
        (r#"{"a":[{"url":"data:x"},{"url":"aGk="},{"url":""},{"url":"https"}],"b":{"url":"data:x"}}"#, [0, 0], 4),
    ] {
        for cut in 0..body.len() {
            let mut scanner = Scanner::new(WANTED).noticing(&MARKS);
            let (a, b) = body.as_bytes().split_at(cut);
            scanner.feed(a).and_then(|()| scanner.feed(b)).unwrap();
            let found = scanner.finish().unwrap();
            assert_eq!((&found.noticed_kinds[..2], found.noticed_data), (&kinds[..], data), "{body}");
        }
    }
}

#[test]
fn an_escaped_name_is_the_same_name() {
    assert_eq!(fault(r#"{"model":"a","mod\u0065l":"b"}"#), Fault::Duplicate(0));
    assert_eq!(fault(r#"{"model":"a","Model":"b"}"#), Fault::Duplicate(0));
    assert_eq!(scan(&[br#"{"\u006do\u0064el":1}"#]).unwrap().len(), 1);
}

#[test]
fn says_what_is_wrong() {
    assert_eq!(fault(""), Fault::Empty);
    assert_eq!(fault(" \n"), Fault::Empty);
    assert_eq!(fault("[1]"), Fault::NotAnObject);
    assert_eq!(fault(r#"{"a":1"#), Fault::Truncated);
    assert_eq!(fault(r#"{"a":01}"#), Fault::Syntax);
    assert_eq!(fault(r#"{"a":1}x"#), Fault::Syntax);
    assert_eq!(fault("\u{feff}{}"), Fault::Syntax);
    assert_eq!(fault(&format!("{{\"a\":{}", "[".repeat(20_000))), Fault::TooDeep);
    assert_eq!(scan(&[b"{\"a\":\"\xff\"}"]).unwrap_err(), Failure { fault: Fault::Utf8, offset: 6 });
    assert_eq!(scan(&[b"{\"a\":1,}"]).unwrap_err(), Failure { fault: Fault::Syntax, offset: 7 });
}

#[test]
fn a_long_value_is_placed_but_not_kept() {
    let body = format!(r#"{{"model":"{}"}}"#, "x".repeat(MAX_CAPTURE));
    let found = scan(&[body.as_bytes()]).unwrap();
    assert_eq!(found.first().map(|m| (m.span.clone(), m.text.is_none())), Some((9..body.len() - 1, true)));
}

fn documents() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".into()),
        Just("true".into()),
        "-?(0|[1-9][0-9]{0,4})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        prop_oneof!["[ab]", "[a-z+/]{1020,1030}", "[a-z ]{1020,1030}"].prop_map(|text| format!("\"{text}\"")),
    ];
    let value = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("[{}]", v.join(" ,"))),
            prop::collection::vec(("[a-z]{1,6}", inner), 0..4).prop_map(|members| object(&members)),
        ]
    });
    prop::collection::vec((prop_oneof!["model", "a", "[a-z]{1,6}"], value), 0..5).prop_map(|members| object(&members))
}

fn object(members: &[(String, String)]) -> String {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
    format!("{{{}}}", members.join(","))
}

proptest! {
    #[test]
    fn cutting_the_document_anywhere_changes_nothing(document in documents(), cut in any::<prop::sample::Index>()) {
        let (a, b) = document.as_bytes().split_at(cut.index(document.len()));
        prop_assert_eq!(scan_whole(&[a, b]), scan_whole(&[document.as_bytes()]));
    }

    #[test]
    fn accepts_exactly_what_serde_json_accepts(
        document in documents(),
        at in any::<prop::sample::Index>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(br#"{}[]":,\tfn0-.eE "#.to_vec())],
    ) {
        let mut bytes = document.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let theirs = serde_json::from_slice::<&serde_json::value::RawValue>(&bytes);
        match scan(&[&bytes]) {
            Ok(_) => prop_assert!(theirs.is_ok()),
            Err(Failure { fault: Fault::Duplicate(_) | Fault::NotAnObject, .. }) => {}
            Err(_) => prop_assert!(theirs.is_err()),
        }
    }
}
