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
mod place;
mod request;
mod typed;

use alloc::{borrow::ToOwned, rc::Rc, string::String};

pub(crate) use self::{
    beside::{SoFar, Witness},
    format::{Format, OPENAI},
    request::{Cost, Request, cost_of},
    typed::{Typed, TypedTap, status as status_of},
};
use self::{
    format::{ANTHROPIC, CHAT, COMPLETIONS, GEMINI, OLLAMA},
    place::{MODELS, Place},
};
use crate::{
    account::Account,
    auth::Caller,
    catalogue::Choice,
    dialect::{
        head::{
            Bounds, ChatRequest, Contents, MODEL, Previous, STREAM, checked_name, is_background, is_flex, model_name,
        },
        openai_chat::SCHEME,
    },
    error::{Error, Kind, Shape},
    gateway::Provider,
    json::{Failure, Found, Scanner},
    plan::Target,
    surface::{answers, is_version, split_version},
};

/// The path at which an account lists the provider's models, and the format of that.
pub(crate) fn list_of_models(provider: &Rc<Provider>, account: &Rc<Account>) -> (String, &'static Format) {
    let name = if provider.spec.dialect.name() == OLLAMA.name() { "tags" } else { "models" };
    let call = Call::of(provider, "GET", name, "");
    let format = call.format;
    let target = Target {
        provider: Rc::clone(provider),
        account: Rc::clone(account),
        model: "".into(),
        max_output_tokens: None,
    };
    (Request::new(call, None, None).path(&target), format)
}

/// What the path of a request says.
#[derive(Debug)]
pub(crate) struct Call {
    provider: Rc<Provider>,
    format: &'static Format,
    /// The version that it names; empty where it names none.
    version: String,
    /// What follows, behind the deployment where it names one.
    path: String,
    place: Place,
    query: String,
    /// Whether something is generated, as far as the method says it.
    is_posted: bool,
    /// Whether it is known what its answer looks like.
    is_known: bool,
    /// The account that keeps what it is about.
    keeper: Option<Rc<Account>>,
}

impl Call {
    /// What is asked of a provider: `rest` is the path behind its name, `query` has no key.
    pub(crate) fn of(provider: &Rc<Provider>, method: &str, rest: &str, query: &str) -> Self {
        let dialect = provider.spec.dialect.name();
        let is_ollama = dialect == OLLAMA.name();
        let is_gemini = dialect == GEMINI.name();
        let azure = place::of_azure(provider, rest);
        let (version, path) =
            split_version(azure.unwrap_or(rest), |first| is_version(first) || (is_ollama && first == "api"));
        let compatible = if path == "messages" || path.starts_with("messages/") { &ANTHROPIC } else { &OPENAI };
        let (format, called) = match dialect {
            "anthropic" if path != CHAT => (&ANTHROPIC, path),
            "gemini" => path.strip_prefix("openai/").map_or((&GEMINI, path), |path| (compatible, path)),
            "ollama" if version == "api" || (version.is_empty() && OLLAMA.calls.contains(&path)) => (&OLLAMA, path),
            "ollama" if version.is_empty() && !compatible.calls.contains(&path) => (&OLLAMA, path),
            _ => (compatible, path),
        };
        let is_known = |called: &str| format.knows(called);
        let mut query = query.to_owned();
        let deployment = azure.and_then(|_| Place::in_deployment(path)).filter(|(_, called)| is_known(called));
        let (place, path) = deployment.unwrap_or_else(|| {
            let in_path = Place::in_path(path, is_gemini);
            let apart = || if is_gemini { Place::beside_verb(path, &mut query) } else { None };
            let in_body = || format.calls.contains(&called).then_some(Place::Body);
            (in_path.or_else(apart).or_else(in_body).unwrap_or(Place::Nowhere), path)
        });
        // Also where the model is none of the catalogue's: a tuned one.
        let has_verb = is_gemini && Place::has_verb(path);
        let is_known = place != Place::Nowhere || has_verb || is_known(called);
        Self {
            provider: Rc::clone(provider),
            format,
            version: version.into(),
            path: path.into(),
            place,
            query,
            is_posted: method == "POST",
            is_known,
            keeper: None,
        }
    }

    /// The same about an answer that this account has given.
    pub(crate) fn of_kept(self, keeper: &Rc<Account>) -> Self {
        Self { keeper: Some(Rc::clone(keeper)), ..self }
    }

    /// What it asks for of answers that may be kept, where it is about those: what stands behind their path.
    pub(crate) fn answers(&self) -> Option<&str> {
        answers(&self.path).filter(|_| self.shape() == Shape::OpenAi)
    }

    /// Whether it asks for nothing but what its caller has been answered already.
    fn is_of_own(&self) -> bool {
        self.keeper.is_some() && !(self.is_posted && cost_of(&self.path) != Cost::Nothing)
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
        Choice::unlisted(&self.provider, "").check_configured(caller)?;
        if caller.is_limited_to_models() && !self.is_of_own() && !self.place.is_known(method, is_json, &self.query) {
            return refuse(
                "This key is for certain models, and this request does not name its model in a known place.".into(),
            );
        }
        // What a body goes on from is looked for.
        if self.answers().is_some() && is_json == Some(false) { Err(Error::not_json()) } else { Ok(()) }
    }

    /// What looks at the body.
    pub(crate) fn scanner() -> Scanner {
        SCHEME.scanner()
    }

    /// Whether it is one of OpenAI's whose tokens are asked for where the client does not.
    fn is_asked_for_tokens(&self) -> bool {
        let called = self.path.strip_prefix("openai/").unwrap_or(&self.path);
        self.shape() == Shape::OpenAi && (called == CHAT || called == COMPLETIONS)
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
        let is_lenient = matches!(self.place, Place::Nowhere) && self.answers().is_none();
        let is_known = matches!(scanned, Some(Ok(_)));
        let found = match scanned {
            None => Found::default(),
            Some(Ok(found)) => found,
            Some(Err(_)) if is_lenient => Found::default(),
            Some(Err(failure)) => return Err(SCHEME.describe(failure)),
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
            Place::Body | Place::Deployment(_) | Place::Nowhere => found.text(STREAM) == Some("true"),
        };
        let (flex, is_background) = (is_flex(&found), is_background(&found));
        // Of a form nothing is text.
        let contents = Contents::of(&found, if is_known { length } else { 0 });
        let previous = Previous::of(&found);
        let bounds = Bounds::of(&found, self.format.terms(&self.path));
        let asked = if self.is_asked_for_tokens() { found } else { Found::default() };
        let mut request = SCHEME.read(Ok(asked), length)?;
        (request.stream, request.flex, request.is_background) = (is_stream, flex, is_background);
        (request.contents, request.bounds, request.previous) = (contents, bounds, previous);
        let model = match &self.place {
            Place::Path(name, _) | Place::Deployment(name) | Place::Apart(Some(name)) => {
                Some(checked_name(name.clone())?)
            }
            Place::Apart(None) | Place::Body | Place::Nowhere => in_body,
        };
        if matches!(self.place, Place::Apart(_)) && model.is_none() {
            return Err(Error::refusing("You must say which `model` to use.", "model"));
        }
        Ok((Request::new(self, model, member), request))
    }
}
