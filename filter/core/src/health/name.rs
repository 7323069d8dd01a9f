//! What tells one target from another in the records that workers share: four texts, whoever's configuration they stand in.
//!
//! The texts and not a hash of them: a client may invent models, and one that finds another target's hash could have it passed
//! over.

use alloc::boxed::Box;

use crate::{
    plan::Target,
    store::{Reader, Writer},
};

/// A model with a credential of a provider.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    environment: Box<str>,
    provider: Box<str>,
    account: Box<str>,
    model: Box<str>,
}

/// The same, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameRef<'a> {
    /// The environment in which the provider is another one than at the top level; empty where it is in none.
    pub environment: &'a str,
    /// The provider's name in the file.
    pub provider: &'a str,
    /// Which of its credentials.
    pub account: &'a str,
    /// The model's id there.
    pub model: &'a str,
}

impl Name {
    /// The same, borrowed.
    #[must_use]
    pub fn borrowed(&self) -> NameRef<'_> {
        NameRef { environment: &self.environment, provider: &self.provider, account: &self.account, model: &self.model }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (environment, provider) = (reader.text()?.into(), reader.text()?.into());
        Some(Self { environment, provider, account: reader.text()?.into(), model: reader.text()?.into() })
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.text(&self.environment);
        writer.text(&self.provider);
        writer.text(&self.account);
        writer.text(&self.model);
    }
}

impl<'a> NameRef<'a> {
    /// What all targets are counted as for which there is no place.
    pub const OTHER: NameRef<'static> =
        NameRef { environment: "", provider: "other", account: "other", model: "other" };

    /// The name of a target.
    #[must_use]
    pub fn of(target: &'a Target) -> Self {
        let (environment, provider) = (target.provider.environment(), &target.provider.name);
        Self { environment, provider, account: &target.account.name, model: &target.model }
    }

    /// Whether it is short enough for a record. A client's body may be the name of a model.
    #[must_use]
    pub fn fits(self) -> bool {
        [self.environment, self.provider, self.account, self.model].iter().all(|part| u8::try_from(part.len()).is_ok())
    }

    /// The same, owned.
    #[must_use]
    pub fn to_owned(self) -> Name {
        let Self { environment, provider, account, model } = self;
        Name {
            environment: environment.into(),
            provider: provider.into(),
            account: account.into(),
            model: model.into(),
        }
    }
}
