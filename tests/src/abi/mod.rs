//! A fake proxy-wasm host: drives the real filter, SDK included, in native code and in microseconds.
//!
//! Why not a wasm engine: natively the tests get a debugger, line coverage and the compiler's own panics, and need no built
//! module. Why not a mock that scripts the list of hostcalls: such a test fails when the filter asks in another order and
//! passes when it asks for what Envoy would refuse. Here the host behaves, and a test asserts what comes out: what would reach
//! the upstream, what the client gets.
//!
//! A thread is a VM, because the SDK's dispatcher is thread-local. Roots of one [`Vm`] share its memory, as the ingress and
//! attempt roles do in Envoy. A panic in the filter aborts the test binary, since the SDK's callbacks are `extern "C"`; its
//! message is printed first. Does not model: trailers, gRPC, queues, buffer limits, time that passes by itself.
#![expect(clippy::unused_self, reason = "a VM is a token: what it stands for is the thread's")]

mod gateway;
mod half;
mod headers;
mod host;
mod message;
mod process;
mod stream;
mod symbols;

pub use gateway::{Exchange, Gateway};
pub use headers::Headers;
pub use message::{Message, Outcome};
pub use process::Process;
pub use stream::Stream;

use host::{HOST, Host, RootState, next_id};
use std::cell::RefCell;
use std::io::{self, Write};
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use stream::{Role, call, perform_deferred, with_host};

/// `WasmResult` of the ABI, as far as this host answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Status {
    NotFound = 1,
    BadArgument = 2,
    CasMismatch = 8,
    InternalFailure = 10,
}

/// A line that the filter has logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// 0 trace, 1 debug, 2 info, 3 warning, 4 error, 5 critical (a panic).
    pub level: u32,
    /// Its text.
    pub message: String,
}

impl Log {
    const CRITICAL: u32 = 5;
}

/// An HTTP call that the filter waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callout {
    /// To answer it by.
    pub token: u32,
    root: u32,
    /// Where it goes.
    pub cluster: String,
    /// Its head.
    pub headers: Headers,
    /// Its body.
    pub body: Vec<u8>,
    /// How long it may take.
    pub timeout: Duration,
}

/// The SDK checks and sets a global without a lock.
static START: Mutex<()> = Mutex::new(());

/// One worker's VM. It lives on the thread that made it.
pub struct Vm {
    thread: PhantomData<*const ()>,
}

impl Vm {
    /// A VM in a process of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::in_process(&Process::default())
    }

    /// One of several workers of a process; each on its own thread.
    ///
    /// # Panics
    /// When this thread has a VM already.
    #[must_use]
    #[track_caller]
    pub fn in_process(process: &Process) -> Self {
        HOST.with_borrow_mut(|host| {
            assert!(host.is_none(), "one VM a thread");
            *host = Some(Host::new(process.clone()));
        });
        let _start = START.lock().unwrap_or_else(PoisonError::into_inner);
        symbols::_initialize();
        Self { thread: PhantomData }
    }

    /// Loads a plugin configuration.
    ///
    /// # Panics
    /// When the filter refuses it.
    #[must_use]
    #[track_caller]
    pub fn root(&self, configuration: &str) -> Root<'_> {
        let root = self.try_root(configuration);
        root.unwrap_or_else(|| panic!("the configuration was refused: {:#?}", self.log()))
    }

    /// Loads a plugin configuration; `None` when the filter refuses it.
    #[must_use]
    pub fn try_root(&self, configuration: &str) -> Option<Root<'_>> {
        let id = next_id();
        let state = RootState { configuration: configuration.as_bytes().to_vec(), ..RootState::default() };
        with_host(|host| host.roots.insert(id, state));
        call(id, || symbols::proxy_on_context_create(id, 0));
        let accepted = call(id, || symbols::proxy_on_vm_start(id, 0))
            && call(id, || symbols::proxy_on_configure(id, configuration.len()));
        if !accepted {
            delete_root(id);
        }
        accepted.then_some(Root { id, vm: PhantomData })
    }

    /// The time, since the epoch.
    #[must_use]
    pub fn now(&self) -> Duration {
        with_host(|host| host.now)
    }

    /// Time passes only here.
    pub fn advance(&self, by: Duration) {
        with_host(|host| host.now += by);
    }

    /// The clock is set back.
    pub fn set_back(&self, by: Duration) {
        with_host(|host| host.now -= by);
    }

    /// How often the filter has called the host so far. For what a request costs: which calls they are is nobody's business.
    #[must_use]
    pub fn hostcalls(&self) -> usize {
        with_host(|host| host.calls)
    }

    /// How many handles of metrics the filter has been given: the host keeps each for ever.
    #[must_use]
    pub fn metric_handles(&self) -> usize {
        with_host(|host| host.metric_handles())
    }

    /// What the filter has logged.
    #[must_use]
    pub fn log(&self) -> Vec<Log> {
        with_host(|host| host.log.clone())
    }

    /// A cluster that HTTP calls can name.
    pub fn add_cluster(&self, name: &str) {
        with_host(|host| host.clusters.insert(name.to_owned()));
    }

    /// The HTTP calls that wait for an answer.
    #[must_use]
    pub fn callouts(&self) -> Vec<Callout> {
        with_host(|host| host.callouts.clone())
    }

    /// Answers an HTTP call.
    pub fn answer(&self, callout: &Callout, headers: impl Into<Headers>, body: &[u8]) {
        end_call(callout, Some((headers.into(), body.to_vec())));
    }

    /// Resets an HTTP call after its head: no headers, no body.
    pub fn reset_call(&self, callout: &Callout) {
        end_call(callout, None);
    }
}

impl Default for Vm {
    fn default() -> Self {
        Self::new()
    }
}

/// Streams first, then roots: the SDK's tables are the thread's, and the next VM finds them empty.
impl Drop for Vm {
    fn drop(&mut self) {
        // A callback that panicked in turn would abort, and hide the assertion that failed.
        if !std::thread::panicking() {
            let (streams, roots) = with_host(|host| {
                (host.streams.keys().copied().collect::<Vec<_>>(), host.roots.keys().copied().collect::<Vec<_>>())
            });
            streams.into_iter().for_each(stream::finish);
            roots.into_iter().for_each(delete_root);
        }
        HOST.with_borrow_mut(|host| *host = None);
    }
}

/// A loaded plugin configuration.
#[derive(Clone, Copy)]
pub struct Root<'vm> {
    id: u32,
    vm: PhantomData<&'vm Vm>,
}

impl<'vm> Root<'vm> {
    /// A client's stream through this filter.
    #[must_use]
    pub fn stream(self) -> Stream<'vm> {
        Stream::open(self, Role::Downstream, Rc::new(RefCell::default()))
    }

    /// How often the filter wants to be woken; `None`: never.
    #[must_use]
    pub fn tick_period(self) -> Option<Duration> {
        with_host(|host| host.roots.get(&self.id).and_then(|root| root.tick_period))
    }

    /// Wakes the filter.
    pub fn tick(self) {
        call(self.id, || symbols::proxy_on_tick(self.id));
        perform_deferred();
    }

    /// Unloads the configuration.
    pub fn delete(self) {
        delete_root(self.id);
    }
}

fn end_call(callout: &Callout, answer: Option<(Headers, Vec<u8>)>) {
    let (headers, body) = answer.as_ref().map_or((0, 0), |(headers, body)| (headers.len(), body.len()));
    with_host(|host| {
        host.callouts.retain(|open| open.token != callout.token);
        if let Some(root) = host.roots.get_mut(&callout.root) {
            root.answer = answer;
        }
    });
    call(callout.root, || symbols::proxy_on_http_call_response(callout.root, callout.token, headers, body, 0));
    with_host(|host| {
        if let Some(root) = host.roots.get_mut(&callout.root) {
            root.answer = None;
        }
    });
    perform_deferred();
}

fn delete_root(id: u32) {
    call(id, || symbols::proxy_on_done(id));
    call(id, || symbols::proxy_on_delete(id));
    with_host(|host| host.roots.remove(&id));
}

/// Where a panic's message goes: past the capture of the test's output, which an abort would throw away.
fn print_critical(message: &[u8]) {
    let mut err = io::stderr().lock();
    // With standard error gone there is nobody left to tell.
    let _ = err.write_all(message).and_then(|()| err.write_all(b"\n"));
}
