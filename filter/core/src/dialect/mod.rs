//! What is spoken: wire formats. One folder a format; where client and provider speak the same one, bytes pass untouched but
//! for spliced places, and a tap reads what must be known.

mod openai_chat;

pub use openai_chat::{
    ChatRequest, Event, StreamTap, WANTED_OF_ANSWER, WANTED_OF_REQUEST, error_body, error_event, error_status,
    usage_of_answer,
};
