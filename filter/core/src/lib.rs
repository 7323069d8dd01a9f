//! The gateway's logic, pure: events in, effects out. It never reads a clock, an environment variable or a socket.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod config;
pub mod plan;
