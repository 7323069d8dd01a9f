//! Streams of every provider, cut anywhere, say what they say.

use std::rc::Rc;

use dragoman_core::{
    gateway::Gateway,
    sse::{Decoder, Frame},
};
use proptest::{prelude::*, sample::Index};

use crate::{
    DOWNSTREAMS, goldens,
    stage::{self, ask, post},
};

/// What will do on each path: what one format does not know is nothing to it, but that `prompt` is a template in Responses.
fn request(path: &str) -> String {
    let text = if path.ends_with("/responses") { "input" } else { "prompt" };
    format!(r#"{{"model":"p/m","{text}":"x","messages":[{{"role":"user","content":"x"}}],"stream":true}}"#)
}

fn gateway(kind: &str) -> Rc<Gateway> {
    let document =
        format!(r#"{{"providers":{{"p":{{"kind":"{kind}","base_url":"http://127.0.0.1:1/v1","responses":false}}}}}}"#);
    stage::gateway(&document)
}

/// The status, and the events: a line feed that a cut parts from its carriage return is a blank line too many, which says nothing.
fn told(gateway: &Rc<Gateway>, path: &str, media_type: &str, pieces: &[&[u8]]) -> (u16, Vec<String>) {
    let sent = ask(gateway, post(path, &[]), &[request(path).as_bytes()]).sent();
    let answer = sent.answered(200, &[("content-type", media_type)], pieces);
    if answer.status != 200 {
        return (answer.status, vec![answer.text().to_owned()]);
    }
    let (mut decoder, mut events) = (Decoder::default(), Vec::new());
    let said = |frame: Frame<'_>| frame.data().map(|data| String::from_utf8(data.into_owned()).unwrap());
    decoder.feed(&answer.body, |frame| events.extend(said(frame))).unwrap();
    events.extend(said(Frame { raw: &decoder.finish() }));
    (answer.status, events)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn cutting_any_stream_anywhere_changes_nothing(cuts in prop::collection::vec(any::<Index>(), 1..8)) {
        for (kind, end, media_type) in [
            ("openai", "/openai_chat.stream.txt", "text/event-stream"),
            ("anthropic", "/anthropic.stream.txt", "text/event-stream"),
            ("gemini", "/gemini.stream.txt", "text/event-stream"),
            ("ollama", "/ollama.stream.txt", "application/x-ndjson"),
        ] {
            let gateway = gateway(kind);
            for stream in goldens("answers", end) {
                let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
                places.push(stream.len());
                places.sort_unstable();
                let mut start = 0;
                let pieces: Vec<&[u8]> =
                    places.iter().map(|&end| &stream[std::mem::replace(&mut start, end)..end]).collect();
                for (_, _, path) in DOWNSTREAMS {
                    let told = |pieces: &[&[u8]]| told(&gateway, path, media_type, pieces);
                    prop_assert_eq!(told(&pieces), told(&[&stream]));
                }
            }
        }
    }
}
