//! As much of HTTP/1.1 as both ends of this benchmark speak, and nothing that costs time: the rig shares its core with nobody,
//! but what it spends is not there for load.

use anyhow::{Context as _, bail, ensure};
use std::io;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const READ_BYTES: usize = 64 * 1024;
/// Ends a chunked body; no answer has it in its text.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// One end of a connection.
pub(crate) struct Wire {
    stream: TcpStream,
    /// What has been read and not been used.
    buffer: Vec<u8>,
}

/// The head of a message.
pub(crate) struct Head {
    /// Everything before the empty line.
    pub(crate) text: String,
    length: Option<usize>,
    is_chunked: bool,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(READ_BYTES) })
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The next message's head; `None` where the peer has closed instead.
    pub(crate) async fn head(&mut self) -> anyhow::Result<Option<Head>> {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                ensure!(self.buffer.is_empty(), "closed within a head");
                return Ok(None);
            }
        };
        let text: Vec<u8> = self.buffer.drain(..end.saturating_add(4)).take(end).collect();
        let text = String::from_utf8(text).context("a head that is not UTF-8")?;
        let field = |wanted: &str| {
            let fields = text.lines().filter_map(|line| line.split_once(':'));
            fields.filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim()).next()
        };
        let length = field("content-length").map(str::parse).transpose()?;
        let is_chunked = field("transfer-encoding").is_some();
        Ok(Some(Head { text, length, is_chunked }))
    }

    /// Reads over a body of a known length.
    pub(crate) async fn skip(&mut self, head: &Head) -> anyhow::Result<()> {
        ensure!(!head.is_chunked, "a request whose length is not said");
        let mut left = head.length.unwrap_or_default();
        loop {
            let buffered = left.min(self.buffer.len());
            self.buffer.drain(..buffered);
            left = left.saturating_sub(buffered);
            if left == 0 {
                return Ok(());
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("closed within a body");
            }
        }
    }

    /// Waits for the first byte of a body.
    pub(crate) async fn begin(&mut self) -> anyhow::Result<()> {
        if self.buffer.is_empty() && self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("closed before a body");
        }
        Ok(())
    }

    /// The whole body, framing included.
    pub(crate) async fn body(&mut self, head: &Head) -> anyhow::Result<Vec<u8>> {
        let is_complete = |buffer: &[u8]| match head.length {
            Some(length) => buffer.len() >= length,
            None => buffer.ends_with(LAST_CHUNK),
        };
        while !is_complete(&self.buffer) {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("closed within a body");
            }
        }
        Ok(std::mem::replace(&mut self.buffer, Vec::with_capacity(READ_BYTES)))
    }
}
