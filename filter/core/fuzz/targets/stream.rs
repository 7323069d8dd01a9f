//! A stream of any provider, whole and cut, through the hold, the reader and the writer: each client gets the same events.
#![no_main]

use dragoman_core::sse::{Decoder, Frame};
use dragoman_fuzz::{CLIENTS, UPSTREAMS, gateway, is_json, pieces, told};
use libfuzzer_sys::fuzz_target;

/// The events. A line feed that a cut parts from its carriage return is a blank line too many, which says nothing.
fn events((status, body): (u16, Vec<u8>)) -> (u16, Vec<Vec<u8>>) {
    if status != 200 {
        return (status, vec![body]);
    }
    let (mut decoder, mut events) = (Decoder::default(), Vec::new());
    let said = |frame: Frame<'_>| frame.data().map(|data| data.into_owned());
    decoder.feed(&body, |frame| events.extend(said(frame))).expect("no event is too long");
    events.extend(said(Frame { raw: &decoder.finish() }));
    (status, events)
}

fuzz_target!(|document: &[u8]| {
    let gateway = gateway();
    for (path, asked, native) in CLIENTS {
        for (kind, _, _, media_type) in UPSTREAMS {
            let whole = events(told(&gateway, (path, asked), kind, media_type, &[document]));
            let cut = events(told(&gateway, (path, asked), kind, media_type, &pieces(document)));
            assert_eq!(whole, cut, "{path} {kind}");
            // What is passed through is the provider's.
            if kind != native {
                assert!(whole.1.iter().all(|data| data == b"[DONE]" || is_json(data)), "{path} {kind}");
            }
        }
    }
});
