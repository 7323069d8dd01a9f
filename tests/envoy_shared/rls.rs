//! A service that counts limits, as far as Envoy needs one: `ShouldRateLimit` over gRPC, and what it has counted for tests to look at.
//!
//! It counts as envoyproxy/ratelimit does (what is asked for is added, and refused if there is then more than the limit), but for
//! windows: no test takes an hour. The protocol's messages are few enough to be read by hand.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;

/// A running service. Dropped, it is away.
pub(crate) struct Service {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

struct Shared {
    /// By name, how much.
    limits: HashMap<&'static str, u64>,
    delay: Duration,
    /// By limit and subject.
    counts: Mutex<HashMap<(String, String), u64>>,
    asked: Mutex<Vec<Asked>>,
}

/// One descriptor of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub domain: String,
    pub limit: String,
    pub subject: String,
    /// How many hits; where absent, one.
    pub hits: Option<u64>,
}

impl Service {
    /// A service that answers after so long.
    pub(crate) fn start(limits: &[(&'static str, u64)], delay: Duration) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let limits = limits.iter().copied().collect();
        let shared = Arc::new(Shared { limits, delay, counts: Mutex::default(), asked: Mutex::default() });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let state = Arc::clone(&shared);
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((socket, _)) = listener.accept().await {
                let state = Arc::clone(&state);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(request, Arc::clone(&state)));
                    let _ =
                        http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Self { address, shared, runtime: Some(runtime) }
    }

    /// What was counted of a limit, for all its subjects.
    pub(crate) fn count(&self, limit: &str) -> u64 {
        let counts = self.shared.counts.lock().unwrap();
        counts.iter().filter(|((name, _), _)| name == limit).map(|(_, count)| count).sum()
    }

    /// Who was counted for it, in order.
    pub(crate) fn subjects(&self, limit: &str) -> Vec<String> {
        let counts = self.shared.counts.lock().unwrap();
        let mut subjects: Vec<_> =
            counts.keys().filter(|(name, _)| name == limit).map(|(_, who)| who.clone()).collect();
        subjects.sort();
        subjects
    }

    /// All that it was asked.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    /// Whether all of these have room.
    fn take(&self, asked: &[Asked]) -> bool {
        let mut counts = self.counts.lock().unwrap();
        let rooms: Vec<_> = asked
            .iter()
            .map(|Asked { limit, subject, hits, .. }| {
                let count = counts.entry((limit.clone(), subject.clone())).or_default();
                *count += hits.unwrap_or(1);
                self.limits.get(limit.as_str()).is_none_or(|max| *count <= *max)
            })
            .collect();
        self.asked.lock().unwrap().extend_from_slice(asked);
        rooms.into_iter().all(|has_room| has_room)
    }
}

async fn answer(
    request: http::Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = Infallible>>, hyper::Error> {
    assert_eq!(request.uri().path(), "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit");
    let mut message = request.into_body().collect().await?.to_bytes();
    tokio::time::sleep(shared.delay).await;
    // Not compressed, and its length.
    message.advance(5);
    let code = if shared.take(&read(message)) { 1 } else { 2 };
    let answer = Bytes::from(vec![0, 0, 0, 0, 2, 0x08, code]);
    let trailers =
        HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    let body = Full::new(answer).with_trailers(async { Some(Ok(trailers)) });
    Ok(Response::builder().header("content-type", "application/grpc").body(body).unwrap())
}

/// A `RateLimitRequest`.
fn read(message: Bytes) -> Vec<Asked> {
    let fields = fields(message);
    let domain = text(&fields, 1);
    fields
        .iter()
        .filter(|(number, _)| *number == 2)
        .map(|(_, descriptor)| read_descriptor(&domain, descriptor))
        .collect()
}

fn read_descriptor(domain: &str, descriptor: &Field) -> Asked {
    let parts = fields(descriptor.bytes());
    let entries = parts.iter().filter(|(number, _)| *number == 1).map(|(_, entry)| {
        let entry = fields(entry.bytes());
        (text(&entry, 1), text(&entry, 2))
    });
    let entries: Vec<_> = entries.collect();
    let [(key, limit), (of, subject)] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!((key.as_str(), of.as_str()), ("limit", "subject"));
    // A message of its own, because zero is not the same as nothing.
    let hits = parts.iter().find(|(number, _)| *number == 3).map(|(_, hits)| {
        let value = fields(hits.bytes());
        value.iter().find(|(number, _)| *number == 1).map_or(0, |(_, value)| value.number())
    });
    Asked { domain: domain.into(), limit: limit.clone(), subject: subject.clone(), hits }
}

#[derive(Debug)]
enum Field {
    Number(u64),
    Bytes(Bytes),
}

impl Field {
    fn bytes(&self) -> Bytes {
        let Self::Bytes(bytes) = self else { panic!("{self:?}") };
        bytes.clone()
    }

    fn number(&self) -> u64 {
        let Self::Number(number) = self else { panic!("{self:?}") };
        *number
    }
}

fn text(fields: &[(u64, Field)], number: u64) -> String {
    let field = fields.iter().find(|(other, _)| *other == number);
    field.map(|(_, field)| String::from_utf8(field.bytes().to_vec()).unwrap()).unwrap_or_default()
}

/// The fields of a message: numbers, and what has a length.
fn fields(message: Bytes) -> Vec<(u64, Field)> {
    let mut rest = BytesMut::from(message);
    let mut fields = Vec::new();
    while rest.has_remaining() {
        let tag = varint(&mut rest);
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut rest)),
            2 => {
                let length = usize::try_from(varint(&mut rest)).unwrap();
                Field::Bytes(rest.split_to(length).freeze())
            }
            other => panic!("wire type {other}"),
        };
        fields.push((tag >> 3, field));
    }
    fields
}

fn varint(bytes: &mut BytesMut) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes.get_u8();
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}
