//! OpenAI Chat Completions: <https://platform.openai.com/docs/api-reference/chat>.

mod request;
mod response;
mod stream;

pub use request::{ChatRequest, WANTED as WANTED_OF_REQUEST};
pub use response::{WANTED as WANTED_OF_ANSWER, error_body, error_status, usage_of_answer};
pub use stream::{Event, StreamTap, error_event};
