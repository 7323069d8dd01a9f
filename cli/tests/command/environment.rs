//! What the environment says.

use super::*;

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
    assert!(summary.contains("  warning: LIVE_METRICS_MIN_SAMPLES: /policy: is not acted on yet\n"), "{summary}");
    let render = command(["render", "plugin", "--config", &path]).envs(oauth).output().unwrap();
    assert_eq!(render.status.code(), Some(0));
    let needed = text(&render.stderr);
    assert!(needed.contains("keys of auth.jwt.secret in DRAGOMAN_JWT_KEYS"), "{needed}");
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
