//! The ingress filter in a file of its own (file ECDS), for Envoy to read again when the file is replaced.
//!
//! A new bootstrap would need a new Envoy. A filter that is discovered is swapped under the listener: requests under way keep
//! the old one, and one that Envoy or the module refuses changes nothing. Envoy looks when something is renamed into the
//! folder, so that it never reads half a file.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::wasm::{INGRESS_FILTER, WASM};

/// The file that Envoy reads, in a folder that holds nothing else.
pub(super) fn file(folder: &Path) -> PathBuf {
    folder.join("ingress.json")
}

/// What stands in the listener in the filter's place.
pub(super) fn reference(folder: &Path) -> Value {
    json!({
        "name": INGRESS_FILTER,
        "config_discovery": {
            "config_source": {
                "path_config_source": { "path": file(folder), "watched_directory": { "path": folder } },
                "resource_api_version": "V3",
            },
            "type_urls": [WASM],
        },
    })
}

/// The content of the file: the filter, as it would stand in the listener. Envoy shows the version of the last file that it took,
/// so a version that no other file has tells this one from all others.
#[must_use]
pub fn response(filter: &Value, version: u64) -> String {
    let mut resource = filter.clone();
    if let Some(fields) = resource.as_object_mut() {
        fields.insert("@type".into(), "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig".into());
    }
    json!({ "version_info": version.to_string(), "resources": [resource] }).to_string()
}

/// Content that Envoy refuses before it looks at any filter, because of the resource's name. It writes the name into its log,
/// so that is the reason, and counts the file as what it is: one that did not come into effect.
#[must_use]
pub fn refusal(reason: &str, version: u64) -> String {
    response(&json!({ "name": reason, "typed_config": { "@type": WASM } }), version)
}
