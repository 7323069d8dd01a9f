//! A raw HTTP/1.1 client: any bytes out, and each piece of the answer with the moment it came.
//!
//! Not a library's: those refuse to send what a hostile client sends, and join the pieces of a stream whose timing is what
//! a test asks about. Blocking, because a test reads better so.

use crate::abi::Headers;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Longer than anything that a test waits for; a hang fails the test instead of the run.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request before it is sent.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    path: String,
    headers: Headers,
    body: Vec<u8>,
}

impl Request {
    /// A GET.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A POST of JSON.
    #[must_use]
    pub fn post(path: &str, json: &serde_json::Value) -> Self {
        Self::new("POST", path).header("content-type", "application/json").body(json.to_string())
    }

    /// Any method.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), headers: Headers::default(), body: Vec::new() }
    }

    /// One header more. Nothing checks it.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.add(name, value.as_ref());
        self
    }

    /// `authorization: Bearer …`.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header("authorization", format!("Bearer {key}"))
    }

    /// The body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// On the wire. `host` and `content-length` are added where they are not given.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        if self.headers.get("host").is_none() {
            out.extend(b"host: gateway.test\r\n");
        }
        for (name, value) in self.headers.iter() {
            out.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        let framed = self.headers.get("content-length").is_some() || self.headers.get("transfer-encoding").is_some();
        if !framed && (!self.body.is_empty() || self.method == "POST") {
            out.extend(format!("content-length: {}\r\n", self.body.len()).into_bytes());
        }
        out.extend(b"\r\n");
        out.extend(&self.body);
        out
    }

    /// Sends it on a connection of its own and waits for the whole answer.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    #[track_caller]
    pub fn send(&self, to: SocketAddr) -> Response {
        Connection::open(to).expect("the gateway takes connections").ask(self)
    }
}

/// A piece of an answer's body.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Since the request was sent.
    pub at: Duration,
    /// Without its framing.
    pub bytes: Vec<u8>,
}

/// An answer, as far as it came.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Headers,
    /// The body.
    pub chunks: Vec<Chunk>,
    /// Whether its end came too; without it the connection was cut.
    pub complete: bool,
}

impl Response {
    /// The whole body.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        self.chunks.iter().flat_map(|chunk| chunk.bytes.iter().copied()).collect()
    }

    /// The whole body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body()).into_owned()
    }

    /// The whole body as JSON.
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body())
            .unwrap_or_else(|error| panic!("{error} in {}: {}", self.status, self.text()))
    }

    /// The payloads of the `data:` lines.
    #[must_use]
    pub fn events(&self) -> Vec<String> {
        self.text().lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
    }
}

/// How long a body is.
#[derive(Clone, Copy)]
enum Framing {
    Left(usize),
    Chunked,
    UntilClosed,
    Over,
}

/// A connection on which answers are read piece by piece.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    framing: Framing,
    sent: Instant,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// It is refused.
    pub fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::new(), framing: Framing::Over, sent: Instant::now() })
    }

    /// Where it comes from.
    ///
    /// # Errors
    /// The system does not say.
    pub fn own_address(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// Sends a request and waits for the whole answer.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    #[track_caller]
    pub fn ask(&mut self, request: &Request) -> Response {
        self.send(&request.bytes());
        self.response().expect("an answer")
    }

    /// Sends bytes. A peer that has answered and closed before it read them all is no error: its answer can still be read.
    pub fn send(&mut self, bytes: &[u8]) {
        self.sent = Instant::now();
        let _ = self.stream.write_all(bytes);
    }

    /// Sends nothing more; the answer can still be read.
    pub fn shut(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    /// Reads a whole answer.
    ///
    /// # Errors
    /// There is none.
    pub fn response(&mut self) -> io::Result<Response> {
        let (status, headers) = self.head()?;
        let mut response = Response { status, headers, chunks: Vec::new(), complete: false };
        loop {
            match self.chunk() {
                Ok(Some(chunk)) => response.chunks.push(chunk),
                Ok(None) => response.complete = true,
                // Cut short: what came is the answer. A time-out is the test's failure.
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if response.complete || matches!(self.framing, Framing::Over) {
                return Ok(response);
            }
        }
    }

    /// Reads the head of an answer; those of status 1xx are passed over.
    ///
    /// # Errors
    /// None comes, or it is not HTTP/1.1.
    pub fn head(&mut self) -> io::Result<(u16, Headers)> {
        loop {
            let end = self.wait_for(b"\r\n\r\n")?;
            let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
            let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            let status = lines.next().and_then(|line| str::from_utf8(line).ok()?.split(' ').nth(1)?.parse().ok());
            let status: u16 = status.ok_or_else(|| invalid("no status line"))?;
            let pairs = lines.filter_map(|line| {
                let colon = line.iter().position(|byte| *byte == b':')?;
                let (name, value) = line.split_at(colon);
                Some((String::from_utf8_lossy(name).into_owned(), value.get(1..)?.trim_ascii().to_vec()))
            });
            let headers: Headers = pairs.collect();
            if status >= 200 {
                self.framing = framing(status, &headers)?;
                return Ok((status, headers));
            }
        }
    }

    /// Reads the next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// The body is cut short.
    pub fn chunk(&mut self) -> io::Result<Option<Chunk>> {
        let framing = std::mem::replace(&mut self.framing, Framing::Over);
        let bytes = match framing {
            Framing::Over | Framing::Left(0) => return Ok(None),
            Framing::Left(left) => {
                self.fill(1)?;
                let bytes: Vec<u8> = self.buffer.drain(..left.min(self.buffer.len())).collect();
                self.framing = Framing::Left(left - bytes.len());
                bytes
            }
            Framing::Chunked => {
                let end = self.wait_for(b"\r\n")?;
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let size = str::from_utf8(line.trim_ascii()).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
                let size = size.ok_or_else(|| invalid("no chunk size"))?;
                self.fill(size + 2)?;
                let bytes: Vec<u8> = self.buffer.drain(..size).collect();
                self.buffer.drain(..2);
                if size == 0 {
                    return Ok(None);
                }
                self.framing = Framing::Chunked;
                bytes
            }
            Framing::UntilClosed => match self.fill(1) {
                Ok(()) => {
                    self.framing = Framing::UntilClosed;
                    std::mem::take(&mut self.buffer)
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(error) => return Err(error),
            },
        };
        Ok(Some(Chunk { at: self.sent.elapsed(), bytes }))
    }

    /// Until so many bytes are buffered.
    fn fill(&mut self, count: usize) -> io::Result<()> {
        let mut piece = [0; 16 * 1024];
        while self.buffer.len() < count {
            let read = self.stream.read(&mut piece)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.buffer.extend(piece.iter().take(read));
        }
        Ok(())
    }

    fn wait_for(&mut self, mark: &[u8]) -> io::Result<usize> {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|window| window == mark) {
                return Ok(at);
            }
            self.fill(self.buffer.len() + 1)?;
        }
    }
}

fn framing(status: u16, headers: &Headers) -> io::Result<Framing> {
    if status == 204 || status == 304 {
        return Ok(Framing::Over);
    }
    if headers.text("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        return Ok(Framing::Chunked);
    }
    match headers.text("content-length") {
        Some(length) => length.parse().map(Framing::Left).map_err(|_| invalid("content-length is no number")),
        None => Ok(Framing::UntilClosed),
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// A server that says this and closes.
    fn answered(answer: &'static [u8]) -> io::Result<Response> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _ = peer.read(&mut request).unwrap();
            peer.write_all(answer).unwrap();
        });
        let mut connection = Connection::open(address).unwrap();
        connection.send(&Request::get("/").bytes());
        let response = connection.response();
        server.join().unwrap();
        response
    }

    #[test]
    fn chunks_and_lengths_are_read_to_their_end() {
        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        let response = answered(chunked).unwrap();
        assert_eq!((response.text().as_str(), response.chunks.len(), response.complete), ("abc", 2, true));
        let response =
            answered(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nab").unwrap();
        assert_eq!((response.status, response.text().as_str(), response.complete), (404, "ab", true));
    }

    #[test]
    fn an_answer_that_is_cut_is_not_complete() {
        let response = answered(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n").unwrap();
        assert_eq!((response.text().as_str(), response.complete), ("ab", false));
        let response = answered(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab").unwrap();
        assert_eq!((response.text().as_str(), response.complete), ("ab", false));
        assert!(answered(b"").is_err());
    }

    #[test]
    fn a_request_carries_any_bytes_as_they_are() {
        let request = Request::new("POST", "/a//b").header("x", b"\xff").body("hi").bytes();
        assert_eq!(request, b"POST /a//b HTTP/1.1\r\nhost: gateway.test\r\nx: \xff\r\ncontent-length: 2\r\n\r\nhi");
    }
}
