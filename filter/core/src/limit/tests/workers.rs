//! Workers between each other's steps, while time passes: all that was let in is counted for as long as it is to be, and nothing else.

use core::cell::{Cell, RefCell};

use proptest::prelude::*;

use super::*;
use crate::{limit::sheet::MOST_TALLIES, store::Reader};

const SECOND: u64 = 1_000;
const DAY: u64 = 86_400_000;

/// What a worker may do.
#[derive(Debug, Clone)]
enum Act {
    /// Whose request, and which of that caller's claims it has; and how much.
    Admit(u8, u64),
    /// Which of the grants, and how much it has used: more than was reserved, too.
    Settle(usize, u64),
    Drop(usize),
    Move(usize, u8, u64),
    Renew(usize),
}

/// What is reserved by a grant, or was used by one that is settled.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Of which claim.
    number: usize,
    amount: u64,
    at: u64,
    /// Nobody asked whether there was room for it: it was used beyond what was reserved, or was under way for longer than its lease.
    is_beyond: bool,
}

/// Workers, and what they must come to.
struct World {
    office: Office,
    /// Each caller's, one after another: as many each.
    claims: Vec<Claim>,
    callers: usize,
    now: Cell<u64>,
    grants: RefCell<Vec<(Grant, Vec<Entry>)>>,
    settled: RefCell<Vec<Entry>>,
}

impl World {
    fn new(claims: Vec<Claim>, callers: usize) -> Rc<Self> {
        let (grants, settled) = (RefCell::default(), RefCell::default());
        Rc::new(Self { office: Office::new(), claims, callers, now: Cell::new(NOW), grants, settled })
    }

    /// A caller's, and which of them.
    fn chosen(&self, caller: usize, mask: u8) -> Vec<usize> {
        let each = self.claims.len() / self.callers;
        (0..each).filter(|number| mask >> number & 1 == 1).map(|number| caller * each + number).collect()
    }

    fn of(&self, chosen: &[usize]) -> Vec<Claim> {
        chosen.iter().map(|number| self.claims[*number].clone()).collect()
    }

    fn counts(&self, number: usize, amount: u64) -> u64 {
        if matches!(self.claims[number].rule.of, Measure::Tokens) { amount } else { 1 }
    }

    fn entry(&self, number: usize, amount: u64) -> Entry {
        Entry { number, amount: self.counts(number, amount), at: self.now.get(), is_beyond: false }
    }

    fn is_lease(&self, number: usize) -> bool {
        self.claims[number].rule.of == Measure::Concurrency
    }

    fn take(&self, number: usize) -> Option<(Grant, Vec<Entry>)> {
        let mut grants = self.grants.borrow_mut();
        let place = number.checked_rem(grants.len())?;
        Some(grants.swap_remove(place))
    }

    fn act(&self, act: &Act) {
        let now = self.now.get();
        match *act {
            Act::Admit(mask, amount) => {
                let chosen = self.chosen(usize::from(mask >> 6) % self.callers, mask);
                if let Ok(grant) = self.office.admit(&self.of(&chosen), tokens(amount), now) {
                    let held = chosen.iter().map(|number| self.entry(*number, amount)).collect();
                    self.grants.borrow_mut().push((grant, held));
                }
            }
            Act::Settle(number, actual) => {
                let Some((grant, held)) = self.take(number) else { return };
                grant.settle(&tokens(actual), now);
                for number in 0..self.claims.len() {
                    self.settle(number, held.iter().filter(|entry| entry.number == number), actual);
                }
            }
            Act::Drop(number) => drop(self.take(number)),
            Act::Move(number, mask, amount) => {
                let Some((mut grant, mut held)) = self.take(number) else { return };
                // It is still the same caller's.
                let caller = held.first().map_or(0, |entry| entry.number * self.callers / self.claims.len());
                let chosen = self.chosen(caller, mask);
                if grant.move_to(&self.of(&chosen), &tokens(amount), now).is_ok() {
                    held = self.moved(&held, &chosen, amount);
                }
                self.grants.borrow_mut().push((grant, held));
            }
            Act::Renew(number) => {
                let Some((mut grant, mut held)) = self.take(number) else { return };
                grant.renew(now);
                for entry in held.iter_mut().filter(|entry| self.is_lease(entry.number)) {
                    entry.is_beyond |= !self.is_counted(entry);
                    entry.at = now;
                }
                self.grants.borrow_mut().push((grant, held));
            }
        }
    }

    /// What was reserved first is used first; what is used beyond all of it is used now.
    fn settle<'e>(&self, number: usize, held: impl Iterator<Item = &'e Entry>, actual: u64) {
        let mut held = held.peekable();
        if held.peek().is_none() || self.is_lease(number) {
            return;
        }
        let mut left = self.counts(number, actual);
        let mut settled = self.settled.borrow_mut();
        for entry in held {
            let amount = entry.amount.min(left);
            settled.push(Entry { amount, ..*entry });
            left -= amount;
        }
        settled.push(Entry { number, amount: left, at: self.now.get(), is_beyond: true });
    }

    /// What was reserved first stays; what is lacking is reserved now.
    fn moved(&self, held: &[Entry], chosen: &[usize], amount: u64) -> Vec<Entry> {
        let mut moved = Vec::new();
        for number in chosen {
            let lacking = self.entry(*number, amount);
            let (mut left, mut is_held) = (lacking.amount, false);
            for entry in held.iter().filter(|entry| entry.number == *number) {
                let amount = entry.amount.min(left);
                moved.push(Entry { amount, ..*entry });
                left -= amount;
                is_held = true;
            }
            if left > 0 || !is_held {
                moved.push(Entry { amount: left, ..lacking });
            }
        }
        moved
    }

    /// Whether it still counts.
    fn is_counted(&self, entry: &Entry) -> bool {
        let (now, at) = (self.now.get(), entry.at);
        let rolls = |part: u64, parts: u64| (at / part + parts + 1) * part > now;
        match self.claims[entry.number].rule.bound.window {
            Window::Rolling(Grain::Second) => rolls(20, 50),
            Window::Rolling(Grain::Hour) => rolls(60 * SECOND, 60),
            Window::Calendar(Unit::Day) => at / DAY == now / DAY,
            Window::Concurrent => at + LEASE_MILLIS > now,
            // How much of it has become free again depends on what was counted before it.
            Window::Pace(_) => at == now,
            other @ (Window::Rolling(_) | Window::Calendar(_)) => panic!("{other:?} is not among the claims"),
        }
    }

    /// What is used of a claim, and how much of that nobody asked for.
    fn expected(&self, number: usize) -> (u64, u64) {
        let (grants, settled) = (self.grants.borrow(), self.settled.borrow());
        let held = grants.iter().flat_map(|(_, held)| held);
        let counted = held.chain(&*settled).filter(|entry| entry.number == number && self.is_counted(entry));
        counted.fold((0, 0), |(sum, beyond), entry| {
            (sum + entry.amount, if entry.is_beyond { beyond + entry.amount } else { beyond })
        })
    }

    /// One does this, and another that in between.
    fn step(self: &Rc<Self>, (act, other, conflicts, millis): (Act, Option<Act>, u32, u64)) {
        self.now.set(self.now.get() + millis);
        if let Some(other) = other {
            let world = Rc::clone(self);
            self.office.store.before_next_put(move || world.act(&other));
        }
        self.office.store.inject_conflicts(conflicts);
        self.act(&act);
        // One that nobody got round to do.
        self.office.store.inject_conflicts(0);
        self.office.store.before_next_put(|| ());
    }

    /// Nothing is lost, and nothing is let in beyond a limit but what was used beyond what was reserved. Where subjects do not
    /// share a tally nothing is counted for another.
    fn check(&self, is_apart: bool) {
        for (number, claim) in self.claims.iter().enumerate() {
            let (name, max) = (&claim.rule.name, claim.rule.bound.max);
            let (expected, beyond) = self.expected(number);
            let used = self.office.used(claim, self.now.get());
            let is_exact = is_apart && (!matches!(claim.rule.bound.window, Window::Pace(_)) || self.now.get() == NOW);
            assert!(if is_exact { used == expected } else { used >= expected }, "{name}: {used} of {expected}");
            assert!(claim.rule.is_shadow || expected - beyond <= max, "{name}: {expected}, {beyond} of it beyond");
        }
    }
}

/// Claims of several measures and subjects.
fn various() -> Vec<Claim> {
    let key = Subject::Key(Some("k"));
    [
        claim("a", Measure::Tokens, HOUR, 40, key),
        claim("b", Measure::Tokens, Window::Calendar(Unit::Day), 50, key),
        claim("c", Measure::Concurrency, Window::Concurrent, 3, key),
        claim("d", Measure::Tokens, Window::Rolling(Grain::Second), 30, Subject::Team("t", None)),
        claim("e", Measure::Requests, Window::Pace(60_000), 6, Subject::Global),
        shadow(&claim("f", Measure::Tokens, HOUR, 10, Subject::Global)),
    ]
    .into()
}

/// Claims of subjects that all have one place.
fn neighbours(claim: &Claim) -> impl Iterator<Item = Claim> {
    let step = (1..=u16::MAX.into()).find(|step| address(*step).place() == 0).unwrap();
    (1..).map(move |number| Claim { subject: address(number * step), ..claim.clone() })
}

fn address(number: u64) -> Address {
    Address::read(&mut Reader(&number.to_le_bytes())).unwrap()
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (any::<u8>(), 0..16_u64).prop_map(|(mask, amount)| Act::Admit(mask, amount)),
        2 => (0..8_usize, 0..24_u64).prop_map(|(number, actual)| Act::Settle(number, actual)),
        1 => (0..8_usize).prop_map(Act::Drop),
        2 => (0..8_usize, any::<u8>(), 0..16_u64).prop_map(|(number, mask, amount)| Act::Move(number, mask, amount)),
        1 => (0..8_usize).prop_map(Act::Renew),
    ]
}

/// How long until the next step.
fn pause() -> impl Strategy<Value = u64> {
    let rarely = prop_oneof![30 * SECOND..LEASE_MILLIS, 50 * 60 * SECOND..70 * 60 * SECOND, DAY / 2..DAY];
    prop_oneof![12 => Just(0), 2 => 1..3 * SECOND, 1 => rarely]
}

proptest! {
    #[test]
    fn whatever_workers_do_between_each_others_steps_nothing_is_lost_and_nothing_is_admitted_beyond_a_limit(
        steps in proptest::collection::vec((act(), proptest::option::of(act()), 0..3_u32, pause()), 1..40),
    ) {
        let world = World::new(various(), 1);
        for step in steps {
            world.step(step);
            world.check(true);
        }
        world.grants.borrow_mut().clear();
        world.check(true);
    }

    #[test]
    fn subjects_that_share_a_tally_and_get_one_of_their_own_lose_nothing_either(
        steps in proptest::collection::vec(
            ((act(), proptest::option::of(act()), 0..3_u32, pause()), proptest::bool::weighted(0.2)), 1..40,
        ),
    ) {
        // They keep a place full for a second.
        let filler = claim("filler", Measure::Tokens, Window::Rolling(Grain::Second), 1, Subject::Global);
        let mut neighbours = neighbours(&filler);
        let mut fillers: Vec<_> = neighbours.by_ref().take(MOST_TALLIES).collect();
        let of = |caller: Claim| {
            let several = various().iter().take(3).cloned().collect::<Vec<_>>();
            several.into_iter().map(move |claim| Claim { subject: caller.subject, ..claim })
        };
        let world = World::new(neighbours.take(3).flat_map(of).collect(), 3);
        for (step, is_filled) in steps {
            if is_filled {
                fillers.rotate_left(1);
                for filler in &fillers {
                    let filled = world.office.admit(core::slice::from_ref(filler), tokens(1), world.now.get());
                    if let Ok(grant) = filled {
                        grant.settle(&tokens(1), world.now.get());
                    }
                }
            }
            world.step(step);
            world.check(false);
        }
        world.grants.borrow_mut().clear();
        world.check(false);
        world.now.set(world.now.get() + DAY);
        assert!(world.claims.iter().all(|claim| world.office.used(claim, world.now.get()) == 0));
    }
}

#[test]
fn a_place_that_filled_up_meanwhile_gives_back_what_was_reserved_before_it() {
    let world = World::new(various(), 1);
    let [first, second] = [0, 3].map(|number| world.claims[number].clone());
    assert_ne!(first.subject.place(), second.subject.place());
    // Before the first place is written, somebody takes all of the second.
    let (other, filled) = (Rc::clone(&world), second.clone());
    world.office.store.before_next_put(move || {
        other.office.admit(&[filled], tokens(30), NOW).unwrap().settle(&tokens(30), NOW);
    });
    assert_eq!(world.office.refuses(&[first.clone(), second.clone()], tokens(5), NOW).0, "d");
    assert_eq!((world.office.used(&first, NOW), world.office.used(&second, NOW)), (0, 30));
}
