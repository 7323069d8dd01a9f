//! What is asked for that is no chat: vectors, pictures, and whatever else `OpenAI`'s API has on paths of its own.
//!
//! To a provider that speaks `OpenAI`'s dialect it passes as a chat does, byte for byte but for the model. Vectors and pictures have a
//! small canonical form each, by which other providers make them, too; who makes none says so by having no row for it
//! ([`Upstream::embedder`], [`Upstream::painter`]), and is passed over with that reason before anybody is asked.

pub mod count;
pub mod embedding;
pub mod image;

use alloc::{boxed::Box, format, rc::Rc, string::String, vec::Vec};

use crate::{
    dialect::{
        Aim, Broken, Downstream, Identity, Native, Spliced, Tap, Upstream, Whole, Written,
        anthropic::Anthropic,
        head::{ChatRequest, StreamOptions},
        openai_chat::{self, OpenAiChat},
    },
    direct::{self, Cost},
    error::{Error, Shape},
    json::Found,
    surface::{Endpoint, GENERATIONS},
    usage::Usage,
};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Task {
    /// Behind the version.
    path: String,
    kind: Kind,
}

/// What sets it apart from others.
#[derive(Debug)]
enum Kind {
    Embeddings(embedding::Wanted),
    Images(image::Wanted),
    /// How long a chat of Messages is.
    Count,
    Other,
}

/// An answer in `OpenAI`'s format.
#[derive(Debug)]
pub(crate) struct Translated {
    pub(crate) body: Vec<u8>,
    pub(crate) usage: Option<Usage>,
    /// Whether its tokens are the gateway's guess, because its provider counts none.
    pub(crate) is_estimated: bool,
}

impl Task {
    /// What this path is asked for, from what a scan has found in the body, and the body, where it is kept.
    pub(crate) fn of(endpoint: Endpoint, path: &str, found: &Found, body: Option<&[u8]>) -> Self {
        let kind = match (endpoint, path) {
            (Endpoint::Embeddings, _) => Kind::Embeddings(embedding::Wanted::of(found, body)),
            (Endpoint::Images, GENERATIONS) => Kind::Images(image::Wanted::of(found)),
            _ => Kind::Other,
        };
        Self { path: ["/", path].concat(), kind }
    }

    /// The count of the tokens of a message, of who speaks another format.
    pub(crate) fn counting() -> Self {
        Self { path: "/messages/count_tokens".into(), kind: Kind::Count }
    }

    /// The format in which it is asked, and told of errors.
    pub(crate) const fn format(&self) -> &'static dyn Downstream {
        if matches!(self.kind, Kind::Count) { &Anthropic } else { &OpenAiChat }
    }

    /// Whether nothing is known of what it means, but for who answers it.
    pub(crate) const fn is_other(&self) -> bool {
        matches!(self.kind, Kind::Other)
    }

    /// Whether who speaks this dialect can do it on a model.
    ///
    /// # Errors
    /// It cannot, or something of it.
    pub(crate) fn check(&self, upstream: &dyn Upstream, model: &str) -> Result<(), Error> {
        if upstream.name() == Upstream::name(&OpenAiChat) {
            return Ok(());
        }
        let cannot = |what: &str| Error::refusing(format!("The model `{model}` {what}."), "model");
        match &self.kind {
            Kind::Embeddings(wanted) => {
                upstream.embedder().ok_or_else(|| cannot("makes no embeddings"))?;
                wanted.check()
            }
            Kind::Images(wanted) => wanted.check(upstream.painter(model).ok_or_else(|| cannot("draws no pictures"))?),
            Kind::Count => upstream.counter().map(|_| ()).ok_or_else(|| cannot("counts no tokens")),
            Kind::Other => Err(cannot(&format!("is of a provider that has no `{}`", self.path))),
        }
    }

    /// How many pictures it is for.
    pub(crate) fn pictures(&self) -> u64 {
        if let Kind::Images(wanted) = &self.kind { wanted.count } else { 0 }
    }

    /// Which of its tokens cost something.
    pub(crate) fn cost(&self) -> Cost {
        direct::cost_of(&self.path)
    }

    /// Whether an answer of this media type is read: others pass unread where they may come.
    pub(crate) fn is_read(&self, content_type: &[u8]) -> bool {
        !self.is_other() || content_type.starts_with(b"application/json")
    }

    /// Writes a request for a target that speaks another dialect.
    ///
    /// # Errors
    /// A field that it cannot do.
    pub(crate) fn write(&self, upstream: &dyn Upstream, body: &str, aim: &Aim<'_>) -> Result<Written, Error> {
        self.check(upstream, aim.model)?;
        if let (Kind::Count, Some(counter)) = (&self.kind, upstream.counter()) {
            return count::write(upstream, counter, body, aim);
        }
        match (&self.kind, upstream.embedder(), upstream.painter(aim.model)) {
            (Kind::Embeddings(_), Some(embedder), _) => Ok((embedder.write)(&embedding::read(body)?, aim)),
            (Kind::Images(_), _, Some(painter)) => Ok((painter.write)(&image::read(body)?, aim)),
            _ => Err(Error::refusing("This model cannot do what is asked for.", "model")),
        }
    }

    /// Reads an answer of another dialect and writes it in `OpenAI`'s; `estimate` are the tokens that are taken for the request's
    /// where nobody has counted them.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn translate(
        &self,
        upstream: &dyn Upstream,
        body: &str,
        identity: &Identity,
        estimate: u64,
    ) -> Result<Translated, Broken> {
        if let (Kind::Count, Some(counter)) = (&self.kind, upstream.counter()) {
            return Ok(Translated { body: count::translate(counter, body)?, usage: None, is_estimated: false });
        }
        match (&self.kind, upstream.embedder(), upstream.painter(&identity.model)) {
            (Kind::Embeddings(wanted), Some(embedder), _) => {
                let answer = (embedder.read)(body)?;
                let told = answer.usage.filter(|usage| usage.input > 0);
                let usage = told.unwrap_or_else(|| Usage { input: estimate, ..Usage::default() });
                let body = wanted.write(&answer.vectors, usage.input, &identity.model).ok_or(Broken::Malformed)?;
                Ok(Translated { body, usage: Some(usage), is_estimated: told.is_none() })
            }
            (Kind::Images(_), _, Some(painter)) => {
                let answer = (painter.read)(body)?;
                let body = image::write(&answer, identity.created);
                let images = u64::try_from(answer.pictures.len()).unwrap_or(u64::MAX);
                let usage = Usage { images, ..answer.usage.unwrap_or_default() };
                Ok(Translated { body, usage: Some(usage), is_estimated: false })
            }
            _ => Err(Broken::Malformed),
        }
    }
}

/// Appends these texts.
pub(crate) fn append(out: &mut String, parts: &[&str]) {
    for part in parts {
        out.push_str(part);
    }
}

impl Native for Task {
    fn path(&self) -> &str {
        &self.path
    }

    fn splice(&self, request: &ChatRequest, aim: &Aim<'_>, _: &mut dyn FnMut() -> Rc<Vec<u8>>) -> Spliced {
        Spliced::of(request.edits(aim.model, StreamOptions::Asked, None))
    }

    fn wanted(&self) -> &'static [&'static str] {
        direct::OPENAI.wanted()
    }

    fn whole(&self, found: &Found) -> Whole {
        // What is not known may well tell of an error that is not its own: a job that has failed.
        let fault = direct::OPENAI.fault(found).filter(|_| direct::OPENAI.knows(self.path.trim_start_matches('/')));
        let told = || {
            let usage = direct::OPENAI.usage(found);
            let images = self.pictures();
            // What they cost may not be said in tokens.
            if images > 0 { Some(Usage { images, ..usage.unwrap_or_default() }) } else { usage }
        };
        fault.map_or_else(|| Whole::Answer(told()), Whole::Error)
    }

    fn error_body(&self, provider: &str, status: u16, body: &[u8]) -> Option<Vec<u8>> {
        openai_chat::error_body(Shape::OpenAi, provider, status, body)
    }

    fn tap(&self) -> Box<dyn Tap> {
        Box::new(direct::TypedTap::default())
    }
}
