//! A request that is passed on: only what must change changes, and the result is JSON with the target's model.
#![no_main]

use dragoman_core::{
    dialect::{head::StreamOptions, openai_chat::SCHEME},
    json::members,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut scanner = SCHEME.scanner();
    let fed = scanner.feed(text.as_bytes());
    let Ok(request) = SCHEME.read(fed.and_then(|()| scanner.finish()), text.len()) else { return };
    for (stream_options, max_tokens) in [(StreamOptions::Asked, None), (StreamOptions::Cut, Some("max_tokens"))] {
        let edits = request.edits("target", stream_options, max_tokens);
        let mut body = text.as_bytes().to_vec();
        edits.apply_in_place(&mut body);
        assert_eq!(body.len(), edits.length_after(text.len()));
        let body = String::from_utf8(body).expect("UTF-8 stays UTF-8");
        let (before, after) = (members(text).expect("it was scanned"), members(&body).expect("JSON stays JSON"));
        let touched = ["model", "stream_options", "max_completion_tokens", "max_tokens"];
        let untouched = |name: &str| !touched.iter().any(|touched| name.eq_ignore_ascii_case(touched));
        for (name, value) in before.iter().filter(|(name, _)| untouched(name)) {
            assert!(after.iter().any(|(other, same)| **other == **name && same.get() == value.get()), "{}", &**name);
        }
        let model = after.iter().find(|(name, _)| &**name == "model").map(|(_, value)| value.get());
        assert_eq!(model, Some("\"target\""));
    }
});
