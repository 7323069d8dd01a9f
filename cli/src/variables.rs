//! Environment variables that say what the file could say.
//!
//! They are laid over the document before it is checked, not over what was read of it: there is one reading of a value, and a
//! file that lacks only what a variable brings is complete. What a variable says counts over what the file says; what it only
//! implies does not.

use dragoman_core::config::{Problem, step};

use crate::{
    document::{Node, same_name},
    key,
};

/// Names the file where the command line does not; the first that is set counts.
pub const FILE: [&str; 2] = ["DRAGOMAN_CONFIG", "ROUTING_CONFIG_PATH"];

/// A value for one place of the document.
pub(crate) struct Setting {
    variable: &'static str,
    path: Vec<String>,
    value: Node,
    /// Only where the file says nothing.
    is_implied: bool,
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
/// Of no place in the document: it says whether the others of its prefix count.
const OAUTH_ENABLED: &str = "OAUTH_ENABLED";

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
        Self { variable, path: path.iter().map(|segment| (*segment).to_owned()).collect(), value, is_implied: false }
    }

    /// Where it goes, as a JSON pointer.
    fn pointer(&self) -> String {
        self.path.iter().map(|segment| step(segment)).collect()
    }
}

/// What the environment says. A variable that is empty is not set.
pub(crate) fn settings(environment: impl Fn(&str) -> Option<String>) -> Vec<Setting> {
    let get = |variable: &str| environment(variable).filter(|text| !text.is_empty());
    let oauth = !matches!(oauth_enabled(&environment), Some(Node::Bool(false)));
    let mut settings: Vec<_> = VARIABLES
        .iter()
        .filter(|(variable, ..)| oauth || !variable.starts_with(OAUTH))
        .filter_map(|(variable, path, kind)| Some(Setting::new(variable, path, kind.read(variable, &get(variable)?))))
        .collect();
    let backend = get("BACKEND_BASE_URL");
    if let Some(variable) = ["BACKEND_BASE_URL", "BACKEND_API_KEY"].into_iter().find(|variable| get(variable).is_some())
    {
        let kind = Setting::new(variable, &["providers", "default", "kind"], Node::Text("openai".to_owned()));
        settings.push(Setting { is_implied: true, ..kind });
    }
    if let Some(url) = backend {
        settings.push(Setting::new("BACKEND_BASE_URL", &["providers", "default", "base_url"], Node::Text(url)));
    }
    settings
}

/// What is wrong with a variable that has no place in the document, where the reader would find it.
pub(crate) fn problem(environment: impl Fn(&str) -> Option<String>) -> Option<Problem> {
    let Node::Text(text) = oauth_enabled(environment)? else { return None };
    let message = format!("{OAUTH_ENABLED} must be true or false, not {text:?}");
    Some(Problem { pointer: "/auth/jwt".to_owned(), message })
}

fn oauth_enabled(environment: impl Fn(&str) -> Option<String>) -> Option<Node> {
    let text = environment(OAUTH_ENABLED).filter(|text| !text.is_empty())?;
    Some(Kind::Flag.read(OAUTH_ENABLED, &text))
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

/// Lays them over a document, and says where, as JSON pointers with the variable that each is from. What is not a mapping where
/// one is needed stays, for the reader to refuse.
pub(crate) fn lay_over(document: &mut Node, settings: Vec<Setting>, keys: Vec<Node>) -> Vec<(String, &'static str)> {
    let mut places = Vec::new();
    for setting in settings {
        let pointer = setting.pointer();
        let Some(place) = place(document, &setting.path) else { continue };
        if !setting.is_implied || matches!(place, Node::Null) {
            *place = setting.value;
            places.push((pointer, setting.variable));
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
    places
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
    use dragoman_core::config::{Config, Credential, JwtKeys, Problem};

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
    fn whether_oauth_is_on_is_said_clearly_or_refused() {
        let file = "providers: {a: {kind: openai}}\nlisen: {}\n";
        let problems = read(file, &[("OAUTH_ENABLED", "maybe")]).unwrap_err();
        let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), 2, "{texts:?}");
        assert_eq!(texts[1], "/auth/jwt: OAUTH_ENABLED must be true or false, not \"maybe\"");
        let json = r#"{"providers": {"a": {"kind": "openai"}}}"#;
        assert_eq!(read(json, &[("OAUTH_ENABLED", "maybe")]).unwrap_err().len(), 1, "JSON is not read past it");
        for good in ["", "On", "0"] {
            assert!(read(json, &[("OAUTH_ENABLED", good)]).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_key_for_the_files_own_default_provider_leaves_its_kind() {
        let file = "providers: {default: {kind: anthropic, credential: {env: OTHER}}}\n";
        let config = read(file, &[("BACKEND_API_KEY", "sk-backend")]).unwrap();
        let default = &config.providers[0];
        assert_eq!(default.base_url.host, "api.anthropic.com");
        let credential = default.accounts[0].credential.as_ref().unwrap();
        assert!(matches!(credential, Credential::Env(variable) if variable == "BACKEND_API_KEY"), "{credential:?}");
        let wrong = read("providers: {default: {kind: gpt}}\n", &[("BACKEND_API_KEY", "sk-backend")]).unwrap_err();
        assert!(!wrong[0].to_string().contains("set by"), "the file's own mistake: {wrong:?}");
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
