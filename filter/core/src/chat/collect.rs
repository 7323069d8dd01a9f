//! A streamed answer, put together to a whole one: for dialects whose whole answer is a stream of one piece, so that they map
//! their wire once.

use alloc::{borrow::Cow, vec::Vec};

use super::{Choice, Citation, Delta, MAX_CHOICES, Part, Response, Text, TextPart};

/// What has come so far.
#[derive(Debug, Default)]
pub struct Collected<'a> {
    response: Response<'a>,
    /// For each choice, where the calls of its parts are: `call` counts them.
    calls: Vec<Vec<usize>>,
}

impl<'a> Collected<'a> {
    /// Takes the next step.
    pub fn take(&mut self, delta: Delta<'a>) {
        match delta {
            Delta::Start { id, model, service_tier } => {
                let Response { id: said, model: named, service_tier: served, .. } = &mut self.response;
                *said = id.or_else(|| said.take());
                *named = model.or_else(|| named.take());
                *served = service_tier.or_else(|| served.take());
            }
            Delta::Usage(usage) => self.response.usage = Some(usage),
            Delta::End => {}
            Delta::Text { choice, text } => match self.last(choice) {
                Some(Part::Text(part)) if part.signature.is_none() => append(&mut part.text, text),
                _ => self.push(choice, Part::Text(TextPart { text, ..TextPart::default() })),
            },
            Delta::TextSignature { choice, signature } => match self.last(choice) {
                Some(Part::Text(TextPart { signature: proof @ None, .. })) => *proof = Some(signature),
                _ => self.push(choice, Part::Text(TextPart { signature: Some(signature), ..TextPart::default() })),
            },
            Delta::Thinking { choice, text } => match self.last(choice) {
                Some(Part::Thinking { text: thought, signature: None }) => append(thought, text),
                _ => self.push(choice, Part::Thinking { text, signature: None }),
            },
            Delta::Signature { choice, signature } => match self.last(choice) {
                Some(Part::Thinking { signature: proof @ None, .. }) => *proof = Some(signature),
                _ => self.push(choice, Part::Thinking { text: Cow::Borrowed(""), signature: Some(signature) }),
            },
            Delta::RedactedThinking { choice, data } => self.push(choice, Part::RedactedThinking(data)),
            Delta::Refusal { choice, text } => match self.last(choice) {
                Some(Part::Refusal(refusal)) => append(refusal, text),
                _ => self.push(choice, Part::Refusal(text)),
            },
            Delta::Image { choice, source } => {
                self.push(choice, Part::Image { source, detail: None, cache: None });
            }
            Delta::ToolCall { choice, call: _, begun } => self.begin(choice, Part::ToolCall(begun)),
            Delta::Arguments { choice, call, json } => self.continue_call(choice, call, json),
            Delta::Citation { choice, citation } => self.cite(choice, citation),
            Delta::Logprobs { choice, tokens } => {
                if let Some(choice) = self.choice(choice) {
                    choice.logprobs.extend(tokens);
                }
            }
            Delta::Finish { choice, reason } => {
                if let Some(choice) = self.choice(choice) {
                    choice.finish = Some(reason);
                }
            }
        }
    }

    /// The whole answer.
    #[must_use]
    pub fn into_response(self) -> Response<'a> {
        self.response
    }

    fn choice(&mut self, choice: u32) -> Option<&mut Choice<'a>> {
        let index = usize::try_from(choice).ok().filter(|index| *index < MAX_CHOICES)?;
        let choices = &mut self.response.choices;
        if choices.len() <= index {
            choices.resize_with(index.saturating_add(1), Choice::default);
        }
        choices.get_mut(index)
    }

    fn last(&mut self, choice: u32) -> Option<&mut Part<'a>> {
        self.choice(choice)?.parts.last_mut()
    }

    fn push(&mut self, choice: u32, part: Part<'a>) {
        if let Some(choice) = self.choice(choice) {
            choice.parts.push(part);
        }
    }

    fn begin(&mut self, choice: u32, call: Part<'a>) {
        let Some(place) = self.choice(choice).map(|choice| choice.parts.len()) else { return };
        self.push(choice, call);
        let index = usize::try_from(choice).unwrap_or(MAX_CHOICES);
        if self.calls.len() <= index {
            self.calls.resize_with(index.saturating_add(1), Vec::new);
        }
        if let Some(calls) = self.calls.get_mut(index) {
            calls.push(place);
        }
    }

    fn continue_call(&mut self, choice: u32, call: u32, json: Text<'a>) {
        let index = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let Some(place) = self.calls.get(index(choice)).and_then(|calls| calls.get(index(call))).copied() else {
            return;
        };
        if let Some(Part::ToolCall(call)) = self.choice(choice).and_then(|choice| choice.parts.get_mut(place)) {
            append(&mut call.arguments, json);
        }
    }

    /// A source belongs to the text that was told last.
    fn cite(&mut self, choice: u32, citation: Citation<'a>) {
        let Some(found) = self.choice(choice) else { return };
        let text =
            found.parts.iter_mut().rev().find_map(|part| if let Part::Text(text) = part { Some(text) } else { None });
        match text {
            Some(text) => text.citations.push(citation),
            None => self.push(choice, Part::Text(TextPart { citations: alloc::vec![citation], ..TextPart::default() })),
        }
    }
}

fn append<'a>(text: &mut Text<'a>, more: Text<'a>) {
    if text.is_empty() {
        *text = more;
    } else {
        text.to_mut().push_str(&more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Finish, ToolCall};

    #[test]
    fn pieces_join_and_calls_stay_apart() {
        let call =
            |id: &'static str| ToolCall { id: id.into(), name: "f".into(), arguments: "".into(), signature: None };
        let mut collected = Collected::default();
        for delta in [
            Delta::Signature { choice: 0, signature: "of another".into() },
            Delta::Thinking { choice: 0, text: "h".into() },
            Delta::Thinking { choice: 0, text: "m".into() },
            Delta::Signature { choice: 0, signature: "s".into() },
            Delta::Signature { choice: 0, signature: "of a third".into() },
            Delta::Text { choice: 0, text: "a".into() },
            Delta::Text { choice: 0, text: "b".into() },
            Delta::ToolCall { choice: 0, call: 0, begun: call("1") },
            Delta::ToolCall { choice: 0, call: 1, begun: call("2") },
            Delta::Arguments { choice: 0, call: 0, json: "{".into() },
            Delta::Arguments { choice: 0, call: 1, json: "[".into() },
            Delta::Arguments { choice: 0, call: 0, json: "}".into() },
            Delta::Arguments { choice: 7, call: 9, json: "lost".into() },
            Delta::Finish { choice: 0, reason: Finish::ToolCalls },
            Delta::Text { choice: u32::MAX, text: "lost".into() },
        ] {
            collected.take(delta);
        }
        let response = collected.into_response();
        let parts = &response.choices.first().unwrap().parts;
        assert!(matches!(parts.as_slice(), [
            Part::Thinking { signature: Some(_), .. },
            Part::Thinking { text: thought, signature: Some(signature) },
            Part::Thinking { signature: Some(_), .. },
            Part::Text(TextPart { text, .. }),
            Part::ToolCall(first),
            Part::ToolCall(second),
        ] if thought == "hm" && signature == "s" && text == "ab" && first.arguments == "{}" && second.arguments == "["));
        assert_eq!(response.choices.first().unwrap().finish, Some(Finish::ToolCalls));
    }
}
