//! One client request: the ingress state machine.
//!
//! head → who asks, what for, may they → body, scanned as it arrives → plan → forward. It never holds the body: the host
//! does. Each state holds exactly what that state has; a call that does not fit the state ends the exchange in an answer
//! that says so, it cannot panic.

use alloc::{boxed::Box, format, rc::Rc, string::String, vec, vec::Vec};
use core::{cell::RefCell, mem, time::Duration};

use crate::{
    auth::{Caller, Credential},
    body::Kept,
    dialect::openai_chat::{ChatRequest, OpenAiChat, scan_request},
    direct,
    error::{Error, Kind, Shape},
    gateway::{Gateway, Provider},
    headers::{Headers, PRIVATE_HEADERS},
    health::NameRef,
    host::{Clock, Surroundings},
    json::{Failure, Found, Scanner},
    plan::{CLUSTER_HEADER, Course, Inquiry, Mode, Next, Plan, Signpost},
    route::{Conditions, Planned, Query, Way, estimate},
    step::{HeaderEdits, Name, Reply, Step},
    surface::{Endpoint, Route},
    uri,
};

/// One client request.
#[derive(Debug)]
pub struct Exchange {
    gateway: Rc<Gateway>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing is known yet.
    Fresh,
    /// The head is accepted, the body is being read.
    Reading(Box<Reading>),
    /// The attempts own it.
    Forwarded(Rc<Plan>),
    /// The gateway answered by itself, or everything is over.
    Settled,
}

#[derive(Debug)]
struct Reading {
    caller: Caller,
    asks: Asks,
    query: String,
    /// Envoy's id of the request.
    exchange: String,
    shape: Shape,
    /// `None` where the body is nobody's business.
    scanner: Option<Result<Scanner, Failure>>,
    length: usize,
    body: Kept,
}

/// What is asked for.
#[derive(Debug)]
enum Asks {
    Chat(OwnWay),
    Direct(direct::Call),
}

/// A [`Way`] that outlives the path that it was read from.
#[derive(Debug)]
enum OwnWay {
    Default,
    Router(String),
    Ai,
}

/// Which models are asked about.
#[derive(Clone, Copy)]
struct Listing<'a> {
    /// The one, not decoded yet, or all.
    name: &'a str,
    query: &'a str,
    caller: &'a Caller,
    /// Only theirs.
    providers: Option<&'a [Rc<Provider>]>,
}

/// A response head on the client's stream, as far as it must be read to know whose it is.
pub trait Head {
    /// The status.
    fn status(&mut self) -> u16;
    /// Envoy's response code details.
    fn details(&mut self) -> String;
}

/// What a response head on the client's stream is.
#[derive(Debug)]
pub enum Arrival {
    /// An attempt, or the gateway itself, has seen to it.
    Judged,
    /// The provider's own, and nobody has: the attempt runs on this stream.
    Provider,
    /// Envoy's: the try has failed, and another follows.
    Again,
    /// Envoy's, which makes no more tries although there are others to be asked: this is to be answered instead.
    Abandoned(Reply),
    /// Envoy's, or one that could not be said where it was judged: this is to be answered instead.
    Instead(Reply),
}

/// Envoy's response code details of an answer that a provider gave.
const VIA_UPSTREAM: &str = "via_upstream";

/// Prefixes of headers that are the gateway's or Envoy's own: from a client they are forged.
const INTERNAL: &[&str] = &["x-dragoman-", "x-envoy-"];

impl Exchange {
    /// An exchange of which nothing is known yet.
    #[must_use]
    pub fn new(gateway: Rc<Gateway>) -> Self {
        Self { gateway, state: State::Fresh }
    }

    /// The request's head has come; `end` says that there is no body.
    pub fn request_head(&mut self, headers: Headers<'_>, end: bool, around: &Surroundings<'_>) -> Step {
        if !matches!(self.state, State::Fresh) {
            return self.request_end(headers, around);
        }
        let target = headers.text(":path").unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let route = Route::of(path, |name| self.gateway.provider(name).is_some());
        match self.read_head(headers, route, (path, query), end, around) {
            Ok(reading) => {
                self.state = State::Reading(Box::new(reading));
                if end { self.request_end(headers, around) } else { Step::Wait }
            }
            Err(reply) => {
                self.state = State::Settled;
                Step::Reply(reply)
            }
        }
    }

    /// A piece of the request's body has come.
    pub fn request_chunk(&mut self, piece: Vec<u8>) -> Option<Reply> {
        let State::Reading(reading) = &mut self.state else { return None };
        reading.length = reading.length.saturating_add(piece.len());
        if u64::try_from(reading.length).unwrap_or(u64::MAX) > self.gateway.max_body {
            let error = too_large(self.gateway.max_body).reply(reading.shape);
            self.state = State::Settled;
            return Some(error);
        }
        if let Some(Ok(scanner)) = &mut reading.scanner
            && let Err(failure) = scanner.feed(&piece)
        {
            reading.scanner = Some(Err(failure));
        }
        reading.body.push(piece);
        None
    }

    /// The request has come whole; `headers` are those of its head.
    pub fn request_end(&mut self, headers: Headers<'_>, around: &Surroundings<'_>) -> Step {
        match mem::replace(&mut self.state, State::Settled) {
            State::Reading(reading) => {
                let shape = reading.shape;
                match self.plan(*reading, headers, around) {
                    Ok((plan, edits)) => {
                        self.state = State::Forwarded(Rc::clone(&plan));
                        Step::Forward(plan, edits)
                    }
                    Err(error) => Step::Reply(error.reply(shape)),
                }
            }
            State::Fresh | State::Forwarded(_) | State::Settled => {
                let error =
                    Error::new(Kind::Misconfigured, "The request came in an order that the gateway does not know.");
                Step::Reply(error.reply(Shape::OpenAi))
            }
        }
    }

    /// A response head reaches the client's stream. Where no attempt made it, Envoy did, and the answer says the same in the
    /// caller's dialect.
    pub fn response_head(&mut self, head: &mut dyn Head, clock: &dyn Clock) -> Arrival {
        match mem::replace(&mut self.state, State::Settled) {
            State::Forwarded(plan) => {
                let arrival = arrival(&plan, head, clock);
                self.state = State::Forwarded(plan);
                arrival
            }
            State::Reading(reading) => {
                let status = head.status();
                if status == 413 {
                    // Envoy's own buffer is smaller than `max_body`.
                    return Arrival::Instead(too_large(self.gateway.max_body).reply(reading.shape));
                }
                let error = Error::new(Kind::InvalidRequest, "The request was ended before it was complete.");
                Arrival::Instead(Reply { status, ..error.reply(reading.shape) })
            }
            State::Fresh | State::Settled => Arrival::Judged,
        }
    }

    /// What the head says, or the answer that it already calls for.
    fn read_head(
        &self,
        headers: Headers<'_>,
        route: Route<'_>,
        (path, query): (&str, &str),
        end: bool,
        around: &Surroundings<'_>,
    ) -> Result<Reading, Reply> {
        let method = headers.text(":method").unwrap_or_default();
        let stripped = Credential::strip(query);
        let call = match route {
            Route::Direct(name, rest) => {
                self.gateway.provider(name).map(|provider| direct::Call::of(provider, rest, &stripped))
            }
            Route::Health | Route::Ready | Route::Models(..) | Route::Api(..) | Route::Unknown => None,
        };
        let shape = call.as_ref().map_or_else(|| Route::shape(path), direct::Call::shape);
        let refuse = |kind, message: String| Error::new(kind, message).reply(shape);
        match route {
            Route::Unknown => return Err(refuse(Kind::NotFound, format!("There is no {path} here."))),
            Route::Health if is_read(method) => return Err(Reply::json(200, br#"{"status":"ok"}"#.to_vec())),
            Route::Ready if is_read(method) => return Err(self.ready()),
            Route::Health | Route::Ready | Route::Models(..) if !is_read(method) => {
                return Err(method_not_allowed(method, &["GET", "HEAD"], shape));
            }
            Route::Api(_, endpoint) if !endpoint.methods().contains(&method) => {
                return Err(method_not_allowed(method, endpoint.methods(), shape));
            }
            Route::Health | Route::Ready | Route::Models(..) | Route::Direct(..) | Route::Api(..) => {}
        }
        let admitted = self.gateway.keys.admit(Credential::of(headers, query), around.clock);
        let caller = admitted.map_err(|refusal| refuse(Kind::InvalidApiKey, refusal.message().into()))?;
        if let Route::Models(way, _) | Route::Api(way, _) = route
            && let Way::Router(name) = way
            && !self.gateway.routing.has_router(name)
        {
            return Err(refuse(Kind::NotFound, format!("There is no router `{name}` here.")));
        }
        let media = media_type(headers).map_err(|error| error.reply(shape))?;
        let (asks, scanner) = match (route, call) {
            (_, Some(call)) => {
                if let Some(name) = call.listing(method, &caller) {
                    let own = Listing { name, query, caller: &caller, providers: Some(&[Rc::clone(call.provider())]) };
                    return Err(self.models(&own, shape));
                }
                let is_json = (!end).then_some(media == Media::Json);
                call.check(&caller, method, is_json).map_err(|error| error.reply(shape))?;
                let scanner = (is_json == Some(true)).then(|| Ok(call.scanner()));
                (Asks::Direct(call), scanner)
            }
            (Route::Models(way, name), None) => {
                let providers = match way {
                    Way::Default | Way::Ai => None,
                    Way::Router(router) => self.gateway.routing.reach(router, &self.gateway.catalogue),
                };
                let listing = Listing { name, query, caller: &caller, providers: providers.as_deref() };
                return Err(self.models(&listing, shape));
            }
            (Route::Api(_, Endpoint::LiveMetrics), None) => return Err(live_metrics(&caller, around)),
            (Route::Api(way, Endpoint::ChatCompletions), None) => {
                let way = match way {
                    Way::Default => OwnWay::Default,
                    Way::Router(name) => OwnWay::Router(name.into()),
                    Way::Ai => OwnWay::Ai,
                };
                media.check().map_err(|error| error.reply(shape))?;
                (Asks::Chat(way), Some(Ok(scan_request())))
            }
            (Route::Health | Route::Ready | Route::Unknown | Route::Direct(..) | Route::Api(..), None) => {
                let message = format!("{path} is not served by this version of the gateway.");
                return Err(refuse(Kind::NotImplemented, message));
            }
        };
        let announced = headers.text("content-length").and_then(|length| length.parse::<u64>().ok());
        if announced.is_some_and(|length| length > self.gateway.max_body) {
            return Err(too_large(self.gateway.max_body).reply(shape));
        }
        let exchange = headers.text("x-request-id").unwrap_or_default().replace('-', "");
        Ok(Reading { caller, asks, query: stripped, exchange, shape, scanner, length: 0, body: Kept::default() })
    }

    /// The models, or the one of this name.
    fn models(&self, listing: &Listing<'_>, shape: Shape) -> Reply {
        let Listing { name, query, caller, providers } = *listing;
        let catalogue = &self.gateway.catalogue;
        if name.is_empty() {
            return Reply::json(200, catalogue.list(caller, query, providers));
        }
        let found = uri::decode(name).and_then(|name| catalogue.retrieve(&name, caller, providers));
        found.map_or_else(
            || {
                let message = format!("There is no model {name}, or this key may not use it.");
                Error::new(Kind::ModelNotFound, message).blaming("model").reply(shape)
            },
            |model| Reply::json(200, model),
        )
    }

    fn ready(&self) -> Reply {
        if self.gateway.is_ready() {
            return Reply::json(200, br#"{"status":"ready"}"#.to_vec());
        }
        Reply::json(503, br#"{"status":"no provider is configured"}"#.to_vec())
    }

    fn plan(
        &self,
        reading: Reading,
        headers: Headers<'_>,
        around: &Surroundings<'_>,
    ) -> Result<(Rc<Plan>, HeaderEdits), Error> {
        let Reading { caller, asks, query, exchange, shape, scanner, length, body } = reading;
        let scanned = scanner.map(|scanner| scanner.and_then(Scanner::finish));
        let (body, now) = (RefCell::new(body), around.clock.now());
        let mut edits = strip(headers);
        let way = match asks {
            Asks::Chat(way) => way,
            Asks::Direct(call) => {
                edits.set.extend(missing_headers(headers, call.headers()));
                let (direct, request) = call.read(scanned.filter(|_| length > 0), length)?;
                let target = direct.target(&self.gateway.catalogue, &caller)?;
                let course = Course { targets: vec![target], ..Course::default() };
                let direct = Some(direct);
                let inquiry = Inquiry { request, body, downstream: &OpenAiChat, exchange, shape, query, direct };
                let policy = Rc::clone(self.gateway.routing.policy_of_one());
                let plan = Plan::new(inquiry, course, policy, around.observer, now);
                self.steer(&plan, now, &mut edits);
                return Ok((Rc::new(plan), edits));
            }
        };
        let request = ChatRequest::read(scanned.unwrap_or_else(|| Ok(Found::default())), length)?;
        let target = headers.text(":path").unwrap_or_default();
        let (path, full_query) = target.split_once('?').unwrap_or((target, ""));
        let view = around.observer.view(around.clock);
        let asked = Query {
            caller: &caller,
            endpoint: Endpoint::ChatCompletions,
            path,
            headers,
            model: request.model.as_deref(),
            stream: request.stream,
            has_tools: request.contents.has_tools,
            has_images: request.contents.images > 0,
            user: request.user.as_deref(),
            input_tokens: estimate::tokens(request.contents.text_length, request.contents.images),
            max_output_tokens: request.max_output_tokens,
        };
        let conditions = Conditions { observed: &view, entropy: around.entropy, clock: around.clock };
        let gateway = &self.gateway;
        let planned = gateway.routing.plan(&gateway.catalogue, way.way(), &asked, &conditions)?;
        let Planned { mut targets, policy, on_context, on_content, .. } = planned;
        view.claim(&mut targets);
        if query.len() != full_query.len() {
            let mark = if query.is_empty() { "" } else { "?" };
            edits.set.push((Name::Borrowed(":path"), [path, mark, &query].concat()));
        }
        let inquiry = Inquiry { request, body, downstream: &OpenAiChat, exchange, shape, query, direct: None };
        let course = Course { targets, on_context, on_content };
        let plan = Plan::new(inquiry, course, policy, around.observer, now);
        self.steer(&plan, now, &mut edits);
        Ok((Rc::new(plan), edits))
    }

    /// What Envoy's router must know of the plan. Under a route that was rendered for it most is known already.
    fn steer(&self, plan: &Plan, now: Duration, edits: &mut HeaderEdits) {
        let Some(first) = plan.first() else { return };
        let mut set = |name: &'static str, value: String| edits.set.push((Name::Borrowed(name), value));
        let milliseconds = |duration: Duration| format!("{}", duration.as_millis());
        let is_flex = plan.inquiry.request.flex;
        let is_foreign = first.provider.signpost != Signpost::Property;
        let tries = if plan.mode == Mode::Native { plan.most_tries() } else { 1 };
        // The time-out of all tries is one: the longest that any of them may need.
        let first_byte = if tries > 1 { plan.longest_patience() } else { plan.patience(&first, now) };
        // The cluster's own bound is `total`, which may well be shorter than the patience that the flex tier needs.
        let total = first.provider.total;
        let longest = if is_flex { first.provider.flex.saturating_add(total) } else { total };
        if is_foreign {
            set(CLUSTER_HEADER, plan.cluster(&first).into());
            // Envoy's own default, 15 s, would cut most answers.
            set("x-envoy-upstream-rq-timeout-ms", milliseconds(longest));
        }
        // A route that somebody else wrote may well retry.
        if is_foreign || tries > 1 {
            set("x-envoy-max-retries", format!("{}", tries.saturating_sub(1)));
        }
        if is_foreign || first_byte != self.gateway.default_first_byte {
            set("x-envoy-upstream-rq-per-try-timeout-ms", milliseconds(first_byte));
        }
        if is_flex {
            set("x-envoy-upstream-stream-duration-ms", milliseconds(longest));
        }
        // Only a change of the head makes Envoy look for the route again.
        if edits.remove.is_empty() && edits.set.is_empty() {
            edits.set.push((Name::Borrowed("x-envoy-max-retries"), "0".into()));
        }
    }
}

impl OwnWay {
    fn way(&self) -> Way<'_> {
        match self {
            Self::Default => Way::Default,
            Self::Router(name) => Way::Router(name),
            Self::Ai => Way::Ai,
        }
    }
}

/// What is known of the targets that a caller may use.
fn live_metrics(caller: &Caller, around: &Surroundings<'_>) -> Reply {
    let is_shown = |name: NameRef<'_>| caller.may_use(name.provider, name.model);
    Reply::json(200, around.observer.report(around.clock.epoch_millis(), is_shown))
}

/// Whose the answer to a request is that was sent on.
fn arrival(plan: &Plan, head: &mut dyn Head, clock: &dyn Clock) -> Arrival {
    if let Some(reply) = plan.take_deferred() {
        return Arrival::Instead(reply);
    }
    if plan.is_settled() {
        return Arrival::Judged;
    }
    let status = head.status();
    let is_dispatch = plan.mode == Mode::Dispatch;
    // Envoy's own answers are all errors, and have their reasons.
    if is_dispatch && matches!(status, 1..400) {
        return Arrival::Provider;
    }
    let details = head.details();
    if is_dispatch && details == VIA_UPSTREAM {
        return Arrival::Provider;
    }
    // Without a reason it is the attempt's own, made where it could not find the plan.
    if details.is_empty() {
        return Arrival::Judged;
    }
    // Behind its router Envoy has made all the tries that it will make.
    match plan.lost(status, &details, clock.now()) {
        Next::Try if is_dispatch => Arrival::Again,
        Next::Try => Arrival::Abandoned(plan.verdict()),
        Next::Nobody => Arrival::Instead(plan.verdict()),
    }
}

/// The removals that every request needs, for the headers that it has.
fn strip(headers: Headers<'_>) -> HeaderEdits {
    let is_private =
        |name: &&str| PRIVATE_HEADERS.contains(name) || INTERNAL.iter().any(|prefix| name.starts_with(prefix));
    let mut remove: Vec<Name> = Vec::new();
    for name in headers.names().filter(is_private) {
        if !remove.iter().any(|removed| removed == name) {
            remove.push(
                PRIVATE_HEADERS
                    .iter()
                    .find(|known| **known == name)
                    .map_or_else(|| Name::Owned(name.into()), |known| Name::Borrowed(known)),
            );
        }
    }
    HeaderEdits { remove, set: Vec::new() }
}

/// What the format asks for and the client leaves out.
fn missing_headers(headers: Headers<'_>, wanted: &[(&'static str, &str)]) -> impl Iterator<Item = (Name, String)> {
    let missing = wanted.iter().filter(move |(name, _)| headers.get(name).is_none());
    missing.map(|(name, value)| (Name::Borrowed(name), (*value).into()))
}

/// What a body says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Media {
    Json,
    Other,
}

impl Media {
    fn check(self) -> Result<(), Error> {
        match self {
            Self::Json => Ok(()),
            Self::Other => Err(unsupported("The body must be JSON: send `Content-Type: application/json`.")),
        }
    }
}

fn unsupported(message: &str) -> Error {
    Error::new(Kind::UnsupportedMediaType, message)
}

/// What a body is; one that does not say it is JSON.
fn media_type(headers: Headers<'_>) -> Result<Media, Error> {
    if headers.get("content-encoding").is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
        return Err(unsupported("Compressed request bodies are not accepted; send the JSON as it is."));
    }
    let Some(content_type) = headers.get("content-type") else { return Ok(Media::Json) };
    let essence = content_type.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    let is_json = essence.eq_ignore_ascii_case(b"application/json") || essence.to_ascii_lowercase().ends_with(b"+json");
    Ok(if is_json { Media::Json } else { Media::Other })
}

/// The refusal of a body that is larger than this.
#[must_use]
pub fn too_large(max_body: u64) -> Error {
    Error::new(
        Kind::RequestTooLarge,
        format!("The body is larger than the {max_body} bytes that this gateway accepts."),
    )
}

fn method_not_allowed(method: &str, allowed: &[&str], shape: Shape) -> Reply {
    let allowed = allowed.join(", ");
    let message = format!("{method} is not allowed here; use {allowed}.");
    Error::new(Kind::MethodNotAllowed, message).reply(shape).with("allow", allowed)
}

fn is_read(method: &str) -> bool {
    matches!(method, "GET" | "HEAD")
}
