//! What ends up in the module: six crates that it is made of, and others with their reasons. The list is here and not in a
//! comment of the manifest, so that a crate cannot come in by an edit of one file.

use std::collections::BTreeSet;
use std::process::Command;

/// What it is made of.
const MADE_OF: [&str; 6] = ["proxy-wasm", "serde", "serde_json", "log", "hashbrown", "getrandom"];

/// What else it has, and why it must.
const REASONS: [(&str, &str); 1] =
    [("sha2", "client keys are stored as SHA-256, and Envoy offers a wasm filter no hash; audited, no_std")];

const MODULE: [&str; 2] = ["dragoman-filter", "dragoman-core"];

#[test]
fn the_module_depends_on_nothing_that_is_not_explained() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--manifest-path", manifest])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let module: Vec<_> = packages.iter().filter(|package| MODULE.iter().any(|name| package["name"] == *name)).collect();
    assert_eq!(module.len(), MODULE.len());

    let direct: BTreeSet<&str> = module
        .iter()
        .flat_map(|package| package["dependencies"].as_array().unwrap())
        // Development and build dependencies have a kind.
        .filter(|dependency| dependency["kind"].is_null())
        .map(|dependency| dependency["name"].as_str().unwrap())
        .collect();
    let known: BTreeSet<&str> = MADE_OF.into_iter().chain(MODULE).chain(REASONS.map(|(name, _)| name)).collect();
    let unexplained: Vec<_> = direct.difference(&known).collect();
    assert!(unexplained.is_empty(), "{unexplained:?} would be part of the module: give the reason here");
    for (name, _) in REASONS {
        assert!(direct.contains(name), "{name} is explained and not used");
    }
}
