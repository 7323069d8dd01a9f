//! The conversation: system prompts apart, turns of the user and of the model in alternation, results first.
//!
//! What the API refuses but OpenAI's takes is put right where the meaning allows: empty texts are left out, turns of one side
//! are joined, ids are spelled as allowed and made unique. System prompts all go to the front, in order, as Anthropic's own
//! OpenAI-compatible endpoint does it; only some models take them in between.

use alloc::{borrow::Cow, format, vec::Vec};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    Dropped,
    block::{self, Block, Place},
};
use crate::{
    chat::{Message, Part, Role},
    dialect::Ability,
    error::Error,
    map::{NameMap, NameSet},
};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Conversation<'r> {
    pub(super) system: Vec<Block<'r>>,
    pub(super) turns: Vec<Turn<'r>>,
}

/// What one side says.
#[derive(Debug, Serialize)]
pub(super) struct Turn<'r> {
    role: &'static str,
    #[serde(serialize_with = "block::content")]
    content: Vec<Block<'r>>,
}

const USER: &str = "user";
const ASSISTANT: &str = "assistant";

impl<'r> Conversation<'r> {
    pub(super) fn read(messages: &'r [Message<'_>], dropped: &mut Dropped) -> Result<Self, Error> {
        let mut conversation = Self::default();
        let mut reading = Reading { ids: Ids::default(), dropped };
        for message in messages {
            let mut blocks = reading.blocks(&message.parts, message.role, message.place)?;
            let is_marked = message.cache.is_none_or(|breakpoint| block::mark(&mut blocks, breakpoint));
            reading.dropped.note_if(!is_marked, "cache_control");
            reading.dropped.note_if(message.name.is_some(), "messages[].name");
            match message.role {
                Role::System | Role::Developer => conversation.system.extend(blocks),
                Role::User | Role::Tool => conversation.say(USER, blocks),
                Role::Assistant => conversation.say(ASSISTANT, blocks),
            }
        }
        if conversation.turns.is_empty() {
            // The API wants a turn of the user; OpenAI's is content with a system prompt.
            let said = core::mem::take(&mut conversation.system);
            conversation.say(USER, said);
        }
        conversation.trim_end();
        Ok(conversation)
    }

    fn say(&mut self, role: &'static str, blocks: Vec<Block<'r>>) {
        if blocks.is_empty() {
            return;
        }
        match self.turns.last_mut() {
            Some(turn) if turn.role == role => turn.content.extend(blocks),
            Some(_) | None => self.turns.push(Turn { role, content: blocks }),
        }
    }

    /// The model goes on from a last turn of its own, which must not end with white space.
    fn trim_end(&mut self) {
        if let Some(Turn { role: ASSISTANT, content }) = self.turns.last_mut()
            && let Some(Block::Text { text, .. }) = content.last_mut()
        {
            let length = text.trim_end().len();
            match text {
                Cow::Borrowed(said) => *said = said.get(..length).unwrap_or(said),
                Cow::Owned(said) => said.truncate(length),
            }
        }
    }
}

/// Whether a model that must think before it calls a tool can go on from here: clients that drop what they do not know send
/// its calls without its thoughts, and a turn that is begun cannot be thought about.
pub(super) fn allows_budget(turns: &[Turn<'_>]) -> bool {
    if turns.last().is_some_and(|turn| turn.role == ASSISTANT) {
        return false;
    }
    let last = turns.iter().rev().find(|turn| turn.role == ASSISTANT);
    last.is_none_or(|turn| {
        let calls = turn.content.iter().any(|block| matches!(block, Block::ToolUse { .. }));
        let begin = turn.content.first();
        !calls || matches!(begin, Some(Block::Thinking { .. } | Block::RedactedThinking { .. }))
    })
}

/// What the parts of messages become.
struct Reading<'r, 'd> {
    ids: Ids<'r>,
    dropped: &'d mut Dropped,
}

impl<'r> Reading<'r, '_> {
    fn blocks(&mut self, parts: &'r [Part<'_>], role: Role, message: usize) -> Result<Vec<Block<'r>>, Error> {
        let mut place = Place { message, part: 0 };
        let mut blocks = Vec::with_capacity(parts.len());
        for part in parts {
            blocks.extend(self.block(part, role, place)?);
            // Thoughts stand beside the content.
            if !matches!(part, Part::Thinking { .. } | Part::RedactedThinking(_)) {
                place.part = place.part.saturating_add(1);
            }
        }
        Ok(blocks)
    }

    /// What a part becomes; `None` where it becomes nothing.
    fn block(&mut self, part: &'r Part<'_>, role: Role, place: Place) -> Result<Option<Block<'r>>, Error> {
        let is_users = matches!(role, Role::User | Role::Tool);
        Ok(Some(match part {
            Part::Text(part) => {
                self.dropped.note_if(part.signature.is_some(), "messages[].extra_content");
                return Ok(text(&part.text, part.cache));
            }
            Part::Refusal(said) => return Ok(text(said, None)),
            Part::Image { .. } if !is_users => {
                return place.refuse("This model takes images from the user only.", "image_url");
            }
            Part::Image { source, detail, cache } => {
                let is_usual = detail.as_deref().is_none_or(|detail| detail == "auto");
                self.dropped.note_if(!is_usual, "messages[].content[].image_url.detail");
                Block::Image { source: block::image(source, place)?, cache_control: *cache }
            }
            Part::Document { .. } if !is_users => {
                return place.refuse("This model takes files from the user only.", "file");
            }
            Part::Document { source, name, cache } => {
                let source = block::document(source, place)?;
                Block::Document { source, title: name.as_deref(), cache_control: *cache }
            }
            Part::Audio { .. } => return place.refuse(Ability::Hearing.refusal(), "input_audio"),
            Part::Thinking { text, signature: Some(signature) } => Block::Thinking { thinking: text, signature },
            Part::Thinking { signature: None, .. } => {
                // Another model's thought, or one that a client has lost the signature of: the API would refuse it.
                self.dropped.note("messages[].reasoning_content");
                return Ok(None);
            }
            Part::RedactedThinking(data) => Block::RedactedThinking { data },
            Part::ToolCall(call) => {
                self.dropped.note_if(call.signature.is_some(), "messages[].tool_calls[].extra_content");
                let id = self.ids.issue(&call.id);
                Block::ToolUse { id, name: &call.name, input: call.input(), cache_control: None }
            }
            Part::ToolResult(result) => Block::ToolResult {
                tool_use_id: self.ids.find(&result.id),
                content: self.blocks(&result.parts, Role::Tool, place.message)?,
                is_error: result.is_error,
                cache_control: result.cache,
            },
        }))
    }
}

fn text<'r>(text: &'r str, cache_control: Option<&'r RawValue>) -> Option<Block<'r>> {
    // "text content blocks must contain non-whitespace text"
    (!text.trim().is_empty()).then_some(Block::Text { text: Cow::Borrowed(text), citations: Vec::new(), cache_control })
}

/// The ids of tool calls as they are sent: of the characters that are allowed, no two the same. Other providers have other
/// ids, and OpenAI's older form of calls has none.
#[derive(Debug, Default)]
struct Ids<'r> {
    taken: NameSet<'r>,
    /// By the id as it is spelled: how often it has come.
    counts: NameMap<'r, usize>,
    /// By the client's id: what its latest call is sent as.
    latest: NameMap<'r, Cow<'r, str>>,
}

impl<'r> Ids<'r> {
    /// A call's id.
    fn issue(&mut self, id: &'r str) -> Cow<'r, str> {
        let allowed = spell(id);
        let mut unique = allowed.clone();
        let mut count = self.counts.get(&allowed).copied().unwrap_or_default();
        while !self.taken.insert(unique.clone()) {
            count = count.saturating_add(1);
            unique = Cow::Owned(format!("{allowed}_{count}"));
        }
        self.counts.insert(allowed, count);
        self.latest.insert(id, unique.clone());
        unique
    }

    /// The id of the call that is answered.
    fn find(&self, id: &'r str) -> Cow<'r, str> {
        self.latest.get(id).cloned().unwrap_or_else(|| spell(id))
    }
}

/// An id in the characters that are allowed.
pub(super) fn spell(id: &str) -> Cow<'_, str> {
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    if id.is_empty() {
        Cow::Borrowed("call")
    } else if id.chars().all(is_allowed) {
        Cow::Borrowed(id)
    } else {
        Cow::Owned(id.chars().map(|character| if is_allowed(character) { character } else { '_' }).collect())
    }
}
