//! From a request that is known whole to a plan, and to what is changed in the request's head for it.

use alloc::{rc::Rc, vec, vec::Vec};
use core::cell::RefCell;

use super::{
    admission::{Asks, OwnWay, Reading},
    limiting::{Refused, limit},
    steer::{OF_FORMATS, missing_headers, of_format, steer, strip},
};
use crate::{
    auth::Caller,
    dialect::{Downstream, head::ChatRequest, openai_chat::OpenAiChat},
    direct,
    error::{Error, Kind},
    gateway::Gateway,
    headers::Headers,
    host::Surroundings,
    json::{Found, Scanner},
    plan::{Course, Inquiry, Plan},
    retry::Policy,
    route::{Conditions, Planned, Query, estimate},
    step::{HeaderEdits, Name},
    surface::Endpoint,
};

/// Whom to ask for what has been read, and in which words.
///
/// # Errors
/// A body that is no request, a request that nobody may or can be asked for, and one that no limit lets in.
pub(super) fn plan(
    gateway: &Rc<Gateway>,
    reading: Reading,
    headers: Headers<'_>,
    around: &Surroundings<'_>,
) -> Result<(Rc<Plan>, HeaderEdits), Refused> {
    let Reading { caller, brought, asks, query, exchange, shape, scanner, length, body } = reading;
    let scanned = scanner.map(|scanner| scanner.and_then(Scanner::finish));
    let is_translated = matches!(asks, Asks::Chat(_, endpoint, _) if endpoint != Endpoint::TokenCount);
    let others = if is_translated { OF_FORMATS } else { &[] };
    let mut edits = strip(headers, others);
    let mut own_headers = Vec::new();
    let (asker, request, format, direct, course, policy): (_, _, &dyn Downstream, _, _, _) = match asks {
        Asks::Direct(call) => {
            edits.set.extend(missing_headers(headers, call.headers()));
            let (direct, request) = call.read(scanned.filter(|_| length > 0), length)?;
            check_others(&request, &caller)?;
            let target = direct.target(&gateway.catalogue, &caller)?;
            let course = Course { targets: vec![target], ..Course::default() };
            let policy = Rc::clone(gateway.routing.policy_of_one());
            ((caller, None), request, &OpenAiChat, Some(direct), course, policy)
        }
        Asks::Chat(way, endpoint, format) => {
            let scanned = scanned.unwrap_or_else(|| Ok(Found::default()));
            let counted = if is_translated { None } else { Some(scanned.clone()) };
            let request = format.scheme().read(scanned, length)?;
            check_others(&request, &caller)?;
            let caller = brought.claim(gateway, caller, request.model.as_deref())?;
            let target = headers.text(":path").unwrap_or_default();
            let (path, full_query) = target.split_once('?').unwrap_or((target, ""));
            let (mut course, policy) =
                route(gateway, (&way, endpoint, format), &caller, &request, (headers, path), around)?;
            if query.len() != full_query.len() {
                let mark = if query.is_empty() { "" } else { "?" };
                edits.set.push((Name::Borrowed(":path"), [path, mark, &query].concat()));
            }
            if let Some(scanned) = counted {
                let (direct, request) = count(&mut course, format, &query)?.read(Some(scanned), length)?;
                edits.set.extend(missing_headers(headers, direct.headers()));
                ((caller, way.router()), request, format, Some(direct), course, policy)
            } else {
                own_headers = of_format(headers, format);
                ((caller, way.router()), request, format, None, course, policy)
            }
        }
    };
    let now = around.clock.now();
    let body = RefCell::new(body);
    let inquiry = Inquiry { request, body, downstream: format, exchange, shape, query, headers: own_headers, direct };
    let mut plan = Plan::new(inquiry, course, policy, around.observer, now);
    limit(&mut plan, gateway, asker, now, around)?;
    steer(gateway, &plan, now, &mut edits);
    Ok((Rc::new(plan), edits))
}

/// A key that is for certain models has said which one it wants: what else a provider may take for the name of one would be sent
/// unseen.
fn check_others(request: &ChatRequest, caller: &Caller) -> Result<(), Error> {
    if !request.contents.names_others || !caller.is_limited_to_models() {
        return Ok(());
    }
    let message = "This key is for certain models, and this request may name others than its `model`: in `models`, in \
                   `fallbacks`, in a tool or the like.";
    Err(Error::new(Kind::PermissionDenied, message))
}

/// The count of a message's tokens is a call of its provider's own, and only who speaks the format has it.
fn count(course: &mut Course, format: &dyn Downstream, query: &str) -> Result<direct::Call, Error> {
    let Course { targets, on_context, on_content, .. } = course;
    targets.retain(|target| target.provider.spec.dialect.name() == Downstream::name(format));
    targets.truncate(1);
    on_context.clear();
    on_content.clear();
    let message = "Nobody who can be asked for this model counts tokens in this way.";
    let target = targets.first().ok_or_else(|| Error::new(Kind::NotImplemented, message))?;
    Ok(direct::Call::of(&target.provider, "POST", "v1/messages/count_tokens", query))
}

/// Who can be asked for a chat, in which order.
fn route(
    gateway: &Gateway,
    (way, endpoint, format): (&OwnWay, Endpoint, &'static dyn Downstream),
    caller: &Caller,
    request: &ChatRequest,
    (headers, path): (Headers<'_>, &str),
    around: &Surroundings<'_>,
) -> Result<(Course, Rc<Policy>), Error> {
    let contents = &request.contents;
    let asked = Query {
        caller,
        endpoint,
        path,
        headers,
        model: request.model.as_deref(),
        stream: request.stream,
        has_tools: contents.has_tools,
        has_images: contents.images > 0,
        wishes: (request.wishes, format),
        user: request.user.as_deref(),
        input_tokens: estimate::tokens(contents.text_length, contents.images),
        max_output_tokens: request.bounds.max_tokens,
    };
    let view = around.observer.view(around.clock);
    let conditions = Conditions { observed: &view, entropy: around.entropy, clock: around.clock };
    let planned = gateway.routing.plan(&gateway.catalogue, way.way(), &asked, &conditions);
    let planned = planned.map_err(|error| Error {
        param: error.param.map(|field| format.name_of(&field).into_owned().into()),
        ..error
    })?;
    let passed_over = planned.passed_over();
    let Planned { mut targets, policy, on_context, on_content, .. } = planned;
    let probe = view.claim(&mut targets, around.entropy);
    Ok((Course { targets, on_context, on_content, passed_over, probe }, policy))
}
