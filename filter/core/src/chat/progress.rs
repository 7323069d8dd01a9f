//! How far a streamed answer has come: it is complete when every choice that has begun has ended.

use super::MAX_CHOICES;

/// What of an answer has begun and ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    begun: u128,
    ended: u128,
}

impl Progress {
    /// Something of a choice came.
    pub fn note(&mut self, choice: u32) {
        self.begun |= bit(choice);
    }

    /// A choice ended.
    pub fn end(&mut self, choice: u32) {
        self.note(choice);
        self.ended |= bit(choice);
    }

    /// Whether all that began has ended, and anything has.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.ended != 0 && self.ended == self.begun
    }
}

fn bit(choice: u32) -> u128 {
    let last = MAX_CHOICES.saturating_sub(1);
    1 << usize::try_from(choice).map_or(last, |choice| choice.min(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_choice_of_two_is_not_the_answer() {
        let mut progress = Progress::default();
        assert!(!progress.is_complete());
        progress.note(0);
        progress.note(1);
        progress.end(0);
        assert!(!progress.is_complete());
        progress.end(1);
        assert!(progress.is_complete());
        progress.note(u32::MAX);
        assert!(!progress.is_complete());
    }
}
