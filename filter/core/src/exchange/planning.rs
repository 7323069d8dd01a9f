//! From a request that is known whole to a plan, and to what is changed in the request's head for it.

use alloc::{boxed::Box, rc::Rc, string::String, vec};
use core::cell::RefCell;

use super::{
    admission::{Asks, OwnWay, Reading},
    limiting::{Refused, limit},
    pick,
    steer::{OF_FORMATS, missing_headers, of_format, steer, strip},
};
use crate::{
    auth::Caller,
    dialect::{
        Downstream,
        head::{ChatRequest, names_no_model},
        openai_chat::TASKS,
    },
    direct,
    error::{Error, Kind},
    gateway::Gateway,
    headers::Headers,
    host::Surroundings,
    json::{Failure, Found, Scanner},
    plan::{Asked, Course, Inquiry, Plan, Target},
    retry::Policy,
    route::{Conditions, Planned, Query, What, estimate},
    step::{HeaderEdits, Name},
    surface::Endpoint,
    task::Task,
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
    let is_translated = match &asks {
        Asks::Chat(_, endpoint, _) => *endpoint != Endpoint::TokenCount,
        Asks::Task(..) => true,
        Asks::Direct(..) => false,
    };
    let others = if is_translated { OF_FORMATS } else { &[] };
    let mut edits = strip(headers, others);
    let target = headers.text(":path").unwrap_or_default();
    let (path, full_query) = target.split_once('?').unwrap_or((target, ""));
    if query.len() != full_query.len() && !matches!(asks, Asks::Direct(..)) {
        let mark = if query.is_empty() { "" } else { "?" };
        edits.set.push((Name::Borrowed(":path"), [path, mark, &query].concat()));
    }
    let seen = (headers, path);
    let Asking { asker, request, subject, course, policy } = match asks {
        Asks::Direct(call, router) => {
            brought.check()?;
            edits.set.extend(missing_headers(headers, call.headers()));
            ask_one(gateway, call, (caller, router), (scanned.filter(|_| length > 0), length))?
        }
        Asks::Task(way, endpoint, rest) => {
            let found = scanned.unwrap_or_else(|| Ok(Found::default())).map_err(|failure| TASKS.describe(failure))?;
            let task = Task::of(endpoint, &rest, &found);
            let router = way.router();
            // Where a path is not known to name its model there, a key for certain models may not use it.
            let is_known = direct::OPENAI.names_model(&rest) || !caller.is_limited_to_models();
            if task.is_other() && (names_no_model(&found) || !is_known || headers.get(pick::HEADER).is_some()) {
                brought.check()?;
                let provider = pick::pick(gateway, &caller, way.way(), headers)?;
                let call = direct::Call::of(&provider, "POST", &rest, &query);
                call.check(&caller, "POST", Some(true))?;
                ask_one(gateway, call, (caller, router), (Some(Ok(found)), length))?
            } else {
                let request = TASKS.read(Ok(found), length)?;
                check_others(&request, &caller)?;
                let caller = brought.claim(gateway, caller, request.model.as_deref())?;
                let what = (&way, endpoint, What::Task(&task));
                let (course, policy) = route(gateway, what, &caller, &request, seen, around)?;
                Asking { asker: (caller, router), request, subject: Asked::Task(task), course, policy }
            }
        }
        Asks::Chat(way, endpoint, format) => {
            let scanned = scanned.unwrap_or_else(|| Ok(Found::default()));
            let counted = if is_translated { None } else { Some(scanned.clone()) };
            let mut request = format.scheme().read(scanned, length)?;
            check_others(&request, &caller)?;
            let caller = brought.claim(gateway, caller, request.model.as_deref())?;
            let what = (&way, endpoint, What::Chat(request.wishes, format));
            let (mut course, policy) = route(gateway, what, &caller, &request, seen, around)?;
            let asker = (caller, way.router());
            if let Some(scanned) = counted {
                if let Some(call) = count(&mut course, format, &query)? {
                    let (direct, request) = call.read(Some(scanned), length)?;
                    edits.set.extend(missing_headers(headers, direct.headers()));
                    Asking { asker, request, subject: Asked::Own(Box::new(direct)), course, policy }
                } else {
                    edits.remove = strip(headers, OF_FORMATS).remove;
                    request.stream = false;
                    Asking { asker, request, subject: Asked::Task(Task::counting()), course, policy }
                }
            } else {
                let headers = of_format(headers, format);
                Asking { asker, request, subject: Asked::Chat { format, headers }, course, policy }
            }
        }
    };
    let now = around.clock.now();
    let body = RefCell::new(body);
    let inquiry = Inquiry { request, body, asked: subject, exchange, shape, query };
    let mut plan = Plan::new(inquiry, course, policy, around.observer, now);
    limit(&mut plan, gateway, asker, now, around)?;
    steer(gateway, &plan, now, &mut edits);
    Ok((Rc::new(plan), edits))
}

/// A request, and whom to ask for it.
struct Asking {
    /// Who asks, and by which router.
    asker: (Caller, Option<String>),
    request: ChatRequest,
    subject: Asked,
    course: Course,
    policy: Rc<Policy>,
}

/// What one provider is asked, once, as it is.
fn ask_one(
    gateway: &Gateway,
    call: direct::Call,
    asker: (Caller, Option<String>),
    (scanned, length): (Option<Result<Found, Failure>>, usize),
) -> Result<Asking, Error> {
    let (direct, request) = call.read(scanned, length)?;
    check_others(&request, &asker.0)?;
    let target = direct.target(&gateway.catalogue, &asker.0)?;
    let course = Course { targets: vec![target], ..Course::default() };
    let policy = Rc::clone(gateway.routing.policy_of_one());
    Ok(Asking { asker, request, subject: Asked::Own(Box::new(direct)), course, policy })
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

/// The count of a message's tokens is asked of the first who counts: as a call of the provider's own, if it speaks the format.
fn count(course: &mut Course, format: &dyn Downstream, query: &str) -> Result<Option<direct::Call>, Error> {
    let Course { targets, on_context, on_content, .. } = course;
    let speaks = |target: &Target| target.provider.spec.dialect.name() == Downstream::name(format);
    targets.retain(|target| speaks(target) || target.provider.spec.dialect.counter().is_some());
    targets.truncate(1);
    on_context.clear();
    on_content.clear();
    let message = "Nobody who can be asked for this model counts tokens in this way.";
    let target = targets.first().ok_or_else(|| Error::new(Kind::NotImplemented, message))?;
    Ok(speaks(target).then(|| direct::Call::of(&target.provider, "POST", "v1/messages/count_tokens", query)))
}

/// Who can be asked on a router, in which order.
fn route(
    gateway: &Gateway,
    (way, endpoint, what): (&OwnWay, Endpoint, What<'_>),
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
        what,
        user: request.user.as_deref(),
        input_tokens: estimate::tokens(contents.text_length, contents.images),
        max_output_tokens: request.bounds.max_tokens,
    };
    let view = around.observer.view(around.clock);
    let conditions = Conditions { observed: &view, entropy: around.entropy, clock: around.clock };
    let planned = gateway.routing.plan(&gateway.catalogue, way.way(), &asked, &conditions);
    let planned = planned.map_err(|error| Error {
        param: error.param.map(|field| match what {
            What::Chat(_, format) => format.name_of(&field).into_owned().into(),
            What::Task(_) => field,
        }),
        ..error
    })?;
    let passed_over = planned.passed_over();
    let Planned { mut targets, policy, on_context, on_content, .. } = planned;
    let probe = view.claim(&mut targets, around.entropy);
    Ok((Course { targets, on_context, on_content, passed_over, probe }, policy))
}
