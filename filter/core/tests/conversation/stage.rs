//! A whole exchange in memory: the two roles, a client and a provider, without Envoy.

use std::{rc::Rc, time::Duration};

use dragoman_core::{
    attempt::{Attempt, Front, Outgoing, Progress, Release},
    config::{self, Cooldown},
    exchange::Exchange,
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

/// What a request has become.
pub(crate) enum Asked {
    /// The gateway answered by itself.
    Refused(Reply),
    /// It went on to a provider.
    Sent(Sent),
}

/// A request as its provider got it.
pub(crate) struct Sent {
    pub(crate) plan: Rc<Plan>,
    pub(crate) headers: Pairs,
    pub(crate) body: Vec<u8>,
    /// Who knows how targets fare.
    pub(crate) observer: Rc<Observer>,
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
    ask_seen_by(&Observer::new(Rc::new(Memory::default())), gateway, headers, pieces)
}

/// The same, by who may have seen others.
pub(crate) fn ask_seen_by(
    observer: &Rc<Observer>,
    gateway: &Rc<Gateway>,
    mut headers: Pairs,
    pieces: &[&[u8]],
) -> Asked {
    let around = Surroundings { clock: &NewYear, entropy: &NewYear, observer, metadata: &() };
    let mut exchange = Exchange::new(Rc::clone(gateway));
    let step = match exchange.request_head(carried(&headers).headers(), pieces.is_empty(), &around) {
        Step::Wait => {
            for piece in pieces {
                if let Some(reply) = exchange.request_chunk(piece.to_vec()) {
                    return Asked::Refused(reply);
                }
            }
            exchange.request_end(carried(&headers).headers(), &around)
        }
        step @ Step::Forward(..) if !pieces.is_empty() => {
            panic!("a request is never sent on before its body is known: {step:?}")
        }
        step @ (Step::Forward(..) | Step::Reply(_)) => step,
    };
    match step {
        Step::Forward(plan, edits) => {
            apply(&mut headers, &edits);
            let (mut attempt, _) = Attempt::next(&plan, NewYear.now()).expect("a plan has a target");
            let mut body = pieces.concat();
            let read = |length| pieces.concat()[..length].to_vec();
            let Outgoing { headers: edits, body: change } = match attempt.outgoing(read) {
                Ok(outgoing) => outgoing,
                Err(error) => {
                    assert_eq!(attempt.refuse(&error, NewYear.now()), Next::Nobody);
                    return Asked::Refused(plan.verdict());
                }
            };
            apply(&mut headers, &edits);
            let Front { length, text } = change.front(read);
            body.splice(..length, text);
            Asked::Sent(Sent { plan, headers, body, observer: Rc::clone(observer), attempt })
        }
        Step::Reply(reply) => Asked::Refused(reply),
        Step::Wait => panic!("there is nothing left to wait for"),
    }
}

impl Asked {
    pub(crate) fn sent(self) -> Sent {
        match self {
            Self::Sent(sent) => sent,
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
        let mut map: Pairs = headers.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect();
        let mut answer = Answer { status, headers: Vec::new(), body: Vec::new(), held: 0 };
        let mut buffer = Vec::new();
        let mut progress = self.attempt.answer(status, carried(&map).headers(), pieces.is_empty(), &NewYear);
        if let Progress::Instead(reply) = progress {
            let headers =
                reply.headers.into_iter().map(|(name, value)| (name.into_owned(), value.into_bytes())).collect();
            return Answer { status: reply.status, headers, body: reply.body, held: 0 };
        }
        let mut flow = None;
        for (index, piece) in pieces.iter().enumerate() {
            let end = index + 1 == pieces.len();
            progress = match progress {
                Progress::Held(held) => {
                    buffer.extend_from_slice(piece);
                    held.chunk(piece, end, &NewYear)
                }
                Progress::Released(release, mut rest) => {
                    if flow.is_none() {
                        answer.release(&mut map, &release, &buffer);
                        flow = Some(());
                    }
                    match rest.chunk(piece, end) {
                        Chunk::Keep => answer.body.extend_from_slice(piece),
                        Chunk::Replace(other) => answer.body.extend_from_slice(&other),
                    }
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
                }
                rest.finish(NewYear.now());
            }
            Progress::Held(_) | Progress::Again(_) | Progress::Instead(_) => {
                panic!("an answer that has ended is not held")
            }
        }
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
