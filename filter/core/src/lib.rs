//! The gateway's logic, pure: events in, effects out. It never reads a clock, an environment variable or a socket.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod account;
pub mod admin;
pub mod attempt;
pub mod audit;
pub mod auth;
pub mod body;
mod cache;
pub mod catalogue;
pub mod change;
pub mod chat;
pub mod config;
pub mod content;
pub mod cost;
pub mod dialect;
pub mod direct;
pub mod error;
pub mod exchange;
mod fnv;
pub mod gateway;
pub mod headers;
pub mod health;
mod hex;
pub mod host;
pub mod json;
pub mod limit;
pub mod live;
mod map;
mod passage;
mod passthrough;
pub mod plan;
pub mod provider;
pub mod record;
pub mod retry;
pub mod route;
mod seal;
pub mod secret;
mod segment;
pub mod splitmix;
pub mod sse;
pub mod step;
pub mod store;
pub mod surface;
pub mod task;
mod translation;
mod uri;
pub mod usage;
