//! What is asked for that is no chat: vectors, pictures, and whatever else `OpenAI`'s API has on paths of its own.
//!
//! To a provider that speaks `OpenAI`'s dialect it passes as a chat does, byte for byte but for the model. Vectors and pictures have a
//! small canonical form each, by which other providers make them, too; who makes none says so by having no row for it
//! ([`Upstream::embedder`], [`Upstream::painter`]), and is passed over with that reason before anybody is asked.

pub mod count;
pub mod embedding;
pub mod image;

use alloc::{boxed::Box, format, rc::Rc, string::String, vec::Vec};

use self::{count::Counter, embedding::Embedder, image::Painter};
use crate::{
    chat::Fault,
    dialect::{
        Aim, Broken, Downstream, Identity, Native, Spliced, Tap, Upstream, Whole, Written,
        anthropic::Anthropic,
        head::{ChatRequest, StreamOptions},
        openai_chat::{self, OpenAiChat},
    },
    direct::{self, Cost},
    error::Error,
    json::Found,
    step::Name,
    surface::{Endpoint, GENERATIONS, answers},
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
    /// How long a chat of Messages is, and the headers with which it passes.
    Count(Vec<(Name, String)>),
    Other,
}

/// By what a dialect does it on a model.
enum Way<'t> {
    Embeddings(&'t embedding::Wanted, &'static Embedder),
    Images(&'t image::Wanted, &'static Painter),
    Count(&'static Counter),
}

/// An answer in `OpenAI`'s format.
#[derive(Debug)]
pub(crate) struct Translated {
    /// Or why there is none.
    pub(crate) body: Result<Vec<u8>, Fault>,
    pub(crate) usage: Option<Usage>,
    /// Whether its tokens are the gateway's guess, because its provider counts none.
    pub(crate) is_estimated: bool,
}

impl Task {
    /// What this path is asked for, from what a scan has found in the body.
    pub(crate) fn of(endpoint: Endpoint, path: &str, found: &Found) -> Self {
        let kind = match (endpoint, path) {
            (Endpoint::Embeddings, _) => Kind::Embeddings(embedding::Wanted::of(found)),
            (Endpoint::Images, GENERATIONS) => Kind::Images(image::Wanted::of(found)),
            _ => Kind::Other,
        };
        Self { path: ["/", path].concat(), kind }
    }

    /// The count of the tokens of a message, with these headers to who speaks its format.
    pub(crate) fn counting(headers: Vec<(Name, String)>) -> Self {
        Self { path: "/messages/count_tokens".into(), kind: Kind::Count(headers) }
    }

    /// The headers with which it passes.
    pub(crate) fn headers(&self) -> &[(Name, String)] {
        if let Kind::Count(headers) = &self.kind { headers } else { &[] }
    }

    /// The format in which it is asked, and told of errors.
    pub(crate) const fn format(&self) -> &'static dyn Downstream {
        if self.is_count() { &Anthropic } else { &OpenAiChat }
    }

    /// Whether a chat is counted.
    pub(crate) const fn is_count(&self) -> bool {
        matches!(self.kind, Kind::Count(_))
    }

    /// Whether nothing is known of what it means, but for who answers it.
    pub(crate) const fn is_other(&self) -> bool {
        matches!(self.kind, Kind::Other)
    }

    /// Whether who speaks this dialect can do it on a model of this id; `name` is what it is called in the reason.
    ///
    /// # Errors
    /// It cannot, or something of it.
    pub(crate) fn check(&self, upstream: &dyn Upstream, id: &str, name: &str) -> Result<(), Error> {
        if upstream.name() == Upstream::name(&OpenAiChat) {
            return Ok(());
        }
        match self.way(upstream, id, name)? {
            Way::Embeddings(wanted, embedder) => wanted.check(embedder),
            Way::Images(wanted, painter) => wanted.check(painter),
            Way::Count(_) => Ok(()),
        }
    }

    fn way(&self, upstream: &dyn Upstream, id: &str, name: &str) -> Result<Way<'_>, Error> {
        let (way, what) = match &self.kind {
            Kind::Embeddings(wanted) => {
                (upstream.embedder().map(|embedder| Way::Embeddings(wanted, embedder)), "makes no embeddings")
            }
            Kind::Images(wanted) => {
                (upstream.painter(id).map(|painter| Way::Images(wanted, painter)), "draws no pictures")
            }
            Kind::Count(_) => (upstream.counter().map(Way::Count), "counts no tokens"),
            Kind::Other => (None, ""),
        };
        way.ok_or_else(|| {
            let message = if self.is_other() {
                format!("The model `{name}` is of a provider that has no `{}`.", self.path)
            } else {
                format!("The model `{name}` {what}.")
            };
            Error::refusing(message, "model")
        })
    }

    /// Whether it is about answers that a provider may keep.
    pub(crate) fn is_about_answers(&self) -> bool {
        answers(&self.path).is_some()
    }

    /// Whether it is known what its answer looks like.
    fn is_known(&self) -> bool {
        direct::OPENAI.knows(self.path.trim_start_matches('/'))
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

    /// Writes a request for a target that speaks another dialect, and can do it.
    ///
    /// # Errors
    /// A field that it cannot do.
    pub(crate) fn write(&self, upstream: &dyn Upstream, body: &str, aim: &Aim<'_>) -> Result<Written, Error> {
        match self.way(upstream, aim.model, aim.model)? {
            Way::Embeddings(_, embedder) => Ok((embedder.write)(&embedding::read(body)?, aim)),
            Way::Images(_, painter) => Ok((painter.write)(&image::read(body)?, aim)),
            Way::Count(counter) => count::write(upstream, counter, body, aim),
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
        let model = &identity.model;
        match self.way(upstream, model, model).map_err(|_| Broken::Malformed)? {
            Way::Embeddings(wanted, embedder) => {
                let answer = (embedder.read)(body)?;
                let told = answer.usage.filter(|usage| usage.input > 0);
                let usage = told.unwrap_or_else(|| Usage { input: estimate, ..Usage::default() });
                let body = wanted.write(&answer.vectors, usage.input, model).ok_or(Broken::Malformed)?;
                Ok(Translated { body: Ok(body), usage: Some(usage), is_estimated: told.is_none() })
            }
            Way::Images(_, painter) => {
                let answer = (painter.read)(body)?;
                let usage = answer.pictures.as_ref().map_or(answer.usage, |pictures| {
                    let images = u64::try_from(pictures.len()).unwrap_or(u64::MAX);
                    Some(Usage { images, ..answer.usage.unwrap_or_default() })
                });
                let body = answer.pictures.as_ref().map(|pictures| image::write(pictures, &answer, identity.created));
                Ok(Translated { body: body.map_err(Fault::clone), usage, is_estimated: false })
            }
            Way::Count(counter) => {
                Ok(Translated { body: Ok(count::translate(counter, body)?), usage: None, is_estimated: false })
            }
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

    fn splice(&self, request: &ChatRequest, aim: &Aim<'_>, body: &mut dyn FnMut() -> Rc<Vec<u8>>) -> Spliced {
        if self.is_count() {
            return Anthropic.splice(request, aim, body);
        }
        Spliced::of(request.edits(aim.model, StreamOptions::Asked, None))
    }

    fn wanted(&self) -> &'static [&'static str] {
        direct::OPENAI.wanted()
    }

    fn whole(&self, found: &Found) -> Whole {
        // What is not known may well tell of an error that is not its own: a job that has failed.
        let fault = direct::OPENAI.fault(found).filter(|_| self.is_known());
        let told = || {
            let usage = direct::OPENAI.usage(found);
            let images = self.pictures();
            // What they cost may not be said in tokens.
            if images > 0 { Some(Usage { images, ..usage.unwrap_or_default() }) } else { usage }
        };
        fault.map_or_else(|| Whole::Answer(told()), Whole::Error)
    }

    fn error_body(&self, provider: &str, status: u16, body: &[u8]) -> Option<Vec<u8>> {
        openai_chat::error_body(self.format().shape(), provider, status, body)
    }

    fn tap(&self) -> Box<dyn Tap> {
        Box::new(direct::TypedTap::new(self.is_known()))
    }
}
