//! Whole exchanges through the pure core: a client, the two roles, a provider.

mod exchange;
mod recordings;
mod stage;
