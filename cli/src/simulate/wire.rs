//! The socket under a simulated provider's connection, which can be severed on command.
//!
//! hyper ends a connection politely; a provider that dies does not. Hyper's own errors only get as far as a closed
//! socket, never to a reset, and never to half a response head. So the bytes run through a wrapper that either lets a
//! last few of them out or none at all, and then makes the kernel send what was asked for: FIN or RST.
//!
//! Invariant: after severance no byte leaves, whatever hyper or TLS still has buffered (so TLS sends no
//! `close_notify` either, exactly as a killed process does not).

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// How the peer sees the connection end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severance {
    /// FIN: an end of file in the middle of the message.
    Close,
    /// RST: `ECONNRESET`.
    Reset,
}

/// The controls of one connection, shared by its wire and the answers that run over it.
#[derive(Debug, Default)]
pub(super) struct Line(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    severance: Option<Severance>,
    allowance: Option<usize>,
    flushes: u64,
}

impl Line {
    /// Ends the connection as soon as its owner touches it again.
    pub(super) fn sever(&self, how: Severance) {
        self.state().severance.get_or_insert(how);
    }

    /// Lets `bytes` more bytes out, then resets.
    pub(super) fn reset_after(&self, bytes: usize) {
        self.state().allowance = Some(bytes);
    }

    /// How often everything written so far has reached the kernel.
    pub(super) fn flushes(&self) -> u64 {
        self.state().flushes
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self) -> io::Result<()> {
        match self.state().severance {
            None => Ok(()),
            Some(_) => Err(severed()),
        }
    }
}

/// The error that severance shows to hyper; nobody else sees it.
pub(super) fn severed() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "severed by the simulation")
}

/// A TCP stream that obeys its [`Line`].
#[derive(Debug)]
pub(super) struct Wire {
    socket: TcpStream,
    line: Arc<Line>,
}

impl Wire {
    pub(super) fn new(socket: TcpStream, line: Arc<Line>) -> Self {
        Self { socket, line }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.line.state().severance == Some(Severance::Reset) {
            // A zero linger turns close(2) into RST. It fails only where the connection is already gone.
            let _gone = SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.line.check()?;
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.line.check()?;
        let allowance = self.line.state().allowance;
        let Some(left) = allowance else { return Pin::new(&mut self.socket).poll_write(cx, buf) };
        let allowed = buf.get(..left).unwrap_or(buf);
        let written = ready!(Pin::new(&mut self.socket).poll_write(cx, allowed))?;
        let left = left.saturating_sub(written);
        self.line.state().allowance = Some(left);
        if left == 0 {
            self.line.sever(Severance::Reset);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line.check()?;
        ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        let mut state = self.line.state();
        state.flushes = state.flushes.saturating_add(1);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line.check()?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
