//! Plays a [`Script`] into a hyper response.
//!
//! A task feeds the body through a channel of one slot instead of the body being a hand-written state machine: pauses
//! and gates are then plain `await`s. Hyper drops the body when the client goes away, which closes the channel and
//! ends the task.
//!
//! Invariant: an answer ends (cut, reset) only after all of its pieces were handed to the kernel. Hyper drops what it
//! has buffered when a body fails, so the task watches the wire's flushes before it lets the body fail.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Response, Version};
use hyper::body::{Body, Frame};
use tokio::{sync::mpsc, time};

use super::{
    record::Fate,
    script::{Finish, Opening, Piece, Script},
    wire::{Line, Severance, severed},
};

/// Where an answer is played.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) line: Arc<Line>,
    pub(super) version: Version,
    pub(super) fate: Fate,
}

impl Stage {
    fn sever(&self, how: Severance) {
        // On HTTP/2 a failed answer resets its own stream; the other streams of the connection go on.
        if how == Severance::Close || self.version != Version::HTTP_2 {
            self.line.sever(how);
        }
    }
}

/// The response of a script, or the error that ends the connection instead.
pub(super) async fn play(script: Script, stage: Stage) -> io::Result<Response<Playback>> {
    let Script { delay, opening, status, headers, body, finish } = script;
    time::sleep(delay).await;
    match opening {
        Opening::Head => {}
        Opening::Hang => std::future::pending().await,
        Opening::Reset => {
            stage.sever(Severance::Reset);
            stage.fate.settle();
            return Err(severed());
        }
        Opening::Torn(bytes) => stage.line.reset_after(bytes),
    }
    let mut response = Response::new(Playback::start(body, finish, stage));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// A response body being played.
#[derive(Debug)]
pub(super) struct Playback {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    line: Arc<Line>,
    taken_at: Arc<AtomicU64>,
    empty: bool,
}

impl Playback {
    fn start(body: Vec<Piece>, finish: Finish, stage: Stage) -> Self {
        let (sender, pieces) = mpsc::channel(1);
        let empty = finish == Finish::Clean && body.iter().all(|piece| piece.bytes.is_empty());
        let taken_at = Arc::new(AtomicU64::new(0));
        let playback = Self { pieces, line: Arc::clone(&stage.line), taken_at: Arc::clone(&taken_at), empty };
        if empty {
            stage.fate.settle();
        } else {
            tokio::spawn(async move {
                tokio::select! {
                    () = perform(body, finish, &stage, &sender, &taken_at) => stage.fate.settle(),
                    () = sender.closed() => {}
                }
            });
        }
        playback
    }
}

impl Body for Playback {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let next = self.pieces.poll_recv(cx);
        if next.is_ready() {
            self.taken_at.store(self.line.flushes(), Ordering::Relaxed);
        }
        next.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.empty
    }
}

async fn perform(
    body: Vec<Piece>,
    finish: Finish,
    stage: &Stage,
    sender: &mpsc::Sender<io::Result<Bytes>>,
    taken_at: &AtomicU64,
) {
    for Piece { pause, gate, bytes } in body {
        if !pause.is_zero() {
            time::sleep(pause).await;
        }
        if let Some(gate) = gate {
            gate.passed().await;
        }
        if !bytes.is_empty() {
            if sender.send(Ok(bytes)).await.is_err() {
                return std::future::pending().await;
            }
            // Not after a pause, in which who has got it may leave.
            stage.fate.add_piece();
            flushed(stage, sender, taken_at).await;
        }
    }
    match finish {
        Finish::Clean => return,
        Finish::Hang => return std::future::pending().await,
        Finish::Cut => stage.sever(Severance::Close),
        Finish::Reset => stage.sever(Severance::Reset),
    }
    // The client may have left first; then there is nobody to fail.
    let _left = sender.send(Err(severed())).await;
}

/// Waits until hyper took the piece (the slot is free again) and everything written since then reached the kernel.
async fn flushed(stage: &Stage, sender: &mpsc::Sender<io::Result<Bytes>>, taken_at: &AtomicU64) {
    if sender.reserve().await.is_err() {
        return;
    }
    let mut wait = Duration::from_micros(10);
    while stage.line.flushes() <= taken_at.load(Ordering::Relaxed) {
        if wait < Duration::from_millis(1) {
            tokio::task::yield_now().await;
            wait = wait.saturating_mul(2);
        } else {
            time::sleep(wait).await;
        }
    }
}
