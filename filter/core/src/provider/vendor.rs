//! Vendors whose API is OpenAI's but for some habits: one row each, found by the host of the base URL.
//!
//! A row is there for a habit that was seen, and says where and when it last was. A vendor without a row, and every self-hosted
//! server, is taken at its word: it is spoken to as OpenAI is.

use alloc::string::String;

use super::served;
use crate::{
    config::BaseUrl,
    dialect::{Thoughts, head::History},
    segment,
};

/// A vendor's habits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vendor {
    /// Its hosts: these, and every subdomain of those that begin with a dot.
    hosts: &'static [&'static str],
    /// What the built-in catalogue calls it; empty where it has none of its models.
    pub name: &'static str,
    /// How a credential is presented, where not as `Authorization: Bearer`.
    pub credential: Option<(&'static str, &'static str)>,
    /// Whether a stream may be asked for its usage; who may not be asked says it unasked.
    pub takes_stream_options: bool,
    /// What it calls `max_completion_tokens`, where it does not know that name.
    pub max_tokens: Option<&'static str>,
    /// What it makes of a history that another provider began.
    pub foreign: Foreign,
    /// Whether it has the older `/completions` beside chats.
    completes: bool,
    /// Whether the path names the deployment and the query an API version, as Azure's older endpoints want it.
    pub has_deployments: bool,
    /// Whether it speaks Responses, too.
    pub responses: Responses,
}

/// Whether a vendor speaks Responses, and whether it keeps answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Responses {
    /// It does not.
    Unknown,
    /// It does, and keeps nothing.
    Stateless,
    /// It does, and keeps answers where it is not told otherwise.
    Stateful,
}

/// What a vendor makes of cache breakpoints, thinking blocks and thought signatures in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// It understands them, or passes them on to who does.
    Taken,
    /// Nobody knows: it gets what the client wrote, but nothing that the gateway itself has put into an id.
    Unknown,
    /// It refuses a request that has any.
    Refused,
}

impl Foreign {
    /// Whether a request has to be pruned for it, and then whether of members, too, and not only of what an id carries.
    #[must_use]
    pub fn pruning(self, history: History) -> Option<bool> {
        match self {
            Self::Taken => None,
            Self::Unknown => history.has_carried_signature.then_some(false),
            Self::Refused => (history.has_carried_signature || history.has_foreign_fields).then_some(true),
        }
    }
}

/// Whoever has no row.
static OTHER: Vendor = PLAIN;

/// No habit but OpenAI's.
const PLAIN: Vendor = Vendor {
    hosts: &[],
    name: "",
    credential: None,
    takes_stream_options: true,
    max_tokens: None,
    foreign: Foreign::Unknown,
    completes: true,
    has_deployments: false,
    // Whoever is taken at its word: vLLM, SGLang, llama.cpp, Ollama and LM Studio all have it. 2026-11: Ollama ignores
    // `previous_response_id` (<https://docs.ollama.com/api/openai-compatibility>), vLLM and SGLang keep nothing unless they are told to.
    responses: Responses::Stateless,
};

/// The API version asked for where the file names none: the latest general one of Azure's dated API.
const AZURE_API_VERSION: &str = "2024-10-21";

/// 2026-11: keys in `api-key`; resources serve both `/openai/v1`, which needs no version, and
/// `/openai/deployments/…?api-version=`: <https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle>.
static AZURE: Vendor = Vendor {
    hosts: &[".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"],
    name: "azure",
    credential: Some(("api-key", "")),
    has_deployments: true,
    foreign: Foreign::Refused,
    responses: Responses::Stateful,
    ..PLAIN
};

static VENDORS: &[&Vendor] = &[
    &Vendor {
        // 2026-11: the others are where its data stays in a region.
        hosts: &["api.openai.com", ".api.openai.com"],
        name: "openai",
        foreign: Foreign::Refused,
        responses: Responses::Stateful,
        ..PLAIN
    },
    &AZURE,
    // 2026-02: refuses `max_completion_tokens` (<https://github.com/editor-code-assistant/eca/issues/315>), 2025-08
    // `stream_options.include_usage` (<https://github.com/vybestack/llxprt-code/issues/114>), 2025-12 properties of messages
    // that it does not know (<https://github.com/charmbracelet/crush/issues/1590>), each with 422 "extra_forbidden". The last
    // chunk has the usage. 2026-11: its SDK (mistralai 3.7) has none of them still, and completes code only, at a path of its own.
    &Vendor {
        hosts: &["api.mistral.ai"],
        completes: false,
        name: "mistral",
        takes_stream_options: false,
        max_tokens: Some("max_tokens"),
        foreign: Foreign::Refused,
        responses: Responses::Unknown,
        ..PLAIN
    },
    // 2026-11: neither name is in its SDK (perplexityai 0.46); each chunk has the usage so far. It has announced the end of
    // this API for 2026-09-27 (<https://github.com/vercel/ai/releases/tag/@ai-sdk%2Fperplexity@3.1.0>).
    &Vendor {
        hosts: &["api.perplexity.ai"],
        name: "perplexity",
        takes_stream_options: false,
        max_tokens: Some("max_tokens"),
        completes: false,
        responses: Responses::Unknown,
        ..PLAIN
    },
    // 2026-08: ignores the other name, and with it the limit: <https://github.com/earendil-works/pi/issues/8018>. Has completions
    // below `/beta` only: <https://api-docs.deepseek.com/api/create-completion>; and Responses, and keeps nothing:
    // <https://api-docs.deepseek.com/guides/responses_api>.
    &Vendor {
        hosts: &["api.deepseek.com"],
        name: "deepseek",
        max_tokens: Some("max_tokens"),
        completes: false,
        ..PLAIN
    },
    // 2026-07: the same: <https://github.com/earendil-works/pi/issues/7143>.
    &Vendor {
        hosts: &["api.z.ai", "open.bigmodel.cn"],
        max_tokens: Some("max_tokens"),
        completes: false,
        responses: Responses::Unknown,
        ..PLAIN
    },
    // 2026-11: its reference and its SDK (together 3.1) know `max_tokens` only:
    // <https://docs.together.ai/reference/chat-completions>.
    &Vendor {
        hosts: &["api.together.ai", "api.together.xyz"],
        name: "together",
        max_tokens: Some("max_tokens"),
        responses: Responses::Unknown,
        ..PLAIN
    },
    // 2026-09: refuse properties of messages that they do not know, `reasoning_content` among them; their own is `reasoning`:
    // <https://github.com/tashfeenahmed/freellmapi/issues/1070>, <https://github.com/QwenLM/qwen-code/issues/11045>.
    // 2026-11: Groq has no completions, but Responses, and keeps nothing: <https://console.groq.com/docs/responses-api>.
    &Vendor { hosts: &["api.groq.com"], name: "groq", foreign: Foreign::Refused, completes: false, ..PLAIN },
    &Vendor { hosts: &["api.cerebras.ai"], foreign: Foreign::Refused, responses: Responses::Unknown, ..PLAIN },
    // 2026-11: takes `cache_control` for the models behind it: <https://openrouter.ai/docs/features/prompt-caching>.
    // The same: has Responses, and keeps nothing: <https://openrouter.ai/docs/api/reference/responses/overview>.
    &Vendor { hosts: &["openrouter.ai"], foreign: Foreign::Taken, ..PLAIN },
    // 2026-11: `extra_content` is its own: <https://ai.google.dev/gemini-api/docs/thought-signatures#openai>.
    &Vendor {
        hosts: &["generativelanguage.googleapis.com"],
        name: "google",
        foreign: Foreign::Taken,
        completes: false,
        responses: Responses::Unknown,
        ..PLAIN
    },
    // 2026-11: <https://docs.x.ai/developers/model-capabilities/text/generate-text>; its own proofs of thoughts.
    &Vendor { hosts: &["api.x.ai"], name: "xai", responses: Responses::Stateful, ..PLAIN },
];

impl Vendor {
    /// The vendor at a base URL: a dated API version is Azure's wherever it is served from.
    #[must_use]
    pub fn of(url: &BaseUrl) -> &'static Self {
        if url.api_version.is_some() { &AZURE } else { Self::at(&url.host) }
    }

    /// Its path and query for a call of `path` with a model, if it is for one, behind a base URL's own path.
    #[must_use]
    pub fn path(&self, url: &BaseUrl, path: &str, model: &str) -> String {
        let base = &url.path;
        if !self.has_deployments || base.ends_with("/v1") {
            return [base, path].concat();
        }
        let mut deployment = String::new();
        if base.ends_with("/openai") && !model.is_empty() {
            deployment.push_str("/deployments/");
            segment::push(&mut deployment, model);
        }
        let version = url.api_version.as_deref().unwrap_or(AZURE_API_VERSION);
        [base, deployment.as_str(), path, "?api-version=", version].concat()
    }

    /// Whether it speaks Responses where this is its address: Azure's dated API has it at other paths, of a version that few name.
    #[must_use]
    pub fn responses(&self, url: &BaseUrl) -> Responses {
        if self.has_deployments && !url.path.ends_with("/v1") { Responses::Unknown } else { self.responses }
    }

    /// Whether a model is asked in Responses only.
    #[must_use]
    pub fn only_responds(&self, model: &str) -> bool {
        self.is_openai() && served::only_responds(model)
    }

    /// Whether a model is not asked in Responses, although others are.
    #[must_use]
    pub fn never_responds(&self, model: &str) -> bool {
        self.is_openai() && served::never_responds(model)
    }

    /// Whether a model is asked in the older completions. Who is not known and has one of OpenAI's hands on what it is asked, and
    /// what Azure deploys under the name of a chat is hardly anything else.
    #[must_use]
    pub fn completes(&self, model: &str) -> bool {
        let may_say = self.is_openai() || self.has_deployments || self.hosts.is_empty();
        self.completes && !(may_say && served::never_completes(model))
    }

    /// Whether the name of a model is OpenAI's own and says what it is: at Azure it is the operator's, of a deployment.
    fn is_openai(&self) -> bool {
        self.name == "openai"
    }

    /// Whether it is known to keep no answers.
    #[must_use]
    pub fn keeps_nothing(&self) -> bool {
        !self.hosts.is_empty() && self.responses == Responses::Stateless
    }

    /// Whose thoughts may be its own: nobody but OpenAI, wherever it is served, can read OpenAI's.
    #[must_use]
    pub fn thoughts(&self) -> Thoughts {
        if self.has_deployments || self.is_openai() { Thoughts::OpenAi } else { Thoughts::Others }
    }

    /// The vendor at a host.
    fn at(host: &str) -> &'static Self {
        let is_at = |vendor: &&Self| {
            vendor.hosts.iter().any(|known| if known.starts_with('.') { host.ends_with(known) } else { host == *known })
        };
        VENDORS.iter().copied().find(is_at).unwrap_or(&OTHER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(host: &str, path: &str, api_version: Option<&str>) -> BaseUrl {
        BaseUrl { tls: true, host: host.into(), port: 443, path: path.into(), api_version: api_version.map(Into::into) }
    }

    #[test]
    fn a_vendors_habits_are_known_by_its_host_and_nobody_elses_are() {
        let renamed = Some("max_tokens");
        let cases = [
            ("api.openai.com", (true, None, Foreign::Refused)),
            ("eu.api.openai.com", (true, None, Foreign::Refused)),
            ("x.openai.azure.com", (true, None, Foreign::Refused)),
            ("x.services.ai.azure.com", (true, None, Foreign::Refused)),
            ("x.cognitiveservices.azure.com", (true, None, Foreign::Refused)),
            ("api.mistral.ai", (false, renamed, Foreign::Refused)),
            ("api.perplexity.ai", (false, renamed, Foreign::Unknown)),
            ("api.deepseek.com", (true, renamed, Foreign::Unknown)),
            ("api.z.ai", (true, renamed, Foreign::Unknown)),
            ("open.bigmodel.cn", (true, renamed, Foreign::Unknown)),
            ("api.together.ai", (true, renamed, Foreign::Unknown)),
            ("api.together.xyz", (true, renamed, Foreign::Unknown)),
            ("api.groq.com", (true, None, Foreign::Refused)),
            ("api.cerebras.ai", (true, None, Foreign::Refused)),
            ("openrouter.ai", (true, None, Foreign::Taken)),
            ("generativelanguage.googleapis.com", (true, None, Foreign::Taken)),
            ("api.x.ai", (true, None, Foreign::Unknown)),
        ];
        for (host, habits) in cases {
            let vendor = Vendor::of(&url(host, "/v1", None));
            assert_eq!((vendor.takes_stream_options, vendor.max_tokens, vendor.foreign), habits, "{host}");
            let chats_only = ["mistral", "perplexity", "deepseek", "z.ai", "bigmodel", "groq", "google"];
            assert_eq!(vendor.completes, !chats_only.iter().any(|name| host.contains(name)), "{host}");
            let credential = host.ends_with(".azure.com").then_some(("api-key", ""));
            assert_eq!((vendor.credential, vendor.has_deployments), (credential, credential.is_some()), "{host}");
        }
        let rows: usize = VENDORS.iter().map(|vendor| vendor.hosts.len()).sum();
        assert_eq!(rows, cases.len(), "each row is shown");
        for host in ["openai.azure.com", "127.0.0.1", "api.mistral.ai.evil.example", "x.ai"] {
            assert_eq!(Vendor::of(&url(host, "/v1", None)), &OTHER, "{host}");
        }
    }

    #[test]
    fn a_dated_version_is_azures_wherever_it_is_served_from() {
        assert_eq!(
            Vendor::of(&url("gateway.example", "/openai", Some("2024-10-21"))).credential,
            Some(("api-key", ""))
        );
    }

    #[test]
    fn the_name_of_a_deployment_does_not_say_whether_it_is_asked_in_responses() {
        let vendor = |host| Vendor::of(&url(host, "/openai/v1", None));
        let (openai, azure) = (vendor("api.openai.com"), vendor("x.openai.azure.com"));
        assert!(openai.only_responds("gpt-5-codex") && !azure.only_responds("gpt-5-codex"));
        assert!(openai.never_responds("gpt-audio") && !azure.never_responds("gpt-audio"));
    }

    #[test]
    fn azure_names_its_deployment_and_its_version() {
        let path = |base: &str, api_version: Option<&str>| {
            let url = url("x.openai.azure.com", base, api_version);
            Vendor::of(&url).path(&url, "/chat/completions", "gpt")
        };
        assert_eq!(path("/openai/v1", None), "/openai/v1/chat/completions");
        let own = "/openai/deployments/gpt/chat/completions?api-version=2024-10-21";
        assert_eq!(path("/openai", None), own);
        let dated = path("/openai/deployments/mine", Some("2025-04-01-preview"));
        assert_eq!(dated, "/openai/deployments/mine/chat/completions?api-version=2025-04-01-preview");
    }

    #[test]
    fn no_two_rows_claim_a_host() {
        let hosts: alloc::vec::Vec<_> = VENDORS.iter().flat_map(|vendor| vendor.hosts).collect();
        for (index, host) in hosts.iter().enumerate() {
            assert!(!hosts[..index].contains(host), "{host}");
        }
    }
}
