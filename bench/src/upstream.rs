//! The scripted provider: reads over the request, writes the answer that its path names.
//!
//! It runs on the thread that makes the load: two threads on one core would only add their changes of hands.

use crate::{answer::ANSWERS, wire::Wire};
use anyhow::Context as _;
use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::{TcpListener, TcpStream};

type Script = (Vec<Vec<u8>>, Option<Duration>);

/// Starts it; it lives as long as the runtime.
pub(crate) async fn start() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let scripts: HashMap<&str, Script> = ANSWERS.iter().map(|answer| (answer.name, answer.pieces())).collect();
    let scripts = Arc::new(scripts);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let scripts = Arc::clone(&scripts);
            // A connection that breaks off is seen where the load is made, as an answer that is none.
            tokio::spawn(async move { serve(stream, &scripts).await });
        }
    });
    Ok(address)
}

async fn serve(stream: TcpStream, scripts: &HashMap<&str, Script>) -> anyhow::Result<()> {
    let mut wire = Wire::new(stream)?;
    while let Some(head) = wire.head().await? {
        wire.skip(&head).await?;
        let name = head.text.split(['/', ' ']).nth(2).unwrap_or_default();
        let (pieces, pause) = scripts.get(name).context("no such answer")?;
        for (number, piece) in pieces.iter().enumerate() {
            if let Some(pause) = pause.filter(|_| number > 0) {
                tokio::time::sleep(pause).await;
            }
            wire.write(piece).await?;
        }
    }
    Ok(())
}
