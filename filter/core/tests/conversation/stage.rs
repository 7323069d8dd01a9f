//! A whole exchange in memory: the two roles, a client and a provider, without Envoy. One file although it is long: the bench is built
//! with it, by its path.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use serde_json::Value;

use dragoman_core::{
    attempt::{Attempt, Front, Outgoing, Progress, Release},
    change::Latest,
    config::{self, Cooldown},
    exchange::{Exchange, Head},
    gateway::Gateway,
    headers::HeaderMap,
    health::{Symptom, Trouble},
    host::{Clock, Entropy, Surroundings},
    live::Observer,
    plan::{Next, Plan},
    step::{Chunk, HeaderEdits, Reply, Step},
    store::Memory,
};

/// A header map as Envoy keeps it.
pub(crate) type Pairs = Vec<(String, Vec<u8>)>;

/// The first of January 2026.
pub(crate) struct NewYear;

impl Clock for NewYear {
    fn now(&self) -> Duration {
        Duration::from_hours(490_896)
    }
}

impl Entropy for NewYear {
    fn draw(&self) -> u64 {
        4
    }
}

/// What a worker knows, and the time.
pub(crate) struct World {
    pub(crate) observer: Rc<Observer>,
    pub(crate) latest: Rc<Latest>,
    pub(crate) now: Cell<Duration>,
    drawn: Cell<u64>,
    /// Envoy's reason for the end of a request of which nobody has said how it ended.
    pub(crate) details: Cell<&'static str>,
    /// The records of the requests that are over.
    records: RefCell<Vec<Value>>,
    /// What the audit log has of the last one of them, and what was said in it.
    audit: RefCell<Vec<Value>>,
    content: RefCell<Option<String>>,
}

impl World {
    /// Of a worker that has seen nothing, on New Year's day.
    pub(crate) fn new() -> Rc<Self> {
        Self::beside(&Rc::new(Memory::default()))
    }

    /// Of another worker with the same store.
    pub(crate) fn beside(store: &Rc<Memory>) -> Rc<Self> {
        Self::of(Observer::new(Rc::<Memory>::clone(store)), Latest::new(Rc::<Memory>::clone(store)))
    }

    fn of(observer: Rc<Observer>, latest: Rc<Latest>) -> Rc<Self> {
        let (now, drawn) = (Cell::new(NewYear.now()), Cell::new(4));
        let details = Cell::new("downstream_remote_disconnect");
        let (records, audit, content) = (RefCell::default(), RefCell::default(), RefCell::default());
        Rc::new(Self { observer, latest, now, drawn, details, records, audit, content })
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.now.set(self.now.get() + time);
    }

    /// A request is over.
    fn end(&self, exchange: &Exchange, status: u16) {
        let mut over = Over { status, details: self.details.get() };
        exchange.end(&mut over, self);
        let record = exchange.record(&mut over, self);
        let line = format!("{{\"request_id\":\"{}\"}}", record.line());
        self.records.borrow_mut().push(serde_json::from_str(&line).expect("a record is an object"));
        let audit = exchange.audit(&record, &record.line()).unwrap_or_default();
        assert!(audit.is_empty() || audit.ends_with('\n'), "its lines have ends");
        let lines = audit.lines().map(|line| serde_json::from_str(line).expect("a line is an object"));
        self.audit.replace(lines.collect());
        self.content.replace(exchange.content());
    }

    /// What the audit log has of the request that was over last.
    pub(crate) fn audit(&self) -> Vec<Value> {
        self.audit.borrow().clone()
    }

    /// What was said in it, as far as that is kept.
    pub(crate) fn content(&self) -> Option<String> {
        self.content.borrow().clone()
    }

    /// The record of the request that was over last.
    pub(crate) fn record(&self) -> Value {
        self.records.borrow().last().expect("a request is over").clone()
    }
}

impl Clock for World {
    fn now(&self) -> Duration {
        self.now.get()
    }
}

impl Entropy for World {
    fn draw(&self) -> u64 {
        self.drawn.replace(self.drawn.get() + 1)
    }
}

/// What Envoy says of a stream that is over: its status, and why, which is what matters where nobody has said how it ended.
struct Over {
    status: u16,
    details: &'static str,
}

impl Head for Over {
    fn status(&mut self) -> u16 {
        self.status
    }

    fn details(&mut self) -> String {
        self.details.into()
    }

    fn header(&mut self, _: &str) -> Option<String> {
        None
    }
}

/// What a request has become.
pub(crate) enum Asked {
    /// The gateway answered by itself.
    Refused(Reply),
    /// It went on to a provider.
    Sent(Box<Sent>),
}

/// A request as its provider got it.
pub(crate) struct Sent {
    pub(crate) plan: Rc<Plan>,
    pub(crate) headers: Pairs,
    pub(crate) body: Vec<u8>,
    /// Who knows how targets fare.
    pub(crate) observer: Rc<Observer>,
    world: Rc<World>,
    exchange: Exchange,
    /// As they were before any target's.
    asked: (Pairs, Vec<u8>),
    attempt: Attempt,
}

/// An answer as the client got it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Pairs,
    pub(crate) body: Vec<u8>,
    /// How many bytes had come from the provider when the first went to the client.
    pub(crate) held: usize,
}

/// A gateway of this configuration; every environment variable is `secret-NAME`, but those named `UNSET…`.
pub(crate) fn gateway(document: &str) -> Rc<Gateway> {
    let mut config = config::parse(document).expect("the configuration is valid");
    // What a provider answers is looked at here, not what is done about it.
    config.retry.attempts = 0;
    Rc::new(Gateway::new(&config, |name| (!name.starts_with("UNSET")).then(|| format!("secret-{name}"))))
}

/// A gateway with one provider, open to all.
pub(crate) fn open() -> Rc<Gateway> {
    gateway(
        r#"{"providers":{"openai":{"kind":"openai","credential":{"env":"OPENAI_API_KEY"}}},"models":{"openai/m":{}}}"#,
    )
}

/// The head of a JSON request, and these headers.
pub(crate) fn post(path: &str, more: &[(&str, &[u8])]) -> Pairs {
    let usual: [(&str, &[u8]); 4] = [
        (":method", b"POST"),
        (":path", path.as_bytes()),
        (":authority", b"gw"),
        ("content-type", b"application/json"),
    ];
    let kept = usual.iter().filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
    kept.chain(more).map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect()
}

/// Sends a request in these pieces.
pub(crate) fn ask(gateway: &Rc<Gateway>, headers: Pairs, pieces: &[&[u8]]) -> Asked {
    ask_in(&World::new(), gateway, headers, pieces)
}

/// The same, by who may have seen others.
pub(crate) fn ask_seen_by(observer: &Rc<Observer>, gateway: &Rc<Gateway>, headers: Pairs, pieces: &[&[u8]]) -> Asked {
    ask_in(&World::of(Rc::clone(observer), Latest::new(Rc::new(Memory::default()))), gateway, headers, pieces)
}

/// The same, of this worker.
pub(crate) fn ask_in(world: &Rc<World>, gateway: &Rc<Gateway>, mut headers: Pairs, pieces: &[&[u8]]) -> Asked {
    let World { observer, latest, .. } = &**world;
    let around = Surroundings { clock: &**world, entropy: &**world, observer, latest, metadata: &() };
    let mut exchange = Exchange::new(Rc::clone(gateway));
    let step = match exchange.request_head(carried(&headers).headers(), pieces.is_empty(), &around) {
        Step::Wait => {
            for piece in pieces {
                if let Some(reply) = exchange.request_chunk(piece.to_vec()) {
                    world.end(&exchange, reply.status);
                    return Asked::Refused(reply);
                }
            }
            exchange.request_end(carried(&headers).headers(), &around)
        }
        step @ Step::Forward(..) if !pieces.is_empty() => {
            assert!(exchange.is_passing(), "a request is sent on before its body is known: {step:?}");
            for piece in pieces {
                if let Some(reply) = exchange.request_passed(piece.len()) {
                    return Asked::Refused(reply);
                }
            }
            step
        }
        step @ (Step::Forward(..) | Step::Reply(_)) => step,
    };
    match step {
        Step::Forward(plan, edits) => {
            apply(&mut headers, &edits);
            attempt(world, exchange, plan, (headers, pieces.concat()))
        }
        Step::Reply(reply) => {
            world.end(&exchange, reply.status);
            Asked::Refused(reply)
        }
        Step::Wait => panic!("there is nothing left to wait for"),
    }
}

/// Asks the target whose turn it is.
fn attempt(world: &Rc<World>, exchange: Exchange, plan: Rc<Plan>, asked: (Pairs, Vec<u8>)) -> Asked {
    let (mut attempt, _) = Attempt::next(&plan, world.now()).expect("a plan has a target");
    let (mut headers, mut body) = asked.clone();
    let read = |length| asked.1[..length].to_vec();
    let Outgoing { headers: edits, body: change } = match attempt.outgoing(read) {
        Ok(outgoing) => outgoing,
        Err(error) => {
            assert_eq!(attempt.refuse(&error, world.now()), Next::Nobody);
            let reply = plan.verdict();
            world.end(&exchange, reply.status);
            return Asked::Refused(reply);
        }
    };
    apply(&mut headers, &edits);
    let Front { length, text } = change.front(read);
    body.splice(..length, text);
    let (world, observer) = (Rc::clone(world), Rc::clone(&world.observer));
    Asked::Sent(Box::new(Sent { plan, headers, body, observer, world, exchange, asked, attempt }))
}

impl Asked {
    pub(crate) fn sent(self) -> Sent {
        match self {
            Self::Sent(sent) => *sent,
            Self::Refused(reply) => panic!("refused: {} {}", reply.status, String::from_utf8_lossy(&reply.body)),
        }
    }

    pub(crate) fn refused(self) -> Reply {
        match self {
            Self::Refused(reply) => reply,
            Self::Sent(_) => panic!("it was sent on"),
        }
    }
}

impl Sent {
    /// Its first target fails, as the gateway's workers tell each other.
    pub(crate) fn fails_first(&self) {
        let (now, down) = (NewYear.epoch_millis(), Symptom { trouble: Trouble::RateLimited, retry_after: None });
        let cooldown = Cooldown { default: Duration::from_secs(30), max: Duration::from_mins(10) };
        let target = self.plan.first().expect("a target").clone();
        self.observer.begin(&target, None, now).failed(now, down, cooldown);
    }

    /// The provider answers in these pieces; the last one may be empty, as Envoy's often is.
    pub(crate) fn answered(self, status: u16, headers: &[(&str, &str)], pieces: &[&[u8]]) -> Answer {
        self.passed(status, headers, pieces, true)
    }

    /// It answers in these pieces and no more: the client leaves, unless Envoy has another reason.
    pub(crate) fn left(self, status: u16, headers: &[(&str, &str)], pieces: &[&[u8]]) -> Answer {
        self.passed(status, headers, pieces, false)
    }

    /// The client leaves before there is an answer.
    pub(crate) fn abandoned(self) {
        self.world.end(&self.exchange, 0);
    }

    /// So much more of a body that nobody reads is on its way.
    pub(crate) fn goes_on(&mut self, length: usize) -> Option<Reply> {
        self.exchange.request_passed(length)
    }

    /// The provider fails in a way for which the next one is asked.
    pub(crate) fn failed(self, status: u16) -> Asked {
        self.failed_in_words(status, b"{}")
    }

    /// The same with this answer.
    pub(crate) fn failed_in_words(self, status: u16, body: &[u8]) -> Asked {
        let Self { plan, world, exchange, asked, attempt: first, .. } = self;
        let map: Pairs = vec![("content-type".into(), b"application/json".to_vec())];
        let progress = match first.answer(status, carried(&map).headers(), false, &*world) {
            Progress::Held(held) => held.chunk(body, true, &*world),
            other @ (Progress::Released(..) | Progress::Again(_) | Progress::Instead(_)) => other,
        };
        match progress {
            Progress::Again(_) => attempt(&world, exchange, plan, asked),
            other @ (Progress::Held(_) | Progress::Released(..) | Progress::Instead(_)) => {
                panic!("there is another one to be asked: {other:?}")
            }
        }
    }

    fn passed(self, status: u16, headers: &[(&str, &str)], pieces: &[&[u8]], ends: bool) -> Answer {
        let world = Rc::clone(&self.world);
        let mut map: Pairs = headers.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect();
        let mut answer = Answer { status, headers: Vec::new(), body: Vec::new(), held: 0 };
        let mut buffer = Vec::new();
        let mut progress = self.attempt.answer(status, carried(&map).headers(), pieces.is_empty(), &*world);
        if let Progress::Instead(reply) = progress {
            let headers =
                reply.headers.into_iter().map(|(name, value)| (name.into_owned(), value.into_bytes())).collect();
            world.end(&self.exchange, reply.status);
            return Answer { status: reply.status, headers, body: reply.body, held: 0 };
        }
        let mut flow = None;
        for (index, piece) in pieces.iter().enumerate() {
            let end = ends && index + 1 == pieces.len();
            progress = match progress {
                Progress::Held(held) => {
                    buffer.extend_from_slice(piece);
                    held.chunk(piece, end, &*world)
                }
                Progress::Released(release, mut rest) => {
                    if flow.is_none() {
                        answer.release(&mut map, &release, &buffer);
                        answer.record(&self.plan, &map);
                        flow = Some(());
                    }
                    let passed = answer.body.len();
                    match rest.chunk(piece, end) {
                        Chunk::Keep => answer.body.extend_from_slice(piece),
                        Chunk::Replace(other) => answer.body.extend_from_slice(&other),
                    }
                    self.plan.record_part(&|_| answer.body[passed..].to_vec());
                    Progress::Released(release, rest)
                }
                Progress::Instead(_) => panic!("only an answer without a body ends without one"),
                Progress::Again(_) => panic!("there is nobody else to be asked"),
            };
        }
        match progress {
            Progress::Released(release, rest) => {
                if flow.is_none() {
                    answer.release(&mut map, &release, &buffer);
                    answer.record(&self.plan, &map);
                }
                if ends {
                    rest.finish(world.now());
                    self.plan.record_end(world.now());
                }
            }
            Progress::Held(_) | Progress::Again(_) | Progress::Instead(_) => {
                assert!(!ends, "an answer that has ended is not held");
            }
        }
        world.end(&self.exchange, answer.status);
        answer.headers = map;
        answer
    }
}

impl Answer {
    fn release(&mut self, map: &mut Pairs, release: &Release, buffer: &[u8]) {
        self.status = release.status.unwrap_or(self.status);
        self.held = buffer.len();
        apply(map, &release.headers);
        match &release.body {
            Chunk::Keep => self.body.extend_from_slice(buffer),
            Chunk::Replace(other) => self.body.extend_from_slice(other),
        }
    }

    /// What was let go reaches the client's stream.
    fn record(&self, plan: &Plan, map: &Pairs) {
        plan.record_head(&|| {
            carried(&[map.clone(), vec![(":status".into(), self.status.to_string().into())]].concat())
        });
        plan.record_part(&|_| self.body.clone());
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.and_then(|(_, value)| str::from_utf8(value).ok())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }
}

/// Cuts a document into pieces at seeded places, an empty last piece included.
pub(crate) fn pieces(document: &[u8], seed: u64) -> Vec<&[u8]> {
    let (mut pieces, mut rest, mut state) = (Vec::new(), document, seed | 1);
    while !rest.is_empty() && seed != 0 {
        // xorshift: the same cuts each time.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let length = usize::try_from(state % 97).expect("small") % rest.len() + 1;
        let (piece, after) = rest.split_at(length);
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

/// A header map as Envoy hands it over.
pub(crate) fn carried(pairs: &Pairs) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name, value)).collect()
}

fn apply(headers: &mut Pairs, edits: &HeaderEdits) {
    headers.retain(|(name, _)| !edits.remove.iter().any(|removed| removed == name));
    for (name, value) in &edits.set {
        headers.retain(|(present, _)| present != name);
        headers.push((name.to_string(), value.clone().into_bytes()));
    }
}
