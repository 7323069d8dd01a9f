//! Which tools may be called, and whether one must be: one reading of a choice that clients write in many ways, so that every
//! target refuses the same.

use alloc::{format, vec::Vec};
use core::mem;

use super::{Part, Request, Role, Text, Tool};
use crate::{
    error::Error,
    map::{NameMap, NameSet},
};

/// Whether tools are called, as clients say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice<'a> {
    /// As the model likes.
    Auto,
    /// No.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(Text<'a>),
    /// One of these, and whether one must be.
    Allowed {
        /// Their names.
        names: Vec<Text<'a>>,
        /// Whether one must be called.
        required: bool,
    },
}

/// Which tools may be called, and whether one must be.
#[derive(Debug)]
pub struct Calling<'r, 'a> {
    /// Whether tools are called.
    pub mode: CallMode,
    /// The tools that may be called, in the order of the request; `None` where it is all of them.
    pub only: Option<Vec<&'r Tool<'a>>>,
}

/// Whether tools are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallMode {
    /// None is.
    Never,
    /// As the model likes.
    Free,
    /// At least one is.
    Must,
}

impl<'a> Request<'a> {
    /// Sees to what no target could make something of: parameters of tools that are no schema of an object are refused, and calls of
    /// one turn that have one id get ids of their own, in the order of which they are answered.
    ///
    /// # Errors
    /// [`crate::error::Kind::InvalidRequest`], blaming the tool.
    pub fn settle(&mut self) -> Result<(), Error> {
        let is_schema = |tool: &Tool<'_>| tool.parameters.is_none_or(|schema| schema.get().starts_with('{'));
        if let Some(index) = self.tools.iter().position(|tool| !is_schema(tool)) {
            let message = "The parameters of a tool must be a JSON Schema of an object.";
            return Err(Error::refusing(message, format!("tools[{index}]")));
        }
        // By the client's id: the calls of the last turn, and how many of them are answered.
        let mut calls: NameMap<'a, (Vec<(Text<'a>, Text<'a>)>, usize)> = NameMap::default();
        let mut is_over = false;
        for message in &mut self.messages {
            is_over |= message.role != Role::Assistant;
            for part in &mut message.parts {
                if let Part::ToolCall(call) = part {
                    if mem::take(&mut is_over) {
                        calls = NameMap::default();
                    }
                    let Some((called, _)) = calls.entry(call.id.clone(), Default::default) else { continue };
                    if !called.is_empty() {
                        call.id = Text::Owned(format!("{}_{}", call.id, called.len()));
                    }
                    called.push((call.id.clone(), call.name.clone()));
                } else if let Part::ToolResult(result) = part
                    && let Some((called, answered)) = calls.get_mut(&result.id)
                    && let Some((id, name)) = called.get(*answered).filter(|_| called.len() > 1)
                {
                    (result.id, result.name) = (id.clone(), Some(name.clone()));
                    *answered = answered.saturating_add(1);
                }
            }
        }
        Ok(())
    }
}

impl<'r, 'a> Calling<'r, 'a> {
    /// The tools that may be called, of all those of the request.
    #[must_use]
    pub fn tools(&self, request: &'r Request<'a>) -> Vec<&'r Tool<'a>> {
        match (self.mode, &self.only) {
            (CallMode::Never, _) => Vec::new(),
            (CallMode::Free | CallMode::Must, Some(only)) => only.clone(),
            (CallMode::Free | CallMode::Must, None) => request.tools.iter().collect(),
        }
    }

    /// The one tool that must be called, where only one may.
    #[must_use]
    pub fn forced(&self) -> Option<&'r Tool<'a>> {
        match self.only.as_deref() {
            Some([only]) if self.mode == CallMode::Must => Some(only),
            Some(_) | None => None,
        }
    }
}

impl<'a> Request<'a> {
    /// Which tools may be called, and whether one must be.
    ///
    /// # Errors
    /// [`crate::error::Kind::InvalidRequest`], where what must be called, or may, is no tool of the request.
    pub fn calling(&self) -> Result<Calling<'_, 'a>, Error> {
        let refused = |message: &str| Err(Error::refusing(message, "tool_choice"));
        let (mode, names) = match &self.tool_choice {
            None | Some(ToolChoice::Auto) => (CallMode::Free, None),
            Some(ToolChoice::None) => (CallMode::Never, None),
            Some(ToolChoice::Required) if self.tools.is_empty() => return refused("`tool_choice` needs `tools`."),
            Some(ToolChoice::Required) => (CallMode::Must, None),
            Some(ToolChoice::Named(name)) => (CallMode::Must, Some(core::slice::from_ref(name))),
            Some(ToolChoice::Allowed { names, required: true }) if names.is_empty() => {
                return refused("One of no tools is to be called.");
            }
            Some(ToolChoice::Allowed { names, .. }) if names.is_empty() => (CallMode::Never, None),
            Some(ToolChoice::Allowed { names, required: true }) => (CallMode::Must, Some(names.as_slice())),
            Some(ToolChoice::Allowed { names, required: false }) => (CallMode::Free, Some(names.as_slice())),
        };
        Ok(Calling { mode, only: names.map(|names| self.named(names)).transpose()? })
    }

    /// The tools with these names.
    fn named(&self, names: &[Text<'a>]) -> Result<Vec<&Tool<'a>>, Error> {
        let known: NameSet<'_> = self.tools.iter().map(|tool| &*tool.name).collect();
        if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
            return Err(Error::refusing(format!("`{unknown}` is none of the `tools`."), "tool_choice"));
        }
        let wanted: NameSet<'_> = names.iter().map(|name| &**name).collect();
        Ok(self.tools.iter().filter(|tool| wanted.contains(&tool.name)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Message, ToolCall, ToolResult};
    use alloc::{string::String, vec};

    fn request(tools: &[&'static str], choice: Option<ToolChoice<'static>>) -> Request<'static> {
        let tool = |name: &&'static str| Tool {
            name: Text::Borrowed(name),
            description: None,
            parameters: None,
            strict: None,
            cache: None,
        };
        Request { tools: tools.iter().map(tool).collect(), tool_choice: choice, ..Request::default() }
    }

    fn allowed(names: &[&'static str], required: bool) -> ToolChoice<'static> {
        ToolChoice::Allowed { names: names.iter().map(|name| Text::Borrowed(*name)).collect(), required }
    }

    #[test]
    fn a_choice_is_a_mode_and_the_tools_it_leaves() {
        let all = vec!["a", "b", "c"];
        for (choice, mode, tools, forced) in [
            (None, CallMode::Free, all.clone(), None),
            (Some(ToolChoice::Auto), CallMode::Free, all.clone(), None),
            (Some(ToolChoice::None), CallMode::Never, vec![], None),
            (Some(ToolChoice::Required), CallMode::Must, all, None),
            (Some(ToolChoice::Named("b".into())), CallMode::Must, vec!["b"], Some("b")),
            (Some(allowed(&["c", "a", "c"], false)), CallMode::Free, vec!["a", "c"], None),
            (Some(allowed(&["c", "a"], true)), CallMode::Must, vec!["a", "c"], None),
            (Some(allowed(&["c"], true)), CallMode::Must, vec!["c"], Some("c")),
            (Some(allowed(&[], false)), CallMode::Never, vec![], None),
        ] {
            let request = request(&["a", "b", "c"], choice);
            let calling = request.calling().unwrap();
            let left: Vec<&str> = calling.tools(&request).iter().map(|tool| &*tool.name).collect();
            let forced_name = calling.forced().map(|tool| &*tool.name);
            assert_eq!((calling.mode, left, forced_name), (mode, tools, forced), "{:?}", request.tool_choice);
        }
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        for (tools, choice, message) in [
            (&[][..], Some(ToolChoice::Required), "`tool_choice` needs `tools`."),
            (&[], Some(ToolChoice::Named("x".into())), "`x` is none of the `tools`."),
            (&["a"], Some(allowed(&["a", "x"], false)), "`x` is none of the `tools`."),
            (&["a"], Some(allowed(&[], true)), "One of no tools is to be called."),
        ] {
            let refused = request(tools, choice).calling().unwrap_err();
            assert_eq!((refused.message, refused.param), (String::from(message), Some("tool_choice".into())));
        }
        assert!(request(&[], Some(ToolChoice::Auto)).calling().is_ok());
    }

    #[test]
    fn calls_of_one_turn_that_have_one_id_are_answered_in_their_order() {
        let call = |id: &'static str, name: &'static str| {
            let (id, name, arguments) = (id.into(), name.into(), "{}".into());
            (Role::Assistant, Part::ToolCall(ToolCall { id, name, arguments, signature: None }))
        };
        let result = |id: &'static str| {
            let result = ToolResult { id: id.into(), name: None, parts: vec![], is_error: false, cache: None };
            (Role::Tool, Part::ToolResult(result))
        };
        let turns = [
            call("c", "unanswered"),
            (Role::User, Part::Refusal("but".into())),
            call("", "f"),
            call("c", "g"),
            call("", "h"),
            result(""),
            result("c"),
            result(""),
            call("", "again"),
            result(""),
        ];
        let messages = turns.into_iter().map(|(role, part)| {
            let parts = vec![part];
            Message { role, name: None, parts, cache: None, place: 0 }
        });
        let mut request = Request { messages: messages.collect(), ..Request::default() };
        request.settle().unwrap();
        let ids = request.messages.iter().filter_map(|message| {
            if let Part::ToolResult(result) = &message.parts[0] {
                return Some(format!("{} {:?}", result.id, result.name.as_deref()));
            }
            if let Part::ToolCall(call) = &message.parts[0] { Some(format!("{} {}", call.id, call.name)) } else { None }
        });
        assert_eq!(
            ids.collect::<Vec<_>>(),
            ["c unanswered", " f", "c g", "_1 h", " Some(\"f\")", "c None", "_1 Some(\"h\")", " again", " None"]
        );
    }

    #[test]
    fn parameters_that_are_no_schema_of_an_object_are_refused() {
        for (schema, is_taken) in [("{}", true), ("true", false), ("\"x\"", false), ("[]", false)] {
            let mut request = request(&["a", "b"], None);
            request.tools[1].parameters = Some(crate::json::read(schema).unwrap());
            let blamed = request.settle().err().and_then(|error| error.param);
            assert_eq!(blamed, (!is_taken).then(|| "tools[1]".into()), "{schema}");
        }
    }
}
