//! Environment variables that say what the file could say.
//!
//! They are laid over the document before it is checked, not over what was read of it: there is one reading of a value, and a
//! file that lacks only what a variable brings is complete. What a variable says counts over what the file says.

use crate::{
    document::{Node, same_name},
    key,
};

/// Names the file where the command line does not; the first that is set counts.
pub const FILE: [&str; 2] = ["DRAGOMAN_CONFIG", "ROUTING_CONFIG_PATH"];

/// A value for one place of the document.
pub(crate) struct Setting {
    /// The variable that it is from.
    pub(crate) variable: &'static str,
    path: Vec<String>,
    value: Node,
}

/// How a variable's text becomes a value.
#[derive(Clone, Copy)]
enum Kind {
    /// As it is; the reader takes numbers as text.
    Text,
    /// `true` and `false`, and other spellings of them.
    Flag,
    /// Seconds, without a unit.
    Seconds,
    /// Words between commas.
    Words,
    /// The variable's own name is the value: the secret stays where it is.
    Name,
}

const OAUTH: &str = "OAUTH_";

/// The variables that stand for one value.
const VARIABLES: [(&str, &[&str], Kind); 16] = [
    ("INGRESS_AUTH_REQUIRED", &["auth", "required"], Kind::Flag),
    ("OAUTH_ISSUER", &["auth", "jwt", "issuer"], Kind::Text),
    ("OAUTH_AUDIENCE", &["auth", "jwt", "audiences"], Kind::Words),
    ("OAUTH_JWKS_URL", &["auth", "jwt", "jwks_url"], Kind::Text),
    ("OAUTH_JWT_SECRET", &["auth", "jwt", "secret", "env"], Kind::Name),
    ("OAUTH_ALGORITHMS", &["auth", "jwt", "algorithms"], Kind::Words),
    ("OAUTH_REQUIRED_SCOPES", &["auth", "jwt", "scopes", "require"], Kind::Words),
    ("ROUTER_AUDIT_LOG_ENABLED", &["log", "audit", "enabled"], Kind::Flag),
    ("ROUTER_AUDIT_LOG_PATH", &["log", "audit", "path"], Kind::Text),
    ("LIVE_METRICS_ENABLED", &["policy", "enabled"], Kind::Flag),
    ("LIVE_METRICS_EWMA_ALPHA", &["policy", "alpha"], Kind::Text),
    ("LIVE_METRICS_UPDATE_INTERVAL_SECONDS", &["policy", "interval"], Kind::Seconds),
    ("LIVE_METRICS_MIN_SAMPLES", &["policy", "min_samples"], Kind::Text),
    ("RUNTIME_POLICY_MAX_ADJUSTMENT_RATIO", &["policy", "max_ratio"], Kind::Text),
    ("ROUTER_RUNTIME_OVERRIDES_PATH", &["policy", "overrides"], Kind::Text),
    ("BACKEND_API_KEY", &["providers", "default", "credential", "env"], Kind::Name),
];

impl Kind {
    fn read(self, variable: &str, text: &str) -> Node {
        match self {
            Self::Text => Node::Text(text.to_owned()),
            Self::Flag => match text.to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Node::Bool(true),
                "false" | "0" | "no" | "off" => Node::Bool(false),
                // For the reader to refuse.
                _ => Node::Text(text.to_owned()),
            },
            Self::Seconds => Node::Text(format!("{}s", text.strip_suffix(".0").unwrap_or(text))),
            Self::Words => Node::List(words(text).map(|word| Node::Text(word.to_owned())).collect()),
            Self::Name => Node::Text(variable.to_owned()),
        }
    }
}

impl Setting {
    fn new(variable: &'static str, path: &[&str], value: Node) -> Self {
        Self { variable, path: path.iter().map(|segment| (*segment).to_owned()).collect(), value }
    }

    /// Where it goes, as a JSON pointer.
    pub(crate) fn pointer(&self) -> String {
        self.path.iter().flat_map(|segment| ["/", segment]).collect()
    }
}

/// What the environment says. A variable that is empty is not set.
pub(crate) fn settings(environment: impl Fn(&str) -> Option<String>) -> Vec<Setting> {
    let get = |variable: &str| environment(variable).filter(|text| !text.is_empty());
    let is_off =
        |variable| get(variable).is_some_and(|text| matches!(Kind::Flag.read(variable, &text), Node::Bool(false)));
    let oauth = !is_off("OAUTH_ENABLED");
    let mut settings: Vec<_> = VARIABLES
        .iter()
        .filter(|(variable, ..)| oauth || !variable.starts_with(OAUTH))
        .filter_map(|(variable, path, kind)| Some(Setting::new(variable, path, kind.read(variable, &get(variable)?))))
        .collect();
    let backend = get("BACKEND_BASE_URL");
    if let Some(variable) = ["BACKEND_BASE_URL", "BACKEND_API_KEY"].into_iter().find(|variable| get(variable).is_some())
    {
        settings.push(Setting::new(variable, &["providers", "default", "kind"], Node::Text("openai".to_owned())));
    }
    if let Some(url) = backend {
        settings.push(Setting::new("BACKEND_BASE_URL", &["providers", "default", "base_url"], Node::Text(url)));
    }
    settings
}

/// Keys of clients, between commas. They are hashed before anything else sees them.
pub(crate) fn keys(environment: impl Fn(&str) -> Option<String>) -> Vec<Node> {
    let text = environment("INGRESS_API_KEYS").unwrap_or_default();
    let key = |(number, key): (u32, &str)| {
        let member = |name: &str, value| (name.to_owned(), Node::Text(value));
        Node::Map(vec![member("id", format!("env-{number}")), member("sha256", key::hash(key))])
    };
    (1..).zip(words(&text)).map(key).collect()
}

/// Lays them over a document. What is not a mapping where one is needed stays, for the reader to refuse.
pub(crate) fn lay_over(document: &mut Node, settings: Vec<Setting>, keys: Vec<Node>) {
    for Setting { path, value, .. } in settings {
        if let Some(place) = place(document, &path) {
            *place = value;
        }
    }
    if !keys.is_empty()
        && let Some(place) = place(document, &["keys".to_owned()])
    {
        match place {
            Node::List(list) => list.extend(keys),
            Node::Null => *place = Node::List(keys),
            Node::Bool(_) | Node::Unsigned(_) | Node::Signed(_) | Node::Float(_) | Node::Text(_) | Node::Map(_) => {}
        }
    }
}

/// The place of a value, made if need be.
fn place<'n>(node: &'n mut Node, path: &[String]) -> Option<&'n mut Node> {
    let Some((segment, rest)) = path.split_first() else { return Some(node) };
    if matches!(node, Node::Null) {
        *node = Node::Map(Vec::new());
    }
    let Node::Map(members) = node else { return None };
    let at = members.iter().position(|(name, _)| same_name(name, segment)).unwrap_or(members.len());
    if at == members.len() {
        members.push((segment.clone(), Node::Null));
    }
    place(&mut members.get_mut(at)?.1, rest)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use dragoman_core::config::{Config, JwtKeys, Problem};

    use crate::document;

    fn read(file: &str, environment: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
        let get =
            |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        document::parse(file, get)
    }

    #[test]
    fn every_variable_is_a_value_of_the_document() {
        let config = read(
            "policy: {min-samples: 5}\n",
            &[
                ("INGRESS_AUTH_REQUIRED", "True"),
                ("INGRESS_API_KEYS", "sk-a, sk-b,"),
                ("OAUTH_ISSUER", "https://issuer.example"),
                ("OAUTH_AUDIENCE", "llm"),
                ("OAUTH_JWKS_URL", "https://issuer.example/jwks"),
                ("OAUTH_ALGORITHMS", "RS256,ES256"),
                ("OAUTH_REQUIRED_SCOPES", "a,b"),
                ("ROUTER_AUDIT_LOG_ENABLED", "1"),
                ("ROUTER_AUDIT_LOG_PATH", "a.jsonl"),
                ("LIVE_METRICS_ENABLED", "false"),
                ("LIVE_METRICS_EWMA_ALPHA", "0.5"),
                ("LIVE_METRICS_UPDATE_INTERVAL_SECONDS", "15.0"),
                ("LIVE_METRICS_MIN_SAMPLES", "7"),
                ("RUNTIME_POLICY_MAX_ADJUSTMENT_RATIO", "0.25"),
                ("ROUTER_RUNTIME_OVERRIDES_PATH", "o.yaml"),
                ("BACKEND_BASE_URL", "http://127.0.0.1:11434/v1"),
                ("BACKEND_API_KEY", "sk-backend"),
            ],
        )
        .unwrap();
        assert_eq!(config.auth.required, Some(true));
        assert_eq!(config.keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), ["env-1", "env-2"]);
        let jwt = config.auth.jwt.as_ref().unwrap();
        assert!(matches!(&jwt.keys, JwtKeys::Url(url) if url.host == "issuer.example"));
        assert_eq!((jwt.audiences.len(), jwt.algorithms.len(), jwt.scopes.require.len()), (1, 2, 2));
        assert_eq!((config.log.audit.enabled, config.log.audit.path.as_str()), (true, "a.jsonl"));
        let policy = &config.policy;
        assert_eq!((policy.enabled, policy.min_samples, policy.interval.as_secs()), (false, 7, 15));
        assert_eq!((policy.alpha.to_string(), policy.max_ratio.to_string()), ("0.5".into(), "0.25".into()));
        assert_eq!(policy.overrides, "o.yaml");
        let provider = &config.providers[0];
        assert_eq!((provider.name.as_str(), provider.base_url.port), ("default", 11434));
        assert!(!format!("{config:?}").contains("sk-"), "no secret is in the document");
    }

    #[test]
    fn a_secret_signs_tokens_or_oauth_is_off() {
        let file = "providers: {a: {kind: openai}}\n";
        let oauth = [("OAUTH_ISSUER", "i"), ("OAUTH_JWT_SECRET", "s")];
        let jwt = read(file, &oauth).unwrap().auth.jwt.unwrap();
        assert!(matches!(&jwt.keys, JwtKeys::Secret(_)));
        let off = [oauth.as_slice(), &[("OAUTH_ENABLED", "no")]].concat();
        assert_eq!(read(file, &off).unwrap().auth.jwt, None);
    }

    #[test]
    fn what_a_variable_says_wrong_is_said_of_the_variable() {
        let file = "providers: {a: {kind: openai}}\nkeys: []\n";
        let problems = read(
            file,
            &[("INGRESS_AUTH_REQUIRED", "maybe"), ("LIVE_METRICS_EWMA_ALPHA", "2"), ("BACKEND_BASE_URL", "h")],
        )
        .unwrap_err();
        let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), 3, "{texts:?}");
        for (pointer, variable) in [
            ("/providers/default/base_url", "BACKEND_BASE_URL"),
            ("/auth/required", "INGRESS_AUTH_REQUIRED"),
            ("/policy/alpha", "LIVE_METRICS_EWMA_ALPHA"),
        ] {
            let said = |text: &&String| text.starts_with(pointer) && text.contains(&format!("(set by {variable})"));
            assert!(texts.iter().any(|text| said(&text)), "{texts:?}");
        }
    }

    #[test]
    fn an_empty_variable_and_a_file_that_is_no_mapping_change_nothing() {
        assert!(
            read("providers: {a: {kind: openai}}", &[("INGRESS_AUTH_REQUIRED", ""), ("INGRESS_API_KEYS", " ,")])
                .is_ok()
        );
        for file in ["- a", "auth: 5\nproviders: {a: {kind: openai}}", "keys: 5\nproviders: {a: {kind: openai}}"] {
            assert!(read(file, &[("INGRESS_AUTH_REQUIRED", "true"), ("INGRESS_API_KEYS", "sk-a")]).is_err());
        }
    }
}
