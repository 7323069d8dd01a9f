//! Who is asked about an answer that is kept (`/responses/{id}` and what is behind it): the only provider of the way that keeps
//! any and that the caller may ask.
//!
//! No memory of who gave which answer: an id is the provider's, and says nothing of it. Where several keep answers it is the client
//! that says which one, by the provider's own path.

use alloc::{format, rc::Rc, vec::Vec};

use crate::{
    auth::Caller,
    error::{Error, Kind},
    gateway::{Gateway, Provider},
    route::Way,
};

/// The provider, and the path behind its base URL and the version.
///
/// # Errors
/// Nobody keeps answers, or several do.
pub(super) fn keeper<'p>(
    gateway: &Gateway,
    caller: Option<&Caller>,
    way: Way<'_>,
    path: &'p str,
) -> Result<(Rc<Provider>, &'p str), Error> {
    let reach = match way {
        Way::Default | Way::Ai => None,
        Way::Router(router) => gateway.routing.reach(router, &gateway.catalogue),
    };
    let is_asked = |provider: &&Rc<Provider>| {
        provider.accounts.iter().any(|account| account.keeps_answers())
            && caller.is_none_or(|caller| caller.check_provider(&provider.name).is_ok())
    };
    let mut keepers: Vec<_> = reach.as_deref().unwrap_or(&gateway.providers).iter().filter(is_asked).collect();
    let unknown = |message| Err(Error::new(Kind::NotFound, message));
    match (keepers.pop(), keepers.is_empty()) {
        (None, _) => unknown("No provider that can be asked here keeps answers.".into()),
        (Some(one), true) => {
            let from = path.rfind("/responses/").map_or(0, |slash| slash.saturating_add(1));
            Ok((Rc::clone(one), path.get(from..).unwrap_or_default().trim_end_matches('/')))
        }
        (Some(one), false) => unknown(format!(
            "Several providers keep answers here, and an id does not say whose it is: ask the provider by its own path, as in \
             /{}/responses/….",
            one.name
        )),
    }
}
