//! A provider's own paths: a request in the provider's own format goes to it as it is, with the gateway's credential in the
//! place of the client's.
//!
//! Not a way of [`crate::route`]: who is asked is said, and nothing is translated, balanced or tried twice. What is looked for is
//! what the gateway must know: which model is meant, in the path or in the body, and the tokens of the answer
//! ([`mod@format`]). A [`Call`] is what the path says, a [`Request`] what is known when the body has come.
//!
//! Invariants: no path gives a key what is out of its scope. A key that is for certain models can use the paths of which it is
//! known where they name their model, and no others; and where path and body name one, both are made the one that was checked.

mod beside;
mod format;

use alloc::{borrow::ToOwned, boxed::Box, format, rc::Rc, string::String, vec::Vec};

pub(crate) use self::format::Format;
use self::format::{ANTHROPIC, CHAT, GEMINI, OLLAMA, OPENAI};
use crate::{
    account::Account,
    auth::Caller,
    catalogue::{Catalogue, Choice},
    dialect::openai_chat::{ChatRequest, checked_name, describe, model_name, scan_request},
    error::{Error, Kind, Shape},
    gateway::Provider,
    json::{Edits, Failure, Found, Member, Scanner},
    passage::Conduit,
    passthrough::Passthrough,
    plan::Target,
    segment,
    surface::{has_escaped_slash, is_version, split_version},
    uri,
};

/// Where Gemini's paths and others' name a model.
const MODELS: &str = "models/";

/// What can stand behind a model in Gemini's paths, and alone.
const VERBS: &[&str] =
    &["batchEmbedContents", "countTokens", "embedContent", "generateContent", "streamGenerateContent"];

/// The members that are looked for: the first two of those of a chat.
const WANTED: &[&str] = &["model", "stream"];
const MODEL: usize = 0;
const STREAM: usize = 1;

/// What the path of a request says.
#[derive(Debug)]
pub(crate) struct Call {
    provider: Rc<Provider>,
    format: &'static Format,
    /// The version that it names; empty where it names none.
    version: String,
    /// What follows.
    path: String,
    place: Place,
    query: String,
}

/// Where a model is named.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Nowhere where it would be known.
    Nowhere,
    /// In the body.
    Body,
    /// In the path, before this.
    Path(String, String),
    /// In the body or the query; it belongs into the path.
    Apart(Option<String>),
}

/// A request whose body has come.
#[derive(Debug)]
pub(crate) struct Request {
    call: Call,
    /// The model as it was asked for.
    model: Option<String>,
    /// The same, where the body names it.
    member: Option<Member>,
}

impl Call {
    /// What is asked of a provider: `rest` is the path behind its name, `query` has no key.
    pub(crate) fn of(provider: &Rc<Provider>, rest: &str, query: &str) -> Self {
        let dialect = provider.spec.dialect.name();
        let is_ollama = dialect == OLLAMA.name();
        let (version, path) = split_version(rest, |first| is_version(first) || (is_ollama && first == "api"));
        let compatible = if path == "messages" || path.starts_with("messages/") { &ANTHROPIC } else { &OPENAI };
        let (format, called) = match dialect {
            "anthropic" if path != CHAT => (&ANTHROPIC, path),
            "gemini" => path.strip_prefix("openai/").map_or((&GEMINI, path), |path| (compatible, path)),
            "ollama" if version == "api" || (version.is_empty() && OLLAMA.calls.contains(&path)) => (&OLLAMA, path),
            "ollama" if version.is_empty() && !compatible.calls.contains(&path) => (&OLLAMA, path),
            _ => (compatible, path),
        };
        let mut query = query.to_owned();
        let place = match path.strip_prefix(MODELS) {
            Some(model) => {
                let end = if dialect == "gemini" { model.rfind(':') } else { None };
                let (name, verb) = model.split_at(end.unwrap_or(model.len()));
                Place::Path(uri::decode(name).unwrap_or_default(), verb.into())
            }
            None if dialect == "gemini" && VERBS.contains(&path) => {
                let (own, others): (Vec<&str>, Vec<&str>) =
                    query.split('&').partition(|pair| pair.starts_with("model="));
                let named = own.first().and_then(|pair| uri::decode(pair.get("model=".len()..)?));
                query = others.join("&");
                Place::Apart(named)
            }
            None if format.calls.contains(&called) => Place::Body,
            None => Place::Nowhere,
        };
        Self { provider: Rc::clone(provider), format, version: version.into(), path: path.into(), place, query }
    }

    /// The shape of its errors.
    pub(crate) const fn shape(&self) -> Shape {
        self.format.shape
    }

    /// The provider that is asked.
    pub(crate) const fn provider(&self) -> &Rc<Provider> {
        &self.provider
    }

    /// What the format asks for where a client leaves it out.
    pub(crate) const fn headers(&self) -> &'static [(&'static str, &'static str)] {
        self.format.headers
    }

    /// Whether it asks which models there are, in a way that the gateway itself answers, and for which one. Where its answer would
    /// be of another shape than the provider's, that is only so for who may not see the provider's.
    pub(crate) fn listing(&self, method: &str, caller: &Caller) -> Option<&str> {
        let is_own = self.shape() == Shape::OpenAi || self.version.is_empty() || caller.is_limited_to_models();
        let name = if self.path == "models" { "" } else { self.path.strip_prefix(MODELS)? };
        let is_read = matches!(method, "GET" | "HEAD");
        (is_read && is_own && !self.path.starts_with("openai/")).then_some(name)
    }

    /// Checks what can be checked before the body comes; `is_json` is what the body says of itself, if there is one.
    ///
    /// # Errors
    /// What is out of the caller's scope.
    pub(crate) fn check(&self, caller: &Caller, method: &str, is_json: Option<bool>) -> Result<(), Error> {
        let refuse = |message: String| Err(Error::new(Kind::PermissionDenied, message));
        caller.check_provider(&self.provider.name).or_else(refuse)?;
        Choice::unlisted(&self.provider, "").check_configured()?;
        let names_model = match &self.place {
            Place::Nowhere => false,
            Place::Body | Place::Apart(_) => method == "POST" && is_json == Some(true),
            Place::Path(_, verb) => match method {
                "POST" => !verb.is_empty() && is_json != Some(false),
                "GET" | "HEAD" => verb.is_empty() && is_json.is_none(),
                _ => false,
            },
        };
        if caller.is_limited_to_models() && !names_model {
            return refuse(
                "This key is for certain models, and this request does not name its model in a known place.".into(),
            );
        }
        Ok(())
    }

    /// What looks at the body.
    pub(crate) fn scanner(&self) -> Scanner {
        if self.is_chat() { scan_request() } else { Scanner::new(WANTED) }
    }

    /// Whether it is a chat of `OpenAI`'s, in which tokens are asked for.
    fn is_chat(&self) -> bool {
        self.shape() == Shape::OpenAi && self.path.strip_prefix("openai/").unwrap_or(&self.path) == CHAT
    }

    /// What is known when the body has come: what its scan has found, where it was scanned, and its length.
    ///
    /// # Errors
    /// A body that cannot be understood where it must be.
    pub(crate) fn read(
        self,
        scanned: Option<Result<Found, Failure>>,
        length: usize,
    ) -> Result<(Request, ChatRequest), Error> {
        let is_lenient = matches!(self.place, Place::Nowhere);
        let found = match scanned {
            None => Found::default(),
            Some(Ok(found)) => found,
            Some(Err(_)) if is_lenient => Found::default(),
            Some(Err(failure)) => return Err(describe(failure)),
        };
        let member = found.member(MODEL).cloned();
        let in_body = match member.as_ref().map(model_name) {
            Some(Ok(name)) => Some(name),
            Some(Err(_)) if is_lenient => None,
            Some(Err(error)) => return Err(error),
            None => None,
        };
        let is_stream = match &self.place {
            Place::Path(_, verb) => verb.starts_with(":stream"),
            Place::Apart(_) => self.path.starts_with("stream"),
            Place::Body if self.format.streaming.contains(&&*self.path) => found.text(STREAM) != Some("false"),
            Place::Body | Place::Nowhere => found.text(STREAM) == Some("true"),
        };
        let chat = if self.is_chat() { found } else { Found::default() };
        let mut chat = ChatRequest::read(Ok(chat), length)?;
        chat.stream = is_stream;
        let model = match &self.place {
            Place::Path(name, _) | Place::Apart(Some(name)) => Some(checked_name(name.clone())?),
            Place::Apart(None) | Place::Body | Place::Nowhere => in_body,
        };
        if matches!(self.place, Place::Apart(_)) && model.is_none() {
            return Err(Error::refusing("You must say which `model` to use.", "model"));
        }
        Ok((Request { call: self, model, member }, chat))
    }
}

impl Request {
    /// Whom to ask.
    ///
    /// # Errors
    /// The model is out of scope, disabled, or not known where it must be; or nobody can be asked for it.
    pub(crate) fn target(&self, catalogue: &Catalogue, caller: &Caller) -> Result<Target, Error> {
        let provider = &self.call.provider;
        let unavailable = |message| Error::new(Kind::UpstreamUnavailable, message);
        let target = |model: &str, fits: &dyn Fn(&Account) -> bool| {
            let mut usable = provider.accounts.iter().filter(|account| account.missing.is_none());
            let account = usable.find(|account| fits(account)).map(Rc::clone);
            let account = account
                .ok_or_else(|| unavailable(format!("The provider `{}` has no account for this.", provider.name)))?;
            Ok(Target { provider: Rc::clone(provider), account, model: model.into(), max_output_tokens: None })
        };
        let Some(name) = self.name() else {
            if caller.is_limited_to_models() {
                let message = "This key is for certain models: say which `model` to use.";
                return Err(Error::new(Kind::PermissionDenied, message).blaming("model"));
            }
            return target("", &|_| true);
        };
        let choice = catalogue.own(provider, name)?;
        choice.check_scope(caller)?;
        target(choice.id, &|account| {
            account.is_for(&provider.name, choice.id) || account.is_for(&provider.name, choice.name())
        })
    }

    /// The model's name without what Gemini puts before it.
    fn name(&self) -> Option<&str> {
        let name = self.model.as_deref()?;
        let is_gemini = self.call.provider.spec.dialect.name() == GEMINI.name();
        Some(name.strip_prefix(MODELS).filter(|_| is_gemini).unwrap_or(name))
    }

    /// Whether the provider calls the model what the client does.
    fn is_named(&self, target: &Target) -> bool {
        self.name().is_none_or(|name| name == target.model)
    }

    /// The path and the query for a target.
    pub(crate) fn path(&self, target: &Target) -> String {
        let Call { path, place, query, .. } = &self.call;
        let of_model = |verb: &str| {
            let mut path = String::from(MODELS);
            segment::push(&mut path, &target.model);
            path.push_str(verb);
            path
        };
        let rest = match place {
            Place::Path(_, verb) if !self.is_named(target) || has_escaped_slash(path) => of_model(verb),
            Place::Apart(_) => of_model(&[":", path].concat()),
            Place::Path(..) | Place::Body | Place::Nowhere => path.clone(),
        };
        let mut path = self.place(&target.account, &rest, &target.model);
        if !query.is_empty() {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(query);
        }
        path
    }

    /// The path behind a base URL, which may have a version itself.
    fn place(&self, account: &Account, rest: &str, model: &str) -> String {
        let Call { format, version, provider, .. } = &self.call;
        let base = account.base_url.path.as_str();
        let rest = ["/", rest].concat();
        let default = provider.spec.dialect.version().trim_start_matches('/');
        let (parent, own) = base.rsplit_once('/').unwrap_or((base, ""));
        let has_own = is_version(own) || (!own.is_empty() && own == default);
        let is_own = version.is_empty() || version == own;
        // In OpenAI's format the version is a matter of the base URL: SDKs that have none say what OpenAI's is.
        if default.is_empty() && (is_own || version == "v1") {
            return account.vendor.path(&account.base_url, &rest, model);
        }
        let version = match version.as_str() {
            "" if provider.spec.dialect.name() == OLLAMA.name() && format.shape != Shape::Ollama => "v1",
            "" if has_own => own,
            "" => default,
            version => version,
        };
        [if has_own { parent } else { base }, "/", version, &rest].concat()
    }

    /// The changes of the body for a target.
    pub(crate) fn edits(&self, chat: &ChatRequest, target: &Target) -> Edits {
        let mut edits = Edits::default();
        if let Some(member) = &self.member {
            let quoted = |prefix: &str| {
                let name = [prefix, &target.model].concat();
                // A string can always be written.
                serde_json::to_vec(&name).unwrap_or_default()
            };
            match &self.call.place {
                Place::Apart(_) => edits.push(member.whole.clone(), Vec::new()),
                Place::Path(..) if self.model.is_some() => {
                    let both = [quoted(""), quoted(MODELS)];
                    if !member.text.as_ref().is_some_and(|text| both.contains(text)) {
                        edits.push(member.span.clone(), quoted(MODELS));
                    }
                }
                Place::Body | Place::Nowhere if self.model.is_some() && !self.is_named(target) => {
                    edits.push(member.span.clone(), quoted(""));
                }
                Place::Path(..) | Place::Body | Place::Nowhere => {}
            }
        }
        if let Some(edit) = chat.usage_edit().filter(|_| target.account.takes_stream_options) {
            edits.push(edit.span.clone(), edit.text.clone());
        }
        edits
    }

    /// The format of the answer.
    pub(crate) const fn format(&self) -> &'static Format {
        self.call.format
    }

    /// What looks at a stream on its way. A chat of `OpenAI`'s is looked after as on every other path: `hides_usage` says that the
    /// client did not ask for its tokens.
    pub(crate) fn conduit(&self, hides_usage: bool, account: &Rc<Account>) -> Box<dyn Conduit> {
        if self.call.is_chat() { Box::new(Passthrough::new(hides_usage)) } else { self.format().beside(account) }
    }
}
