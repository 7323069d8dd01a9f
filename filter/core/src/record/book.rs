//! What a worker has written down and not told yet, and what it tells Envoy's metrics of it.
//!
//! A request must not pay for its bookkeeping: it adds to sums in the worker's memory, and once a second those are told, each by one call
//! to the host however many requests it is of. What a worker has not told is lost with its VM: a second's requests.
//!
//! A metric's labels stand in its name, each between semicolons, because names of models have dots in them; Envoy is configured to take
//! them out (`stats_tags`). No metric ever goes away, so that their number is bounded: models that are listed have their own, of others
//! the first [`MOST_UNLISTED`]; the rest is `other`.

use alloc::{
    collections::VecDeque,
    format,
    rc::Rc,
    string::{String, ToString},
    vec::Vec,
};
use core::{cell::RefCell, fmt, iter, mem};

use super::{
    Record, archive,
    counts::Counts,
    line::Written,
    metric::{
        ATTEMPTS, CACHE, COST, DURATION, ERRORS, FALLBACKS, FIRST_CONTENT, IMAGES, LIMITS, REQUESTS, TOKENS, UNPRICED,
    },
    ring,
    turnover::{By, Table, Turnover},
};
use crate::{
    auth::Key,
    health::NameRef,
    host::{Meter, Store, millis},
    live::Roster,
    plan::{Spent, Target},
    usage::Usage,
};

/// For how long sums are gathered.
pub(super) const ROUND_MILLIS: u64 = 1_000;

/// With so many requests that are not told a round ends early: the memory of a module never shrinks again.
const MOST_UNTOLD: usize = 4_096;

/// With so many bytes of what was said it does as well.
const MOST_CONTENT: usize = 256 * 1024;

/// How many rows of the archive a round changes. Tokens bring labels and tags of their own.
const MOST_ROUND_ROWS: usize = 16_384;

/// How many models have metrics of their own that nobody lists.
pub const MOST_UNLISTED: usize = 256;

/// Longest label. A client's body may be the name of a model.
pub(super) const MOST_LABEL: usize = 128;

/// What stands for a model or provider that has no label of its own, and what for none.
const OTHER: &str = "other";
const NONE: &str = "none";

/// See the module's documentation.
pub struct Book {
    store: Rc<dyn Store>,
    pages: RefCell<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    /// By provider and model, in order.
    tallies: Vec<Tally>,
    /// Errors by their name.
    errors: Counts<String>,
    /// Refusals by the limit that had no room.
    limits: Counts<String>,
    /// Requests that a kept answer would do for, by whether there was one.
    cached: Counts<&'static str>,
    /// The same for the archive, by key, provider and model, in order.
    entries: Vec<Entry>,
    /// The records themselves, for the ring.
    records: VecDeque<Written>,
    /// How large that is.
    ring: u32,
    /// How much was said in them.
    content_bytes: usize,
    /// How many requests are not told.
    untold: usize,
    is_open: bool,
    opened_at_millis: u64,
}

/// What one key's requests to one model came to.
#[derive(Debug)]
struct Entry {
    /// The key's identifier; empty where nobody was let in.
    id: String,
    /// More of it, where it is one of the file's or a token's.
    key: Option<Rc<Key>>,
    /// Nobody where nobody was asked.
    provider: Option<String>,
    model: Rc<str>,
    turnover: Turnover,
}

/// What requests to one model came to.
#[derive(Debug)]
struct Tally {
    provider: String,
    model: Rc<str>,
    is_listed: bool,
    sums: Sums,
}

#[derive(Debug, Default)]
struct Sums {
    /// Requests by their status.
    requests: Counts<u16>,
    /// Tries by theirs.
    attempts: Counts<u16>,
    fallbacks: u64,
    usage: Usage,
    nano_usd: u64,
    unpriced: u64,
    durations_millis: Vec<u64>,
    first_contents_millis: Vec<u64>,
}

impl Book {
    /// An empty book; what is for all workers goes into this store.
    #[must_use]
    pub fn new(store: Rc<dyn Store>) -> Self {
        Self { store, pages: RefCell::default() }
    }

    /// A request is over. Its record, of which this is the line, goes into a ring of this size.
    pub fn take(&self, record: &Record<'_>, line: String, roster: &dyn Roster, ring: u32) {
        if record.is_probe {
            return;
        }
        let mut pages = self.pages.borrow_mut();
        if !mem::replace(&mut pages.is_open, true) {
            pages.opened_at_millis = record.ended_millis();
        }
        if let Some(error) = &record.error {
            pages.errors.add(error.as_str(), || error.clone());
        }
        if let Some(limit) = &record.limit {
            pages.limits.add(limit.as_str(), || limit.clone());
        }
        if let Some(cached) = &record.cached {
            pages.cached.add(&cached.name(), || cached.name());
        }
        for (target, status) in &record.tries {
            if let Some(Tally { sums, .. }) = pages.tally(Some(target), roster) {
                sums.attempts.add(status, || *status);
            }
        }
        if let Some(Tally { model, sums, .. }) = pages.tally(record.target(), roster) {
            sums.add(record);
            let model = Rc::clone(model);
            pages.enter(record, &model);
        }
        pages.untold = pages.untold.saturating_add(1);
        pages.ring = ring;
        pages.records.push_back(Written::new(record, line));
        while pages.records.len() > usize::try_from(ring).unwrap_or(usize::MAX) {
            pages.records.pop_front();
        }
    }

    /// What was said in the request that was taken last. Whether that is so much by now that it must be told at once: the memory of a
    /// module never shrinks again.
    #[must_use]
    pub fn keep(&self, content: String) -> bool {
        let mut pages = self.pages.borrow_mut();
        pages.content_bytes = pages.content_bytes.saturating_add(content.len());
        if let Some(last) = pages.records.back_mut() {
            last.content = Some(content);
        }
        pages.content_bytes >= MOST_CONTENT
    }

    /// Whether something is to be told.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.pages.borrow().is_open
    }

    /// Time has passed: what was gathered for long enough is told.
    pub fn tick(&self, meter: &dyn Meter, now_millis: u64) {
        let mut pages = self.pages.borrow_mut();
        let is_over = now_millis.abs_diff(pages.opened_at_millis) >= ROUND_MILLIS || pages.untold >= MOST_UNTOLD;
        if pages.is_open && is_over {
            self.tell_pages(&mut pages, meter, now_millis);
        }
    }

    /// Tells what was gathered, however long ago that was.
    pub fn tell(&self, meter: &dyn Meter, now_millis: u64) {
        let mut pages = self.pages.borrow_mut();
        if pages.is_open {
            self.tell_pages(&mut pages, meter, now_millis);
        }
    }

    fn tell_pages(&self, pages: &mut Pages, meter: &dyn Meter, now_millis: u64) {
        pages.tell(meter);
        archive::add(&*self.store, &pages.turnovers(), now_millis);
        pages.content_bytes = 0;
        let records = pages.records.drain(..).map(|record| (record.to_json(), record.content)).collect();
        ring::add(&*self.store, records, pages.ring);
    }
}

// Not derived: a store has nothing to show.
impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book").field("pages", &self.pages).finish_non_exhaustive()
    }
}

impl Pages {
    /// The sums of a target's model, or of requests without a target.
    fn tally(&mut self, target: Option<&Target>, roster: &dyn Roster) -> Option<&mut Tally> {
        let (provider, model) = target.map_or((NONE, NONE), |target| (&target.provider.name, &target.model));
        let place = match self.place(provider, model) {
            Ok(found) => found,
            Err(free) => {
                let is_listed = target.is_none_or(|target| roster.lists(NameRef::of(target)));
                let unlisted = self.tallies.iter().filter(|tally| !tally.is_listed).count();
                if model.len() <= MOST_LABEL && (is_listed || unlisted < MOST_UNLISTED) {
                    self.tallies.insert(free, Tally::new(provider, model, is_listed));
                    free
                } else {
                    self.place(provider, OTHER).unwrap_or_else(|free| {
                        self.tallies.insert(free, Tally::new(provider, OTHER, true));
                        free
                    })
                }
            }
        };
        self.tallies.get_mut(place)
    }

    /// Adds a request to what its key's requests to a model came to.
    fn enter(&mut self, record: &Record<'_>, model: &Rc<str>) {
        let id = record.key_id().unwrap_or_default();
        let provider = record.target().map(|target| &*target.provider.name);
        let place = self.entries.binary_search_by(|entry| {
            (&*entry.id, entry.provider.as_deref(), &*entry.model).cmp(&(id, provider, &**model))
        });
        let turnover = Turnover::of(record);
        let (Ok(place) | Err(place)) = place;
        match self.entries.get_mut(place).filter(|entry| place_of(entry) == (id, provider, &**model)) {
            Some(entry) if is_booked_alike(entry.key.as_ref(), record.key) => entry.turnover.add(&turnover),
            Some(_) | None => {
                let (key, provider, model) = (record.key.map(Rc::clone), provider.map(Into::into), Rc::clone(model));
                self.entries.insert(place, Entry { id: id.into(), key, provider, model, turnover });
            }
        }
    }

    /// Takes out what was entered, as rows of the archive.
    fn turnovers(&mut self) -> Table {
        let mut table = Table::default();
        for Entry { id, key, provider, model, turnover } in self.entries.drain(..) {
            let mut add = |by, name: &str| table.add(by, name, &turnover, MOST_ROUND_ROWS);
            add(By::All, "");
            if !id.is_empty() {
                add(By::Key, &id);
            }
            if let Some(provider) = provider {
                add(By::Provider, &provider);
                add(By::Model, &format!("{provider}/{model}"));
            }
            let Some(key) = key else { continue };
            if let Some(team) = &key.team {
                add(By::Team, team);
            }
            let tags = &key.cost_tags;
            for (place, tag) in tags.iter().enumerate() {
                // One that stands twice is one.
                if tags.iter().position(|other| other == tag) == Some(place) {
                    add(By::CostTag, tag);
                }
            }
            for (name, value) in &key.labels {
                add(By::Label, &format!("{name}={value}"));
            }
        }
        table
    }

    fn place(&self, provider: &str, model: &str) -> Result<usize, usize> {
        self.tallies.binary_search_by(|tally| (&*tally.provider, &*tally.model).cmp(&(provider, model)))
    }

    fn tell(&mut self, meter: &dyn Meter) {
        self.is_open = false;
        self.untold = 0;
        for Tally { provider, model, sums, .. } in &mut self.tallies {
            sums.tell(meter, &format!("provider={};model={};", label(provider), label(model)));
        }
        self.errors.tell(meter, &format!("{};type=", ERRORS.name), |error| label(error));
        self.limits.tell(meter, &format!("{};limit=", LIMITS.name), |limit| label(limit));
        self.cached.tell(meter, &format!("{};result=", CACHE.name), |cached| label(cached));
    }
}

impl Tally {
    fn new(provider: &str, model: &str, is_listed: bool) -> Self {
        Self { provider: provider.into(), model: model.into(), is_listed, sums: Sums::default() }
    }
}

impl Sums {
    fn add(&mut self, record: &Record<'_>) {
        self.requests.add(&record.status, || record.status);
        let is_fallback = record.tries.iter().any(|(target, _)| record.target().is_some_and(|last| !last.is(target)));
        self.fallbacks = self.fallbacks.saturating_add(is_fallback.into());
        if let Some(Spent { usage, .. }) = record.spent {
            self.usage.add(usage);
            match record.nano_usd {
                Some(cost) => self.nano_usd = self.nano_usd.saturating_add(cost),
                None => self.unpriced = self.unpriced.saturating_add(1),
            }
        }
        // How long the gateway takes to refuse what it refuses is no news.
        self.durations_millis.extend(record.target().map(|_| millis(record.duration)));
        self.first_contents_millis.extend(record.first_content.map(millis));
    }

    /// Tells all of it, under metrics with these labels.
    fn tell(&mut self, meter: &dyn Meter, labels: &str) {
        for (metric, counts) in [(REQUESTS, &mut self.requests), (ATTEMPTS, &mut self.attempts)] {
            counts.tell(meter, &format!("{};{labels}status=", metric.name), ToString::to_string);
        }
        let Usage { input, cached_input, cache_write, output, reasoning, images, .. } = mem::take(&mut self.usage);
        let counts = [
            (TOKENS, "type=input;", input),
            (TOKENS, "type=cached_input;", cached_input),
            (TOKENS, "type=cache_write;", cache_write),
            (TOKENS, "type=output;", output),
            (TOKENS, "type=reasoning;", reasoning),
            (IMAGES, "", images),
            (COST, "", mem::take(&mut self.nano_usd)),
            (UNPRICED, "", mem::take(&mut self.unpriced)),
            (FALLBACKS, "", mem::take(&mut self.fallbacks)),
        ];
        for (metric, kind, count) in counts.into_iter().filter(|(.., count)| *count > 0) {
            meter.add(&format!("{};{labels}{kind}", metric.name), count);
        }
        let measured = [(DURATION, &mut self.durations_millis), (FIRST_CONTENT, &mut self.first_contents_millis)];
        for (metric, values) in measured.into_iter().filter(|(_, values)| !values.is_empty()) {
            meter.observe(&format!("{};{labels}", metric.name), values);
            values.clear();
        }
    }
}

/// Where an entry stands.
fn place_of(entry: &Entry) -> (&str, Option<&str>, &str) {
    (&entry.id, entry.provider.as_deref(), &entry.model)
}

/// Whether what two requests cost is booked on the same. Each token is a key of its own, with claims of its own.
fn is_booked_alike(one: Option<&Rc<Key>>, other: Option<&Rc<Key>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => {
            let booked = |key: &Rc<Key>| (key.team.clone(), key.labels.clone(), key.cost_tags.clone());
            Rc::ptr_eq(one, other) || booked(one) == booked(other)
        }
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// A label's value, without what ends it. Envoy takes dots off its end, where it would then be that of another series.
pub(super) fn label(text: &str) -> String {
    let kept = text.trim_end_matches('.');
    let dots = iter::repeat_n('_', text.len().saturating_sub(kept.len()));
    let safe = |character: char| if character == ';' || character.is_control() { '_' } else { character };
    kept.chars().map(safe).chain(dots).collect()
}
