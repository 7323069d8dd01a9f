//! The command as its users meet it: exit status, standard output, standard error. What needs a real Envoy is tested with
//! the gateway.
#![expect(clippy::unwrap_used, reason = "the functions that tests share are tests, too")]

mod dashboard;
mod environment;
mod shipped;

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use dragoman_core::config;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn dragoman<const N: usize>(arguments: [&str; N]) -> Output {
    command(arguments).output().unwrap()
}

fn command<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dragoman"));
    // What the tester's own environment says is not asked.
    for variable in ["BACKEND_API_KEY", "BACKEND_BASE_URL", "DRAGOMAN_CONFIG", "ROUTING_CONFIG_PATH"] {
        command.env_remove(variable);
    }
    command.args(arguments).current_dir(root());
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A file in a folder of its own.
fn file(content: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dragoman.yaml");
    fs::write(&path, content).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// What `make up` runs.
const DEFAULT: &str = "config/dragoman.yaml";

/// Has every field.
const FULL: &str = "config/examples/full.yaml";

#[test]
fn what_is_not_done_yet_is_warned_of() {
    let warnings = dragoman(["check", FULL]);
    let warnings = text(&warnings.stdout);
    assert!(warnings.contains("warning: /console: is not acted on yet\n"), "{warnings}");
    assert!(!warnings.contains("refuse the file") && !warnings.contains("/log/"), "{warnings}");
}

#[test]
fn the_effective_configuration_is_a_file_that_says_the_same_and_no_secret() {
    let (_folder, path) = file(
        "providers:\n  a: {kind: openai, credential: {value: sk-one}, headers: {x-a: sk-two}}\n\
         auth: {jwt: {issuer: i, secret: {value: sk-three-of-at-least-thirty-two-bytes}}}\n\
         keys: [{id: k, sha256: 2c624232cc221771294dfbb310aca000a0df6ac8b66b696d90ef06fdefb64a3a,\n\
         \x20 byok: {credentials: {a: {value: sk-four}}}, routing: {strategy: split, targets: [{model: m, credential: {value: sk-five}}]}}]\n",
    );
    for path in [path.as_str(), FULL] {
        let effective = command(["check", "--effective", path]).env("LIVE_METRICS_MIN_SAMPLES", "77").output().unwrap();
        assert!(effective.status.success(), "{}", text(&effective.stderr));
        let effective = text(&effective.stdout);
        assert!(!effective.contains("sk-"), "{effective}");
        // A default, and a value of the environment.
        assert!(effective.contains("  max_ratio: 0.") && effective.contains("  min_samples: 77\n"), "{effective}");
        let (_folder, again) = file(effective);
        let again = dragoman(["check", "--effective", &again]);
        assert_eq!(text(&again.stdout), effective);
    }
}

#[test]
fn the_secret_of_tokens_is_no_business_of_the_module() {
    let (_folder, path) = file(
        "providers: {a: {kind: openai, credential: {env: A}}}\nauth: {jwt: {issuer: i, secret: {env: TOKEN_SECRET}}}\n",
    );
    let effective = dragoman(["check", "--effective", &path]);
    assert!(text(&effective.stdout).contains("env: TOKEN_SECRET"), "{}", text(&effective.stdout));
    for target in ["envoy", "plugin"] {
        let output = dragoman(["render", target, "--config", &path]);
        assert!(!text(&output.stdout).contains("TOKEN_SECRET"), "{}", text(&output.stdout));
        let told = text(&output.stderr);
        assert!(told.contains("Envoy needs these variables: A\n") && told.contains("DRAGOMAN_JWT_KEYS"), "{told}");
    }
}

#[test]
fn limits_that_a_request_may_choose_by_its_environment_are_said() {
    let rest = "providers: {a: {kind: ollama, base_url: 'http://a/v1'}}\n\
        teams: {ml: {budgets: {daily_usd: 5}}, ops: {budgets: {daily_usd: 5}}, free: {}}\n\
        routers: {r: {rate_limit: {per_api_key: {capacity: 1, refill_frequency: 1s}}}, s: {}}\n\
        limits:\n\
        - {name: cap, of: requests, per: minute, max: 1}\n\
        - {name: idle, of: requests, per: minute, max: 1, enabled: false}\n\
        environments:\n\
        \x20 e:\n\
        \x20   teams: {ml: {}, ops: {}, free: {}}\n\
        \x20   routers: {r: {}, s: {}}\n\
        \x20   limits: [{name: idle, of: concurrency, max: 1}, {name: new, of: concurrency, max: 1}, {name: cap, of: concurrency, max: 9}]\n";
    let key = "{id: k, sha256: 2c624232cc221771294dfbb310aca000a0df6ac8b66b696d90ef06fdefb64a3a, team: ml";
    for (keys, said) in [
        (format!("keys: [{key}}}]\n"), &["limits/2", "teams/ml", "routers/r"][..]),
        (format!("keys: [{key}, environment: e}}]\n"), &[]),
        ("auth: {required: true}\n".into(), &[]),
        (String::new(), &["limits/2", "routers/r"]),
        (
            "auth: {jwt: {issuer: i, jwks_file: f, claims: {team: org}}}\n".into(),
            &["limits/2", "teams/ml", "teams/ops", "routers/r"],
        ),
    ] {
        let (_folder, path) = file(&format!("{rest}{keys}"));
        let output = dragoman(["check", &path]);
        let summary = text(&output.stdout);
        let warnings = summary.lines().filter(|line| line.contains("may choose"));
        let found: Vec<_> =
            warnings.filter_map(|line| line.split("/environments/e/").nth(1)?.split(':').next()).collect();
        assert_eq!(found, said, "{keys}{summary}{}", text(&output.stderr));
    }
}

#[test]
fn an_address_of_an_environment_that_gets_the_credential_of_another_is_said() {
    let (_folder, path) = file(
        "providers:\n  a: {kind: openai, credential: {env: A}}\n  b: {kind: openai, credential: {env: A}}\n\
         \x20 c: {kind: ollama, base_url: 'http://c/v1'}\n\
         keys: []\n\
         environments:\n  e:\n    keys: [{id: k, sha256: 2c624232cc221771294dfbb310aca000a0df6ac8b66b696d90ef06fdefb64a3a}]\n\
         \x20   providers: {a: {base_url: 'http://e/v1'}, b: {base_url: 'http://e/v1', credential: {env: B}}, c: {base_url: 'http://e/v1'}}\n",
    );
    let output = dragoman(["check", &path]);
    let summary = text(&output.stdout);
    let warnings: Vec<_> = summary.lines().filter(|line| line.contains("top level")).collect();
    let pointer = "/environments/e/providers/a/base_url";
    assert_eq!(warnings, [format!("  warning: {pointer}: gets the credential of the top level; write one beside it")]);
    assert!(summary.contains("  keys: 1; one is required\n"), "{summary}");
}

#[test]
fn a_file_beyond_measure_is_refused_in_words_of_its_own() {
    let providers = "providers:\n  a: {kind: openai}\n";
    let deep = |levels: usize| format!("{providers}teams: {}{}\n", "[".repeat(levels), "]".repeat(levels));
    let lines = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<Vec<_>>().concat();
    let steps = lines(100, &|level| format!("{}a:\n", " ".repeat(level)));
    let wide = lines(100_000, &|team| format!("  t{team}: {{description: x}}\n"));
    let bomb =
        lines(8, &|level| format!("b{}: &b{} [{}]\n", level + 1, level + 1, vec![format!("*b{level}"); 9].join(", ")));
    let too_deep = "nested deeper than 64 levels, at line ";
    let too_much = "larger than a configuration can be: more than 250000 values, ";
    for (content, words) in [
        (format!("{providers}# {}\n", "x".repeat(17 << 20)), "the file is larger than 16 MiB, and no more is read\n"),
        (deep(100), too_deep),
        (deep(20_000), too_deep),
        (steps, too_deep),
        (format!("{providers}teams:\n{wide}"), too_much),
        (format!("b0: &b0 [x]\n{bomb}"), too_much),
        (format!("{providers}---\n{providers}"), "a second document begins, and one is read, at line 4 "),
    ] {
        let (_folder, path) = file(&content);
        let output = dragoman(["check", &path]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).starts_with(&format!("{path}: /: {words}")), "{}", text(&output.stderr));
    }
    let endless = dragoman(["check", "/dev/zero"]);
    assert!(text(&endless.stderr).contains("larger than 16 MiB"), "{}", text(&endless.stderr));
    // A file need not be YAML to be deep.
    let (_folder, path) = file(&format!(r#"{{"providers": {{}}, "teams": {}{}}}"#, "[".repeat(300), "]".repeat(300)));
    let output = command(["check", &path]).env("LIVE_METRICS_MIN_SAMPLES", "7").output().unwrap();
    assert!(text(&output.stderr).contains(too_deep), "{}", text(&output.stderr));
    let (_folder, path) = file(providers);
    fs::write(&path, b"providers: \xff").unwrap();
    let output = dragoman(["check", &path]);
    assert_eq!(text(&output.stderr), format!("{path}: /: the file is not UTF-8\n"));
}

#[test]
fn a_bad_file_prints_every_problem_and_exits_2() {
    let (_folder, path) = file("lisen: {}\nproviders:\n  a: {kind: openai, timeouts: {idle: soon}}\n");
    for output in
        [dragoman(["check", &path]), dragoman(["check", "--config", &path]), dragoman(["up", "--config", &path])]
    {
        assert_eq!(output.status.code(), Some(2));
        let lines: Vec<_> = text(&output.stderr).lines().collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        for pointer in ["/lisen", "/providers/a/timeouts/idle"] {
            assert!(lines.iter().any(|line| line.starts_with(&format!("{path}: {pointer}: "))), "{lines:?}");
        }
    }
}

#[test]
fn duplicate_keys_are_a_problem_in_yaml_and_in_json() {
    for content in [
        "providers:\n  a: {kind: openai}\n  a: {kind: openai}\n",
        r#"{"providers": {"a": {"kind": "openai"}, "a": {"kind": "openai"}}}"#,
    ] {
        let (_folder, path) = file(content);
        let output = dragoman(["check", &path]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("/providers/a: "), "{}", text(&output.stderr));
    }
}

#[test]
fn no_message_shows_a_credential() {
    for content in [
        "providers:\n  a: {kind: openai, credential: {valu: sk-secret}}\n",
        "providers:\n  a: {kind: openai, credential: {value: sk-secret\n",
        "providers:\n  a: {kind: openai, credential: sk-secret}\n",
        "providers:\n  a: {kind: openai, credential: {value: sk-secret}}\n\tb: 1\n",
    ] {
        let (_folder, path) = file(content);
        let output = dragoman(["check", &path]);
        assert_eq!(output.status.code(), Some(2));
        assert!(!text(&output.stderr).contains("sk-secret"), "{}", text(&output.stderr));
    }
}

#[test]
fn a_missing_file_exits_2() {
    let output = dragoman(["check", "no/such/file.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("no/such/file.yaml: "));
}

#[test]
fn inline_credentials_are_rendered_as_variables_and_named() {
    let (_folder, path) = file(
        "providers:\n  a-b: {kind: openai, credential: {value: sk-one}}\n  a_b: {kind: openai, credential: {value: sk-two}}\n",
    );
    let output = dragoman(["render", "envoy", "--config", &path]);
    let rendering = text(&output.stdout);
    assert!(!rendering.contains("sk-one") && !rendering.contains("sk-two"));
    for variable in ["DRAGOMAN_CREDENTIAL_A_B_DEFAULT", "DRAGOMAN_CREDENTIAL_A_B_DEFAULT_2"] {
        assert!(rendering.contains(&format!("- {variable}\n")), "{rendering}");
        assert!(text(&output.stderr).contains(variable));
    }
}

#[test]
fn a_provider_that_lacks_something_is_named_with_what_it_lacks() {
    let (_folder, path) = file(
        "providers:\n  a: {kind: openai, credential: {env: BAD}}\n  b: {kind: openai, auth: none, headers: {x-a: {env: UNSET}}}\n",
    );
    let check = command(["check", &path]).env("BAD", "sk-secret\n").output().unwrap();
    let summary = text(&check.stdout);
    assert!(check.status.success() && !summary.contains("sk-secret"), "{summary}");
    for line in [
        "account default is not configured: the environment variable BAD holds characters that a header cannot",
        "it would not be asked: the environment variable UNSET is not set",
    ] {
        assert!(summary.contains(line), "{summary}");
    }
    // It warns, and goes on to what it cannot do without.
    let up = command(["up", "--config", &path]).env("PATH", "").output().unwrap();
    for name in ["a", "b"] {
        assert!(text(&up.stderr).contains(&format!("the provider {name} is not configured")), "{}", text(&up.stderr));
    }
}

#[test]
fn providers_keep_the_order_of_the_file() {
    let (_folder, path) = file("providers:\n  zeta: {kind: openai}\n  alpha: {kind: openai}\n");
    let output = dragoman(["render", "envoy", "--config", &path]);
    let rendering = text(&output.stdout);
    assert!(rendering.find("\"zeta\":").unwrap() < rendering.find("\"alpha\":").unwrap());
}

#[test]
fn a_new_key_hashes_to_its_stanza() {
    let made = dragoman(["key", "new", "--id", "checkout"]);
    let (key, stanza) = text(&made.stdout).split_once('\n').unwrap();
    let mut child = command(["key", "hash"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{key}").unwrap();
    let from_input = child.wait_with_output().unwrap();
    let from_argument = dragoman(["key", "hash", key]);
    assert_eq!(from_input.stdout, from_argument.stdout);
    assert!(stanza.contains(&format!("  - id: checkout\n    sha256: {}", text(&from_input.stdout))));
}

#[test]
fn a_taken_port_is_named_before_anything_starts() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (folder, path) = file(&format!(
        "listen: {{address: \"{address}\"}}\nproviders:\n  a: {{kind: openai, base_url: \"http://127.0.0.1:9/v1\"}}\n"
    ));
    // Never started, only found.
    let stand_in = folder.path().join("stand-in");
    fs::write(&stand_in, "").unwrap();
    let stand_in = stand_in.to_str().unwrap();
    let output = dragoman(["up", "--config", &path, "--envoy", stand_in, "--wasm", stand_in]);
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.contains("listen.address") && message.contains(&address.to_string()), "{message}");
}

#[test]
fn an_address_for_others_needs_keys_wherever_it_is_written() {
    let (_folder, path) = file("providers:\n  a: {kind: openai}\n");
    let output = dragoman(["up", "--config", &path, "--host", "0.0.0.0"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("/listen/address"));
}

#[test]
fn a_missing_envoy_is_said_plainly() {
    let (_folder, path) = file("providers:\n  a: {kind: openai}\n");
    let output = command(["up", "--config", &path]).env("PATH", "").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--envoy"));
}
