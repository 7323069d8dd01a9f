use super::*;
use crate::{
    chat::Modality,
    dialect::{
        Aim, Downstream, Habits, Upstream, anthropic::Anthropic, gemini::Gemini, ollama::Ollama,
        openai_chat::OpenAiChat, openai_completions::OpenAiCompletions,
    },
};
use alloc::{format, string::String, vec};
use proptest::{
    collection, option,
    prelude::*,
    sample::{Index, select},
};

/// Who does not speak the client's format, with models that differ in what they can do.
const TARGETS: &[(&dyn Upstream, &str)] = &[
    (&Anthropic, "claude-3-haiku"),
    (&Anthropic, "claude-sonnet-4-5"),
    (&Gemini, "gemini-2.0-flash"),
    (&Gemini, "gemini-2.5-flash"),
    (&Gemini, "gemini-3-pro-preview"),
    (&Ollama, "qwen3"),
];

#[test]
fn a_wish_is_granted_by_its_ability_only() {
    let request =
        Request { modalities: [Modality::Text, Modality::Image].into(), choices: Some(2), ..Request::default() };
    let blamed = |abilities: &[Ability]| require(abilities, &request).err().and_then(|error| error.param);
    assert_eq!(blamed(&[]).as_deref(), Some("n"));
    assert_eq!(blamed(&[Ability::Choices, Ability::Sound]).as_deref(), Some("modalities"));
    assert_eq!(blamed(&[Ability::Choices, Ability::Pictures]), None);
    assert_eq!(require(&[], &Request { choices: Some(1), ..Request::default() }), Ok(()));
}

#[test]
fn every_wish_has_an_ability_and_every_ability_its_words() {
    assert!(TABLE.len() <= 64, "a bit each");
    assert!(TABLE.iter().all(|row| matches!(row.ability, Ability::Hosted | Ability::State | Ability::Completing)
        || Ability::ALL.contains(&row.ability)));
    for ability in Ability::ALL {
        assert!(!ability.refusal().is_empty(), "{ability:?}");
    }
}

fn wishes(body: &str, cut: usize) -> Result<Wishes, Error> {
    wishes_in(&OpenAiChat, body, cut)
}

fn wishes_in(client: &dyn Downstream, body: &str, cut: usize) -> Result<Wishes, Error> {
    let mut scanner = client.scheme().scanner();
    let (a, b) = body.as_bytes().split_at(cut);
    let fed = scanner.feed(a).and_then(|()| scanner.feed(b));
    client.scheme().read(fed.and_then(|()| scanner.finish()), body.len()).map(|request| request.wishes)
}

/// What a target's writer says of a request.
fn written(body: &str, target: &dyn Upstream, model: &str) -> Result<(), String> {
    written_of(&OpenAiChat, body, target, model)
}

fn written_of(client: &dyn Downstream, body: &str, target: &dyn Upstream, model: &str) -> Result<(), String> {
    let aim = Aim { model, max_output_tokens: None, exchange: "1", habits: Habits::default() };
    let written = client.read(body).and_then(|request| target.write(&request, &aim));
    written.map(|_| ()).map_err(|error| error.message)
}

/// What stands in a turn of the user: texts that look like more, and what is more.
fn part() -> impl Strategy<Value = &'static str> {
    select(&[
        r#"{"type":"text","text":"hi"}"#,
        r#"{"type":"text","text":"\"type\":\"file\" https://example.com"}"#,
        r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}}"#,
        r#"{"type":"image_url","image_url":{"url":"https://example.com/a.png","detail":"low"}}"#,
        r#"{"type":"image_url","image_url":{"url":"HTTP:\/\/example.com\/a.png"}}"#,
        r#"{"type":"image_url","image_url":"data:image/jpeg;base64,aGk="}"#,
        r#"{"image_url":"https://example.com/a.png","type":"image_url"}"#,
        r#"{"type":"input_audio","input_audio":{"data":"aGk=","format":"wav"}}"#,
        r#"{"type":"file","file":{"file_data":"data:application/pdf;base64,aGk=","filename":"a.pdf"}}"#,
    ])
}

/// Top-level members, each in values that are a wish and in values that are none.
fn member() -> impl Strategy<Value = (&'static str, &'static str)> {
    let of = |name: &'static str, values: &'static [&'static str]| select(values).prop_map(move |value| (name, value));
    let grammar = select(&["audio", "grammar", "guided_choice", "guided_json", "guided_regex", "structured_outputs"]);
    prop_oneof![
        of("n", &["null", "0", "1", "2", "128"]),
        of("logprobs", &["null", "false", "true"]),
        of("logit_bias", &["null", "{}", "{ }", r#"{"50256":-100}"#]),
        of("modalities", &["null", "[]", r#"["text"]"#, r#"["text", "audio"]"#, r#"["im\u0061ge"]"#]),
        of("web_search_options", &["null", "{}", r#"{"search_context_size":"low"}"#]),
        of(
            "response_format",
            &[
                "null",
                r#"{"type":"text"}"#,
                r#"{ "type" : "json_object" }"#,
                r#"{"json_schema":{"name":"json_object","schema":{"type":"object"}},"type":"json_schema"}"#,
            ]
        ),
        of("stop", &["null", r#""""#, r#""\n""#, r#""END""#, "[]", r#"["a"," \t"]"#, r#"["","a b"]"#]),
        (grammar, select(&["null", "false", "true", r#""root ::= x""#, "{}"])),
        of(
            "tools",
            &[
                "null",
                "[]",
                r#"[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"url":{"type":"file"}},"default":{"type":"input_audio","url":"https://x"}}}}]"#,
            ]
        ),
        of("tool_choice", &["null", r#""auto""#, r#""none""#]),
        of("moderation", &["null", r#"{"model":"m"}"#, r#"{"model":"m","policy":{"input":{"mode":"block"}}}"#]),
        of("temperature", &["null", "0.5"]),
        of("metadata", &[r#"{"type":"file","n":2}"#]),
        of("seed", &["7"]),
    ]
}

prop_compose! {
    /// A request that is right by itself.
    fn request()(
        turns in collection::vec(collection::vec(part(), 1..4), 1..3),
        members in collection::btree_map(0..16_usize, member(), 0..5),
        is_cut_at in any::<Index>(),
        pretty in any::<bool>(),
        system in option::of(Just(r#"{"role":"system","content":"be brief"},"#)),
    ) -> (String, usize) {
        let turns = turns.iter().map(|parts| {
            format!(r#"{{"role":"user","content":[{{"type":"text","text":"hello"}},{}]}}"#, parts.join(","))
        });
        let messages = turns.collect::<Vec<_>>().join(",");
        let mut seen = Vec::new();
        let space = if pretty { " " } else { "" };
        let mut written = Vec::new();
        for (name, value) in members.into_values() {
            if !seen.contains(&name) {
                seen.push(name);
                written.push(format!(r#""{name}"{space}:{space}{value}"#));
            }
        }
        written.push(format!(r#""messages":[{}{messages}]"#, system.unwrap_or_default()));
        let body = format!("{{{}}}", written.join(","));
        let cut = is_cut_at.index(body.len());
        (body, cut)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn who_plans_judges_as_who_translates((body, cut) in request()) {
        let wishes = wishes(&body, cut).unwrap();
        // Of several parts that cannot be sent the writer names the first, the planner the first of the table.
        let of_parts = [Ability::Hearing, Ability::Files, Ability::LinkedImages].map(Ability::refusal);
        let same = |message: String| if of_parts.contains(&&*message) { "a part".into() } else { message };
        for (target, model) in TARGETS {
            let judged = wishes.require(target.abilities(model)).map_err(|error| same(error.message));
            prop_assert_eq!(judged, written(&body, *target, model).map_err(same), "{} {}: {}", target.name(), model, body);
        }
    }
}

prop_compose! {
    /// A request of the older completions.
    fn completion()(
        prompt in select(&[r#""hi""#, r#"["hi"]"#, r#"[ "hi" ]"#, r#"["a","b"]"#, "[1,2]", "[[1,2]]", r#"["[1]"]"#]),
        long in any::<bool>(),
        members in collection::btree_map(0..4_usize, select(&[
            ("echo", "true"), ("echo", "false"), ("suffix", r#""""#), ("suffix", r#""x""#), ("suffix", "null"),
            ("logprobs", "0"), ("logprobs", "3"), ("logprobs", "null"), ("n", "2"), ("best_of", "2"),
            ("stop", r#""\n""#), ("logit_bias", r#"{"1":2}"#), ("grammar", r#""g""#),
        ]), 0..4),
        is_cut_at in any::<Index>(),
    ) -> (String, usize) {
        let prompt = if long { prompt.replace('i', &"i".repeat(99)).replace("1,", &"1,".repeat(99)) } else { prompt.into() };
        let mut written = vec![format!(r#""prompt":{prompt}"#)];
        let mut seen = Vec::new();
        for (name, value) in members.into_values() {
            if !seen.contains(&name) {
                seen.push(name);
                written.push(format!(r#""{name}":{value}"#));
            }
        }
        let body = format!("{{{}}}", written.join(","));
        let cut = is_cut_at.index(body.len());
        (body, cut)
    }
}

proptest! {
    #[test]
    fn so_it_is_of_completions((body, cut) in completion()) {
        let wishes = wishes_in(&OpenAiCompletions, &body, cut).unwrap();
        for (target, model) in TARGETS.iter().chain(&[(&OpenAiChat as &dyn Upstream, "gpt-5")]) {
            let (able, written) =
                (wishes.require(target.abilities(model)), written_of(&OpenAiCompletions, &body, *target, model));
            // Of several wishes the reader refuses the first that is written, the planner the first of the table.
            prop_assert_eq!(able.is_ok(), written.is_ok(), "{} {}: {} {:?} {:?}", target.name(), model, body, able, written);
        }
    }
}

#[test]
fn what_neither_a_name_nor_a_kind_tells_is_left_to_the_writer() {
    for (model, target, part) in [
        ("claude-sonnet-4-5", TARGETS[1].0, r#"{"type":"image_url","image_url":{"url":"data:image/bmp;base64,aGk="}}"#),
        ("gemini-2.5-flash", TARGETS[3].0, r#"{"type":"file","file":{"file_id":"file-1"}}"#),
    ] {
        let body = format!(r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#);
        assert_eq!(wishes(&body, 0).unwrap().require(target.abilities(model)), Ok(()));
        assert!(written(&body, target, model).is_err(), "{body}");
    }
}

#[test]
fn a_request_that_wishes_for_nothing_special_is_told_by_one_number() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"n, logprobs and a file"}],"stream":true,"tools":[{"type":"function","function":{"name":"n"}}],"tool_choice":"auto"}"#;
    assert!(wishes(body, 20).unwrap().is_empty());
}
