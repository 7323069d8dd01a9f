//! What `up` needs on disk: Envoy, the module, the authorities that TLS trusts. What is missing is said plainly.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use dragoman_core::config::{Config, Problem, Provider};

use crate::render::{STDOUT, SYSTEM_CA_FILE};

/// Envoy: as given, beside this program, or on PATH.
pub(super) fn envoy(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(path) = given {
        return existing(path);
    }
    let found = find_beside_or_on_path("envoy", is_executable);
    found.context("no Envoy beside this program or on PATH; name one with --envoy")
}

/// The module: as given, beside this program, or on PATH. A string, because it goes into Envoy's configuration.
pub(super) fn module(given: Option<&Path>) -> anyhow::Result<String> {
    let path = match given {
        Some(path) => existing(path)?,
        None => find_beside_or_on_path("dragoman.wasm", Path::is_file)
            .context("no dragoman.wasm beside this program or on PATH; name it with --wasm")?,
    };
    let path = path.canonicalize().with_context(|| format!("{} cannot be read", path.display()))?;
    path.into_os_string().into_string().ok().context("the path of the module is not UTF-8")
}

/// Envoy refuses to start without the file, in words that do not name the setting. Only a rendered cluster names it.
pub(super) fn authorities(config: &Config) -> anyhow::Result<()> {
    let path = Path::new(config.tls.ca_file.as_deref().unwrap_or(SYSTEM_CA_FILE));
    let rendered = config.providers.iter().filter(|provider| provider.cluster.is_none());
    let needed = rendered.flat_map(Provider::endpoints).any(|endpoint| endpoint.base_url.tls);
    if needed && !path.is_file() {
        bail!("no certificate authorities at {}: install them or set tls.ca_file", path.display());
    }
    Ok(())
}

/// Makes the audit log's folder, and finds out whether Envoy can write the file: it would not start, or say so when it is asked to.
pub(super) fn audit(config: &Config) -> Result<(), Problem> {
    let audit = &config.log.audit;
    if !audit.enabled || audit.path == STDOUT {
        return Ok(());
    }
    let path = Path::new(&audit.path);
    // To open a pipe waits for who reads it.
    if fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let is_made = folder.map_or(Ok(()), fs::create_dir_all);
    let is_written = is_made.and_then(|()| File::options().create(true).append(true).open(path));
    is_written.map(drop).map_err(|error| Problem {
        pointer: "/log/audit/path".into(),
        message: format!("{} cannot be written: {error}", path.display()),
    })
}

fn existing(path: &Path) -> anyhow::Result<PathBuf> {
    if path.is_file() { Ok(path.to_owned()) } else { bail!("no such file: {}", path.display()) }
}

fn find_beside_or_on_path(name: &str, is_wanted: fn(&Path) -> bool) -> Option<PathBuf> {
    let executable = env::current_exe().ok();
    let beside = executable.as_deref().and_then(Path::parent);
    find(name, is_wanted, beside, &env::var_os("PATH").unwrap_or_default())
}

/// An empty entry of PATH would be whatever folder this is started in.
fn find(name: &str, is_wanted: fn(&Path) -> bool, beside: Option<&Path>, path: &OsStr) -> Option<PathBuf> {
    let on_path = env::split_paths(path).filter(|folder| !folder.as_os_str().is_empty());
    let folders = beside.map(Path::to_owned).into_iter().chain(on_path);
    folders.map(|folder| folder.join(name)).find(|file| is_wanted(file))
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use dragoman_core::config;
    use serde_json::{Value, json};

    use super::*;

    fn require_authorities(mut file: Value) -> Result<(), String> {
        file["tls"] = json!({"ca_file": "/nowhere/ca.pem"});
        authorities(&config::parse(&file.to_string()).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn authorities_are_needed_for_what_is_rendered_with_tls_and_for_nothing_else() {
        let https = "https://a.example.com/v1";
        let account = json!({"name": "eu", "credential": {"env": "A"}, "base_url": https});
        let http = json!({"kind": "openai", "base_url": "http://127.0.0.1:1", "credential": {"env": "A"}});
        let mut with_account = http.clone();
        with_account.as_object_mut().unwrap().remove("credential");
        with_account["accounts"] = json!([{"name": "own", "credential": {"env": "A"}}, account]);
        for (provider, is_needed) in [
            (json!({"kind": "openai", "base_url": https}), true),
            (with_account, true),
            (json!({"kind": "openai", "base_url": https, "cluster": "c"}), false),
            (http, false),
        ] {
            let said = require_authorities(json!({"providers": {"a": provider}}));
            assert_eq!(said.is_err(), is_needed, "{said:?} of {provider}");
            assert!(said.err().is_none_or(|error| error.contains("/nowhere/ca.pem")));
        }
    }

    #[test]
    fn the_audit_log_has_its_folder_or_is_said_to_have_none() {
        let folder = tempfile::tempdir().unwrap();
        let prepare = |path: &Path, enabled: bool| {
            let log = json!({"audit": {"enabled": enabled, "path": path}});
            let file = json!({"providers": {"a": {"kind": "openai"}}, "log": log});
            audit(&config::parse(&file.to_string()).unwrap()).map_err(|problem| problem.to_string())
        };
        let path = folder.path().join("some/where/a.jsonl");
        assert_eq!(prepare(&path, false), Ok(()));
        assert!(!path.exists());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "before\n").unwrap();
        assert_eq!(prepare(&path, true), Ok(()));
        assert_eq!(fs::read_to_string(&path).unwrap(), "before\n");
        assert_eq!(prepare(&folder.path().join("else/where/b.jsonl"), true), Ok(()));
        for path in [path.join("below/a.jsonl"), folder.path().to_owned()] {
            let said = prepare(&path, true).unwrap_err();
            assert!(said.starts_with(&format!("/log/audit/path: {} cannot be written: ", path.display())), "{said}");
        }
        assert_eq!(prepare(Path::new("/dev/stdout"), true), Ok(()));
    }

    #[test]
    fn what_lies_beside_counts_before_what_is_on_path_and_what_cannot_be_run_is_no_envoy() {
        let folder = tempfile::tempdir().unwrap();
        let [beside, first, second] = ["beside", "first", "second"].map(|name| folder.path().join(name));
        let path = env::join_paths([Path::new(""), &folder.path().join("none"), &first, &second]).unwrap();
        let found = |is_wanted| find("envoy", is_wanted, Some(&beside), &path);
        assert_eq!(found(Path::is_file), None);
        for place in [&second, &first, &beside] {
            fs::create_dir(place).unwrap();
            let file = place.join("envoy");
            fs::write(&file, "").unwrap();
            assert_eq!(found(Path::is_file), Some(file.clone()));
            assert_ne!(found(is_executable), Some(file.clone()));
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
            assert_eq!(found(is_executable), Some(file));
        }
        assert_eq!(find("envoy", Path::is_file, None, &path), Some(first.join("envoy")));
        assert_eq!(find("envoy", Path::is_file, None, OsStr::new("")), None);
    }
}
