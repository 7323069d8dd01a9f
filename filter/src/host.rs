//! The only file that calls the host, but for one call ([`crate::import`]) and what seeds chance, and the one that knows when it may.
//!
//! The SDK panics on a status that it does not expect, and a panic ends every stream of the worker. The host answers with
//! such a status when a header map or a buffer is touched in the wrong phase of a stream. So each stream carries its
//! [`Phase`], every call asks it first, and a call in the wrong phase does nothing. Only the `_bytes` forms are used: the
//! others panic on a header that is not UTF-8, which any client can send. What the SDK's setters return is not looked at:
//! they succeed or panic.
//!
//! A header value with a control character would end the header early: it is not set, and what had the name is removed.
#![expect(clippy::disallowed_methods, reason = "this is the one place where they are allowed")]

use std::{
    cell::{Cell, RefCell},
    num::NonZeroU32,
    time::{Duration, UNIX_EPOCH},
};

use dragoman_core::{
    attempt::Front,
    headers::{HeaderMap, Headers},
    host::{Clock, Conflict, Metadata, Meter, Store, Version},
    step::{HeaderEdits, Reply},
};
use hashbrown::HashMap;
use proxy_wasm::{
    hostcalls,
    types::{Action, BufferType, MapType, MetricType},
};

use crate::import;

/// How far a stream has come: what can still be touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The request is held: its headers and its body.
    Request,
    /// The request is on its way: nothing.
    Asked,
    /// The answer is held: its headers and its body.
    Answer,
    /// The answer's head is on its way: the piece of its body that is passing.
    Flowing,
    /// The gateway has answered: nothing any more.
    Ended,
}

/// One HTTP stream of the host.
#[derive(Debug)]
pub(crate) struct Stream {
    id: u32,
    phase: Cell<Phase>,
    /// What the gateway has answered by itself, where that is to be kept.
    replied: RefCell<Option<Vec<u8>>>,
    keeps_reply: bool,
}

impl Stream {
    pub(crate) fn new(id: u32) -> Self {
        Self { id, phase: Cell::new(Phase::Request), replied: RefCell::default(), keeps_reply: false }
    }

    /// Keeps what the gateway answers by itself, if somebody wants it.
    pub(crate) fn keeping_reply(self, keeps_reply: bool) -> Self {
        Self { keeps_reply, ..self }
    }

    /// What the gateway has answered by itself, where that was kept.
    pub(crate) fn take_reply(&self) -> Option<Vec<u8>> {
        self.replied.take()
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Lets the request go.
    pub(crate) fn forward(&self) -> Action {
        self.enter(Phase::Asked);
        Action::Continue
    }

    /// Lets a request go that was held, in the name of its stream.
    pub(crate) fn resume(&self) {
        if self.phase.get() == Phase::Request {
            self.enter(Phase::Asked);
            let _ = hostcalls::resume_http_request();
        }
    }

    /// The answer's head has come.
    pub(crate) fn answered(&self) {
        self.enter(Phase::Answer);
    }

    /// Lets the answer go.
    pub(crate) fn release(&self) -> Action {
        self.enter(Phase::Flowing);
        Action::Continue
    }

    /// Whether the gateway has answered by itself.
    pub(crate) fn has_ended(&self) -> bool {
        self.phase.get() == Phase::Ended
    }

    /// Ends an answer that is on its way in the only manner that is left: the client sees it cut.
    pub(crate) fn reset(&self) {
        if self.phase.get() == Phase::Flowing {
            let _ = hostcalls::reset_http_response();
            self.enter(Phase::Ended);
        }
    }

    /// Answers in the provider's place.
    pub(crate) fn reply(&self, reply: &Reply) -> Action {
        if matches!(self.phase.get(), Phase::Request | Phase::Asked | Phase::Answer) {
            let headers = reply.headers.iter().filter(|(_, value)| is_header_value(value));
            let headers = headers.map(|(name, value)| (name.as_ref(), value.as_str())).collect();
            let _ = hostcalls::send_http_response(u32::from(reply.status), headers, Some(&reply.body));
            if self.keeps_reply {
                self.replied.replace(Some(reply.body.clone()));
            }
            self.enter(Phase::Ended);
        }
        Action::Pause
    }

    pub(crate) fn request_headers(&self) -> HeaderMap {
        self.headers(Phase::Request, MapType::HttpRequestHeaders)
    }

    pub(crate) fn response_headers(&self) -> HeaderMap {
        self.headers(Phase::Answer, MapType::HttpResponseHeaders)
    }

    pub(crate) fn edit_request_headers(&self, edits: &HeaderEdits) {
        self.edit(Phase::Request, MapType::HttpRequestHeaders, edits);
    }

    pub(crate) fn edit_response_headers(&self, edits: &HeaderEdits) {
        self.edit(Phase::Answer, MapType::HttpResponseHeaders, edits);
    }

    pub(crate) fn set_status(&self, status: u16) {
        self.set_response_header(":status", &status.to_string());
    }

    pub(crate) fn set_response_header(&self, name: &str, value: &str) {
        if self.phase.get() == Phase::Answer {
            let _ = hostcalls::set_map_value_bytes(MapType::HttpResponseHeaders, name, Some(value.as_bytes()));
        }
    }

    pub(crate) fn remove_response_header(&self, name: &str) {
        if self.phase.get() == Phase::Answer {
            let _ = hostcalls::remove_map_value(MapType::HttpResponseHeaders, name);
        }
    }

    /// Bytes of the held request body.
    pub(crate) fn request_body(&self, start: usize, length: usize) -> Vec<u8> {
        self.body(&[Phase::Request], BufferType::HttpRequestBody, start, length)
    }

    /// Bytes of the held or passing answer.
    pub(crate) fn response_body(&self, start: usize, length: usize) -> Vec<u8> {
        self.body(&[Phase::Answer, Phase::Flowing], BufferType::HttpResponseBody, start, length)
    }

    /// Replaces the beginning of the held request body.
    pub(crate) fn replace_request_body(&self, Front { length, text }: &Front) {
        if self.phase.get() == Phase::Request && *length > 0 {
            let _ = hostcalls::set_buffer(BufferType::HttpRequestBody, 0, *length, text);
        }
    }

    /// Replaces the whole held or passing piece of the answer, which is `length` bytes long.
    pub(crate) fn replace_response_body(&self, length: usize, body: &[u8]) {
        if matches!(self.phase.get(), Phase::Answer | Phase::Flowing) && (length > 0 || !body.is_empty()) {
            let _ = hostcalls::set_buffer(BufferType::HttpResponseBody, 0, length, body);
        }
    }

    fn enter(&self, phase: Phase) {
        if self.phase.get() != Phase::Ended {
            self.phase.set(phase);
        }
    }

    fn headers(&self, phase: Phase, map: MapType) -> HeaderMap {
        if self.phase.get() == phase { import::header_map(map) } else { HeaderMap::default() }
    }

    fn edit(&self, phase: Phase, map: MapType, edits: &HeaderEdits) {
        if self.phase.get() != phase {
            return;
        }
        for name in &edits.remove {
            let _ = hostcalls::remove_map_value(map, name);
        }
        for (name, value) in &edits.set {
            let value = is_header_value(value).then_some(value.as_bytes());
            // Without a path or an authority Envoy has no request.
            if value.is_some() || !name.starts_with(':') {
                let _ = hostcalls::set_map_value_bytes(map, name, value);
            }
        }
    }

    fn body(&self, phases: &[Phase], buffer: BufferType, start: usize, length: usize) -> Vec<u8> {
        if length == 0 || !phases.contains(&self.phase.get()) {
            return Vec::new();
        }
        hostcalls::get_buffer(buffer, start, length).ok().flatten().unwrap_or_default()
    }
}

fn is_header_value(value: &str) -> bool {
    !value.bytes().any(|byte| byte.is_ascii_control())
}

/// The status in a response head; 0 where there is none.
pub(crate) fn read_status(headers: Headers<'_>) -> u16 {
    headers.text(":status").and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// A variable of the environment that Envoy hands to the module.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Sets filter state that the other role, the access log and Envoy's matchers can read.
pub(crate) fn set_property(name: &str, value: &str) {
    let _ = hostcalls::set_property(vec![name], Some(value.as_bytes()));
}

/// A property of the stream.
pub(crate) fn property(path: &[&str]) -> Option<Vec<u8>> {
    hostcalls::get_property(path.to_vec()).ok().flatten()
}

/// What other filters have written about the request.
#[derive(Debug)]
pub(crate) struct HostMetadata;

impl Metadata for HostMetadata {
    fn read(&self, path: &[&str]) -> Option<Vec<u8>> {
        property(&[&["metadata", "filter_metadata"], path].concat())
    }
}

/// A number among the properties of the stream.
pub(crate) fn number(path: &[&str]) -> Option<i64> {
    property(path).and_then(|value| value.try_into().ok()).map(i64::from_le_bytes)
}

/// What the operator wrote for this role.
pub(crate) fn plugin_configuration(length: usize) -> Vec<u8> {
    hostcalls::get_buffer(BufferType::PluginConfiguration, 0, length).ok().flatten().unwrap_or_default()
}

/// Asks for a tick of the root context this often; zero asks for none any more. Valid in any callback.
pub(crate) fn set_tick(root: u32, current: u32, period: Duration) {
    as_context(root, current, || {
        let _ = hostcalls::set_tick_period(period);
    });
}

/// Does something in the name of another context and comes back; `None` where the other is gone.
pub(crate) fn as_context<T>(other: u32, current: u32, act: impl FnOnce() -> T) -> Option<T> {
    hostcalls::set_effective_context(other).ok()?;
    let result = act();
    let _ = hostcalls::set_effective_context(current);
    Some(result)
}

/// Asks a cluster; the number of the call, where it could be made.
pub(crate) fn call(cluster: &str, headers: Vec<(&str, &str)>, body: &[u8], timeout: Duration) -> Option<u32> {
    // Envoy takes 0 ms for no time-out.
    let timeout = timeout.max(Duration::from_millis(1));
    hostcalls::dispatch_http_call(cluster, headers, Some(body), Vec::new(), timeout).ok()
}

/// The head of the answer to a call.
pub(crate) fn call_headers() -> HeaderMap {
    import::header_map(MapType::HttpCallResponseHeaders)
}

/// The body of the answer to a call.
pub(crate) fn call_body(length: usize) -> Vec<u8> {
    if length == 0 {
        return Vec::new();
    }
    hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, length).ok().flatten().unwrap_or_default()
}

/// The host's clock, as time since the epoch. Whoever sets it moves the deadlines of what is under way: the ABI has no other.
pub(crate) fn now() -> Duration {
    let now = hostcalls::get_current_time().ok().and_then(|now| now.duration_since(UNIX_EPOCH).ok());
    // A clock that fails reads as the end of time: no expired key becomes valid again.
    now.unwrap_or(Duration::MAX)
}

/// The host's clock.
#[derive(Debug)]
pub(crate) struct HostClock;

impl Clock for HostClock {
    fn now(&self) -> Duration {
        now()
    }
}

/// Shared data, the same for all workers of the process.
#[derive(Debug)]
pub(crate) struct HostStore;

impl Store for HostStore {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        let (value, version) = hostcalls::get_shared_data(key).ok()?;
        let version = version.and_then(NonZeroU32::new)?;
        Some((value.unwrap_or_default(), Version(version)))
    }

    fn put(&self, key: &str, value: &[u8], version: Version) -> Result<(), Conflict> {
        let written = hostcalls::set_shared_data(key, Some(value), Some(version.0.get())).map_err(|_| Conflict);
        #[cfg(feature = "trap")]
        if written.is_ok() {
            crate::trap::spring();
        }
        written
    }
}

thread_local! {
    /// The metrics that this worker has asked for, because the host hands out a new handle each time and keeps it for ever;
    /// `None` where it has none to give.
    static METRICS: RefCell<HashMap<String, Option<u32>>> = RefCell::default();
}

/// Envoy's metrics.
#[derive(Debug)]
pub(crate) struct HostMeter;

impl HostMeter {
    fn handle(kind: MetricType, name: &str) -> Option<u32> {
        METRICS.with_borrow_mut(|metrics| {
            if let Some(handle) = metrics.get(name) {
                return *handle;
            }
            let handle = hostcalls::define_metric(kind, name).ok();
            metrics.insert(name.into(), handle);
            handle
        })
    }
}

impl Meter for HostMeter {
    fn add(&self, name: &str, more: u64) {
        if let Some(handle) = Self::handle(MetricType::Counter, name) {
            let _ = hostcalls::increment_metric(handle, i64::try_from(more).unwrap_or(i64::MAX));
        }
    }

    fn observe(&self, name: &str, values: &[u64]) {
        if let Some(handle) = Self::handle(MetricType::Histogram, name) {
            for value in values {
                let _ = hostcalls::record_metric(handle, *value);
            }
        }
    }
}

/// Counts something.
pub(crate) fn count(name: &'static str) {
    HostMeter.add(name, 1);
}
