//! `up --reload`: a changed file comes into effect as a whole or not at all, and either is said.
//!
//! The tool checks the file with the parser that the module has, so that a mistake is named where it was made. The module
//! checks it once more when Envoy hands it over; that Envoy took it is read from its counters, not assumed. A file that the
//! tool refuses is counted by Envoy as well: whoever watches metrics learns that the configuration in effect is not the one
//! in the file. What Envoy did not take is tried again until it does or the file says something else: the file will not change
//! once more only because Envoy was slow.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use dragoman_core::config::Config;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep},
};

use super::{
    Overrides,
    admin::Interface,
    watch::{Content, Watch},
};
use crate::{
    check,
    document::{self, Document},
    render::{INGRESS_FILTER, NeedsRestart, Reloadable, Rendering, Target, discovery},
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
    rendered: Reloadable,
    /// Written here and renamed: Envoy must never read half a file.
    draft: PathBuf,
    /// What Envoy runs with.
    running: String,
    /// Whether it lets nobody in without a key.
    asks_for_keys: bool,
    /// Whether the file that Envoy reads is another, refused one.
    is_marked: bool,
    /// What the file asks for, where Envoy has not taken it.
    pending: Option<Pending>,
}

struct Pending {
    filter: String,
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
        let running = rendered.filter(config).map_err(|error| anyhow::anyhow!("{error}"))?;
        let draft = folder.join("draft.json");
        let asks_for_keys = config.auth.is_required(&config.keys);
        let reload =
            Self { source, overrides, rendered, draft, running, asks_for_keys, is_marked: false, pending: None };
        reload.write(&reload.running)?;
        Ok(reload)
    }

    pub(super) fn rendering(&self) -> &Rendering {
        self.rendered.rendering()
    }

    /// Follows the file for as long as Envoy runs.
    pub(super) async fn run(&mut self, envoy: &Interface) -> ! {
        loop {
            let outcome = tokio::select! {
                content = self.source.next() => self.apply(content, envoy).await,
                Pending { filter, wait } = due(&mut self.pending) => {
                    self.bring(filter, wait.saturating_mul(2).min(LAST_RETRY), envoy).await
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
        match content.map_err(|error| vec![error]).and_then(|text| self.filter(&text)) {
            Ok(filter) if filter == self.running && !self.is_marked => Ok(Outcome::Same),
            Ok(filter) => self.bring(filter, FIRST_RETRY, envoy).await,
            Err(reasons) => {
                let summary = format!("{} not reloaded: see the log", self.source.path.display());
                // Envoy refuses this, as it is meant to.
                let _ = self.hand_over(&discovery::refusal(&summary), envoy).await;
                Err(reasons)
            }
        }
    }

    /// The filter that the file asks for, or all that is wrong with it.
    fn filter(&mut self, text: &str) -> Result<String, Vec<String>> {
        let document = document::parse_to_run(text).and_then(|Document { config, additions }| {
            let config = self.overrides.apply(config).map_err(|problems| additions.explain_all(problems))?;
            Ok(Document { config, additions })
        });
        let document = document.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let config = &document.config;
        let filter = self.rendered.filter(config).map_err(|error: NeedsRestart| vec![error.to_string()])?;
        let asks_for_keys = config.auth.is_required(&config.keys);
        if self.asks_for_keys && !asks_for_keys && config.auth.required.is_none() {
            return Err(vec![OPENS.into()]);
        }
        self.asks_for_keys = asks_for_keys;
        for line in check::unconfigured(config).chain(check::ignored(&document)) {
            let _ = writeln!(std::io::stderr(), "dragoman: {line}");
        }
        Ok(filter)
    }

    /// Brings the filter into effect, or has it tried again after `wait`.
    async fn bring(&mut self, filter: String, wait: Duration, envoy: &Interface) -> Result<Outcome, Vec<String>> {
        match self.hand_over(&filter, envoy).await {
            Ok(()) => {
                self.running = filter;
                Ok(Outcome::Taken)
            }
            Err(error) => {
                self.pending = Some(Pending { filter, wait });
                Err(vec![format!("{error:#}; tried again in {} s", wait.as_secs())])
            }
        }
    }

    /// Gives Envoy another file and waits until it has taken or refused it.
    async fn hand_over(&mut self, filter: &str, envoy: &Interface) -> anyhow::Result<()> {
        let before = Counters::read(envoy).await?;
        self.is_marked = true;
        self.write(filter)?;
        let written = Instant::now();
        while written.elapsed() < CONFIRMATION_LIMIT {
            let now = Counters::read(envoy).await?;
            anyhow::ensure!(now.refused == before.refused, "Envoy refused it; why is above");
            if now.taken != before.taken {
                self.is_marked = false;
                return Ok(());
            }
            sleep(CONFIRMATION_POLL).await;
        }
        anyhow::bail!("Envoy did not take it within {} s", CONFIRMATION_LIMIT.as_secs())
    }

    fn write(&self, filter: &str) -> anyhow::Result<()> {
        let file = self.rendered.file();
        let written = fs::write(&self.draft, filter).and_then(|()| fs::rename(&self.draft, &file));
        written.with_context(|| format!("{} cannot be written", file.display()))
    }
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

/// What Envoy has made of the files so far.
struct Counters {
    taken: u64,
    refused: u64,
}

impl Counters {
    async fn read(envoy: &Interface) -> anyhow::Result<Self> {
        let path = format!("/stats?filter=%5C.{INGRESS_FILTER}%5C.update_%28success%7Crejected%29%24");
        let answer = envoy.get(&path).await.context("Envoy's admin interface does not answer")?;
        let value = |name| answer.statistics().find(|(found, _)| found.ends_with(name)).map(|(_, value)| value);
        let (taken, refused) = value("success").zip(value("rejected")).context("Envoy does not count updates")?;
        Ok(Self { taken, refused })
    }
}
