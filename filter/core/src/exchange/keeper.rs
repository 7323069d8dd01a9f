//! Who is asked about an answer that is kept (`/responses/{id}` and what is behind it), and who can go on from one: the account that has
//! given it, which its id says ([`crate::seal`]).
//!
//! What else a provider keeps, such as conversations, has an id of its own, which says nothing. Where a request relies on such, it is
//! always the same account that is asked, in the order in which one is [picked](super::pick) for what has no model.

use alloc::{rc::Rc, vec::Vec};

use crate::{
    auth::Caller,
    dialect::head::ChatRequest,
    direct,
    error::{Error, Kind},
    gateway::{Gateway, Provider},
    plan::Target,
    route::Way,
    seal::{Opened, Owner, Unknown, opened},
    surface::{Endpoint, NEW, Route, answers},
};

/// The call of a request that is about an answer which is kept; any other is what it was.
///
/// # Errors
/// Nobody who can be asked has given it to this caller.
pub(super) fn keeper(
    gateway: &Gateway,
    caller: &Caller,
    (route, call): (Route<'_>, Option<direct::Call>),
    (method, path, query): (&str, &str, &str),
) -> Result<Option<direct::Call>, Error> {
    match (route, call) {
        (Route::Direct(_, rest), Some(call)) => own(call, caller, (method, rest, query)).map(Some),
        (Route::Api(way, Endpoint::Kept), None) => {
            on_way(gateway, caller, way, (method, route.behind(path), query)).map(Some)
        }
        (_, call) => Ok(call),
    }
}

/// The call about an answer that somebody on the way has given.
fn on_way(
    gateway: &Gateway,
    caller: &Caller,
    way: Way<'_>,
    (method, path, query): (&str, &str, &str),
) -> Result<direct::Call, Error> {
    let reach = gateway.routing.reach_of(caller, way, &gateway.catalogue);
    let providers = reach.as_deref().unwrap_or(&gateway.providers).iter();
    let providers = providers.filter(|provider| caller.check_provider(&provider.name).is_ok());
    let call = find(providers, caller, (method, path, query))?;
    call.ok_or_else(|| Unknown::Unkept.as_asked())
}

/// A call on a provider's own path, about the answer that it names.
fn own(call: direct::Call, caller: &Caller, (method, path, query): (&str, &str, &str)) -> Result<direct::Call, Error> {
    // What is posted there asks for an answer; nothing else does, not even for a list of all that are kept.
    let is_new = |answer| method == "POST" && NEW.contains(&answer);
    if call.answers().is_none_or(is_new) || caller.check_provider(&call.provider().name).is_err() {
        return Ok(call);
    }
    let found = find([call.provider()].into_iter(), caller, (method, path, query))?;
    Ok(found.unwrap_or(call))
}

/// The call about the answer that a path names, where one of these providers keeps any.
fn find<'a>(
    providers: impl Iterator<Item = &'a Rc<Provider>>,
    caller: &'a Caller,
    (method, path, query): (&str, &str, &str),
) -> Result<Option<direct::Call>, Error> {
    let answer = answers(path).unwrap_or_default();
    let (before, _) = path.split_at_checked(path.len().saturating_sub(answer.len())).unwrap_or_default();
    let (id, _) = answer.split_once('/').unwrap_or((answer, ""));
    let behind = answer.strip_prefix(id).unwrap_or_default();
    // What is behind an answer is its own (`/input_items`, `/cancel`), as long as nobody on the way reads it as a way out of it.
    if !behind.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'/' | b'_')) {
        return Err(Error::new(Kind::NotFound, "There is no such path behind an answer."));
    }
    let accounts = providers.flat_map(|provider| provider.usable_by(caller).map(move |account| (provider, account)));
    let found = opened(accounts, &Owner::of(caller), id).map_err(|unknown| unknown.as_asked())?;
    Ok(found.map(|Opened { what: provider, account, id }| {
        direct::Call::of(provider, method, &[before, &id, behind].concat(), query).of_kept(account)
    }))
}

/// Leaves the targets that have seen what a request on a router relies on.
///
/// # Errors
/// None of them has given the answer that it goes on from to this caller.
pub(super) fn narrow(
    gateway: &Gateway,
    (way, caller): (Way<'_>, &Caller),
    request: &mut ChatRequest,
    lists: [&mut Vec<Target>; 3],
) -> Result<(), Error> {
    let [targets, ..] = &lists;
    let keeper = if let Some(previous) = &mut request.previous {
        // Who is asked in another format says himself what he cannot do.
        let is_chat = !request.wishes.is_empty();
        let keepers = targets.iter().filter(|target| !is_chat || target.account.keeps_answers());
        let accounts = keepers.map(|target| ((), &target.account));
        let found = opened(accounts, &Owner::of(caller), &previous.id).map_err(|unknown| unknown.as_previous())?;
        let Some(Opened { account, id, .. }) = found else { return Ok(()) };
        previous.rename(id);
        Rc::clone(account)
    } else if request.wishes.relies_on_kept() {
        let reach = gateway.routing.reach_of(caller, way, &gateway.catalogue);
        let providers = reach.as_deref().unwrap_or(&gateway.providers);
        let place = |Target { provider, account, .. }: &&Target| {
            let accounts = &provider.accounts;
            let last = usize::MAX;
            (
                providers.iter().position(|other| Rc::ptr_eq(other, provider)).unwrap_or(last),
                accounts.iter().position(|other| Rc::ptr_eq(other, account)).unwrap_or(last),
            )
        };
        let Some(first) = targets.iter().min_by_key(place) else { return Ok(()) };
        Rc::clone(&first.account)
    } else {
        return Ok(());
    };
    for list in lists {
        list.retain(|target| Rc::ptr_eq(&target.account, &keeper));
    }
    Ok(())
}

/// The same where one provider is asked: the account that has seen it.
///
/// # Errors
/// It has not given the answer to this caller.
pub(super) fn go_on(
    gateway: &Gateway,
    direct: &mut direct::Request,
    request: &mut ChatRequest,
    caller: &Caller,
) -> Result<(), Error> {
    let Some(previous) = request.previous.as_mut().filter(|_| direct.is_about_answers()) else { return Ok(()) };
    let accounts = direct.accounts(&gateway.catalogue, caller).map(|account| ((), account));
    let found = opened(accounts, &Owner::of(caller), &previous.id).map_err(|unknown| unknown.as_previous())?;
    if let Some(Opened { account, id, .. }) = found {
        let keeper = Rc::clone(account);
        direct.go_on_at(keeper);
        previous.rename(id);
    }
    Ok(())
}
