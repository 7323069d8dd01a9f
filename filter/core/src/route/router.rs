//! A router of the file, ready to run: a strategy for each kind of endpoint, and what is otherwise where it decides.

use alloc::{format, rc::Rc, string::String};

use super::{compile::Compiler, node::Node};
use crate::{
    cache,
    catalogue::by_name,
    config::{self, ModelMapping, Router as Section},
    retry::Policy,
    surface::Endpoint,
};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Router {
    pub(super) chat: Option<Node>,
    pub(super) embeddings: Option<Node>,
    pub(super) images: Option<Node>,
    pub(super) mapping: ModelMapping,
    pub(super) policy: Rc<Policy>,
    pub(super) cache: Option<Rc<cache::Rules>>,
}

impl Router {
    pub(super) fn new<E: Fn(&str) -> Option<String>>(
        section: &Section,
        policy: &Policy,
        memory: config::Cache,
        compiler: &mut Compiler<'_, E>,
    ) -> Self {
        let at = |kind: &str| format!("routers/{}/{kind}", section.name);
        let balance = &section.load_balance;
        Self {
            chat: balance.chat.as_ref().map(|chat| compiler.node(chat, &at("chat"))),
            embeddings: balance.embeddings.as_ref().map(|embeddings| compiler.node(embeddings, &at("embeddings"))),
            images: balance.images.as_ref().map(|images| compiler.node(images, &at("images"))),
            mapping: by_name(&section.model_mapping),
            policy: policy.overridden(&section.retry),
            cache: section.cache.as_ref().map(|cache| Rc::new(cache::Rules::new(cache, memory))),
        }
    }

    pub(super) fn strategy(&self, endpoint: Endpoint) -> Option<&Node> {
        match endpoint {
            Endpoint::ChatCompletions
            | Endpoint::Responses
            | Endpoint::Kept
            | Endpoint::Completions
            | Endpoint::Messages
            | Endpoint::TokenCount => self.chat.as_ref(),
            Endpoint::Embeddings => self.embeddings.as_ref(),
            Endpoint::Images => self.images.as_ref(),
            Endpoint::LiveMetrics | Endpoint::Policy | Endpoint::Other => None,
        }
    }
}
