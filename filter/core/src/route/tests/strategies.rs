//! Each way of choosing, by what comes out of many requests.

use super::*;
use alloc::collections::BTreeSet;

/// So many requests are counted.
const REQUESTS: u32 = 10_000;

/// A gateway whose only key has this routing configuration.
fn routed(routing: &Value) -> Bench {
    bench(&json!({"keys": [key(&json!({"routing": routing}))], "teams": {"ml": {}}}))
}

fn any() -> Ask<'static> {
    Ask { key: "test", ..Ask::default() }
}

/// How often each order comes out.
fn orders(bench: &Bench, ask: &Ask<'_>, world: &World) -> BTreeMap<String, u32> {
    let mut orders = BTreeMap::new();
    for _ in 0..REQUESTS {
        *orders.entry(bench.targets_in(ask, world).join(" ")).or_default() += 1;
    }
    orders
}

/// How often each target comes first.
fn firsts(bench: &Bench, ask: &Ask<'_>, world: &World) -> BTreeMap<String, u32> {
    let mut firsts = BTreeMap::new();
    for (order, count) in orders(bench, ask, world) {
        *firsts.entry(order.split(' ').next().unwrap().to_owned()).or_default() += count;
    }
    firsts
}

/// Whether a count is what a probability makes it, within five standard deviations: once in two million it would not be.
fn assert_share(count: u32, probability: f64) {
    let (total, count) = (f64::from(REQUESTS), f64::from(count));
    let deviation = (total * probability * (1.0 - probability)).sqrt();
    assert!((count - total * probability).abs() <= 5.0 * deviation, "{count} of {total}, expected {probability}");
}

fn models(names: &[&str]) -> Value {
    json!(names.iter().map(|name| json!({"model": format!("own/{name}")})).collect::<Vec<_>>())
}

#[test]
fn fallback_goes_by_priority_and_then_by_weight() {
    let position = routed(&json!({"strategy": "fallback", "targets": models(&["c", "a", "b"])}));
    assert_eq!(orders(&position, &any(), &World::default()).len(), 1);
    assert_eq!(position.targets(&any()), ["own/c", "own/a", "own/b"]);
    let bench = routed(&json!({"strategy": "fallback", "targets": [
        {"model": "own/last", "priority": 9},
        {"model": "own/a", "priority": 1, "weight": 3},
        {"model": "own/b", "priority": 1},
    ]}));
    let orders = orders(&bench, &any(), &World::default());
    assert_eq!(orders.len(), 2);
    assert_share(orders["own/a own/b own/last"], 0.75);
}

#[test]
fn split_gives_each_its_share_also_of_what_follows() {
    let bench = routed(&json!({"strategy": "weighted", "targets": [
        {"model": "own/a", "weight": 0.5}, {"model": "own/b", "weight": "0.3"}, {"model": "own/c", "weight": 0.2},
        {"model": "own/none", "weight": 0},
    ]}));
    let orders = orders(&bench, &any(), &World::default());
    let (a, b, c) = (0.5, 0.3, 0.2);
    assert_eq!(orders.len(), 6);
    for (order, probability) in [
        ("a b c", a * b / (b + c)),
        ("a c b", a * c / (b + c)),
        ("b a c", b * a / (a + c)),
        ("b c a", b * c / (a + c)),
        ("c a b", c * a / (a + b)),
        ("c b a", c * b / (a + b)),
    ] {
        let order: Vec<_> = order.split(' ').map(|name| format!("own/{name}")).collect();
        assert_share(orders[&format!("{} own/none", order.join(" "))], probability);
    }
}

#[test]
fn the_share_of_one_that_cools_down_goes_to_the_others_as_they_share() {
    let targets =
        json!([{"model": "own/a", "weight": 5}, {"model": "own/b", "weight": 3}, {"model": "own/c", "weight": 2}]);
    let bench = routed(&json!({"strategy": "split", "targets": targets}));
    let world = World { cooling: [("own/default/a".to_owned(), 9)].into(), ..World::default() };
    let firsts = firsts(&bench, &any(), &world);
    assert_eq!(firsts.len(), 2);
    assert_share(firsts["own/b"], 0.6);
}

#[test]
fn sticky_keeps_its_target_and_its_share() {
    let targets =
        json!([{"model": "own/a", "weight": 3}, {"model": "own/b", "weight": 1}, {"model": "own/c", "weight": 1}]);
    let of_user = routed(&json!({"strategy": "split", "targets": targets, "sticky": "user"}));
    let less = json!([{"model": "own/b", "weight": 1}, {"model": "own/a", "weight": 3}]);
    let of_less = routed(&json!({"strategy": "split", "targets": less, "sticky": "user"}));
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for user in 0..REQUESTS {
        let user = format!("user-{user}");
        let ask = Ask { user: Some(&user), ..any() };
        let order = of_user.targets(&ask);
        let other = World { entropy: Cell::new(7), seconds: 99, ..World::default() };
        assert_eq!(of_user.targets_in(&ask, &other), order);
        assert_eq!(other.draws.get(), 0);
        // One that is not there any more moves only its own, to where they would have gone next; position is nothing.
        let expected: Vec<_> = order.iter().filter(|name| *name != "own/c").cloned().collect();
        assert_eq!(of_less.targets(&ask), expected);
        *counts.entry(order[0].clone()).or_default() += 1;
    }
    assert_share(counts["own/a"], 0.6);
    assert_share(counts["own/b"], 0.2);
    // Without a user there is nothing to keep.
    assert_eq!(firsts(&of_user, &any(), &World::default()).len(), 3);
}

#[test]
fn sticky_is_by_key_or_header_too() {
    let targets = models(&["a", "b", "c", "d"]);
    let of_key = routed(&json!({"strategy": "split", "targets": targets, "sticky": "key"}));
    assert_eq!(orders(&of_key, &any(), &World::default()).len(), 1);
    let of_header = routed(&json!({"strategy": "split", "targets": targets, "sticky": "header:X-Session"}));
    let with = |value: &str| Ask { headers: HeaderMap::from_iter([("x-session", value)]), ..any() };
    let mut seen = BTreeSet::new();
    for session in 0..100 {
        let ask = with(&format!("s{session}"));
        let first = of_header.targets(&ask);
        assert_eq!(of_header.targets_in(&ask, &World { entropy: Cell::new(3), ..World::default() }), first);
        seen.insert(first[0].clone());
    }
    assert_eq!(seen.len(), 4);
}

#[test]
fn equal_branches_have_a_share_each_when_sticky() {
    let targets = json!([{"model": "own/a"}, {"model": "own/a"}, {"model": "own/b"}]);
    let bench = routed(&json!({"strategy": "split", "targets": targets, "sticky": "user"}));
    let users: Vec<_> = (0..REQUESTS).map(|user| user.to_string()).collect();
    let firsts = users.iter().map(|user| bench.targets(&Ask { user: Some(user), ..any() }));
    let count = firsts.filter(|targets| targets[0] == "own/a").count();
    assert_share(u32::try_from(count).unwrap(), 2.0 / 3.0);
}

#[test]
fn latency_takes_the_quicker_of_two_and_measures_who_is_new() {
    let bench = routed(&json!({"strategy": "latency", "targets": models(&["slow", "quick", "middle"])}));
    let latency = [("own/default/slow", 900), ("own/default/quick", 100), ("own/default/middle", 300)];
    let mut latency: BTreeMap<String, u64> = latency.map(|(name, millis)| (name.to_owned(), millis)).into();
    let world = World { latency: latency.clone(), ..World::default() };
    let orders = orders(&bench, &any(), &world);
    // The slowest never wins; who does not win goes by its latency.
    assert_eq!(orders.len(), 2);
    assert_share(orders["own/quick own/middle own/slow"], 2.0 / 3.0);
    assert_share(orders["own/middle own/quick own/slow"], 1.0 / 3.0);
    // A stream goes by its first content.
    latency.insert("own/default/slow stream".to_owned(), 1);
    let world = World { latency: latency.clone(), ..World::default() };
    assert_share(firsts(&bench, &Ask { stream: true, ..any() }, &world)["own/slow"], 2.0 / 3.0);
    // Who has not been measured wins every duel.
    latency.remove("own/default/slow");
    latency.remove("own/default/slow stream");
    let world = World { latency: latency.clone(), ..World::default() };
    assert_share(firsts(&bench, &any(), &world)["own/slow"], 2.0 / 3.0);
    // Who cools down is in none.
    let cooling = [("own/default/slow".to_owned(), 5)].into();
    let firsts = firsts(&bench, &any(), &World { latency, cooling, ..World::default() });
    assert_eq!(firsts["own/quick"], REQUESTS);
}

#[test]
fn latency_leaves_who_has_shown_nothing_for_long_to_one_request_in_a_few() {
    let bench = routed(&json!({"strategy": "latency", "targets": models(&["new", "known"])}));
    let row = |name: &str, count: u32| -> BTreeMap<String, u32> { [(format!("own/default/{name}"), count)].into() };
    let known: BTreeMap<String, u64> = [("own/default/known".to_owned(), 900)].into();
    let world = World { latency: known.clone(), ..World::default() };
    let share = |world: World| firsts(&bench, &any(), &world).get("own/new").copied().unwrap_or_default();
    assert_eq!(share(World { blanks: row("new", 7), ..world.clone() }), REQUESTS);
    // It refuses, or nobody waits for it; or it has not answered yet.
    assert_share(share(World { blanks: row("new", 8), ..world.clone() }), 1.0 / 32.0);
    assert_share(share(World { in_flight: row("new", 8), ..world.clone() }), 1.0 / 32.0);
    // What was quick once and refuses now.
    let mut latency = known;
    latency.insert("own/default/new".to_owned(), 1);
    assert_eq!(share(World { latency: latency.clone(), in_flight: row("new", 8), ..world.clone() }), REQUESTS);
    assert_share(share(World { latency, blanks: row("new", 8), ..world }), 1.0 / 32.0);
    // Where that is all of them, it is any.
    let blanks = ["new", "known"].iter().flat_map(|name| row(name, 100)).collect();
    assert_share(share(World { blanks, ..World::default() }), 0.5);
}

#[test]
fn latency_spends_one_request_in_a_few_on_all_that_have_shown_nothing_for_long() {
    let bench = routed(&json!({"strategy": "latency", "targets": models(&["quick", "one", "two", "three", "slow"])}));
    let latency = [("own/default/quick".to_owned(), 100), ("own/default/slow".to_owned(), 900)].into();
    let blanks = ["one", "two", "three"].map(|name| (format!("own/default/{name}"), 8)).into();
    let firsts = firsts(&bench, &any(), &World { latency, blanks, ..World::default() });
    assert_share(firsts["own/quick"], 31.0 / 32.0);
    for name in ["own/one", "own/two", "own/three"] {
        assert_share(firsts[name], 1.0 / 96.0);
    }
}

#[test]
fn cheapest_goes_by_price_for_what_is_expected() {
    let bench = bench(&json!({
        "models": {
            "own/short": {"price": {"input": 1, "output": 10}},
            "own/long": {"price": {"input": 5, "output": 1}},
            "own/free": {"price": {"input": 0}},
            "own/picture": {"price": {"image": 0.01}},
        },
        "keys": [key(&json!({"routing": {"strategy": "cheapest", "targets": models(&["unknown", "free", "long", "short", "picture"])}}))],
    }));
    let of = |input_tokens, max_output_tokens| {
        let targets = bench.targets(&Ask { input_tokens, max_output_tokens, ..any() });
        [targets[0].clone(), targets[1].clone()]
    };
    assert_eq!(of(10, None), ["own/long", "own/short"]);
    assert_eq!(of(2000, Some(100)), ["own/short", "own/long"]);
    // A bound that is never reached is not expected to be.
    assert_eq!(of(1200, Some(100_000)), ["own/short", "own/long"]);
    let embeddings = Ask { endpoint: Endpoint::Embeddings, ..any() };
    assert_eq!(bench.targets(&embeddings)[..2], ["own/free", "own/short"]);
    assert_eq!(bench.targets(&Ask { endpoint: Endpoint::Images, ..any() })[0], "own/picture");
}

#[test]
fn least_busy_has_the_fewest_in_flight_and_any_of_equals() {
    let bench = routed(&json!({"strategy": "least_busy", "targets": models(&["a", "b", "c"])}));
    let in_flight = [("own/default/a", 2), ("own/default/b", 1), ("own/default/c", 1)];
    let in_flight = in_flight.map(|(name, count)| (name.to_owned(), count)).into();
    let orders = orders(&bench, &any(), &World { in_flight, ..World::default() });
    assert_eq!(orders.len(), 2);
    assert_share(orders["own/b own/c own/a"], 0.5);
}

#[test]
fn strategies_stand_in_each_other() {
    let bench = bench(&json!({
        "routing": {
            "inner": {"strategy": "fallback", "targets": models(&["a", "b"])},
            "idle": {"strategy": "fallback", "targets": models(&["never"]), "active": false},
        },
        "keys": [key(&json!({"routing": {"strategy": "split", "targets": [
            {"routing": "inner", "weight": 3},
            {"strategy": "least_busy", "targets": models(&["c"]), "weight": 1},
            {"routing": "idle", "weight": 100},
            {"strategy": "rules", "rules": [{"when": {"stream": true}, "then": "own/d"}], "weight": 100},
        ]}}))],
    }));
    let orders = orders(&bench, &any(), &World::default());
    assert_eq!(orders.len(), 2);
    assert_share(orders["own/a own/b own/c"], 0.75);
    // A branch is judged by who would be asked first: its second, where its first cools down.
    let latency = routed(&json!({"strategy": "latency", "targets": [
        {"strategy": "fallback", "targets": models(&["a", "b"])}, {"model": "own/c"},
    ]}));
    let times = [("own/default/a", 1), ("own/default/b", 900), ("own/default/c", 100)];
    let times: BTreeMap<_, _> = times.map(|(name, millis)| (name.to_owned(), millis)).into();
    let world = World { latency: times.clone(), ..World::default() };
    assert_eq!(latency.targets_in(&any(), &world), ["own/a", "own/b", "own/c"]);
    let world = World { latency: times, cooling: [("own/default/a".to_owned(), 5)].into(), ..World::default() };
    assert_eq!(latency.targets_in(&any(), &world), ["own/c", "own/b", "own/a"]);
}

#[test]
fn auto_is_the_default_model_until_requests_are_classified() {
    let routing = json!({"strategy": "auto"});
    let bench = bench(&json!({"auto": {"default_model": "own/a"}, "keys": [key(&json!({"routing": routing}))]}));
    assert_eq!(bench.targets(&Ask { model: Some("openai/gpt-4o"), ..any() }), ["own/a"]);
}

#[test]
fn every_condition_of_a_rule_is_looked_at() {
    let met = |when: &Value, attributes: &Value, ask: &Ask<'_>, seconds: u64| {
        let mut attributes = attributes.clone();
        attributes["routing"] =
            json!({"strategy": "rules", "rules": [{"when": when, "then": ["own/yes", "own/then"]}], "else": "own/no"});
        let bench = bench(&json!({
            "keys": [key(&attributes)],
            "teams": {"ml": {}, "web": {}},
            "aliases": {"fast": "openai/gpt-4o-mini"},
        }));
        let targets = bench.targets_in(&Ask { key: "test", ..ask.clone() }, &World { seconds, ..World::default() });
        assert!(targets == ["own/yes", "own/then"] || targets == ["own/no"], "{targets:?}");
        targets.len() == 2
    };
    let plain = json!({});
    let of_ml = json!({"team": "ml", "labels": {"app": "shop", "tier": "gold"}});
    let header = |value: &[u8]| Ask { headers: HeaderMap::from_iter([("x-tier", value)]), ..any() };
    for (when, attributes, ask, expected) in [
        (json!({}), &plain, any(), true),
        (json!({"model": "gpt-4o*"}), &plain, asking("gpt-4o"), true),
        (json!({"model": "openai/gpt-4o*"}), &plain, asking("gpt-4o"), true),
        (json!({"model": ["o3", "gpt-4o-mini"]}), &plain, asking("fast"), true),
        (json!({"model": "fast"}), &plain, asking("fast"), false),
        (json!({"model": "nobody-*"}), &plain, asking("nobody-knows"), true),
        (json!({"model": "gpt-4o"}), &plain, any(), false),
        (json!({"headers": {"X-Tier": "go*"}}), &plain, header(b"gold"), true),
        (json!({"headers": {"x-tier": "go*"}}), &plain, header(b"silver"), false),
        (json!({"headers": {"x-tier": "*"}}), &plain, header(b"\xff"), false),
        (json!({"headers": {"x-tier": "*"}}), &plain, any(), false),
        (json!({"labels": {"app": "shop", "tier": "gold"}}), &of_ml, any(), true),
        (json!({"labels": {"app": "shop", "tier": "iron"}}), &of_ml, any(), false),
        (json!({"labels": {"app": "shop"}}), &plain, any(), false),
        (json!({"team": "ml"}), &of_ml, any(), true),
        (json!({"team": "web"}), &of_ml, any(), false),
        (json!({"team": "ml"}), &plain, any(), false),
        (json!({"estimated_tokens": {"gt": 99}}), &plain, any(), true),
        (json!({"estimated_tokens": {"gt": 100}}), &plain, any(), false),
        (json!({"estimated_tokens": {"gte": 100, "lte": 100}}), &plain, any(), true),
        (json!({"estimated_tokens": {"lt": 100}}), &plain, any(), false),
        (json!({"has_tools": true}), &plain, Ask { has_tools: true, ..any() }, true),
        (json!({"has_tools": false}), &plain, Ask { has_tools: true, ..any() }, false),
        (json!({"has_images": true, "stream": true}), &plain, Ask { has_images: true, stream: true, ..any() }, true),
        (json!({"has_images": true, "stream": true}), &plain, Ask { has_images: true, ..any() }, false),
        (json!({"path": "/v1/*"}), &plain, any(), true),
        (json!({"path": "/v1/*"}), &plain, Ask { path: "/chat/completions", ..any() }, false),
    ] {
        assert_eq!(met(&when, attributes, &ask, 0), expected, "{when} {ask:?}");
    }
    // A Thursday, and every other day.
    for (from, to, at, expected) in [
        ("06:00", "22:00", 6 * 60, true),
        ("06:00", "22:00", 22 * 60, false),
        ("22:00", "06:00", 23 * 60, true),
        ("22:00", "06:00", 5 * 60 + 59, true),
        ("22:00", "06:00", 6 * 60, false),
        ("22:00", "06:00", 21 * 60 + 59, false),
        ("00:00", "00:01", 0, true),
    ] {
        let when = json!({"time": {"from": from, "to": to}});
        assert_eq!(met(&when, &plain, &any(), 86_400 * 20_000 + at * 60 + 59), expected, "{from} {to} {at}");
    }
}

#[test]
fn the_first_rule_that_matches_decides() {
    let bench = routed(&json!({"strategy": "rules", "rules": [
        {"when": {"stream": true}, "then": {"strategy": "fallback", "targets": models(&["a", "b"])}},
        {"when": {"has_tools": true}, "then": "own/c"},
    ], "else": ["own/d", "own/e"]}));
    for (stream, has_tools, expected) in
        [(true, true, &["own/a", "own/b"][..]), (false, true, &["own/c"]), (false, false, &["own/d", "own/e"])]
    {
        assert_eq!(bench.targets(&Ask { stream, has_tools, ..any() }), expected);
    }
}
