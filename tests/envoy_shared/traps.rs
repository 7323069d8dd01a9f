//! What Envoy leaves out without a word, so that whoever is in its way is let in: each mistake is made here, in the bootstrap that is
//! rendered otherwise, to show that a count would tell it, and that it is none that the rendered one has.

use super::*;
use dragoman::simulate::Simulator;
use dragoman_tests::plain::Plain;

/// How the bootstrap says what a request has used, and what else Envoy takes for that.
const CHARGE: &str = "%FILTER_STATE(wasm.dragoman.used.tokens:PLAIN)%";
const MISTAKES: [&str; 4] = [
    // Not as text.
    "%FILTER_STATE(wasm.dragoman.used.tokens)%",
    // Of nothing.
    "%FILTER_STATE(wasm.dragoman.used.nothing:PLAIN)%",
    // No number: whom it is counted for.
    "%FILTER_STATE(wasm.dragoman.limit.0:PLAIN)%",
    // More than 1,000,000,000: the seconds since 1970.
    "%START_TIME(%s)%",
];

/// What a service is told of a chat under so many limits, when this is done to the bootstrap, by limit: the hits of each time that it is
/// asked. And what the chat did cost.
fn told(limits: usize, bend: impl FnOnce(String) -> String) -> (Vec<Vec<Option<u64>>>, u64) {
    let service = Service::start(&[], Duration::ZERO);
    let upstream = Simulator::start(Options::default()).unwrap();
    let names: Vec<_> = (0..limits).map(|number| number.to_string()).collect();
    let limit = |name| json!({"name": name, "of": "tokens", "per": "day", "max": 1_000});
    let config = json!({
        "providers": {"openai": {"kind": "openai", "base_url": format!("http://{}/v1", upstream.addr()), "auth": "none"}},
        "limits": names.iter().map(limit).collect::<Vec<_>>(),
        "limits_backend": {"ratelimit_service": {
            "cluster": "rls", "url": format!("http://{}", service.address), "domain": "tests", "timeout": "2s",
        }},
    });
    let envoy = Plain::start(config, bend, &[]);
    let answer = envoy.send(&Request::post("/v1/chat/completions", &asked(false)));
    assert_eq!(answer.status, 200, "{}", answer.text());
    // What is charged at all is charged soon after the answer.
    thread::sleep(Duration::from_millis(500));
    let asked = service.asked();
    let hits = |name: &String| asked.iter().filter(|asked| asked.limit == *name).map(|asked| asked.hits).collect();
    (names.iter().map(hits).collect(), usage(&answer)["total_tokens"].as_u64().unwrap())
}

#[test]
fn a_charge_that_envoy_cannot_read_is_left_out_without_a_word_and_the_rendered_one_is_read() {
    let (hits, used) = told(1 + MISTAKES.len(), |bootstrap| {
        assert_eq!(bootstrap.matches(CHARGE).count(), 1 + MISTAKES.len());
        let mut parts = bootstrap.split(CHARGE);
        let first = parts.next().unwrap().to_owned();
        let charges = [CHARGE].into_iter().chain(MISTAKES);
        charges.zip(parts).fold(first, |bent, (charge, part)| bent + charge + part)
    });
    let (rendered, mistakes) = hits.split_first().unwrap();
    assert_eq!(*rendered, [Some(0), Some(used)]);
    for (hits, mistake) in mistakes.iter().zip(MISTAKES) {
        assert_eq!(*hits, [Some(0)], "{mistake}");
    }
}

#[test]
fn how_much_is_asked_for_is_heeded_in_the_filter_and_not_on_the_route() {
    let (hits, used) = told(1, |bootstrap| {
        let mut document: Value = serde_saphyr::from_str(&bootstrap).unwrap();
        for listener in document["static_resources"]["listeners"].as_array_mut().unwrap() {
            let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
            let filters = manager["http_filters"].as_array_mut().unwrap();
            let Some(filter) = filters.iter_mut().find(|filter| filter["name"] == "dragoman_limit.0") else { continue };
            let moved = filter["typed_config"].as_object_mut().unwrap().remove("rate_limits").unwrap();
            for host in manager["route_config"]["virtual_hosts"].as_array_mut().unwrap() {
                host["rate_limits"] = moved.clone();
            }
        }
        document.to_string()
    });
    // A request is one hit then, whatever it has used; and so is a look.
    assert_eq!((hits, used > 1), (vec![vec![None, None]], true));
}

#[test]
fn no_charge_is_more_than_envoy_sends() {
    const MOST: u64 = 1_000_000_000;
    let service = Service::start(&[("tokens", MOST - 1)], Duration::ZERO);
    let scene = gateway(
        service.address,
        &json!([
            {"name": "tokens", "of": "tokens", "per": "day", "max": MOST - 1},
            {"name": "money", "of": "spend", "per": "day", "max": 4_000},
        ]),
    );
    let usage = json!({"prompt_tokens": 7, "completion_tokens": 3 * MOST, "total_tokens": 3 * MOST + 7});
    let message = json!({"role": "assistant", "content": "Hi"});
    let answer = json!({
        "id": "chat", "object": "chat.completion", "created": 1, "model": "gpt-4o",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage,
    });
    let case = scene.case("much");
    case.answer(Script::whole(StatusCode::OK, "application/json", answer.to_string()));
    assert_eq!(case.send(&case.chat(&asked(false)).key("sk-key")).status, 200);
    assert_comes_to(&service, "tokens", MOST);
    assert_comes_to(&service, "money", MOST);
    openai_error(&scene.gateway.send(&chat(&asked(false))), 429, "rate_limit_error", Some("rate_limit_exceeded"));
    scene.assert_sound();
}
