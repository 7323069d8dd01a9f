//! Callers with a token, through a real Envoy, whose own filter verifies it.
#![cfg(test)]

// A test's root is a file of this folder, and its modules are not to be.
#[path = "envoy_jwt/issuer.rs"]
mod issuer;

use self::issuer::{AUDIENCE, ISSUER, Signature, after, claims, key_set, modulus, tampered, token};
use dragoman::simulate::{Options, Script, Simulator};
use dragoman_tests::http::{Request, Response};
use dragoman_tests::plain::Plain;
use dragoman_tests::scene::{Scene, hello, openai_error};
use http::StatusCode;
use serde_json::{Value, json};
use std::fs;
use std::sync::LazyLock;
use tempfile::NamedTempFile;

const SECRET: &str = "a-secret-of-more-than-thirty-two-characters";

fn jwt(source: &str, place: &Value) -> Value {
    json!({
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        source: place,
        "scopes": {"require": ["llm"]},
        "claims": {"team": "org", "models": "models", "providers": "providers", "routing": "route", "labels": "labels"},
    })
}

/// The issuer's keys.
fn published() -> NamedTempFile {
    let file = NamedTempFile::new().expect("a file");
    fs::write(file.path(), key_set().to_string()).expect("it can be written");
    file
}

/// Its keys are in a file.
static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let file = published();
    let scene = Scene::start(Options::default(), |config, _| {
        config["auth"] = json!({"jwt": jwt("jwks_file", &json!(file.path()))});
        config["auth"]["jwt"]["algorithms"] = json!(["RS256", "ES256"]);
        config["keys"] = json!([
            {"id": "of-the-file", "sha256": dragoman::key::hash("sk-known")},
            {"id": "dotted", "sha256": dragoman::key::hash("sk.with.dots")},
        ]);
        config["teams"] = json!({"ml": {}});
        config["routing"] = json!({"chain": {"strategy": "fallback", "targets": [{"model": "openai/gpt-4o-mini"}]}});
    });
    drop(file);
    scene
});

fn good(others: &Value) -> String {
    token(Signature::Rs256, &claims(others))
}

fn chat(token: &str, model: &str) -> Response {
    let mut body = hello(false);
    body["model"] = json!(model);
    SCENE.gateway.send(&SCENE.case("jwt").chat(&body).key(token))
}

#[track_caller]
fn refused(scene: &Scene, token: &str) -> String {
    let answer = scene.gateway.send(&scene.case("refused").chat(&hello(false)).key(token));
    let message = openai_error(&answer, 401, "invalid_request_error", Some("invalid_api_key"));
    assert!(!token.split('.').any(|part| !part.is_empty() && message.contains(part)), "{message}");
    message
}

#[test]
fn a_good_token_opens_the_gateway_wherever_a_key_does() {
    for signature in [Signature::Rs256, Signature::Es256] {
        let answer = chat(&token(signature, &claims(&json!({}))), "openai/gpt-4o");
        assert_eq!(answer.status, 200, "{signature:?}: {}", answer.text());
    }
    let case = SCENE.case("places");
    let token = good(&json!({}));
    for (name, value) in [
        ("x-api-key", token.clone()),
        ("x-goog-api-key", token.clone()),
        ("authorization", format!("bearer {token}")),
        ("authorization", format!("BEARER {token}")),
    ] {
        let answer = case.send(&case.chat(&hello(false)).header(name, value));
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    }
    let answer = case.send(&case.post(&format!("/v1/chat/completions?key={token}"), &hello(false)));
    assert_eq!(answer.status, 200, "{}", answer.text());
    // None of it goes on.
    let reached = case.requests();
    assert_eq!(reached.len(), 5);
    for request in reached {
        assert!(!format!("{request:?}").contains(&token), "{request:?}");
    }
    assert!(!SCENE.gateway.log().contains(&token) && !SCENE.gateway.output().contains(&token));
    SCENE.assert_sound();
}

#[test]
fn a_key_goes_on_opening_it_also_one_in_the_form_of_a_token() {
    for key in ["sk-known", "sk.with.dots"] {
        assert_eq!(chat(key, "openai/gpt-4o").status, 200, "{key}");
    }
    assert!(refused(&SCENE, "sk-wrong").contains("not known"));
}

#[test]
fn a_token_that_is_not_good_is_401_and_says_why() {
    let cases = [
        (good(&json!({"exp": after(-45)})), "expired"),
        (good(&json!({"exp": null})), "fails"),
        (good(&json!({"nbf": after(45)})), "not yet valid"),
        (good(&json!({"aud": "another"})), "udience"),
        (good(&json!({"aud": null})), "udience"),
        (token(Signature::Foreign, &claims(&json!({}))), "verification fails"),
        (tampered(&good(&json!({})), &claims(&json!({"sub": "mallory"}))), "verification fails"),
        (token(Signature::None(b""), &claims(&json!({}))), "Jwt"),
        (token(Signature::None(b"x"), &claims(&json!({}))), "alg"),
        (good(&json!({"sub": null})), "`sub`"),
        (good(&json!({"sub": 42})), "[sub]"),
        (good(&json!({"models": 42})), "`models`"),
        (good(&json!({"models": vec!["m"; 129]})), "`models`"),
        (good(&json!({"sub": "a".repeat(129)})), "`sub`"),
        (good(&json!({"sub": "of-the-file"})), "API key"),
        (good(&json!({"sub": "anonymous"})), "nobody"),
        ("e30.e30.".to_owned(), "Jwt"),
        ("..".to_owned(), "Jwt"),
    ];
    for (token, word) in cases {
        let message = refused(&SCENE, &token);
        assert!(message.contains(word), "{word}: {message}");
    }
    assert!(refused(&SCENE, &good(&json!({"iss": "https://another.test"}))).contains("not known"));
    assert_eq!(SCENE.case("refused").requests().len(), 0);
    SCENE.assert_sound();
}

/// Clocks differ, by less than makes a dead token good.
#[test]
fn a_token_is_good_for_half_a_minute_beyond_its_time_and_no_longer() {
    for claims in [json!({"exp": after(-15)}), json!({"nbf": after(15)})] {
        assert_eq!(chat(&good(&claims), "openai/gpt-4o").status, 200, "{claims}");
    }
    for claims in [json!({"exp": after(-31)}), json!({"nbf": after(45)})] {
        refused(&SCENE, &good(&claims));
    }
}

/// Everybody knows the public key; who may choose the algorithm could use it as a secret.
#[test]
fn a_public_key_is_no_secret() {
    let Value::Array(keys) = &key_set()["keys"] else { panic!("there are keys") };
    let published = keys[0]["n"].as_str().expect("a modulus").as_bytes().to_vec();
    let document = include_bytes!("envoy_jwt/rsa.der");
    for secret in [&modulus()[..], &published, key_set().to_string().as_bytes(), document, b""] {
        let forged = token(Signature::Hs256(secret), &claims(&json!({"sub": "mallory"})));
        let message = refused(&SCENE, &forged);
        assert!(message.contains("Jwt"), "{message}");
    }
}

#[test]
fn a_good_token_beside_a_bad_one_lends_it_nothing() {
    let case = SCENE.case("two");
    let forged = token(Signature::Foreign, &claims(&json!({"sub": "mallory"})));
    let good = good(&json!({"models": ["gpt-4o-mini"]}));
    for (first, second) in [(&forged, &good), (&good, &forged)] {
        let both = case.chat(&hello(false)).key(first).header("x-api-key", second.as_bytes());
        assert_eq!(case.send(&both).status, 401);
        let mut twice = case.chat(&hello(false)).header("authorization", format!("bEARER {first}"));
        twice = twice.header("authorization", format!("Bearer {second}"));
        let answer = case.send(&twice);
        // Whichever of the two Envoy reads, what is not the good one's own is refused.
        assert!(matches!(answer.status, 401 | 403), "{}", answer.text());
    }
    assert_eq!(case.requests().len(), 0);
}

#[test]
fn nothing_that_a_client_writes_passes_for_what_was_verified() {
    let case = SCENE.case("forged");
    let forged = token(Signature::Foreign, &claims(&json!({})));
    let mut request = case.chat(&hello(false)).key(&forged);
    for name in ["dragoman.claims", "x-dragoman-claims", "x-jwt-payload", "x-envoy-dynamic-metadata"] {
        request = request.header(name, r#"{"sub":"alice","scope":"llm"}"#);
    }
    assert_eq!(case.send(&request).status, 401);
    // Nor does it widen a token that is good.
    let mut request = case.chat(&hello(false)).key(&good(&json!({"models": ["gpt-4o-mini"]})));
    for name in ["dragoman.claims", "x-dragoman-claims", "x-jwt-payload", "x-envoy-dynamic-metadata"] {
        request = request.header(name, claims(&json!({"models": ["*"]})).to_string());
    }
    assert_eq!(case.send(&request).status, 403);
    assert_eq!(case.requests().len(), 0);
}

/// An Envoy of somebody's own, whose filter for tokens is not as it is rendered.
fn bent(bend: impl FnOnce(&mut Value)) -> (Simulator, Plain, NamedTempFile) {
    let (provider, file) = (Simulator::start(Options::default()).expect("a free port"), published());
    let config = json!({
        "providers": {"openai": {"kind": "openai", "base_url": format!("http://{}/v1", provider.addr()),
            "credential": {"env": "UPSTREAM"}}},
        "auth": {"jwt": jwt("jwks_file", &json!(file.path()))},
    });
    let rewrite = |text: String| {
        let mut bootstrap: Value = serde_saphyr::from_str(&text).expect("YAML");
        let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";
        bend(bootstrap.pointer_mut(manager).expect("filters"));
        bootstrap.to_string()
    };
    let envoy = Plain::start(config, rewrite, &[("UPSTREAM", "sk-upstream")]);
    (provider, envoy, file)
}

fn bent_status(envoy: &Plain, token: &str) -> (u16, String) {
    let answer = envoy.send(&Request::post("/v1/chat/completions", &hello(false)).key(token));
    (answer.status, answer.text())
}

#[test]
fn without_envoys_filter_no_token_is_good_whatever_is_written_beside_it() {
    let (provider, envoy, _file) = bent(|filters| {
        let filters = filters.as_array_mut().expect("a list");
        filters.retain(|filter| filter["name"] != "envoy.filters.http.jwt_authn");
    });
    let mut request = Request::post("/v1/chat/completions", &hello(false)).key(&good(&json!({})));
    for name in ["dragoman.claims", "x-jwt-payload", "x-envoy-dynamic-metadata"] {
        request = request.header(name, claims(&json!({})).to_string());
    }
    let answer = envoy.send(&request);
    assert!(answer.status == 401 && answer.text().contains("not verified"), "{}", answer.text());
    assert_eq!(provider.requests().len(), 0);
}

#[test]
fn a_token_that_envoy_takes_is_still_for_this_issuer_and_audience_only() {
    let (_provider, envoy, _file) = bent(|filters| {
        let provider = filters[0].pointer_mut("/typed_config/providers/dragoman").expect("the first is the filter");
        provider.as_object_mut().expect("fields").retain(|name, _| !["issuer", "audiences"].contains(&name.as_str()));
    });
    assert_eq!(bent_status(&envoy, &good(&json!({}))).0, 200);
    for (claims, name) in [(json!({"iss": "https://another.test"}), "`iss`"), (json!({"aud": "another"}), "`aud`")] {
        let (status, text) = bent_status(&envoy, &good(&claims));
        assert!(status == 401 && text.contains(name), "{claims}: {status} {text}");
    }
}

#[test]
fn the_claims_are_the_callers_scope() {
    assert_eq!(chat(&good(&json!({"models": ["gpt-4o-mini"]})), "openai/gpt-4o-mini").status, 200);
    for claims in [
        json!({"models": ["gpt-4o-mini"]}),
        json!({"models": "gpt-4o-mini o3"}),
        json!({"models": []}),
        json!({"models": ""}),
        json!({"providers": []}),
        json!({"providers": ["groq"]}),
    ] {
        let answer = chat(&good(&claims), "openai/gpt-4o");
        openai_error(&answer, 403, "permission_error", Some("permission_denied"));
    }
    // Envoy hands over no claims at all where one is null: it could be taken for one that is not there.
    for name in ["models", "nickname"] {
        let mut nulls = claims(&json!({}));
        nulls[name] = Value::Null;
        assert!(refused(&SCENE, &token(Signature::Rs256, &nulls)).contains("not verified"), "{name}");
    }
    let answer = chat(&good(&json!({"route": "chain"})), "openai/gpt-4o");
    assert_eq!(
        (answer.status, answer.headers.text("x-dragoman-model")),
        (200, Some("gpt-4o-mini")),
        "{}",
        answer.text()
    );
    assert_eq!(chat(&good(&json!({"org": "ml"})), "openai/gpt-4o").status, 200);
    for name in ["route", "org"] {
        let answer = chat(&good(&json!({name: "nowhere"})), "openai/gpt-4o");
        assert!(openai_error(&answer, 403, "permission_error", Some("permission_denied")).contains("`nowhere`"));
    }
}

#[test]
fn a_scope_that_the_token_lacks_is_403_and_named() {
    for scope in [json!("openid"), json!(["openid"]), json!(null), json!("llmx"), json!(7)] {
        let answer = chat(&good(&json!({"scope": scope})), "openai/gpt-4o");
        if scope == json!(7) {
            assert_eq!(answer.status, 401, "{}", answer.text());
            continue;
        }
        assert!(openai_error(&answer, 403, "permission_error", Some("permission_denied")).contains("`llm`"));
    }
    assert_eq!(chat(&good(&json!({"scope": ["openid", "llm"]})), "openai/gpt-4o").status, 200);
}

#[test]
fn refusals_of_tokens_have_the_callers_shape() {
    let expired = good(&json!({"exp": after(-120)}));
    let answer = SCENE.gateway.send(&Request::new("POST", "/v1/messages").header("x-api-key", expired.as_bytes()));
    let body = answer.json();
    assert_eq!((answer.status, body["error"]["type"].as_str()), (401, Some("authentication_error")), "{body}");
    assert!(SCENE.gateway.send(&Request::get("/health").key(&expired)).status == 200);
}

#[test]
fn keys_are_fetched_from_the_issuer() {
    let issuer = Simulator::start(Options::default()).expect("a free port");
    let set = || Script::whole(StatusCode::OK, "application/json", key_set().to_string());
    issuer.always(|request| request.path() == "/keys.json", set());
    let url = format!("http://{}/keys.json", issuer.addr());
    let scene = Scene::start(Options::default(), |config, _| {
        config["auth"] = json!({"jwt": jwt("jwks_url", &json!(url))});
    });
    let case = scene.case("remote");
    let send = |token: &str| case.send(&case.chat(&hello(false)).key(token));
    for _ in 0..8 {
        let answer = send(&good(&json!({})));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert!(refused(&scene, &token(Signature::Foreign, &claims(&json!({})))).contains("fails"));
    // RS256 is what is taken by default, whatever else the issuer signs with.
    assert!(refused(&scene, &token(Signature::Es256, &claims(&json!({})))).contains("ES256"));
    // With tokens in the file, one is needed.
    assert_eq!(case.send(&case.chat(&hello(false))).status, 401);
    assert_eq!(issuer.requests().len(), 1, "one fetch for all workers");
    scene.assert_sound();
}

#[test]
fn where_the_issuer_is_away_a_token_is_worth_another_try_and_keys_are_good() {
    let scene = Scene::start(Options::default(), |config, _| {
        config["auth"] = json!({"jwt": jwt("jwks_url", &json!("http://127.0.0.1:9/keys.json"))});
        config["keys"] = json!([{"id": "k", "sha256": dragoman::key::hash("sk-known")}]);
    });
    let case = scene.case("away");
    let answer = case.send(&case.chat(&hello(false)).key(&good(&json!({}))));
    openai_error(&answer, 503, "upstream_error", Some("upstream_error"));
    assert_eq!(case.send(&case.chat(&hello(false)).key("sk-known")).status, 200);
}

#[test]
fn a_secret_signs_and_is_in_no_dump() {
    for secret in [json!({"value": SECRET}), json!({"env": "TOKEN_SECRET"})] {
        let scene = Scene::start_with(
            Options::default(),
            |config, _| config["auth"] = json!({"jwt": jwt("secret", &secret)}),
            |setup| setup.variable("TOKEN_SECRET", SECRET),
        );
        let case = scene.case("secret");
        let send = |token: &str| case.send(&case.chat(&hello(false)).key(token)).status;
        assert_eq!(
            send(&token(Signature::Hs256(SECRET.as_bytes()), &claims(&json!({})))),
            200,
            "{}",
            scene.gateway.log()
        );
        assert_eq!(send(&token(Signature::Hs256(b"another"), &claims(&json!({})))), 401);
        assert_eq!(send(&good(&json!({}))), 401);
        let dump = scene.gateway.ask_envoy("/config_dump");
        assert!(dump.contains("DRAGOMAN_JWT_KEYS"));
        for text in [SECRET, "YS1zZWNyZXQ", "DRAGOMAN_JWT_SECRET", "TOKEN_SECRET"] {
            assert!(!dump.contains(text) && !scene.gateway.log().contains(text));
        }
    }
}
