//! `up --reload`: a changed file comes into effect as a whole or not at all, and either is said.
//!
//! The tool checks the file with the parser that the module has, so that a mistake is named where it was made. The module
//! checks it once more when Envoy hands it over; which file Envoy has is asked, not assumed. What Envoy did not take is tried again
//! until it does or the file says something else: the file will not change once more only because Envoy was slow.
//!
//! A file that the tool refuses is refused by Envoy as well, on purpose. Nothing comes of it but a count, and that is the point: this
//! process has no metrics, Envoy's are what is watched, and nothing else from outside makes one of them move. It also takes the place of
//! a file that Envoy had no time for and that the operator has replaced.
//!
//! Invariant: a file is offered only after Envoy has said which it has. So there is at most one that may run besides the one that is
//! known to.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use dragoman_core::config::Config;
use serde_json::Value;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::{
    Overrides,
    admin::Interface,
    discovery::{Shelf, State},
    watch::{Content, Watch},
};
use crate::{
    check,
    document::{self, Document},
    render::{NeedsRestart, Reloadable, Rendering, Target},
};

/// Envoy takes a filter in some milliseconds.
const CONFIRMATION_LIMIT: Duration = Duration::from_secs(5);
const CONFIRMATION_POLL: Duration = Duration::from_millis(10);

/// After a hand-over that failed; doubled after each that follows.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_mins(1);

/// The beginning of a file is a file, too, and keys stand at its end more often than not.
const OPENS: &str =
    "/keys: there are none any more, and anyone could ask; write `auth: {required: false}` to have it so";

/// The file, as it was before anything was read from it, and SIGHUP, which asks to look at it again.
pub(super) struct Source {
    path: PathBuf,
    watch: Watch,
    hangup: Signal,
}

/// Keeps a running Envoy at what the file says.
pub(super) struct Reload {
    source: Source,
    overrides: Overrides,
    rendered: Arc<Reloadable>,
    shelf: Shelf,
    /// What Envoy has said that it runs with, and its version.
    running: (u64, Policy),
    /// What was offered last, unless that is it. Envoy may have taken it unseen.
    offered: Option<(u64, Policy)>,
    /// What the file asks for, where Envoy has not taken it.
    pending: Option<Pending>,
}

/// What a file amounts to.
#[derive(Debug, Clone, PartialEq)]
struct Policy {
    filter: Value,
    /// Whether it lets nobody in without a key.
    asks_for_keys: bool,
}

struct Pending {
    policy: Policy,
    /// Until the next try.
    wait: Duration,
}

/// What became of a file.
enum Outcome {
    Taken,
    /// It says what the file before it said.
    Same,
}

impl Source {
    pub(super) fn new(path: &Path) -> std::io::Result<Self> {
        let watch = Watch::new(path.to_owned());
        Ok(Self { path: path.to_owned(), watch, hangup: signal(SignalKind::hangup())? })
    }

    async fn next(&mut self) -> Content {
        loop {
            tokio::select! {
                content = self.watch.changed() => return content,
                _ = self.hangup.recv() => self.watch.look(),
            }
        }
    }
}

impl Reload {
    /// Writes the first filter for Envoy to find, below `folder`.
    pub(super) fn prepare(
        source: Source,
        config: &Config,
        overrides: Overrides,
        target: Target<'_>,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let watched = folder.join("discovery");
        fs::create_dir(&watched).context("no temporary folder")?;
        let rendered = Reloadable::new(config.clone(), target, &watched)?;
        let policy = Policy::new(&rendered, config).map_err(|error| anyhow::anyhow!("{error}"))?;
        let mut shelf = Shelf::new(rendered.file(), folder.join("draft.json"));
        shelf.offer(&policy.filter)?;
        let running = (shelf.version(), policy);
        Ok(Self { source, overrides, rendered: Arc::new(rendered), shelf, running, offered: None, pending: None })
    }

    pub(super) fn rendering(&self) -> &Rendering {
        self.rendered.rendering()
    }

    /// Follows the file for as long as Envoy runs.
    pub(super) async fn run(&mut self, envoy: &Interface) -> ! {
        loop {
            let outcome = tokio::select! {
                content = self.source.next() => self.apply(content, envoy).await,
                Pending { policy, wait } = due(&mut self.pending) => {
                    self.bring(policy, wait.saturating_mul(2).min(LAST_RETRY), envoy).await
                }
            };
            let path = self.source.path.display();
            let lines = match outcome {
                Ok(Outcome::Taken) => vec![format!("reloaded {path}")],
                Ok(Outcome::Same) => vec![format!("reloaded {path}: it says the same as before")],
                Err(reasons) => reasons.iter().map(|reason| format!("{path} not reloaded: {reason}")).collect(),
            };
            // With standard error gone there is nobody left to tell.
            let _ = lines.iter().try_for_each(|line| writeln!(std::io::stderr().lock(), "dragoman: {line}"));
        }
    }

    async fn apply(&mut self, content: Content, envoy: &Interface) -> Result<Outcome, Vec<String>> {
        self.pending = None;
        let policy = match content {
            Ok(text) => self.read(text).await,
            Err(error) => Err(vec![error]),
        };
        match policy {
            Ok(policy) if self.runs(&policy) => Ok(Outcome::Same),
            Ok(policy) => self.bring(policy, FIRST_RETRY, envoy).await,
            Err(mut reasons) => {
                reasons.extend(self.count_refusal(envoy).await.err().map(|error| format!("{error:#}")));
                Err(reasons)
            }
        }
    }

    /// Reads a file where it is nobody's time: a large one takes a second, and so may all that is wrong with it.
    async fn read(&self, text: String) -> Result<Policy, Vec<String>> {
        let mut may_run = self.offered.iter().chain([&self.running]);
        let asks_for_keys = may_run.any(|(_, policy)| policy.asks_for_keys);
        let (rendered, overrides) = (Arc::clone(&self.rendered), self.overrides);
        let reading = spawn_blocking(move || read(&text, &rendered, overrides, asks_for_keys));
        reading.await.unwrap_or_else(|error| Err(vec![error.to_string()]))
    }

    /// Whether it is this that runs, and no other is offered.
    fn runs(&self, policy: &Policy) -> bool {
        let (version, running) = &self.running;
        running == policy && *version == self.shelf.version()
    }

    /// Brings a policy into effect, or has it tried again after `wait`.
    async fn bring(&mut self, policy: Policy, wait: Duration, envoy: &Interface) -> Result<Outcome, Vec<String>> {
        match self.hand_over(&policy, envoy).await {
            Ok(()) => Ok(Outcome::Taken),
            Err(error) => {
                self.pending = Some(Pending { policy, wait });
                Err(vec![format!("{error:#}; tried again in {} s", wait.as_secs())])
            }
        }
    }

    /// Offers a policy and waits until Envoy has taken or refused it.
    async fn hand_over(&mut self, policy: &Policy, envoy: &Interface) -> anyhow::Result<()> {
        let before = self.ask(envoy).await?;
        if self.runs(policy) {
            // Taken since it was last offered.
            return Ok(());
        }
        self.shelf.offer(&policy.filter)?;
        self.offered = Some((self.shelf.version(), policy.clone()));
        let begun = Instant::now();
        while begun.elapsed() < CONFIRMATION_LIMIT {
            let now = self.ask(envoy).await?;
            if self.offered.is_none() {
                return Ok(());
            }
            // If it was another, this one is tried again for nothing.
            anyhow::ensure!(now.refused == before.refused, "Envoy refused it; why is above");
            sleep(CONFIRMATION_POLL).await;
        }
        anyhow::bail!("Envoy did not take it within {} s", CONFIRMATION_LIMIT.as_secs())
    }

    /// Has Envoy refuse a file, and waits until it has, so that the count is not taken for that of the next file.
    async fn count_refusal(&mut self, envoy: &Interface) -> anyhow::Result<()> {
        // One that does not answer gets it nevertheless.
        let before = self.ask(envoy).await;
        self.shelf.offer_refusal(&format!("{} not reloaded: see the log", self.source.path.display()))?;
        let Ok(before) = before else { return Ok(()) };
        let begun = Instant::now();
        while begun.elapsed() < CONFIRMATION_LIMIT
            && self.ask(envoy).await.is_ok_and(|now| now.refused == before.refused)
        {
            sleep(CONFIRMATION_POLL).await;
        }
        Ok(())
    }

    /// Asks Envoy what it has.
    async fn ask(&mut self, envoy: &Interface) -> anyhow::Result<State> {
        let state = State::read(envoy).await?;
        if let Some(taken) = self.offered.take_if(|(version, _)| *version == state.version) {
            self.running = taken;
        }
        Ok(state)
    }
}

impl Policy {
    fn new(rendered: &Reloadable, config: &Config) -> Result<Self, NeedsRestart> {
        let filter = rendered.filter(config)?;
        Ok(Self { filter, asks_for_keys: config.requires_keys() })
    }
}

/// What the file asks for, or all that is wrong with it.
fn read(text: &str, rendered: &Reloadable, overrides: Overrides, asks_for_keys: bool) -> Result<Policy, Vec<String>> {
    let document = document::parse_to_run(text).and_then(|Document { config, additions }| {
        let config = overrides.apply(config).map_err(|problems| additions.explain_all(problems))?;
        Ok(Document { config, additions })
    });
    let document = document.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let config = &document.config;
    let policy = Policy::new(rendered, config).map_err(|error| vec![error.to_string()])?;
    if asks_for_keys && !policy.asks_for_keys && config.auth.required.is_none() {
        return Err(vec![OPENS.into()]);
    }
    for line in check::unconfigured(config).chain(check::ignored(&document)) {
        let _ = writeln!(std::io::stderr(), "dragoman: {line}");
    }
    Ok(policy)
}

/// Waits until it is time, if there is anything to wait for. May be dropped before.
async fn due(pending: &mut Option<Pending>) -> Pending {
    if let Some(Pending { wait, .. }) = pending {
        sleep(*wait).await;
    }
    match pending.take() {
        Some(pending) => pending,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
