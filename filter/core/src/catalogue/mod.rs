//! Which models there are, and what is known of them: the built-in catalogue for the file's providers, and what the file adds
//! or says otherwise.
//!
//! The built-in catalogue is by vendor, the file by provider: a vendor's models are those of every provider that is one of
//! its kind, so that `openai` and `openai-eu` both have them. Who a provider is, its address says where that is known; else
//! the kind, where only one vendor speaks it; else its name, so that `groq` behind a proxy of one's own is still Groq.
//! An Ollama or vLLM has no models here: what is on a server of one's own, only its operator knows. Of what can be deployed at Azure
//! the prices are known, and what is deployed is not: a row is an entry where the file names it.
//!
//! An entry points at a row of the table or at a section of the file, or both, and copies neither but for what every request is
//! held against: what else is known of a model is looked for when somebody asks. `resolve.rs` finds what a name means, `listing.rs` writes what `/models` answers.

mod builtin;
mod inventory;
mod listing;
mod offer;
mod own;
mod resolve;

use alloc::{borrow::Cow, boxed::Box, collections::BinaryHeap, rc::Rc, string::String, vec::Vec};

use self::builtin::Row;
use crate::{
    auth::Caller,
    config::{Config, Model, ModelMapping, Price},
    gateway::Provider,
    map::NameMap,
};

pub use self::resolve::Choice;
pub(crate) use self::{inventory::Item, resolve::own_id};

/// The kinds that one vendor alone speaks.
const VENDOR_OF_KIND: &[(&str, &str)] = &[("anthropic", "anthropic"), ("gemini", "google")];

/// The model that is named by no name.
const AUTO: &str = "auto";

/// All models that are known, and what names mean.
#[derive(Debug)]
pub struct Catalogue {
    /// The enabled providers, in the order of the file.
    providers: Vec<Rc<Provider>>,
    /// The same, ordered by name.
    owners: Vec<(String, Rc<Provider>)>,
    /// Those of whose models nothing is said.
    uncharted: Vec<Rc<Provider>>,
    /// What can be deployed and is no entry: of it the price is known.
    deployable: Vec<Row>,
    /// The models, ordered by provider.
    entries: Vec<Entry>,
    /// Every text that is the name or the provider's id of an entry, ordered.
    index: Vec<Key>,
    /// What entries are, whoever serves them, ordered, each with the entry's place.
    equals: Vec<(&'static str, usize)>,
    /// Names that stand for others, ordered.
    aliases: Vec<(String, Vec<String>)>,
    /// What providers call models that they do not have under that name, ordered.
    mapping: ModelMapping,
    /// What `auto` and a request without a model mean.
    default_model: Option<String>,
    /// Whether only these are asked for.
    is_strict: bool,
    /// Whether a provider may be sent the equivalent that it has.
    knows_equivalents: bool,
}

/// A model of a provider.
#[derive(Debug)]
struct Entry {
    provider: Rc<Provider>,
    /// What it is called here.
    name: Cow<'static, str>,
    row: Option<Row>,
    written: Option<Box<Model>>,
    context_window: Option<u64>,
    max_output_tokens: Option<u64>,
    price: Price,
}

/// A text by which an entry is found. Of two with one text, that of the entry's own name stands first.
#[derive(Debug, Clone, Copy)]
struct Key {
    entry: usize,
    is_wire: bool,
}

impl Catalogue {
    /// The catalogue of a configuration, for these of its providers.
    #[must_use]
    pub fn new(config: &Config, providers: &[Rc<Provider>]) -> Self {
        let mut by_owner: NameMap<'_, Vec<(&str, &Model)>> = NameMap::default();
        for model in &config.models {
            if let Some((owner, name)) = model.name.split_once('/')
                && let Some(models) = by_owner.entry(owner, Vec::new)
            {
                models.push((name, model));
            }
        }
        let (mut entries, mut uncharted, mut deployable) = (Vec::new(), Vec::new(), Vec::new());
        for provider in providers {
            let charted = entries.len();
            let written = by_owner.get_mut(&provider.name).map(core::mem::take).unwrap_or_default();
            let mut left: NameMap<'_, Option<&Model>> =
                written.iter().map(|(name, model)| (*name, Some(*model))).collect();
            let is_listed = !provider.vendor.has_deployments;
            for row in builtin::rows(vendor(provider).unwrap_or_default()) {
                let model = left.get_mut(row.id()).and_then(Option::take).map(|model| Box::new(model.clone()));
                if !is_listed && model.is_none() {
                    deployable.push(row);
                    continue;
                }
                entries.push(Entry::new(provider, Cow::Borrowed(row.id()), Some(row), model));
            }
            let added = written.into_iter().filter(|(name, _)| left.get(name).is_some_and(Option::is_some));
            entries.extend(added.map(|(name, model)| {
                Entry::new(provider, Cow::Owned(name.into()), None, Some(Box::new(model.clone())))
            }));
            if entries.len() == charted {
                uncharted.push(Rc::clone(provider));
            }
        }
        let owners: Vec<_> = providers.iter().map(|provider| (provider.name.clone(), Rc::clone(provider))).collect();
        let mut catalogue = Self {
            index: Vec::new(),
            equals: equals(&entries),
            providers: providers.to_vec(),
            owners: by_name(&owners),
            uncharted,
            deployable,
            entries,
            aliases: by_name(&config.aliases),
            mapping: by_name(&config.model_mapping),
            default_model: config.auto.default_model.clone(),
            is_strict: config.catalogue.strict,
            knows_equivalents: config.catalogue.equivalents,
        };
        catalogue.index = catalogue.ordered();
        catalogue
    }

    fn ordered(&self) -> Vec<Key> {
        let keys = self.entries.iter().enumerate().flat_map(|(entry, model)| {
            let name = (untagged(&model.provider, &model.name), false, entry);
            let wire = (model.wire() != model.name).then(|| (untagged(&model.provider, model.wire()), true, entry));
            core::iter::once(name).chain(wire)
        });
        sorted(keys).into_iter().map(|(_, is_wire, entry)| Key { entry, is_wire }).collect()
    }

    /// What is looked for: without the tag that Ollama adds where there is none.
    fn text(&self, key: Key) -> &str {
        let Some(entry) = self.entries.get(key.entry) else { return "" };
        untagged(&entry.provider, if key.is_wire { entry.wire() } else { &entry.name })
    }

    /// The entries with this name or provider's id, those with the name first.
    fn called<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a Entry> {
        let from = self.index.partition_point(|key| self.text(*key) < text);
        let keys = self.index.get(from..).unwrap_or_default().iter();
        keys.take_while(move |key| self.text(**key) == text).filter_map(|key| self.entries.get(key.entry))
    }

    /// A provider's entry with this name or id.
    fn known<'a>(&'a self, provider: &'a Rc<Provider>, id: &'a str) -> Option<&'a Entry> {
        self.called(untagged(provider, id)).find(|entry| Rc::ptr_eq(&entry.provider, provider))
    }

    /// What a provider's model costs, as far as known.
    pub(crate) fn price(&self, provider: &Rc<Provider>, id: &str) -> Price {
        let mut rows = self.deployable.iter().filter(|_| provider.vendor.has_deployments);
        let deployed = || rows.find(|row| row.id() == id).map(|row| row.price());
        self.known(provider, id).map(|entry| entry.price).or_else(deployed).unwrap_or_default()
    }

    /// Whether a provider of this name has a model of this name or id here.
    #[must_use]
    pub fn lists(&self, provider: &str, model: &str) -> bool {
        row(&self.owners, provider).is_some_and(|provider| self.known(provider, model).is_some())
    }
}

impl Entry {
    fn new(provider: &Rc<Provider>, name: Cow<'static, str>, row: Option<Row>, written: Option<Box<Model>>) -> Self {
        let (context_window, max_output_tokens) = (None, None);
        let (provider, price) = (Rc::clone(provider), Price::default());
        let plain = Self { provider, name, row, written, context_window, max_output_tokens, price };
        Self {
            context_window: plain.fact(|model| model.context_window, Row::context_window),
            max_output_tokens: plain.fact(|model| model.max_output_tokens, Row::max_output_tokens),
            price: plain.price(),
            ..plain
        }
    }

    /// What its provider calls it.
    fn wire(&self) -> &str {
        self.written.as_ref().and_then(|model| model.id.as_deref()).unwrap_or(&self.name)
    }

    fn is_enabled(&self) -> bool {
        self.written.as_ref().is_none_or(|model| model.enabled)
    }

    fn is_in_scope(&self, caller: &Caller) -> bool {
        let wire = self.wire();
        let may_use = |model| caller.may_use(&self.provider.name, model);
        may_use(&self.name) || (wire != self.name && may_use(wire))
    }

    /// The value that the file has, else the table.
    fn fact<T>(&self, written: impl Fn(&Model) -> Option<T>, table: impl Fn(Row) -> Option<T>) -> Option<T> {
        self.written.as_deref().and_then(written).or_else(|| self.row.and_then(table))
    }

    fn released(&self) -> Option<u64> {
        self.fact(|model| model.released, Row::released)
    }

    fn title(&self) -> Option<&str> {
        let written = self.written.as_ref().and_then(|model| model.title.as_deref());
        written.or_else(|| self.row.map(Row::title))
    }

    /// Price by price: a file that corrects one leaves the others.
    fn price(&self) -> Price {
        let written = self.written.as_ref().map(|model| model.price).unwrap_or_default();
        let table = self.row.map(Row::price).unwrap_or_default();
        Price {
            input: written.input.or(table.input),
            cached_input: written.cached_input.or(table.cached_input),
            cache_write: written.cache_write.or(table.cache_write),
            output: written.output.or(table.output),
            reasoning: written.reasoning.or(table.reasoning),
            image: written.image.or(table.image),
        }
    }

    fn capabilities(&self) -> Vec<&str> {
        match self.written.as_ref().and_then(|model| model.capabilities.as_ref()) {
            Some(written) => written.iter().map(String::as_str).collect(),
            None => self.row.into_iter().flat_map(Row::capabilities).collect(),
        }
    }

    /// Whether it is known what it can do, and this is not part of it.
    fn lacks(&self, capability: &str) -> bool {
        if let Some(written) = self.written.as_ref().and_then(|model| model.capabilities.as_ref()) {
            return !written.iter().any(|word| word == capability);
        }
        let mut stated = self.row.into_iter().flat_map(Row::capabilities).peekable();
        stated.peek().is_some() && !stated.any(|word| word == capability)
    }

    /// The model of the same provider that it is a dated version of.
    fn snapshot_of(&self) -> Option<&str> {
        let written = self.written.as_ref().and_then(|model| model.snapshot_of.as_deref());
        let base = written.or_else(|| self.row.and_then(Row::snapshot_of))?;
        let own = base.strip_prefix(self.provider.name.as_str()).and_then(|rest| rest.strip_prefix('/'));
        Some(own.unwrap_or(base))
    }

    /// What it is, whoever serves it.
    fn equivalents(&self) -> impl Iterator<Item = &'static str> {
        self.row.into_iter().flat_map(Row::equivalents)
    }
}

/// Who a provider is in the built-in catalogue.
pub(crate) fn vendor(provider: &Provider) -> Option<&'static str> {
    let of_kind = VENDOR_OF_KIND.iter().find(|(kind, _)| *kind == provider.spec.name).map(|(_, vendor)| *vendor);
    let recognised = Some(provider.vendor.name).filter(|name| !name.is_empty());
    match of_kind.or(recognised) {
        None if provider.spec.name == "openai" => builtin::vendor(&provider.name),
        vendor => vendor,
    }
}

/// Ollama's `llama3.2` and `llama3.2:latest` are one model: otherwise the one could be had where the other is disabled.
fn untagged<'a>(provider: &Provider, id: &'a str) -> &'a str {
    let tag = if provider.spec.name == "ollama" { ":latest" } else { "" };
    id.strip_suffix(tag).unwrap_or(id)
}

/// The rows of a table, ordered by name.
pub(crate) fn by_name<T: Clone>(rows: &[(String, T)]) -> Vec<(String, T)> {
    let places = sorted(rows.iter().enumerate().map(|(place, (name, _))| (name.as_str(), false, place)));
    places.into_iter().filter_map(|(.., place)| rows.get(place).cloned()).collect()
}

/// The row of this name, of rows in order.
pub(crate) fn row<'a, T>(rows: &'a [(String, T)], name: &str) -> Option<&'a T> {
    let place = rows.binary_search_by(|(other, _)| other.as_str().cmp(name)).ok()?;
    rows.get(place).map(|(_, value)| value)
}

/// What each entry is, whoever serves it: in order of the words, then of the entries.
fn equals(entries: &[Entry]) -> Vec<(&'static str, usize)> {
    let words =
        entries.iter().enumerate().flat_map(|(place, entry)| entry.equivalents().map(move |word| (word, false, place)));
    sorted(words).into_iter().map(|(word, _, place)| (word, place)).collect()
}

/// In order. By a heap: of the library's own sorts, each costs the module 7 to 40 KB for each type that it sorts.
pub(crate) fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    items.collect::<BinaryHeap<_>>().into_sorted_vec()
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "a test compares documents by meaning")]
mod tests;
