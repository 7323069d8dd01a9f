//! `POST /admin/v1/providers/{name}/test`: whether a provider can be reached and takes the credential.
//!
//! It is asked for the list of its models, which is free and which every kind has. The call is no traffic: nothing is recorded, and a
//! target that is passed over stays so. What the provider answers is not repeated: nobody knows what stands in it.

use alloc::{
    borrow::Cow,
    boxed::Box,
    format,
    rc::Rc,
    string::{String, ToString},
    vec::Vec,
};
use core::time::Duration;

use super::{Answer, Ask, Deed, providers, unkept};
use crate::{
    account::Account,
    change::Section,
    config::Role,
    direct::{Format, list_of_models},
    error::{Error, Kind},
    gateway::Provider,
    headers::{Headers, SERVICE_TIME},
    host::Clock,
    json::{Composed, members, text_of},
    secret::Secret,
    step::{Name, Reply},
};

/// How long the answer may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A call that is to be made, and then told of.
#[derive(Debug)]
pub struct Inquiry {
    provider: String,
    account: String,
    /// Whom to ask.
    pub cluster: String,
    headers: Vec<(Name, Secret)>,
    format: &'static Format,
    began: Duration,
}

/// What has become of it.
struct Outcome<'a> {
    status: Option<u16>,
    duration: Option<Duration>,
    error: Cow<'a, str>,
}

/// Whether a path in the section of providers is one of a test: whose.
pub(super) fn name_of(rest: &str) -> Option<&str> {
    rest.strip_suffix("/test")
}

/// Prepares the call, or tells why there is none to be made.
pub(super) fn prepare(name: &str, ask: Ask<'_>) -> Result<Answer, Error> {
    if ask.deed != Deed::Make {
        return Err(ask.refuse_deed("POST"));
    }
    if ask.role != Role::Operator {
        return Err(Error::new(Kind::PermissionDenied, "Providers are tested by operators only."));
    }
    let wanted = wanted_account(ask)?;
    let Some(provider) = ask.gateway.provider(name) else {
        is_there(name, ask)?;
        return Ok(Answer::Reply(tell(
            name,
            wanted.as_deref().unwrap_or_default(),
            &Outcome::none("It is switched off."),
        )));
    };
    let named = |account: &&Rc<Account>| wanted.as_ref().is_none_or(|wanted| account.name == *wanted);
    let mut accounts = provider.accounts.iter().filter(named);
    let first = accounts.clone().next();
    let Some(account) = accounts.find(|account| account.missing.is_none()).or(first) else {
        let message = format!("The provider `{name}` has no such account.");
        return Err(Error::refusing(message, "account"));
    };
    let lacks = match (&account.missing, &account.plain) {
        (Some(missing), _) => format!("It is not configured: {missing}."),
        (None, None) => "Its cluster carries the module, which cannot call itself: there is none without it.".into(),
        (None, Some(cluster)) => return Ok(Answer::Inquiry(Box::new(Inquiry::of(provider, account, cluster, ask)))),
    };
    Ok(Answer::Reply(tell(name, &account.name, &Outcome::none(&lacks))))
}

/// Refuses a provider that there is not, not even a disabled one.
fn is_there(name: &str, ask: Ask<'_>) -> Result<(), Error> {
    let section = Section::of(providers::NAME);
    let known = section.map(|section| section.entries(&ask.current.document())).unwrap_or_default();
    let unknown = || Error::new(Kind::NotFound, format!("There is no provider `{name}` here."));
    known.iter().any(|(other, _)| other == name).then_some(()).ok_or_else(unknown)
}

/// The account that the body names.
fn wanted_account(ask: Ask<'_>) -> Result<Option<String>, Error> {
    if ask.body.is_empty() {
        return Ok(None);
    }
    let given = ask.object()?;
    let given = members(&given).unwrap_or_default();
    if let Some((other, _)) = given.iter().find(|(name, _)| &**name != "account") {
        return Err(Error::refusing(format!("There is no `{}` here; known is account.", &**other), other.to_string()));
    }
    if given.is_empty() {
        return Ok(None);
    }
    let name = text_of(&given, "account");
    name.map(Some).ok_or_else(|| Error::refusing("`account` must be the name of one.", "account"))
}

impl Inquiry {
    fn of(provider: &Rc<Provider>, account: &Rc<Account>, cluster: &str, ask: Ask<'_>) -> Self {
        let (path, format) = list_of_models(provider, account);
        let plain = |name, value: &str| (Name::Borrowed(name), Secret::new(value.into()));
        let mut headers = Vec::from([
            plain(":method", "GET"),
            plain(":path", &path),
            plain(":authority", &account.authority),
            plain("accept", "application/json"),
            plain("user-agent", concat!("dragoman/", env!("CARGO_PKG_VERSION"))),
        ]);
        let usual = format.headers.iter().filter(|(_, usual)| !usual.is_empty());
        headers.extend(usual.map(|(name, usual)| plain(name, usual)));
        for (name, value) in account.headers() {
            headers.retain(|(other, _)| other != name);
            headers.push((name.clone(), value.clone()));
        }
        Self {
            provider: provider.name.clone(),
            account: account.name.clone(),
            cluster: cluster.into(),
            headers,
            format,
            began: ask.around.clock.now(),
        }
    }

    /// The head of the call.
    #[must_use]
    pub fn headers(&self) -> Vec<(&str, &str)> {
        self.headers.iter().map(|(name, value)| (&**name, value.expose().as_str())).collect()
    }

    /// Tells of its answer, of whose body this is the beginning; without a head, the connection broke.
    #[must_use]
    pub fn answered(&self, head: Option<Headers<'_>>, body: &[u8], clock: &dyn Clock) -> Reply {
        let status = head.and_then(|head| head.text(":status")?.parse().ok());
        let is_providers = head.is_some_and(|head| head.get(SERVICE_TIME).is_some());
        let error = match status {
            Some(504) if !is_providers => "It has not answered in time.".into(),
            Some(_) if !is_providers => "It cannot be reached.".into(),
            None => "The connection broke before its answer had come whole.".into(),
            Some(200..=299) => Cow::default(),
            Some(401 | 403) => "It refuses the credential.".into(),
            Some(status) if self.format.refuses_credential(status, body) => "It refuses the credential.".into(),
            Some(404 | 405) => "It has no list of models there: see to `base_url`.".into(),
            Some(429) => "It has had too many requests.".into(),
            Some(status) => format!("It has answered with status {status}.").into(),
        };
        let duration = Some(clock.now().saturating_sub(self.began));
        let outcome = Outcome { status: status.filter(|_| is_providers), duration, error };
        unkept(tell(&self.provider, &self.account, &outcome))
    }

    /// Tells that the call could not be made.
    #[must_use]
    pub fn unmade(&self) -> Reply {
        let error = format!("Envoy has no cluster `{}`, or that one takes no more calls.", self.cluster);
        unkept(tell(&self.provider, &self.account, &Outcome::none(&error)))
    }
}

impl<'a> Outcome<'a> {
    /// There was no call.
    const fn none(error: &'a str) -> Self {
        Self { status: None, duration: None, error: Cow::Borrowed(error) }
    }
}

fn tell(provider: &str, account: &str, outcome: &Outcome<'_>) -> Reply {
    let mut told = Composed::default();
    told.text("object", "provider_test");
    told.text("provider", provider);
    told.some_text("account", account);
    told.flag("ok", outcome.error.is_empty());
    if let Some(status) = outcome.status {
        told.whole("status", status.into());
    }
    if let Some(duration) = outcome.duration {
        told.whole("duration_ms", u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    }
    told.some_text("error", &outcome.error);
    Reply::json(200, told.end().into_bytes())
}
