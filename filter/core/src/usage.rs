//! Tokens of one answer, as providers count them.

/// Tokens. What a provider does not say is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the request, cached ones included.
    pub input: u64,
    /// Those of them that came from the provider's cache.
    pub cached_input: u64,
    /// Those of them that were written to the provider's cache.
    pub cache_write: u64,
    /// Those of them that are sound.
    pub audio_input: u64,
    /// Tokens of the answer, reasoning included.
    pub output: u64,
    /// Those of them that were spent on reasoning.
    pub reasoning: u64,
    /// Those of them that are sound.
    pub audio_output: u64,
}
