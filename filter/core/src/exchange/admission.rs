//! What a request's head says: who asks, for what, may they, and is the body one that is read.

use alloc::{boxed::Box, format, rc::Rc, string::String};

use super::{
    brought::{Brought, bring},
    keeper::keeper,
    listing::{Listing, live_metrics, models, ready},
    pick::{named, pick},
    reuse::visit,
};
use crate::{
    auth::{Caller, Credential, Key},
    body::Kept,
    cache::Visit,
    dialect::{Downstream, openai_chat::TASKS},
    direct,
    error::{Error, Kind, Shape},
    gateway::Gateway,
    headers::Headers,
    host::Surroundings,
    json::{Failure, Scanner},
    route::Way,
    step::Reply,
    surface::{Endpoint, GENERATIONS, Route, leads_away},
    uri,
};

/// A request whose head is accepted, while its body comes.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) caller: Caller,
    /// What it brings for a provider that is not known yet.
    pub(super) brought: Brought,
    pub(super) asks: Asks,
    pub(super) query: String,
    /// Envoy's id of the request.
    pub(super) exchange: String,
    pub(super) shape: Shape,
    /// `None` where the body is nobody's business.
    pub(super) scanner: Option<Result<Scanner, Failure>>,
    pub(super) length: usize,
    pub(super) body: Kept,
    /// What was kept may answer it.
    pub(super) visit: Option<Box<Visit>>,
}

impl Reading {
    /// Who asks, and by which router.
    pub(super) fn asker(&self) -> (Caller, Option<String>) {
        let router = match &self.asks {
            Asks::Chat(way, ..) | Asks::Task(way, ..) => way.router(),
            Asks::Direct(_, router) => router.clone(),
        };
        (self.caller.clone(), router)
    }
}

/// What is asked for.
#[derive(Debug)]
pub(super) enum Asks {
    Chat(OwnWay, Endpoint, &'static dyn Downstream),
    /// What is no chat, in JSON, on this path behind the version.
    Task(OwnWay, Endpoint, String),
    /// What one provider is asked, and by which router.
    Direct(direct::Call, Option<String>),
}

/// A [`Way`] that outlives the path that it was read from.
#[derive(Debug)]
pub(super) enum OwnWay {
    Default,
    Router(String),
    Ai,
}

impl OwnWay {
    pub(super) fn way(&self) -> Way<'_> {
        match self {
            Self::Default => Way::Default,
            Self::Router(name) => Way::Router(name),
            Self::Ai => Way::Ai,
        }
    }

    /// The router that is named.
    pub(super) fn router(&self) -> Option<String> {
        if let Self::Router(name) = self { Some(name.clone()) } else { None }
    }
}

impl From<Way<'_>> for OwnWay {
    fn from(way: Way<'_>) -> Self {
        match way {
            Way::Default => Self::Default,
            Way::Router(name) => Self::Router(name.into()),
            Way::Ai => Self::Ai,
        }
    }
}

/// What the head says, or the answer that it already calls for.
pub(super) fn admit(
    gateway: &Gateway,
    caller: Result<Caller, Error>,
    headers: Headers<'_>,
    route: Route<'_>,
    (path, query): (&str, &str),
    end: bool,
    around: &Surroundings<'_>,
) -> Result<Reading, Reply> {
    let method = headers.text(":method").unwrap_or_default();
    let route = if method == "GET" { route.of_kept() } else { route };
    let stripped = Credential::strip(query);
    let call = match route {
        Route::Direct(name, rest) => {
            gateway.provider(name).map(|provider| direct::Call::of(provider, method, rest, &stripped))
        }
        Route::Health | Route::Ready | Route::Models(..) | Route::Api(..) | Route::Unknown => None,
    };
    let shape = call.as_ref().map_or_else(|| route.shape(path), direct::Call::shape);
    let refuse = |kind, message: String| Error::new(kind, message).reply(shape);
    match route {
        Route::Unknown => return Err(refuse(Kind::NotFound, format!("There is no {path} here."))),
        Route::Health if is_read(method) => return Err(Reply::json(200, br#"{"status":"ok"}"#.to_vec())),
        Route::Ready if is_read(method) => return Err(ready(gateway)),
        Route::Health | Route::Ready | Route::Models(..) if !is_read(method) => {
            return Err(method_not_allowed(method, &["GET", "HEAD"], shape));
        }
        Route::Api(_, endpoint) if !endpoint.methods().contains(&method) => {
            return Err(method_not_allowed(method, endpoint.methods(), shape));
        }
        Route::Health | Route::Ready | Route::Models(..) | Route::Direct(..) | Route::Api(..) => {}
    }
    // Who has not said who he is learns nothing of who there is.
    let brought = caller.and_then(|caller| {
        let asked = match &call {
            Some(call) => Some(&**call.provider()),
            None if named_by_header(route, path) => named(gateway, headers)?.map(Rc::as_ref),
            None => None,
        };
        bring(gateway, caller, headers, asked)
    });
    let (caller, brought) = brought.map_err(|error| error.reply(shape))?;
    check(gateway, &caller, (method, route), (path, &stripped)).map_err(|error| error.reply(shape))?;
    let call =
        keeper(gateway, &caller, (route, call), (method, path, &stripped)).map_err(|error| error.reply(shape))?;
    let media = media_type(headers).map_err(|error| error.reply(shape))?;
    let (asks, scanner) = match (route, call) {
        (_, Some(call)) => {
            if let Some(name) = call.listing(method, &caller) {
                let own = Listing { name, query, caller: &caller, providers: Some(&[Rc::clone(call.provider())]) };
                return Err(models(gateway, &own, shape));
            }
            let is_json = (!end).then_some(media == Media::Json);
            call.check(&caller, method, is_json).map_err(|error| error.reply(shape))?;
            let scanner = (is_json == Some(true)).then(|| Ok(direct::Call::scanner()));
            (Asks::Direct(call, None), scanner)
        }
        (Route::Models(way, name), None) => {
            let providers = match way {
                Way::Default | Way::Ai => None,
                Way::Router(router) => gateway.routing.reach(router, &gateway.catalogue),
            };
            let listing = Listing { name, query, caller: &caller, providers: providers.as_deref() };
            return Err(models(gateway, &listing, shape));
        }
        (Route::Api(_, Endpoint::LiveMetrics), None) => return Err(live_metrics(gateway, &caller, around)),
        (Route::Api(way, endpoint), None) => {
            let is_json = (!end).then_some(media == Media::Json);
            let rest = route.behind(path);
            // What has no body that says whom to ask: the others read theirs.
            let is_ones = (method != "POST" || is_json != Some(true)) && rest != GENERATIONS;
            match (endpoint, endpoint.format()) {
                (_, Some(format)) => {
                    media.check().map_err(|error| error.reply(shape))?;
                    (Asks::Chat(way.into(), endpoint, format), Some(Ok(format.scheme().scanner())))
                }
                (Endpoint::Images | Endpoint::Other, _) if is_ones => {
                    let call = pick(gateway, &caller, way, headers)
                        .map(|provider| direct::Call::of(&provider, method, rest, &stripped))
                        .and_then(|call| call.check(&caller, method, is_json).map(|()| call));
                    let call = call.map_err(|error| error.reply(shape))?;
                    // JSON that is not posted is looked at as on a path of the provider's own.
                    let scanner = (is_json == Some(true)).then(|| Ok(direct::Call::scanner()));
                    (Asks::Direct(call, route.router().map(Into::into)), scanner)
                }
                (Endpoint::Embeddings | Endpoint::Images | Endpoint::Other, _) => {
                    media.check().map_err(|error| error.reply(shape))?;
                    (Asks::Task(way.into(), endpoint, rest.into()), Some(Ok(TASKS.scanner())))
                }
                _ => {
                    let message = format!("{path} is not served by this version of the gateway.");
                    return Err(refuse(Kind::NotImplemented, message));
                }
            }
        }
        (Route::Health | Route::Ready | Route::Unknown | Route::Direct(..), None) => {
            return Err(refuse(Kind::NotFound, format!("There is no {path} here.")));
        }
    };
    let announced = headers.text("content-length").and_then(|length| length.parse::<u64>().ok());
    let most = if scanner.is_some() { gateway.max_body } else { gateway.max_upload };
    if announced.is_some_and(|length| length > most) {
        return Err(too_large(most).reply(shape));
    }
    let mut exchange = String::from(headers.text("x-request-id").unwrap_or_default());
    exchange.retain(|character| character != '-');
    let visit = visit(gateway, (&caller, route), (path, &stripped), headers).map_err(|error| error.reply(shape))?;
    let body = Kept::default();
    Ok(Reading { caller, brought, asks, query: stripped, exchange, shape, scanner, length: 0, body, visit })
}

/// Checks what does not depend on what the path is for.
fn check(
    gateway: &Gateway,
    caller: &Caller,
    (method, route): (&str, Route<'_>),
    (path, query): (&str, &str),
) -> Result<(), Error> {
    let refuse = |kind, message: String| Err(Error::new(kind, message));
    if let Some((what, name)) = caller.key().and_then(|key| astray(gateway, key)) {
        return refuse(Kind::PermissionDenied, format!("The token names the {what} `{name}`, and there is none."));
    }
    if let Some(name) = route.router().filter(|name| !gateway.routing.has_router(name)) {
        return refuse(Kind::NotFound, format!("There is no router `{name}` here."));
    }
    let asked = if let Route::Direct(_, rest) = route { rest } else { route.behind(path) };
    if !gateway.limits.is_empty() && leads_away(asked) {
        let message = "This is answered with a credential or a session of the operator's own account, in which nothing would be \
                       counted: there are limits here.";
        return refuse(Kind::PermissionDenied, message.into());
    }
    if method == "POST" && query.split('&').any(hides_tokens) {
        let message = "`fields`, `callback` and any `alt` but `json` and `sse` are not passed on: they would take from the \
                       answer what it tells of its tokens.";
        return refuse(Kind::InvalidRequest, message.into());
    }
    Ok(())
}

/// Whether a header may name the provider of a request on a router.
fn named_by_header(route: Route<'_>, path: &str) -> bool {
    matches!(route, Route::Api(_, Endpoint::Images | Endpoint::Other)) && route.behind(path) != GENERATIONS
}

/// What a token names that the file does not have. Of keys the file itself is refused.
fn astray<'k>(gateway: &Gateway, key: &'k Key) -> Option<(&'static str, &'k str)> {
    let routing = key.routing.as_deref().filter(|name| !gateway.routing.has_named(name));
    // It would be without the team's budget.
    let is_missing = |name: &&str| !gateway.limits.has_team(name, gateway.environment.as_deref());
    let team = || key.team.as_deref().filter(is_missing);
    routing.map(|name| ("routing configuration", name)).or_else(|| Some(("team", team()?)))
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
            Self::Other => Err(Error::not_json()),
        }
    }
}

/// Whether a pair of a query is one by which Google's servers leave something out of an answer, or write it in another format:
/// <https://docs.cloud.google.com/apis/docs/system-parameters>. They answer in OpenAI's format, too, and not under their own names only.
fn hides_tokens(pair: &str) -> bool {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    uri::decode(name).is_none_or(|name| match name.strip_prefix('$').unwrap_or(&name) {
        "alt" => !matches!(value, "json" | "sse"),
        "callback" | "fields" => true,
        _ => false,
    })
}

/// What a body is; one that does not say it is JSON.
fn media_type(headers: Headers<'_>) -> Result<Media, Error> {
    if headers.get("content-encoding").is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
        let message = "Compressed request bodies are not accepted; send the JSON as it is.";
        return Err(Error::new(Kind::UnsupportedMediaType, message));
    }
    let Some(content_type) = headers.get("content-type") else { return Ok(Media::Json) };
    let essence = content_type.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    let is_json = essence.eq_ignore_ascii_case(b"application/json") || essence.to_ascii_lowercase().ends_with(b"+json");
    Ok(if is_json { Media::Json } else { Media::Other })
}

fn method_not_allowed(method: &str, allowed: &[&str], shape: Shape) -> Reply {
    let allowed = allowed.join(", ");
    let message = format!("{method} is not allowed here; use {allowed}.");
    Error::new(Kind::MethodNotAllowed, message).reply(shape).with("allow", allowed)
}

fn is_read(method: &str) -> bool {
    matches!(method, "GET" | "HEAD")
}

/// The refusal of a body that is larger than this.
#[must_use]
pub fn too_large(max_body: u64) -> Error {
    Error::new(
        Kind::RequestTooLarge,
        format!("The body is larger than the {max_body} bytes that this gateway accepts."),
    )
}
