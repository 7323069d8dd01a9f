//! Whole exchanges through the pure core: a client, the two roles, a provider.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, and reads files and bytes as it likes"
)]

mod anthropic;
mod audit;
mod byok;
mod cache;
mod crossings;
mod direct;
mod environment;
mod exchange;
mod gemini;
mod key;
mod limits;
mod messages;
mod ollama;
mod recordings;
mod records;
mod responses;
mod stage;
mod tasks;
