//! In which of its formats OpenAI serves which of its models, as their names say it.
//!
//! A model that is not asked in a client's format would be refused by the provider, and the client blamed for it. What has no row is
//! taken to be served in all, but in the older completions, which nothing new has. 2026-11:
//! <https://developers.openai.com/api/docs/models/all>.

/// Whether it is asked in Responses only.
pub(super) fn only_responds(model: &str) -> bool {
    let name = own(model);
    let is_of = |word: &str| name.split('-').any(|part| part == word);
    let is_openai = name.starts_with("gpt-") || name.starts_with('o');
    is_of("codex") || name.contains("-deep-research") || name.starts_with("computer-use") || is_openai && is_of("pro")
}

/// Whether it is asked in chats only.
pub(super) fn never_responds(model: &str) -> bool {
    const WORDS: &[&str] = &["-search-preview", "-search-api", "-audio", "o1-mini"];
    let name = own(model);
    WORDS.iter().any(|word| name.contains(word))
}

/// Whether it has no completions: of those that are served, `gpt-3.5-turbo-instruct`, `davinci-002` and `babbage-002` have them, and
/// any other is answered with 404, "This is a chat model".
pub(super) fn never_completes(model: &str) -> bool {
    const CHATS: &[&str] = &["gpt-3.5-turbo", "gpt-4", "gpt-5", "chatgpt-", "o1", "o3", "o4"];
    let name = own(model);
    CHATS.iter().any(|begin| name.starts_with(begin)) && !name.contains("instruct")
}

/// The name without whose it is.
fn own(model: &str) -> &str {
    model.rsplit('/').next().unwrap_or(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_says_by_its_name_where_it_is_served() {
        for model in [
            "o1-pro",
            "o3-pro-2025-06-10",
            "o4-mini-deep-research",
            "gpt-5.1-codex-max",
            "codex-mini-latest",
            "gpt-5.2-pro",
        ] {
            assert!(only_responds(model) && !never_responds(model), "{model}");
        }
        for model in ["gpt-4o-search-preview", "gpt-5-search-api", "gpt-audio-mini", "gpt-4o-audio-preview", "o1-mini"]
        {
            assert!(never_responds(model) && !only_responds(model), "{model}");
        }
        for model in ["gpt-5", "gpt-5.4-mini", "o3", "o1", "gpt-4.1", "gpt-3.5-turbo", "deepseek-pro", "prod-gpt"] {
            assert!(!never_responds(model) && !only_responds(model), "{model}");
        }
    }
}
