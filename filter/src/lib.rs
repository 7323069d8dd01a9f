//! The proxy-wasm adapter: Envoy's callbacks become events of the core, the core's effects become hostcalls.
//!
//! The module is loaded in two roles, told apart by its plugin configuration: as HTTP filter of a listener it is the
//! **ingress** (who asks, may they, what is the plan), as upstream filter of each provider's cluster it is the **attempt**
//! (one provider, one try). Both run in one VM of a worker, so that a plan is handed over by reference.

mod admin;
mod alarm;
mod attempt;
mod courier;
mod entropy;
mod host;
mod import;
mod ingress;
mod observer;
mod plans;
mod relay;
mod renewals;
mod root;
#[cfg(feature = "trap")]
mod trap;
mod watch;

/// What the host calls first. Private, because the SDK's macro writes undocumented items.
mod entry {
    use crate::root::Root;
    use proxy_wasm::{traits::RootContext, types::LogLevel};

    proxy_wasm::main! {{
        proxy_wasm::set_log_level(LogLevel::Debug);
        proxy_wasm::set_root_context(|id| -> Box<dyn RootContext> { Box::new(Root::new(id)) });
    }}
}
