//! Grants over a store in memory, with other workers' doings between what one reads and what it writes.

mod grants;
mod policies;
mod sheets;
mod workers;

use alloc::{format, rc::Rc, string::String, vec::Vec};
use core::cell::Cell;

use crate::{config::Measure, host::Entropy, store::Memory};

use super::{
    measure::{Bound, Grain, Unit, Window},
    *,
};

/// A day in 2026, in milliseconds since the epoch.
const NOW: u64 = 20_500 * 86_400_000;

const HOUR: Window = Window::Rolling(Grain::Hour);

/// Numbers in a row.
#[derive(Default)]
struct Row(Cell<u64>);

impl Entropy for Row {
    fn draw(&self) -> u64 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}

fn seed() -> Seed {
    Seed::load(&Memory::default(), &Row::default()).unwrap()
}

fn claim(name: &str, of: Measure, window: Window, max: u64, subject: Subject<'_>) -> Claim {
    let rule = Rule::new(Origin::Limit(None), name.into(), of, Bound { window, max }, Kind::Rate);
    Claim { rule: Rc::new(rule), subject: seed().address(subject), is_own: matches!(subject, Subject::Key(_)) }
}

fn shadow(claim: &Claim) -> Claim {
    Claim { rule: Rc::new(Rule { is_shadow: true, ..(*claim.rule).clone() }), ..claim.clone() }
}

fn tokens(output_tokens: u64) -> Amounts {
    Amounts { output_tokens, ..Amounts::default() }
}

/// A store, and what is said of it.
struct Office {
    store: Rc<Memory>,
    limiter: Limiter,
    row: Row,
}

impl Office {
    fn new() -> Self {
        let store = Rc::new(Memory::default());
        let limiter = Limiter::new(Rc::<Memory>::clone(&store));
        Self { store, limiter, row: Row::default() }
    }

    fn admit(&self, claims: &[Claim], amounts: Amounts, now: u64) -> Result<Grant, Refusal> {
        self.limiter.admit(claims.to_vec(), &amounts, &self.row, now)
    }

    fn used(&self, claim: &Claim, now: u64) -> u64 {
        self.limiter.standings([claim.clone()].into(), now)[0].used
    }

    /// The limit that refuses, and for how long.
    fn refuses(&self, claims: &[Claim], amounts: Amounts, now: u64) -> (String, Option<u64>) {
        match self.admit(claims, amounts, now) {
            Err(Refusal::Denied(denied)) => (denied.rule.name.clone(), denied.retry_after_millis),
            other => panic!("{other:?}"),
        }
    }
}
