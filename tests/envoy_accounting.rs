//! That the books agree: what providers say of hundreds of mixed requests, what the access log has of them, and what Envoy's metrics
//! come to are the same, to the token and to the billionth of a USD; and nothing that is secret stands in any of them.
#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that cannot count fails")]

// A test's root is a file of this folder, and its modules are not to be.
#[path = "envoy_accounting/cases.rs"]
mod cases;
#[path = "envoy_accounting/prometheus.rs"]
mod prometheus;
#[path = "envoy_accounting/promises.rs"]
mod promises;

use self::cases::{Case, KEYS, SCARCE, case};
use self::prometheus::Series;
use self::promises::{assert_documented, assert_no_secret};
use dragoman::simulate::Gate;
use dragoman_tests::chain::{Chain, wait_for_providers};
use dragoman_tests::clock::clear_midnight;
use dragoman_tests::http::Connection;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const REQUESTS: usize = 600;
const CLIENTS: usize = 16;
/// Envoy writes its log every ten seconds, and adds up histograms every five.
const PATIENCE: Duration = Duration::from_mins(1);

const OPENAI: &str = "openai/exact";
const FRACTION: &str = "openai/fraction";
const VECTORS: &str = "openai/vectors";
const PENS: &str = "openai/pens";
const ANTHROPIC: &str = "anthropic/exact";
const DRIFT: &str = "gemini/exact";
/// Clients' own inventions: all that labels are quoted for, and an end that Envoy does not keep.
const UNLISTED: [&str; 2] = [r#"openai/un"listed\3.5;type=x"#, "openai/exact."];

/// Billionths of a USD for a thousand tokens: input, cached, written to the cache, output, reasoning.
const PRICES: [(&str, [u64; 5]); 5] = [
    (OPENAI, [2_500_000, 1_250_000, 2_500_000, 10_000_000, 12_000_000]),
    (FRACTION, [37_501, 18_750, 37_501, 150_003, 150_003]),
    (VECTORS, [20_000, 20_000, 20_000, 0, 0]),
    (ANTHROPIC, [3_000_000, 300_000, 3_750_000, 15_000_000, 15_000_000]),
    (DRIFT, [300_000, 75_000, 300_000, 2_500_000, 2_500_000]),
];

/// Tokens, as the gateway counts them: what is cached is part of the input, reasoning is part of the output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Used {
    input: u64,
    cached: u64,
    written: u64,
    output: u64,
    reasoning: u64,
}

/// What is to be written down of a request.
#[derive(Debug, Clone, Copy)]
enum Expected {
    /// Exactly this, because the provider says so.
    Counted(&'static str, Used),
    /// Something, because nobody has told, or not to the end, which was this.
    Estimated(&'static str, &'static str),
    /// Nothing: nobody has answered.
    Nothing,
}

/// What a client has seen of its request.
struct Seen {
    number: usize,
    id: String,
    status: u16,
    attempts: Option<String>,
    key: Option<usize>,
    expected: Expected,
}

/// What requests to one target came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    requests: u64,
    used: Used,
    nano_usd: u64,
    unpriced: u64,
}

impl Sums {
    fn add(&mut self, used: Used, nano_usd: Option<u64>) {
        let Used { input, cached, written, output, reasoning } = used;
        self.requests += 1;
        self.used.input += input;
        self.used.cached += cached;
        self.used.written += written;
        self.used.output += output;
        self.used.reasoning += reasoning;
        self.nano_usd += nano_usd.unwrap_or_default();
        self.unpriced += u64::from(nano_usd.is_none());
    }
}

/// What these tokens cost, rounded up; nothing where nobody has said.
fn cost(target: &str, used: Used) -> Option<u64> {
    let (_, [input, cached, written, output, reasoning]) = PRICES.iter().find(|(priced, _)| *priced == target)?;
    let sum = (used.input - used.cached - used.written) * input
        + used.cached * cached
        + used.written * written
        + (used.output - used.reasoning) * output
        + used.reasoning * reasoning;
    Some(sum.div_ceil(1_000))
}

fn start() -> Chain {
    Chain::start(|config| {
        wait_for_providers(config);
        config["aliases"] = json!({"chain": [OPENAI, ANTHROPIC]});
        config["keys"] = KEYS.iter().map(|(id, key)| json!({"id": id, "sha256": dragoman::key::hash(key)})).collect();
        config["keys"][SCARCE]["budgets"] = json!({"daily_tokens": 3_000});
        for (target, prices) in PRICES {
            // As files have them: a USD for a million.
            let [input, cached, written, output, reasoning] = prices.map(|price| json!(f64_of(price) / 1e6));
            config["models"][target]["price"] = json!({
                "input": input, "cached_input": cached, "cache_write": written, "output": output, "reasoning": reasoning,
            });
        }
        config["models"][PENS]["price"] = json!({"image": 0.04});
    })
}

fn f64_of(count: u64) -> f64 {
    f64::from(u32::try_from(count).expect("a price"))
}

/// Asks until there are no requests left.
fn ask(chain: &Chain, gate: &Gate, next: &AtomicUsize, all: &Mutex<Vec<Seen>>) {
    let mut connection = Connection::open(chain.gateway.address).unwrap();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= REQUESTS {
            return;
        }
        let Case { request, key, scripts, expected, leaves } = case(number, gate);
        for (provider, script) in scripts {
            chain.answer(provider, &number.to_string(), script);
        }
        connection.send(&request.bytes());
        let (status, headers, is_whole) = if leaves {
            let (status, headers) = connection.head().unwrap();
            let mut heard = Vec::new();
            while !heard.windows(5).any(|window| window == b"Hello") {
                heard.extend(connection.chunk().unwrap().expect("more").bytes);
            }
            (status, headers, false)
        } else {
            let answer = connection.response().unwrap_or_else(|error| panic!("{number}: {error}"));
            (answer.status, answer.headers, answer.complete)
        };
        if !is_whole || headers.text("connection") == Some("close") {
            connection = Connection::open(chain.gateway.address).unwrap();
        }
        let is_refused = key == Some(SCARCE) && status == 429;
        all.lock().unwrap().push(Seen {
            number,
            id: headers.text("x-request-id").expect("an id").to_owned(),
            status,
            attempts: headers.text("x-dragoman-attempts").map(str::to_owned),
            key,
            expected: if is_refused { Expected::Nothing } else { expected },
        });
    }
}

/// The lines of the access log by their request, once there are so many.
fn logged(chain: &Chain, count: usize) -> BTreeMap<String, Value> {
    let begun = Instant::now();
    loop {
        let output = chain.gateway.output();
        let lines = output.lines().filter(|line| line.starts_with('{') && line.ends_with('}'));
        let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
        if lines.len() >= count {
            let lines: BTreeMap<_, _> =
                lines.into_iter().map(|line| (text(&line, "request_id").into(), line)).collect();
            assert_eq!(lines.len(), count, "a line each");
            return lines;
        }
        assert!(begun.elapsed() < PATIENCE, "{} lines of {count}", lines.len());
        thread::sleep(Duration::from_millis(100));
    }
}

fn text<'a>(line: &'a Value, name: &str) -> &'a str {
    line[name].as_str().unwrap_or_default()
}

fn count(line: &Value, name: &str) -> u64 {
    line[name].as_u64().unwrap_or_default()
}

fn used(line: &Value) -> Used {
    Used {
        input: count(line, "gen_ai.usage.input_tokens"),
        cached: count(line, "gen_ai.usage.cache_read.input_tokens"),
        written: count(line, "gen_ai.usage.cache_creation.input_tokens"),
        output: count(line, "gen_ai.usage.output_tokens"),
        reasoning: count(line, "gen_ai.usage.reasoning.output_tokens"),
    }
}

/// The target of a line: the one that was asked last.
fn target(line: &Value) -> (&str, &str) {
    if line["provider"].is_null() { ("none", "none") } else { (text(line, "provider"), text(line, "model")) }
}

/// Asserts that a line is that of this request.
#[track_caller]
fn assert_line(line: &Value, seen: &Seen) {
    let Seen { number, status, attempts, key, expected, .. } = seen;
    assert_eq!(line["status"], *status, "{number}: {line}");
    assert_eq!(text(line, "key"), key.map_or("", |key| KEYS[key].0), "{number}: {line}");
    if let Some(attempts) = attempts {
        assert_eq!(text(line, "attempts"), attempts, "{number}");
    }
    let (provider, model) = target(line);
    let asked = format!("{provider}/{model}");
    match expected {
        Expected::Counted(target, tokens) => {
            assert_eq!((asked.as_str(), used(line)), (*target, *tokens), "{number}: {line}");
            assert_eq!(line["cost_nano_usd"].as_u64(), cost(target, *tokens), "{number}: {line}");
            assert!(line["estimated"].is_null() && line["outcome"] == "answered", "{number}: {line}");
        }
        Expected::Estimated(target, outcome) => {
            assert_eq!(asked, *target, "{number}: {line}");
            assert!(used(line).input > 0 && line["cost_nano_usd"].is_u64(), "{number}: {line}");
            assert_eq!(line["estimated"], true, "{number}: {line}");
            assert_eq!(text(line, "outcome"), *outcome, "{number}: {line}");
        }
        Expected::Nothing => {
            assert_eq!((used(line), &line["cost_nano_usd"]), (Used::default(), &Value::Null), "{number}: {line}");
            assert!(*status >= 400 && line["error.type"].is_string(), "{number}: {line}");
        }
    }
}

/// The metrics that the lines of the log amount to.
fn metrics_of<'a>(lines: impl Iterator<Item = &'a Value>) -> BTreeMap<Series, u64> {
    let mut metrics = BTreeMap::<Series, u64>::new();
    let mut add = |name: &str, labels: &[(&str, &str)], count: u64| {
        if count > 0 {
            let labels = labels.iter().map(|(label, value)| ((*label).to_owned(), told(value))).collect();
            *metrics.entry((name.to_owned(), labels)).or_default() += count;
        }
    };
    for line in lines {
        let (provider, model) = target(line);
        let of_target = [("provider", provider), ("model", model)];
        let status = line["status"].to_string();
        let with = |label, value| [("provider", provider), ("model", model), (label, value)];
        add("llm_requests_total", &with("status", &status), 1);
        let tries: Vec<_> = tries(line);
        for (provider, model, status) in &tries {
            add("llm_attempts_total", &[("provider", provider), ("model", model), ("status", status)], 1);
        }
        let is_fallback = tries.iter().any(|(other, named, _)| (*other, *named) != (provider, model));
        add("llm_fallbacks_total", &of_target, is_fallback.into());
        let Used { input, cached, written, output, reasoning } = used(line);
        for (kind, tokens) in [
            ("input", input),
            ("cached_input", cached),
            ("cache_write", written),
            ("output", output),
            ("reasoning", reasoning),
        ] {
            add("llm_tokens_total", &with("type", kind), tokens);
        }
        add("llm_images_total", &of_target, count(line, "images"));
        add("llm_cost_nano_usd_total", &of_target, count(line, "cost_nano_usd"));
        let is_unpriced = line.get("cost_nano_usd") == Some(&Value::Null);
        add("llm_unpriced_requests_total", &of_target, is_unpriced.into());
        add("llm_errors_total", &[("type", text(line, "error.type"))], line["error.type"].is_string().into());
        add("llm_limits_hit_total", &[("limit", text(line, "limit"))], line["limit"].is_string().into());
        add("llm_request_duration_ms_count", &of_target, (!tries.is_empty()).into());
        let is_heard = line["gen_ai.response.time_to_first_chunk"].is_number();
        add("llm_time_to_first_token_ms_count", &of_target, is_heard.into());
    }
    metrics
}

/// How the gateway tells a label: without what ends one within it, and without an end that Envoy takes off.
fn told(value: &str) -> String {
    let value = value.replace(';', "_");
    value.strip_suffix('.').map_or_else(|| value.clone(), |kept| format!("{kept}_"))
}

/// Provider, model and status of each try of a line.
fn tries(line: &Value) -> Vec<(&str, &str, &str)> {
    let tries = text(line, "attempts").split(',').filter(|entry| !entry.is_empty());
    let parted = tries.map(|entry| {
        let (target, status) = entry.rsplit_once('=').expect("a status");
        let (provider, model) = target.split_once('/').expect("a model");
        (provider, model, status)
    });
    parted.collect()
}

/// The gateway's metrics, as Prometheus gets them. A histogram is how many it has measured.
fn metrics(chain: &Chain) -> BTreeMap<Series, u64> {
    let samples = prometheus::read(&chain.gateway.ask_envoy("/stats/prometheus"));
    let ours = samples.into_iter().filter(|((name, _), _)| name.starts_with("llm_"));
    let counted = ours.filter(|((name, _), _)| !name.ends_with("_bucket") && !name.ends_with("_sum"));
    counted.map(|(series, value)| (series, value.to_string().parse().expect("a whole number"))).collect()
}

/// Waits until the metrics are these, which are told a little later.
#[track_caller]
fn await_metrics(chain: &Chain, expected: &BTreeMap<Series, u64>) {
    let begun = Instant::now();
    while metrics(chain) != *expected {
        if begun.elapsed() >= PATIENCE {
            let told = metrics(chain);
            let differing = |series: &&Series| told.get(*series) != expected.get(*series);
            let differing: BTreeSet<_> = told.keys().chain(expected.keys()).filter(differing).collect();
            let values = differing.iter().map(|series| (series, told.get(*series), expected.get(*series)));
            panic!("series, told, expected: {:#?}", values.collect::<Vec<_>>());
        }
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn providers_log_and_metrics_agree_to_the_token_and_the_nano_dollar() {
    clear_midnight();
    let (chain, gate) = (start(), Gate::closed());
    let (next, all) = (AtomicUsize::new(0), Mutex::default());
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| ask(&chain, &gate, &next, &all));
        }
    });
    gate.open();
    chain.wait_until_idle();
    let all = all.into_inner().unwrap();
    let lines = logged(&chain, REQUESTS);

    // What the providers were told to say is what the log has.
    let (mut told, mut written) = (BTreeMap::<_, Sums>::new(), BTreeMap::<_, Sums>::new());
    for seen in &all {
        let line = lines.get(&seen.id).unwrap_or_else(|| panic!("{} has no line", seen.number));
        assert_line(line, seen);
        if let Expected::Counted(target, tokens) = seen.expected {
            told.entry((target, seen.key)).or_default().add(tokens, cost(target, tokens));
            written.entry((target, seen.key)).or_default().add(used(line), line["cost_nano_usd"].as_u64());
        }
    }
    assert_eq!(told, written);
    for provider in ["openai", "anthropic", "gemini"] {
        let asked: usize =
            lines.values().map(|line| tries(line).iter().filter(|(name, ..)| *name == provider).count()).sum();
        assert_eq!(chain.upstream(provider).requests().len(), asked, "{provider}");
    }

    // And what the log has is what the metrics come to.
    let expected = metrics_of(lines.values());
    await_metrics(&chain, &expected);
    let names: BTreeSet<&str> = expected.keys().map(|(name, _)| name.as_str()).collect();
    // No router here keeps answers.
    let others = dragoman_core::record::metric::ALL.iter().filter(|metric| metric.name != "llm_cache_total");
    assert_eq!(names.len(), others.count(), "of each metric there is something: {names:?}");

    assert_documented(lines.values());
    assert_no_secret(&chain);
    chain.assert_sound();
}
