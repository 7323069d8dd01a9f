//! Who asks, and what they may use.

mod credential;
mod glob;
mod table;
pub mod token;

pub use credential::Credential;
pub use glob::Glob;
pub(crate) use table::same;
pub use table::{Caller, Key, KeyTable, Refusal};
