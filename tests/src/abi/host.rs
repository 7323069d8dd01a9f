//! The host's memory and the meaning of every hostcall, without a pointer in sight.
//!
//! The rules are those of stock Envoy 1.40.0, each seen by running a probe in it: which buffer and which headers a filter can
//! reach at which moment, and the status it gets where it cannot. They matter because the Rust SDK panics on most statuses
//! other than `Ok` and `NotFound`, and a panic in Envoy ends every stream of the worker. Where Envoy still answers from
//! memory that it has given away (request headers after a paused filter let them go), this host refuses.

use super::half::Half;
use super::process::{MetricKind, Process};
use super::stream::Role;

use super::{Callout, Headers, Log, Status};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

thread_local! {
    /// One VM a thread, as the SDK's dispatcher is one a thread.
    pub(super) static HOST: RefCell<Option<Host>> = const { RefCell::new(None) };
}

thread_local! {
    /// Grows for the life of the thread: the SDK's tables outlive a VM, so an id may not come back in the next one.
    static LAST_ID: Cell<u32> = const { Cell::new(0) };
}

/// The next id of a context or a callout.
pub(super) fn next_id() -> u32 {
    LAST_ID.with(|last| {
        last.set(last.get() + 1);
        last.get()
    })
}

/// Everything behind the hostcalls of one VM.
pub(super) struct Host {
    pub(super) process: Process,
    pub(super) now: Duration,
    pub(super) log: Vec<Log>,
    /// How often the filter has called.
    pub(super) calls: usize,
    pub(super) clusters: BTreeSet<String>,
    pub(super) callouts: Vec<Callout>,
    pub(super) roots: BTreeMap<u32, RootState>,
    pub(super) streams: BTreeMap<u32, StreamState>,
    /// What the callback asked for that Envoy does only when it has returned.
    pub(super) deferred: Vec<Deferred>,
    current: u32,
    effective: Option<u32>,
    metrics: Vec<(MetricKind, String)>,
}

/// A plugin configuration that has been loaded.
#[derive(Default)]
pub(super) struct RootState {
    pub(super) configuration: Vec<u8>,
    pub(super) tick_period: Option<Duration>,
    /// The answer to a callout, while its callback runs. `None` within: the call was reset.
    pub(super) answer: Option<(Headers, Vec<u8>)>,
}

/// One stream through one filter.
pub(super) struct StreamState {
    pub(super) root: u32,
    pub(super) role: Role,
    pub(super) request: Half,
    pub(super) response: Half,
    pub(super) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Shared by the filters of one client request.
    pub(super) filter_state: Rc<RefCell<FilterState>>,
    pub(super) reset: bool,
    /// The access log phase: headers can be read, not changed.
    pub(super) logging: bool,
}

/// Filter state, and what of it the router has seen.
#[derive(Default)]
pub(super) struct FilterState {
    pub(super) values: BTreeMap<Vec<u8>, Vec<u8>>,
    /// As of the last time the route was chosen anew.
    pub(super) routed: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Done when the callback has returned.
pub(super) enum Deferred {
    Continue(u32, Direction),
    Reset(u32),
    Reply(u32, Headers, Vec<u8>),
}

/// Half of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Request,
    Response,
}

impl Host {
    pub(super) fn new(process: Process) -> Self {
        Self {
            process,
            // 15 January 2026; no test should depend on it.
            now: Duration::from_hours(491_232),
            log: Vec::new(),
            calls: 0,
            clusters: BTreeSet::new(),
            callouts: Vec::new(),
            roots: BTreeMap::new(),
            streams: BTreeMap::new(),
            deferred: Vec::new(),
            current: 0,
            effective: None,
            metrics: Vec::new(),
        }
    }

    /// A callback into this context begins.
    pub(super) fn enter(&mut self, context: u32) {
        self.current = context;
        self.effective = None;
    }

    fn context(&self) -> u32 {
        self.effective.unwrap_or(self.current)
    }

    fn root_id(&self) -> u32 {
        let context = self.context();
        self.streams.get(&context).map_or(context, |stream| stream.root)
    }

    fn root(&mut self) -> Result<&mut RootState, Status> {
        let id = self.root_id();
        self.roots.get_mut(&id).ok_or(Status::BadArgument)
    }

    fn stream(&mut self) -> Result<&mut StreamState, Status> {
        let context = self.context();
        self.streams.get_mut(&context).ok_or(Status::BadArgument)
    }

    pub(super) fn write_log(&mut self, level: u32, message: &[u8]) {
        self.log.push(Log { level, message: String::from_utf8_lossy(message).into_owned() });
    }

    // Buffers.

    /// `BufferType` of the ABI. A missing buffer reads as an empty one.
    pub(super) fn buffer(&mut self, kind: u32, start: usize, max: usize) -> Result<Vec<u8>, Status> {
        let whole: &[u8] = match kind {
            0 => self.stream()?.request.buffer.as_deref().unwrap_or_default(),
            1 => self.stream()?.response.buffer.as_deref().unwrap_or_default(),
            4 => self.root()?.answer.as_ref().map(|(_, body)| body.as_slice()).ok_or(Status::NotFound)?,
            6 => b"",
            7 => self.root()?.configuration.as_slice(),
            _ => return Err(Status::NotFound),
        };
        let end = start.checked_add(max).ok_or(Status::BadArgument)?;
        Ok(whole.get(start..end.min(whole.len())).unwrap_or_default().to_vec())
    }

    /// Envoy can put bytes before (`size` zero), in the place of a prefix, or behind; never into the middle.
    pub(super) fn set_buffer(&mut self, kind: u32, start: usize, size: usize, value: &[u8]) -> Result<(), Status> {
        let buffer = match kind {
            0 => &mut self.stream()?.request.buffer,
            1 => &mut self.stream()?.response.buffer,
            _ => return Err(Status::BadArgument),
        };
        let buffer = buffer.as_mut().ok_or(Status::BadArgument)?;
        if start == 0 {
            buffer.splice(..size.min(buffer.len()), value.iter().copied());
        } else if start >= buffer.len() {
            buffer.extend(value);
        } else {
            return Err(Status::BadArgument);
        }
        Ok(())
    }

    // Headers.

    /// `MapType` of the ABI, to read.
    pub(super) fn headers(&mut self, kind: u32) -> Result<&Headers, Status> {
        if kind == 6 {
            return self.root()?.answer.as_ref().map(|(headers, _)| headers).ok_or(Status::BadArgument);
        }
        let stream = self.stream()?;
        let logging = stream.logging;
        let half = match kind {
            0 => &stream.request,
            2 => &stream.response,
            _ => return Err(Status::BadArgument),
        };
        // In the log phase a head that never came reads as an empty one.
        if half.is_held() || logging { Ok(&half.headers) } else { Err(Status::BadArgument) }
    }

    /// The same, to change. A changed request header has the route chosen anew.
    pub(super) fn headers_mut(&mut self, kind: u32) -> Result<&mut Headers, Status> {
        let stream = self.stream()?;
        let half = match kind {
            0 => &mut stream.request,
            2 => &mut stream.response,
            _ => return Err(Status::BadArgument),
        };
        if !half.is_held() || stream.logging {
            return Err(Status::BadArgument);
        }
        if kind == 0 {
            stream.filter_state.borrow_mut().route();
        }
        Ok(&mut half.headers)
    }

    // Properties.

    /// A path's parts stand between zero bytes.
    pub(super) fn property(&mut self, path: &[u8]) -> Result<Vec<u8>, Status> {
        let stream = self.stream().map_err(|_| Status::NotFound)?;
        if path == b"request\0total_size" {
            let head = stream.request.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
            return Ok(u64::try_from(head + stream.request.received).unwrap_or(u64::MAX).to_le_bytes().to_vec());
        }
        let key = path.strip_prefix(b"filter_state\0wasm.").unwrap_or(path);
        let state = stream.filter_state.borrow();
        stream.properties.get(path).or_else(|| state.values.get(key)).cloned().ok_or(Status::NotFound)
    }

    pub(super) fn set_property(&mut self, path: &[u8], value: &[u8]) -> Result<(), Status> {
        let stream = self.stream().map_err(|_| Status::NotFound)?;
        stream.filter_state.borrow_mut().values.insert(path.to_vec(), value.to_vec());
        Ok(())
    }

    // Control.

    pub(super) fn set_effective_context(&mut self, context: u32) -> Result<(), Status> {
        if !self.streams.contains_key(&context) && !self.roots.contains_key(&context) {
            return Err(Status::BadArgument);
        }
        self.effective = Some(context);
        Ok(())
    }

    pub(super) fn set_tick_period(&mut self, milliseconds: u32) -> Result<(), Status> {
        self.root()?.tick_period = (milliseconds > 0).then(|| Duration::from_millis(milliseconds.into()));
        Ok(())
    }

    /// `StreamType` of the ABI.
    pub(super) fn continue_stream(&mut self, kind: u32) -> Result<(), Status> {
        let direction = direction(kind)?;
        self.stream()?;
        self.deferred.push(Deferred::Continue(self.context(), direction));
        Ok(())
    }

    pub(super) fn close_stream(&mut self, kind: u32) -> Result<(), Status> {
        direction(kind)?;
        self.stream()?;
        self.deferred.push(Deferred::Reset(self.context()));
        Ok(())
    }

    pub(super) fn reply(&mut self, status: u32, extra: &Headers, body: &[u8]) -> Result<(), Status> {
        self.stream()?;
        let mut headers = Headers::from([(":status", status.to_string())]);
        if !body.is_empty() {
            headers.add("content-length", body.len().to_string().as_bytes());
            headers.add("content-type", b"text/plain");
        }
        for (name, value) in extra.iter() {
            // Envoy appends, but for what it has set itself.
            if headers.get(name).is_some() { headers.set(name, value) } else { headers.add(name, value) }
        }
        self.deferred.push(Deferred::Reply(self.context(), headers, body.to_vec()));
        Ok(())
    }

    /// A clean route cache is what lets the router see properties that were set before.
    pub(super) fn foreign_function(&mut self, name: &[u8]) -> Result<Vec<u8>, Status> {
        if name != b"clear_route_cache" {
            return Err(Status::NotFound);
        }
        self.stream()?.filter_state.borrow_mut().route();
        Ok(Vec::new())
    }

    pub(super) fn http_call(
        &mut self,
        cluster: &[u8],
        headers: Headers,
        body: &[u8],
        timeout: Duration,
    ) -> Result<u32, Status> {
        let cluster = String::from_utf8_lossy(cluster).into_owned();
        let complete = [":method", ":path", ":authority"].iter().all(|name| headers.get(name).is_some());
        if !complete || !self.clusters.contains(&cluster) {
            return Err(Status::BadArgument);
        }
        let token = next_id();
        let root = self.root_id();
        self.callouts.push(Callout { token, root, cluster, headers, body: body.to_vec(), timeout });
        Ok(token)
    }

    // Metrics: an id is this VM's, the value the process's.

    pub(super) fn define_metric(&mut self, kind: u32, name: &[u8]) -> Result<u32, Status> {
        let kind = MetricKind::from_abi(kind).ok_or(Status::BadArgument)?;
        self.metrics.push((kind, String::from_utf8_lossy(name).into_owned()));
        u32::try_from(self.metrics.len()).map_err(|_| Status::InternalFailure)
    }

    pub(super) fn metric_handles(&self) -> usize {
        self.metrics.len()
    }

    pub(super) fn metric(&self, id: u32) -> Result<(MetricKind, &str), Status> {
        let index = usize::try_from(id).ok().and_then(|id| id.checked_sub(1)).ok_or(Status::NotFound)?;
        self.metrics.get(index).map(|(kind, name)| (*kind, name.as_str())).ok_or(Status::NotFound)
    }
}

impl FilterState {
    fn route(&mut self) {
        self.routed.clone_from(&self.values);
    }
}

fn direction(kind: u32) -> Result<Direction, Status> {
    match kind {
        0 => Ok(Direction::Request),
        1 => Ok(Direction::Response),
        _ => Err(Status::BadArgument),
    }
}
