//! One exchange whose callbacks come in any order and at any time: it is sent on at most once and answered at most once, and never
//! panics.
#![no_main]

use std::{cell::Cell, rc::Rc, time::Duration};

use arbitrary::Arbitrary;
use dragoman_core::{
    attempt::{Attempt, Flow, Held, Progress},
    change::Latest,
    exchange::{Arrival, Exchange, Head},
    headers::HeaderMap,
    host::{Clock, Entropy, Surroundings},
    live::Observer,
    plan::{Next, Plan},
    step::Step,
    store::Memory,
};
use dragoman_fuzz::gateway;
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
enum Event {
    Head {
        path: Path,
        key: bool,
        headers: Vec<(Header, Vec<u8>)>,
        end: bool,
    },
    /// A request that will do.
    Ask(Provider, bool),
    /// One that will do for vectors and for pictures.
    Task(Provider),
    Chunk(Vec<u8>),
    End,
    LocalReply(u16, String),
    Attempt,
    Outgoing(Vec<u8>),
    Answer {
        status: u16,
        headers: Vec<(Header, Vec<u8>)>,
        end: bool,
    },
    AnswerChunk(Vec<u8>, bool),
    AnswerEnd,
    /// What was let go has come to its end: with what was let go first, or later.
    Finish(bool),
    /// The alarm of a deadline or a pause rings, early or late.
    Alarm,
    /// So many milliseconds pass.
    Time(u32),
    /// The stream is over; Envoy's response code details.
    Log(Details),
}

#[derive(Debug, Arbitrary)]
enum Details {
    Reset,
    Timeout,
    Any(String),
}

#[derive(Debug, Arbitrary)]
enum Path {
    Chat,
    Embeddings,
    Images,
    Files,
    Messages,
    Completions,
    Responses,
    Query(String),
    Any(String),
}

#[derive(Debug, Arbitrary)]
enum Header {
    Method,
    ContentType,
    ContentLength,
    ContentEncoding,
    RequestId,
    Forged,
}

#[derive(Debug, Arbitrary)]
enum Provider {
    OpenAi,
    Anthropic,
    Gemini,
    Ollama,
}

impl Provider {
    const fn kind(&self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
        }
    }
}

/// How far an attempt is.
enum Try {
    None,
    Fresh(Attempt),
    Held(Held),
    Flow(Flow),
}

/// What goes on only where an event says so.
struct Watch(Cell<Duration>);

impl Clock for Watch {
    fn now(&self) -> Duration {
        self.0.get()
    }
}

impl Entropy for Watch {
    fn draw(&self) -> u64 {
        4
    }
}

fn map(headers: Vec<(Header, Vec<u8>)>) -> impl Iterator<Item = (String, Vec<u8>)> {
    headers.into_iter().map(|(name, value)| {
        let name = match name {
            Header::Method => ":method",
            Header::ContentType => "content-type",
            Header::ContentLength => "content-length",
            Header::ContentEncoding => "content-encoding",
            Header::RequestId => "x-request-id",
            Header::Forged => "x-dragoman-forged",
        };
        (name.to_owned(), value)
    })
}

fn advance(progress: Progress) -> Try {
    match progress {
        Progress::Held(held) => Try::Held(held),
        Progress::Released(_, flow) => Try::Flow(flow),
        Progress::Again(_) | Progress::Instead(_) => Try::None,
    }
}

/// A response head that no attempt made.
struct Local(u16, String);

impl Head for Local {
    fn status(&mut self) -> u16 {
        self.0
    }

    fn details(&mut self) -> String {
        core::mem::take(&mut self.1)
    }

    fn header(&mut self, _: &str) -> Option<String> {
        None
    }
}

fuzz_target!(|events: Vec<Event>| {
    let observer = Observer::new(Rc::new(Memory::default()));
    let watch = Watch(Cell::new(Duration::from_secs(1_767_225_600)));
    let latest = Latest::new(Rc::new(Memory::default()));
    let around = Surroundings { clock: &watch, entropy: &watch, observer: &observer, latest: &latest, metadata: &() };
    let mut exchange = Exchange::new(gateway());
    let (mut plan, mut attempt): (Option<Rc<Plan>>, Try) = (None, Try::None);
    let mut is_answered = false;
    let take = |step: Step, plan: &mut Option<Rc<Plan>>, is_answered: &mut bool| match step {
        Step::Forward(made, _) => {
            assert!(!*is_answered, "what is answered is not sent on");
            assert!(plan.replace(made).is_none(), "it is sent on once");
        }
        Step::Reply(_) => *is_answered = true,
        Step::Wait => {}
    };
    for event in events {
        match event {
            Event::Head { path, key, headers, end } => {
                let path = match path {
                    Path::Chat => "/v1/chat/completions".to_owned(),
                    Path::Embeddings => "/v1/embeddings".to_owned(),
                    Path::Images => "/v1/images/generations".to_owned(),
                    Path::Files => "/v1/files".to_owned(),
                    Path::Messages => "/v1/messages".to_owned(),
                    Path::Completions => "/v1/completions".to_owned(),
                    Path::Responses => "/v1/responses".to_owned(),
                    Path::Query(query) => format!("/v1/chat/completions?{query}"),
                    Path::Any(path) => path,
                };
                let mut head = vec![(":path".to_owned(), path.into_bytes()), (":method".to_owned(), b"POST".to_vec())];
                if key {
                    head.push(("authorization".to_owned(), b"Bearer test".to_vec()));
                }
                head.extend(map(headers));
                // A stream has one head, and it comes first.
                if plan.is_none() && !is_answered {
                    take(
                        exchange.request_head(head.into_iter().collect::<HeaderMap>().headers(), end, &around),
                        &mut plan,
                        &mut is_answered,
                    );
                }
            }
            Event::Ask(provider, stream) => {
                let kind = provider.kind();
                // What does for each format: a member that one does not know is nothing to it.
                let body = format!(
                    r#"{{"model":"{kind}/m","prompt":"x","max_tokens":9,"input":"x","messages":[{{"role":"user","content":"x"}}],"stream":{stream}}}"#
                );
                is_answered |= exchange.request_chunk(body.into_bytes()).is_some();
            }
            Event::Task(provider) => {
                let kind = provider.kind();
                let body = format!(r#"{{"model":"{kind}/m-image","input":["x"],"prompt":"x"}}"#);
                is_answered |= exchange.request_chunk(body.into_bytes()).is_some();
            }
            Event::Chunk(piece) if exchange.is_passing() => {
                is_answered |= exchange.request_passed(piece.len()).is_some();
            }
            Event::Chunk(piece) => is_answered |= exchange.request_chunk(piece).is_some(),
            Event::End => {
                take(exchange.request_end(HeaderMap::default().headers(), &around), &mut plan, &mut is_answered)
            }
            Event::LocalReply(status, details) => {
                let arrival = exchange.response_head(&mut Local(status, details), &watch);
                is_answered |= matches!(arrival, Arrival::Instead(_) | Arrival::Abandoned(_));
            }
            Event::Attempt => {
                let next = plan.as_ref().and_then(|plan| Attempt::next(plan, watch.now()));
                attempt = next.map_or(Try::None, |(attempt, _)| Try::Fresh(attempt));
            }
            Event::Outgoing(body) => {
                if let Try::Fresh(attempt) = &mut attempt
                    && let Err(error) = attempt.outgoing(|_| body.clone())
                {
                    let _ = attempt.refuse(&error, watch.now());
                }
            }
            Event::Answer { status, headers, end } => {
                let headers: HeaderMap = map(headers).collect();
                attempt = match attempt {
                    Try::Fresh(fresh) => advance(fresh.answer(status, headers.headers(), end, &watch)),
                    other => other,
                };
            }
            Event::AnswerChunk(piece, end) => {
                attempt = match attempt {
                    Try::Held(held) => advance(held.chunk(&piece, end, &watch)),
                    Try::Flow(mut flow) => {
                        drop(flow.chunk(&piece, end));
                        Try::Flow(flow)
                    }
                    other => other,
                };
            }
            Event::AnswerEnd => {
                attempt = match attempt {
                    Try::Held(held) => advance(held.end_without_body(&watch)),
                    Try::Flow(mut flow) => {
                        let _: bool = flow.end_without_body();
                        Try::Flow(flow)
                    }
                    other => other,
                };
            }
            Event::Finish(at_once) => {
                if let Try::Flow(flow) = std::mem::replace(&mut attempt, Try::None) {
                    if at_once { flow.finish_at_once() } else { flow.finish(watch.now()) }
                }
            }
            Event::Alarm => {
                if let Some(plan) = &plan {
                    let _: Next = plan.late(watch.now());
                }
            }
            Event::Time(millis) => watch.0.set(watch.now().saturating_add(Duration::from_millis(millis.into()))),
            Event::Log(details) => {
                let details = match details {
                    Details::Reset => "upstream_reset_after_response_started{remote_reset}".to_owned(),
                    Details::Timeout => "stream_idle_timeout".to_owned(),
                    Details::Any(details) => details,
                };
                exchange.end(&mut Local(0, details), &watch);
            }
        }
    }
});
