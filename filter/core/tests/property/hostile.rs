//! Nothing that a client or a provider sends makes a reader panic: any bytes, and goldens with a few bytes changed. What comes
//! of it is JSON by its grammar; half a surrogate pair that is passed on in a raw value is the sender's.

use std::time::Duration;

use dragoman_core::{
    dialect::{Downstream, Upstream},
    headers::HeaderMap,
    host::Clock,
    sse::Decoder,
};
use proptest::{prelude::*, sample::Index};
use serde::de::IgnoredAny;

use crate::{DOWNSTREAMS, UPSTREAMS, aim, goldens, identity, is_header};

/// A change: where, how many bytes go, what comes.
type Change = (Index, usize, Vec<u8>);

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..4),
        prop::sample::select(
            &["null", "{}", "[]", "\"\"", "-1", "1e400", "true", "\\ud800", "\n\n", "}", "\"type\":"][..]
        )
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop::collection::vec((any::<Index>(), 0_usize..6, piece), 0..4)
}

fn change(document: &mut Vec<u8>, changes: &[Change]) {
    for (place, length, piece) in changes {
        let start = place.index(document.len() + 1);
        let end = (start + length).min(document.len());
        document.splice(start..end, piece.iter().copied());
    }
}

/// Reads an answer in every way that there is.
fn read_answer(downstream: &dyn Downstream, upstream: &dyn Upstream, document: &[u8]) {
    if let Ok(text) = std::str::from_utf8(document)
        && let Ok(response) = upstream.read(text)
    {
        let body = downstream.write(&response, &identity());
        serde_json::from_slice::<IgnoredAny>(&body).expect("an answer is JSON whatever the provider sent");
    }
    for status in [400, 404, 429, 500] {
        let (told, body) = downstream.fault("p", &upstream.fault(status, document));
        assert!((400..600).contains(&told));
        serde_json::from_slice::<IgnoredAny>(&body).expect("an error is JSON whatever the provider sent");
    }
    let mut decoder = Decoder::new(upstream.framing().0);
    let (mut reader, mut writer, mut out) = (upstream.reader(), downstream.writer(identity(), true), Vec::new());
    let mut is_sound = true;
    let fed = decoder.feed(document, |frame| {
        // Nothing is read behind a malformed frame.
        is_sound = is_sound && reader.read(frame, &mut |delta| writer.write(delta, &mut out)).is_ok();
    });
    assert_eq!(fed, Ok(()));
    Decoder::default()
        .feed(&out, |frame| {
            let data = frame.data().expect("each event has data");
            assert!(&*data == b"[DONE]" || serde_json::from_slice::<IgnoredAny>(&data).is_ok());
        })
        .expect("no event is longer than what it was made of");
}

fn write_request(downstream: &dyn Downstream, document: &[u8]) {
    let Ok(Ok(request)) = std::str::from_utf8(document).map(|text| downstream.read(text)) else { return };
    for (upstream, model) in UPSTREAMS {
        if let Ok(written) = upstream.write(&request, &aim(model)) {
            let body = serde_json::from_slice::<IgnoredAny>(&written.body);
            assert!(body.is_ok(), "{}: {}", upstream.name(), written.body.escape_ascii());
            assert!(written.headers.iter().all(|(name, value)| is_header(name, value)));
        }
    }
}

/// A clock that stands at this second.
struct At(u64);

impl Clock for At {
    fn now(&self) -> Duration {
        Duration::from_secs(self.0)
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_by_every_reader_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (downstream, _, _) in DOWNSTREAMS {
            write_request(*downstream, &bytes);
            for (upstream, _) in UPSTREAMS {
                read_answer(*downstream, *upstream, &bytes);
            }
        }
    }

    #[test]
    fn header_values_of_a_provider_become_headers_or_nothing(
        values in prop::collection::vec(prop_oneof!["[0-9]{1,25}", "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z", "[ -~]{0,9}"], 6),
        now in any::<u64>(),
    ) {
        let names = ["requests-limit", "requests-remaining", "requests-reset", "tokens-limit", "tokens-remaining", "tokens-reset"];
        let headers: HeaderMap = names
            .iter()
            .zip(values)
            .map(|(name, value)| (format!("anthropic-ratelimit-{name}"), value))
            .collect();
        for (upstream, _) in UPSTREAMS {
            for (name, value) in upstream.rate_limits(headers.headers(), &At(now)) {
                prop_assert!(is_header(&name, &value), "{name}: {value}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn changed_goldens_are_read_by_every_reader_without_panic(changes in changes()) {
        for (downstream, client, _) in DOWNSTREAMS {
            for mut request in goldens(&format!("requests/{client}"), "/request.json") {
                change(&mut request, &changes);
                write_request(*downstream, &request);
            }
        }
        for (upstream, _) in UPSTREAMS {
            for end in [".whole.json", ".stream.txt"] {
                for mut answer in goldens("answers", &format!("/{}{end}", upstream.name())) {
                    change(&mut answer, &changes);
                    for (downstream, _, _) in DOWNSTREAMS {
                        read_answer(*downstream, *upstream, &answer);
                    }
                }
            }
        }
    }
}
