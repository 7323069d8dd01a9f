//! What a provider has for a model that was asked for, where the provider is given and the model is a hint; and what a name may
//! mean at all, whoever asks.
//!
//! Not `resolve.rs`, which looks for the one model that a name means to a caller: here a `provider/` before the name does not
//! pin, scope is not looked at, and another name for the same thing will do.

use alloc::{format, rc::Rc, vec, vec::Vec};

use super::{
    AUTO, Catalogue, Entry,
    resolve::{Choice, disabled, mapped, unknown},
};
use crate::{config::ModelMapping, error::Error, gateway::Provider};

/// A name that was asked for, taken apart.
#[derive(Clone, Copy)]
struct Asked<'a> {
    name: &'a str,
    /// What stands before its first slash.
    owner: &'a str,
    /// What stands behind it; the whole name where there is none.
    id: &'a str,
}

impl Catalogue {
    /// The model that a request asks for: the one named, or the default for `auto` and where none is.
    pub(crate) fn asked<'a>(&'a self, model: Option<&'a str>) -> Option<&'a str> {
        let default = self.default_model.as_deref();
        match model {
            Some(AUTO) => default.or(model),
            Some(_) => model,
            None => default,
        }
    }

    /// What a name stands for: the ends of an alias, or itself.
    pub(crate) fn names<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let ends = self.alias(name);
        let own = ends.is_none().then_some(name);
        ends.into_iter().flatten().chain(own)
    }

    /// The models that a name, which is no alias, may mean to somebody.
    pub(crate) fn meanings<'a>(&'a self, name: &'a str) -> Vec<Choice<'a>> {
        let Asked { owner, id, .. } = Asked::of(name);
        if let Some(provider) = self.provider(owner) {
            return self.at(provider, id).into_iter().collect();
        }
        let mut found = self.bare_known(name);
        if found.is_empty() {
            found.extend(self.mapped(name).filter_map(|(owner, id)| self.at(self.provider(owner)?, id).ok()));
        }
        if found.is_empty() {
            found.extend(self.only(name));
        }
        found
    }

    /// The model of this provider for a name that was asked for: what `mapping` calls it, what the file does, the same id, or
    /// what is the same model.
    ///
    /// # Errors
    /// It has none, or a disabled one.
    pub(crate) fn offered<'a>(
        &'a self,
        provider: &'a Rc<Provider>,
        name: &'a str,
        mapping: Option<&'a ModelMapping>,
    ) -> Result<Choice<'a>, Error> {
        let mappings = [mapping, Some(&self.mapping)];
        if let Some(id) = mappings.into_iter().flatten().find_map(|mapping| id_in(mapping, name, provider)) {
            return self.enabled(provider, id);
        }
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for end in self.names(name).map(Asked::of) {
            if end.owner == provider.name { &mut own } else { &mut others }.push(end);
        }
        let mut refused = None;
        for end in own.into_iter().chain(others) {
            match self.offered_one(provider, end, mappings) {
                Some(Ok(choice)) => return Ok(choice),
                Some(Err(error)) => refused = refused.or(Some(error)),
                None => {}
            }
        }
        let none = || unknown(format!("The provider `{}` has no model for `{name}`.", provider.name));
        Err(refused.unwrap_or_else(none))
    }

    fn offered_one<'a>(
        &'a self,
        provider: &'a Rc<Provider>,
        asked: Asked<'a>,
        mappings: [Option<&'a ModelMapping>; 2],
    ) -> Option<Result<Choice<'a>, Error>> {
        let spellings = || asked.spellings().into_iter();
        let mapped = mappings
            .into_iter()
            .flatten()
            .find_map(|mapping| spellings().find_map(|name| id_in(mapping, name, provider)));
        if let Some(id) = mapped {
            return Some(self.enabled(provider, id));
        }
        if let Some(entry) = spellings().find_map(|id| self.known(provider, id)) {
            return Some(entry.enabled());
        }
        if asked.owner == provider.name {
            return Some(self.at(provider, asked.id));
        }
        if let Some(entry) = self.equivalent(provider, asked) {
            return Some(entry.enabled());
        }
        let id = if self.provider(asked.owner).is_some() { asked.id } else { asked.name };
        self.is_taken_on_trust(provider, id).then_some(Ok(Choice::unlisted(provider, id)))
    }

    /// A model of a provider by its id there, known or not.
    fn enabled<'a>(&'a self, provider: &'a Rc<Provider>, id: &'a str) -> Result<Choice<'a>, Error> {
        self.known(provider, id).map_or_else(|| Ok(Choice::unlisted(provider, id)), Entry::enabled)
    }

    /// What the provider calls the same model, as the built-in catalogue has it.
    fn equivalent<'a>(&'a self, provider: &'a Rc<Provider>, asked: Asked<'a>) -> Option<&'a Entry> {
        if !self.knows_equivalents {
            return None;
        }
        let meant = match self.provider(asked.owner) {
            Some(owner) => self.known(owner, asked.id).into_iter().collect(),
            None => self.bare_known(asked.name).iter().filter_map(Choice::entry).collect::<Vec<_>>(),
        };
        let mut words: Vec<&'a str> = Vec::new();
        for entry in meant {
            for word in entry.equivalents() {
                words.push(word);
            }
            words.extend([&*entry.name, entry.wire()]);
        }
        words.extend(asked.spellings());
        words.into_iter().find_map(|word| self.same_at(provider, word))
    }

    /// A provider's model that is the one of this word, or has it for an id.
    fn same_at<'a>(&'a self, provider: &'a Rc<Provider>, word: &'a str) -> Option<&'a Entry> {
        let from = self.equals.partition_point(|(other, _)| *other < word);
        let same = self.equals.get(from..).unwrap_or_default().iter().take_while(|(other, _)| *other == word);
        let same = same.filter_map(|(_, place)| self.entries.get(*place));
        let mut own = same.chain(self.called(word)).filter(|entry| Rc::ptr_eq(&entry.provider, provider));
        own.next()
    }

    /// Whether a provider may be sent a name that nobody says it has: one of whose models nothing is said. On a server of one's
    /// own that is not a proxy for everything, a name is not looked for that is known to be another provider's.
    fn is_taken_on_trust(&self, provider: &Rc<Provider>, id: &str) -> bool {
        let is_uncharted = || self.uncharted.iter().any(|other| Rc::ptr_eq(other, provider));
        !self.is_strict && is_uncharted() && (provider.spec.name == "openai" || self.bare_known(id).is_empty())
    }
}

impl Entry {
    fn enabled(&self) -> Result<Choice<'_>, Error> {
        if self.is_enabled() { Ok(Choice::of(self)) } else { Err(disabled(&self.provider.name, &self.name)) }
    }
}

impl<'a> Asked<'a> {
    fn of(name: &'a str) -> Self {
        let (owner, id) = name.split_once('/').filter(|(_, id)| !id.is_empty()).unwrap_or(("", name));
        Self { name, owner, id }
    }

    /// The name, and the name without what may be its provider.
    fn spellings(self) -> Vec<&'a str> {
        if self.owner.is_empty() { vec![self.name] } else { vec![self.name, self.id] }
    }
}

/// What a mapping says that a provider calls this name.
fn id_in<'a>(mapping: &'a ModelMapping, name: &str, provider: &Provider) -> Option<&'a str> {
    mapped(mapping, name).find(|(owner, _)| *owner == provider.name).map(|(_, id)| id)
}
