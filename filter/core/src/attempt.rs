//! One try at one target, in steps that are types, so that a step out of order does not type-check: [`Attempt`] prepares the
//! request and reads the answer's head; [`Held`] holds the answer until it is known whether it can be used; [`Release`] says
//! what is let go; [`Flow`] takes care of the rest.
//!
//! A whole answer is held until it is known to be valid, a stream until its first content; until then nothing has reached
//! the client and the attempt can still fail without a trace. What is held is bounded.

use alloc::{format, rc::Rc, vec::Vec};

use crate::{
    dialect::{WANTED_OF_ANSWER, error_body, usage_of_answer},
    error::{Error, Kind},
    headers::Headers,
    json::{Edits, Scanner},
    passage::{Failed, Fed, Passage},
    plan::{Outcome, Plan, Target},
    step::{Chunk, HeaderEdits, Name, Reply},
};

/// Most bytes of an answer that are held: a larger whole answer is let go before it is known to be valid, and a larger
/// error is cut.
const MAX_HELD: usize = 512 * 1024;

const NO_STREAM: &str = "answered a streaming request with something that is no event stream";

/// Headers of a provider's answer that are nobody else's business.
const PRIVATE: &[&str] =
    &["alt-svc", "openai-organization", "openai-project", "set-cookie", "strict-transport-security"];

/// One try at one target.
#[derive(Debug, Clone)]
pub struct Attempt {
    plan: Rc<Plan>,
    target: Target,
}

/// The request as its target must get it.
#[derive(Debug)]
pub struct Outgoing {
    /// Headers to set.
    pub headers: HeaderEdits,
    /// Changes to the client's body.
    pub edits: Edits,
}

/// An answer being judged.
#[derive(Debug)]
pub enum Progress {
    /// More must be seen.
    Held(Held),
    /// It is let go; the rest goes through the flow.
    Released(Release, Flow),
}

/// An answer that is not let go yet.
#[derive(Debug)]
pub struct Held {
    head: Head,
    body: HeldBody,
}

/// The head of an answer that is not let go yet.
#[derive(Debug)]
struct Head {
    attempt: Attempt,
    status: u16,
    edits: HeaderEdits,
}

#[derive(Debug)]
enum HeldBody {
    /// A stream before its first content.
    Stream(Passage),
    /// What calls itself JSON where a stream was asked for, as far as it is white space: some servers label their streams so,
    /// and its first byte tells.
    Mislabelled(Vec<u8>),
    /// A whole answer, and how much of it has come.
    Whole(Scanner, usize),
    /// The provider's refusal of the request.
    Refusal(Vec<u8>),
    /// An answer that is replaced whatever it says.
    Unusable(Error),
}

/// What is let go.
#[derive(Debug, PartialEq, Eq)]
pub struct Release {
    /// The status, where it is not the provider's own.
    pub status: Option<u16>,
    /// Changes to the answer's headers.
    pub headers: HeaderEdits,
    /// What becomes of everything held so far.
    pub body: Chunk,
}

/// The rest of an answer that was let go.
#[derive(Debug)]
pub struct Flow {
    plan: Rc<Plan>,
    body: FlowBody,
}

#[derive(Debug)]
enum FlowBody {
    /// A stream after its first content.
    Stream(Passage),
    /// A whole answer too large to be held: its usage is still looked for.
    Whole(Scanner),
    /// Nothing is looked for any more; it passes.
    Plain,
    /// Everything has been said; whatever else comes is dropped.
    Over,
}

impl Attempt {
    /// The attempt at the plan's target with this index.
    #[must_use]
    pub fn new(plan: &Rc<Plan>, index: usize) -> Option<Self> {
        plan.targets.get(index).map(|target| Self { plan: Rc::clone(plan), target: target.clone() })
    }

    /// The request as the target must get it. All attempts share one header map: everything that an attempt owns is set.
    #[must_use]
    pub fn outgoing(&self) -> Outgoing {
        let provider = &self.target.provider;
        let edits = self.plan.request.edits(&self.target.model);
        let mut set = Vec::with_capacity(provider.headers.len().saturating_add(3));
        set.push((Name::Borrowed(":path"), [&provider.base_path, "/chat/completions", &self.plan.query].concat()));
        set.push((Name::Borrowed(":authority"), provider.authority.clone()));
        if !edits.is_empty() {
            let length = edits.length_after(self.plan.request.length);
            set.push((Name::Borrowed("content-length"), format!("{length}")));
        }
        set.extend(provider.headers.iter().cloned());
        Outgoing { headers: HeaderEdits { remove: Vec::new(), set }, edits }
    }

    /// The answer's head has come; `end` says that there is no body.
    #[must_use]
    pub fn answer(self, status: u16, headers: Headers<'_>, end: bool) -> Progress {
        let mut edits = HeaderEdits::default();
        edits
            .remove
            .extend(PRIVATE.iter().filter(|name| headers.get(name).is_some()).map(|name| Name::Borrowed(*name)));
        let forged = headers.names().filter(|name| name.starts_with("x-dragoman-"));
        edits.remove.extend(forged.map(|name| Name::Owned(name.into())));
        let body = self.hold(status, headers);
        if matches!(body, HeldBody::Stream(_)) && headers.get("content-length").is_some() {
            edits.remove.push(Name::Borrowed("content-length"));
        }
        let held = Held { head: Head { attempt: self, status, edits }, body };
        if end { held.headless() } else { Progress::Held(held) }
    }

    fn hold(&self, status: u16, headers: Headers<'_>) -> HeldBody {
        match status {
            200..=299 => {}
            401 | 403 => return HeldBody::Unusable(self.error("refused the gateway's credential")),
            400..=599 => return HeldBody::Refusal(Vec::new()),
            _ => return HeldBody::Unusable(self.error("answered with a redirect or an unknown status")),
        }
        if !headers.get("content-encoding").unwrap_or(b"identity").eq_ignore_ascii_case(b"identity") {
            return HeldBody::Unusable(self.error("sent a compressed answer that was not asked for"));
        }
        let content_type = headers.get("content-type").unwrap_or_default().to_ascii_lowercase();
        let says = |word: &[u8]| content_type.is_empty() || content_type.windows(word.len()).any(|part| part == word);
        let request = &self.plan.request;
        match request.stream {
            true if says(b"text/event-stream") => HeldBody::Stream(self.passage()),
            true if says(b"json") => HeldBody::Mislabelled(Vec::new()),
            true => HeldBody::Unusable(self.error(NO_STREAM)),
            false if says(b"json") => HeldBody::Whole(Scanner::new(WANTED_OF_ANSWER), 0),
            false => HeldBody::Unusable(self.error("sent an answer that is not JSON")),
        }
    }

    fn passage(&self) -> Passage {
        Passage::new(&self.target.provider.name, !self.plan.request.wants_usage)
    }

    fn error(&self, what: &str) -> Error {
        Error::new(Kind::BadUpstream, format!("The provider `{}` {what}.", self.target.provider.name))
    }
}

impl Held {
    /// The answer has no body, and Envoy takes none for it any more: what is to be said instead is left to the ingress.
    fn headless(self) -> Progress {
        let plan = Rc::clone(&self.head.attempt.plan);
        let own = self.head.status;
        match self.chunk(&[], true) {
            Progress::Released(release, flow) => {
                let Chunk::Replace(body) = release.body else { return Progress::Released(release, flow) };
                let status = release.status.unwrap_or(own);
                let told = release.headers.set.into_iter().filter(|(name, _)| name != "content-length").collect();
                plan.defer(Reply { status, headers: told, body });
                let nothing = Release { status: Some(status), headers: HeaderEdits::default(), body: Chunk::Keep };
                Progress::Released(nothing, flow)
            }
            held @ Progress::Held(_) => held,
        }
    }

    /// The next piece of the answer has come; `end` says that it is the last one.
    #[must_use]
    pub fn chunk(self, piece: &[u8], end: bool) -> Progress {
        let Self { head, body } = self;
        let held = |head, body| Progress::Held(Self { head, body });
        match body {
            HeldBody::Stream(mut passage) => match passage.feed(piece, end) {
                Fed::Nothing => held(head, HeldBody::Stream(passage)),
                Fed::Go(chunk) => {
                    head.attempt.plan.note_usage(passage.usage());
                    head.pass(chunk, FlowBody::Stream(passage))
                }
                Fed::Failed(Failed { status, body }) => head.replace(status, body, Outcome::Unusable(status)),
            },
            HeldBody::Mislabelled(mut begun) => {
                begun.extend_from_slice(piece);
                match begun.trim_ascii_start().first() {
                    None if !end && begun.len() <= MAX_HELD => held(head, HeldBody::Mislabelled(begun)),
                    None | Some(b'{' | b'[') => {
                        let error = head.attempt.error(NO_STREAM);
                        head.fail(&error)
                    }
                    Some(_) => {
                        let passage = head.attempt.passage();
                        let body = HeldBody::Stream(passage);
                        Self { head: head.labelled("text/event-stream"), body }.chunk(&begun, end)
                    }
                }
            }
            HeldBody::Whole(mut scanner, length) => {
                let invalid = |head: Head| {
                    let error = head.attempt.error("sent an answer that is not valid JSON");
                    head.fail(&error)
                };
                if scanner.feed(piece).is_err() {
                    return invalid(head);
                }
                if !end {
                    let length = length.saturating_add(piece.len());
                    return if length <= MAX_HELD {
                        held(head, HeldBody::Whole(scanner, length))
                    } else {
                        head.pass(Chunk::Keep, FlowBody::Whole(scanner))
                    };
                }
                let Ok(found) = scanner.finish() else { return invalid(head) };
                head.attempt.plan.note_usage(usage_of_answer(&found));
                head.pass(Chunk::Keep, FlowBody::Plain)
            }
            HeldBody::Refusal(mut body) => {
                let room = MAX_HELD.saturating_sub(body.len());
                body.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
                if !end && body.len() < MAX_HELD {
                    return held(head, HeldBody::Refusal(body));
                }
                let status = head.status;
                match error_body(&head.attempt.target.provider.name, status, &body) {
                    Some(body) => head.replace(status, body, Outcome::Answered(status)),
                    None => head.pass(Chunk::Keep, FlowBody::Plain),
                }
            }
            HeldBody::Unusable(error) => head.fail(&error),
        }
    }
}

impl Head {
    /// Lets the provider's own answer go.
    fn pass(self, body: Chunk, rest: FlowBody) -> Progress {
        self.attempt.plan.note(Outcome::Answered(self.status));
        self.release(None, body, rest)
    }

    /// Answers with an error in the provider's place.
    fn fail(self, error: &Error) -> Progress {
        let (status, body) = (error.kind.status(), error.body(self.attempt.plan.shape));
        // The provider's own status, unless that one claims success.
        let outcome = Outcome::Unusable(if self.status < 400 { status } else { self.status });
        self.replace(status, body, outcome)
    }

    fn labelled(mut self, content_type: &'static str) -> Self {
        self.edits.remove.push(Name::Borrowed("content-length"));
        self.edits.set.push((Name::Borrowed("content-type"), content_type.into()));
        self
    }

    fn replace(mut self, status: u16, body: Vec<u8>, outcome: Outcome) -> Progress {
        self.attempt.plan.note(outcome);
        self = self.labelled("application/json");
        self.edits.remove.push(Name::Borrowed("content-encoding"));
        self.edits.set.push((Name::Borrowed("content-length"), format!("{}", body.len())));
        self.release(Some(status), Chunk::Replace(body), FlowBody::Over)
    }

    fn release(mut self, status: Option<u16>, body: Chunk, rest: FlowBody) -> Progress {
        let Attempt { plan, target } = self.attempt;
        let served = [
            ("x-dragoman-provider", target.provider.name.clone()),
            ("x-dragoman-model", target.model),
            ("x-dragoman-attempts", plan.attempts()),
        ];
        self.edits.set.extend(served.map(|(name, value)| (Name::Borrowed(name), value)));
        let release = Release { status, headers: self.edits, body };
        Progress::Released(release, Flow { plan, body: rest })
    }
}

impl Flow {
    /// The next piece of the answer has come; `end` says that it is the last one.
    pub fn chunk(&mut self, piece: &[u8], end: bool) -> Chunk {
        match &mut self.body {
            FlowBody::Plain => Chunk::Keep,
            FlowBody::Over => Chunk::Replace(Vec::new()),
            FlowBody::Whole(scanner) => {
                // Too late to refuse it: an answer that turns out to be invalid passes as it is, without a count.
                if scanner.feed(piece).is_err() {
                    self.body = FlowBody::Plain;
                } else if end
                    && let FlowBody::Whole(scanner) = core::mem::replace(&mut self.body, FlowBody::Plain)
                    && let Ok(found) = scanner.finish()
                {
                    self.plan.note_usage(usage_of_answer(&found));
                }
                Chunk::Keep
            }
            FlowBody::Stream(passage) => {
                let fed = passage.feed(piece, end);
                self.plan.note_usage(passage.usage());
                match fed {
                    Fed::Go(chunk) => chunk,
                    Fed::Nothing | Fed::Failed(_) => Chunk::Replace(Vec::new()),
                }
            }
        }
    }
}
