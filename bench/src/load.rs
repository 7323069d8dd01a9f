//! The load: a few connections, each of which asks again as soon as it has its answer.

use crate::wire::Wire;
use anyhow::{Context as _, ensure};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, task::JoinSet, time::timeout};

/// Longer than anything that is measured.
const PATIENCE: Duration = Duration::from_secs(20);

/// Connections that are open, and what each of them asks.
pub(crate) struct Fleet {
    wires: Vec<Wire>,
    request: Arc<[u8]>,
}

/// What a fleet got.
pub(crate) struct Catch {
    pub(crate) requests: usize,
    pub(crate) elapsed: Duration,
    /// Of each request, from its first byte to its answer's body's first byte.
    pub(crate) waits: Vec<Duration>,
}

impl Fleet {
    /// Opens the connections and asks once on each.
    pub(crate) async fn open(to: SocketAddr, request: Arc<[u8]>, connections: usize) -> anyhow::Result<Self> {
        let mut openers = JoinSet::new();
        for _ in 0..connections {
            let request = Arc::clone(&request);
            openers.spawn(async move {
                let mut wire = Wire::new(TcpStream::connect(to).await?)?;
                ask(&mut wire, &request).await?;
                anyhow::Ok(wire)
            });
        }
        let mut wires = Vec::with_capacity(connections);
        while let Some(opener) = openers.join_next().await {
            wires.push(opener??);
        }
        Ok(Self { wires, request })
    }

    /// Asks for this long, and waits for the answers that are then still to come. Each connection begins `stagger` after the one
    /// before it: streams that begin together end together, and the next ones would wait for each other.
    pub(crate) async fn run(self, span: Duration, stagger: Duration) -> anyhow::Result<Catch> {
        let start = Instant::now();
        let mut askers = JoinSet::new();
        let mut head_start = Duration::ZERO;
        for mut wire in self.wires {
            let delay = head_start;
            head_start = head_start.saturating_add(stagger);
            let request = Arc::clone(&self.request);
            askers.spawn(async move {
                let mut waits = Vec::new();
                if !delay.is_zero() {
                    tokio::time::sleep(delay).await;
                }
                while start.elapsed() < span {
                    waits.push(ask(&mut wire, &request).await?.0);
                }
                anyhow::Ok(waits)
            });
        }
        let mut waits = Vec::new();
        while let Some(asker) = askers.join_next().await {
            waits.extend(asker??);
        }
        ensure!(!waits.is_empty(), "no request was made");
        Ok(Catch { requests: waits.len(), elapsed: start.elapsed(), waits })
    }
}

/// Asks once on a connection of its own and returns the answer's body.
pub(crate) async fn ask_once(to: SocketAddr, request: &[u8]) -> anyhow::Result<String> {
    let mut wire = Wire::new(TcpStream::connect(to).await?)?;
    let (_, body) = ask(&mut wire, request).await?;
    Ok(String::from_utf8(body)?)
}

async fn ask(wire: &mut Wire, request: &[u8]) -> anyhow::Result<(Duration, Vec<u8>)> {
    timeout(PATIENCE, async {
        let sent = Instant::now();
        wire.write(request).await?;
        let head = wire.head().await?.context("no answer")?;
        wire.begin().await?;
        let wait = sent.elapsed();
        let body = wire.body(&head).await?;
        let is_ok = head.text.get(..12) == Some("HTTP/1.1 200");
        ensure!(is_ok, "{}\n{}", head.text, String::from_utf8_lossy(&body));
        Ok((wait, body))
    })
    .await
    .context("an answer took too long")?
}
