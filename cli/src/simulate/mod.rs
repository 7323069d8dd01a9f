//! A simulated provider: `dragoman simulate`, and the scripted upstream of every test.
//!
//! One implementation for both, so that what a person sees by hand is what the tests test. It speaks the APIs of
//! `OpenAI`, `Anthropic`, `Gemini` and `Ollama` closely enough for their SDKs, answers without a model, and fails in
//! every way that providers fail when asked to ([`fault`](self), `dragoman simulate --help`).
//!
//! The way of a request: `server` reads and records it; a script that a test queued answers it, else `model` does:
//! `dialect` reads it into a neutral question, `answer` makes an answer, the dialect renders it, the faults bend it;
//! `play` sends the resulting [`Script`] through `wire`, which can kill the connection.

mod answer;
mod complaint;
mod dialect;
mod fault;
mod gzip;
mod memory;
mod model;
mod picture;
mod play;
mod question;
mod record;
mod schema;
mod script;
mod server;
mod vector;
mod wire;

use std::{io, net::SocketAddr, time::Duration};

use anyhow::Context as _;
use dragoman_core::config::parse_duration;
use tokio::signal::unix::{SignalKind, signal};

pub use self::{
    record::{Fate, Keep, Request},
    script::{Finish, Gate, Opening, Piece, Script},
    server::{Options, Protocols, Simulator, Tls},
};

/// Runs a provider that answers without a model and fails on request.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = fault::help())]
pub struct Args {
    /// Where to listen.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:11435")]
    listen: SocketAddr,
    /// The pause between the events of a stream, such as 30ms.
    #[arg(long, value_name = "DURATION", default_value = "30ms", value_parser = duration)]
    pause: Duration,
    /// Insist on this API key.
    #[arg(long, value_name = "KEY")]
    require_key: Option<String>,
}

/// Serves until SIGTERM or SIGINT, writing a line a request to standard error.
///
/// # Errors
/// The address cannot be bound.
pub fn run(args: Args) -> anyhow::Result<()> {
    use io::Write as _;
    let Args { listen, pause, require_key } = args;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut terminated, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let options =
            Options { listen, pause, require_key, keep: Keep::Length, remember: 1, log: true, ..Options::default() };
        let simulator = Simulator::start(options).with_context(|| format!("cannot listen on {listen}"))?;
        writeln!(io::stderr(), "simulated OpenAI, Anthropic, Gemini and Ollama on http://{}", simulator.addr())?;
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        Ok(())
    })
}

/// A duration as the configuration file writes it.
fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|wrong| format!("it {wrong}; expected a duration such as 30ms"))
}

#[cfg(test)]
mod tests;
