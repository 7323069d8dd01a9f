//! A whole answer, or an error, of any provider, for every client: JSON comes out.
#![no_main]

use dragoman_fuzz::{DOWNSTREAMS, UPSTREAMS, identity, is_json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &[u8]| {
    for (kind, upstream, ..) in UPSTREAMS {
        let answer = std::str::from_utf8(document).ok().and_then(|text| upstream.read(text).ok());
        let faults = [400, 404, 429, 500].map(|status| upstream.fault(status, document));
        for downstream in DOWNSTREAMS {
            if let Some(answer) = &answer {
                assert!(is_json(&downstream.write(answer, &identity())), "{kind}");
            }
            for fault in &faults {
                let (status, body) = downstream.fault("p", fault);
                assert!((400..600).contains(&status) && is_json(&body), "{kind}");
            }
        }
    }
});
