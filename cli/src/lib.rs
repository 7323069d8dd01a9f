//! The native tool as a library: what `dragoman` does, and what the tests share with it.
//!
//! `main.rs` only reads the command line. Everything here returns its outcome; nothing ends the process.

pub mod check;
pub mod document;
pub mod key;
pub mod mistake;
pub mod pending;
pub mod reference;
pub mod render;
pub mod schema;
pub mod simulate;
pub mod up;
pub mod variables;
