//! Workers between each other's steps: all that was let in is counted, and nothing else.

use core::cell::RefCell;

use proptest::prelude::*;

use super::*;

/// What a worker may do.
#[derive(Debug, Clone)]
enum Act {
    /// Which of the claims, and how much.
    Admit(u8, u64),
    /// Which of the grants, and how much of what was reserved.
    Settle(usize, u64),
    Drop(usize),
    Move(usize, u8, u64),
    Renew(usize),
}

/// Which of the claims, and how much.
type Amounted = Vec<(usize, u64)>;

/// Workers, and what they must come to.
struct World {
    office: Office,
    claims: Vec<Claim>,
    grants: RefCell<Vec<(Grant, Amounted)>>,
    settled: RefCell<Amounted>,
}

impl World {
    fn new() -> Rc<Self> {
        let key = Subject::Key(Some("k"));
        let claims = [
            claim("a", Measure::Tokens, HOUR, 40, key),
            claim("b", Measure::Tokens, Window::Calendar(Unit::Day), 50, key),
            claim("c", Measure::Concurrency, Window::Concurrent, 3, key),
            claim("d", Measure::Tokens, Window::Rolling(Grain::Second), 30, Subject::Team("t", None)),
            claim("e", Measure::Requests, Window::Pace(60_000), 6, Subject::Global),
            shadow(&claim("f", Measure::Tokens, HOUR, 10, Subject::Global)),
        ];
        let office = Office::new();
        Rc::new(Self { office, claims: claims.into(), grants: RefCell::default(), settled: RefCell::default() })
    }

    fn chosen(&self, mask: u8) -> Vec<usize> {
        (0..self.claims.len()).filter(|number| mask >> number & 1 == 1).collect()
    }

    fn of(&self, chosen: &[usize]) -> Vec<Claim> {
        chosen.iter().map(|number| self.claims[*number].clone()).collect()
    }

    fn counts(&self, number: usize, amount: u64) -> u64 {
        if matches!(self.claims[number].rule.of, Measure::Tokens) { amount } else { 1 }
    }

    fn take(&self, number: usize) -> Option<(Grant, Amounted)> {
        let mut grants = self.grants.borrow_mut();
        let place = number.checked_rem(grants.len())?;
        Some(grants.swap_remove(place))
    }

    fn act(&self, act: &Act) {
        match *act {
            Act::Admit(mask, amount) => {
                let chosen = self.chosen(mask);
                if let Ok(grant) = self.office.admit(&self.of(&chosen), tokens(amount), NOW) {
                    let held = chosen.iter().map(|number| (*number, self.counts(*number, amount))).collect();
                    self.grants.borrow_mut().push((grant, held));
                }
            }
            Act::Settle(number, part) => {
                let Some((grant, held)) = self.take(number) else { return };
                let tokens_held = held.iter().filter(|(number, _)| self.counts(*number, 0) == 0);
                let actual = tokens_held.map(|(_, amount)| *amount).min().unwrap_or_default() * part / 4;
                grant.settle(&tokens(actual), NOW);
                let kept = held.iter().filter(|(number, _)| self.claims[*number].rule.of != Measure::Concurrency);
                self.settled.borrow_mut().extend(kept.map(|(number, _)| (*number, self.counts(*number, actual))));
            }
            Act::Drop(number) => drop(self.take(number)),
            Act::Move(number, mask, amount) => {
                let Some((mut grant, mut held)) = self.take(number) else { return };
                let chosen = self.chosen(mask);
                if grant.move_to(&self.of(&chosen), &tokens(amount), NOW).is_ok() {
                    // Whatever the target before could cost.
                    held = chosen.iter().map(|number| (*number, self.counts(*number, amount))).collect();
                }
                self.grants.borrow_mut().push((grant, held));
            }
            Act::Renew(number) => {
                let Some((mut grant, held)) = self.take(number) else { return };
                grant.renew(NOW);
                self.grants.borrow_mut().push((grant, held));
            }
        }
    }

    fn check(&self) {
        for (number, claim) in self.claims.iter().enumerate() {
            let grants = self.grants.borrow();
            let held = grants.iter().flat_map(|(_, held)| held);
            let settled = self.settled.borrow();
            let expected: u64 =
                held.chain(&*settled).filter(|(other, _)| *other == number).map(|(_, amount)| amount).sum();
            assert_eq!(self.office.used(claim, NOW), expected, "{}", claim.rule.name);
            assert!(claim.rule.is_shadow || expected <= claim.rule.bound.max, "{}", claim.rule.name);
        }
    }
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (any::<u8>(), 0..16_u64).prop_map(|(mask, amount)| Act::Admit(mask, amount)),
        2 => (0..8_usize, 0..=4_u64).prop_map(|(number, part)| Act::Settle(number, part)),
        1 => (0..8_usize).prop_map(Act::Drop),
        2 => (0..8_usize, any::<u8>(), 0..16_u64).prop_map(|(number, mask, amount)| Act::Move(number, mask, amount)),
        1 => (0..8_usize).prop_map(Act::Renew),
    ]
}

proptest! {
    #[test]
    fn whatever_workers_do_between_each_others_steps_nothing_is_lost_and_nothing_is_admitted_beyond_a_limit(
        steps in proptest::collection::vec((act(), proptest::option::of(act()), 0..3_u32), 1..40),
    ) {
        let world = World::new();
        for (act, other, conflicts) in steps {
            if let Some(other) = other {
                let world_of_other = Rc::clone(&world);
                world.office.store.before_next_put(move || world_of_other.act(&other));
            }
            world.office.store.inject_conflicts(conflicts);
            world.act(&act);
            // One that nobody got round to do.
            world.office.store.inject_conflicts(0);
            world.office.store.before_next_put(|| ());
            world.check();
        }
        world.grants.borrow_mut().clear();
        world.check();
    }
}

#[test]
fn a_place_that_filled_up_meanwhile_gives_back_what_was_reserved_before_it() {
    let world = World::new();
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
