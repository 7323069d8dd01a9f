//! The ordered targets of one request, what an attempt must know of it, and what became of each.
//!
//! The ingress makes a plan before the first byte is sent; attempts on the same worker read it and write their outcomes. It
//! is shared by reference, not found again in a configuration, because while a new one is loaded the two roles may for a
//! moment hold different ones.

use alloc::{format, rc::Rc, string::String, vec::Vec};
use core::{
    cell::{Cell, RefCell},
    fmt::Write as _,
    time::Duration,
};

use crate::{
    account::Account,
    body::Kept,
    dialect::{Downstream, openai_chat::ChatRequest},
    error::{Error, Kind, Shape},
    gateway::Provider,
    step::Reply,
    usage::Usage,
};

/// The filter state property that carries `{cluster}#{token}`: the prefix up to and with `#` chooses the cluster (Envoy's
/// matcher specifier reads it as `wasm.dragoman.next`), the token finds the plan in the worker's memory. One property,
/// because each costs about a microsecond to set and another to read.
pub const NEXT_PROPERTY: &str = "dragoman.next";

/// Ends the value of [`NEXT_PROPERTY`] where the client asked for the flex tier: such a request has a route of its own,
/// because how long an attempt may be silent is a matter of the route and can be set by no header.
pub const FLEX_MARK: &str = "#flex";

/// Stands before [`FLEX_MARK`], or where it would stand, if the plan has more tries than one: only such a request's route
/// retries, because Envoy keeps a copy of each body that it might send again.
pub const TRIES_MARK: &str = "#tries";

/// The header by which an attempt asks the router for the next one. No status does it: which of them are failures is for the
/// file to say.
pub const RETRY_HEADER: &str = "x-dragoman-retry";

/// The request header that names the cluster, for routes that have no other way to know it (`cluster_header`): those of an
/// Envoy that was there before the gateway, and of all before 1.39.
pub const CLUSTER_HEADER: &str = "x-dragoman-cluster";

/// Where the attempts run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Behind Envoy's router: each target's cluster carries the module in its attempt role.
    Native,
    /// On the client's own stream: the clusters carry nothing. Only the first target is asked through the router.
    Dispatch,
}

/// How the route finds the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signpost {
    /// By [`NEXT_PROPERTY`]: the route was rendered for it.
    Property,
    /// By [`CLUSTER_HEADER`]: so was the route.
    Header,
    /// By one of the two; which, the one knows who wrote the route.
    Either,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Plan {
    /// Where the attempts run.
    pub mode: Mode,
    /// What the client asked.
    pub inquiry: Inquiry,
    /// Whom to ask, in order.
    pub targets: Vec<Target>,
    progress: Progress,
}

/// What a client asked.
#[derive(Debug)]
pub struct Inquiry {
    /// What its body says, as far as it was read.
    pub request: ChatRequest,
    /// The body itself.
    pub body: RefCell<Kept>,
    /// What it speaks.
    pub downstream: &'static dyn Downstream,
    /// An id of the exchange.
    pub exchange: String,
    /// The shape of errors.
    pub shape: Shape,
    /// Its query without its key.
    pub query: String,
}

/// A model of a provider.
#[derive(Debug, Clone)]
pub struct Target {
    /// Who.
    pub provider: Rc<Provider>,
    /// With which of its credentials.
    pub account: Rc<Account>,
    /// The model's id there.
    pub model: String,
    /// Most tokens that it can answer, where known.
    pub max_output_tokens: Option<u64>,
}

/// What became of the plan so far.
#[derive(Debug, Default)]
struct Progress {
    outcomes: RefCell<Vec<Outcome>>,
    usage: Cell<Option<Usage>>,
    deferred: RefCell<Option<Reply>>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The provider's answer is passed on; its status.
    Answered(u16),
    /// The answer could not be passed on; the status that it stands for.
    Unusable(u16),
}

impl Plan {
    /// A plan that nobody has worked on.
    #[must_use]
    pub fn new(mode: Mode, inquiry: Inquiry, targets: Vec<Target>) -> Self {
        Self { mode, inquiry, targets, progress: Progress::default() }
    }

    /// The value of [`NEXT_PROPERTY`] for the target with this index; `None` past the end, and where no route reads it: one
    /// that knows the cluster by a header is still chosen by the mark.
    #[must_use]
    pub fn next(&self, index: usize, token: u32) -> Option<String> {
        let mark = if self.inquiry.request.flex { FLEX_MARK } else { "" };
        let Target { provider, account, .. } = self.targets.get(index)?;
        let is_read = provider.signpost != Signpost::Header || !mark.is_empty();
        is_read.then(|| format!("{}#{token}{mark}", account.cluster))
    }

    /// The token in a value of [`NEXT_PROPERTY`].
    #[must_use]
    pub fn token(next: &[u8]) -> Option<u32> {
        let next = core::str::from_utf8(next).ok()?;
        let (_, token) = next.strip_suffix(FLEX_MARK).unwrap_or(next).rsplit_once('#')?;
        token.parse().ok()
    }

    /// How long the first content of the answer of the target with this index may take.
    #[must_use]
    pub fn patience(&self, index: usize) -> Duration {
        self.targets.get(index).map(|target| target.provider.patience(self.inquiry.request.flex)).unwrap_or_default()
    }

    /// The client's body, where it is kept. The last attempt takes it away.
    #[must_use]
    pub fn body(&self) -> Option<Vec<u8>> {
        self.inquiry.body.borrow_mut().take()
    }

    /// Notes how the attempt at the next target ended.
    pub fn note(&self, outcome: Outcome) {
        self.progress.outcomes.borrow_mut().push(outcome);
    }

    /// Notes the tokens of the answer, where they are known.
    pub fn note_usage(&self, usage: Option<Usage>) {
        if usage.is_some() {
            self.progress.usage.set(usage);
        }
    }

    /// The tokens of the answer, once known.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.progress.usage.get()
    }

    /// Leaves the answer to the ingress: an attempt cannot give a body to an answer that has only a head.
    pub fn defer(&self, reply: Reply) {
        self.progress.deferred.replace(Some(reply));
    }

    /// The answer that an attempt left to the ingress.
    #[must_use]
    pub fn take_deferred(&self) -> Option<Reply> {
        self.progress.deferred.take()
    }

    /// Whether a provider's answer, of whatever kind, has been judged.
    #[must_use]
    pub fn has_answer(&self) -> bool {
        !self.progress.outcomes.borrow().is_empty()
    }

    /// `provider/model=status`, comma separated: the attempts so far.
    #[must_use]
    pub fn attempts(&self) -> String {
        let mut line = String::new();
        for (target, outcome) in self.targets.iter().zip(self.progress.outcomes.borrow().iter()) {
            let (Outcome::Answered(status) | Outcome::Unusable(status)) = *outcome;
            let comma = if line.is_empty() { "" } else { "," };
            // Writing to a String cannot fail.
            let _ = write!(line, "{comma}{}/{}={status}", target.provider.name, target.model);
        }
        line
    }

    /// An answer with the headers that say who was asked last.
    #[must_use]
    pub fn with_served(&self, reply: Reply) -> Reply {
        let reply = reply.with("x-dragoman-attempts", self.attempts());
        match self.targets.last() {
            None => reply,
            Some(Target { provider, model, .. }) => {
                reply.with("x-dragoman-provider", &*provider.name).with("x-dragoman-model", &**model)
            }
        }
    }

    /// What to answer when the first content has not come in time.
    #[must_use]
    pub fn late(&self) -> Reply {
        let error = self.local_error(504, "timeout");
        self.note(Outcome::Unusable(error.kind.status()));
        self.with_served(error.reply(self.inquiry.shape))
    }

    /// What to answer when Envoy itself ended the request: `details` are its response code details, `status` its answer.
    #[must_use]
    pub fn local_error(&self, status: u16, details: &str) -> Error {
        let name = self.targets.last().map_or("?", |target| target.provider.name.as_str());
        if details.contains("timeout") || details.contains("max_stream_duration") {
            return Error::new(Kind::UpstreamTimeout, format!("The provider `{name}` did not answer in time."));
        }
        if details.contains("overflow") {
            return Error::new(
                Kind::UpstreamUnavailable,
                format!("Too many requests to the provider `{name}` are under way."),
            );
        }
        if details.contains("response_payload_too_large") || details.contains("protocol_error") || status == 502 {
            return Error::new(
                Kind::BadUpstream,
                format!("The provider `{name}` sent an answer that cannot be passed on."),
            );
        }
        Error::new(Kind::UpstreamUnavailable, format!("The provider `{name}` cannot be reached."))
    }
}

#[cfg(test)]
impl Target {
    /// A target for tests that need one, whichever it is.
    pub(crate) fn any() -> Self {
        let file = r#"{"providers":{"p":{"kind":"ollama","base_url":"http://127.0.0.1:1"}}}"#;
        let config = crate::config::parse(file).unwrap();
        let gateway = crate::gateway::Gateway::new(&config, |_| None);
        let provider = Rc::clone(gateway.provider("p").unwrap());
        let account = Rc::clone(&provider.accounts[0]);
        Self { provider, account, model: "m".into(), max_output_tokens: None }
    }
}
