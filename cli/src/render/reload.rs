//! What a running Envoy can take over of a changed file, and what it was started with and keeps.
//!
//! There is no list of fields that need a restart: it would have to follow every change of the rendering. A file is rendered
//! as if Envoy were to be started with it; where that gives the bootstrap that Envoy has, only the ingress filter differs, and
//! that can be swapped. The fields to blame are found in the same manner, by changing one at a time.
//!
//! Two liberties are taken. A provider that the file no longer has stays, disabled: the bootstrap has it, and what the module
//! derives from all providers must be what the bootstrap was derived from. And the order of the providers is the module's alone.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use dragoman_core::config::{self, Config, Plugin, Provider};
use serde_json::Value;

use super::{Rendering, Target, bootstrap, credentials, discovery, wasm::Module, yaml};

/// A rendering for an Envoy that is to take over changes of the file.
#[derive(Debug)]
pub struct Reloadable {
    started: Config,
    wasm: String,
    private_admin: Option<PathBuf>,
    folder: PathBuf,
    rendering: Rendering,
}

/// What a running Envoy cannot take over: the fields, as `providers.openai.base_url`.
#[derive(Debug, PartialEq, Eq)]
pub struct NeedsRestart(pub Vec<String>);

impl fmt::Display for NeedsRestart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "needs a restart: {}", self.0.join(", "))
    }
}

impl Reloadable {
    /// Renders a bootstrap whose ingress filter is read from a file in `folder`.
    ///
    /// # Errors
    /// When the document cannot be written as YAML.
    pub fn new(config: Config, target: Target<'_>, folder: &Path) -> anyhow::Result<Self> {
        let (masked, handovers) = credentials::hand_over(&config);
        let variables = credentials::variables(&masked);
        let mut reloadable = Self {
            started: config,
            wasm: target.wasm.to_owned(),
            private_admin: target.private_admin.map(Path::to_owned),
            folder: folder.to_owned(),
            rendering: Rendering { text: String::new(), handovers, variables },
        };
        reloadable.rendering.text = reloadable.bootstrap(&masked, &reloadable.rendering.variables)?;
        Ok(reloadable)
    }

    /// What Envoy is started with.
    #[must_use]
    pub fn rendering(&self) -> &Rendering {
        &self.rendering
    }

    /// The file that Envoy reads the ingress filter from.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        discovery::file(&self.folder)
    }

    /// The content of that file for this configuration.
    ///
    /// # Errors
    /// When Envoy would have to be started anew.
    pub fn filter(&self, config: &Config) -> Result<String, NeedsRestart> {
        let masked = self.admit(config).ok_or_else(|| NeedsRestart(self.blame(config)))?;
        let module = Module { path: &self.wasm, variables: &self.rendering.variables };
        Ok(discovery::response(&module.ingress(&Plugin::Ingress(Box::new(masked)))))
    }

    /// The configuration without its inline secrets, if the running Envoy fits it.
    fn admit(&self, config: &Config) -> Option<Config> {
        let mut carried = config.clone();
        let dropped = self.started.providers.iter().filter(|provider| find(&config.providers, provider).is_none());
        carried.providers.extend(dropped.map(|provider| Provider { enabled: false, ..provider.clone() }));
        let (masked, handovers) = credentials::hand_over(&carried);
        // The process has its variables from its start; another value, or another variable, does not reach it.
        if !handovers.iter().all(|handover| self.rendering.handovers.contains(handover)) {
            return None;
        }
        let mut variables = [credentials::variables(&masked), self.rendering.variables.clone()].concat();
        variables.sort_unstable();
        variables.dedup();

        let mut settled = masked.clone();
        settled.providers.sort_by_key(|provider| find(&self.started.providers, provider).unwrap_or(usize::MAX));
        let is_same = self.bootstrap(&settled, &variables).is_ok_and(|yaml| yaml == self.rendering.text);
        let fits = is_same && config.listen.concurrency == self.started.listen.concurrency;
        fits.then_some(masked)
    }

    fn bootstrap(&self, masked: &Config, variables: &[String]) -> anyhow::Result<String> {
        let target = Target { wasm: &self.wasm, private_admin: self.private_admin.as_deref() };
        let module = Module { path: target.wasm, variables };
        let ingress = discovery::reference(&self.folder);
        Ok(yaml::headed("envoy", &yaml::write(&bootstrap(masked, target, &module, &ingress))?))
    }

    /// The changes that Envoy cannot take over even one by one; all, where only several together are a problem.
    fn blame(&self, config: &Config) -> Vec<String> {
        let [old, new] = [&self.started, config].map(|config| {
            let document = serde_json::from_str(&config::to_json(config));
            document.unwrap_or(Value::Null)
        });
        let mut changes = Vec::new();
        differences(&old, &new, &mut Vec::new(), &mut changes);
        let alone = |change: &&Change<'_>| {
            let mut document = old.clone();
            change.apply(&mut document);
            config::parse(&document.to_string()).is_ok_and(|config| self.admit(&config).is_none())
        };
        let fixed: Vec<_> = changes.iter().filter(alone).map(Change::place).collect();
        if fixed.is_empty() { changes.iter().map(Change::place).collect() } else { fixed }
    }
}

fn find(providers: &[Provider], wanted: &Provider) -> Option<usize> {
    providers.iter().position(|provider| provider.name == wanted.name)
}

/// A field that two documents have not in common.
struct Change<'a> {
    path: Vec<&'a str>,
    /// What the later document has there.
    value: Option<&'a Value>,
}

impl Change<'_> {
    fn place(&self) -> String {
        self.path.join(".")
    }

    fn apply(&self, document: &mut Value) {
        let Some((last, parents)) = self.path.split_last() else { return };
        let parent = parents.iter().try_fold(document, |value, key| value.get_mut(*key));
        let Some(fields) = parent.and_then(Value::as_object_mut) else { return };
        match self.value {
            Some(value) => drop(fields.insert((*last).to_owned(), value.clone())),
            None => drop(fields.remove(*last)),
        }
    }
}

/// Lists are compared as a whole: what stands in them has no name.
fn differences<'a>(old: &'a Value, new: &'a Value, path: &mut Vec<&'a str>, found: &mut Vec<Change<'a>>) {
    let (Some(before), Some(after)) = (old.as_object(), new.as_object()) else {
        if old != new {
            found.push(Change { path: path.clone(), value: Some(new) });
        }
        return;
    };
    for (key, value) in before {
        path.push(key);
        match after.get(key) {
            Some(later) => differences(value, later, path, found),
            None => found.push(Change { path: path.clone(), value: None }),
        }
        path.pop();
    }
    for (key, value) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
        path.push(key);
        found.push(Change { path: path.clone(), value: Some(value) });
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    type Edit = fn(&mut Value);

    const TARGET: Target<'static> = Target { wasm: "dragoman.wasm", private_admin: None };

    fn file() -> Value {
        json!({
            "listen": { "address": "127.0.0.1:18080" },
            "providers": {
                "a": { "kind": "openai", "base_url": "https://a.example.com/v1", "credential": { "value": "sk-a" } },
                "b": { "kind": "openai", "base_url": "https://b.example.com/v1", "credential": { "env": "B" },
                       "timeouts": { "first_byte": "20s", "flex": "20m" } },
            },
            "keys": [{ "id": "k", "sha256": "0".repeat(64) }],
        })
    }

    fn config(file: &Value) -> Config {
        config::parse(&file.to_string()).unwrap()
    }

    fn reload(edit: impl FnOnce(&mut Value)) -> Result<String, NeedsRestart> {
        let reloadable = Reloadable::new(config(&file()), TARGET, Path::new("/run/discovery")).unwrap();
        let mut edited = file();
        edit(&mut edited);
        reloadable.filter(&config(&edited))
    }

    fn plugin(filter: &str) -> Config {
        let response: Value = serde_json::from_str(filter).unwrap();
        let filter = &response["resources"][0];
        assert_eq!(filter["name"], "dragoman_ingress");
        let plugin = filter["typed_config"]["config"]["configuration"]["value"].as_str().unwrap();
        let Ok(Plugin::Ingress(config)) = Plugin::parse(plugin) else { panic!("{plugin}") };
        *config
    }

    #[test]
    fn the_file_that_envoy_was_started_with_fits_it() {
        let filter = reload(|_| ()).unwrap();
        assert!(!filter.contains("sk-a"));
        assert_eq!(plugin(&filter).keys.len(), 1);
    }

    #[test]
    fn who_may_ask_what_and_who_is_asked_in_which_order_can_be_reloaded() {
        let edits: [Edit; 7] = [
            |file| file["keys"][0]["models"] = json!(["gpt-4o"]),
            |file| file["keys"] = json!([]),
            |file| file["providers"]["b"]["enabled"] = json!(false),
            |file| file["providers"]["a"]["credential"] = json!({ "env": "B" }),
            |file| file["providers"]["b"]["stream_usage"] = json!("never"),
            // Shorter than the route's, so that the module asks for it with each request.
            |file| file["providers"]["b"]["timeouts"]["first_byte"] = json!("10s"),
            |file| file["aliases"] = json!({ "fast": "a/gpt-4o-mini" }),
        ];
        for (index, edit) in edits.into_iter().enumerate() {
            assert_eq!(reload(edit).err(), None, "edit {index}");
        }
    }

    #[test]
    fn a_provider_can_go_and_come_back_and_change_its_place() {
        let started = config(&file());
        let reloadable = Reloadable::new(started.clone(), TARGET, Path::new("/run/discovery")).unwrap();
        let mut without = started.clone();
        without.providers.remove(0);
        let plugin_without = plugin(&reloadable.filter(&without).unwrap());
        let asked: Vec<_> = plugin_without.providers.iter().filter(|p| p.enabled).map(|p| p.name.as_str()).collect();
        assert_eq!(asked, ["b"]);
        // The route has it, and the module asks for another only where it is another.
        assert_eq!(plugin_without.longest_first_byte(), started.longest_first_byte());
        assert_ne!(without.longest_first_byte(), started.longest_first_byte());
        let mut turned = started;
        turned.providers.reverse();
        let names: Vec<_> =
            plugin(&reloadable.filter(&turned).unwrap()).providers.into_iter().map(|p| p.name).collect();
        assert_eq!(names, ["b", "a"]);
    }

    #[test]
    fn what_envoy_keeps_from_its_start_is_named_and_nothing_else_is() {
        let cases: [(Edit, &[&str]); 10] = [
            (|file| file["listen"]["address"] = json!("127.0.0.1:18081"), &["listen.address"]),
            (|file| file["listen"]["concurrency"] = json!(7), &["listen.concurrency"]),
            (|file| file["providers"]["a"]["base_url"] = json!("https://c.example.com/v1"), &["providers.a.base_url"]),
            (
                |file| file["providers"]["c"] = json!({ "kind": "ollama", "base_url": "http://127.0.0.1:1" }),
                &["providers.c"],
            ),
            (|file| file["providers"]["b"]["timeouts"]["total"] = json!("1h"), &["providers.b.timeouts.total"]),
            (|file| file["providers"]["b"]["timeouts"]["flex"] = json!("1h"), &["providers.b.timeouts.flex"]),
            (|file| file["retry"] = json!({ "mode": "dispatch" }), &["retry.mode"]),
            (|file| file["max_body"] = json!("64MiB"), &["max_body"]),
            (|file| file["tls"] = json!({ "ca_file": "/etc/other.pem" }), &["tls.ca_file"]),
            (
                |file| {
                    file["listen"]["admin"] = json!("127.0.0.1:19902");
                    file["keys"][0]["models"] = json!(["gpt-4o"]);
                    file["providers"]["a"]["base_url"] = json!("https://c.example.com/v1");
                },
                &["listen.admin", "providers.a.base_url"],
            ),
        ];
        for (edit, expected) in cases {
            let NeedsRestart(found) = reload(edit).unwrap_err();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_secret_that_the_process_does_not_have_needs_a_restart() {
        let edits: [Edit; 3] = [
            |file| file["providers"]["a"]["credential"] = json!({ "value": "sk-other" }),
            |file| file["providers"]["a"]["credential"] = json!({ "env": "OTHER" }),
            |file| file["providers"]["a"]["headers"] = json!({ "x-project": "p" }),
        ];
        for edit in edits {
            let NeedsRestart(found) = reload(edit).unwrap_err();
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found.iter().all(|place| place.starts_with("providers.a.")), "{found:?}");
            assert!(!found.iter().any(|place| place.contains("sk-")), "{found:?}");
        }
    }
}
