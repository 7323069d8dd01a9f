//! Envoy's own filter for tokens, before the module, which reads what it has found out.
//!
//! It refuses nobody: what has no token may have a key, and a refusal of the filter's would be of no API's shape. So every verdict is
//! left to the module, the reason included. It is asked for the one provider first, and only then for "missing or failed", because the
//! latter alone looks for a provider by the token's own claim and does not say what was wrong.
//!
//! The token stays in the request (`forward`), or the module would see a request without a credential; it takes it off itself.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use dragoman_core::{
    auth::token::{CLAIMS, FAILURE, FILTER, HEADER},
    config::{Config, Credential, Jwt, JwtKeys},
    secret::Secret,
};
use serde_json::{Value, json};

use super::{credentials::Handover, scheme::origin};

/// The variable from which Envoy reads the keys that `auth.jwt.secret` amounts to: a secret is not seen in `/config_dump` there.
pub const KEYS_VARIABLE: &str = "DRAGOMAN_JWT_KEYS";

/// The cluster of the issuer. No provider's can have this name: none has a full stop in its own.
pub(super) const CLUSTER: &str = "dragoman.issuer";

/// How long the issuer may take to send its keys.
const FETCH_LIMIT: &str = "5s";
/// How long they are kept.
const CACHE: &str = "300s";
/// How far the issuer's clock may be from Envoy's. Envoy's own default is twice as much, for which a token outlives its time.
const SKEW_SECONDS: u32 = 30;

/// The filter.
pub(super) fn filter(jwt: &Jwt, cluster: &str) -> Value {
    let mut provider = json!({
        "issuer": jwt.issuer,
        "forward": true,
        // One without an end would be good for ever.
        "require_expiration": true,
        "clock_skew_seconds": SKEW_SECONDS,
        // All places of a caller's credential.
        "from_headers": [
            { "name": "authorization", "value_prefix": "Bearer " },
            // The scheme's case does not matter to the module, nor to HTTP; here it does.
            { "name": "authorization", "value_prefix": "bearer " },
            { "name": "authorization", "value_prefix": "BEARER " },
            { "name": "x-api-key" },
            { "name": "x-goog-api-key" },
        ],
        "from_params": ["key"],
        "payload_in_metadata": CLAIMS,
        "header_in_metadata": HEADER,
        "failed_status_in_metadata": FAILURE,
    });
    if let Some(fields) = provider.as_object_mut() {
        if !jwt.audiences.is_empty() {
            fields.insert("audiences".into(), json!(jwt.audiences));
        }
        let (source, keys) = match &jwt.keys {
            JwtKeys::Url(url) => {
                let uri = [origin(url), url.path.clone()].concat();
                let keys = json!({
                    "http_uri": { "uri": uri, "cluster": cluster, "timeout": FETCH_LIMIT },
                    "cache_duration": CACHE,
                    // One fetch for all workers, before the listener takes requests, instead of one in the way of each worker's
                    // first request.
                    "async_fetch": {},
                });
                ("remote_jwks", keys)
            }
            JwtKeys::File(file) => ("local_jwks", json!({ "filename": file })),
            JwtKeys::Secret(_) => ("local_jwks", json!({ "environment_variable": KEYS_VARIABLE })),
        };
        fields.insert(source.into(), keys);
    }
    json!({
        "name": FILTER,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": { "dragoman": provider },
            "rules": [{
                "match": { "prefix": "/" },
                "requires": { "requires_any": { "requirements": [
                    { "provider_name": "dragoman" },
                    { "allow_missing_or_failed": {} },
                ]}},
            }],
        },
    })
}

/// What Envoy finds in [`KEYS_VARIABLE`]: the secret as a set of keys (RFC 7517), one for each algorithm. `None` where there is none
/// to be found there.
///
/// # Errors
/// The secret is in a variable that is not set, or is too short.
pub fn keys(config: &Config, environment: impl Fn(&str) -> Option<String>) -> Result<Option<Handover>, String> {
    let Some(jwt) = &config.auth.jwt else { return Ok(None) };
    let JwtKeys::Secret(secret) = &jwt.keys else { return Ok(None) };
    let value = match secret {
        Credential::Value(secret) => secret.clone(),
        Credential::Env(name) => environment(name)
            .filter(|value| !value.is_empty())
            .map(Secret::new)
            .ok_or_else(|| format!("auth.jwt.secret: the environment variable {name} is not set"))?,
    };
    jwt.check_secret(&value).map_err(|wrong| match secret {
        Credential::Env(name) => format!("auth.jwt.secret: the environment variable {name} {wrong}"),
        Credential::Value(_) => format!("auth.jwt.secret: {wrong}"),
    })?;
    let key = URL_SAFE_NO_PAD.encode(value.expose());
    let of = |name| json!({ "kty": "oct", "alg": name, "k": key });
    let keys: Vec<_> = jwt.algorithms.iter().map(|algorithm| of(algorithm.name)).collect();
    let value = Secret::new(json!({ "keys": keys }).to_string());
    Ok(Some(Handover { variable: KEYS_VARIABLE.into(), value }))
}

#[cfg(test)]
mod tests {
    use dragoman_core::config;

    use super::*;

    fn config(jwt: &str) -> Config {
        let file = format!(r#"{{"providers": {{"a": {{"kind": "openai"}}}}, "auth": {{"jwt": {jwt}}}}}"#);
        config::parse(&file).unwrap()
    }

    fn provider(jwt: &str) -> Value {
        filter(config(jwt).auth.jwt.as_ref().unwrap(), "issuer")["typed_config"]["providers"]["dragoman"].take()
    }

    #[test]
    fn the_issuers_keys_are_fetched_from_where_the_file_says() {
        let rendered = provider(
            r#"{"issuer": "i", "audiences": ["a"], "jwks_url": "https://i.example.com:8443/keys/?p=B2C_1&api-version=2"}"#,
        );
        let uri = &rendered["remote_jwks"]["http_uri"]["uri"];
        assert_eq!(uri, "https://i.example.com:8443/keys/?p=B2C_1&api-version=2", "as it is written");
        assert_eq!((&rendered["issuer"], &rendered["audiences"]), (&json!("i"), &json!(["a"])));
        let rendered = provider(r#"{"issuer": "i", "jwks_file": "/keys.json"}"#);
        assert_eq!((&rendered["local_jwks"]["filename"], rendered.get("audiences")), (&json!("/keys.json"), None));
    }

    #[test]
    fn a_secret_is_in_no_rendering_but_in_a_variable_as_keys() {
        let secret = "s3cret".repeat(11);
        let file = format!(r#"{{"issuer": "i", "secret": {{"value": "{secret}"}}, "algorithms": ["HS256", "HS512"]}}"#);
        let file = file.as_str();
        assert_eq!(provider(file)["local_jwks"], json!({ "environment_variable": KEYS_VARIABLE }));
        let handover = keys(&config(file), |_| None).unwrap().unwrap();
        let set: Value = serde_json::from_str(handover.value.expose()).unwrap();
        let key = |name: &str| json!({ "kty": "oct", "alg": name, "k": "czNjcmV0".repeat(11) });
        assert_eq!((handover.variable.as_str(), set), (KEYS_VARIABLE, json!({ "keys": [key("HS256"), key("HS512")] })));
    }

    #[test]
    fn a_secret_that_is_not_there_is_named() {
        let config = config(r#"{"issuer": "i", "secret": {"env": "NOT_SET"}}"#);
        assert!(keys(&config, |_| None).unwrap_err().contains("NOT_SET"));
        let with = |secret: String| keys(&config, |name| (name == "NOT_SET").then(|| secret.clone()));
        assert!(with("s3cret".repeat(6)).unwrap().unwrap().value.expose().contains("czNjcmV0"));
        let short = with("s".repeat(31)).unwrap_err();
        assert!(short.contains("NOT_SET is shorter than 32 bytes") && !short.contains("sss"), "{short}");
    }
}
