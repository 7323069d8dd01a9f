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

use super::{Answer, Ask, Deed, entries::found, misunderstood, providers, unkept};
use crate::{
    account::Account,
    change::Section,
    config::Role,
    direct::{Format, list_of_models},
    error::{Error, Kind},
    headers::{Headers, SERVICE_TIME},
    host::Clock,
    json::{Composed, members, read},
    step::Reply,
};

/// How long the answer may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A call that is to be made, and then told of.
#[derive(Debug)]
pub struct Inquiry {
    provider: String,
    account: Rc<Account>,
    path: String,
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
        if let Some(section) = Section::of(providers::NAME) {
            found(section, name, &ask.current.document(), false)?;
        }
        return Ok(unasked(name, &wanted, "It is switched off."));
    };
    let mut chosen: Option<&Rc<Account>> = None;
    for account in &provider.accounts {
        let is_wanted = wanted.is_empty() || account.name == wanted;
        if is_wanted && chosen.is_none_or(|chosen| chosen.missing.is_some() && account.missing.is_none()) {
            chosen = Some(account);
        }
    }
    let Some(account) = chosen else {
        return Err(Error::refusing("The provider has no account of that name.", "account"));
    };
    if let Some(missing) = &account.missing {
        return Ok(unasked(name, &account.name, &format!("It is not configured: {missing}.")));
    }
    if account.plain.is_none() {
        let why = "Its cluster carries the module, which cannot call itself: there is none without it.";
        return Ok(unasked(name, &account.name, why));
    }
    let (path, format) = list_of_models(provider, account);
    let (account, began) = (Rc::clone(account), ask.around.clock.now());
    Ok(Answer::Inquiry(Box::new(Inquiry { provider: name.into(), account, path, format, began })))
}

/// The account that the body names; empty where it names none.
fn wanted_account(ask: Ask<'_>) -> Result<String, Error> {
    let given = if ask.body.is_empty() { String::new() } else { ask.object()? };
    let mut wanted = String::new();
    for (name, value) in members(&given).unwrap_or_default() {
        if &*name != "account" {
            return Err(Error::refusing("There is nothing to be said here but `account`.", name.to_string()));
        }
        let text = read::<String>(value.get()).ok().filter(|text| !text.is_empty());
        wanted = text.ok_or_else(|| misunderstood("account", "the name of one"))?;
    }
    Ok(wanted)
}

impl Inquiry {
    /// Whom to ask.
    #[must_use]
    pub fn cluster(&self) -> &str {
        self.account.plain.as_deref().unwrap_or_default()
    }

    /// The head of the call.
    #[must_use]
    pub fn headers(&self) -> Vec<(&str, &str)> {
        let mut headers = Vec::from([
            (":method", "GET"),
            (":path", self.path.as_str()),
            (":authority", self.account.authority.as_str()),
            ("accept", "application/json"),
            ("user-agent", concat!("dragoman/", env!("CARGO_PKG_VERSION"))),
        ]);
        headers.extend_from_slice(self.format.headers);
        for (name, value) in self.account.headers() {
            headers.retain(|(other, _)| *other != &**name);
            headers.push((name, value.expose()));
        }
        headers.retain(|(_, value)| !value.is_empty());
        headers
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
        unkept(tell(&self.provider, &self.account.name, &outcome))
    }

    /// Tells that the call could not be made.
    #[must_use]
    pub fn unmade(&self) -> Reply {
        let error = format!("Envoy has no cluster `{}`, or that one takes no more calls.", self.cluster());
        unkept(tell(&self.provider, &self.account.name, &Outcome::none(&error)))
    }
}

impl<'a> Outcome<'a> {
    /// There was no call.
    const fn none(error: &'a str) -> Self {
        Self { status: None, duration: None, error: Cow::Borrowed(error) }
    }
}

/// Tells why there is no call.
fn unasked(provider: &str, account: &str, why: &str) -> Answer {
    Answer::Reply(tell(provider, account, &Outcome::none(why)))
}

#[inline(never)]
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
