//! `dragoman up --reload` under load: a good edit is in effect soon and on every worker, a bad one is not, and no request
//! notices either.
#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]

use dragoman::simulate::Options;
use dragoman_tests::clock::{Control, assert_in_time};
use dragoman_tests::envoy::{Gateway, Setup};
use dragoman_tests::http::{Connection, Request};
use dragoman_tests::scene::{Scene, hello};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// No request that is sent later than this after the file was saved is served as before.
const EFFECT_LIMIT: Duration = Duration::from_secs(1);
/// What the machine may add to that by being late itself; where it adds more, a round shows nothing.
const LATE_LIMIT: Duration = Duration::from_millis(250);
/// Envoy's main thread, whom the tool asks, hands the filter to the workers, which have requests to serve.
const WORKERS_LIMIT: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(20);
const COUNTERS: &str = "extension_config_discovery.http_filter.dragoman_ingress.";

fn start() -> Scene {
    Scene::start_with(
        Options::default(),
        |config, base_url| {
            config["providers"]["other"] = json!({"kind": "openai", "base_url": base_url, "auth": "none"});
            config["keys"] = json!([
                {"id": "steady", "sha256": dragoman::key::hash("sk-steady")},
                {"id": "edited", "sha256": dragoman::key::hash("sk-edited"), "models": ["gpt-4o*"]},
            ]);
        },
        |setup: Setup| setup.argument("--reload"),
    )
}

fn chat(key: &str, model: &str, stream: bool) -> Request {
    let mut body = hello(stream);
    body["model"] = json!(model);
    Request::post("/v1/chat/completions", &body).key(key)
}

/// Waits until the gateway has printed this so many times.
#[track_caller]
fn wait_for_line(gateway: &Gateway, line: &str, times: usize) {
    let begun = Instant::now();
    while gateway.log().matches(line).count() < times {
        assert!(begun.elapsed() < PATIENCE, "no {line:?} in:\n{}", gateway.log());
        thread::sleep(Duration::from_millis(10));
    }
}

/// Replaces the file with the first one, changed.
fn edit(gateway: &Gateway, change: impl FnOnce(&mut Value)) {
    let mut config = gateway.config();
    change(&mut config);
    gateway.replace_file(&config.to_string());
}

fn counter(gateway: &Gateway, name: &str) -> u64 {
    gateway.stat(&format!("{COUNTERS}{name}"))
}

/// One kind of request, sent at a steady pace.
#[derive(Clone, Copy)]
struct Load {
    key: &'static str,
    model: &'static str,
    stream: bool,
    every: Duration,
}

struct Seen {
    load: Load,
    sent: Instant,
    answered: Instant,
    status: u16,
    is_whole: bool,
    text: String,
}

/// 200 requests a second where the machine has time for that, a quarter of them streams, of which several are always under way.
fn loads() -> Vec<Load> {
    let load = |key, model, stream, every| Load { key, model, stream, every: Duration::from_millis(every) };
    let mut loads = vec![load("sk-edited", "openai/o3", false, 20); 2];
    loads.push(load("sk-steady", "openai/gpt-4o", false, 20));
    loads.extend([load("sk-steady", "openai/gpt-4o", true, 160); 8]);
    loads
}

/// Sends until told to stop. A connection carries three requests, so that each worker gets some.
fn send(load: Load, to: SocketAddr, is_over: &AtomicBool) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut connection = None;
    let mut next = Instant::now();
    let request =
        chat(load.key, load.model, load.stream).header("x-simulate", if load.stream { "slow=20" } else { "" });
    while !is_over.load(Ordering::Relaxed) {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        next = next.checked_add(load.every).unwrap();
        let mut open = match connection.take() {
            Some(open) => open,
            None => Connection::open(to).unwrap(),
        };
        let sent = Instant::now();
        open.send(&request.bytes());
        let answer = open.response().unwrap();
        let answered = Instant::now();
        let text = answer.text();
        let is_whole = answer.complete && (!load.stream || text.ends_with("data: [DONE]\n\n"));
        seen.push(Seen { load, sent, answered, status: answer.status, is_whole, text });
        connection = Some(open).filter(|_| !seen.len().is_multiple_of(3));
    }
    seen
}

/// How late the machine was within the limit after an edit that was saved then.
fn late(control: &Control, saved: Instant) -> Duration {
    control.late(saved..saved + EFFECT_LIMIT)
}

/// When such an edit has to be in effect.
fn limit(control: &Control, saved: Instant) -> Instant {
    saved + EFFECT_LIMIT + late(control, saved).min(LATE_LIMIT)
}

/// Between these somebody saved a file.
struct Edit {
    begun: Instant,
    saved: Instant,
}

impl Edit {
    fn save(gateway: &Gateway, change: impl FnOnce(&mut Value)) -> Self {
        let begun = Instant::now();
        edit(gateway, change);
        Self { begun, saved: Instant::now() }
    }

    /// Waits until it has to be in effect, and for some requests more.
    fn wait(&self, control: &Control) {
        while Instant::now() < limit(control, self.saved) + Duration::from_millis(500) {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn under_load_a_good_edit_is_in_effect_within_a_second_a_bad_one_never_and_no_request_fails() {
    assert_in_time(|_| reload_under_load());
}

/// Whether the machine had time for the load, and for the edits to be judged.
fn reload_under_load() -> bool {
    let scene = start();
    let gateway = &scene.gateway;
    let (is_over, control) = (&AtomicBool::new(false), &Control::default());
    let (seen, granted, revoked, begun, ended) = thread::scope(|scope| {
        let to = gateway.address;
        let begun = Instant::now();
        scope.spawn(|| control.run(is_over));
        let threads: Vec<_> = loads().into_iter().map(|load| scope.spawn(move || send(load, to, is_over))).collect();
        // Longer than any edit: it begins under the first policy and ends under the last.
        let long =
            scope.spawn(move || chat("sk-edited", "openai/gpt-4o", true).header("x-simulate", "slow=600").send(to));
        thread::sleep(Duration::from_millis(700));

        let granted = Edit::save(gateway, |config| config["keys"][1]["models"] = json!(["gpt-4o*", "o3"]));
        wait_for_line(gateway, "dragoman: reloaded ", 1);
        granted.wait(control);

        // Each of these would take the key's scope, or the key, away.
        gateway.replace_file("keys: [");
        wait_for_line(gateway, "not reloaded: ", 1);
        edit(gateway, |config| {
            config["keys"] = json!([]);
            config["providers"]["openai"]["kind"] = json!("opnai");
            config["nonsense"] = json!(1);
        });
        wait_for_line(gateway, "not reloaded: /providers/openai/kind", 1);
        wait_for_line(gateway, "not reloaded: /nonsense", 1);
        edit(gateway, |config| {
            config["keys"] = json!([]);
            config["providers"]["openai"]["base_url"] = json!("http://127.0.0.1:9/v1");
        });
        wait_for_line(gateway, "not reloaded: needs a restart: providers.openai.base_url\n", 1);
        thread::sleep(Duration::from_millis(500));

        let revoked = Edit::save(gateway, |_| ());
        wait_for_line(gateway, "dragoman: reloaded ", 2);
        revoked.wait(control);
        is_over.store(true, Ordering::Relaxed);
        let ended = Instant::now();
        assert!(!long.is_finished(), "it ended too early to tell anything");

        let long = long.join().unwrap();
        assert!(long.complete && long.text().ends_with("data: [DONE]\n\n"), "{}", long.text());
        (
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>(),
            granted,
            revoked,
            begun,
            ended,
        )
    });

    scene.assert_sound();
    let paced = usize::try_from((ended - begun).as_millis() / 5).unwrap();
    let late = [&granted, &revoked].map(|edit| late(control, edit.saved));
    let is_judged = seen.len() > paced / 4 * 3 && late.iter().all(|late| *late < LATE_LIMIT);
    if !is_judged {
        let fails = |seen: &&Seen| !seen.is_whole || !matches!(seen.status, 200 | 403);
        assert_eq!(seen.iter().filter(fails).map(|seen| &*seen.text).collect::<Vec<_>>(), [""; 0]);
        return false;
    }
    let limits = [&granted, &revoked].map(|edit| limit(control, edit.saved));
    for Seen { load, sent, answered, status, is_whole, text } in &seen {
        let at = *sent - begun;
        assert!(is_whole, "cut at {at:?}: {status} {text}");
        let expected: &[u16] = if load.key == "sk-steady" {
            &[200]
        } else if *answered < granted.begun {
            &[403]
        } else if *sent < limits[0] {
            &[403, 200]
        } else if *answered < revoked.begun {
            &[200]
        } else if *sent < limits[1] {
            &[200, 403]
        } else {
            &[403]
        };
        assert!(expected.contains(status), "at {at:?}: {status} {text}");
    }
    // Each of the three policies has been seen, and a new one in time.
    for (phase, status) in [(begun..granted.begun, 403), (limits[0]..revoked.begun, 200), (limits[1]..ended, 403)] {
        let edited = seen.iter().filter(|seen| seen.load.key == "sk-edited" && seen.status == status);
        assert!(edited.clone().any(|seen| phase.contains(&seen.sent)), "no {status} in its phase");
    }
    for (edit, limit, status) in [(&granted, limits[0], 200), (&revoked, limits[1], 403)] {
        let edited = seen.iter().filter(|seen| seen.load.key == "sk-edited" && seen.status == status);
        let first = edited.filter(|seen| seen.sent > edit.saved).map(|seen| seen.answered).min().unwrap();
        assert!(first < limit, "the first {status} came {:?} after the edit", first - edit.saved);
    }
    for worker in ["worker_0", "worker_1"] {
        let listener = gateway.address.to_string().replace(':', "_");
        assert!(gateway.stat(&format!("listener.{listener}.{worker}.downstream_cx_total")) > 10, "{worker} idle");
    }
    assert_eq!((counter(gateway, "update_rejected"), counter(gateway, "update_success")), (3, 3));
    true
}

#[test]
fn what_only_the_module_refuses_changes_nothing_and_is_counted() {
    let scene = start();
    let gateway = &scene.gateway;
    let folders = fs::read_dir(gateway.folder()).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> =
        folders.map(|path| path.join("discovery/ingress.json")).filter(|file| file.exists()).collect();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    let filter = fs::read_to_string(file).unwrap();
    let draft = gateway.folder().join("filter");
    fs::write(&draft, filter.replace(r#"\"keys\""#, r#"\"kyes\""#)).unwrap();
    fs::rename(&draft, file).unwrap();

    wait_for_line(gateway, "/config/kyes: ", 1);
    let begun = Instant::now();
    while counter(gateway, "update_rejected") == 0 {
        assert!(begun.elapsed() < PATIENCE, "{}", gateway.ask_envoy("/stats?filter=extension_config"));
        thread::sleep(Duration::from_millis(10));
    }
    for (key, status) in [("sk-steady", 200), ("sk-none", 401)] {
        assert_eq!(gateway.send(&chat(key, "openai/gpt-4o", false)).status, status);
    }
    assert_eq!(gateway.send(&Request::get("/ready")).status, 200);
}

#[test]
fn after_a_bad_edit_the_content_that_runs_is_taken_again() {
    let scene = start();
    let gateway = &scene.gateway;
    gateway.replace_file("keys: [");
    wait_for_line(gateway, "not reloaded: ", 1);
    edit(gateway, |_| ());
    wait_for_line(gateway, "dragoman: reloaded ", 1);
    // Envoy has it from the file again, and not only from before.
    assert_eq!((counter(gateway, "update_rejected"), counter(gateway, "update_success")), (1, 2));
    gateway.hang_up();
    wait_for_line(gateway, "it says the same as before", 1);
    assert_eq!((counter(gateway, "update_rejected"), counter(gateway, "update_success")), (1, 2));
    assert_eq!(gateway.send(&chat("sk-edited", "openai/gpt-4o", false)).status, 200);
    assert_eq!(gateway.send(&chat("sk-edited", "openai/o3", false)).status, 403);
}

#[test]
fn the_beginning_of_a_file_opens_no_gateway() {
    let scene = start();
    let gateway = &scene.gateway;
    edit(gateway, |config| drop(config.as_object_mut().unwrap().remove("keys")));
    wait_for_line(gateway, "not reloaded: /keys: there are none any more", 1);
    assert_eq!(gateway.send(&chat("sk-nobody", "openai/gpt-4o", false)).status, 401);
    edit(gateway, |config| {
        config.as_object_mut().unwrap().remove("keys");
        config["auth"] = json!({"required": false});
    });
    wait_for_line(gateway, "dragoman: reloaded ", 1);
    assert_eq!(gateway.send(&chat("sk-nobody", "openai/gpt-4o", false)).status, 200);
}

#[test]
fn an_edit_that_envoy_had_no_time_for_is_not_lost() {
    let scene = start();
    let gateway = &scene.gateway;
    let envoy = i32::try_from(gateway.envoy_id()).ok().and_then(Pid::from_raw).unwrap();
    kill_process(envoy, Signal::STOP).unwrap();
    edit(gateway, |config| config["keys"][1]["models"] = json!(["o3"]));
    wait_for_line(gateway, "; tried again in 1 s", 1);
    kill_process(envoy, Signal::CONT).unwrap();
    wait_for_line(gateway, "dragoman: reloaded ", 1);
    thread::sleep(WORKERS_LIMIT);
    assert_eq!(gateway.send(&chat("sk-edited", "openai/o3", false)).status, 200);

    // One that was replaced before Envoy had time is as if it had never been: what came after it does not open the gateway.
    let refused = counter(gateway, "update_rejected");
    kill_process(envoy, Signal::STOP).unwrap();
    edit(gateway, |config| {
        config.as_object_mut().unwrap().remove("keys");
        config["auth"] = json!({"required": false});
    });
    wait_for_line(gateway, "; tried again in 1 s", 2);
    edit(gateway, |config| drop(config.as_object_mut().unwrap().remove("keys")));
    wait_for_line(gateway, "not reloaded: /keys: there are none any more", 1);
    kill_process(envoy, Signal::CONT).unwrap();
    let begun = Instant::now();
    while counter(gateway, "update_rejected") == refused {
        assert!(begun.elapsed() < PATIENCE, "{}", gateway.log());
        thread::sleep(Duration::from_millis(10));
    }
    thread::sleep(WORKERS_LIMIT);
    assert_eq!(gateway.send(&chat("sk-nobody", "openai/gpt-4o", false)).status, 401);
    assert_eq!(gateway.log().matches("dragoman: reloaded ").count(), 1);
}

#[test]
fn where_no_file_is_followed_sighup_drains() {
    let scene = Scene::start_with(Options::default(), |_, _| (), |setup| setup);
    let gateway = &scene.gateway;
    let to = gateway.address;
    let long = thread::spawn(move || chat("any", "openai/gpt-4o", true).header("x-simulate", "slow=300").send(to));
    let begun = Instant::now();
    while gateway.stat("http.ingress.downstream_rq_active") == 0 {
        assert!(begun.elapsed() < PATIENCE && !long.is_finished());
        thread::sleep(Duration::from_millis(10));
    }
    gateway.hang_up();
    wait_for_line(gateway, "draining, 1 in flight", 1);
    gateway.hang_up();
    let long = long.join().unwrap();
    assert!(long.complete && long.text().ends_with("data: [DONE]\n\n"), "{}", long.text());
}

#[test]
fn a_signal_has_the_file_looked_at_again_and_a_hidden_admin_interface_is_no_obstacle() {
    let scene = Scene::start_with(
        Options::default(),
        |config, _| config["listen"] = json!({"envoy_admin": "off"}),
        |setup| setup.argument("--reload"),
    );
    let gateway = &scene.gateway;
    gateway.hang_up();
    wait_for_line(gateway, "it says the same as before", 1);

    fs::remove_file(gateway.folder().join("dragoman.json")).unwrap();
    wait_for_line(gateway, "dragoman.json not reloaded: ", 1);
    gateway.hang_up();
    wait_for_line(gateway, "dragoman.json not reloaded: ", 2);
    assert_eq!(gateway.send(&chat("any", "openai/gpt-4o", false)).status, 200);

    edit(gateway, |config| config["keys"] = json!([{"id": "only", "sha256": dragoman::key::hash("sk-only")}]));
    wait_for_line(gateway, "dragoman: reloaded ", 2);
    for (key, status) in [("any", 401), ("sk-only", 200)] {
        assert_eq!(gateway.send(&chat(key, "openai/gpt-4o", false)).status, status);
    }
}
