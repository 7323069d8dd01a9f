//! From a request that is known whole to a plan, and to what is changed in the request's head for it.

use alloc::{boxed::Box, rc::Rc, string::String, vec};
use core::cell::RefCell;

use super::{
    admission::{Asks, OwnWay, Reading},
    brief::Brief,
    keeper,
    limiting::{Refused, limit},
    pick,
    reuse::reuse,
    steer::{OF_FORMATS, missing_headers, of_format, steer, strip},
};
use crate::{
    audit::{By, Decision},
    auth::{Caller, Key},
    change::Standing,
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
    route::{Conditions, Planned, Query, Way, What, estimate},
    seal::Owner,
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
    reading: Box<Reading>,
    brief: &mut Brief,
    headers: Headers<'_>,
    around: &Surroundings<'_>,
) -> Result<(Rc<Plan>, HeaderEdits), Refused> {
    brief.decision = gateway.is_audited.then(Box::default);
    let Reading { caller, brought, asks, query, exchange, shape, scanner, length, body, visit } = *reading;
    let scanned = scanner.map(|scanner| scanner.and_then(Scanner::finish));
    let others = if matches!(asks, Asks::Direct(..)) { &[] } else { OF_FORMATS };
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
            ask_one((gateway, brief), call, (caller, router), (scanned.filter(|_| length > 0), length))?
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
                ask_one((gateway, brief), call, (caller, router), (Some(Ok(found)), length))?
            } else {
                let mut request = TASKS.read(Ok(found), length)?;
                brief.read(&request);
                check_others(&request, &caller)?;
                let caller = brought.claim(gateway, caller, request.model.as_deref())?;
                let what = (&way, endpoint, What::Task(&task));
                let (course, policy) = route((gateway, &mut *brief), what, &caller, &mut request, seen, around)?;
                Asking { asker: (caller, router), request, subject: Asked::Task(task), course, policy }
            }
        }
        Asks::Chat(way, endpoint, format) => {
            let scanned = scanned.unwrap_or_else(|| Ok(Found::default()));
            let mut request = format.scheme().read(scanned, length)?;
            brief.read(&request);
            check_others(&request, &caller)?;
            let caller = brought.claim(gateway, caller, request.model.as_deref())?;
            let what = (&way, endpoint, What::Chat(request.wishes, format));
            let (mut course, policy) = route((gateway, &mut *brief), what, &caller, &mut request, seen, around)?;
            let headers = of_format(headers, format);
            let subject = if endpoint == Endpoint::TokenCount {
                keep_counting(&mut course, format, brief.decision.as_deref_mut())?;
                request.stream = false;
                Asked::Task(Task::counting(headers))
            } else {
                Asked::Chat { format, headers }
            };
            Asking { asker: (caller, way.router()), request, subject, course, policy }
        }
    };
    if request.is_background && !gateway.limits.is_empty() {
        let message =
            "An answer in the `background` tells its tokens to nobody who waits for it: there are limits here.";
        return Err(Error::new(Kind::PermissionDenied, message).blaming("background").into());
    }
    let now = around.clock.now();
    let body = RefCell::new(body);
    let owner = subject.is_about_answers().then(|| Owner::of(&asker.0));
    if let Some(owner) = &owner
        && request.contents.names_answer
        && [&course.targets, &course.on_context, &course.on_content]
            .into_iter()
            .flatten()
            .any(|target| target.account.seal(owner).is_some())
    {
        // With another's id in it, it would be answered with that id under a seal of who asks.
        let message = "What an answer is called is not for who asks for it to say: leave `request_id` out.";
        return Err(Error::refusing(message, "request_id").into());
    }
    let inquiry = Inquiry { owner, request, body, asked: subject, exchange, shape, query };
    // Where nobody may change anything, no key is revoked.
    let hash = asker.0.key().filter(|_| !gateway.admins.is_empty()).and_then(Key::hash);
    let standing = hash.map(|hash| Standing::new(hash, around.latest));
    let mut plan = Plan::new(inquiry, course, policy, around.observer, now).of(standing);
    if let Some(decision) = &mut brief.decision {
        plan.audit(decision);
    }
    let limited = limit(&mut plan, gateway, asker, now, around);
    if let (Err(_), Some(decision)) = (&limited, &mut brief.decision) {
        decision.full = plan.take_full();
    }
    limited?;
    if let Some(visit) = visit {
        reuse(&mut plan, *visit, now, around);
    }
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
    (gateway, brief): (&Gateway, &mut Brief),
    call: direct::Call,
    asker: (Caller, Option<String>),
    (scanned, length): (Option<Result<Found, Failure>>, usize),
) -> Result<Asking, Error> {
    let (mut direct, mut request) = call.read(scanned, length)?;
    brief.read(&request);
    check_others(&request, &asker.0)?;
    keeper::go_on(gateway, &mut direct, &mut request, &asker.0)?;
    let target = direct.target(&gateway.catalogue, &asker.0)?;
    if let Some(decision) = &mut brief.decision {
        (decision.by, decision.candidates) = (By::Provider, vec![target.clone()]);
    }
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

/// Leaves those who count tokens: who speaks the format does.
fn keep_counting(course: &mut Course, format: &dyn Downstream, decision: Option<&mut Decision>) -> Result<(), Error> {
    let Course { targets, on_context, on_content, .. } = course;
    targets.retain(|Target { account, provider, model, .. }| {
        account.speaks(provider.spec, format, model) || provider.spec.dialect.counter().is_some()
    });
    on_context.clear();
    on_content.clear();
    if let Some(decision) = decision {
        decision
            .narrow(&|target| targets.iter().any(|other| other.is(target)), "It does not count tokens in this way.");
    }
    let message = "Nobody who can be asked for this model counts tokens in this way.";
    if targets.is_empty() { Err(Error::new(Kind::NotImplemented, message)) } else { Ok(()) }
}

/// Who can be asked on a router, in which order.
fn route(
    (gateway, brief): (&Gateway, &mut Brief),
    (way, endpoint, what): (&OwnWay, Endpoint, What<'_>),
    caller: &Caller,
    request: &mut ChatRequest,
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
    let decision = brief.decision.as_deref_mut();
    let planned = gateway.routing.plan_noting(&gateway.catalogue, way.way(), &asked, &conditions, decision);
    let planned = planned.map_err(|error| Error {
        param: error.param.map(|field| match what {
            What::Chat(_, format) => format.name_of(&field).into_owned().into(),
            What::Task(_) => field,
        }),
        ..error
    })?;
    let passed_over = planned.passed_over();
    let Planned { mut targets, dropped, cooling, policy, mut on_context, mut on_content } = planned;
    if let Some(decision) = &mut brief.decision {
        (decision.candidates, decision.dropped, decision.cooling) = (targets.clone(), dropped, cooling);
    }
    if what.is_about_answers() {
        let lists = [&mut targets, &mut on_context, &mut on_content];
        keeper::narrow(gateway, (way.way(), caller), request, lists)?;
        if way.way() == Way::Ai {
            targets.truncate(1);
        }
        if let Some(decision) = &mut brief.decision {
            decision.narrow(
                &|target| targets.iter().any(|other| other.is(target)),
                "Another one has what the request relies on.",
            );
        }
    }
    let probe = view.claim(&mut targets, around.entropy);
    Ok((Course { targets, on_context, on_content, passed_over, probe }, policy))
}
