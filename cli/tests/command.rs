//! The command as its users meet it: exit status, standard output, standard error. What needs a real Envoy is tested with
//! the gateway.
#![expect(clippy::unwrap_used, reason = "the functions that tests share are tests, too")]

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

/// Every file that the repository ships.
fn shipped() -> Vec<String> {
    let files = ["config", "config/examples"].into_iter().flat_map(|folder| fs::read_dir(root().join(folder)).unwrap());
    let paths = files.map(|entry| entry.unwrap().path());
    let yaml = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    yaml.map(|path| path.to_str().unwrap().to_owned()).collect()
}

/// What `make up` runs.
const DEFAULT: &str = "config/dragoman.yaml";

/// Has every field.
const FULL: &str = "config/examples/full.yaml";

#[test]
fn every_shipped_file_is_checked_and_rendered() {
    let shipped = shipped();
    assert!(shipped.len() >= 4, "{shipped:?}");
    for path in shipped {
        let check = dragoman(["check", &path]);
        assert!(check.status.success(), "{}", text(&check.stderr));
        assert!(text(&check.stdout).starts_with(&format!("{path}: ok\n")));
        if path.ends_with(FULL) {
            // It has what the gateway does not do yet.
            continue;
        }
        let render = dragoman(["render", "envoy", "--config", &path]);
        assert!(render.status.success(), "{}", text(&render.stderr));
        let bootstrap: Value = serde_saphyr::from_str(text(&render.stdout)).unwrap();
        assert_eq!(bootstrap["static_resources"]["listeners"][0]["name"], "ingress", "{path}");
    }
}

#[test]
fn the_checked_in_bootstrap_is_the_rendered_default() {
    let same = dragoman(["render", "envoy", "--config", DEFAULT, "--check", "envoy/standalone"]);
    assert!(same.status.success(), "{}", text(&same.stderr));
}

#[test]
fn the_checked_in_schema_is_that_of_the_file() {
    let same = dragoman(["schema", "--check", "config/dragoman.schema.json"]);
    assert!(same.status.success(), "{}", text(&same.stderr));
    let other = dragoman(["schema", "--check", "config/dragoman.yaml"]);
    assert_eq!(other.status.code(), Some(1));
}

#[test]
fn the_checked_in_reference_is_that_of_the_file() {
    let same = dragoman(["reference", "--check", "docs/configuration.md"]);
    assert!(same.status.success(), "{}", text(&same.stderr));
}

#[test]
fn the_full_example_has_every_field() {
    let document: Value = serde_saphyr::from_str(&fs::read_to_string(root().join(FULL)).unwrap()).unwrap();
    let mut names = BTreeSet::new();
    collect_names(&document, &mut names);
    for section in config::reference().sections {
        for field in section.fields {
            // Of the places of signing keys a file has one.
            let other_place = section.name == "jwt" && matches!(field.name, "jwks_file" | "secret");
            assert!(other_place || names.contains(field.name), "{} {}", section.name, field.name);
        }
    }
}

/// Where the file's shape is a promise to others, as JSON pointers; `*` is any name or index.
const PROMISED: &str = "
    /version /listen/address /listen/admin /listen/concurrency /listen/envoy_admin /tls/ca_file
    /providers/*/kind /providers/*/base_url /providers/*/credential/env /providers/*/timeouts/first_byte /providers/*/timeouts/flex
    /providers/*/headers/* /providers/*/enabled /providers/*/accounts/*/credential/env /providers/*/accounts/*/weight
    /providers/*/accounts/*/models/* /providers/*/accounts/*/auth /providers/*/accounts/*/enabled /providers/*/cluster
    /providers/*/upstream_filter /catalogue/strict /catalogue/equivalents
    /models/*/context_window /models/*/max_output_tokens /models/*/price/cached_input /models/*/id /models/*/released /models/*/enabled
    /aliases/* /aliases/*/* /model_mapping/*/*
    /auth/required /auth/jwt/issuer /auth/jwt/audiences/* /auth/jwt/jwks_url /auth/jwt/algorithms/* /auth/jwt/scopes/claim
    /auth/jwt/scopes/require/* /auth/jwt/claims/id /auth/jwt/claims/team /admin/keys/*/sha256
    /teams/*/description /teams/*/budgets/monthly_usd
    /keys/*/sha256 /keys/*/description /keys/*/team /keys/*/environment /keys/*/providers/* /keys/*/models/*
    /keys/*/budgets/daily_tokens /keys/*/budgets/hourly/total /keys/*/budgets/hourly/input/max /keys/*/budgets/hourly/input/enabled
    /keys/*/budgets/hourly/output /keys/*/budgets/daily_usd /keys/*/budgets/monthly_usd /keys/*/labels/* /keys/*/cost_tags/*
    /keys/*/routing /keys/*/not_before /keys/*/expires /keys/*/enabled /keys/*/byok/allowed /keys/*/byok/credentials/*/env
    /limits/*/name /limits/*/of /limits/*/per /limits/*/max /limits/*/scope /limits/*/target/model /limits/*/target/provider
    /limits/*/enabled /limits/*/shadow /soft_threshold /limits_backend
    /retry/mode /retry/statuses/* /retry/attempts /retry/backoff/base /retry/backoff/max /retry/deadline /retry/cooldown/default
    /retry/cooldown/max /fallbacks/*/* /context_fallbacks/*/* /content_fallbacks /fallback_models/*
    /routing/*/strategy /routing/*/active /routing/*/sticky /routing/*/targets/*/model /routing/*/targets/*/priority
    /routing/*/targets/*/weight /routing/*/rules/*/when/headers/* /routing/*/rules/*/when/model
    /routing/*/rules/*/when/estimated_tokens/gt /routing/*/rules/*/when/has_images /routing/*/rules/*/when/stream
    /routing/*/rules/*/when/team /routing/*/rules/*/when/labels/* /routing/*/rules/*/when/has_tools /routing/*/rules/*/when/path
    /routing/*/rules/*/when/time/from /routing/*/rules/*/when/time/to /routing/*/rules/*/then/* /routing/*/rules/*/then/targets/*/model
    /routing/*/else
    /routers/*/load_balance/chat/targets/*/provider /routers/*/load_balance/chat/targets/*/weight
    /routers/*/load_balance/chat/providers/* /routers/*/load_balance/embeddings/providers/* /routers/*/model_mapping/*/*
    /routers/*/cache/directive /routers/*/cache/buckets /routers/*/cache/seed /routers/*/rate_limit/per_api_key/capacity
    /routers/*/rate_limit/per_api_key/refill_frequency /routers/*/retry/attempts
    /auto/default_model /auto/task_routes/general/low/* /auto/task_routes/general/medium/* /auto/task_routes/general/high/*
    /auto/task_routes/coding/default/* /auto/task_routes/thinking/xhigh/* /auto/task_routes/image/default/*
    /auto/task_routes/instruction_following/low/*
    /environments/*/providers/*/credential/env /environments/*/limits/*/per
    /policy/enabled /policy/adjust /policy/alpha /policy/interval /policy/min_samples /policy/max_ratio /policy/overrides
    /cache/max_bytes /cache/max_entry /log/ring /log/content /log/redact /log/audit/enabled /log/audit/path /max_body
";

/// What another program writes in this shape is read: each place is in the full example, which is checked.
#[test]
fn the_full_example_has_every_promised_place() {
    let document: Value = serde_saphyr::from_str(&fs::read_to_string(root().join(FULL)).unwrap()).unwrap();
    for pointer in PROMISED.split_whitespace() {
        let segments: Vec<_> = pointer.split('/').skip(1).collect();
        assert!(has(&document, &segments), "{pointer}");
    }
    assert!(!has(&document, &["providers", "*", "accounts", "*", "kind"]));
}

fn has(value: &Value, segments: &[&str]) -> bool {
    let Some((segment, rest)) = segments.split_first() else { return true };
    match value {
        Value::Object(members) if *segment == "*" => members.values().any(|value| has(value, rest)),
        Value::Object(members) => members.get(*segment).is_some_and(|value| has(value, rest)),
        Value::Array(values) if *segment == "*" => values.iter().any(|value| has(value, rest)),
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn collect_names(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            names.extend(members.keys().cloned());
            members.values().for_each(|value| collect_names(value, names));
        }
        Value::Array(values) => values.iter().for_each(|value| collect_names(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn what_is_relied_on_and_not_done_yet_is_checked_and_not_run() {
    let warnings = dragoman(["check", FULL]);
    let warnings = text(&warnings.stdout);
    let refused: Vec<_> = warnings.lines().filter(|line| line.contains("refuse the file")).collect();
    for output in [dragoman(["render", "envoy", "--config", FULL]), dragoman(["up", "--config", FULL])] {
        assert_eq!(output.status.code(), Some(2));
        let problems: Vec<_> = text(&output.stderr).lines().collect();
        assert_eq!(problems.len(), refused.len());
        for pointer in ["/limits", "/keys/0/budgets", "/routers/web/cache", "/environments", "/auth/jwt"] {
            assert!(problems.iter().any(|line| line.starts_with(&format!("{FULL}: {pointer}: "))), "{problems:?}");
        }
    }
    assert!(warnings.contains("warning: /log: is not acted on yet\n"), "{warnings}");
}

#[test]
fn the_effective_configuration_is_a_file_that_says_the_same_and_no_secret() {
    let (_folder, path) = file(
        "providers:\n  a: {kind: openai, credential: {value: sk-one}, headers: {x-a: sk-two}}\n\
         auth: {jwt: {issuer: i, secret: {value: sk-three}}}\n\
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

/// Every verb that reads a file, without one.
const READERS: [&[&str]; 5] =
    [&["check"], &["render", "envoy"], &["render", "istio"], &["render", "plugin"], &["up", "--envoy", "no/such"]];

#[test]
fn the_environment_names_the_file_where_the_command_line_does_not() {
    let (_folder, path) = file("providers:\n  from-the-variable: {kind: openai}\n");
    for reader in READERS {
        let run = |environment: &[(&str, &str)], more: &[&str]| {
            let mut command = command([]);
            command.args(reader).args(more);
            let output = command.envs(environment.iter().copied()).output().unwrap();
            (output.status.code(), [text(&output.stdout), text(&output.stderr)].concat())
        };
        for environment in [
            &[("DRAGOMAN_CONFIG", path.as_str())][..],
            &[("ROUTING_CONFIG_PATH", &path)],
            &[("DRAGOMAN_CONFIG", &path), ("ROUTING_CONFIG_PATH", "no/such/file.yaml")],
            &[("DRAGOMAN_CONFIG", ""), ("ROUTING_CONFIG_PATH", &path)],
        ] {
            let (_, said) = run(environment, &[]);
            assert!(said.contains("from-the-variable"), "{reader:?} {environment:?}: {said}");
        }
        let (status, said) = run(&[("DRAGOMAN_CONFIG", &path)], &["--config", "no/such/file.yaml"]);
        assert!(status == Some(2) && said.starts_with("no/such/file.yaml: "), "{reader:?}: {said}");
        // The working directory has a `config/dragoman.yaml`, which nobody named.
        let (status, said) = run(&[], &[]);
        assert_eq!(status, Some(2), "{reader:?}: {said}");
        for name in ["--config", "DRAGOMAN_CONFIG", "ROUTING_CONFIG_PATH"] {
            assert!(said.contains(name), "{reader:?}: {said}");
        }
    }
}

#[test]
fn a_provider_that_the_environment_adds_is_said() {
    let (_folder, other) = file("providers:\n  a: {kind: openai}\n");
    let (_folder_too, own) = file("providers:\n  default: {kind: ollama}\n");
    let (_third_folder, none) = file("{}\n");
    for reader in READERS {
        let added = |path: &str, variables: &[(&str, &str)]| {
            let mut command = command([]);
            let output =
                command.args(reader).args(["--config", path]).envs(variables.iter().copied()).output().unwrap();
            let lines =
                text(&output.stderr).lines().filter(|line| line.starts_with("dragoman: the provider `default`"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let key = ("BACKEND_API_KEY", "sk-backend");
        let line = "dragoman: the provider `default`, https://api.openai.com/v1, is from BACKEND_API_KEY";
        assert_eq!(added(&none, &[key]), [line], "{reader:?}");
        assert_eq!(added(&other, &[key]), [format!("{line}, beside those of {other}")], "{reader:?}");
        let line = "dragoman: the provider `default`, http://h/v1, is from BACKEND_API_KEY and BACKEND_BASE_URL";
        assert_eq!(added(&none, &[key, ("BACKEND_BASE_URL", "http://h/v1")]), [line], "{reader:?}");
        assert_eq!(added(&own, &[key]), [""; 0], "{reader:?}");
        assert_eq!(added(&other, &[]), [""; 0], "{reader:?}");
    }
}

#[test]
fn what_a_variable_causes_is_not_looked_for_in_the_file() {
    let (_folder, path) = file("providers:\n  a: {kind: openai}\n");
    let oauth = [("OAUTH_ISSUER", "https://i.example"), ("OAUTH_JWT_SECRET", "s"), ("LIVE_METRICS_MIN_SAMPLES", "7")];
    let check = command(["check", &path]).envs(oauth).output().unwrap();
    let summary = text(&check.stdout);
    for line in [
        "  warning: OAUTH_ISSUER, OAUTH_JWT_SECRET: /auth/jwt: is not acted on yet; until it is, `up` and `render` refuse the file\n",
        "  warning: LIVE_METRICS_MIN_SAMPLES: /policy: is not acted on yet\n",
    ] {
        assert!(summary.contains(line), "{summary}");
    }
    let render = command(["render", "plugin", "--config", &path]).envs(oauth).output().unwrap();
    assert_eq!(render.status.code(), Some(2));
    let problem = text(&render.stderr);
    assert!(problem.starts_with("OAUTH_ISSUER, OAUTH_JWT_SECRET: /auth/jwt: is not acted on yet"), "{problem}");
    let variables = [("INGRESS_API_KEYS", "sk-a,sk-a")];
    let twice = command(["check", &path]).envs(variables).output().unwrap();
    assert_eq!(
        (twice.status.code(), text(&twice.stderr)),
        (Some(2), "INGRESS_API_KEYS: entry 2 is the same key as entry 1\n")
    );
    let (_folder, both) = file("providers:\n  a: {kind: openai, base_url: \"https://h\", auth: none}\n");
    let clash =
        command(["render", "istio", "--config", &both]).env("BACKEND_BASE_URL", "http://h:443").output().unwrap();
    assert_eq!(clash.status.code(), Some(2));
    for start in [format!("{both}: /providers/a/base_url: reaches"), "BACKEND_BASE_URL: reaches".into()] {
        assert!(text(&clash.stderr).lines().any(|line| line.starts_with(&start)), "{}", text(&clash.stderr));
    }
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

/// The shape of the file is a promise to others, who have an example of it.
#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn the_example_that_others_have_is_a_good_file() {
    let folder = std::env::var_os("DRAGOMAN_FIXTURES").expect("DRAGOMAN_FIXTURES names the folder of recordings");
    let path = Path::new(&folder).parent().unwrap().join("example-config.yaml");
    let path = path.to_str().unwrap();
    let check = dragoman(["check", path]);
    assert!(check.status.success(), "{}", text(&check.stderr));
    let effective = dragoman(["check", "--effective", path]);
    let (_folder, effective) = file(text(&effective.stdout));
    assert!(dragoman(["check", &effective]).status.success());
}

#[test]
fn a_differing_bootstrap_is_named_with_its_first_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert!(dragoman(["render", "envoy", "--config", DEFAULT, "--out", path]).status.success());
    let written = folder.path().join("envoy.yaml");
    let changed = fs::read_to_string(&written).unwrap().replace("cluster: dragoman\n", "cluster: other\n");
    fs::write(&written, changed).unwrap();
    let differs = dragoman(["render", "envoy", "--config", DEFAULT, "--check", path]);
    assert_eq!(differs.status.code(), Some(1));
    let message = text(&differs.stderr);
    assert!(message.contains("-   cluster: other\n+   cluster: dragoman"), "{message}");
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
