//! What a name means to a caller.
//!
//! The hot path is `provider/model`: a search among the aliases, one among the providers, one in the index, and nothing is
//! allocated. Only what is refused is put into words.

use alloc::{format, rc::Rc, string::String, vec::Vec};

use super::{AUTO, Catalogue, Entry, row, untagged};
use crate::{
    auth::Caller,
    config::{ModelMapping, Price, ends},
    error::{Error, Kind},
    gateway::Provider,
};

/// A model of a provider that a caller may be given.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// Whose it is.
    pub provider: &'a Rc<Provider>,
    /// What the provider calls it.
    pub id: &'a str,
    /// What is known of it.
    entry: Option<&'a Entry>,
}

impl<'a> Choice<'a> {
    /// Most tokens that it can answer, where known.
    #[must_use]
    pub fn max_output_tokens(&self) -> Option<u64> {
        self.entry?.max_output_tokens
    }

    /// What it is called here.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.entry.map_or(self.id, |entry| &entry.name)
    }

    /// Tokens of input and output together, where known.
    #[must_use]
    pub fn context_window(&self) -> Option<u64> {
        self.entry?.context_window
    }

    /// What it costs, as far as known.
    #[must_use]
    pub fn price(&self) -> Price {
        self.entry.map(Entry::price).unwrap_or_default()
    }

    /// Whether it is known what it can do, and this is not part of it.
    #[must_use]
    pub fn lacks(&self, capability: &str) -> bool {
        self.entry.is_some_and(|entry| entry.lacks(capability))
    }

    pub(super) const fn entry(&self) -> Option<&'a Entry> {
        self.entry
    }

    pub(super) fn of(entry: &'a Entry) -> Self {
        Self { provider: &entry.provider, id: entry.wire(), entry: Some(entry) }
    }

    /// What is passed on as it is.
    pub(crate) const fn unlisted(provider: &'a Rc<Provider>, id: &'a str) -> Self {
        Self { provider, id, entry: None }
    }

    /// Whether the caller may have it.
    pub(crate) fn check_scope(&self, caller: &Caller) -> Result<(), Error> {
        if self.entry.map_or_else(|| caller.may_use(&self.provider.name, self.id), |entry| entry.is_in_scope(caller)) {
            return Ok(());
        }
        let refused = |message| Error::new(Kind::PermissionDenied, message);
        caller.check_scope(&self.provider.name, self.name()).map_err(refused)
    }

    /// Whether its provider has what it needs, or the caller brings it.
    pub(crate) fn check_configured(&self, caller: &Caller) -> Result<(), Error> {
        let Some(missing) = &self.provider.missing else { return Ok(()) };
        if caller.brought(&self.provider.name).is_some() {
            return Ok(());
        }
        Err(Error::new(
            Kind::UpstreamUnavailable,
            format!("The provider `{}` is not configured: {missing}.", self.provider.name),
        ))
    }
}

/// Says why a choice cannot be taken.
pub(crate) type Check<'c> = &'c dyn Fn(&Choice<'_>) -> Result<(), Error>;

impl Catalogue {
    /// What a name means: an alias, `provider/model`, a bare id, or `auto`.
    ///
    /// # Errors
    /// [`Kind::ModelNotFound`] where it means nothing, or not one thing; [`Kind::PermissionDenied`] where the caller may not
    /// have it; [`Kind::UpstreamUnavailable`] where nobody can be asked for it.
    pub fn resolve<'a>(&'a self, name: &'a str, caller: &Caller) -> Result<Choice<'a>, Error> {
        let name = if name == AUTO { self.default_model.as_deref().unwrap_or(name) } else { name };
        let Some(models) = self.alias(name) else { return self.find(name, caller) };
        let mut first = None;
        for model in models {
            match self.find(model, caller) {
                Ok(choice) => return Ok(choice),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or_else(|| unknown(format!("The alias `{name}` stands for nothing."))))
    }

    /// The models that an alias leads to in the end.
    pub(super) fn alias<'a>(&'a self, name: &str) -> Option<impl Iterator<Item = &'a str>> {
        let find = |name: &str| row(&self.aliases, name).map(Vec::as_slice);
        find(name).map(|names| ends(names, find))
    }

    pub(crate) fn is_alias(&self, name: &str) -> bool {
        row(&self.aliases, name).is_some()
    }

    /// What a name means that is no alias, if the caller may have it now.
    pub(super) fn find<'a>(&'a self, name: &'a str, caller: &Caller) -> Result<Choice<'a>, Error> {
        self.find_checked(name, &|choice| choice.check_scope(caller).and_then(|()| choice.check_configured(caller)))
    }

    /// What a name means that is no alias, if it passes the check. A bare name is one model of those that do.
    pub(crate) fn find_checked<'a>(&'a self, name: &'a str, check: Check<'_>) -> Result<Choice<'a>, Error> {
        if let Some((owner, id)) = name.split_once('/')
            && !id.is_empty()
            && let Some(provider) = self.provider(owner)
        {
            let choice = self.at(provider, id)?;
            return check(&choice).map(|()| choice);
        }
        self.bare(name, check)
    }

    pub(super) fn provider(&self, name: &str) -> Option<&Rc<Provider>> {
        row(&self.owners, name)
    }

    /// A provider's model with this name. What the catalogue does not know is passed on: new models appear daily.
    pub(crate) fn at<'a>(&'a self, provider: &'a Rc<Provider>, id: &'a str) -> Result<Choice<'a>, Error> {
        if let Some(entry) = self.known(provider, id) {
            return if entry.is_enabled() { Ok(Choice::of(entry)) } else { Err(disabled(&provider.name, &entry.name)) };
        }
        if let Some(mapped) = self.mapped(id).find(|(owner, _)| *owner == provider.name).map(|(_, model)| model) {
            return match self.known(provider, mapped) {
                Some(entry) if !entry.is_enabled() => Err(disabled(&provider.name, &entry.name)),
                Some(entry) => Ok(Choice::of(entry)),
                None => Ok(Choice { provider, id: mapped, entry: None }),
            };
        }
        if self.is_strict {
            return Err(unknown(format!(
                "The model `{id}` of the provider `{}` is not in this gateway's catalogue.",
                provider.name
            )));
        }
        Ok(Choice { provider, id, entry: None })
    }

    /// By provider, what the file says that it calls a model; a provider's own name before it is taken off.
    pub(super) fn mapped<'a>(&'a self, id: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
        mapped(&self.mapping, id)
    }

    /// A name without its provider: it must mean one model of those that the caller may have.
    fn bare<'a>(&'a self, name: &'a str, check: Check<'_>) -> Result<Choice<'a>, Error> {
        let mut found = self.bare_known(name);
        let is_known = !found.is_empty();
        if !is_known {
            let mapped = self.mapped(name).filter_map(|(owner, id)| self.at(self.provider(owner)?, id).ok());
            found.extend(mapped);
        }
        if !is_known && found.is_empty() {
            let choice = self.only(name).ok_or_else(|| self.unknown_bare(name))?;
            return check(&choice).map(|()| choice);
        }
        found.retain(|choice| choice.entry.is_none_or(Entry::is_enabled));
        let mut refused = None;
        let usable = found.into_iter().filter(|choice| match check(choice) {
            Ok(()) => true,
            Err(error) => {
                // Of the reasons, that of a provider which could be asked if it were configured says most.
                if refused.is_none() || error.kind == Kind::UpstreamUnavailable {
                    refused = Some(error);
                }
                false
            }
        });
        match usable.collect::<Vec<_>>().as_slice() {
            [] => Err(refused.unwrap_or_else(|| unknown(format!("The model `{name}` is disabled.")))),
            [choice] => Ok(*choice),
            several => {
                let names: Vec<_> =
                    several.iter().map(|choice| format!("`{}/{}`", choice.provider.name, choice.name())).collect();
                let names = names.join(", ");
                Err(unknown(format!("Several providers have the model `{name}`. Say which: {names}.")))
            }
        }
    }

    /// The models of this name or id, one a provider.
    pub(super) fn bare_known<'a>(&'a self, name: &'a str) -> Vec<Choice<'a>> {
        let mut found: Vec<Choice<'_>> = Vec::new();
        // Whose tag may be left out is known only when it has been: both spellings are looked for.
        let short = name.strip_suffix(":latest").unwrap_or(name);
        let both = self.called(name).chain(self.called(short).filter(|entry| untagged(&entry.provider, name) != name));
        for entry in both {
            if !found.iter().any(|choice| Rc::ptr_eq(choice.provider, &entry.provider)) {
                found.push(Choice::of(entry));
            }
        }
        found
    }

    /// Where there is one provider, and nobody has said what it has, any name can only mean a model of it.
    pub(super) fn only<'a>(&'a self, name: &'a str) -> Option<Choice<'a>> {
        match self.providers.as_slice() {
            [provider] if self.entries.is_empty() && !self.is_strict && name != AUTO => {
                Some(Choice { provider, id: name, entry: None })
            }
            _ => None,
        }
    }

    fn unknown_bare(&self, name: &str) -> Error {
        let providers: Vec<_> = self.providers.iter().map(|provider| provider.name.as_str()).collect();
        let providers = providers.join(", ");
        unknown(format!(
            "The model `{name}` is not known. Write it as `provider/model`; the providers are {providers}."
        ))
    }
}

/// By provider, what a mapping in order calls a model; a provider's own name before it is taken off.
pub(super) fn mapped<'a>(mapping: &'a ModelMapping, id: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    row(mapping, id).into_iter().flatten().map(|(provider, model)| (provider.as_str(), own_id(provider, model)))
}

/// A model's name without that of its provider before it.
pub(crate) fn own_id<'a>(provider: &str, model: &'a str) -> &'a str {
    model.strip_prefix(provider).and_then(|rest| rest.strip_prefix('/')).unwrap_or(model)
}

pub(super) fn unknown(message: String) -> Error {
    Error::new(Kind::ModelNotFound, message).blaming("model")
}

pub(super) fn disabled(provider: &str, name: &str) -> Error {
    unknown(format!("The model `{provider}/{name}` is disabled."))
}
