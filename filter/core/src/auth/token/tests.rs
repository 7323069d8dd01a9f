//! Tokens as the host tells of them.

use alloc::{format, string::ToString, vec};

use super::*;
use crate::{
    auth::{Caller, Credential, KeyTable},
    change::{Changes, Latest},
    config,
    error::Kind,
    exchange::Exchange,
    gateway::Gateway,
    headers::HeaderMap,
    host::{Entropy, Surroundings},
    live::Observer,
    step::Step,
    store::Memory,
};

const TOKEN: &[u8] = b"e30.e30.c2ln";

/// What stands in the metadata, by its key.
#[derive(Default)]
struct Written(Vec<(&'static str, Vec<u8>)>);

impl Metadata for Written {
    fn read(&self, path: &[&str]) -> Option<Vec<u8>> {
        let [FILTER, key] = path else { return None };
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone())
    }
}

/// As the host serializes an object.
fn object(members: &[(&str, &[u8])]) -> Vec<u8> {
    let number = |length: usize| u32::try_from(length).unwrap().to_le_bytes();
    let mut bytes = number(members.len()).to_vec();
    for (name, value) in members {
        bytes.extend([number(name.len()), number(value.len())].concat());
    }
    for (name, value) in members {
        bytes.extend([name.as_bytes(), b"\0", value, b"\0"].concat());
    }
    bytes
}

fn list(elements: &[&str]) -> Vec<u8> {
    object(&elements.iter().map(|element| (*element, &b""[..])).collect::<Vec<_>>())
}

fn verified(claims: &[(&str, &[u8])]) -> Written {
    let usual: [(&str, &[u8]); 2] = [("iss", b"i"), ("aud", b"llm")];
    let usual = usual.into_iter().filter(|(name, _)| !claims.iter().any(|(other, _)| other == name));
    let claims: Vec<_> = claims.iter().copied().chain(usual).collect();
    Written(vec![(CLAIMS, object(&claims)), (HEADER, object(&[("alg", b"RS256"), ("typ", b"JWT")]))])
}

fn failed(message: &str) -> Written {
    Written(vec![(FAILURE, object(&[("code", b"3"), ("message", message.as_bytes())]))])
}

fn admit_where(required: &str, written: &Written) -> Result<Caller, Refusal> {
    let file = [
        r#"{"providers": {"openai": {"kind": "openai"}}, "keys": [{"id": "of-the-file", "sha256":
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}], "auth": {"#,
        required,
        r#""jwt": {"issuer": "i", "audiences": ["llm", "https://api.test"], "jwks_file": "f", "scopes": {"require": ["llm"]}, "claims": {
            "name": "email", "team": "org", "environment": "env", "providers": "providers", "models": "models",
            "labels": "labels", "cost_tags": "tags", "routing": "route"}}}}"#,
    ]
    .concat();
    let config = config::parse(&file).unwrap();
    let table = KeyTable::new(&config.auth, config.all_keys(), &Changes::default());
    table.admit(Some(Credential(TOKEN)), &crate::auth::table::tests::At(0), written)
}

fn admit(written: &Written) -> Result<Caller, Refusal> {
    admit_where("", written)
}

#[test]
fn each_claim_becomes_the_attribute_that_the_file_says() {
    let claims: [(&str, &[u8]); 10] = [
        ("sub", b"alice"),
        ("scope", b"openid llm"),
        ("email", b"alice@example.com"),
        ("org", b"ml"),
        ("env", b"prod"),
        ("providers", b"openai,groq"),
        ("models", &list(&["gpt-4o*", "o3"])),
        ("labels", &object(&[("app", b"checkout")])),
        ("tags", &list(&["cc-1"])),
        ("route", b"chain"),
    ];
    let Caller::Known(key) = admit(&verified(&claims)).unwrap() else { panic!("a token is nobody") };
    assert_eq!((key.id.as_str(), key.name.as_str(), key.team.as_deref()), ("alice", "alice@example.com", Some("ml")));
    assert_eq!((key.environment.as_deref(), key.routing.as_deref()), (Some("prod"), Some("chain")));
    assert_eq!(key.labels, [("app".to_string(), "checkout".to_string())]);
    assert_eq!(key.cost_tags, ["cc-1"]);
    let caller = Caller::Known(key);
    assert_eq!(caller.check_scope("openai", "gpt-4o-mini"), Ok(()));
    assert_eq!(caller.check_scope("groq", "o3"), Ok(()));
    assert!(caller.check_scope("gemini", "o3").is_err() && caller.check_scope("openai", "o1").is_err());
}

#[test]
fn a_claim_that_the_token_lacks_restricts_nothing_and_an_empty_one_allows_nothing() {
    let with = |claims: &[(&str, &[u8])]| {
        let usual: [(&str, &[u8]); 2] = [("sub", b"alice"), ("scope", &list(&["llm"]))];
        admit(&verified(&[&usual, claims].concat())).unwrap()
    };
    assert!(with(&[]).may_use("openai", "gpt-4o"));
    for empty in [&b""[..], &list(&[])] {
        assert!(!with(&[("models", empty)]).may_use("openai", "gpt-4o"), "{empty:?}");
        assert!(!with(&[("providers", empty)]).may_use("openai", "gpt-4o"), "{empty:?}");
    }
}

#[test]
fn a_team_that_the_file_does_not_have_would_be_one_without_a_budget() {
    struct Seven;
    impl Entropy for Seven {
        fn draw(&self) -> u64 {
            7
        }
    }
    let status = |teams: &str, environment: &str, team: &str| {
        let file = format!(
            r#"{{"providers": {{"openai": {{"kind": "openai"}}}}, {teams}
                "auth": {{"jwt": {{"issuer": "i", "jwks_file": "f", "claims": {{"team": "org", "environment": "env"}}}}}}}}"#
        );
        let gateway = Rc::new(Gateway::new(&config::parse(&file).unwrap(), |_| None));
        let claims: [(&str, &[u8]); 3] = [("sub", b"alice"), ("org", team.as_bytes()), ("env", environment.as_bytes())];
        let written = verified(&claims[..if environment.is_empty() { 2 } else { 3 }]);
        let bearer = [b"Bearer ", TOKEN].concat();
        let head: [(&str, &[u8]); 3] = [(":method", b"GET"), (":path", b"/v1/models"), ("authorization", &bearer)];
        let head: HeaderMap = head.into_iter().collect();
        let observer = Observer::new(Rc::new(Memory::default()));
        let clock = crate::auth::table::tests::At(0);
        let latest = Latest::new(Rc::new(Memory::default()));
        let around =
            Surroundings { clock: &clock, entropy: &Seven, observer: &observer, latest: &latest, metadata: &written };
        match Exchange::new(gateway).request_head(head.headers(), true, &around) {
            Step::Reply(reply) => reply.status,
            step @ (Step::Wait | Step::Forward(..)) => panic!("{step:?}"),
        }
    };
    let teams = r#""teams": {"ml": {}}, "environments": {"prod": {"teams": {"ops": {}}}},"#;
    assert_eq!([status(teams, "", "ml"), status(teams, "", "mll"), status(teams, "", "ops")], [200, 403, 403]);
    assert_eq!(
        [status(teams, "prod", "ml"), status(teams, "prod", "ops"), status(teams, "prod", "mll")],
        [200, 200, 403]
    );
    // Without teams there is no budget that one could lack.
    assert_eq!(status("", "", "ml"), 200);
}

#[test]
fn what_is_not_verified_is_refused_with_the_reason() {
    let failure = admit(&failed("Jwt is expired")).unwrap_err();
    assert!(failure.message().contains("Jwt is expired") && failure.kind() == Kind::InvalidApiKey, "{failure:?}");
    // Without the filter nothing is known of a token.
    assert_eq!(admit(&Written::default()).unwrap_err(), Refusal::Unverified(String::new()));
    // One good token does not make another one good.
    let mut both = verified(&[("sub", b"alice"), ("scope", b"llm")]);
    both.0.extend(failed("Jwt verification fails").0);
    assert!(matches!(admit(&both), Err(Refusal::Unverified(_))));
    // Claims without the header in which the algorithm stands.
    let mut bare = verified(&[("sub", b"alice"), ("scope", b"llm")]);
    bare.0.pop();
    assert!(matches!(admit(&bare), Err(Refusal::Unverified(_))));
}

#[test]
fn another_algorithm_than_those_of_the_file_is_refused() {
    for header in [object(&[("alg", b"HS256")]), object(&[("alg", b"none")]), object(&[])] {
        let claims = object(&[("sub", b"alice"), ("scope", b"llm")]);
        let refusal = admit(&Written(vec![(CLAIMS, claims), (HEADER, header)])).unwrap_err();
        assert!(matches!(refusal, Refusal::Algorithm(_)), "{refusal:?}");
    }
}

#[test]
fn a_scope_that_is_missing_is_named_and_is_no_matter_of_who_asks() {
    for scope in [&b"llmx openid"[..], b"", &list(&["openid"])] {
        let refusal = admit(&verified(&[("sub", b"alice"), ("scope", scope)])).unwrap_err();
        assert!(refusal.kind() == Kind::PermissionDenied && refusal.message().contains("`llm`"), "{refusal:?}");
    }
    assert!(admit(&verified(&[("sub", b"alice")])).unwrap_err().kind() == Kind::PermissionDenied);
}

#[test]
fn a_claim_of_another_form_is_refused_by_its_name() {
    let number = 42_f64.to_le_bytes();
    let cases: [(&str, &[u8]); 6] = [
        ("sub", b""),
        ("sub", &number),
        ("sub", &list(&["alice"])),
        ("org", b"a\nb"),
        ("models", &number),
        ("labels", b"app=checkout"),
    ];
    for (name, value) in cases {
        let refusal = admit(&verified(&[(name, value), ("sub", b"alice"), ("scope", b"llm")])).unwrap_err();
        assert_eq!(refusal, Refusal::Claim(name.to_string()), "{value:?}");
    }
    assert_eq!(admit(&verified(&[("scope", b"llm")])).unwrap_err(), Refusal::Claim("sub".to_string()));
}

#[test]
fn nobody_becomes_a_key_of_the_file_or_nobody_by_a_token() {
    for id in [&b"of-the-file"[..], b"anonymous"] {
        let refusal = admit(&verified(&[("sub", id), ("scope", b"llm")])).unwrap_err();
        assert_eq!(refusal, Refusal::TakenId);
    }
}

#[test]
fn a_token_of_another_issuer_or_for_somebody_else_is_refused_whoever_has_verified_it() {
    let with = |name, value: &[u8]| admit(&verified(&[("sub", b"alice"), ("scope", b"llm"), (name, value)]));
    for issuer in [&b"j"[..], b"", b"i/", &list(&["i"])] {
        assert_eq!(with("iss", issuer).unwrap_err(), Refusal::Foreign("iss"), "{issuer:?}");
    }
    for audience in [&b"other"[..], b"", b"llm other", b"llmx", b"https://", &list(&[]), &list(&["other", "llmx"])] {
        assert_eq!(with("aud", audience).unwrap_err(), Refusal::Foreign("aud"), "{audience:?}");
    }
    for audience in [&b"llm"[..], &list(&["other", "llm"]), b"https://api.test/", b"api.test"] {
        assert!(with("aud", audience).is_ok(), "{audience:?}");
    }
    let silent = object(&[("sub", b"alice"), ("scope", b"llm")]);
    let silent = Written(vec![(CLAIMS, silent), (HEADER, object(&[("alg", b"RS256")]))]);
    assert_eq!(admit(&silent).unwrap_err(), Refusal::Foreign("iss"));
}

#[test]
fn an_outage_of_the_issuer_is_no_fault_of_the_token() {
    for said in NO_KEYS {
        let refusal = admit(&failed(said)).unwrap_err();
        assert_eq!((&refusal, refusal.kind()), (&Refusal::NoIssuer, Kind::UpstreamUnavailable));
    }
    let unknown = admit(&failed("Jwks doesn't have key to match kid or alg from Jwt")).unwrap_err();
    assert_eq!(unknown.kind(), Kind::InvalidApiKey);
}

#[test]
fn what_stands_in_logs_and_is_looked_at_for_each_model_is_bounded() {
    let of = |name, value: &[u8]| admit(&verified(&[(name, value), ("sub", b"alice"), ("scope", b"llm")]));
    let (fits, is_long) = ("a".repeat(128), "a".repeat(129));
    for name in ["sub", "org", "env", "route", "models", "providers", "tags"] {
        assert!(of(name, fits.as_bytes()).is_ok(), "{name}");
        assert_eq!(of(name, is_long.as_bytes()).unwrap_err(), Refusal::Claim(name.to_string()));
    }
    let pair = |value: &str| of("labels", &object(&[("app", value.as_bytes())]));
    assert!(pair(&fits).is_ok() && pair(&is_long).is_err());
    for (count, is_taken) in [(128, true), (129, false)] {
        let elements = vec!["m"; count];
        assert_eq!(of("models", &list(&elements)).is_ok(), is_taken, "{count}");
        assert_eq!(of("models", elements.join(" ").as_bytes()).is_ok(), is_taken, "{count}");
    }
    // Scopes are only compared, and some issuers have many.
    let scopes = ["llm"].into_iter().chain(["x"; 500]).collect::<Vec<_>>().join(" ");
    assert!(admit(&verified(&[("sub", b"alice"), ("scope", scopes.as_bytes())])).is_ok());
}

#[test]
fn where_no_key_is_required_a_token_of_another_issuer_is_nobodys_and_a_dead_one_is_refused() {
    let optional = r#""required": false, "#;
    assert!(matches!(admit_where(optional, &failed(UNKNOWN_ISSUER)), Ok(Caller::Anonymous)));
    assert_eq!(admit(&failed(UNKNOWN_ISSUER)).unwrap_err(), Refusal::Unknown);
    assert!(admit_where(optional, &failed("Jwt is expired")).is_err());
}

#[test]
fn what_is_cut_or_too_long_is_no_object() {
    let whole = object(&[("sub", b"alice"), ("scope", b"llm")]);
    assert_eq!(members(&whole).unwrap().len(), 2);
    for end in 0..whole.len() {
        assert_eq!(members(&whole[..end]), None, "{end}");
    }
    assert_eq!(members(&[&whole[..], b"x"].concat()), None);
    assert_eq!(members(&u32::MAX.to_le_bytes()), None);
}
