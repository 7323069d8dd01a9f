//! The ABI itself: the `proxy_*` functions that the SDK imports, and those that it exports.
//!
//! The only file here with `unsafe`. Each import turns pointers into slices, asks [`super::host`], and writes the answer where the
//! SDK wants it. No import may panic: it is called from foreign frames, so a panic would abort without a message. A host that
//! is not there (no VM on this thread, or one already inside a hostcall) answers `InternalFailure`.
#![expect(unsafe_code, reason = "an ABI of pointers; this file turns them into slices and back")]

use super::host::{HOST, Host};
use super::{Headers, Status};
use std::slice;
use std::time::Duration;

// Linked for its `_initialize`, and through it for the SDK's `proxy_on_*`.
use dragoman_filter as _;

unsafe extern "C" {
    pub(super) safe fn _initialize();
    pub(super) safe fn proxy_on_context_create(context: u32, root: u32);
    pub(super) safe fn proxy_on_vm_start(root: u32, configuration_size: usize) -> bool;
    pub(super) safe fn proxy_on_configure(root: u32, configuration_size: usize) -> bool;
    pub(super) safe fn proxy_on_tick(root: u32);
    pub(super) safe fn proxy_on_request_headers(context: u32, count: usize, end: bool) -> u32;
    pub(super) safe fn proxy_on_request_body(context: u32, size: usize, end: bool) -> u32;
    pub(super) safe fn proxy_on_response_headers(context: u32, count: usize, end: bool) -> u32;
    pub(super) safe fn proxy_on_response_body(context: u32, size: usize, end: bool) -> u32;
    pub(super) safe fn proxy_on_http_call_response(
        context: u32,
        token: u32,
        headers: usize,
        body_size: usize,
        trailers: usize,
    );
    pub(super) safe fn proxy_on_done(context: u32) -> bool;
    pub(super) safe fn proxy_on_log(context: u32);
    pub(super) safe fn proxy_on_delete(context: u32);
}

/// # Safety
/// `data` is null or points at `size` readable bytes for as long as the call lasts.
unsafe fn view<'a>(data: *const u8, size: usize) -> &'a [u8] {
    // SAFETY: the caller's promise; null never reaches `from_raw_parts`.
    if data.is_null() || size == 0 { &[] } else { unsafe { slice::from_raw_parts(data, size) } }
}

/// What the SDK passes.
macro_rules! bytes {
    ($data:expr, $size:expr) => {
        // SAFETY: slices and strings of the SDK's own, alive for the call.
        unsafe { view($data, $size) }
    };
}

/// Hands bytes over. The SDK frees them as a `Vec` whose capacity is its length, so they are boxed; none is null.
///
/// # Safety
/// `data` and `size` can be written.
unsafe fn give(bytes: Vec<u8>, data: *mut *mut u8, size: *mut usize) {
    let length = bytes.len();
    let pointer = if bytes.is_empty() { std::ptr::null_mut() } else { Box::into_raw(bytes.into_boxed_slice()).cast() };
    // SAFETY: the caller's promise.
    unsafe {
        *data = pointer;
        *size = length;
    }
}

fn with<T>(call: impl FnOnce(&mut Host) -> Result<T, Status>) -> Result<T, Status> {
    let host = HOST.try_with(|host| match host.try_borrow_mut() {
        Ok(mut host) => host.as_mut().map_or(Err(Status::InternalFailure), |host| {
            host.calls += 1;
            call(host)
        }),
        Err(_) => Err(Status::InternalFailure),
    });
    host.unwrap_or(Err(Status::InternalFailure))
}

fn status(result: Result<(), Status>) -> u32 {
    match result {
        Ok(()) => 0,
        Err(status) => status as u32,
    }
}

/// Writes a result's value, or answers its status.
macro_rules! answer {
    ($result:expr, $value:ident => $write:expr) => {
        match $result {
            Ok($value) => {
                // SAFETY: the SDK passes addresses of its own locals.
                unsafe { $write };
                0
            }
            Err(status) => status as u32,
        }
    };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_log(level: u32, message: *const u8, size: usize) -> u32 {
    let message = bytes!(message, size);
    let logged = with(|host| {
        host.write_log(level, message);
        Ok(())
    });
    // The SDK's panic hook logs at this level: a failed assertion of a test comes this way too.
    if level >= super::Log::CRITICAL || logged.is_err() {
        super::print_critical(message);
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_log_level(level: *mut u32) -> u32 {
    answer!(Ok::<u32, Status>(0), trace => *level = trace)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32 {
    answer!(with(|host| u64::try_from(host.now.as_nanos()).map_err(|_| Status::InternalFailure)), now => *time = now)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_tick_period_milliseconds(period: u32) -> u32 {
    status(with(|host| host.set_tick_period(period)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_buffer_bytes(
    kind: u32,
    start: usize,
    max: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> u32 {
    answer!(with(|host| host.buffer(kind, start, max)), bytes => give(bytes, data, size))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_buffer_bytes(
    kind: u32,
    start: usize,
    replaced: usize,
    data: *const u8,
    size: usize,
) -> u32 {
    let value = bytes!(data, size);
    status(with(|host| host.set_buffer(kind, start, replaced, value)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_header_map_pairs(kind: u32, data: *mut *mut u8, size: *mut usize) -> u32 {
    answer!(with(|host| host.headers(kind).map(Headers::encode)), pairs => give(pairs, data, size))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_header_map_pairs(kind: u32, data: *const u8, size: usize) -> u32 {
    let pairs = bytes!(data, size);
    status(with(|host| {
        *host.headers_mut(kind)? = Headers::decode(pairs).ok_or(Status::BadArgument)?;
        Ok(())
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_header_map_value(
    kind: u32,
    name: *const u8,
    name_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> u32 {
    let name = String::from_utf8_lossy(bytes!(name, name_size));
    let value = with(|host| host.headers(kind)?.get(&name).map(<[u8]>::to_vec).ok_or(Status::NotFound));
    answer!(value, value => give(value, data, size))
}

fn change_header(
    kind: u32,
    (name, name_size): (*const u8, usize),
    (value, value_size): (*const u8, usize),
    change: impl FnOnce(&mut Headers, &str, &[u8]),
) -> u32 {
    let (name, value) = (bytes!(name, name_size), bytes!(value, value_size));
    let name = String::from_utf8_lossy(name);
    status(with(|host| {
        change(host.headers_mut(kind)?, &name, value);
        Ok(())
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_remove_header_map_value(kind: u32, name: *const u8, name_size: usize) -> u32 {
    change_header(kind, (name, name_size), (std::ptr::null(), 0), |headers, name, _| headers.remove(name))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_replace_header_map_value(
    kind: u32,
    name: *const u8,
    name_size: usize,
    value: *const u8,
    value_size: usize,
) -> u32 {
    change_header(kind, (name, name_size), (value, value_size), Headers::set)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_add_header_map_value(
    kind: u32,
    name: *const u8,
    name_size: usize,
    value: *const u8,
    value_size: usize,
) -> u32 {
    change_header(kind, (name, name_size), (value, value_size), Headers::add)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_property(
    path: *const u8,
    path_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> u32 {
    let path = bytes!(path, path_size);
    answer!(with(|host| host.property(path)), value => give(value, data, size))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32 {
    let (path, value) = (bytes!(path, path_size), bytes!(value, value_size));
    status(with(|host| host.set_property(path, value)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_shared_data(
    key: *const u8,
    key_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
    version: *mut u32,
) -> u32 {
    let key = bytes!(key, key_size);
    answer!(with(|host| host.process.get(key)), found => {
        give(found.0, data, size);
        *version = found.1;
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_shared_data(
    key: *const u8,
    key_size: usize,
    value: *const u8,
    value_size: usize,
    version: u32,
) -> u32 {
    let (key, value) = (bytes!(key, key_size), bytes!(value, value_size));
    status(with(|host| host.process.put(key, value, version)))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_continue_stream(kind: u32) -> u32 {
    status(with(|host| host.continue_stream(kind)))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_close_stream(kind: u32) -> u32 {
    status(with(|host| host.close_stream(kind)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_send_local_response(
    code: u32,
    _details: *const u8,
    _details_size: usize,
    body: *const u8,
    body_size: usize,
    headers: *const u8,
    headers_size: usize,
    _grpc_status: i32,
) -> u32 {
    let (body, headers) = (bytes!(body, body_size), bytes!(headers, headers_size));
    status(with(|host| host.reply(code, &Headers::decode(headers).ok_or(Status::BadArgument)?, body)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_http_call(
    cluster: *const u8,
    cluster_size: usize,
    headers: *const u8,
    headers_size: usize,
    body: *const u8,
    body_size: usize,
    _trailers: *const u8,
    _trailers_size: usize,
    timeout: u32,
    token: *mut u32,
) -> u32 {
    let (cluster, headers, body) =
        (bytes!(cluster, cluster_size), bytes!(headers, headers_size), bytes!(body, body_size));
    let call = with(|host| {
        let headers = Headers::decode(headers).ok_or(Status::BadArgument)?;
        host.http_call(cluster, headers, body, Duration::from_millis(timeout.into()))
    });
    answer!(call, id => *token = id)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_effective_context(context: u32) -> u32 {
    status(with(|host| host.set_effective_context(context)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_call_foreign_function(
    name: *const u8,
    name_size: usize,
    _arguments: *const u8,
    _arguments_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> u32 {
    let name = bytes!(name, name_size);
    answer!(with(|host| host.foreign_function(name)), result => give(result, data, size))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_done() -> u32 {
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32 {
    let name = bytes!(name, name_size);
    answer!(with(|host| host.define_metric(kind, name)), defined => *id = defined)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_metric(id: u32, value: *mut u64) -> u32 {
    let read = with(|host| {
        let (kind, name) = host.metric(id)?;
        host.process.read_metric(kind, name)
    });
    answer!(read, found => *value = found)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_record_metric(id: u32, value: u64) -> u32 {
    status(with(|host| {
        let (kind, name) = host.metric(id)?;
        host.process.record_metric(kind, name, value);
        Ok(())
    }))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_increment_metric(id: u32, offset: i64) -> u32 {
    status(with(|host| {
        let (kind, name) = host.metric(id)?;
        host.process.add_metric(kind, name, offset)
    }))
}

/// gRPC and queues: this host has no gRPC cluster and no queue, and says so as Envoy would.
macro_rules! absent {
    ($($name:ident($($argument:ty),*) => $status:expr;)*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name($(_: $argument),*) -> u32 {
                $status as u32
            }
        )*
    };
}

type Data = *const u8;

absent! {
    proxy_grpc_call(Data, usize, Data, usize, Data, usize, Data, usize, Data, usize, u32, *mut u32) => Status::InternalFailure;
    proxy_grpc_stream(Data, usize, Data, usize, Data, usize, Data, usize, *mut u32) => Status::InternalFailure;
    proxy_grpc_send(u32, Data, usize, bool) => Status::NotFound;
    proxy_grpc_cancel(u32) => Status::NotFound;
    proxy_grpc_close(u32) => Status::NotFound;
    proxy_register_shared_queue(Data, usize, *mut u32) => Status::InternalFailure;
    proxy_resolve_shared_queue(Data, usize, Data, usize, *mut u32) => Status::NotFound;
    proxy_dequeue_shared_queue(u32, *mut Data, *mut usize) => Status::NotFound;
    proxy_enqueue_shared_queue(u32, Data, usize) => Status::NotFound;
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_status(code: *mut u32, data: *mut *mut u8, size: *mut usize) -> u32 {
    // What a reset HTTP call leaves behind in Envoy.
    answer!(Ok::<&[u8], Status>(b"reset"), message => {
        *code = 11;
        give(message.to_vec(), data, size);
    })
}
