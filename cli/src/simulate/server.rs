//! A simulated provider on a socket: the library's [`Simulator`], which the `simulate` command runs too.
//!
//! It has a runtime on a thread of its own, so that a test need not be async and cannot starve it, and is gone, with
//! every connection, when it is dropped. HTTP/1.1 and HTTP/2 (by prior knowledge, or by ALPN over TLS) share one port.
//!
//! Scripts a test queued come first, in their order; a request that none of them matches gets the default behaviour:
//! the simulated model, with the faults that the request asks for.

use std::{
    collections::VecDeque,
    fmt, io,
    net::{SocketAddr, TcpListener as StdListener},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tokio_rustls::TlsAcceptor;

use super::{
    model::Model,
    play::{Playback, Stage, play},
    record::{Fate, Keep, Request},
    script::Script,
    wire::{Line, Wire},
};

/// How a simulated provider behaves. The default suits tests: loopback, any free port, no pauses, no key, no TLS.
#[derive(Debug)]
pub struct Options {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The pause between the events of a stream, where no script or fault says otherwise.
    pub pause: Duration,
    /// The API key to insist on.
    pub require_key: Option<String>,
    /// TLS, with these certificates.
    pub tls: Option<Tls>,
    /// The HTTP versions that are spoken.
    pub protocols: Protocols,
    /// What is kept of request bodies.
    pub keep: Keep,
    /// How many requests are remembered; the oldest are forgotten first.
    pub remember: usize,
    /// The wall clock, in seconds since 1970; answers carry it as `created`.
    pub clock: fn() -> u64,
    /// Whether each request is written to standard error as a line.
    pub log: bool,
}

/// A TLS identity.
#[derive(Debug)]
pub struct Tls {
    /// The certificate and its chain.
    pub certificates: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
}

/// HTTP versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocols {
    /// Whichever the client prefers.
    #[default]
    Both,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only.
    Http2,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            pause: Duration::ZERO,
            require_key: None,
            tls: None,
            protocols: Protocols::Both,
            keep: Keep::Whole,
            remember: 10_000,
            clock: unix_seconds,
            log: false,
        }
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A simulated provider. It ends when dropped.
#[derive(Debug)]
pub struct Simulator {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Simulator {
    /// Starts to listen; requests are served from now on.
    ///
    /// # Errors
    /// The address cannot be bound, the TLS identity is unusable, or there is no thread to be had.
    pub fn start(options: Options) -> io::Result<Self> {
        let listener = StdListener::bind(options.listen)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let tls = options.tls.map(|tls| acceptor(tls, options.protocols)).transpose()?;
        let shared = Arc::new(Shared {
            model: Model::new(options.pause, options.require_key, options.clock),
            protocols: options.protocols,
            keep: options.keep,
            remember: options.remember,
            log: options.log,
            scripts: Mutex::default(),
            requests: Mutex::default(),
            arrived: Condvar::new(),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let thread = thread::Builder::new().name("simulator".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, tls, serving) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { addr, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Answers the next request with `script`.
    pub fn answer(&self, script: Script) {
        self.answer_when(|_| true, script);
    }

    /// Answers the next request that `matches` with `script`.
    pub fn answer_when(&self, matches: impl Fn(&Request) -> bool + Send + 'static, script: Script) {
        self.queue(Queued { matches: Box::new(matches), script, lasting: false });
    }

    /// Answers every request that `matches` with `script` from now on.
    pub fn always(&self, matches: impl Fn(&Request) -> bool + Send + 'static, script: Script) {
        self.queue(Queued { matches: Box::new(matches), script, lasting: true });
    }

    /// Forgets the scripts that are still queued and the requests that were recorded.
    pub fn clear(&self) {
        lock(&self.shared.scripts).clear();
        lock(&self.shared.requests).clear();
    }

    /// The requests so far, in the order in which they were complete.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.requests).iter().cloned().collect()
    }

    /// The same, emptying the record.
    #[must_use]
    pub fn take_requests(&self) -> Vec<Request> {
        lock(&self.shared.requests).drain(..).collect()
    }

    /// The requests as soon as there are `count` of them, or those that there are after `patience`.
    #[must_use]
    pub fn wait_for(&self, count: usize, patience: Duration) -> Vec<Request> {
        let requests = lock(&self.shared.requests);
        let waited = self.shared.arrived.wait_timeout_while(requests, patience, |requests| requests.len() < count);
        waited.unwrap_or_else(PoisonError::into_inner).0.iter().cloned().collect()
    }

    fn queue(&self, queued: Queued) {
        lock(&self.shared.scripts).push_back(queued);
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic of the simulator's thread has been printed; a second one here would hide it.
            let _panicked = thread.join();
        }
    }
}

struct Queued {
    matches: Box<dyn Fn(&Request) -> bool + Send>,
    script: Script,
    lasting: bool,
}

impl fmt::Debug for Queued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queued").field("script", &self.script).field("lasting", &self.lasting).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Shared {
    model: Model,
    protocols: Protocols,
    keep: Keep,
    remember: usize,
    log: bool,
    scripts: Mutex<VecDeque<Queued>>,
    requests: Mutex<VecDeque<Request>>,
    arrived: Condvar,
}

impl Shared {
    /// The script for a request: the first queued one that matches, else the simulated model's.
    fn script(&self, request: &Request) -> Script {
        let mut scripts = lock(&self.scripts);
        let Some(index) = scripts.iter().position(|queued| (queued.matches)(request)) else {
            drop(scripts);
            return self.model.answer(request);
        };
        match scripts.get(index) {
            Some(queued) if queued.lasting => queued.script.clone(),
            _ => scripts.remove(index).map_or_else(|| self.model.answer(request), |queued| queued.script),
        }
    }

    fn record(&self, request: Request) {
        let mut requests = lock(&self.requests);
        while requests.len() >= self.remember.max(1) {
            requests.pop_front();
        }
        requests.push_back(request.reduced(self.keep));
        drop(requests);
        self.arrived.notify_all();
    }
}

/// A test that panicked with the lock held has said so already; the data are whole at any point.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn acceptor(tls: Tls, protocols: Protocols) -> io::Result<TlsAcceptor> {
    // The provider is named, because a second rustls provider in the build would leave the default undefined.
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(tls.certificates, tls.key))
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let alpn: &[&[u8]] = match protocols {
        Protocols::Both => &[b"h2", b"http/1.1"],
        Protocols::Http1 => &[b"http/1.1"],
        Protocols::Http2 => &[b"h2"],
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(listener: StdListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut number = 0_u64;
    loop {
        let Ok((socket, peer)) = listener.accept().await else {
            // Out of descriptors, most likely: connections that end give some back.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let connection = Connection { number, peer, tls: tls.is_some(), line: Arc::default() };
        number = number.saturating_add(1);
        tokio::spawn(connect(socket, tls.clone(), connection, Arc::clone(&shared)));
    }
}

#[derive(Clone, Debug)]
struct Connection {
    number: u64,
    peer: SocketAddr,
    tls: bool,
    line: Arc<Line>,
}

async fn connect(socket: TcpStream, tls: Option<TlsAcceptor>, connection: Connection, shared: Arc<Shared>) {
    // Each piece of a body shall leave as its own segment.
    let _only_slower = socket.set_nodelay(true);
    let wire = Wire::new(socket, Arc::clone(&connection.line));
    match tls {
        None => serve(wire, connection, shared).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(wire).await {
                serve(stream, connection, shared).await;
            }
        }
    }
}

async fn serve<I: AsyncRead + AsyncWrite + Unpin + Send + 'static>(io: I, connection: Connection, shared: Arc<Shared>) {
    let builder = auto::Builder::new(TokioExecutor::new());
    let builder = match shared.protocols {
        Protocols::Both => builder,
        Protocols::Http1 => builder.http1_only(),
        Protocols::Http2 => builder.http2_only(),
    };
    let service = service_fn(move |request| respond(request, connection.clone(), Arc::clone(&shared)));
    // A connection that was severed on purpose ends with an error too; none of them is news.
    let _ended = builder.serve_connection(TokioIo::new(io), service).await;
}

async fn respond(
    request: http::Request<Incoming>,
    connection: Connection,
    shared: Arc<Shared>,
) -> io::Result<http::Response<Playback>> {
    let (head, body) = request.into_parts();
    let body: Bytes = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let request = Request {
        at: Instant::now(),
        peer: connection.peer,
        connection: connection.number,
        tls: connection.tls,
        version: head.version,
        method: head.method,
        uri: head.uri,
        headers: head.headers,
        body_bytes: body.len(),
        body,
        body_sha256: None,
        fate: Fate::default(),
    };
    let script = shared.script(&request);
    if shared.log {
        log(&request, &script);
    }
    let stage = Stage { line: connection.line, version: head.version, fate: request.fate.clone() };
    shared.record(request);
    play(script, stage).await
}

fn log(request: &Request, script: &Script) {
    use io::Write as _;
    let Request { method, version, body_bytes, .. } = request;
    let bytes: usize = script.body.iter().map(|piece| piece.bytes.len()).sum();
    let path = request.uri.path();
    let status = script.status.as_u16();
    let pieces = script.body.len();
    // Nothing to be done about a closed standard error.
    let _closed = writeln!(
        io::stderr(),
        "{method} {path} {version:?} {body_bytes} B -> {status}, {bytes} B in {pieces} pieces, {:?}, {:?}",
        script.opening,
        script.finish,
    );
}
