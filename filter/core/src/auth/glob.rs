//! Model patterns: `*` stands for any text, `?` for one character, everything else for itself.

use alloc::string::String;

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// A pattern as written in the file.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self(pattern.into())
    }

    /// Whether `text` as a whole fits. Linear in both for a single `*`; the last `*` alone is ever gone back to.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let (mut pattern, mut text) = (self.0.chars(), text.chars());
        let mut star = None;
        loop {
            let mut next = pattern.clone();
            let wanted = next.next();
            if wanted == Some('*') {
                star = Some((next.clone(), text.clone()));
                pattern = next;
                continue;
            }
            let mut after = text.clone();
            match (wanted, after.next()) {
                (None, None) => return true,
                (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
                    (pattern, text) = (next, after);
                    continue;
                }
                (Some(_), None) => return false,
                (_, Some(_)) => {}
            }
            // The last star takes one character more.
            let Some((after_star, taken)) = &mut star else { return false };
            taken.next();
            (pattern, text) = (after_star.clone(), taken.clone());
        }
    }

    /// Whether a model is meant: the pattern is held against `provider/id` and against `id`.
    #[must_use]
    pub fn matches_model(&self, provider: &str, id: &str) -> bool {
        self.matches(id) || self.matches(&[provider, "/", id].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_text() {
        for (pattern, text) in [
            ("gpt-4o", "gpt-4o"),
            ("gpt-*", "gpt-4o"),
            ("*", ""),
            ("*-mini", "gpt-4o-mini"),
            ("a*b*c", "aXbXbYc"),
            ("gpt-?o", "gpt-4o"),
            ("*é?", "caféx"),
            ("**", "x"),
        ] {
            assert!(Glob::new(pattern).matches(text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("gpt-4o", "gpt-4o-mini"), ("gpt-*", "o3"), ("?", ""), ("a*b", "a"), ("", "x"), ("a*b", "abc")]
        {
            assert!(!Glob::new(pattern).matches(text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_model_is_meant_with_and_without_its_provider() {
        assert!(Glob::new("anthropic/*").matches_model("anthropic", "claude"));
        assert!(Glob::new("claude*").matches_model("anthropic", "claude-3"));
        assert!(!Glob::new("openai/*").matches_model("anthropic", "claude"));
        assert!(Glob::new("meta/*").matches_model("together", "meta/llama"));
    }
}
