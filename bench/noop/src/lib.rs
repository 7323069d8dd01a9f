//! A filter that does nothing, in every callback that the gateway has: what is left of a wasm filter's cost when nobody
//! works in it. Made with the same SDK, so that the SDK's own share is in the floor and not in the difference.
//!
//! The traits' defaults let everything pass; the host calls them because the SDK exports all callbacks.

use proxy_wasm::{
    traits::{Context, HttpContext, RootContext},
    types::ContextType,
};

/// What the host calls first. Private, because the SDK's macro writes undocumented items.
mod entry {
    use super::Idle;
    use proxy_wasm::traits::RootContext;

    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(Idle) });
    }}
}

/// The root context, and each stream's.
struct Idle;

impl Context for Idle {}

impl HttpContext for Idle {}

impl RootContext for Idle {
    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Self))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
