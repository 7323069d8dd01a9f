//! Vendors whose API is OpenAI's but for some habits: one row each, found by the host of the base URL.
//!
//! A vendor without a row, and every self-hosted server, is taken at its word: it is spoken to as OpenAI is. Each habit
//! says when it was last seen; a row that has none is there to say that none is known.

use alloc::string::String;

use crate::{config::BaseUrl, dialect::openai_chat::History};

/// A vendor's habits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vendor {
    /// Its name, for reports.
    pub name: &'static str,
    /// Its hosts: these, and every subdomain of those that begin with a dot.
    hosts: &'static [&'static str],
    /// How a credential is presented, where not as `Authorization: Bearer`.
    pub credential: Option<(&'static str, &'static str)>,
    /// Whether a stream may be asked for its usage; who may not be asked says it unasked.
    pub takes_stream_options: bool,
    /// What it calls `max_completion_tokens`, where it does not know that name.
    pub max_tokens: Option<&'static str>,
    /// What it makes of a history that another provider began.
    pub foreign: Foreign,
    /// Whether the path names the deployment and the query an API version, as Azure's older endpoints want it.
    pub has_deployments: bool,
}

/// What a vendor makes of cache breakpoints, thinking blocks and thought signatures in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// It understands them, or passes them on to who does.
    Taken,
    /// Nobody knows: it gets what the client wrote, but nothing that the gateway itself has put into an id.
    Unknown,
    /// It refuses a request that has them.
    Refused,
}

impl Foreign {
    /// Whether a request has to be written anew, without them.
    #[must_use]
    pub fn is_unwanted(self, history: History) -> bool {
        match self {
            Self::Taken => false,
            Self::Unknown => history.has_carried_signature,
            Self::Refused => history.has_carried_signature || history.has_foreign_fields,
        }
    }
}

/// A vendor that is exactly like OpenAI.
const PLAIN: Vendor = Vendor {
    name: "openai",
    hosts: &["api.openai.com"],
    credential: None,
    takes_stream_options: true,
    max_tokens: None,
    foreign: Foreign::Refused,
    has_deployments: false,
};

const fn plain(name: &'static str, hosts: &'static [&'static str]) -> Vendor {
    Vendor { name, hosts, foreign: Foreign::Unknown, ..PLAIN }
}

/// Whoever has no row.
static OTHER: Vendor = plain("compatible", &[]);

/// The API version asked for where the file names none: the latest general one of Azure's dated API.
const AZURE_API_VERSION: &str = "2024-10-21";

/// 2026-11: keys in `api-key`; resources serve both `/openai/v1` (no version) and `/openai/deployments/…?api-version=`.
static AZURE: Vendor = Vendor {
    credential: Some(("api-key", "")),
    has_deployments: true,
    foreign: Foreign::Refused,
    ..plain("azure", &[".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"])
};

static VENDORS: &[&Vendor] = &[
    &PLAIN,
    &AZURE,
    // 2026-11: refuses `stream_options` and `max_completion_tokens` with 422 "extra_forbidden"; the last chunk has the usage.
    &Vendor {
        takes_stream_options: false,
        max_tokens: Some("max_tokens"),
        foreign: Foreign::Refused,
        ..plain("mistral", &["api.mistral.ai"])
    },
    // 2026-08: each chunk has the usage so far; `stream_options` is not in its reference.
    &Vendor { takes_stream_options: false, ..plain("perplexity", &["api.perplexity.ai"]) },
    // 2026-11: the reference knows `max_tokens` only; the other name is ignored, and with it the limit.
    &Vendor { max_tokens: Some("max_tokens"), ..plain("deepseek", &["api.deepseek.com"]) },
    &Vendor { max_tokens: Some("max_tokens"), ..plain("together", &["api.together.xyz", "api.together.ai"]) },
    &Vendor { max_tokens: Some("max_tokens"), ..plain("fireworks", &["api.fireworks.ai"]) },
    &Vendor { max_tokens: Some("max_tokens"), ..plain("zai", &["api.z.ai", "open.bigmodel.cn"]) },
    // 2026-11: refuses properties of messages that it does not know.
    &Vendor { foreign: Foreign::Refused, ..plain("groq", &["api.groq.com"]) },
    &plain("xai", &["api.x.ai", ".api.x.ai"]),
    // 2026-11: takes `cache_control` and signed reasoning for the models behind it.
    &Vendor { foreign: Foreign::Taken, ..plain("openrouter", &["openrouter.ai"]) },
    &plain("cerebras", &["api.cerebras.ai"]),
    &plain("cohere", &["api.cohere.ai", "api.cohere.com"]),
    // 2026-11: `extra_content` is its own.
    &Vendor { foreign: Foreign::Taken, ..plain("google", &["generativelanguage.googleapis.com"]) },
    &plain("huggingface", &["router.huggingface.co"]),
    &plain("nvidia", &["integrate.api.nvidia.com"]),
];

impl Vendor {
    /// The vendor at a base URL: a dated API version is Azure's wherever it is served from.
    #[must_use]
    pub fn of(url: &BaseUrl) -> &'static Self {
        if url.api_version.is_some() { &AZURE } else { Self::at(&url.host) }
    }

    /// Its path and query for a call of `path` with a model, behind a base URL's own path.
    #[must_use]
    pub fn path(&self, url: &BaseUrl, path: &str, model: &str) -> String {
        let base = &url.path;
        if !self.has_deployments || base.ends_with("/v1") {
            return [base, path].concat();
        }
        let deployment = if base.ends_with("/openai") { ["/deployments/", model].concat() } else { String::new() };
        let version = url.api_version.as_deref().unwrap_or(AZURE_API_VERSION);
        [base, deployment.as_str(), path, "?api-version=", version].concat()
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

    #[test]
    fn a_vendor_is_known_by_its_host() {
        for (host, name) in [
            ("api.mistral.ai", "mistral"),
            ("x.openai.azure.com", "azure"),
            ("openai.azure.com", "compatible"),
            ("eu.api.x.ai", "xai"),
            ("127.0.0.1", "compatible"),
            ("api.mistral.ai.evil.example", "compatible"),
        ] {
            assert_eq!(Vendor::at(host).name, name, "{host}");
        }
    }

    #[test]
    fn azure_names_its_deployment_and_its_version() {
        let url = |path: &str, api_version: Option<&str>| BaseUrl {
            tls: true,
            host: "x.openai.azure.com".into(),
            port: 443,
            path: path.into(),
            api_version: api_version.map(Into::into),
        };
        let path = |url: BaseUrl| Vendor::of(&url).path(&url, "/chat/completions", "gpt");
        assert_eq!(path(url("/openai/v1", None)), "/openai/v1/chat/completions");
        let own = "/openai/deployments/gpt/chat/completions?api-version=2024-10-21";
        assert_eq!(path(url("/openai", None)), own);
        let dated = url("/openai/deployments/mine", Some("2025-04-01-preview"));
        assert_eq!(path(dated), "/openai/deployments/mine/chat/completions?api-version=2025-04-01-preview");
    }

    #[test]
    fn no_two_rows_claim_a_host() {
        let hosts: alloc::vec::Vec<_> = VENDORS.iter().flat_map(|vendor| vendor.hosts).collect();
        for (index, host) in hosts.iter().enumerate() {
            assert!(!hosts[..index].contains(host), "{host}");
        }
    }
}
