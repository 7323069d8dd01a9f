//! A request whose body has come: whom to ask, and what of it changes for that.

use alloc::{boxed::Box, format, rc::Rc, string::String, vec::Vec};

use super::{
    Call,
    format::{Format, GEMINI, OLLAMA},
    place::{MODELS, Place},
};
use crate::{
    account::Account,
    auth::Caller,
    catalogue::Catalogue,
    config::BaseUrl,
    dialect::{
        Native, Whole,
        head::{ChatRequest, Previous},
        openai_chat::OpenAiChat,
    },
    error::{Error, Kind, Shape},
    json::{Edits, Found, Member},
    passage::Conduit,
    passthrough::Passthrough,
    plan::Target,
    segment,
    sse::Framing,
    surface::{has_escaped_slash, is_version},
    usage::Usage,
};

/// What a path ends in that generates nothing and is not billed. Any other may, whatever it is called: a provider that does not mind
/// how a path is spelled answers one that is not known here.
const FREE: &[&str] = &[
    "cancel",
    "count_tokens",
    "countTokens",
    "detokenize",
    "input_tokens",
    "moderations",
    "pull",
    "push",
    "show",
    "tokenize",
];

/// What it ends in where tokens are read, and none are written.
const WITHOUT_TEXT: &[&str] =
    &["batchEmbedContents", "classify", "embed", "embedContent", "embeddings", "pooling", "rerank", "score"];

/// Which tokens of a request cost something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cost {
    Nothing,
    /// Its own.
    Input,
    /// Its own, and those of its answer.
    Both,
}

/// Which tokens cost something of what is posted to a path.
pub(crate) fn cost_of(path: &str) -> Cost {
    let word = path.rsplit(['/', ':']).next().unwrap_or_default();
    if FREE.contains(&word) {
        Cost::Nothing
    } else if WITHOUT_TEXT.contains(&word) {
        Cost::Input
    } else {
        Cost::Both
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Request {
    call: Call,
    /// The model as it was asked for.
    model: Option<String>,
    /// The same, where the body names it.
    member: Option<Member>,
}

impl Request {
    pub(super) const fn new(call: Call, model: Option<String>, member: Option<Member>) -> Self {
        Self { call, model, member }
    }

    /// Whom to ask.
    ///
    /// # Errors
    /// The model is out of scope, disabled, or not known where it must be; or nobody can be asked for it.
    pub(crate) fn target(&self, catalogue: &Catalogue, caller: &Caller) -> Result<Target, Error> {
        let provider = &self.call.provider;
        let model = match self.name() {
            Some(name) => {
                let choice = catalogue.own(provider, name)?;
                choice.check_scope(caller)?;
                choice.id
            }
            None if caller.is_limited_to_models() && !self.call.is_of_own() => {
                let message = "This key is for certain models: say which `model` to use.";
                return Err(Error::new(Kind::PermissionDenied, message).blaming("model"));
            }
            None => "",
        };
        let keeper = self.call.keeper.as_ref();
        let is_meant = |account: &&Rc<Account>| keeper.is_none_or(|keeper| Rc::ptr_eq(keeper, account));
        let account = self.accounts(catalogue, caller).find(is_meant).map(Rc::clone).ok_or_else(|| {
            let message = format!("The provider `{}` has no account for this.", provider.name);
            Error::new(Kind::UpstreamUnavailable, message)
        })?;
        Ok(Target { provider: Rc::clone(provider), account, model: model.into(), max_output_tokens: None })
    }

    /// The accounts that are for its model.
    pub(crate) fn accounts<'a>(
        &'a self,
        catalogue: &'a Catalogue,
        caller: &'a Caller,
    ) -> impl Iterator<Item = &'a Rc<Account>> {
        let provider = &self.call.provider;
        let choice = self.name().and_then(|name| catalogue.own(provider, name).ok());
        let names = choice.map(|choice| [choice.id, choice.name()]);
        provider.usable_by(caller).filter(move |account| {
            names.is_none_or(|names| names.into_iter().any(|name| account.is_for(&provider.name, name)))
        })
    }

    /// What it asks about: see [`Call::answers`].
    pub(crate) fn is_about_answers(&self) -> bool {
        self.call.answers().is_some()
    }

    /// The account that it is for, whose answer it goes on from.
    pub(crate) fn go_on_at(&mut self, keeper: Rc<Account>) {
        self.call.keeper = Some(keeper);
    }

    /// The model's name without what Gemini puts before it.
    fn name(&self) -> Option<&str> {
        let name = self.model.as_deref()?;
        let is_gemini = self.call.provider.spec.dialect.name() == GEMINI.name();
        Some(name.strip_prefix(MODELS).filter(|_| is_gemini).unwrap_or(name))
    }

    /// Whether the provider calls the model what the client does.
    fn is_named(&self, target: &Target) -> bool {
        self.name().is_none_or(|name| *name == *target.model)
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
            Place::Path(..) | Place::Deployment(_) | Place::Body | Place::Nowhere => path.clone(),
        };
        let mut path = self.place(&target.account, &rest, &target.model);
        // A client that says which version of the API it speaks, speaks that one.
        if query.split('&').any(|pair| pair.starts_with("api-version="))
            && let Some(own) = path.find('?')
        {
            path.truncate(own);
        }
        if !query.is_empty() {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(query);
        }
        path
    }

    /// The path behind a base URL, which may have a version itself.
    fn place(&self, account: &Account, rest: &str, model: &str) -> String {
        let Call { format, version, provider, place, .. } = &self.call;
        let base = account.base_url.path.as_str();
        let rest = ["/", rest].concat();
        if matches!(place, Place::Deployment(_)) {
            // Such a path has no other version than its date.
            let dated = BaseUrl { path: base.strip_suffix("/v1").unwrap_or(base).into(), ..account.base_url.clone() };
            return account.vendor.path(&dated, &rest, model);
        }
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
                Place::Deployment(_) if member.text.as_ref() != Some(&quoted("")) => {
                    edits.push(member.span.clone(), quoted(""));
                }
                Place::Path(..) | Place::Deployment(_) | Place::Body | Place::Nowhere => {}
            }
        }
        edits.extend(chat.previous.as_ref().and_then(Previous::edit));
        if let Some(edit) = chat.usage_edit().filter(|_| target.account.takes_stream_options) {
            edits.push(edit.span.clone(), edit.text.clone());
        }
        edits
    }

    /// The format of the answer.
    pub(crate) const fn format(&self) -> &'static Format {
        self.call.format
    }

    /// Which of its tokens cost something.
    pub(crate) fn cost(&self) -> Cost {
        let Call { path, place, is_posted, .. } = &self.call;
        // Not anywhere in it: the caller chooses the model's name.
        let said = if let Place::Path(_, verb) = place { verb } else { path };
        if *is_posted { cost_of(said) } else { Cost::Nothing }
    }

    /// The tokens that a scan of its answer has found.
    pub(crate) fn usage(&self, found: &Found) -> Option<Usage> {
        self.format().usage(found)
    }

    /// What a whole answer is, from what a scan has found.
    pub(crate) fn whole(&self, found: &Found) -> Whole {
        let fault = self.format().fault(found).filter(|_| self.is_known());
        fault.map_or_else(|| Whole::Answer(self.usage(found)), Whole::Error)
    }

    /// Whether it is known what its answer looks like.
    pub(crate) const fn is_known(&self) -> bool {
        self.call.is_known
    }

    /// How an answer of this media type is cut into frames and what looks at them on their way, where it is a stream. One of
    /// OpenAI's that is asked for its tokens is looked after as on every other path.
    pub(crate) fn conduit(
        &self,
        content_type: &[u8],
        request: &ChatRequest,
        account: &Rc<Account>,
    ) -> Option<(Framing, Box<dyn Conduit>)> {
        let framing = self.format().framing(content_type, request.stream)?;
        if self.call.is_asked_for_tokens() {
            return Some((
                framing,
                Box::new(Passthrough::new(OpenAiChat.tap(), Shape::OpenAi, !request.wants_usage())),
            ));
        }
        Some((framing, self.format().beside(framing, self.cost() != Cost::Nothing, account)))
    }
}
