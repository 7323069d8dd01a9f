//! What a client asks: what is known of every request, and what is each kind's own.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::cell::RefCell;

use super::Estimate;
use crate::{
    body::Kept,
    dialect::{
        Downstream, Native,
        head::{Bounds, ChatRequest},
        openai_chat::OpenAiChat,
        openai_responses,
    },
    direct::{self, Cost},
    error::Shape,
    route::estimate,
    seal::Owner,
    step::Name,
    task::Task,
};

/// What a client asked.
#[derive(Debug)]
pub struct Inquiry {
    /// What its body says, as far as it was read.
    pub request: ChatRequest,
    /// The body itself.
    pub body: RefCell<Kept>,
    /// What for.
    pub(crate) asked: Asked,
    /// An id of the exchange.
    pub exchange: String,
    /// Whose the answer is, where it is one that may be kept, or about such.
    pub(crate) owner: Option<Owner>,
    /// The shape of errors.
    pub shape: Shape,
    /// Its query without its key.
    pub query: String,
}

/// What is asked for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// A chat.
    Chat {
        /// What the client speaks.
        format: &'static dyn Downstream,
        /// Headers of that format, for those who speak it.
        headers: Vec<(Name, String)>,
    },
    /// What is no chat, in OpenAI's format mostly.
    Task(Task),
    /// What passes as it is, errors and all, to one provider that speaks it.
    Own(Box<direct::Request>),
}

impl Asked {
    /// Whether the answer is one that a provider may keep, or about such.
    pub(crate) fn is_about_answers(&self) -> bool {
        match self {
            Self::Chat { format, .. } => Downstream::name(*format) == openai_responses::NAME,
            Self::Task(task) => task.is_about_answers(),
            Self::Own(own) => own.is_about_answers(),
        }
    }
}

impl Inquiry {
    /// The format in which the gateway speaks for itself.
    pub(crate) fn format(&self) -> &'static dyn Downstream {
        match &self.asked {
            Asked::Chat { format, .. } => *format,
            Asked::Task(task) => task.format(),
            Asked::Own(_) => &OpenAiChat,
        }
    }

    /// How it passes between a client and a provider that both speak its format; `None` where it is none of a format's.
    pub(crate) fn native(&self) -> Option<&dyn Native> {
        match &self.asked {
            Asked::Chat { format, .. } => Some(*format),
            Asked::Task(task) => Some(task),
            Asked::Own(_) => None,
        }
    }

    /// The headers with which it passes.
    pub(crate) fn native_headers(&self) -> &[(Name, String)] {
        match &self.asked {
            Asked::Chat { headers, .. } => headers,
            Asked::Task(task) => task.headers(),
            Asked::Own(_) => &[],
        }
    }

    /// What passes to one provider as it is.
    pub(crate) fn own(&self) -> Option<&direct::Request> {
        if let Asked::Own(own) = &self.asked { Some(own) } else { None }
    }

    /// What is no chat.
    pub(crate) const fn task(&self) -> Option<&Task> {
        if let Asked::Task(task) = &self.asked { Some(task) } else { None }
    }

    /// Whether it has thoughts that may be refused, and can be asked again without.
    pub(crate) fn has_thoughts(&self) -> bool {
        let can_forget = match &self.asked {
            Asked::Chat { .. } => true,
            Asked::Task(task) => task.is_count(),
            Asked::Own(_) => false,
        };
        can_forget && self.request.history.may_be_refused()
    }

    /// What it is expected to use up.
    pub(crate) fn estimate(&self) -> Estimate {
        let input_tokens = estimate::tokens(self.request.contents.text_length, self.request.contents.images);
        let nothing = Bounds { max_tokens: Some(0), choices: None };
        let images = self.task().map_or(0, Task::pictures);
        let has_tools = self.request.contents.has_tools;
        let all = Estimate { input_tokens, has_tools, output: self.request.bounds, images };
        match self.cost() {
            Cost::Both => all,
            Cost::Input => Estimate { output: nothing, ..all },
            Cost::Nothing => Estimate { output: nothing, ..Estimate::default() },
        }
    }

    /// Which of its tokens cost something.
    pub(crate) fn cost(&self) -> Cost {
        match &self.asked {
            Asked::Chat { .. } => Cost::Both,
            Asked::Task(task) => task.cost(),
            Asked::Own(own) => own.cost(),
        }
    }
}
