//! How it was decided whom a request is for, noted while that happens.

use alloc::{format, string::String, vec::Vec};

use crate::{
    error::{Error, Kind},
    plan::Target,
    route::{Cooling, Dropped},
};

/// What has decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum By {
    /// Nothing but the gateway, which has answered by itself.
    #[default]
    Gateway,
    /// The one provider that a path, a header or the id of an answer that it keeps has named, or the first that may.
    Provider,
    /// The model that was asked for.
    Model,
    /// The routing configuration of the key.
    Key,
    /// The strategy of the router.
    Router,
}

impl By {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Key => "key",
            Self::Router => "router",
        }
    }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Decision {
    /// What has decided.
    pub by: By,
    /// The name of the routing configuration that has, where it has one.
    pub configuration: String,
    /// Its strategy, where it has one.
    pub strategy: &'static str,
    /// Whom to ask, in this order.
    pub candidates: Vec<Target>,
    /// Whom to ask instead where the conversation is too long for a model.
    pub on_context: Vec<Target>,
    /// The same where a provider's policy forbids the content.
    pub on_content: Vec<Target>,
    /// Who was considered and is not asked, and why.
    pub dropped: Vec<Dropped>,
    /// Who was put behind others.
    pub cooling: Vec<Cooling>,
    /// Of a request that no limit lets in: whom it would have asked, and the limit that had no room for it.
    pub full: Vec<(String, String)>,
}

impl Decision {
    /// Of the candidates these are left, for this reason.
    pub(crate) fn narrow(&mut self, is_left: &dyn Fn(&Target) -> bool, why: &str) {
        let dropped = &mut self.dropped;
        self.candidates.retain(|target| {
            let is_kept = is_left(target);
            if !is_kept {
                let candidate = format!("{}/{}", target.provider.name, target.model);
                dropped.push(Dropped { candidate, error: Error::new(Kind::NotImplemented, why) });
            }
            is_kept
        });
    }
}
