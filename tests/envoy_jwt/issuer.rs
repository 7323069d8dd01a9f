//! An issuer of tokens: its keys, and tokens as it and as forgers make them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// Who issues.
pub(crate) const ISSUER: &str = "https://issuer.test";
/// For whom.
pub(crate) const AUDIENCE: &str = "llm";

/// It signs nothing but what is made up here; to make one takes longer than the tests.
static RSA: LazyLock<RsaKeyPair> =
    LazyLock::new(|| RsaKeyPair::from_der(include_bytes!("rsa.der")).expect("a key of RSA"));

/// A key that the issuer does not publish, and one that it does besides the other.
static CURVE: LazyLock<[EcdsaKeyPair; 2]> = LazyLock::new(|| {
    [(); 2].map(|()| {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).expect("that key")
    })
});

/// How a token is signed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Signature<'a> {
    Rs256,
    Es256,
    /// With a key that is not the issuer's.
    Foreign,
    /// With a secret.
    Hs256(&'a [u8]),
    /// Not at all, with this in its place.
    None(&'a [u8]),
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn public() -> PublicKeyComponents<Vec<u8>> {
    PublicKeyComponents::from(RSA.public())
}

/// The modulus of the key, which everybody may know.
pub(crate) fn modulus() -> Vec<u8> {
    public().n
}

/// What the issuer publishes.
pub(crate) fn key_set() -> Value {
    let PublicKeyComponents { n, e } = public();
    let curve = CURVE[1].public_key().as_ref();
    json!({"keys": [
        {"kty": "RSA", "kid": "one", "use": "sig", "n": base64(n), "e": base64(e)},
        {"kty": "EC", "crv": "P-256", "kid": "two", "x": base64(&curve[1..33]), "y": base64(&curve[33..])},
    ]})
}

/// Seconds from now.
pub(crate) fn after(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("later than 1970").as_secs();
    i64::try_from(now).expect("earlier than the end of time").saturating_add(seconds)
}

/// Claims that are good; `others` are added, or removed where they are null.
pub(crate) fn claims(others: &Value) -> Value {
    let mut claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": after(600), "scope": "openid llm"});
    for (name, value) in others.as_object().expect("claims") {
        claims[name] = value.clone();
    }
    claims.as_object_mut().expect("claims").retain(|_, value| !value.is_null());
    claims
}

/// A token.
pub(crate) fn token(signature: Signature<'_>, claims: &Value) -> String {
    let (algorithm, key) = match signature {
        Signature::Rs256 => ("RS256", Some("one")),
        Signature::Es256 | Signature::Foreign => ("ES256", Some("two")),
        Signature::Hs256(_) => ("HS256", None),
        Signature::None(_) => ("none", None),
    };
    let mut header = json!({"alg": algorithm, "typ": "JWT"});
    if let Some(key) = key {
        header["kid"] = json!(key);
    }
    let signed = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
    let bytes = signed.as_bytes();
    let random = SystemRandom::new();
    let curve = |index: usize| CURVE[index].sign(&random, bytes).expect("a signature").as_ref().to_vec();
    let signature = match signature {
        Signature::Rs256 => {
            let mut signature = vec![0; RSA.public().modulus_len()];
            RSA.sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature).expect("a signature");
            signature
        }
        Signature::Es256 => curve(1),
        Signature::Foreign => curve(0),
        Signature::Hs256(secret) => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), bytes).as_ref().to_vec(),
        Signature::None(signature) => signature.to_vec(),
    };
    format!("{signed}.{}", base64(signature))
}

/// The same token, saying something else.
pub(crate) fn tampered(token: &str, claims: &Value) -> String {
    let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts[1] = base64(claims.to_string());
    let other = parts.join(".");
    assert_ne!(other, token);
    other
}
