//! The end of a run: no new connections, and each stream to its own end.

use std::{io::Write, time::Duration};

use tokio::time::{Instant, sleep};

use super::{Signals, admin::Interface, process::Envoy};
use crate::render::INGRESS_STATS;

/// A stream may last this long after the signal; a second signal ends it at once.
const LIMIT: Duration = Duration::from_mins(10);
const POLL: Duration = Duration::from_millis(100);
/// Looks in a row at which nothing ran: a request whose head is being read is not counted yet.
const QUIET_LOOKS: u32 = 2;

pub(super) async fn run(envoy: &mut Envoy, admin: &Interface, signals: &mut Signals) -> anyhow::Result<()> {
    // Failing the health check makes Envoy close kept-alive connections after their next answer.
    admin.post("/healthcheck/fail").await?;
    admin.post("/drain_listeners").await?;
    let started = Instant::now();
    let (mut quiet, mut told) = (0_u32, false);
    while quiet < QUIET_LOOKS && started.elapsed() < LIMIT {
        let active = active_requests(admin).await?;
        quiet = if active == 0 { quiet.saturating_add(1) } else { 0 };
        if active > 0 && !told {
            told = true;
            writeln!(std::io::stderr().lock(), "draining, {active} in flight; a second signal ends them")?;
        }
        tokio::select! {
            () = sleep(POLL) => {}
            () = signals.next() => return Ok(()),
            ended = envoy.wait() => { ended?; return Ok(()) }
        }
    }
    Ok(())
}

async fn active_requests(admin: &Interface) -> anyhow::Result<u64> {
    let path = format!("/stats?filter=%5Ehttp.{INGRESS_STATS}.downstream_rq_active%24");
    Ok(admin.get(&path).await?.statistic().unwrap_or(0))
}
