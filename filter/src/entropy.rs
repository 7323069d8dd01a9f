//! Chance, seeded by the host.

use std::{cell::Cell, time::Duration};

use dragoman_core::{host::Entropy, splitmix};

use crate::host::now;

/// Numbers that no two workers share, and that nobody has to be unable to guess: who is asked, how long to wait, whose slot it is.
/// Seeded by the host; should an operator have forbidden it that, by the nanosecond in which a worker first needs one.
#[derive(Debug, Default)]
pub(crate) struct HostEntropy {
    state: Cell<Option<u64>>,
}

impl Entropy for HostEntropy {
    fn draw(&self) -> u64 {
        let seed = |now: Duration| {
            getrandom::u64().unwrap_or_default()
                ^ now.as_secs().wrapping_mul(1_000_000_000)
                ^ u64::from(now.subsec_nanos())
        };
        let (state, number) = splitmix::next(self.state.get().unwrap_or_else(|| seed(now())));
        self.state.set(Some(state));
        number
    }

    fn secret(&self) -> Option<[u8; 32]> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).ok().map(|()| secret)
    }
}
