//! The client's body, as far as the module keeps it.
//!
//! The host holds each body and hands out copies of it. One that has been copied to be scanned is kept for the attempt, which
//! saves the second copy; but the module's memory never shrinks again, so a large one is left where it is. Tries share it.

use alloc::{rc::Rc, vec::Vec};

/// Largest body that is kept.
const MAX_KEPT: usize = 256 * 1024;

/// See the module's documentation.
#[derive(Debug)]
pub enum Kept {
    /// All of it.
    Whole(Rc<Vec<u8>>),
    /// Nothing: it is too large, or has been taken.
    Nothing,
}

impl Default for Kept {
    fn default() -> Self {
        Self::Whole(Rc::default())
    }
}

impl Kept {
    /// The next piece has come.
    pub fn push(&mut self, piece: Vec<u8>) {
        let Self::Whole(body) = self else { return };
        if body.len().saturating_add(piece.len()) > MAX_KEPT {
            *self = Self::Nothing;
        } else if body.is_empty() {
            // Most bodies come in one piece.
            *body = Rc::new(piece);
        } else {
            Rc::make_mut(body).extend_from_slice(&piece);
        }
    }

    /// The body, if it is kept.
    #[must_use]
    pub fn get(&self) -> Option<Rc<Vec<u8>>> {
        match self {
            Self::Whole(body) => Some(Rc::clone(body)),
            Self::Nothing => None,
        }
    }

    /// Whether it is kept.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// Keeps a body however large it is.
    pub fn keep(&mut self, body: Vec<u8>) {
        *self = Self::Whole(Rc::new(body));
    }

    /// Gives the body away.
    pub fn take(&mut self) -> Option<Rc<Vec<u8>>> {
        match core::mem::replace(self, Self::Nothing) {
            Self::Whole(body) => Some(body),
            Self::Nothing => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn pieces_are_kept_together_and_given_away_once() {
        let mut kept = Kept::default();
        kept.push(b"ab".to_vec());
        kept.push(b"c".to_vec());
        assert_eq!(kept.take().as_deref(), Some(&b"abc".to_vec()));
        assert_eq!(kept.take(), None);
    }

    #[test]
    fn of_a_large_body_nothing_is_kept() {
        let mut kept = Kept::default();
        kept.push(vec![0; MAX_KEPT]);
        kept.push(vec![0]);
        kept.push(vec![0]);
        assert_eq!(kept.take(), None);
    }
}
