//! Where a request names its model.

use alloc::{string::String, vec::Vec};

use crate::{gateway::Provider, uri};

/// Where Gemini's paths and others' name a model.
pub(super) const MODELS: &str = "models/";

/// Where Azure's older paths do.
const DEPLOYMENTS: &str = "deployments/";

/// What can stand behind a model in Gemini's paths, and alone.
const VERBS: &[&str] =
    &["batchEmbedContents", "countTokens", "embedContent", "generateContent", "streamGenerateContent"];

/// What can only stand behind one. Left out are those that take a list or a file of requests: each may name a model of its own.
const OTHER_VERBS: &[&str] = &["predict", "predictLongRunning"];

/// See the module's documentation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere where it would be known.
    Nowhere,
    /// In the body.
    Body,
    /// In the path, before this.
    Path(String, String),
    /// In the path, as one of Azure's deployments.
    Deployment(String),
    /// In the body or the query; it belongs into the path.
    Apart(Option<String>),
}

impl Place {
    /// The place in a path: before a verb where the format is Gemini's.
    pub(super) fn in_path(path: &str, is_gemini: bool) -> Option<Self> {
        let model = path.strip_prefix(MODELS)?;
        let end = if is_gemini { model.rfind(':') } else { None };
        let (name, verb) = model.split_at(end.unwrap_or(model.len()));
        Some(Self::Path(uri::decode(name).unwrap_or_default(), verb.into()))
    }

    /// Whether a path ends in one of Gemini's verbs.
    pub(super) fn has_verb(path: &str) -> bool {
        path.rsplit_once(':').is_some_and(|(_, verb)| VERBS.contains(&verb))
    }

    /// The place beside one of Gemini's verbs; it is taken out of the query.
    pub(super) fn beside_verb(path: &str, query: &mut String) -> Option<Self> {
        if !VERBS.contains(&path) {
            return None;
        }
        let (own, others): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| is_model(pair));
        let named = own.first().and_then(|pair| uri::decode(pair.split_once('=')?.1));
        *query = others.join("&");
        Some(Self::Apart(named))
    }

    /// The place in a path that names a deployment, and the path behind it.
    pub(super) fn in_deployment(path: &str) -> Option<(Self, &str)> {
        let (name, call) = path.strip_prefix(DEPLOYMENTS)?.split_once('/')?;
        Some((Self::Deployment(uri::decode(name)?), call))
    }

    /// Whether a request of this method names its model here and nowhere else; `is_json` is what its body says of itself.
    pub(super) fn is_known(&self, method: &str, is_json: Option<bool>, query: &str) -> bool {
        let is_posted = method == "POST";
        let is_known = match self {
            Self::Nowhere => false,
            Self::Body | Self::Apart(_) => is_posted && is_json == Some(true),
            Self::Deployment(_) => is_posted,
            Self::Path(_, verb) => match (method, verb.strip_prefix(':')) {
                ("POST", Some(verb)) => {
                    is_json != Some(false) && (VERBS.contains(&verb) || OTHER_VERBS.contains(&verb))
                }
                ("GET" | "HEAD", None) => is_json.is_none(),
                _ => false,
            },
        };
        is_known && !query.split('&').any(is_model)
    }
}

/// Whether a pair of a query names a model.
fn is_model(pair: &str) -> bool {
    let (name, _) = pair.split_once('=').unwrap_or((pair, ""));
    name == "model" || uri::decode(name).is_none_or(|name| name.eq_ignore_ascii_case("model"))
}

/// What such a path is to Azure: its clients have `openai/` before it, as the base URL does.
pub(super) fn of_azure<'a>(provider: &Provider, path: &'a str) -> Option<&'a str> {
    let mut accounts = provider.accounts.iter();
    let is_azure =
        accounts.any(|account| account.vendor.has_deployments && account.base_url.path.starts_with("/openai"));
    is_azure.then(|| path.strip_prefix("openai/").unwrap_or(path))
}
