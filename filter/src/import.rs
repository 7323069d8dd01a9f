//! The one hostcall that is not made through the SDK: a header map, as the host writes it.
//!
//! The SDK takes the map apart into two vectors a header, and panics on a status or a name that it does not expect. Here the
//! host's bytes are handed on, and [`HeaderMap`] reads them where they lie. The module's only file with `unsafe`.
#![expect(unsafe_code, reason = "the host writes into the module's memory by pointer; this file makes a box of it")]

use std::ptr;

use dragoman_core::headers::HeaderMap;
use proxy_wasm::types::{MapType, Status};

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
}

/// A header map of the stream that is being served; one without headers where the host has none to give.
pub(crate) fn header_map(map: MapType) -> HeaderMap {
    let (mut data, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the function is as the ABI has it, and both places can be written.
    let status = unsafe { proxy_get_header_map_pairs(map as u32, &raw mut data, &raw mut size) };
    if status != Status::Ok as u32 || data.is_null() {
        return HeaderMap::default();
    }
    // SAFETY: the host has asked this module's `proxy_on_memory_allocate` for `size` bytes, which that function leaks
    // from a box of that size, has written all of them and has forgotten them.
    HeaderMap::new(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(data, size)) })
}
