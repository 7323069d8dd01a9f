//! The keys of the file, found by hash, never by scanning, and compared in constant time.

use alloc::{borrow::Cow, format, rc::Rc, string::String, vec::Vec};
use sha2::{Digest, Sha256};

use super::{Credential, Glob, token::Tokens};
use crate::{
    account::Account,
    change::{Changes, Hash},
    config,
    error::Kind,
    host::{Clock, Metadata},
    map::{HashMap, NameSet},
};

/// Who asks.
#[derive(Debug, Clone)]
pub enum Caller {
    /// The gateway is open, or the key is unknown where none is required.
    Anonymous,
    /// The holder of a key.
    Known(Rc<Key>),
}

/// A key, ready to be checked, or what a token amounts to.
#[derive(Debug, Clone, Default)]
pub struct Key {
    /// Its identifier.
    pub id: String,
    /// What logs show.
    pub name: String,
    /// The team that it belongs to.
    pub team: Option<String>,
    /// The environment that it is bound to.
    pub environment: Option<String>,
    /// Its labels, by name.
    pub labels: Vec<(String, String)>,
    /// What its cost is booked on.
    pub cost_tags: Vec<String>,
    /// The routing configuration that a token names. Those of the keys in the file, [`Routing`](crate::route::Routing) has.
    pub routing: Option<String>,
    /// Whether a request may bring a provider's credential.
    pub may_bring: bool,
    /// The credentials that it brings, each with its provider.
    pub(super) brought: Vec<(String, Rc<Account>)>,
    pub(super) hash: Hash,
    pub(super) providers: Option<Vec<String>>,
    pub(super) models: Option<Vec<Glob>>,
    pub(super) not_before: Option<u64>,
    pub(super) expires: Option<u64>,
    pub(super) enabled: bool,
}

/// Why a caller is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No key where one is required.
    Missing,
    /// Not a key of this gateway.
    Unknown,
    /// Over, for good.
    Revoked,
    /// Switched off.
    Disabled,
    /// Its time has not come.
    NotYetValid,
    /// Its time is over.
    Expired,
    /// A token that Envoy did not find good, and why, where it says so.
    Unverified(String),
    /// A token that nobody can verify now: Envoy has not got the issuer's keys.
    NoIssuer,
    /// A good token of another issuer or for somebody else, by this claim.
    Foreign(&'static str),
    /// A good token, signed with an algorithm that the file does not take.
    Algorithm(String),
    /// A good token with a claim, of this name, that cannot be used.
    Claim(String),
    /// A good token for who has the identifier of a key.
    TakenId,
    /// A good token that does not allow this.
    Scope(String),
}

/// All keys.
#[derive(Debug)]
pub struct KeyTable {
    required: bool,
    tokens: Option<Tokens>,
    /// What no token may call itself: it would share a key's budget and its place in the logs.
    ids: NameSet<'static>,
    /// The hashes of those that are over: whatever else is said of them. In their order.
    revoked: Vec<Hash>,
    /// By the first eight bytes of the hash: what the map compares in variable time is not the whole secret's hash.
    by_prefix: HashMap<u64, Vec<Rc<Key>>>,
}

impl KeyTable {
    /// The keys of a configuration, each with the environment that it is bound to.
    #[must_use]
    pub fn new<'k>(
        auth: &config::Auth,
        keys: impl IntoIterator<Item = (&'k config::Key, Option<&'k String>)>,
        changes: &Changes,
    ) -> Self {
        let tokens = auth.jwt.as_ref().map(Tokens::new);
        let (mut by_prefix, mut ids) = (HashMap::<u64, Vec<Rc<Key>>>::default(), NameSet::default());
        ids.insert(config::ANONYMOUS);
        for (key, environment) in keys {
            if tokens.is_some() {
                ids.insert(key.id.clone());
            }
            let ready = Rc::new(Key::new(key, environment, Vec::new()));
            by_prefix.entry(prefix(&key.sha256)).or_default().push(ready);
        }
        let revoked: Vec<_> = changes.revoked().map(|(hash, _)| *hash).collect();
        // With its last key a gateway does not open.
        let is_closed = || !by_prefix.is_empty() || tokens.is_some() || !revoked.is_empty();
        let required = auth.required.unwrap_or_else(is_closed);
        Self { required, tokens, ids, revoked, by_prefix }
    }

    /// The ids of the keys that are listed although they are over.
    pub(crate) fn revoked_in_file(&self) -> Vec<String> {
        let mut ids = Vec::new();
        for key in self.by_prefix.values().flatten().filter(|key| self.revoked.binary_search(&key.hash).is_ok()) {
            // Few are: the library's sort would cost the module 3 KB.
            if let Err(place) = ids.binary_search(&key.id) {
                ids.insert(place, key.id.clone());
            }
        }
        ids
    }

    /// Whether a caller may come with a token.
    #[must_use]
    pub const fn takes_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Lets a caller in, or says why not. A known key that is not valid is refused even where none is required: taking a
    /// key away must never widen what its holder may do. The same goes for a token.
    ///
    /// # Errors
    /// The [`Refusal`].
    pub fn admit(
        &self,
        credential: Option<Credential<'_>>,
        clock: &dyn Clock,
        metadata: &dyn Metadata,
    ) -> Result<Caller, Refusal> {
        let stranger = |refusal| if self.required { Err(refusal) } else { Ok(Caller::Anonymous) };
        let Some(Credential(presented)) = credential else { return stranger(Refusal::Missing) };
        if !self.by_prefix.is_empty() || !self.revoked.is_empty() {
            let hash: Hash = Sha256::digest(presented).into();
            if self.revoked.binary_search(&hash).is_ok() {
                return Err(Refusal::Revoked);
            }
            let candidates = self.by_prefix.get(&prefix(&hash)).map(Vec::as_slice).unwrap_or_default();
            if let Some(key) = candidates.iter().find(|key| same(&key.hash, &hash)) {
                return key.validate(clock).map(|()| Caller::Known(Rc::clone(key)));
            }
        }
        let Some(tokens) = self.tokens.as_ref().filter(|_| Tokens::is_one(presented)) else {
            return stranger(Refusal::Unknown);
        };
        match tokens.read(metadata)? {
            Some(key) if self.ids.contains(&key.id) => Err(Refusal::TakenId),
            Some(key) => Ok(Caller::Known(key)),
            None => stranger(Refusal::Unknown),
        }
    }
}

impl Key {
    /// A key of the file, bound to an environment, with what it keeps for its caller.
    pub(crate) fn new(key: &config::Key, environment: Option<&String>, brought: Vec<(String, Rc<Account>)>) -> Self {
        Self {
            id: key.id.clone(),
            name: key.name.clone(),
            team: key.team.clone(),
            environment: environment.cloned(),
            labels: key.labels.clone(),
            cost_tags: key.cost_tags.clone(),
            routing: None,
            may_bring: key.byok.allowed,
            brought,
            hash: key.sha256,
            providers: key.providers.clone(),
            models: key.models.as_ref().map(|models| models.iter().map(|model| Glob::new(model)).collect()),
            not_before: key.not_before,
            expires: key.expires,
            enabled: key.enabled,
        }
    }

    /// Its hash; `None` of a token.
    pub(crate) fn hash(&self) -> Option<Hash> {
        (self.hash != Hash::default()).then_some(self.hash)
    }

    fn may_use_provider(&self, provider: &str) -> bool {
        self.providers.as_ref().is_none_or(|providers| providers.iter().any(|allowed| allowed == provider))
    }

    fn may_use_model(&self, provider: &str, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.iter().any(|glob| glob.matches_model(provider, model)))
    }

    fn validate(&self, clock: &dyn Clock) -> Result<(), Refusal> {
        if !self.enabled {
            return Err(Refusal::Disabled);
        }
        if self.not_before.is_none() && self.expires.is_none() {
            return Ok(());
        }
        let now = clock.epoch_seconds();
        if self.not_before.is_some_and(|from| now < from) {
            return Err(Refusal::NotYetValid);
        }
        if self.expires.is_some_and(|until| until <= now) {
            return Err(Refusal::Expired);
        }
        Ok(())
    }
}

impl Caller {
    /// The key, where there is one.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::Anonymous => None,
            Self::Known(key) => Some(key),
        }
    }

    /// What the caller brings for a provider.
    #[must_use]
    pub fn brought(&self, provider: &str) -> Option<&Rc<Account>> {
        self.key()?.brought.iter().find(|(owner, _)| owner == provider).map(|(_, account)| account)
    }

    /// The same caller, bringing this for a provider.
    #[must_use]
    pub fn bringing(self, provider: &str, account: Account) -> Self {
        let Self::Known(key) = self else { return self };
        let mut key = Key::clone(&key);
        key.brought.retain(|(owner, _)| owner != provider);
        key.brought.push((provider.into(), Rc::new(account)));
        Self::Known(Rc::new(key))
    }

    /// Whether a model of a provider is in scope.
    #[must_use]
    pub fn may_use(&self, provider: &str, model: &str) -> bool {
        let Self::Known(key) = self else { return true };
        key.may_use_provider(provider) && key.may_use_model(provider, model)
    }

    /// Whether only some models may be used.
    #[must_use]
    pub fn is_limited_to_models(&self) -> bool {
        self.key().is_some_and(|key| key.models.is_some())
    }

    /// Checks that a provider is in scope, whatever it is asked for.
    ///
    /// # Errors
    /// One sentence for the caller.
    pub fn check_provider(&self, provider: &str) -> Result<(), String> {
        match self.key() {
            Some(key) if !key.may_use_provider(provider) => {
                Err(format!("This key may not use the provider `{provider}`."))
            }
            _ => Ok(()),
        }
    }

    /// Checks that a model of a provider is in scope, or says what is not.
    ///
    /// # Errors
    /// One sentence for the caller.
    pub fn check_scope(&self, provider: &str, model: &str) -> Result<(), String> {
        let Self::Known(key) = self else { return Ok(()) };
        self.check_provider(provider)?;
        if !key.may_use_model(provider, model) {
            return Err(format!("This key may not use the model `{provider}/{model}`."));
        }
        Ok(())
    }
}

impl Refusal {
    /// One sentence for the caller.
    #[must_use]
    pub fn message(&self) -> Cow<'static, str> {
        match self {
            Self::Missing => "No API key was given. Send it as `Authorization: Bearer KEY`.".into(),
            Self::Unknown => "The API key is not known to this gateway.".into(),
            Self::Revoked => "The API key has been revoked.".into(),
            Self::Disabled => "The API key is disabled.".into(),
            Self::NotYetValid => "The API key is not valid yet.".into(),
            Self::Expired => "The API key has expired.".into(),
            Self::Unverified(reason) if reason.is_empty() => "The token was not verified.".into(),
            Self::Unverified(reason) => format!("The token is not accepted: {reason}.").into(),
            Self::NoIssuer => "The keys of the token's issuer cannot be had at present; try again later.".into(),
            Self::Foreign(claim) => format!("The token is not for this gateway: its claim `{claim}` says so.").into(),
            Self::Algorithm(name) => {
                format!("The token is signed with `{name}`, which this gateway does not accept.").into()
            }
            Self::Claim(name) => format!("The claim `{name}` of the token is missing or not of the right form.").into(),
            Self::TakenId => {
                "The token is for somebody who has the name of an API key, or one that means nobody.".into()
            }
            Self::Scope(name) => format!("The token does not have the scope `{name}`.").into(),
        }
    }

    /// What the caller should conclude. An outage of the issuer's is no fault of the key's: it is worth another try.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Scope(_) => Kind::PermissionDenied,
            Self::NoIssuer => Kind::UpstreamUnavailable,
            Self::Missing
            | Self::Unknown
            | Self::Revoked
            | Self::Disabled
            | Self::NotYetValid
            | Self::Expired
            | Self::Unverified(_)
            | Self::Foreign(_)
            | Self::Algorithm(_)
            | Self::Claim(_)
            | Self::TakenId => Kind::InvalidApiKey,
        }
    }
}

fn prefix(hash: &[u8; 32]) -> u64 {
    let (first, _) = hash.split_first_chunk().unwrap_or((&[0; 8], &[]));
    u64::from_be_bytes(*first)
}

/// Equality whose time does not depend on where the difference is.
pub(crate) fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    core::hint::black_box(a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b))) == 0
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use alloc::vec;
    use core::time::Duration;

    pub(crate) struct At(pub(crate) u64);
    impl Clock for At {
        fn now(&self) -> Duration {
            Duration::from_secs(self.0)
        }
    }

    fn key(secret: &str) -> config::Key {
        config::Key {
            id: "k".into(),
            name: "k".into(),
            sha256: Sha256::digest(secret).into(),
            enabled: true,
            ..config::Key::default()
        }
    }

    fn admit(required: Option<bool>, key: &config::Key, presented: Option<&str>, now: u64) -> Result<Caller, Refusal> {
        let table = KeyTable::new(&config::Auth { required, jwt: None }, [(key, None)], &Changes::default());
        table.admit(presented.map(|text| Credential(text.as_bytes())), &At(now), &())
    }

    #[test]
    fn a_key_is_known_by_its_hash() {
        assert!(matches!(admit(None, &key("sk-a"), Some("sk-a"), 0), Ok(Caller::Known(_))));
        assert_eq!(admit(None, &key("sk-a"), Some("sk-b"), 0).unwrap_err(), Refusal::Unknown);
        assert_eq!(admit(None, &key("sk-a"), None, 0).unwrap_err(), Refusal::Missing);
    }

    #[test]
    fn a_key_has_its_time() {
        let timed = config::Key { not_before: Some(10), expires: Some(20), ..key("sk-a") };
        let at = |now| admit(None, &timed, Some("sk-a"), now).map(|_| ());
        assert_eq!(at(9), Err(Refusal::NotYetValid));
        assert_eq!(at(10), Ok(()));
        assert_eq!(at(20), Err(Refusal::Expired));
    }

    #[test]
    fn where_no_key_is_required_strangers_pass_but_dead_keys_do_not() {
        assert!(matches!(admit(Some(false), &key("sk-a"), Some("sk-b"), 0), Ok(Caller::Anonymous)));
        assert!(matches!(admit(Some(false), &key("sk-a"), None, 0), Ok(Caller::Anonymous)));
        let dead = config::Key { enabled: false, ..key("sk-a") };
        assert_eq!(admit(Some(false), &dead, Some("sk-a"), 0).unwrap_err(), Refusal::Disabled);
    }

    #[test]
    fn without_keys_the_gateway_is_open() {
        let table = KeyTable::new(&config::Auth::default(), [], &Changes::default());
        assert!(matches!(table.admit(Some(Credential(b"any")), &At(0), &()), Ok(Caller::Anonymous)));
    }

    #[test]
    fn scope_names_what_is_refused() {
        let scoped =
            config::Key { providers: Some(vec!["openai".into()]), models: Some(vec!["gpt-4o*".into()]), ..key("sk-a") };
        let caller = admit(None, &scoped, Some("sk-a"), 0).unwrap();
        assert_eq!(caller.check_scope("openai", "gpt-4o-mini"), Ok(()));
        assert!(caller.check_scope("groq", "gpt-4o").unwrap_err().contains("`groq`"));
        assert!(caller.check_scope("openai", "o3").unwrap_err().contains("`openai/o3`"));
    }
}
