//! The harness: a fake proxy-wasm host in native code ([`abi`]), and a real Envoy ([`envoy`]) before a scripted provider
//! ([`scene`]), or before several ([`chain`]).
//!
//! A harness fails by panicking, with the caller's line; hence what is expected below.
#![expect(clippy::panic, clippy::expect_used, clippy::arithmetic_side_effects, reason = "a harness fails by panicking")]

pub mod abi;
pub mod authority;
pub mod chain;
mod child;
pub mod clock;
pub mod envoy;
pub mod http;
pub mod plain;
pub mod scene;
mod workers;
