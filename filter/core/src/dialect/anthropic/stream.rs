//! A stream: `message_start`, blocks that start, grow and stop, `message_delta`, `message_stop`. Events that are not known are
//! passed over, as the API's versioning policy asks for.

use serde_json::value::RawValue;

use super::{answer::Answer, fault, wire::required};
use crate::{
    chat::Delta,
    dialect::{Broken, Reader},
    json::{self, Str, record},
    sse::Frame,
};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct StreamReader(Answer);

record! {
    struct Event<'a> {
        kind: Str<'a> = "type",
        index: Option<&'a RawValue>,
        message: Option<&'a RawValue>,
        content_block: Option<&'a RawValue>,
        delta: Option<&'a RawValue>,
        usage: Option<&'a RawValue>,
    }
}

record! {
    /// What is new of the message.
    struct MessageDelta<'a> {
        stop_reason: Option<Str<'a>>,
        stop_details: Option<&'a RawValue>,
    }
}

impl Reader for StreamReader {
    fn read(&mut self, frame: Frame<'_>, each: &mut dyn FnMut(Delta<'_>)) -> Result<(), Broken> {
        let Some(data) = frame.data() else { return Ok(()) };
        let text = json::text(&data);
        // As its SDKs do.
        if text.trim().is_empty() {
            return Ok(());
        }
        let event: Event<'_> = json::read(&text).map_err(|_| Broken::Malformed)?;
        let (answer, each) = (&mut self.0, &mut |delta: Delta<'_>| each(delta));
        match &*event.kind {
            "message_start" => answer.start(required(event.message)?, each),
            "content_block_start" => {
                let block = event.content_block.ok_or(Broken::Malformed)?;
                answer.start_block(required(event.index)?, block, each)?;
            }
            "content_block_delta" => answer.grow_block(required(event.index)?, &required(event.delta)?, each)?,
            "content_block_stop" => answer.stop_block(required(event.index)?, each),
            "message_delta" => {
                let delta: MessageDelta<'_> = required(event.delta)?;
                answer.finish(delta.stop_reason.as_deref(), delta.stop_details, event.usage, each);
            }
            "message_stop" => each(Delta::End),
            "error" => return Err(Broken::Fault(fault::read_event(&data))),
            _ => {}
        }
        Ok(())
    }
}
