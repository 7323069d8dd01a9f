//! Who asks, and in which environment: the one that the request names, else the one that its key is bound to, else none.
//!
//! The key comes first: whoever has none learns nothing of the environments that there are. Keys are the same in all of them; what a
//! key keeps for its caller may be used at another place in each.

use alloc::{format, rc::Rc};

use crate::{
    auth::{Caller, Credential},
    error::{Error, Kind},
    gateway::Gateway,
    headers::Headers,
    host::Surroundings,
};

/// The first counts.
const NAMES: [&str; 2] = ["x-dragoman-env", "x-chalk-env-id"];

/// The gateway as it is there, and its caller or why that is not let in.
pub(super) fn settle(
    gateway: &Rc<Gateway>,
    headers: Headers<'_>,
    query: &str,
    around: &Surroundings<'_>,
) -> (Rc<Gateway>, Result<Caller, Error>) {
    let admitted = gateway.keys.admit(Credential::of(headers, query), around.clock, around.metadata);
    let admitted = admitted.map_err(|refusal| Error::new(refusal.kind(), refusal.message()));
    let settled = admitted.and_then(|caller| Ok((find(gateway, headers, &caller)?, caller)));
    match settled {
        Ok((here, caller)) => {
            let caller = here.with_wallet(caller);
            (here, Ok(caller))
        }
        Err(error) => (Rc::clone(gateway), Err(error)),
    }
}

/// The gateway as it is where this request belongs.
fn find(gateway: &Rc<Gateway>, headers: Headers<'_>, caller: &Caller) -> Result<Rc<Gateway>, Error> {
    let named = NAMES.iter().find_map(|name| headers.get(name).filter(|value| !value.is_empty()));
    let bound = caller.key().and_then(|key| key.environment.as_deref());
    if named.is_none() && bound.is_none() {
        return Ok(Rc::clone(gateway));
    }
    let name = named.map_or_else(|| Ok(bound.unwrap_or_default()), core::str::from_utf8);
    let name = name.map_err(|_| Error::new(Kind::NotFound, "There is no environment of that name here."))?;
    let unknown = || Error::new(Kind::NotFound, format!("There is no environment `{name}` here."));
    let here = gateway.environments.get(name).ok_or_else(unknown)?;
    if bound.is_some_and(|bound| bound != name) {
        let message = format!("This key is bound to another environment than `{name}`.");
        return Err(Error::new(Kind::PermissionDenied, message));
    }
    Ok(Rc::clone(here))
}
