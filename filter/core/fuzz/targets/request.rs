//! A request of any client, for every provider: JSON comes out, or a field is blamed.
#![no_main]

use dragoman_fuzz::{DOWNSTREAMS, UPSTREAMS, aim, is_json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for downstream in DOWNSTREAMS {
        let Ok(request) = downstream.read(text) else { continue };
        for (kind, upstream, model, _) in UPSTREAMS {
            match upstream.write(&request, &aim(model)) {
                Ok(written) => assert!(is_json(&written.body), "{kind}"),
                Err(error) => assert_eq!(error.kind.status(), 400, "{kind}"),
            }
        }
    }
});
