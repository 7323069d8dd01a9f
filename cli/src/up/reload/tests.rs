//! Edits against an Envoy that answers by a script.

use std::{
    io::{BufRead, BufReader},
    os::unix::net::UnixListener,
    thread,
};

use dragoman_core::config;
use serde_json::json;
use tempfile::TempDir;

use super::*;

/// What an Envoy says: which version it has, how many files it took, and how many it refused.
type Said = (u64, u64, u64);

const KEYED: &str = r#"{"providers": {"a": {"kind": "openai"}}, "keys": [{"id": "k", "sha256":
    "0000000000000000000000000000000000000000000000000000000000000000"}]}"#;
const OPEN: &str = r#"{"providers": {"a": {"kind": "openai"}}, "auth": {"required": false}}"#;
const SILENT: &str = r#"{"providers": {"a": {"kind": "openai"}}}"#;

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn reload(folder: &Path, file: &str) -> Reload {
    let path = folder.join("dragoman.yaml");
    fs::write(&path, file).unwrap();
    let overrides = Overrides { host: None, port: None };
    let target = Target { wasm: "dragoman.wasm", private_admin: None };
    let config = config::parse(file).unwrap();
    Reload::prepare(Source::new(&path).unwrap(), &config, overrides, target, folder).unwrap()
}

/// An Envoy's admin interface that says this, one after another, and the last for ever. It has no answer where there is none.
fn envoy(folder: &Path, says: &[Option<Said>]) -> Interface {
    let path = folder.join(format!("admin-{}", fs::read_dir(folder).unwrap().count()));
    let listener = UnixListener::bind(&path).unwrap();
    let says = says.to_vec();
    thread::spawn(move || {
        for (stream, number) in listener.incoming().zip(0..) {
            let mut stream = stream.unwrap();
            let request = BufReader::new(&stream).lines().take_while(|line| line.as_ref().is_ok_and(|l| !l.is_empty()));
            assert!(request.count() > 1);
            if let Some((version, taken, refused)) = says.get(number).or_else(|| says.last()).copied().flatten() {
                let stats =
                    format!("x.update_rejected: {refused}\nx.update_success: {taken}\nx.version_text: \"{version}\"\n");
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{stats}", stats.len()).unwrap();
            }
        }
    });
    Interface::Pipe(path)
}

fn offered(folder: &TempDir) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.path().join("discovery/ingress.json")).unwrap()).unwrap()
}

#[test]
fn a_file_is_taken_when_envoy_shows_its_version_and_not_when_another_was() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let mut reload = reload(folder.path(), KEYED);
        assert_eq!(offered(&folder)["version_info"], "1");
        // An earlier file is taken meanwhile, and then this one is refused.
        let says = envoy(folder.path(), &[Some((1, 1, 0)), Some((1, 2, 0)), Some((1, 2, 1))]);
        let reasons = reload.apply(Ok(OPEN.into()), &says).await.err().unwrap();
        assert_eq!(reasons, ["Envoy refused it; why is above; tried again in 1 s"]);
        assert!(reload.running.1.asks_for_keys);
        let says = envoy(folder.path(), &[Some((1, 2, 1)), Some((1, 2, 1)), Some((3, 3, 1))]);
        assert!(matches!(reload.apply(Ok(OPEN.into()), &says).await, Ok(Outcome::Taken)));
        assert!(!reload.running.1.asks_for_keys);
        assert_eq!(offered(&folder)["version_info"], "3");
        assert!(matches!(reload.apply(Ok(OPEN.into()), &says).await, Ok(Outcome::Same)));
    });
}

#[test]
fn a_file_that_was_taken_late_is_not_offered_again() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let mut reload = reload(folder.path(), KEYED);
        let busy = envoy(folder.path(), &[Some((1, 1, 0)), None]);
        assert!(reload.apply(Ok(OPEN.into()), &busy).await.is_err());
        let Pending { policy, wait } = reload.pending.take().unwrap();
        assert_eq!(wait, FIRST_RETRY);
        let late = envoy(folder.path(), &[Some((2, 2, 0))]);
        assert!(matches!(reload.bring(policy, wait, &late).await, Ok(Outcome::Taken)));
        assert_eq!(offered(&folder)["version_info"], "2");
    });
}

#[test]
fn only_what_was_in_effect_tells_whether_a_file_opens_the_gateway() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let mut reload = reload(folder.path(), KEYED);
        let silent = envoy(folder.path(), &[None]);
        let reasons = reload.apply(Ok(OPEN.into()), &silent).await.err().unwrap();
        assert_eq!(
            reasons,
            ["Envoy's admin interface does not answer: connection closed before message completed; tried again in 1 s"]
        );
        assert_eq!(reload.apply(Ok(SILENT.into()), &silent).await.err().unwrap(), [OPENS]);
        // What Envoy finds when it wakes up is not the file that was replaced.
        assert_ne!(offered(&folder)["resources"][0]["name"], json!("dragoman_ingress"));
        assert!(reload.pending.is_none());
        let awake = envoy(folder.path(), &[Some((1, 1, 1)), Some((3, 2, 1))]);
        assert!(matches!(reload.apply(Ok(OPEN.into()), &awake).await, Ok(Outcome::Taken)));
        assert_eq!(offered(&folder)["version_info"], "3");
    });
}

#[test]
fn a_policy_that_may_be_in_effect_counts_as_one_that_is() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let mut reload = reload(folder.path(), OPEN);
        let busy = envoy(folder.path(), &[Some((1, 1, 0)), None]);
        assert!(reload.apply(Ok(KEYED.into()), &busy).await.is_err());
        assert_eq!(reload.apply(Ok(SILENT.into()), &busy).await.err().unwrap(), [OPENS]);
    });
}

#[test]
fn a_file_is_read_elsewhere_than_on_the_thread_that_hears_signals() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let reload = reload(folder.path(), SILENT);
        let provider = json!({"kind": "ollama", "base_url": "http://127.0.0.1:1"});
        let providers: serde_json::Map<_, _> = (0..40).map(|n| (format!("p{n}"), provider.clone())).collect();
        let text = json!({"providers": providers}).to_string();
        let mut is_elsewhere = false;
        for _ in 0..3 {
            tokio::select! {
                biased;
                read = reload.read(text.clone()) => assert!(read.is_err()),
                () = std::future::ready(()) => is_elsewhere = true,
            }
        }
        assert!(is_elsewhere);
    });
}
