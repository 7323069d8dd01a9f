//! What was said, where the file asks for that to be kept: who carries the answer shows it.

use alloc::{rc::Rc, string::String};

use super::Exchange;
use crate::plan::Plan;

impl Exchange {
    /// Whether the answer is to be shown, as the client gets it.
    #[must_use]
    pub fn wants_response(&self) -> bool {
        self.content.as_ref().is_some_and(|content| content.wants_response())
    }

    /// An answer of this media type comes.
    pub fn expect_response(&mut self, media_type: &str) {
        if let Some(content) = &mut self.content {
            content.expect_response(media_type.as_bytes());
        }
    }

    /// Whether more of it is wanted.
    #[must_use]
    pub fn wants_more(&self) -> bool {
        self.content.as_ref().is_some_and(|content| content.has_room())
    }

    /// A piece of it is on its way to the client.
    pub fn response_passed(&mut self, piece: &[u8]) {
        if let Some(content) = &mut self.content {
            content.response(piece);
        }
    }

    /// The gateway has answered by itself.
    pub fn replied(&mut self, body: &[u8]) {
        if let Some(content) = &mut self.content {
            content.reply(body);
        }
    }

    /// All that was said, as far as it is kept: an object.
    #[must_use]
    pub fn content(&self) -> Option<String> {
        let content = self.content.as_ref()?;
        let names_secret =
            |plan: &Rc<Plan>, text: &[u8]| plan.trail().iter().any(|one| one.target.account.names_secret(text));
        content.to_json(&|text| self.plan().is_some_and(|plan| names_secret(plan, text)))
    }
}
