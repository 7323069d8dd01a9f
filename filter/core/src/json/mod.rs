//! JSON without a tree: a validating scan that finds a few members and remembers where they stand, and splices at those places.
//!
//! Why not serde alone: a 20 MiB body of base64 images is looked at once, as it arrives, in pieces; of what is passed on, only
//! the part up to the last change ever stands in the module's memory, which does not shrink again; and what is not spliced
//! must reach the provider byte for byte.

mod compose;
mod document;
mod number;
mod object;
mod record;
mod scan;
mod splice;
mod text;

pub(crate) use compose::{Composed, listed, push_whole};
pub(crate) use document::fill;
pub use document::{Members, Object, Read, Record, Room, Slot, Spelled, Whole, read};
pub use number::Number;
pub use object::{member, members, text_of};
pub(crate) use record::{mask, record};
pub(crate) use scan::is_base64;
pub use scan::{Failure, Fault, Found, GROUPS, MAX_DEPTH, Marks, Member, Others, Proofs, Scanner, Tools};
pub use splice::{Edit, Edits};
pub(crate) use text::push_plain;
pub use text::{Str, quoted, text};
