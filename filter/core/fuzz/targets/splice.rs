//! A request that is passed on: only what must change changes, and the result is JSON with the target's model.
#![no_main]

use dragoman_core::{
    dialect::{
        Downstream, Habits, Native,
        anthropic::Anthropic,
        head::{ChatRequest, StreamOptions},
        openai_chat::{OpenAiChat, SCHEME},
        openai_completions::OpenAiCompletions,
        openai_responses::OpenAiResponses,
    },
    json::{Edits, members},
};
use dragoman_fuzz::aim;
use libfuzzer_sys::fuzz_target;
use std::rc::Rc;

/// The request after its changes.
fn spliced(text: &str, edits: &Edits) -> String {
    let mut body = text.as_bytes().to_vec();
    edits.apply_in_place(&mut body);
    assert_eq!(body.len(), edits.length_after(text.len()));
    String::from_utf8(body).expect("UTF-8 stays UTF-8")
}

/// That it has the target's model, and every other member that is not among these as it was.
fn check(text: &str, body: &str, touched: &[&str]) {
    let (before, after) = (members(text).expect("it was scanned"), members(body).expect("JSON stays JSON"));
    let untouched = |name: &str| name != "model" && !touched.iter().any(|touched| name.eq_ignore_ascii_case(touched));
    for (name, value) in before.iter().filter(|(name, _)| untouched(name)) {
        assert!(after.iter().any(|(other, same)| **other == **name && same.get() == value.get()), "{}", &**name);
    }
    let model = after.iter().find(|(name, _)| &**name == "model").map(|(_, value)| value.get());
    assert_eq!(model, Some("\"target\""));
}

/// The head of a request of this client, if it has one that is understood.
fn head(text: &str, downstream: &dyn Downstream) -> Option<ChatRequest> {
    let scheme = downstream.scheme();
    let mut scanner = scheme.scanner();
    let fed = scanner.feed(text.as_bytes());
    scheme.read(fed.and_then(|()| scanner.finish()), text.len()).ok()
}

fuzz_target!(|text: &str| {
    let mut scanner = SCHEME.scanner();
    let fed = scanner.feed(text.as_bytes());
    if let Ok(request) = SCHEME.read(fed.and_then(|()| scanner.finish()), text.len()) {
        for (stream_options, max_tokens) in [(StreamOptions::Asked, None), (StreamOptions::Cut, Some("max_tokens"))] {
            let body = spliced(text, &request.edits("target", stream_options, max_tokens));
            check(text, &body, &["model", "stream_options", "max_completion_tokens", "max_tokens"]);
        }
    }
    // With what other providers have left taken out, which is in these members of each format.
    let pruned = [
        "model",
        "stream_options",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "tools",
        "cache_control",
        "input",
    ];
    let natives: [(&dyn Downstream, &dyn Native); 4] = [
        (&OpenAiChat, &OpenAiChat),
        (&Anthropic, &Anthropic),
        (&OpenAiCompletions, &OpenAiCompletions),
        (&OpenAiResponses, &OpenAiResponses),
    ];
    for (downstream, native) in natives {
        let Some(request) = head(text, downstream) else { continue };
        for pruning in [None, Some(false), Some(true)] {
            let mut aim = aim("target");
            aim.habits = Habits { pruning, ..Habits::default() };
            let edits = native.splice(&request, &aim, &mut || Rc::new(text.as_bytes().to_vec())).edits;
            check(text, &spliced(text, &edits), &pruned);
        }
    }
});
