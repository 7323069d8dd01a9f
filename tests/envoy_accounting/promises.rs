//! What is promised of the lines: the page has each of their members, and nothing secret stands anywhere.

use super::cases::{KEYS, SECRET_QUERY, SECRET_TEXT, STRANGER};
use dragoman_tests::chain::{CLIENT_KEY, Chain};
use dragoman_tests::envoy::root;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

/// The page that says what stands in a line.
const PAGE: &str = "docs/operations.md";

/// Asserts that the page has each member of the lines.
#[track_caller]
pub(crate) fn assert_documented<'a>(lines: impl Iterator<Item = &'a Value>) {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let members: BTreeSet<&String> = lines.flat_map(|line| line.as_object().expect("an object").keys()).collect();
    let lacks = |member: &&&String| !page.contains(&format!("`{member}`"));
    assert_eq!(members.iter().find(lacks), None, "{PAGE}");
}

/// Asserts that nothing that only its owner may know is written anywhere: keys, credentials, and what is said.
#[track_caller]
pub(crate) fn assert_no_secret(chain: &Chain) {
    let config = chain.gateway.config();
    let providers = config["providers"].as_object().unwrap().values();
    let credentials: Vec<&str> = providers.filter_map(|provider| provider["credential"]["value"].as_str()).collect();
    assert_eq!(credentials.len(), 3);
    let keys = KEYS.iter().map(|(_, key)| *key).chain([CLIENT_KEY, STRANGER, SECRET_QUERY, SECRET_TEXT, "Hello there"]);
    let pages =
        ["/stats", "/stats/prometheus", "/config_dump", "/clusters"].map(|path| (path, chain.gateway.ask_envoy(path)));
    let access_log = ("access log", chain.gateway.output());
    let written: Vec<_> = pages.into_iter().chain([access_log]).collect();
    assert!(written.iter().all(|(_, text)| !text.is_empty()));
    let log = ("log", chain.gateway.log());
    for secret in keys.chain(credentials) {
        for (place, text) in written.iter().chain([&log]) {
            assert!(!text.contains(secret), "{secret} in {place}");
        }
    }
}
