//! Plans over whole configurations: what decides, in which order, and why others are none.

mod laws;
mod precedence;
mod reasons;
mod strategies;

use alloc::{
    borrow::ToOwned,
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{cell::Cell, time::Duration};

use serde_json::{Value, json};

use super::*;
use crate::{auth::Credential, config, gateway::Gateway, headers::HeaderMap, plan::Target};

/// A gateway of this file.
struct Bench {
    gateway: Gateway,
    routing: Routing,
}

/// What the surroundings say; targets go by `provider/account/model`.
#[derive(Debug, Clone, Default)]
struct World {
    seconds: u64,
    latency: BTreeMap<String, u64>,
    in_flight: BTreeMap<String, u32>,
    cooling: BTreeMap<String, u64>,
    blanks: BTreeMap<String, u32>,
    entropy: Cell<u64>,
    draws: Cell<u32>,
}

/// A request.
#[derive(Debug, Clone)]
struct Ask<'a> {
    way: Way<'a>,
    /// The whole key.
    key: &'a str,
    endpoint: Endpoint,
    path: &'a str,
    headers: HeaderMap,
    model: Option<&'a str>,
    stream: bool,
    has_tools: bool,
    has_images: bool,
    wishes: (Wishes, &'static dyn Downstream),
    user: Option<&'a str>,
    input_tokens: u64,
    max_output_tokens: Option<u64>,
}

impl Clock for World {
    fn now(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

impl Entropy for World {
    fn draw(&self) -> u64 {
        self.draws.set(self.draws.get() + 1);
        self.entropy.set(self.entropy.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        chance::mix(self.entropy.get())
    }
}

impl Observed for World {
    fn latency_millis(&self, target: &Target, is_stream: bool) -> Option<u64> {
        let stream = is_stream.then(|| self.latency.get(&format!("{} stream", name(target)))).flatten();
        stream.or_else(|| self.latency.get(&name(target))).copied()
    }

    fn in_flight(&self, target: &Target) -> u32 {
        self.in_flight.get(&name(target)).copied().unwrap_or_default()
    }

    fn blanks(&self, target: &Target) -> u32 {
        self.blanks.get(&name(target)).copied().unwrap_or_default()
    }

    fn cooling_until(&self, target: &Target) -> Option<u64> {
        self.cooling.get(&name(target)).copied()
    }
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Self {
            way: Way::Default,
            key: "",
            endpoint: Endpoint::ChatCompletions,
            path: "/v1/chat/completions",
            headers: HeaderMap::default(),
            model: None,
            stream: false,
            has_tools: false,
            has_images: false,
            wishes: (Wishes::default(), &crate::dialect::openai_chat::OpenAiChat),
            user: None,
            input_tokens: 100,
            max_output_tokens: None,
        }
    }
}

fn name(target: &Target) -> String {
    format!("{}/{}/{}", target.provider.name, target.account.name, target.model)
}

/// `provider/model`, and the account where it has a name.
fn short(target: &Target) -> String {
    let account = target.account.name.as_str();
    let account = if account == "default" { String::new() } else { format!("#{account}") };
    format!("{}/{}{account}", target.provider.name, target.model)
}

fn shorts(targets: &[Target]) -> Vec<String> {
    targets.iter().map(short).collect()
}

fn asking(model: &str) -> Ask<'_> {
    Ask { model: Some(model), ..Ask::default() }
}

/// Two vendors of the catalogue, a server of one's own, one without its credential, and one that is off.
fn providers() -> Value {
    let open = |kind: &str| json!({"kind": kind, "base_url": "http://127.0.0.1:1", "credential": {"value": "secret-of-provider"}});
    json!({
        "openai": open("openai"),
        "anthropic": open("anthropic"),
        "groq": open("openai"),
        "own": open("openai"),
        "ollama": {"kind": "ollama", "base_url": "http://127.0.0.1:1"},
        "deepseek": {"kind": "openai", "base_url": "https://api.deepseek.com", "credential": {"env": "NOT_SET"}},
        "off": {"kind": "gemini", "credential": {"value": "x"}, "enabled": false},
    })
}

/// The key `test`, with these attributes.
fn key(attributes: &Value) -> Value {
    let mut key = json!({"id": "k", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"});
    key.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
    key
}

/// A gateway of these sections beside the usual providers.
fn bench(sections: &Value) -> Bench {
    let mut file = json!({"providers": providers()});
    file.as_object_mut().unwrap().extend(sections.as_object().unwrap().clone());
    let config = config::parse(&file.to_string()).unwrap();
    let environment = |_: &str| None;
    let gateway = Gateway::new(&config, environment);
    let routing = Routing::new(&config, None, &gateway.providers, &gateway.catalogue, &environment);
    Bench { gateway, routing }
}

impl Bench {
    fn caller(&self, key: &str, world: &World) -> Caller {
        self.gateway.keys.admit((!key.is_empty()).then_some(Credential(key.as_bytes())), world, &()).unwrap()
    }

    fn plan_in(&self, ask: &Ask<'_>, world: &World) -> Result<Planned, Error> {
        let caller = self.caller(ask.key, world);
        let query = Query {
            caller: &caller,
            endpoint: ask.endpoint,
            path: ask.path,
            headers: ask.headers.headers(),
            model: ask.model,
            stream: ask.stream,
            has_tools: ask.has_tools,
            has_images: ask.has_images,
            what: What::Chat(ask.wishes.0, ask.wishes.1),
            user: ask.user,
            input_tokens: ask.input_tokens,
            max_output_tokens: ask.max_output_tokens,
        };
        let conditions = Conditions { observed: world, entropy: world, clock: world };
        self.routing.plan(&self.gateway.catalogue, ask.way, &query, &conditions)
    }

    fn plan(&self, ask: &Ask<'_>) -> Result<Planned, Error> {
        self.plan_in(ask, &World::default())
    }

    /// The targets in order.
    fn targets(&self, ask: &Ask<'_>) -> Vec<String> {
        shorts(&self.plan(ask).unwrap().targets)
    }

    fn targets_in(&self, ask: &Ask<'_>, world: &World) -> Vec<String> {
        shorts(&self.plan_in(ask, world).unwrap().targets)
    }

    fn refusal(&self, ask: &Ask<'_>) -> (Kind, String) {
        let error = self.plan(ask).unwrap_err();
        (error.kind, error.message)
    }
}
