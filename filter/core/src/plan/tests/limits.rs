//! That a plan asks only who has let it in, whatever others do meanwhile, and that nothing stays reserved behind it.

use alloc::{collections::BTreeMap, format};

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    auth::Caller,
    config,
    gateway::Gateway,
    host::Entropy,
    limit::{Amounts, Asker, Grant, Refusal, Seed},
};

const NAMES: [&str; 3] = ["a", "b", "c"];

/// A lease of its own for each.
struct Lease(u64);

impl Entropy for Lease {
    fn draw(&self) -> u64 {
        self.0
    }
}

/// Targets with room for one request each, and who else takes it.
struct Rooms {
    gateway: Rc<Gateway>,
    observer: Rc<Observer>,
    seed: Seed,
    others: BTreeMap<&'static str, Grant>,
}

impl Rooms {
    fn new(observer: &Rc<Observer>) -> Self {
        let provider =
            |name: &str| format!(r#""{name}":{{"kind":"openai","base_url":"http://127.0.0.1:1","auth":"none"}}"#);
        let limit = |name: &str| {
            format!(
                r#"{{"name":"{name}","of":"concurrency","max":1,"scope":"global","target":{{"provider":"{name}"}}}}"#
            )
        };
        let (providers, limits) = (NAMES.map(provider).join(","), NAMES.map(limit).join(","));
        let config = config::parse(&format!(r#"{{"providers":{{{providers}}},"limits":[{limits}]}}"#)).unwrap();
        let (gateway, seed) = (Rc::new(Gateway::new(&config, |_| None)), observer.seed(&Lease(1)).unwrap());
        Self { gateway, observer: Rc::clone(observer), seed, others: BTreeMap::new() }
    }

    fn admit(&self, plan: &mut Plan) -> Result<(), Refusal> {
        let asker = (Caller::Anonymous, None);
        let allowance = Allowance::new((&self.gateway, &self.observer), self.seed, asker, Estimate::default());
        plan.admit(allowance, &Lease(1), START)
    }

    fn claims(&self, name: &str) -> Vec<crate::limit::Claim> {
        let asker = Asker { caller: &Caller::Anonymous, environment: None, router: None };
        self.gateway.limits.claims(self.seed, asker, name, "m")
    }

    /// Somebody else takes this room if it is free, or leaves it.
    fn toggle(&mut self, name: &'static str, now: Duration) {
        if self.others.remove(name).is_none() {
            let claims = self.claims(name);
            if let Ok(grant) = self.observer.limiter().admit(claims, &Amounts::default(), &Lease(2), millis(now)) {
                self.others.insert(name, grant);
            }
        }
    }

    /// Which rooms are taken, and not by others.
    fn of_plan(&self, now: Duration) -> Vec<&'static str> {
        let used = |name: &&str| self.observer.limiter().standings(self.claims(name), millis(now))[0].used;
        NAMES.into_iter().filter(|name| used(name) > u64::from(self.others.contains_key(name))).collect()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}

#[test]
fn who_has_no_room_when_silence_begins_is_not_waited_for() {
    let mut plan = plan(&NAMES, 0);
    let mut rooms = Rooms::new(&plan.observer);
    rooms.admit(&mut plan).unwrap();
    rooms.toggle("b", START);
    begin(&plan);
    assert_eq!(plan.signpost_after_silence(7).as_deref(), Some("dragoman_c#7#tries"));
    assert_eq!(&*plan.passed_over(), "", "it may not come to that");
    // Envoy was told already.
    rooms.toggle("b", START);
    assert_eq!(begin(&plan), Some(("c".into(), Duration::ZERO)));
    assert_eq!(&*plan.passed_over(), "`b/m`: The limit `b` has no room.");
    assert_eq!(rooms.of_plan(START), ["c"]);
}

#[test]
fn who_is_told_to_envoy_and_loses_its_room_is_not_asked_and_nobody_else_is() {
    let mut plan = plan(&NAMES, 0);
    let mut rooms = Rooms::new(&plan.observer);
    rooms.admit(&mut plan).unwrap();
    begin(&plan);
    assert_eq!(plan.signpost_after_silence(7).as_deref(), Some("dragoman_b#7#tries"));
    rooms.toggle("b", START);
    assert_eq!(begin(&plan), None);
    assert_eq!(&*plan.passed_over(), "`b/m`: The limit `b` has no room.");
    assert_eq!(plan.verdict().status, 503);
    assert_eq!(rooms.of_plan(START), Vec::<&str>::new());
}

/// What becomes of a try.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Silence,
    Failure,
    Answer,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]
    #[test]
    fn a_plan_asks_only_who_has_let_it_in(
        is_native in any::<bool>(),
        attempts in 0..2_u32,
        before in vec(0..3_usize, 0..3),
        fates in vec((prop_oneof![3 => Just(Fate::Silence), 3 => Just(Fate::Failure), 1 => Just(Fate::Answer)], vec(0..3_usize, 0..3)), 0..8),
        ends in any::<bool>(),
    ) {
        let mut plan = plan(&NAMES, attempts);
        plan.mode = if is_native { Mode::Native } else { Mode::Dispatch };
        let mut rooms = Rooms::new(&plan.observer);
        for place in before {
            rooms.toggle(NAMES[place], START);
        }
        let is_let_in = rooms.admit(&mut plan).is_ok();
        prop_assert_eq!(is_let_in, rooms.others.len() < NAMES.len());
        let mut told = plan.signpost(1);
        let mut now = START;
        for (fate, toggled) in fates.into_iter().take_while(|_| is_let_in) {
            let Some((target, wait)) = plan.begin(now) else { break };
            prop_assert_eq!(Plan::read_signpost(told.as_ref().unwrap().as_bytes()).unwrap().0, plan.cluster(&target));
            prop_assert_eq!(rooms.of_plan(now), [target.provider.name.as_str()]);
            told = plan.signpost_after_silence(1).or(told);
            now = now.saturating_add(wait).saturating_add(Duration::from_millis(10));
            for place in toggled {
                rooms.toggle(NAMES[place], now);
            }
            match fate {
                Fate::Silence if is_native => continue,
                Fate::Silence => {
                    plan.lost(503, "", now);
                }
                Fate::Failure => {
                    plan.fail(stated(503, None), now);
                }
                Fate::Answer => plan.settle(200, now),
            }
            told = plan.signpost(1).or(told);
        }
        match (ends, plan.is_settled()) {
            (true, true) => plan.finish(End::Whole, now),
            (true, false) => _ = plan.verdict(),
            (false, _) => drop(plan),
        }
        prop_assert_eq!(rooms.of_plan(now), Vec::<&str>::new());
    }
}
