//! The end of a run: no new connections, and each stream to its own end.
//!
//! Only an answer that says so tells that nothing runs any more. An admin interface that is late or fails says nothing, and
//! streams are not ended for that.

use std::{io::Write, time::Duration};

use anyhow::ensure;
use tokio::time::{Instant, sleep};

use super::{Signals, admin::Interface, process::Envoy};
use crate::render::INGRESS_STATS;

/// A stream may last this long after the signal; a second signal ends it at once.
const LIMIT: Duration = Duration::from_mins(10);
const POLL: Duration = Duration::from_millis(100);
/// Looks in a row at which nothing ran: a request whose head is being read is not counted yet.
const QUIET_LOOKS: u32 = 2;

pub(super) async fn run(envoy: &mut Envoy, admin: &Interface, signals: &mut Signals) -> anyhow::Result<()> {
    let started = Instant::now();
    let (mut is_begun, mut quiet, mut told) = (false, 0_u32, false);
    while quiet < QUIET_LOOKS && started.elapsed() < LIMIT {
        let look = async {
            is_begun = is_begun || begin(admin).await.is_ok();
            let active = if is_begun { active_requests(admin).await } else { None };
            sleep(POLL).await;
            active
        };
        let active = tokio::select! {
            active = look => active,
            () = signals.next() => return Ok(()),
            ended = envoy.wait() => { ended?; return Ok(()) }
        };
        quiet = if active == Some(0) { quiet.saturating_add(1) } else { 0 };
        if let Some(active @ 1..) = active
            && !told
        {
            told = true;
            // With standard error gone there is nobody left to tell.
            let _ = writeln!(std::io::stderr().lock(), "draining, {active} in flight; a second signal ends them");
        }
    }
    Ok(())
}

async fn begin(admin: &Interface) -> anyhow::Result<()> {
    // Failing the health check makes Envoy close kept-alive connections after their next answer.
    for path in ["/healthcheck/fail", "/drain_listeners"] {
        ensure!(admin.post(path).await?.is_ok(), "{path} failed");
    }
    Ok(())
}

/// `None` where nobody can tell.
async fn active_requests(admin: &Interface) -> Option<u64> {
    let path = format!("/stats?filter=%5Ehttp.{INGRESS_STATS}.downstream_rq_active%24");
    admin.get(&path).await.ok()?.statistic()
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[test]
    fn only_a_gauge_that_reads_0_says_that_nothing_runs() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let admin = Interface::Tcp(listener.local_addr().unwrap());
            let name = format!("http.{INGRESS_STATS}.downstream_rq_active");
            let cases = [(format!("{name}: 0\n"), Some(0)), (format!("{name}: 2\n"), Some(2)), (String::new(), None)];
            for (body, expected) in cases {
                let answer = async {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                    stream.write_all(answer.as_bytes()).await.unwrap();
                };
                assert_eq!(tokio::join!(active_requests(&admin), answer).0, expected);
            }
            drop(listener);
            assert_eq!(active_requests(&admin).await, None);
        });
    }
}
