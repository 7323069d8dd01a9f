//! The members that formats share, and where each stands in the list that a scan looks for.

/// The members that a format's scan looks for: those that formats share, and its own.
macro_rules! wanted {
    ($($own:literal),* $(,)?) => {
        &[
            "model",
            "stream",
            "stream_options",
            "service_tier",
            "max_completion_tokens",
            "temperature",
            "max_tokens",
            "tools",
            "user",
            "serviceTier",
            "plugins",
            "tool_choice",
            // Where other formats, on their own paths, say how long an answer may be: of Responses, of Gemini and of Ollama.
            "max_output_tokens",
            "generationConfig",
            "generation_config",
            "options",
            "thinking",
            // Of Responses, and refused on any path where there are limits.
            "background",
            // Of Responses, too.
            "previous_response_id",
            "request_id",
            // How many answers the older completions have.
            "prompt",
            "best_of",
            "n",
            $($own),*
        ]
    };
}
pub(in crate::dialect) use wanted;

const SHARED: &[&str] = wanted![];

/// Where a name stands in such a list; the compiler finds it.
pub(in crate::dialect) const fn place(list: &[&str], name: &str) -> usize {
    let (mut rest, mut place) = (list, 0_usize);
    while let Some((first, others)) = rest.split_first() {
        if is_same(first.as_bytes(), name.as_bytes()) {
            return place;
        }
        (rest, place) = (others, place.saturating_add(1));
    }
    assert!(!rest.is_empty(), "a member that is looked for");
    place
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    match (one.split_first(), other.split_first()) {
        (Some((a, one)), Some((b, other))) => *a == *b && is_same(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

pub(crate) const MODEL: usize = place(SHARED, "model");
pub(crate) const STREAM: usize = place(SHARED, "stream");
pub(super) const STREAM_OPTIONS: usize = place(SHARED, "stream_options");
pub(super) const SERVICE_TIER: usize = place(SHARED, "service_tier");
pub(super) const MAX_COMPLETION_TOKENS: usize = place(SHARED, "max_completion_tokens");
pub(super) const TEMPERATURE: usize = place(SHARED, "temperature");
pub(super) const MAX_TOKENS: usize = place(SHARED, "max_tokens");
pub(in crate::dialect) const TOOLS: usize = place(SHARED, "tools");
pub(in crate::dialect) const USER: usize = place(SHARED, "user");
/// `service_tier` in Gemini's own requests.
pub(super) const CAMEL_SERVICE_TIER: usize = place(SHARED, "serviceTier");
pub(in crate::dialect) const PLUGINS: usize = place(SHARED, "plugins");
pub(in crate::dialect) const TOOL_CHOICE: usize = place(SHARED, "tool_choice");
pub(super) const MAX_OUTPUT_TOKENS: usize = place(SHARED, "max_output_tokens");
pub(super) const GENERATION_CONFIG: usize = place(SHARED, "generationConfig");
pub(super) const SNAKE_GENERATION_CONFIG: usize = place(SHARED, "generation_config");
pub(super) const OPTIONS: usize = place(SHARED, "options");
pub(super) const THINKING: usize = place(SHARED, "thinking");
pub(super) const BACKGROUND: usize = place(SHARED, "background");
pub(super) const PREVIOUS: usize = place(SHARED, "previous_response_id");
pub(super) const REQUEST_ID: usize = place(SHARED, "request_id");
pub(in crate::dialect) const PROMPT: usize = place(SHARED, "prompt");
pub(super) const BEST_OF: usize = place(SHARED, "best_of");
/// More than one answer.
pub(crate) const CHOICES: usize = place(SHARED, "n");
