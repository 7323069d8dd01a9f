//! OpenAI Chat Completions: <https://platform.openai.com/docs/api-reference/chat>.
//!
//! Between a client and a provider that both speak it, only the head fields are read ([`ChatRequest`]) and a tap reads the
//! answer; towards other formats the whole request is read and the answer is written.

mod head;
mod response;
mod tap;

pub use head::{ChatRequest, WANTED as WANTED_OF_REQUEST};
pub use response::{WANTED as WANTED_OF_ANSWER, error_body, error_status, usage_of_answer};
pub use tap::{Event, StreamTap, error_event};
