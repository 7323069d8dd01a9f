//! Envoy's configuration, rendered from the same typed file that the module reads.
//!
//! Each part of the bootstrap has its file; this one puts them together. Values are built as JSON, which is how protobuf
//! configuration is defined, and written as YAML in one place. The rendering is a function of the file and of [`Target`]
//! alone, so that a checked-in rendering can be compared byte for byte.
//!
//! Invariant: no secret is in the rendering. Inline credentials become references to environment variables, which are
//! handed back; Envoy shows its whole configuration, the module's included, to whoever reads its `/config_dump`.

mod cluster;
mod credentials;
mod ingress;
mod listener;
mod overload;
mod route;
pub mod scheme;
mod wasm;
mod yaml;

use std::{net::SocketAddr, path::Path};

use dragoman_core::config::{Config, EnvoyAdmin};
use serde_json::{Value, json};

use self::wasm::Module;
pub use self::{
    cluster::SYSTEM_CA_FILE,
    credentials::Handover,
    listener::{ADMIN_LISTENER, INGRESS_LISTENER},
};

/// The statistics prefix of the ingress: its request gauge is `http.ingress.downstream_rq_active`.
pub const INGRESS_STATS: &str = "ingress";

/// What the rendering is for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Path of the module as Envoy will open it.
    pub wasm: &'a str,
    /// A Unix socket for Envoy's own admin interface, used where the file says `off`: `up` needs it to drain.
    pub private_admin: Option<&'a Path>,
}

/// A rendered bootstrap.
#[derive(Debug)]
pub struct Rendering {
    /// The document.
    pub yaml: String,
    /// Inline credentials of the file, by the variable that must carry them.
    pub handovers: Vec<Handover>,
    /// Every variable that the module reads, sorted.
    pub variables: Vec<String>,
}

/// Renders a bootstrap for plain Envoy.
///
/// # Errors
/// When the document cannot be written as YAML.
pub fn envoy(config: &Config, target: Target<'_>) -> anyhow::Result<Rendering> {
    let (config, handovers) = credentials::hand_over(config);
    let variables = credentials::variables(&config);
    let module = Module { path: target.wasm, variables: &variables };
    let mut bootstrap = json!({
        "node": { "id": "dragoman", "cluster": "dragoman" },
        "overload_manager": overload::manager(),
        "static_resources": {
            "listeners": [ingress::listener(&config, &module), listener::admin(config.listen.admin)],
            "clusters": config.providers.iter().map(|provider| cluster::of(provider, &config.tls, &module)).collect::<Vec<_>>(),
        },
    });
    if let (Some(address), Some(top)) = (admin_address(config.listen.envoy_admin, target), bootstrap.as_object_mut()) {
        top.insert("admin".into(), json!({ "address": address }));
    }
    let yaml = yaml::write(&bootstrap)?;
    Ok(Rendering { yaml, handovers, variables })
}

fn admin_address(wanted: EnvoyAdmin, target: Target<'_>) -> Option<Value> {
    match wanted {
        EnvoyAdmin::FreePort => Some(address(SocketAddr::from(([127, 0, 0, 1], 0)))),
        EnvoyAdmin::At(at) => Some(address(at)),
        EnvoyAdmin::Off => target.private_admin.map(|path| json!({ "pipe": { "path": path, "mode": 0o600 } })),
    }
}

fn address(at: SocketAddr) -> Value {
    json!({ "socket_address": { "address": at.ip().to_string(), "port_value": at.port() } })
}
