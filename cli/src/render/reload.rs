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

use dragoman_core::config::{self, Algorithm, Config, Credential, JwtKeys, Plugin, Provider};
use serde_json::Value;

use super::{Rendering, Target, bootstrap, credentials, discovery, wasm::Module, yaml};

/// Each field costs a rendering.
const BLAME_LIMIT: usize = 32;

/// A rendering for an Envoy that is to take over changes of the file.
#[derive(Debug)]
pub struct Reloadable {
    started: Config,
    wasm: String,
    private_admin: Option<PathBuf>,
    folder: PathBuf,
    rendering: Rendering,
}

/// What a running Envoy cannot take over.
#[derive(Debug, PartialEq, Eq)]
pub struct NeedsRestart {
    /// The fields, as `providers.openai.base_url`.
    pub fields: Vec<String>,
    /// Whether more fields have changed than were looked at.
    pub has_more: bool,
}

impl fmt::Display for NeedsRestart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Order alone is no field that has changed.
        let fields =
            if self.fields.is_empty() { "the order of its entries".to_owned() } else { self.fields.join(", ") };
        write!(f, "needs a restart: {fields}{}", if self.has_more { ", and others" } else { "" })
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

    /// The filter for this configuration.
    ///
    /// # Errors
    /// When Envoy would have to be started anew. To name what is to blame may take seconds.
    pub fn filter(&self, config: &Config) -> Result<Value, NeedsRestart> {
        let masked = self.admit(config).ok_or_else(|| self.blame(config))?;
        let module = Module { path: &self.wasm, variables: &self.rendering.variables };
        Ok(module.ingress(&Plugin::Ingress(Box::new(masked))))
    }

    /// The configuration without its inline secrets, if the running Envoy fits it.
    fn admit(&self, config: &Config) -> Option<Config> {
        let mut carried = config.clone();
        let dropped = self.started.providers.iter().filter(|provider| find(&config.providers, provider).is_none());
        carried.providers.extend(dropped.map(|provider| Provider { enabled: false, ..provider.clone() }));
        // The process has its variables from its start; another value, or another variable, does not reach it.
        let masked = credentials::carry(&carried, &self.rendering.handovers)?;
        // Whether the bootstrap names them depends on where the module stands in it.
        let has = |variable: &String| self.rendering.variables.contains(variable);
        if !credentials::variables(&masked).iter().all(has) {
            return None;
        }
        let mut settled = masked.clone();
        settled.providers.sort_by_key(|provider| find(&self.started.providers, provider).unwrap_or(usize::MAX));
        let is_same = self.bootstrap(&settled, &self.rendering.variables).is_ok_and(|yaml| yaml == self.rendering.text);
        let fits = is_same
            && config.listen.concurrency == self.started.listen.concurrency
            && signed(config) == signed(&self.started);
        fits.then_some(masked)
    }

    fn bootstrap(&self, masked: &Config, variables: &[String]) -> anyhow::Result<String> {
        let target = Target { wasm: &self.wasm, private_admin: self.private_admin.as_deref() };
        let module = Module { path: target.wasm, variables };
        let ingress = discovery::reference(&self.folder);
        Ok(yaml::headed("envoy", &yaml::write(&bootstrap(masked, target, &module, &ingress))?))
    }

    /// The changes that Envoy cannot take over even one by one; all, where only several together are a problem.
    fn blame(&self, config: &Config) -> NeedsRestart {
        let [old, new] = [&self.started, config].map(|config| {
            let document = serde_json::from_str(&config::to_json(config));
            document.unwrap_or(Value::Null)
        });
        let mut changes = Vec::new();
        differences(&old, &new, &mut Vec::new(), &mut changes);
        let has_more = changes.len() > BLAME_LIMIT;
        changes.truncate(BLAME_LIMIT);
        let alone = |change: &&Change<'_>| {
            let mut document = old.clone();
            change.apply(&mut document);
            config::parse(&document.to_string()).is_ok_and(|config| self.admit(&config).is_none())
        };
        let fixed: Vec<_> = changes.iter().filter(alone).map(Change::place).collect();
        let fields = if fixed.is_empty() { changes.iter().map(Change::place).collect() } else { fixed };
        NeedsRestart { fields, has_more }
    }
}

/// What the keys of tokens are made of that Envoy has in a variable, from its start: with others it would go on verifying with those.
fn signed(config: &Config) -> Option<(&[Algorithm], &Credential)> {
    let jwt = config.auth.jwt.as_ref()?;
    match &jwt.keys {
        JwtKeys::Secret(secret) => Some((&jwt.algorithms, secret)),
        JwtKeys::Url(_) | JwtKeys::File(_) => None,
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

    fn reload(edit: impl FnOnce(&mut Value)) -> Result<Value, NeedsRestart> {
        let reloadable = Reloadable::new(config(&file()), TARGET, Path::new("/run/discovery")).unwrap();
        let mut edited = file();
        edit(&mut edited);
        reloadable.filter(&config(&edited))
    }

    fn plugin(filter: &Value) -> Config {
        assert_eq!(filter["name"], "dragoman_ingress");
        let plugin = filter["typed_config"]["config"]["configuration"]["value"].as_str().unwrap();
        let Ok(Plugin::Ingress(config)) = Plugin::parse(plugin) else { panic!("{plugin}") };
        *config
    }

    #[test]
    fn the_file_that_envoy_was_started_with_fits_it() {
        let filter = reload(|_| ()).unwrap();
        assert!(!filter.to_string().contains("sk-a"));
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
            let NeedsRestart { fields: found, .. } = reload(edit).unwrap_err();
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
            for mode in ["auto", "dispatch"] {
                let mut started = file();
                started["retry"] = json!({ "mode": mode });
                let mut edited = started.clone();
                edit(&mut edited);
                let reloadable = Reloadable::new(config(&started), TARGET, Path::new("/run/discovery")).unwrap();
                let NeedsRestart { fields: found, .. } = reloadable.filter(&config(&edited)).unwrap_err();
                assert_eq!(found.len(), 1, "{mode}: {found:?}");
                assert!(found.iter().all(|place| place.starts_with("providers.a.")), "{found:?}");
                assert!(!found.iter().any(|place| place.contains("sk-")), "{found:?}");
            }
        }
    }

    #[test]
    fn what_tokens_are_verified_with_is_what_envoy_was_started_with() {
        let (first, second) = ("a".repeat(64), "b".repeat(64));
        let mut started = file();
        started["providers"]["a"]["credential"] = json!({ "value": second });
        started["auth"] = json!({ "jwt": { "issuer": "i", "secret": { "value": first }, "algorithms": ["HS256"] } });
        let reloadable = Reloadable::new(config(&started), TARGET, Path::new("/run/discovery")).unwrap();
        assert!(!reloadable.rendering().text.contains(&first));
        assert!(!reloadable.rendering().variables.iter().any(|variable| variable.contains("JWT")));
        let filter = reloadable.filter(&config(&started)).unwrap();
        assert!(!filter.to_string().contains(&first) && plugin(&filter).auth.jwt.is_some());
        let changes: [(&str, Value, &[&str]); 4] = [
            ("algorithms", json!(["HS512"]), &["auth.jwt.algorithms"]),
            ("algorithms", json!(["HS256", "HS512"]), &["auth.jwt.algorithms"]),
            // The process has both, Envoy's keys are of neither.
            ("secret", json!({ "value": second }), &["auth.jwt.secret.value"]),
            ("secret", json!({ "env": "B" }), &["auth.jwt.secret.env", "auth.jwt.secret.value"]),
        ];
        for (field, value, expected) in changes {
            let mut edited = started.clone();
            edited["auth"]["jwt"][field] = value;
            let mut refused = reloadable.filter(&config(&edited)).unwrap_err();
            refused.fields.sort();
            assert_eq!(refused.fields, expected);
        }
        // What the module itself makes of a token can change.
        let mut edited = started.clone();
        edited["auth"]["jwt"]["claims"] = json!({ "team": "org" });
        assert_eq!(reloadable.filter(&config(&edited)).err(), None);
    }

    #[test]
    fn a_secret_that_the_process_has_may_move_and_its_neighbours_may_go() {
        // One name as variables, so that the second to come gets a number.
        let mut file = file();
        for (name, secret) in [("x-y", "sk-1"), ("x_y", "sk-2")] {
            file["providers"][name] =
                json!({ "kind": "openai", "base_url": "https://x.example.com/v1", "credential": { "value": secret } });
        }
        let started = config(&file);
        let reloadable = Reloadable::new(started.clone(), TARGET, Path::new("/run/discovery")).unwrap();
        let carriers = |config: &Config| {
            let plugin = plugin(&reloadable.filter(config).unwrap());
            let credential = |name: &str| {
                let provider = plugin.providers.iter().find(|provider| provider.name == name).unwrap();
                format!("{:?}", provider.accounts[0].credential)
            };
            [credential("x-y"), credential("x_y")]
        };
        let [first, second] = carriers(&started);
        assert_ne!(first, second);
        let mut turned = started.clone();
        turned.providers.reverse();
        assert_eq!(carriers(&turned), [first.clone(), second.clone()]);
        let mut without = started.clone();
        without.providers.retain(|provider| provider.name != "x-y");
        assert_eq!(carriers(&without), [first.clone(), second.clone()]);
        file["providers"]["x-y"]["credential"]["value"] = json!("sk-2");
        file["providers"]["x_y"]["credential"]["value"] = json!("sk-1");
        assert_eq!(carriers(&config(&file)), [second, first]);
    }

    #[test]
    fn a_variable_that_carries_a_secret_is_not_the_one_that_a_file_means_by_its_name() {
        let edited = reload(|file| file["providers"]["b"]["credential"] = json!({ "env": "DRAGOMAN_CREDENTIAL_A" }));
        assert_eq!(edited.unwrap_err().fields, ["providers.b.accounts"]);
    }

    #[test]
    fn no_more_fields_are_looked_at_than_are_worth_their_time() {
        let refused = reload(|file| {
            for number in 0..BLAME_LIMIT {
                file["aliases"][format!("a{number}")] = json!("a/gpt-4o");
                file["providers"][format!("c{number}")] = json!({ "kind": "ollama", "base_url": "http://127.0.0.1:1" });
            }
        });
        let refused = refused.unwrap_err();
        assert!(refused.has_more && (1..=BLAME_LIMIT).contains(&refused.fields.len()), "{refused}");
        assert!(refused.to_string().ends_with(", and others"), "{refused}");
    }

    #[test]
    fn there_is_always_something_to_blame() {
        let refused = NeedsRestart { fields: Vec::new(), has_more: false };
        assert_eq!(refused.to_string(), "needs a restart: the order of its entries");
    }
}
