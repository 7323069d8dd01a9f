//! Environment variables that say what the file could say.
//!
//! They are laid over the document before it is checked, not over what was read of it: there is one reading of a value, and a
//! file that lacks only what a variable brings is complete. What a variable says counts over what the file says; what it only
//! implies does not.

mod additions;

use std::{collections::HashMap, ffi::OsString};

pub use additions::Additions;
pub(crate) use additions::lay_over;

use crate::{document::Node, key, mistake::Mistake};

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

const KEYS: &str = "INGRESS_API_KEYS";
const BACKEND_URL: &str = "BACKEND_BASE_URL";
const BACKEND_KEY: &str = "BACKEND_API_KEY";
/// The provider that they are of.
const BACKEND: &str = "/providers/default";

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
    (BACKEND_KEY, &["providers", "default", "credential", "env"], Kind::Name),
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
}

/// Those of [`VARIABLES`] that are not switched off.
fn in_use(
    environment: impl Fn(&str) -> Option<OsString>,
) -> impl Iterator<Item = &'static (&'static str, &'static [&'static str], Kind)> {
    let oauth = !matches!(oauth_enabled(environment), Some(Node::Bool(false)));
    VARIABLES.iter().filter(move |(variable, ..)| oauth || !variable.starts_with(OAUTH))
}

/// What the environment says.
pub(crate) fn settings(environment: impl Fn(&str) -> Option<OsString>) -> Vec<Setting> {
    let get = |variable: &str| get(&environment, variable);
    let mut settings: Vec<_> = in_use(&environment)
        .filter_map(|(variable, path, kind)| Some(Setting::new(variable, path, kind.read(variable, &get(variable)?))))
        .collect();
    let backend = get(BACKEND_URL);
    if let Some(variable) = [BACKEND_URL, BACKEND_KEY].into_iter().find(|variable| get(variable).is_some()) {
        let kind = Setting::new(variable, &["providers", "default", "kind"], Node::Text("openai".to_owned()));
        settings.push(Setting { is_implied: true, ..kind });
    }
    if let Some(url) = backend {
        settings.push(Setting::new(BACKEND_URL, &["providers", "default", "base_url"], Node::Text(url)));
    }
    settings
}

/// What is wrong with variables that the reader of the document could not tell: it does not see them, or not as they are.
pub(crate) fn mistakes(environment: impl Fn(&str) -> Option<OsString>) -> Vec<Mistake> {
    let mistake = |variable, message: String| Mistake::Variables(vec![variable], message);
    let names = VARIABLES.iter().map(|(variable, ..)| *variable).chain([OAUTH_ENABLED, KEYS, BACKEND_URL]);
    let garbled = names.filter(|variable| environment(variable).is_some_and(|text| text.to_str().is_none()));
    let mut mistakes: Vec<_> = garbled.map(|variable| mistake(variable, "is not UTF-8".into())).collect();
    if let Some(Node::Text(text)) = oauth_enabled(&environment) {
        mistakes.push(mistake(OAUTH_ENABLED, format!("must be true or false, not {text:?}")));
    }
    // Whoever writes a list means to restrict; one that came out empty, of a script that found nothing, would restrict nothing.
    let lists = in_use(&environment).filter(|(_, _, kind)| matches!(kind, Kind::Words)).map(|(variable, ..)| *variable);
    let empty = lists
        .chain([KEYS])
        .filter(|variable| get(&environment, variable).is_some_and(|text| words(&text).next().is_none()));
    mistakes.extend(
        empty.map(|variable| mistake(variable, "has no entry, only commas or blanks; unset it to have none".into())),
    );
    for (number, first) in repeats(&get(&environment, KEYS).unwrap_or_default()) {
        mistakes.push(mistake(KEYS, format!("entry {number} is the same key as entry {first}")));
    }
    mistakes
}

fn oauth_enabled(environment: impl Fn(&str) -> Option<OsString>) -> Option<Node> {
    Some(Kind::Flag.read(OAUTH_ENABLED, &get(environment, OAUTH_ENABLED)?))
}

/// A variable that is empty is not set.
fn get(environment: impl Fn(&str) -> Option<OsString>, variable: &str) -> Option<String> {
    environment(variable)?.into_string().ok().filter(|text| !text.is_empty())
}

/// Keys of clients, between commas, each with its number from one. They are hashed before anything else sees them. Those that are
/// there twice are left to [`mistakes`].
pub(crate) fn keys(environment: impl Fn(&str) -> Option<OsString>) -> Vec<(usize, Node)> {
    let text = get(environment, KEYS).unwrap_or_default();
    let repeated: Vec<_> = repeats(&text).into_iter().map(|(number, _)| number).collect();
    let key = |(number, key): (usize, &str)| {
        let member = |name: &str, value| (name.to_owned(), Node::Text(value));
        (number, Node::Map(vec![member("id", format!("env-{number}")), member("sha256", key::hash(key))]))
    };
    (1..).zip(words(&text)).filter(|(number, _)| !repeated.contains(number)).map(key).collect()
}

/// The numbers of the words that repeat an earlier one, each with that one's.
fn repeats(text: &str) -> Vec<(usize, usize)> {
    let mut firsts = HashMap::new();
    let repeat = |(number, word)| {
        let first = *firsts.entry(word).or_insert(number);
        (first != number).then_some((number, first))
    };
    (1..).zip(words(text)).filter_map(repeat).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    use dragoman_core::config::{Config, Credential, JwtKeys};

    use super::*;
    use crate::document;

    fn read(file: &str, environment: &[(&str, &str)]) -> Result<Config, Vec<Mistake>> {
        let get = |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        document::parse(file, get).map(|document| document.config)
    }

    /// What is printed of a file with these mistakes.
    fn refused(file: &str, environment: &[(&str, &str)]) -> Vec<String> {
        read(file, environment).unwrap_err().iter().map(ToString::to_string).collect()
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
        let oauth = [("OAUTH_ISSUER", "i"), ("OAUTH_JWT_SECRET", "a secret of 32 bytes, or of more")];
        let jwt = read(file, &oauth).unwrap().auth.jwt.unwrap();
        assert!(matches!(&jwt.keys, JwtKeys::Secret(_)));
        let off = [oauth.as_slice(), &[("OAUTH_ENABLED", "no")]].concat();
        assert_eq!(read(file, &off).unwrap().auth.jwt, None);
    }

    #[test]
    fn whether_oauth_is_on_is_said_clearly_or_refused() {
        let file = "providers: {a: {kind: openai}}\nlisen: {}\n";
        let texts = refused(file, &[("OAUTH_ENABLED", "maybe")]);
        assert_eq!(texts.len(), 2, "{texts:?}");
        assert_eq!(texts[1], "OAUTH_ENABLED: must be true or false, not \"maybe\"");
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
        assert!(wrong[0].to_string().starts_with("/providers/default/kind: "), "the file's own mistake: {wrong:?}");
    }

    #[test]
    fn what_a_variable_says_wrong_is_said_of_the_variable() {
        let file = "providers: {a: {kind: openai}}\nkeys: []\n";
        let texts = refused(
            file,
            &[("INGRESS_AUTH_REQUIRED", "maybe"), ("LIVE_METRICS_EWMA_ALPHA", "2"), ("BACKEND_BASE_URL", "h")],
        );
        assert_eq!(
            texts,
            [
                "BACKEND_BASE_URL: the value has no scheme; expected a URL such as https://api.openai.com/v1",
                "INGRESS_AUTH_REQUIRED: expected true or false, found text",
                "LIVE_METRICS_EWMA_ALPHA: expected a number from 0 to 1, found `2`",
            ]
        );
    }

    #[test]
    fn a_section_that_only_variables_made_is_named_by_them() {
        let variables = [("OAUTH_AUDIENCE", "llm"), ("OAUTH_ALGORITHMS", "RS256,XX")];
        let said = |file: &str| {
            let texts = refused(file, &variables);
            let [missing, wrong, lacking] = texts.as_slice() else { panic!("{texts:?}") };
            assert!(wrong.starts_with("OAUTH_ALGORITHMS: entry 2: expected one of RS256, "), "{wrong}");
            (missing.clone(), lacking.split(" needs ").next().unwrap().to_owned())
        };
        let ours = ("OAUTH_AUDIENCE: /auth/jwt/issuer: is required", "OAUTH_ALGORITHMS, OAUTH_AUDIENCE: /auth/jwt:");
        let file = "providers: {a: {kind: openai}}\n";
        assert_eq!(said(file), (ours.0.into(), ours.1.into()));
        // Where the file has the section, it can be found there.
        let file = format!("{file}auth: {{jwt: {{}}}}\n");
        assert_eq!(said(&file), ("/auth/jwt/issuer: is required".into(), "/auth/jwt:".into()));
    }

    #[test]
    fn a_key_that_is_there_twice_is_named_by_its_number() {
        let file = "providers: {a: {kind: openai}}\n";
        assert_eq!(
            refused(file, &[("INGRESS_API_KEYS", "sk-a, sk-b, ,sk-a,sk-a")]),
            [
                "INGRESS_API_KEYS: entry 3 is the same key as entry 1",
                "INGRESS_API_KEYS: entry 4 is the same key as entry 1",
            ]
        );
        let file = format!("{file}keys: [{{id: env-1, sha256: {}}}]\n", key::hash("sk-b"));
        assert_eq!(
            refused(&file, &[("INGRESS_API_KEYS", "sk-a,sk-b")]),
            [
                "INGRESS_API_KEYS: entry 1, `id`: is also that of /keys/0",
                "INGRESS_API_KEYS: entry 2, `sha256`: is also that of /keys/0",
            ]
        );
    }

    #[test]
    fn a_variable_that_is_no_text_is_not_passed_over() {
        let garbled = |name: &str| (name == KEYS).then(|| OsStr::from_bytes(b"sk-\xff").to_owned());
        let mistakes = document::parse("providers: {a: {kind: openai}}\n", garbled).unwrap_err();
        assert_eq!(mistakes, [Mistake::Variables(vec![KEYS], "is not UTF-8".into())]);
    }

    #[test]
    fn a_list_without_an_entry_is_not_taken_for_no_list() {
        let file =
            "providers: {a: {kind: openai}}\nauth: {jwt: {issuer: i, audiences: [a], jwks_url: 'https://i/k'}}\n";
        for text in [", ,", ",", " "] {
            for variable in ["INGRESS_API_KEYS", "OAUTH_AUDIENCE", "OAUTH_ALGORITHMS", "OAUTH_REQUIRED_SCOPES"] {
                let texts = refused(file, &[(variable, text)]);
                let expected = format!("{variable}: has no entry, only commas or blanks; unset it to have none");
                assert!(texts.contains(&expected), "{texts:?}");
                let off = read(file, &[(variable, text), ("OAUTH_ENABLED", "false")]);
                assert_eq!(off.is_ok(), variable.starts_with(OAUTH), "{variable}");
            }
        }
    }

    #[test]
    fn variables_that_add_a_provider_are_known_and_those_that_change_one_are_not() {
        let added = |file: &str, variables: &[&str]| {
            let get = |name: &str| variables.contains(&name).then(|| "https://h".into());
            document::parse(file, get).unwrap().additions.provider()
        };
        let other = "providers: {a: {kind: openai}}\n";
        for file in ["{}", "", other] {
            assert_eq!(added(file, &[BACKEND_KEY]), [BACKEND_KEY], "{file}");
            assert_eq!(added(file, &[BACKEND_KEY, BACKEND_URL]), [BACKEND_KEY, BACKEND_URL], "{file}");
        }
        assert_eq!(added(other, &["OAUTH_ISSUER"; 0]), [""; 0]);
        assert_eq!(added("providers: {default: {kind: ollama}}\n", &[BACKEND_KEY, BACKEND_URL]), [""; 0]);
    }

    #[test]
    fn an_empty_variable_and_a_file_that_is_no_mapping_change_nothing() {
        assert!(
            read("providers: {a: {kind: openai}}", &[("INGRESS_AUTH_REQUIRED", ""), ("INGRESS_API_KEYS", "")]).is_ok()
        );
        for file in ["- a", "auth: 5\nproviders: {a: {kind: openai}}", "keys: 5\nproviders: {a: {kind: openai}}"] {
            assert!(read(file, &[("INGRESS_AUTH_REQUIRED", "true"), ("INGRESS_API_KEYS", "sk-a")]).is_err());
        }
    }
}
