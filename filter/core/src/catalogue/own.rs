//! What a name means on a provider's own paths.
//!
//! Not `resolve.rs`, which looks for the provider too, nor `offer.rs`, which takes what is the same model under another name: here
//! the client speaks to the provider itself, and what the gateway does not know better is the provider's to understand.

use alloc::rc::Rc;

use super::{Catalogue, Choice};
use crate::{error::Error, gateway::Provider};

impl Catalogue {
    /// The model of this provider that a name means there: the provider's own name or id, then what an alias stands for, then
    /// what follows `provider/`, then whatever the provider makes of it.
    ///
    /// # Errors
    /// The model is disabled, or unknown where only known ones are asked for.
    pub(crate) fn own<'a>(&'a self, provider: &'a Rc<Provider>, name: &'a str) -> Result<Choice<'a>, Error> {
        let within = |name: &'a str| {
            let rest = name.strip_prefix(provider.name.as_str()).and_then(|rest| rest.strip_prefix('/'));
            rest.filter(|id| !id.is_empty())
        };
        if self.is_alias(name)
            && let Some(id) = self.alias(name).into_iter().flatten().find_map(within)
        {
            return self.at(provider, id);
        }
        // Some ids begin with their provider's name: `groq/compound`.
        let id = if self.known(provider, name).is_some() { name } else { within(name).unwrap_or(name) };
        self.at(provider, id)
    }
}
