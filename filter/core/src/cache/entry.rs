//! An answer as it is kept.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use super::question::Question;
use crate::{
    plan::Target,
    store::{Reader, Writer},
    usage::Usage,
};

/// Headers of an answer that are kept with it, by their places.
pub(super) const HEADERS: &[&str] = &[
    "content-type",
    "x-dragoman-provider",
    "x-dragoman-model",
    "x-dragoman-attempts",
    "x-dragoman-dropped",
    "x-dragoman-usage",
];

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Entry {
    /// When it was kept, in milliseconds since the epoch.
    pub(crate) born_millis: u64,
    /// Who has answered: the provider's name, and the model's id there.
    pub(crate) provider: String,
    pub(crate) model: String,
    /// What that has used.
    pub(crate) usage: Usage,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Entry {
    /// Whether this target has answered.
    pub(crate) fn is_of(&self, target: &Target) -> bool {
        target.provider.name == self.provider && *target.model == *self.model
    }

    /// Its bytes, which say what it is the answer to.
    pub(super) fn write(&self, question: &Question) -> Vec<u8> {
        let mut writer = Writer(Vec::with_capacity(self.body.len().saturating_add(512)));
        writer.0.extend_from_slice(&question.0);
        writer.u64(self.born_millis);
        writer.long_text(&self.provider);
        writer.long_text(&self.model);
        let Usage { input, cached_input, cache_write, audio_input, output, reasoning, audio_output, images } =
            self.usage;
        for count in [input, cached_input, cache_write, audio_input, output, reasoning, audio_output, images] {
            writer.short(count);
        }
        for name in HEADERS {
            let value = self.headers.iter().find(|(other, _)| other == name);
            writer.long_text(value.map(|(_, value)| &**value).unwrap_or_default());
        }
        writer.0.extend_from_slice(&self.body);
        writer.0
    }

    /// The answer to a question; `None` where the bytes are those of another, or nobody's.
    pub(super) fn read(bytes: &[u8], question: &Question) -> Option<Self> {
        let mut reader = Reader(bytes.strip_prefix(&question.0)?);
        let born_millis = reader.u64()?;
        let (provider, model) = (reader.long_text()?.to_string(), reader.long_text()?.to_string());
        let mut counts = [0; 8];
        for count in &mut counts {
            *count = reader.short()?;
        }
        let [input, cached_input, cache_write, audio_input, output, reasoning, audio_output, images] = counts;
        let usage = Usage { input, cached_input, cache_write, audio_input, output, reasoning, audio_output, images };
        let mut headers = Vec::new();
        for name in HEADERS {
            let value = reader.long_text()?;
            if !value.is_empty() {
                headers.push((*name, value.to_string()));
            }
        }
        Some(Self { born_millis, provider, model, usage, headers, body: reader.0.to_vec() })
    }
}
