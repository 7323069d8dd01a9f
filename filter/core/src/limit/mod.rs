//! Limits that hold across workers: how much of what was used by whom, counted in the store that they share.
//!
//! A request is let in by a [`Grant`]: it reserves what the request may cost under every limit that is for it, or under none.
//! What it did cost settles the grant, once; a grant that is dropped gives everything back.
//!
//! - [`Policy`]: which limits are for a request, from the configuration.
//! - `measure`: counters, as values.
//! - `subject`, `sheet`: where the counters stand in the store, which forgets nothing.
//! - [`Limiter`] and [`Grant`]: reserving, moving to another target, settling.
//! - [`Standing`]: what is left, for headers.
//! - [`Shared`]: the limits that are not counted here, but by a service.

mod desk;
mod grant;
mod measure;
mod policy;
mod report;
mod rule;
mod shared;
mod sheet;
mod sip;
mod subject;

pub use self::{
    grant::{Denied, Grant, Limiter, Refusal},
    measure::{Bound, Full, Grain, LEASE_MILLIS, Unit, Window},
    policy::{Asker, Policy},
    report::{Standing, headers},
    rule::{Amounts, Claim, Kind, Origin, Rule},
    shared::{LIMIT_HEADER, Shared},
    subject::{Address, Seed, Subject},
};

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that cannot count fails")]
mod tests;
