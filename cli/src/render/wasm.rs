//! The module's roles. They must agree in everything but role and plugin configuration.
//!
//! Envoy gives filters one VM per worker when id, VM configuration and code are equal, and only then can an attempt find
//! the plan that the ingress left in the worker's memory. That is why the environment is listed here once for all.

use dragoman_core::config::Plugin;
use serde_json::{Value, json};

/// Name of the ingress filter in Envoy.
pub const INGRESS_FILTER: &str = "dragoman_ingress";

/// The type of a wasm filter.
pub(super) const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/// The module as both roles load it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Module<'a> {
    /// Path of the `.wasm`.
    pub(super) path: &'a str,
    /// Environment variables it may read.
    pub(super) variables: &'a [String],
}

impl Module<'_> {
    /// The downstream filter: who asks, may they, what is the plan.
    pub(super) fn ingress(&self, plugin: &Plugin) -> Value {
        self.filter(INGRESS_FILTER, "ingress", plugin)
    }

    /// The upstream filter: one try at one provider.
    pub(super) fn attempt(&self) -> Value {
        self.filter("dragoman_attempt", "attempt", &Plugin::Attempt)
    }

    /// The filter of the admin listener: it finds its configuration where the ingress of the same worker has left it.
    pub(super) fn admin(&self) -> Value {
        self.filter("dragoman_admin", "admin", &Plugin::Admin)
    }

    fn filter(&self, name: &str, role: &str, plugin: &Plugin) -> Value {
        json!({
            "name": name,
            "typed_config": {
                "@type": WASM,
                "config": {
                    "name": name,
                    "root_id": role,
                    // Without it a filter that pauses the headers pauses the body too, and waits for it for ever.
                    "allow_on_headers_stop_iteration": true,
                    // After a trap the next request gets a new VM. The default answers 503 until a restart, and open
                    // would let requests past the authentication.
                    "failure_policy": "FAIL_RELOAD",
                    "reload_config": { "backoff": { "base_interval": "0.05s" } },
                    "vm_config": {
                        "vm_id": "dragoman",
                        "runtime": "envoy.wasm.runtime.v8",
                        "code": { "local": { "filename": self.path } },
                        "environment_variables": { "host_env_keys": self.variables },
                    },
                    "configuration": {
                        "@type": "type.googleapis.com/google.protobuf.StringValue",
                        "value": plugin.to_json(),
                    },
                },
            },
        })
    }
}
