//! Whole exchanges through the pure core: a client, the two roles, a provider.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, and says what it skipped"
)]

mod anthropic;
mod exchange;
mod gemini;
mod ollama;
mod recordings;
mod stage;
