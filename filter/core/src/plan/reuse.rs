//! What a plan does about kept answers: it gives one that a target of its own has given before, or has the answer recorded that it
//! gets.
//!
//! What goes to the client is recorded on the client's stream, wherever the attempts run: after its head, part by part, until it has come
//! to its end. It is kept only where that is known to be a good one.

use alloc::{
    boxed::Box,
    string::{String, ToString},
    vec::Vec,
};
use core::time::Duration;

use super::{End, Plan, Target};
use crate::{
    cache::{BUCKET_HEADER, CACHE_HEADER, Entry, Found, Recording, Wanted},
    error::Error,
    headers::HeaderMap,
    host::{Entropy, millis},
    step::{Name, Reply},
    usage::Usage,
};

/// What became of a request that a kept answer would do for.
#[derive(Debug)]
pub(super) enum Reuse {
    /// It has got one, of this target's.
    Hit(Target),
    /// It has got none; its own is recorded, if it gets one.
    Miss(Option<Recording>),
}

/// What was kept for a request.
#[derive(Debug, Clone)]
pub enum Cached {
    /// An answer of this target's.
    Hit(Target),
    /// None.
    Miss,
}

impl Cached {
    /// What it is called.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Hit(_) => "hit",
            Self::Miss => "miss",
        }
    }
}

impl Plan {
    /// A kept answer of a target that can be asked.
    pub(crate) fn look(&self, wanted: &Wanted, entropy: &dyn Entropy, now: Duration) -> Option<Found> {
        wanted.look(&self.observer, &|entry| self.target_of(entry).is_some(), entropy, millis(now))
    }

    /// The target of the plan that has given it.
    #[inline(never)]
    fn target_of(&self, entry: &Entry) -> Option<Target> {
        for target in self.progress.borrow().ahead() {
            if entry.is_of(target) {
                return Some(target.clone());
            }
        }
        None
    }

    /// Leaves a kept answer to the ingress: nobody is asked, and it costs a request and nothing else.
    pub(crate) fn replay(&mut self, found: Found, now: Duration) {
        let Found { entry, bucket, age_millis } = found;
        self.reuse = self.target_of(&entry).map(|target| Box::new(Reuse::Hit(target)));
        let mut headers: Vec<_> =
            entry.headers.into_iter().map(|(name, value)| (Name::Borrowed(name), value)).collect();
        for (name, value) in [
            (CACHE_HEADER, String::from("hit")),
            (BUCKET_HEADER, u64::from(bucket).to_string()),
            ("age", (age_millis / 1_000).to_string()),
        ] {
            headers.push((Name::Borrowed(name), value));
        }
        let reply = self.limited(Reply { status: 200, headers, body: entry.body, error: None });
        self.progress.borrow_mut().replay(entry.usage, now);
        if let Some(allowance) = &self.allowance {
            allowance.settle(&Usage::default(), now);
        }
        self.defer(reply);
    }

    /// What the client is going to get is recorded.
    pub(crate) fn record(&mut self, wanted: Wanted) {
        self.reuse = Some(Box::new(Reuse::Miss(Some(Recording::new(wanted, &self.observer)))));
    }

    /// It is told this instead of being asked: nothing is kept for it.
    pub(crate) fn miss(&mut self, error: &Error) {
        self.reuse = Some(Box::new(Reuse::Miss(None)));
        self.defer(self.refuse(error));
    }

    /// What was kept for it, where a kept answer would do.
    pub(super) fn cached(&self) -> Option<Cached> {
        Some(match &**self.reuse.as_ref()? {
            Reuse::Hit(target) => Cached::Hit(target.clone()),
            Reuse::Miss(_) => Cached::Miss,
        })
    }

    /// Whether what goes to the client is recorded.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.recording().is_some()
    }

    /// The answer's head goes to the client: `read` reads it, status and all. Only the first one counts.
    pub fn record_head(&self, read: &dyn Fn() -> HeaderMap) {
        if let Some(recording) = self.recording().filter(|recording| recording.is_blank()) {
            let map = read();
            let headers = map.headers();
            let header = |name: &str| headers.text(name).map(Into::into);
            recording.begin(headers.text(":status").unwrap_or_default(), &header);
        }
    }

    /// A part of it does: `read` reads so many bytes of it, or as many as there are.
    pub fn record_part(&self, read: &dyn Fn(usize) -> Vec<u8>) {
        if let Some((recording, room)) = self.recording().and_then(|recording| Some((recording, recording.room()?))) {
            // One byte more than there is room for tells that it is too long.
            recording.see(&read(room.saturating_add(1)));
        }
    }

    /// All of it has.
    pub fn record_end(&self, now: Duration) {
        let Some(recording) = self.recording() else { return };
        let progress = self.progress.borrow();
        let is_whole = matches!(progress.end, Some((End::Whole, _))) && progress.error.is_none();
        let answered = progress.last().filter(|_| is_whole).map(|target| (target, progress.usage.unwrap_or_default()));
        recording.end(answered, millis(now));
    }

    /// An answer goes to the client that has come whole.
    pub fn record_whole(&self, reply: &Reply, now: Duration) {
        if let Some(recording) = self.recording() {
            let find = |name: &str| reply.headers.iter().find(|(other, _)| other == name);
            recording.begin(&reply.status.to_string(), &|name| find(name).map(|(_, value)| value.clone()));
        }
        self.record_part(&|room| reply.body.get(..room).unwrap_or(&reply.body).to_vec());
        self.record_end(now);
    }

    fn recording(&self) -> Option<&Recording> {
        match &**self.reuse.as_ref()? {
            Reuse::Miss(recording) => recording.as_ref(),
            Reuse::Hit(_) => None,
        }
    }
}
