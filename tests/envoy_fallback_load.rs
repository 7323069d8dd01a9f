//! Thousands of requests at a time whose providers fail at random, through a real Envoy with two workers: each gets one right
//! answer or one honest error, nothing of one reaches another, and nothing is left behind.
#![cfg(test)]

use dragoman_tests::chain::{ANTHROPIC, Chain, GEMINI, OPENAI, SAID, assert_ended_by_envoy, post, said, tries};
use dragoman_tests::envoy::is_dispatch;
use dragoman_tests::http::{Connection, Response};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const REQUESTS: usize = 5_000;
const CLIENTS: usize = 32;
/// Of a hundred tries.
const FAILING: usize = 30;
/// What befalls whole answers and streams alike, before their content.
const FAULTS: [&str; 12] = [
    "status=503",
    "status=500",
    "status=429; retry-after=2",
    "status=529",
    "quota",
    "reset",
    "reset-head",
    "cut-after=0",
    "error-event",
    "html",
    "empty",
    "hang",
];
/// On the client's own stream nobody else can be asked after that, and Envoy itself answers.
const FINAL_IN_DISPATCH: &str = "cut-after=0";
/// What befalls none of them, and is to make no difference.
const HABITS: [&str; 3] = ["", "; cuts=7", "; comments"];

#[derive(Default)]
struct Tally {
    served: [AtomicUsize; 3],
    failed: AtomicUsize,
    ended: AtomicUsize,
}

fn pick(names: &[&'static str], number: usize) -> &'static str {
    names[number.checked_rem(names.len()).unwrap()]
}

/// Asks until there are no requests left.
fn ask(chain: &Chain, next: &AtomicUsize, tally: &Tally) {
    let mut connection = Connection::open(chain.gateway.address).unwrap();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= REQUESTS {
            return;
        }
        // Mixed by a multiplier without a factor in common with any of the divisors.
        let mixed = number.wrapping_mul(7_919);
        let stream = (mixed / 13).is_multiple_of(2);
        let (fault, habit) = (pick(&FAULTS, mixed), pick(&HABITS, mixed / 31));
        let text = format!("{SAID}, {number}");
        let body = json!({"model": "any", "messages": [{"role": "user", "content": text}], "stream": stream});
        let request = post("/v1/chat/completions", "load", &body);
        let request = request.header("x-simulate", format!("chance={FAILING}; {fault}{habit}"));
        connection.send(&request.bytes());
        let answer = connection.response().unwrap_or_else(|error| panic!("{number}: {fault}: {error}"));
        judge(&answer, fault, stream, &text, tally);
        if !answer.complete || answer.headers.text("connection") == Some("close") {
            connection = Connection::open(chain.gateway.address).unwrap();
        }
    }
}

fn judge(answer: &Response, fault: &str, stream: bool, text: &str, tally: &Tally) {
    if is_dispatch() && fault == FINAL_IN_DISPATCH && answer.status != 200 {
        assert_ended_by_envoy(answer);
        tally.ended.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let (order, tries) = ([OPENAI, ANTHROPIC, GEMINI], tries(answer));
    assert!(tries.iter().map(|(target, _)| target.as_str()).eq(order.into_iter().take(tries.len())), "{tries:?}");
    let Some(((last, _), earlier)) = tries.split_last() else { panic!("no try: {}", answer.text()) };
    assert!(earlier.iter().all(|(_, status)| *status >= 400), "{tries:?}");
    if answer.status == 200 {
        let model = last.rsplit('/').next().unwrap();
        assert_eq!(said(answer, stream), format!("This is {model}, simulated. You said: {text}"));
        tally.served[earlier.len()].fetch_add(1, Ordering::Relaxed);
    } else {
        assert_eq!(tries.len(), order.len(), "{} {tries:?}", answer.text());
        assert!(answer.complete && answer.json()["error"]["message"].is_string(), "{}", answer.text());
        tally.failed.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn thousands_of_requests_with_faults_at_random_are_answered_right() {
    let chain = Chain::start(|config| config["aliases"] = json!({ "any": [OPENAI, ANTHROPIC, GEMINI] }));
    let (next, tally) = (AtomicUsize::new(0), Tally::default());
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| ask(&chain, &next, &tally));
        }
    });
    chain.wait_until_idle();
    chain.assert_sound();
    chain.assert_apart();
    let [first, second, third] = tally.served.map(AtomicUsize::into_inner);
    let failed = tally.failed.into_inner();
    let ended = tally.ended.into_inner();
    assert_eq!(first + second + third + failed + ended, REQUESTS);
    // Shares of 70, 21, 6.3 and 2.7 of a hundred, but for a twelfth of those after the first: each within five of its standard
    // deviations.
    let shares = if is_dispatch() {
        [(3_500, 33), (963, 28), (289, 17), (124, 11), (125, 11)]
    } else {
        [(3_500, 33), (1_050, 29), (315, 18), (135, 12), (0, 0)]
    };
    let counts = [first, second, third, failed, ended];
    for (count, (expected, deviation)) in counts.into_iter().zip(shares) {
        assert!(usize::abs_diff(count, expected) <= 5 * deviation, "{counts:?}");
    }
}
