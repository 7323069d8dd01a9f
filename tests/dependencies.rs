//! What ends up in the module: six crates that it is made of, and others only with their reason beside them.

use std::collections::BTreeSet;
use std::process::Command;

const ALLOWED: [&str; 6] = ["proxy-wasm", "serde", "serde_json", "log", "hashbrown", "getrandom"];
const MODULE: [&str; 2] = ["dragoman-filter", "dragoman-core"];

#[test]
fn the_module_depends_on_the_allowed_crates_or_gives_a_reason() {
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
    let workspace = std::fs::read_to_string(manifest).unwrap();
    let unexplained: Vec<_> = direct
        .into_iter()
        .filter(|name| !ALLOWED.contains(name) && !MODULE.contains(name) && !has_reason(&workspace, name))
        .collect();
    assert!(unexplained.is_empty(), "no comment with a reason above {unexplained:?} in Cargo.toml");
}

/// Whether the line before the dependency's is a comment.
fn has_reason(workspace: &str, name: &str) -> bool {
    let mut before = "";
    for line in workspace.lines() {
        if line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('=')) {
            return before.starts_with('#');
        }
        before = line;
    }
    false
}

#[test]
fn a_reason_is_a_comment_directly_above() {
    let manifest = "# Why.\na = \"1\"\nb = \"1\"\n# Why.\n\nab = \"1\"\n";
    assert!(has_reason(manifest, "a"));
    assert!(!has_reason(manifest, "b"));
    assert!(!has_reason(manifest, "ab"));
    assert!(!has_reason(manifest, "c"));
}
