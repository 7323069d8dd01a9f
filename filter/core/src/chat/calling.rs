//! Which tools may be called, and whether one must be: one reading of a choice that clients write in many ways, so that every
//! target refuses the same.

use alloc::{format, vec::Vec};

use super::{Request, Text, Tool};
use crate::error::Error;
use crate::map::NameSet;

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
}
