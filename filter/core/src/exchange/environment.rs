//! Which environment a request is for: the one that it names, else the one that its key is bound to, else none.
//!
//! The key decides before anything else is known of the request, so it is looked up here once more than elsewhere, where the file has
//! environments at all.

use alloc::{format, rc::Rc};

use crate::{
    auth::Credential,
    error::{Error, Kind},
    gateway::Gateway,
    headers::Headers,
    host::Surroundings,
};

/// The first counts.
const NAMES: [&str; 2] = ["x-dragoman-env", "x-chalk-env-id"];

/// The gateway as it is there.
///
/// # Errors
/// There is no such environment, or the key is bound to another.
pub(super) fn settle(
    gateway: &Rc<Gateway>,
    headers: Headers<'_>,
    query: &str,
    around: &Surroundings<'_>,
) -> Result<Rc<Gateway>, Error> {
    let asked = NAMES.iter().find_map(|name| headers.get(name).filter(|value| !value.is_empty()));
    if asked.is_none() && gateway.environments.is_empty() && !gateway.keys.takes_tokens() {
        return Ok(Rc::clone(gateway));
    }
    let find = |name: &str| {
        let unknown = || Error::new(Kind::NotFound, format!("There is no environment `{name}` here."));
        gateway.environments.get(name).map(Rc::clone).ok_or_else(unknown)
    };
    let asked = asked.map(|name| find(core::str::from_utf8(name).unwrap_or("?"))).transpose()?;
    let here = asked.as_ref().unwrap_or(gateway);
    // Who is not let in is told so by the one who asks for the key in earnest.
    let Ok(caller) = here.keys.admit(Credential::of(headers, query), around.clock, around.metadata) else {
        return Ok(Rc::clone(here));
    };
    match (caller.key().and_then(|key| key.environment.as_deref()), &here.environment) {
        (None, _) => Ok(Rc::clone(here)),
        (Some(bound), Some(name)) if bound == name => Ok(Rc::clone(here)),
        (Some(bound), None) => find(bound),
        (Some(_), Some(name)) => {
            let message = format!("This key is bound to another environment than `{name}`.");
            Err(Error::new(Kind::PermissionDenied, message))
        }
    }
}
