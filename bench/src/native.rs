//! What a streamed chunk costs the gateway's own code, compiled for this machine: no Envoy, no wasm, no calls across.
//!
//! A whole exchange in memory, as the tests have it, of a short stream and of one with many more of the same pieces: the
//! difference, divided by how many more there are, is a chunk's, and all that comes once cancels out. The clock is the
//! wall's, because nothing waits here; the least of the rounds is what the code takes, the rest what the machine adds.

use crate::{
    answer::{ANSWERS, Answer, LAST_WORD},
    report::Spread,
    workload::Client,
};
use anyhow::ensure;
use dragoman_core::gateway::Gateway;
use serde_json::{Value, json};
use std::{
    rc::Rc,
    time::{Duration, Instant},
};

#[expect(dead_code, reason = "the tests use the rest of it")]
#[expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "it is a part of the tests"
)]
#[path = "../../filter/core/tests/conversation/stage.rs"]
mod stage;

/// How much longer the long stream is.
const TIMES: usize = 21;
const STREAMS: u32 = 60;
const NANOSECONDS: usize = 0;

/// A chunk of one provider's stream on its way to one client.
pub(crate) struct Chunk {
    client: Client,
    kind: &'static str,
    nanoseconds: Spread,
}

impl Chunk {
    pub(crate) fn json(&self) -> Value {
        json!({"client": self.client.path(), "kind": self.kind, "ns": self.nanoseconds.json(NANOSECONDS)})
    }
}

/// Each client with each kind of provider.
pub(crate) fn measure(rounds: usize) -> anyhow::Result<Vec<Chunk>> {
    let paced: Vec<&Answer> = ANSWERS.iter().filter(|answer| answer.name.ends_with("paced")).collect();
    let providers = paced.iter().map(|answer| {
        let base_url = "http://127.0.0.1:1/v1";
        (answer.name.to_owned(), json!({"kind": answer.kind, "base_url": base_url}))
    });
    let file = json!({"providers": providers.collect::<serde_json::Map<_, _>>()});
    let gateway = stage::gateway(&file.to_string());
    let mut chunks = Vec::new();
    for client in [Client::Chat, Client::Messages] {
        for answer in &paced {
            let (media_type, long, more) = answer.lengthened(TIMES);
            let (_, short, _) = answer.lengthened(1);
            let mut seen = Vec::new();
            // The first one warms the caches.
            for _ in 0..=rounds {
                let (long, short) = (
                    stream(&gateway, client, answer, media_type, &long)?,
                    stream(&gateway, client, answer, media_type, &short)?,
                );
                let more = f64::from(STREAMS) * f64::from(u32::try_from(more)?);
                seen.push(long.saturating_sub(short).as_secs_f64() * 1e9 / more);
            }
            let nanoseconds = Spread::of(seen.into_iter().skip(1));
            chunks.push(Chunk { client, kind: answer.kind, nanoseconds });
        }
    }
    Ok(chunks)
}

/// How long so many streams take.
fn stream(
    gateway: &Rc<Gateway>,
    client: Client,
    answer: &Answer,
    media_type: &str,
    events: &[String],
) -> anyhow::Result<Duration> {
    let request = json!({
        "model": format!("{}/model", answer.name), "messages": [{"role": "user", "content": "x"}], "max_tokens": 4096,
        "stream": true,
    });
    let request = request.to_string();
    let pieces: Vec<&[u8]> = events.iter().map(String::as_bytes).collect();
    let start = Instant::now();
    for _ in 0..STREAMS {
        let sent = stage::ask(gateway, stage::post(client.path(), &[]), &[request.as_bytes()]).sent();
        let told = sent.answered(200, &[("content-type", media_type)], &pieces);
        ensure!(told.text().contains(LAST_WORD), "{}, {}: {}", client.path(), answer.name, told.text());
    }
    Ok(start.elapsed())
}

/// The table in Markdown.
pub(crate) fn table(chunks: &[Chunk]) -> String {
    let mut table =
        String::from("| client | provider | a chunk in the gateway's own code, natively, ns |\n|---|---|---|\n");
    for Chunk { client, kind, nanoseconds } in chunks {
        table.extend(["| `", client.path(), "` | ", kind, " | ", &nanoseconds.cell(NANOSECONDS), " |\n"]);
    }
    table
}
