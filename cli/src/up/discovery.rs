//! The file that a running Envoy reads its ingress filter from, and what Envoy says that it made of it.
//!
//! Envoy counts what it takes and what it refuses, but not which: a file that it had no time for may be taken when the next one is
//! being written. So each file has a version that no other had, and what runs is the one whose version Envoy shows.

use std::{fs, path::PathBuf};

use anyhow::Context;
use serde_json::Value;

use super::admin::Interface;
use crate::render::{INGRESS_FILTER, discovery};

/// The file, and how often it was written.
pub(super) struct Shelf {
    file: PathBuf,
    /// Written here and renamed: Envoy must never read half a file.
    draft: PathBuf,
    version: u64,
}

/// What Envoy says.
pub(super) struct State {
    /// Of the last file that it took.
    pub(super) version: u64,
    /// How many files it has refused so far.
    pub(super) refused: u64,
}

impl Shelf {
    pub(super) fn new(file: PathBuf, draft: PathBuf) -> Self {
        Self { file, draft, version: 0 }
    }

    /// Of the file that lies there; zero where none was written.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn offer(&mut self, filter: &Value) -> anyhow::Result<()> {
        let version = self.next();
        self.write(&discovery::response(filter, version))
    }

    /// Offers what Envoy will refuse.
    pub(super) fn offer_refusal(&mut self, reason: &str) -> anyhow::Result<()> {
        let version = self.next();
        self.write(&discovery::refusal(reason, version))
    }

    fn next(&mut self) -> u64 {
        self.version = self.version.saturating_add(1);
        self.version
    }

    fn write(&self, content: &str) -> anyhow::Result<()> {
        let written = fs::write(&self.draft, content).and_then(|()| fs::rename(&self.draft, &self.file));
        written.with_context(|| format!("{} cannot be written", self.file.display()))
    }
}

impl State {
    pub(super) async fn read(envoy: &Interface) -> anyhow::Result<Self> {
        let path = format!("/stats?filter=%5C.{INGRESS_FILTER}%5C.%28version_text%7Cupdate_rejected%29%24");
        let answer = envoy.get(&path).await.context("Envoy's admin interface does not answer")?;
        let value = |name| answer.statistics().find(|(found, _)| found.ends_with(name)).map(|(_, value)| value);
        let (version, refused) =
            value(".version_text").zip(value(".update_rejected")).context("Envoy does not say which filter it has")?;
        Ok(Self { version, refused })
    }
}
