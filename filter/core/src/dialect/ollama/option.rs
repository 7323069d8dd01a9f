//! Sampling and the like: `OpenAI`'s fields under Ollama's names, and Ollama's own, which clients may send beside them.

use alloc::vec::Vec;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;

use crate::{
    chat::{Request, Text},
    error::Error,
    json::{Str, members},
};

/// Ollama's options that may stand at the top of the request, and what they are called there; `repetition_penalty` is the
/// name that vLLM and Together have made usual.
const NATIVE: &[(&str, &str)] = &[
    ("min_p", "min_p"),
    ("num_ctx", "num_ctx"),
    ("num_keep", "num_keep"),
    ("repeat_last_n", "repeat_last_n"),
    ("repeat_penalty", "repeat_penalty"),
    ("repetition_penalty", "repeat_penalty"),
    ("typical_p", "typical_p"),
];

/// The `options` of a request. What the request says in its own fields holds against a member `options`, wherever it stands.
#[derive(Debug)]
pub(super) struct Options<'a> {
    /// Each name once, so that there are few.
    own: Vec<(&'static str, Setting<'a>)>,
    given: Vec<(Str<'a>, &'a RawValue)>,
}

/// The value of an option.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Setting<'a> {
    Real(f64),
    Count(u64),
    Integer(i64),
    Texts(&'a [Text<'a>]),
    Raw(&'a RawValue),
}

impl Serialize for Options<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, setting) in &self.own {
            map.serialize_entry(name, setting)?;
        }
        for (name, value) in &self.given {
            if !self.own.iter().any(|(own, _)| **own == **name) {
                map.serialize_entry(&**name, value)?;
            }
        }
        map.end()
    }
}

impl<'a> Options<'a> {
    /// Those that stand in the request's own fields.
    pub(super) fn new(request: &'a Request<'_>) -> Self {
        let real = |number: Option<f64>| number.map(Setting::Real);
        let stop = Some(request.stop.as_slice()).filter(|stop| !stop.is_empty());
        let settings = [
            ("num_predict", request.max_tokens.map(Setting::Count)),
            ("temperature", real(request.temperature)),
            ("top_p", real(request.top_p)),
            ("top_k", request.top_k.map(Setting::Count)),
            ("seed", request.seed.map(Setting::Integer)),
            ("stop", stop.map(Setting::Texts)),
            ("presence_penalty", real(request.presence_penalty)),
            ("frequency_penalty", real(request.frequency_penalty)),
        ];
        let own = settings.into_iter().filter_map(|(name, setting)| Some((name, setting?))).collect();
        Self { own, given: Vec::new() }
    }

    /// Takes a member of the request if it is an option; says whether it is.
    pub(super) fn take(&mut self, name: &str, value: &'a RawValue) -> bool {
        let Some((_, native)) = NATIVE.iter().find(|(usual, _)| *usual == name) else { return false };
        self.own.retain(|(own, _)| own != native);
        self.own.push((native, Setting::Raw(value)));
        true
    }

    /// Takes a member `options` as Ollama's own clients send it.
    pub(super) fn give(&mut self, value: &'a RawValue) -> Result<(), Error> {
        self.given = members(value.get()).ok_or_else(|| Error::refusing("`options` must be an object.", "options"))?;
        Ok(())
    }

    /// Whether nothing is set.
    pub(super) fn is_empty(&self) -> bool {
        self.own.is_empty() && self.given.is_empty()
    }
}
