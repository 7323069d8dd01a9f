//! A streamed answer: JSON lines, each a small answer of its own. A tool call always comes whole; calls that are made at once
//! come on one line or on several, and their own numbering has not always counted, so they are counted here.

use crate::{
    chat::Delta,
    dialect::{Malformed, Reader},
    sse::Frame,
};

use super::{
    fault,
    response::{WireAnswer, WireLogprob, said},
};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct StreamReader {
    has_begun: bool,
    calls: u32,
}

impl Reader for StreamReader {
    fn read(&mut self, frame: Frame<'_>, each: &mut dyn FnMut(Delta<'_>)) -> Result<(), Malformed> {
        if frame.raw.trim_ascii().is_empty() {
            return Ok(());
        }
        let mut line = WireAnswer::read(frame.raw).ok_or(Malformed)?;
        if let Some(error) = line.error {
            each(Delta::Fault(fault::of_stream(line.status, error)));
            return Ok(());
        }
        if line.message.is_none() && !line.done {
            return Ok(());
        }
        if !self.has_begun {
            self.has_begun = true;
            each(Delta::Start { id: None, model: said(line.model.take()), service_tier: None });
        }
        self.read_message(&mut line, each);
        if line.done {
            each(Delta::Finish { choice: 0, reason: line.finish(self.calls > 0) });
            if let Some(usage) = line.usage() {
                each(Delta::Usage(usage));
            }
            each(Delta::End);
        }
        Ok(())
    }
}

impl StreamReader {
    fn read_message(&mut self, line: &mut WireAnswer<'_>, each: &mut dyn FnMut(Delta<'_>)) {
        let message = line.message.take().unwrap_or_default();
        if let Some(text) = said(message.thinking) {
            each(Delta::Thinking { choice: 0, text });
        }
        if let Some(text) = said(message.content) {
            each(Delta::Text { choice: 0, text });
        }
        if let Some(logprobs) = line.logprobs.take().filter(|logprobs| !logprobs.is_empty()) {
            each(Delta::Logprobs { choice: 0, tokens: logprobs.into_iter().map(WireLogprob::read).collect() });
        }
        let calls = message.tool_calls.unwrap_or_default();
        if calls.is_empty() {
            return;
        }
        let stamp = line.stamp();
        for call in calls {
            each(Delta::ToolCall { choice: 0, call: self.calls, begun: call.read(&stamp, self.calls) });
            self.calls = self.calls.saturating_add(1);
        }
    }
}
