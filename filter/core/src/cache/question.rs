//! What a request asks, as a hash of everything that its answer can depend on: two requests have the same only where one's answer is the
//! other's.
//!
//! That is who asks: a key, or the bearer of a token, by its id, in its environment, with the credentials that the request brings; all that
//! ask without any key are one. And what it asks: the router and its seed, the endpoint, the query, those headers that a provider of the
//! client's format reads, and the body. Whom the router asks is not in it: who has answered is written beside the answer.

use alloc::{boxed::Box, rc::Rc};

use super::{Rules, Terms, canon::Canon, directive::lines, hash::Hash};
use crate::{auth::Caller, error::Error, headers::Headers};

/// Headers by which an answer may be another, whatever the client's format, or is to be.
const HEADERS: &[&str] =
    &["anthropic-beta", "anthropic-version", "openai-beta", "x-dragoman-provider-key", "x-dragoman-cache-seed"];

/// The hash of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question(pub(super) [u8; 32]);

/// A request that may be answered by what was kept, while its body comes.
#[derive(Debug)]
pub(crate) struct Visit {
    rules: Rc<Rules>,
    terms: Terms,
    head: Hash,
    body: Canon,
}

/// What such a request wants.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(super) rules: Rc<Rules>,
    pub(crate) terms: Terms,
    pub(super) question: Question,
}

/// Where a request has come to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) environment: Option<&'a str>,
    pub(crate) router: &'a str,
    /// Behind the version.
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
}

impl Visit {
    /// A request whose head has come; `None` where nothing is kept for it.
    ///
    /// # Errors
    /// A header says what it cannot.
    pub(crate) fn begin(
        rules: &Rc<Rules>,
        caller: &Caller,
        place: Place<'_>,
        headers: Headers<'_>,
    ) -> Result<Option<Box<Self>>, Error> {
        let Some(terms) = Terms::of(rules, headers)? else { return Ok(None) };
        let mut head = Hash::default();
        let texts = [place.environment, caller.key().map(|key| &*key.id)];
        for text in texts {
            head.part(&[text.is_some().into()]);
        }
        let [environment, key] = texts.map(Option::unwrap_or_default);
        for text in [environment, key, place.router, place.path, place.query, &rules.seed] {
            head.part(text.as_bytes());
        }
        for name in HEADERS {
            let mut said = Hash::default();
            for line in lines(headers, name) {
                said.part(line);
            }
            head.put(&said.take());
        }
        Ok(Some(Box::new(Self { rules: Rc::clone(rules), terms, head, body: Canon::new() })))
    }

    /// A piece of its body has come.
    pub(crate) fn see(&mut self, piece: &[u8]) {
        self.body.feed(piece);
    }

    /// It has come whole; `None` where its client wants nothing to be kept, or it is made of too many parts.
    pub(crate) fn end(self) -> Option<Wanted> {
        let Self { rules, terms, mut head, body } = self;
        head.put(&body.end()?);
        Some(Wanted { rules, terms, question: Question(head.take()) })
    }
}
