//! The paths of the gateway: what a request line asks for.
//!
//! Paths are compared exactly, segment by segment, and nothing is decoded: an encoded or doubled slash is no known path. The one
//! exception is the name of a model, which has slashes and which clients encode as one segment.

use crate::{
    dialect::{
        Downstream, anthropic::Anthropic, openai_chat::OpenAiChat, openai_completions::OpenAiCompletions,
        openai_responses::OpenAiResponses,
    },
    error::Shape,
    route::Way,
    uri,
};

/// What a path means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'a> {
    /// `/health`: the process lives.
    Health,
    /// `/ready`: it can serve.
    Ready,
    /// An API of a router.
    Api(Way<'a>, Endpoint),
    /// A router's models, or the one of this name; not decoded yet.
    Models(Way<'a>, &'a str),
    /// The paths of the provider of this name: what follows the name, without slashes at its ends.
    Direct(&'a str, &'a str),
    /// Nothing.
    Unknown,
}

/// An API of a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `/chat/completions`
    ChatCompletions,
    /// `/responses`
    Responses,
    /// `/responses/…`: an answer that is kept, and what is asked about it.
    Kept,
    /// `/completions`
    Completions,
    /// `/embeddings`
    Embeddings,
    /// `/images/…`
    Images,
    /// `/messages`
    Messages,
    /// `/messages/count_tokens`
    TokenCount,
    /// `/live-metrics`
    LiveMetrics,
    /// `/policy`
    Policy,
    /// Other paths of OpenAI's API.
    Other,
}

/// The path of pictures that are drawn.
pub(crate) const GENERATIONS: &str = "images/generations";

/// What stands behind `responses` where it is about an answer that nobody keeps yet.
pub(crate) const NEW: &[&str] = &["", "compact", "input_tokens"];

/// First segments of OpenAI's API that have no endpoint kind of their own, and of what vLLM has beside it.
const OTHER: &[&str] = &[
    "audio",
    "batches",
    "chatkit",
    "classify",
    "containers",
    "conversations",
    "detokenize",
    "evals",
    "files",
    "fine_tuning",
    "moderations",
    "pooling",
    "realtime",
    "rerank",
    "score",
    "skills",
    "tokenize",
    "uploads",
    "vector_stores",
    "videos",
];

impl<'a> Route<'a> {
    /// Reads a path without its query. `is_provider` says whether a first segment is a provider's name.
    #[must_use]
    pub fn of(path: &'a str, is_provider: impl Fn(&str) -> bool) -> Self {
        let Some(path) = path.strip_prefix('/') else { return Self::Unknown };
        let path = path.strip_suffix('/').unwrap_or(path);
        match path {
            "health" => return Self::Health,
            "ready" => return Self::Ready,
            _ => {}
        }
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        if first == "v1" {
            let rest = rest.strip_prefix("router/").unwrap_or(rest);
            return match rest {
                "live-metrics" => Self::Api(Way::Default, Endpoint::LiveMetrics),
                "policy" => Self::Api(Way::Default, Endpoint::Policy),
                _ => Self::api(Way::Default, rest),
            };
        }
        if first == "router" {
            let (name, rest) = rest.split_once('/').unwrap_or((rest, ""));
            let is_name = |name: &str| {
                (1..=MAX_ROUTER_NAME).contains(&name.len())
                    && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
            };
            return if is_name(name) { Self::api(Way::Router(name), versioned(rest)) } else { Self::Unknown };
        }
        if first == "ai" {
            return Self::api(Way::Ai, versioned(rest));
        }
        match Self::api(Way::Default, path) {
            Self::Api(_, Endpoint::Other) | Self::Unknown => {}
            known @ (Self::Health | Self::Ready | Self::Api(..) | Self::Models(..) | Self::Direct(..)) => return known,
        }
        if is_plain(rest) && is_provider(first) {
            return Self::Direct(first, rest);
        }
        Self::Unknown
    }

    /// What a path means behind a router's prefix.
    fn api(way: Way<'a>, path: &'a str) -> Self {
        let models = || {
            let rest = path.strip_prefix("models")?;
            match rest.strip_prefix('/') {
                None if rest.is_empty() => Some(Self::Models(way, "")),
                Some(name) if !name.is_empty() && !name.split('/').any(str::is_empty) => Some(Self::Models(way, name)),
                _ => None,
            }
        };
        models().or_else(|| Endpoint::of(path).map(|endpoint| Self::Api(way, endpoint))).unwrap_or(Self::Unknown)
    }

    /// What follows a router's prefix in the path that this was read from.
    #[must_use]
    pub fn behind(self, path: &str) -> &str {
        let path = path.trim_matches('/');
        let (Self::Api(way, _) | Self::Models(way, _)) = self else { return path };
        match way {
            Way::Default => path.strip_prefix("v1/").map_or(path, |rest| rest.strip_prefix("router/").unwrap_or(rest)),
            Way::Router(_) => versioned(path.splitn(3, '/').nth(2).unwrap_or_default()),
            Way::Ai => versioned(path.strip_prefix("ai/").unwrap_or(path)),
        }
    }

    /// The same where something is read: chats that the provider has kept are a list of its own.
    #[must_use]
    pub(crate) fn of_kept(self) -> Self {
        if let Self::Api(way, Endpoint::ChatCompletions) = self { Self::Api(way, Endpoint::Other) } else { self }
    }

    /// The router that it names.
    #[must_use]
    pub fn router(self) -> Option<&'a str> {
        if let Self::Api(Way::Router(name), _) | Self::Models(Way::Router(name), _) = self { Some(name) } else { None }
    }

    /// The shape in which errors are written of the path that this was read from.
    #[must_use]
    pub fn shape(self, path: &str) -> Shape {
        let is_messages = match self {
            Self::Api(_, endpoint) => matches!(endpoint, Endpoint::Messages | Endpoint::TokenCount),
            Self::Unknown => looks_like_messages(path),
            Self::Health | Self::Ready | Self::Models(..) | Self::Direct(..) => false,
        };
        if is_messages { Shape::Anthropic } else { Shape::OpenAi }
    }
}

impl Endpoint {
    fn of(path: &str) -> Option<Self> {
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        if rest.split('/').skip(1).any(str::is_empty) || rest.starts_with('/') {
            return None;
        }
        Some(match (first, rest) {
            ("chat", "completions") => Self::ChatCompletions,
            // Chats that the provider has kept.
            ("chat", _) if rest.starts_with("completions/") && is_plain(path) => Self::Other,
            ("responses", "") => Self::Responses,
            // Of an answer that nobody keeps: they say their model.
            ("responses", _) if NEW.contains(&rest) => Self::Other,
            ("responses", _) if is_plain(path) => Self::Kept,
            ("completions", "") => Self::Completions,
            ("embeddings", "") => Self::Embeddings,
            ("images", "generations" | "edits" | "variations") => Self::Images,
            ("messages", "") => Self::Messages,
            ("messages", "count_tokens") => Self::TokenCount,
            _ if OTHER.contains(&first) && is_plain(path) => Self::Other,
            _ => return None,
        })
    }

    /// The format in which a chat is asked for here, where it is one.
    #[must_use]
    pub fn format(self) -> Option<&'static dyn Downstream> {
        match self {
            Self::ChatCompletions => Some(&OpenAiChat),
            Self::Completions => Some(&OpenAiCompletions),
            Self::Messages | Self::TokenCount => Some(&Anthropic),
            Self::Responses => Some(&OpenAiResponses),
            Self::Kept | Self::Embeddings | Self::Images | Self::LiveMetrics | Self::Policy | Self::Other => None,
        }
    }

    /// The methods it takes.
    #[must_use]
    pub const fn methods(self) -> &'static [&'static str] {
        match self {
            Self::ChatCompletions => &["GET", "POST"],
            Self::Responses
            | Self::Completions
            | Self::Embeddings
            | Self::Images
            | Self::Messages
            | Self::TokenCount => &["POST"],
            Self::LiveMetrics | Self::Policy => &["GET"],
            Self::Kept | Self::Other => &["GET", "POST", "DELETE"],
        }
    }
}

/// Whether who asks for a path that means nothing seems to speak Anthropic's API. A router may be called `messages`.
fn looks_like_messages(path: &str) -> bool {
    let named = path.strip_prefix("/router/").and_then(|rest| rest.split_once('/'));
    let rest = named.map_or(path, |(_, rest)| rest);
    rest.split('/').any(|segment| segment == "messages")
}

/// Longest name of a router.
const MAX_ROUTER_NAME: usize = 12;

/// A path without the version that it may begin with.
fn versioned(path: &str) -> &str {
    path.strip_prefix("v1/").unwrap_or(path)
}

/// Whether a path means the same to whoever reads it: no segment is empty or leads elsewhere, and no slash is hidden but in the
/// name of a model.
fn is_plain(path: &str) -> bool {
    let is_segment = |segment: &str| {
        let dots = segment.replace("%2e", ".").replace("%2E", ".");
        !segment.is_empty() && dots != "." && dots != ".." && !segment.contains(['\\', '#'])
    };
    let (_, rest) = split_version(path, is_version);
    let hiding = if rest.starts_with("models/") { rest.rsplit_once(':').map_or("", |(_, verb)| verb) } else { rest };
    path.split('/').all(is_segment) && !has_escaped_slash(hiding) && path.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A path's first segment, if it is a version, and what follows.
pub(crate) fn split_version(path: &str, is_version: impl Fn(&str) -> bool) -> (&str, &str) {
    path.split_once('/').filter(|(first, _)| is_version(first)).unwrap_or(("", path))
}

/// Whether a segment is the version of an API: `v1`, `v1beta`.
pub(crate) fn is_version(segment: &str) -> bool {
    let mut bytes = segment.bytes();
    bytes.next() == Some(b'v')
        && bytes.next().is_some_and(|byte| byte.is_ascii_digit())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Whether a path leads to who answers with a credential of its account, or with a session of its own: of what is done with it nothing
/// passes here. Google's `auth_tokens` are for the same.
pub(crate) fn leads_away(path: &str) -> bool {
    const WORDS: &[&str] = &["auth_tokens", "chatkit", "realtime", "realtimeapi"];
    let is_word = |segment: &str| WORDS.iter().any(|word| segment.eq_ignore_ascii_case(word));
    let mut before = "";
    path.split('/').any(|segment| {
        // The caller chooses what models are called.
        let is_name = matches!(core::mem::replace(&mut before, segment), "deployments" | "models");
        !is_name && uri::decode(segment).is_some_and(|segment| is_word(&segment))
    })
}

/// What stands behind `responses` in a path, however that is spelled: an answer that may be kept, or nothing where one is asked for.
pub(crate) fn answers(path: &str) -> Option<&str> {
    let (mut before, mut start) = ("", 0_usize);
    for segment in path.split('/') {
        start = start.saturating_add(segment.len()).saturating_add(1);
        // The caller chooses what models are called.
        let is_name = matches!(core::mem::replace(&mut before, segment), "deployments" | "models");
        if !is_name && uri::decode(segment).is_some_and(|segment| segment.eq_ignore_ascii_case("responses")) {
            return Some(path.get(start..).unwrap_or_default());
        }
    }
    None
}

/// Whether a slash is hidden in a path: who is handed it may find another path than the one that was looked at here.
pub(crate) fn has_escaped_slash(path: &str) -> bool {
    let mut escapes = path.split('%').skip(1);
    escapes.any(|escape| matches!(escape.as_bytes(), [b'2', b'f' | b'F', ..] | [b'5', b'c' | b'C', ..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Route<'_> {
        Route::of(path, |name| name == "openai")
    }

    #[test]
    fn the_default_router_has_three_spellings() {
        for path in ["/v1/chat/completions", "/v1/router/chat/completions", "/chat/completions", "/chat/completions/"] {
            assert_eq!(of(path), Route::Api(Way::Default, Endpoint::ChatCompletions), "{path}");
        }
    }

    #[test]
    fn a_prefix_is_a_router_or_a_provider() {
        let chat = |way| Route::Api(way, Endpoint::ChatCompletions);
        assert_eq!(of("/router/production/chat/completions"), chat(Way::Router("production")));
        assert_eq!(of("/router/production/v1/chat/completions"), chat(Way::Router("production")));
        assert_eq!(of("/router/production/models"), Route::Models(Way::Router("production"), ""));
        assert_eq!(of("/ai/chat/completions"), chat(Way::Ai));
        assert_eq!(of("/ai/v1/chat/completions"), chat(Way::Ai));
        assert_eq!(of("/openai/chat/completions"), Route::Direct("openai", "chat/completions"));
        assert_eq!(of("/openai/models/a%2Fb:verb"), Route::Direct("openai", "models/a%2Fb:verb"));
        for path in [
            "/mistral/chat/completions",
            "/router/chat/nothing",
            "/router/a_name_too_long/chat/completions",
            "/router/a.b/chat/completions",
            "/router//chat/completions",
            "/router/production",
            "/ai",
        ] {
            assert_eq!(of(path), Route::Unknown, "{path}");
        }
    }

    #[test]
    fn what_follows_a_routers_prefix_is_the_path_at_its_provider() {
        for prefix in ["/", "/v1/", "/v1/router/", "/router/v1/", "/router/a-b/", "/router/a-b/v1/", "/ai/", "/ai/v1/"]
        {
            for rest in [
                "files",
                "files/file-1/content",
                "vector_stores/v1/files",
                "audio/speech",
                "images/edits",
                "chat/completions/chatcmpl-1/messages",
                "skills/s/versions",
                "score",
            ] {
                for end in ["", "/"] {
                    let path = [prefix, rest, end].concat();
                    // The bare root has none of these but pictures.
                    let is_bare = prefix == "/" && !rest.starts_with("images");
                    assert_eq!(of(&path) == Route::Unknown, is_bare, "{path}");
                    if !is_bare {
                        assert_eq!(of(&path).behind(&path), rest, "{path}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_name_of_a_model_is_the_rest_of_its_path() {
        for prefix in ["/v1/models", "/v1/router/models", "/models"] {
            for (rest, name) in [
                ("", ""),
                ("/", ""),
                ("/gpt-4o", "gpt-4o"),
                ("/openai/gpt-4o", "openai/gpt-4o"),
                ("/openai%2Fgpt-4o", "openai%2Fgpt-4o"),
                ("/together/meta-llama/Llama/", "together/meta-llama/Llama"),
            ] {
                assert_eq!(of(&[prefix, rest].concat()), Route::Models(Way::Default, name), "{prefix}{rest}");
            }
            for rest in ["x", "//", "//gpt-4o", "/openai//gpt-4o"] {
                assert_eq!(of(&[prefix, rest].concat()), Route::Unknown, "{prefix}{rest}");
            }
        }
    }

    #[test]
    fn tricks_are_no_known_path() {
        for path in [
            "",
            "v1/chat/completions",
            "/v1//chat/completions",
            "//v1/chat/completions",
            "/v1/chat//completions",
            "/V1/chat/completions",
            "/v1/chat/x",
            "/chat/completions/x",
            "/v1/chat/completions/..",
            "/v1/chat%2fcompletions",
            "/v1%2Fmodels",
            "/v1/responses/a%2f..%2fb",
            "/v1/files/a%5Cb",
            "/v1/files/../chat/completions",
            "/v1/files/%2E%2e/x",
            "/v1/files/.",
            "/v1/responses/..",
            "/v1/files/a#b",
            "/router/x/files/a b",
            "/openai/v1/%2F/chat/completions",
            "/openai/files/a%2fb",
            "/openai/v1/files/models/a%2fb",
            "/openai/models/a:b%2fc",
            "/openai/v1//chat/completions",
            "/openai/../chat/completions",
            "/openai/files/%2e%2E/x",
            "/openai/files/a\\b",
            "/openai",
            "/openai/",
            "/router/x/a%5cb",
            "/v1/../chat/completions",
            "/v1",
            "/",
        ] {
            assert_eq!(of(path), Route::Unknown, "{path}");
        }
    }

    #[test]
    fn what_hands_out_credentials_leads_away_however_it_is_spelled() {
        for path in [
            "realtime",
            "realtime/client_secrets",
            "v1/re%61ltime/sessions",
            "openai/v1/Realtime/calls",
            "openai/realtimeapi/sessions",
            "chatkit/sessions",
            "v1alpha/auth_tokens",
        ] {
            assert!(leads_away(path), "{path}");
        }
        for path in ["files/realtime.txt", "models/realtime", "openai/deployments/realtime/chat/completions", "a%ff"] {
            assert!(!leads_away(path), "{path}");
        }
    }

    #[test]
    fn errors_on_messages_paths_are_in_the_shape_of_anthropic_whatever_else_is_called_so() {
        for (path, shape) in [
            ("/v1/messages", Shape::Anthropic),
            ("/messages/count_tokens", Shape::Anthropic),
            ("/router/messages/messages", Shape::Anthropic),
            ("/ai/v1/messages", Shape::Anthropic),
            ("/v1/messages/batches", Shape::Anthropic),
            ("/v2/messages", Shape::Anthropic),
            ("/router/messages/v2/messages", Shape::Anthropic),
            ("/v1/chat/completions", Shape::OpenAi),
            ("/router/messages/chat/completions", Shape::OpenAi),
            ("/router/messages/models", Shape::OpenAi),
            ("/router/messages/nothing", Shape::OpenAi),
            ("/v1/models/x/messages", Shape::OpenAi),
            ("/v1/files/messages", Shape::OpenAi),
            ("/v1/nothing", Shape::OpenAi),
        ] {
            assert_eq!(of(path).shape(path), shape, "{path}");
        }
    }
}
