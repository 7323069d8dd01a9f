//! The calls of an answer, as the pieces that a provider tells of them come.
//!
//! A piece need not say which call it begins, nor all that begins one: what the SDKs of OpenAI and of others put together must
//! become calls here, too. A call cut short or left out would be one that the client does not see, without an error.

use alloc::{format, string::String};
use core::mem;

use super::wire::Each;
use crate::{
    chat::{Delta, ToolCall},
    dialect::Broken,
    json::{Str, record},
    map::NameMap,
};

record! {
    pub(super) struct WireCall<'a> {
        pub(super) index: Option<u32>,
        pub(super) id: Option<Str<'a>>,
        pub(super) function: Option<WireCalled<'a>>,
    }
}

record! {
    #[derive(Default)]
    pub(super) struct WireCalled<'a> {
        name: Option<Str<'a>>,
        arguments: Option<Str<'a>>,
    }
}

/// The calls that an answer has begun, by choice and number the last one.
#[derive(Debug, Default)]
pub(super) struct Calls(NameMap<'static, Call>);

/// A call: what is to be told of it waits for its name, and then for its id until its arguments begin.
#[derive(Debug, Default)]
struct Call {
    id: String,
    name: String,
    arguments: String,
    /// The choice, and the call's number in it.
    place: (u32, u32),
    is_told: bool,
}

impl Calls {
    /// Most calls of an answer, and most bytes that wait for a name.
    const MOST: usize = 1 << 16;

    /// The number decides what a piece belongs to: some repeat the id and the name with each, equal or empty. Some number calls
    /// alike that have names and ids of their own.
    pub(super) fn take<'a>(
        &mut self,
        place: (u32, u32),
        wire: WireCall<'a>,
        is_whole: bool,
        each: Each<'_, 'a>,
    ) -> Result<(), Broken> {
        let Str(id) = wire.id.unwrap_or_default();
        let function = wire.function.unwrap_or_default();
        let (Str(name), Str(arguments)) = (function.name.unwrap_or_default(), function.arguments.unwrap_or_default());
        let is_full = self.0.len() > Self::MOST;
        let call = self.0.entry(format!("{place:?}"), || Call { place, ..Call::default() });
        let call = call.filter(|call| !is_full && call.arguments.len() <= Self::MOST).ok_or(Broken::Malformed)?;
        if ![&*id, &call.id, &*name].contains(&"") && call.id != id {
            call.tell(each);
            *call = Call { place, ..Call::default() };
        }
        if call.is_told {
            if !arguments.is_empty() {
                each(Delta::Arguments { choice: place.0, call: place.1, json: arguments });
            }
            return Ok(());
        }
        for (known, more) in [(&mut call.id, id), (&mut call.name, name)] {
            if known.is_empty() {
                *known = more.into_owned();
            }
        }
        call.arguments.push_str(&arguments);
        if is_whole || !call.id.is_empty() || !call.arguments.is_empty() {
            call.tell(each);
        }
        Ok(())
    }

    /// Nothing more of a choice's calls comes.
    pub(super) fn complete(&mut self, choice: u32, each: Each<'_, '_>) {
        self.0.values_mut().filter(|call| call.place.0 == choice).for_each(|call| call.tell(each));
    }
}

impl Call {
    fn tell(&mut self, each: Each<'_, '_>) {
        if self.name.is_empty() || self.is_told {
            return;
        }
        self.is_told = true;
        let own = |text: &mut String| mem::take(text).into();
        let (name, arguments) = (own(&mut self.name), own(&mut self.arguments));
        let begun = ToolCall { id: self.id.clone().into(), name, arguments, signature: None };
        each(Delta::ToolCall { choice: self.place.0, call: self.place.1, begun });
    }
}
