//! One try at one target, in steps that are types, so that a step out of order does not type-check: [`Attempt`] prepares the
//! request and reads the answer's head; [`Held`] holds the answer until it is known whether it can be used; [`Release`] says
//! what is let go; [`Flow`] takes care of the rest.
//!
//! A whole answer is held until it is known to be valid, a stream until its first content; until then nothing has reached
//! the client and the attempt can still fail without a trace. What is held is bounded.

mod direct;
mod flow;
mod head;
mod held;
mod limits;
mod outgoing;

use alloc::{
    borrow::Cow,
    boxed::Box,
    format,
    rc::Rc,
    string::{String, ToString},
    vec::Vec,
};
use core::time::Duration;

use crate::{
    dialect::{Aim, Downstream, Dropped, Habits, Identity, Native, Spliced, Thoughts, Upstream, Written, anthropic},
    error::{Error, Kind},
    headers::{Headers, Names},
    host::Clock,
    json::Scanner,
    passage::{Conduit, Passage},
    passthrough::Passthrough,
    plan::{Cause, Failure, Inquiry, Next, Plan, Target},
    seal::{Seal, Sealed, Sealing},
    sse::Framing,
    step::{Chunk, HeaderEdits, Name},
    translation::Translation,
};

use direct::Start;
use flow::FlowBody;
use head::Head;
use held::HeldBody;

pub use flow::Flow;
pub use held::{Held, MAX_TRANSLATED, Progress, Release};
pub use outgoing::{Change, Front, Outgoing};

const EVENTS: &[u8] = b"text/event-stream";

const REFUSED_CREDENTIAL: &str = "refused the gateway's credential";

const NO_STREAM: &str = "answered a streaming request with something that is no event stream";

/// Headers of a provider's answer that are nobody else's business.
const PRIVATE: Names = Names::new(&[
    "alt-svc",
    "anthropic-organization-id",
    "openai-organization",
    "openai-project",
    "set-cookie",
    "strict-transport-security",
    // The client's is Envoy's own, by which its log can be searched.
    "x-request-id",
]);

/// Request headers that are an attempt's own, whatever its provider.
const OWNED: &[&str] = &["api-key", "authorization", "x-api-key", "x-goog-api-key"];

/// One try at one target.
#[derive(Debug, Clone)]
pub struct Attempt {
    plan: Rc<Plan>,
    target: Target,
    /// Fields of the client's request that the target did not get.
    dropped: Vec<String>,
    /// What the answer repeats of the request, where that is not the provider's business.
    echo: String,
}

impl Attempt {
    /// The next attempt of a plan, and how long to wait before it is sent. `None` where nobody is left to be asked.
    #[must_use]
    pub fn next(plan: &Rc<Plan>, now: Duration) -> Option<(Self, Duration)> {
        let (target, wait) = plan.begin(now)?;
        Some((Self { plan: Rc::clone(plan), target, dropped: Vec::new(), echo: String::new() }, wait))
    }

    /// Whom it asks.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The request as the target must get it. All attempts share one header map: everything that an attempt owns is set.
    /// `read` reads so much of the client's body, where it is not kept.
    ///
    /// # Errors
    /// The target cannot do what the request asks for.
    pub fn outgoing(&mut self, read: impl FnOnce(usize) -> Vec<u8>) -> Result<Outgoing, Error> {
        let plan = Rc::clone(&self.plan);
        if let Some(own) = plan.inquiry.own() {
            return Ok(self.outgoing_as_is(own));
        }
        let native = plan.inquiry.native().filter(|_| self.is_native());
        let length = plan.inquiry.request.length;
        let kept = plan.body();
        // What another attempt has set is still there; one that has no successor and no predecessor need not look.
        let foreign = plan.foreign_headers();
        let mut set = Vec::with_capacity(8);
        let (path, body) = if let Some(native) = native {
            let (mut kept, mut read) = (kept, Some(read));
            let mut body = || {
                let read = || Rc::new(read.take().map(|read| read(length)).unwrap_or_default());
                Rc::clone(kept.get_or_insert_with(read))
            };
            let Spliced { edits, dropped } = native.splice(&plan.inquiry.request, &self.aim(), &mut body);
            self.dropped = tellable(&dropped, plan.inquiry.format());
            set.extend(plan.inquiry.native_headers().iter().cloned());
            if !edits.is_empty() || foreign.is_some() {
                set.push((Name::Borrowed("content-length"), edits.length_after(length).to_string()));
            }
            (Cow::Borrowed(native.path()), Change::Edited { edits, kept })
        } else {
            let body = kept.unwrap_or_else(|| Rc::new(read(length)));
            let Written { path, headers, body, dropped } = self.write(&body)?;
            self.dropped = tellable(&dropped, plan.inquiry.format());
            // Those that have a usual value are the format's business, the others the client's wishes.
            let wishes = plan.inquiry.format().headers().iter().filter(|(_, usual)| usual.is_empty());
            let is_said = |wish: &str| plan.inquiry.native_headers().iter().any(|(name, _)| name == wish);
            self.dropped.extend(wishes.filter(|(name, _)| is_said(name)).map(|(name, _)| String::from(*name)));
            set.push((Name::Borrowed("content-length"), body.len().to_string()));
            set.push((Name::Borrowed("content-type"), "application/json".into()));
            set.extend(headers);
            (Cow::Owned(path), Change::Written { length, text: body })
        };
        let account = &self.target.account;
        let version = self.upstream().version();
        let version = if account.base_url.path.ends_with(version) { "" } else { version };
        let path = if version.is_empty() { path } else { Cow::Owned([version, &path].concat()) };
        let mut path = account.vendor.path(&account.base_url, &path, &self.target.model);
        if native.is_some() && !plan.inquiry.query.is_empty() {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(&plan.inquiry.query);
        }
        set.push((Name::Borrowed(":path"), path));
        set.push((Name::Borrowed(":authority"), account.authority.clone()));
        set.extend(account.headers().map(|(name, value)| (name.clone(), value.expose().clone())));
        let mut remove = Vec::new();
        if let Some(foreign) = foreign {
            let of_formats = anthropic::HEADERS.iter().map(|(name, _)| name);
            remove.extend(OWNED.iter().chain(of_formats).map(|name| Name::Borrowed(*name)));
            remove.extend(foreign.iter().cloned());
        }
        Ok(Outgoing { headers: HeaderEdits { remove, set }, body })
    }

    /// The client's request in the provider's format.
    fn write(&mut self, body: &[u8]) -> Result<Written, Error> {
        let text = core::str::from_utf8(body).unwrap_or_default();
        let format = self.plan.inquiry.format();
        if let Some(task) = self.plan.inquiry.task() {
            return task.write(self.upstream(), text, &self.aim());
        }
        let mut request = format.read(text)?;
        if self.plan.forgets() {
            request.forget();
        }
        request.settle()?;
        let written = self.upstream().write(&request, &self.aim());
        let mut written = written.map_err(|error| Error {
            param: error.param.map(|field| format.name_of(&field).into_owned().into()),
            ..error
        })?;
        request.unplaced.iter().for_each(|name| written.dropped.note(name));
        self.echo = format.echo(text);
        Ok(written)
    }

    fn aim(&self) -> Aim<'_> {
        let Target { account, model, max_output_tokens, .. } = &self.target;
        let forgets = self.plan.forgets();
        let pruning = account.vendor.foreign.pruning(self.plan.inquiry.request.history);
        let habits = Habits {
            takes_stream_options: account.takes_stream_options,
            max_tokens: account.vendor.max_tokens,
            pruning: if forgets { Some(true) } else { pruning },
            thoughts: if forgets { Thoughts::Nobody } else { account.vendor.thoughts() },
        };
        Aim { model, max_output_tokens: *max_output_tokens, exchange: &self.plan.inquiry.exchange, habits }
    }

    /// This target cannot do what is asked for.
    #[must_use]
    pub fn refuse(&self, error: &Error, now: Duration) -> Next {
        self.plan.fail(Failure { cause: Cause::Unable, ..Failure::of(error, self.plan.inquiry.shape) }, now)
    }

    /// The answer's head has come; `end` says that there is no body.
    #[must_use]
    pub fn answer(self, status: u16, headers: Headers<'_>, end: bool, clock: &dyn Clock) -> Progress {
        // To ask the time is a call of the host.
        if self.plan.is_audited() {
            self.plan.note_head(clock.now());
        }
        let mut edits = HeaderEdits::default();
        let is_forged = |name: &[u8]| {
            name.starts_with(b"x-") && (name.starts_with(b"x-dragoman-") || name.starts_with(b"x-envoy-"))
        };
        let unwanted = headers.names_if(|name| PRIVATE.find(name).is_some() || is_forged(name));
        let known = |name: &str| PRIVATE.find(name.as_bytes()).map(Name::Borrowed);
        edits.remove.extend(unwanted.map(|name| known(name).unwrap_or_else(|| Name::Owned(name.into()))));
        // What passes as it came tells them in its own words, unless the caller is told of others.
        let is_mapped = !self.is_native() || self.plan.has_own_limits();
        let provided = is_mapped.then(|| self.upstream().rate_limits(headers, clock));
        limits::tell(&mut edits, headers, &self.plan, provided.unwrap_or_default());
        let content_type = headers.get("content-type").unwrap_or_default();
        let is_whole = matches!(status, 200..=299) && !starts(content_type, EVENTS);
        let sealing = self.seal().filter(|_| is_whole).map(|seal| Box::new(Sealing::new(seal)));
        if sealing.is_some() {
            edits.remove.push(Name::Borrowed("content-length"));
        }
        let start = match self.plan.inquiry.own() {
            None => self.hold(status, headers, clock),
            Some(own) => self.hold_as_is(own, status, headers),
        };
        let body = match start {
            Start::Held(body) => body,
            Start::Going(rest) => {
                let now = clock.now();
                let head = Head { attempt: self, status, edits, sealing, retry_after: None, now };
                return head.pass(Chunk::Keep, rest);
            }
        };
        if matches!(body, HeldBody::Stream(_)) {
            if headers.get("content-length").is_some() {
                edits.remove.push(Name::Borrowed("content-length"));
            }
            if !self.is_native() {
                edits.set.push((Name::Borrowed("content-type"), "text/event-stream".into()));
            }
        }
        let retry_after = retry_after(headers);
        let now = self.plan.made_at();
        let held = Held { head: Head { attempt: self, status, edits, sealing, retry_after, now }, body };
        if end { held.end_without_body(clock) } else { Progress::Held(held) }
    }

    fn hold(&self, status: u16, headers: Headers<'_>, clock: &dyn Clock) -> Start {
        let unusable = |what| Start::Held(HeldBody::Unusable(self.error(what), Cause::Unusable));
        match status {
            200..=299 => {}
            401 | 403 if !self.target.account.is_callers => {
                return Start::Held(HeldBody::Unusable(self.error(REFUSED_CREDENTIAL), Cause::Credential));
            }
            400..=599 => return Start::Held(HeldBody::Refusal(Vec::new())),
            _ => return unusable("answered with a redirect or an unknown status"),
        }
        if !headers.get("content-encoding").unwrap_or(b"identity").eq_ignore_ascii_case(b"identity") {
            return unusable("sent a compressed answer that was not asked for");
        }
        let content_type = headers.get("content-type").unwrap_or_default();
        let says = |word: &[u8]| {
            content_type.is_empty() || content_type.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
        };
        let native = self.plan.inquiry.native().filter(|_| self.is_native());
        // What is no chat may be streamed for other reasons than `stream`, or not be read at all; what is translated is whole.
        let task = self.plan.inquiry.task();
        let is_task_stream = native.is_some() && starts(content_type, EVENTS);
        let is_stream = task.map_or(self.plan.inquiry.request.stream, |_| is_task_stream);
        Start::Held(match (is_stream, native) {
            (true, Some(native)) if says(EVENTS) => HeldBody::Stream(self.passthrough(native)),
            (true, Some(_)) if says(b"json") => HeldBody::Mislabelled(Vec::new()),
            (true, None) if says(self.upstream().framing().1.as_bytes()) => HeldBody::Stream(self.translation(clock)),
            (true, _) => return unusable(NO_STREAM),
            (false, _) if task.is_some_and(|task| !task.is_read(&content_type.to_ascii_lowercase())) => {
                return Start::Going(FlowBody::unread(&content_type.to_ascii_lowercase()));
            }
            (false, Some(native)) if says(b"json") => HeldBody::Whole(Scanner::new(native.wanted()), Vec::new()),
            (false, None) if says(b"json") => HeldBody::Foreign(Vec::new(), self.identity(clock)),
            (false, _) => return unusable("sent an answer that is not JSON"),
        })
    }

    fn upstream(&self) -> &'static dyn Upstream {
        self.target.provider.spec.dialect
    }

    /// Whether client and provider speak the same format.
    fn is_native(&self) -> bool {
        let Target { account, provider, model, .. } = &self.target;
        let inquiry = &self.plan.inquiry;
        inquiry.own().is_some() || account.speaks(provider.spec, inquiry.format(), model)
    }

    fn passthrough(&self, native: &dyn Native) -> Passage {
        let Inquiry { request, shape, .. } = &self.plan.inquiry;
        let conduit = Passthrough::new(native.tap(), *shape, !request.wants_usage());
        Passage::new(&self.target, Framing::Events, self.sealed(Box::new(conduit)))
    }

    /// What seals the ids of what this target keeps for the caller; what is translated has none.
    fn seal(&self) -> Option<Seal> {
        let owner = self.plan.inquiry.owner.as_ref().filter(|_| self.is_native())?;
        self.target.account.seal(owner)
    }

    fn sealed(&self, conduit: Box<dyn Conduit>) -> Box<dyn Conduit> {
        match self.seal() {
            Some(seal) => Box::new(Sealed::new(conduit, seal)),
            None => conduit,
        }
    }

    fn translation(&self, clock: &dyn Clock) -> Passage {
        let upstream = self.upstream();
        let provider = &self.target.provider;
        let wants_usage = self.plan.inquiry.request.wants_usage();
        let conduit =
            Translation::new(upstream, self.plan.inquiry.format(), &provider.name, self.identity(clock), wants_usage);
        Passage::new(&self.target, upstream.framing().0, Box::new(conduit))
    }

    fn identity(&self, clock: &dyn Clock) -> Identity {
        Identity {
            exchange: self.plan.inquiry.exchange.clone(),
            created: clock.epoch_seconds(),
            model: String::from(&*self.target.model),
            echo: self.echo.clone(),
        }
    }

    fn error(&self, what: &str) -> Error {
        Error::new(Kind::BadUpstream, format!("The provider `{}` {what}.", self.target.provider.name))
    }
}

/// Whether a media type begins so.
fn starts(media_type: &[u8], with: &[u8]) -> bool {
    media_type.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with))
}

/// How long a provider asks to be left alone. Its dates are not read: nobody who sends them is known, and they would be as
/// right as two clocks are.
fn retry_after(headers: Headers<'_>) -> Option<Duration> {
    let number = |name: &str| headers.text(name).and_then(|text| text.trim().parse::<f64>().ok());
    let seconds = number("retry-after-ms").map(|millis| millis / 1000.0).or_else(|| number("retry-after"));
    seconds
        .filter(|seconds| *seconds >= 0.0)
        .map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// The names that a header can list, as the client's format has them: some are the client's own. `*` says that there are others.
fn tellable(dropped: &Dropped, format: &dyn Downstream) -> Vec<String> {
    const MAX_NAMES: usize = 32;
    const MAX_LENGTH: usize = 64;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.[]*".contains(&byte);
    let is_name = |name: &&Cow<'_, str>| name.len() <= MAX_LENGTH && name.bytes().all(is_part);
    let mut names: Vec<Cow<'_, str>> = Vec::with_capacity(dropped.names().len());
    for name in dropped.names() {
        let own = format.name_of(name);
        if !names.contains(&own) {
            names.push(own);
        }
    }
    let mut told: Vec<String> =
        names.iter().filter(is_name).take(MAX_NAMES).map(|name| String::from(&**name)).collect();
    if told.len() < names.len() {
        told.push("*".into());
    }
    told
}
