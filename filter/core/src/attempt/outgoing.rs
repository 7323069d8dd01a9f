//! A request as its target must get it: what becomes of the client's body is data until it is known where it goes.
//!
//! On a stream the host's buffer has the body already, and only its changed beginning is handed over; a call needs all of it. A
//! body can be tens of megabytes, so on either way it is copied once at most, and not at all where nothing changes.

use alloc::{rc::Rc, vec::Vec};

use crate::{json::Edits, step::HeaderEdits};

/// See the module's documentation.
#[derive(Debug)]
pub struct Outgoing {
    /// Headers to set.
    pub headers: HeaderEdits,
    /// What becomes of the client's body.
    pub body: Change,
}

/// What becomes of the client's body.
#[derive(Debug)]
pub enum Change {
    /// It is changed at these places.
    Edited {
        /// Where.
        edits: Edits,
        /// The body, where the module has it.
        kept: Option<Rc<Vec<u8>>>,
    },
    /// Another one stands in its place.
    Written {
        /// How long the client's is.
        length: usize,
        /// The other one.
        text: Vec<u8>,
    },
}

/// The beginning of the client's body, and what stands there instead. The host can replace a prefix of its buffer, not a part
/// in the middle: what stands behind the last change never leaves the host.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Front {
    /// How long it is; 0 where nothing changes.
    pub length: usize,
    /// What stands there instead.
    pub text: Vec<u8>,
}

impl Change {
    /// The part that changes; `read` reads so much of the body, where it is not kept.
    #[must_use]
    pub fn front(self, read: impl FnOnce(usize) -> Vec<u8>) -> Front {
        match self {
            Self::Written { length, text } => Front { length, text },
            Self::Edited { edits, .. } if edits.is_empty() => Front::default(),
            Self::Edited { edits, kept } => {
                let length = edits.end();
                let text = match kept.map(Rc::try_unwrap) {
                    Some(Err(shared)) => edits.apply(shared.get(..length).unwrap_or_default()),
                    own => {
                        let mut text = own.and_then(Result::ok).unwrap_or_else(|| read(length));
                        text.truncate(length);
                        edits.apply_in_place(&mut text);
                        text
                    }
                };
                Front { length, text }
            }
        }
    }

    /// All of it, where the body is kept.
    #[must_use]
    pub fn whole(self) -> Option<Rc<Vec<u8>>> {
        match self {
            Self::Written { text, .. } => Some(Rc::new(text)),
            Self::Edited { edits, kept } => {
                let kept = kept?;
                Some(if edits.is_empty() { kept } else { Rc::new(edits.apply(&kept)) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn edits(places: &[(usize, &str)]) -> Edits {
        let mut edits = Edits::default();
        for (at, text) in places {
            edits.push(*at..*at, text.as_bytes().to_vec());
        }
        edits
    }

    fn kept(body: &Rc<Vec<u8>>, edits: &Edits) -> Change {
        Change::Edited { edits: edits.clone(), kept: Some(Rc::clone(body)) }
    }

    #[test]
    fn what_does_not_change_is_not_copied() {
        let body = Rc::new(b"{}".to_vec());
        let whole = kept(&body, &Edits::default()).whole().unwrap();
        assert!(Rc::ptr_eq(&whole, &body));
        let front = kept(&body, &Edits::default()).front(|_| panic!("nothing is to be read"));
        assert_eq!(front, Front::default());
    }

    #[test]
    fn a_body_that_is_wholly_written_anew_is_handed_on_as_it_is() {
        let text = b"[1]".to_vec();
        let (at, change) = (text.as_ptr(), Change::Written { length: 2, text });
        assert_eq!(change.whole().unwrap().as_ptr(), at);
    }

    #[test]
    fn a_changed_body_gets_memory_of_its_size_once() {
        let body = Rc::new(vec![b'x'; 1000]);
        let edits = edits(&[(1, "abc"), (999, "d")]);
        let whole = kept(&body, &edits).whole().unwrap();
        assert_eq!((whole.len(), whole.capacity()), (1004, 1004));
        let front = kept(&body, &edits).front(|_| panic!("it is kept"));
        assert_eq!((front.text.len(), front.text.capacity()), (1003, 1003));
    }

    proptest! {
        #[test]
        fn a_stream_and_a_call_send_the_same(
            body in prop::collection::vec(any::<u8>(), 1..64),
            places in prop::collection::vec((1_usize..64, "[a-z]{0,3}"), 0..8),
            is_shared in any::<bool>(),
            is_kept in any::<bool>(),
        ) {
            let places: Vec<_> = places.iter().map(|(at, text)| ((*at).min(body.len()), text.as_str())).collect();
            let edits = edits(&places);
            let whole = kept(&Rc::new(body.clone()), &edits).whole().unwrap();
            let own = Rc::new(body.clone());
            let other = is_shared.then(|| Rc::clone(&own));
            let change = Change::Edited { edits, kept: is_kept.then_some(own) };
            let front = change.front(|length| body[..length].to_vec());
            drop(other);
            let mut sent = body.clone();
            sent.splice(..front.length, front.text);
            prop_assert_eq!(&sent, &*whole);
        }
    }
}
