//! What a simulated provider keeps for later: the responses and files that a client may ask for again by their ids.
//!
//! JSON by id, the oldest forgotten first, so that a simulator that runs for days does not grow. Nothing else of it
//! depends on what came before.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;

const MOST: usize = 1000;

/// What one provider keeps.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<VecDeque<(String, Value)>>);

impl Memory {
    /// Keeps a value in place of any that had the same id.
    pub(super) fn keep(&self, id: &str, value: Value) {
        let mut kept = self.kept();
        kept.retain(|(other, _)| other != id);
        while kept.len() >= MOST {
            kept.pop_front();
        }
        kept.push_back((id.to_owned(), value));
    }

    /// What was kept.
    pub(super) fn recall(&self, id: &str) -> Option<Value> {
        self.kept().iter().find(|(other, _)| other == id).map(|(_, value)| value.clone())
    }

    /// All whose ids begin so, the newest first.
    pub(super) fn recall_all(&self, prefix: &str) -> Vec<Value> {
        let kept = self.kept();
        kept.iter().rev().filter(|(id, _)| id.starts_with(prefix)).map(|(_, value)| value.clone()).collect()
    }

    /// Whether there was anything to forget.
    pub(super) fn forget(&self, id: &str) -> bool {
        let mut kept = self.kept();
        let before = kept.len();
        kept.retain(|(other, _)| other != id);
        kept.len() < before
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<(String, Value)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_kept_can_be_replaced_and_forgotten() {
        let memory = Memory::default();
        memory.keep("a-1", json!(1));
        memory.keep("a-2", json!(2));
        memory.keep("a-1", json!(3));
        memory.keep("b-1", json!(4));
        assert_eq!((memory.recall("a-1"), memory.recall("c")), (Some(json!(3)), None));
        assert_eq!(memory.recall_all("a-"), [json!(3), json!(2)]);
        assert!(memory.forget("a-1") && !memory.forget("a-1"));
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let memory = Memory::default();
        for index in 0..=MOST {
            memory.keep(&index.to_string(), json!(index));
        }
        assert_eq!((memory.recall("0"), memory.recall("1")), (None, Some(json!(1))));
    }
}
