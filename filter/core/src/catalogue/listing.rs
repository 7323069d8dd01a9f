//! What `/models` and `/models/{id}` answer: the models that the caller may use now, in OpenAI's shape with more fields.
//!
//! Written as text and not through types of their own: it is one object, told in one place.

use alloc::{
    format,
    rc::Rc,
    string::{String, ToString},
    vec::Vec,
};
use core::cmp::Reverse;

use super::{AUTO, Catalogue, Entry, resolve::Choice, sorted};
use crate::{auth::Caller, config::Price, gateway::Provider, map::HashMap, uri};

/// Who owns what is a name only.
const OWNER: &str = "dragoman";

/// What every model is that clients are told of: who cannot be asked is not listed.
const AVAILABLE: &str = "available";

/// What of the list is wanted.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    providers: Option<String>,
    statuses: Option<String>,
    text: String,
    groups_snapshots: bool,
}

/// One line of the list.
pub(super) struct Card<'a> {
    pub(super) id: String,
    entry: Option<&'a Entry>,
    /// For a name that stands for models: these.
    stands_for: Vec<Choice<'a>>,
    snapshots: Vec<String>,
}

impl Catalogue {
    /// The models that a caller may use now, of all `providers` or of these, newest first, then the names that stand for some of them, then `auto`.
    #[must_use]
    pub fn list(&self, caller: &Caller, query: &str, providers: Option<&[Rc<Provider>]>) -> Vec<u8> {
        let wanted = Wanted::read(query);
        let dated = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| is_of(&entry.provider, providers) && self.is_visible(entry, caller));
        let dated = sorted(dated.map(|(place, entry)| (Reverse(entry.released()), place)));
        let visible: Vec<&Entry> = dated.into_iter().filter_map(|(_, place)| self.entries.get(place)).collect();
        let mut cards: Vec<Card<'_>> = visible.iter().map(|entry| Card::of(entry)).collect();
        if wanted.groups_snapshots {
            cards = group(&visible);
        }
        cards.extend(self.aliases.iter().filter_map(|(alias, _)| self.stand_in(alias, caller, providers)));
        cards.extend(self.stand_in(AUTO, caller, providers));
        cards.retain(|card| wanted.has(card));
        let mut out = String::from(r#"{"object":"list","data":["#);
        for (index, card) in cards.iter().enumerate() {
            out.push_str(if index == 0 { "" } else { "," });
            self.write(card, caller, &mut out);
        }
        out.push_str("]}");
        out.into_bytes()
    }

    /// One model of the same list, by any of its names.
    #[must_use]
    pub fn retrieve(&self, name: &str, caller: &Caller, providers: Option<&[Rc<Provider>]>) -> Option<Vec<u8>> {
        let card = match (self.stand_in(name, caller, providers), providers) {
            (Some(card), _) => card,
            (None, Some([provider])) => {
                // A bare name means this provider's, whoever else has one.
                let choice = self.own(provider, name).ok()?;
                choice.check_scope(caller).and_then(|()| choice.check_configured(caller)).ok()?;
                Card::of(choice.entry()?)
            }
            (None, _) => Card::of(self.resolve(name, caller).ok()?.entry()?),
        };
        if card.entry.is_some_and(|entry| !is_of(&entry.provider, providers)) {
            return None;
        }
        let mut out = String::new();
        self.write(&card, caller, &mut out);
        Some(out.into_bytes())
    }

    fn is_visible(&self, entry: &Entry, caller: &Caller) -> bool {
        entry.is_enabled()
            && (entry.provider.missing.is_none() || caller.brought(&entry.provider.name).is_some())
            && entry.is_in_scope(caller)
            // Whoever asks for that name gets what the alias stands for.
            && (self.aliases.is_empty() || !self.is_alias(&entry.full_name()))
    }

    /// The card of an alias or of `auto`, if the caller may use one of its models.
    fn stand_in<'a>(&'a self, name: &str, caller: &Caller, providers: Option<&[Rc<Provider>]>) -> Option<Card<'a>> {
        let mut stands_for: Vec<Choice<'a>> = if name == AUTO {
            self.resolve(self.default_model.as_deref()?, caller).into_iter().collect()
        } else {
            self.alias(name)?.filter_map(|model| self.find(model, caller).ok()).collect()
        };
        stands_for.retain(|choice| is_of(choice.provider, providers));
        let entry = stands_for.first()?.entry();
        Some(Card { id: name.into(), entry, stands_for, snapshots: Vec::new() })
    }

    pub(super) fn write(&self, card: &Card<'_>, caller: &Caller, out: &mut String) {
        let mut object = Object::begin(out);
        object.text("id", &card.id);
        object.text("object", "model");
        object.number("created", Some(card.entry.and_then(Entry::released).unwrap_or_default()));
        let own = card.entry.filter(|_| card.stands_for.is_empty());
        let owner = own.map(|entry| entry.row.map_or(entry.provider.name.as_str(), |row| row.vendor()));
        object.text("owned_by", owner.unwrap_or(OWNER));
        object.text("status", if card.entry.is_none_or(Entry::is_enabled) { AVAILABLE } else { "disabled" });
        let stands_for = card.stands_for.iter().map(|choice| format!("{}/{}", choice.provider.name, choice.name()));
        object.texts("alias_of", &stands_for.collect::<Vec<_>>());
        object.texts("snapshots", &card.snapshots);
        if let Some(entry) = own {
            self.write_own(entry, caller, &mut object);
        }
        if let Some(entry) = card.entry {
            object.number("context_window", entry.context_window);
            object.number("max_output_tokens", entry.max_output_tokens);
            let price = prices(&entry.price());
            if price != "{}" {
                object.raw("price", &price);
            }
            object.texts("capabilities", &entry.capabilities());
        }
        object.end();
    }

    /// What is a model's own, and not said of a name that stands for it.
    fn write_own(&self, entry: &Entry, caller: &Caller, object: &mut Object<'_>) {
        object.text("provider", &entry.provider.name);
        if let Some(title) = entry.title() {
            object.text("name", title);
        }
        if let Some(base) = entry.snapshot_of() {
            object.text("snapshot_of", &format!("{}/{base}", entry.provider.name));
        }
        let equivalents = self.equivalents(entry).filter(|other| self.is_visible(other, caller));
        object.texts("equivalents", &equivalents.map(Entry::full_name).collect::<Vec<_>>());
        let metadata = entry.written.iter().flat_map(|model| &model.metadata);
        let metadata: Vec<_> = metadata.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if !metadata.is_empty() {
            object.raw("metadata", &members(&metadata));
        }
    }
}

impl Catalogue {
    /// The entries of other providers that are the same model.
    fn equivalents<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = &'a Entry> {
        let others = entry.equivalents().enumerate().flat_map(move |(index, word)| {
            let from = self.equals.partition_point(|(other, _)| *other < word);
            let same = self.equals.get(from..).unwrap_or_default().iter().take_while(move |(other, _)| *other == word);
            let others = same.filter_map(|(_, place)| self.entries.get(*place));
            // Each once, though they may have several words in common.
            others.filter(move |other| {
                !entry.equivalents().take(index).any(|word| other.equivalents().any(|own| own == word))
            })
        });
        others.filter(move |other| !Rc::ptr_eq(&other.provider, &entry.provider))
    }
}

impl Entry {
    /// `provider/name`.
    fn full_name(&self) -> String {
        format!("{}/{}", self.provider.name, self.name)
    }

    /// Whose it is and what it is called, as [`Entry::base`] says it.
    fn place(&self) -> (*const Provider, &str) {
        (Rc::as_ptr(&self.provider), &self.name)
    }

    /// The place of the model that it is a dated version of.
    fn base(&self) -> Option<(*const Provider, &str)> {
        let base = self.snapshot_of().filter(|base| *base != self.name)?;
        Some((Rc::as_ptr(&self.provider), base))
    }
}

impl<'a> Card<'a> {
    pub(super) fn of(entry: &'a Entry) -> Self {
        Self { id: entry.full_name(), entry: Some(entry), stands_for: Vec::new(), snapshots: Vec::new() }
    }
}

/// Whether a provider is one of these.
fn is_of(provider: &Rc<Provider>, providers: Option<&[Rc<Provider>]>) -> bool {
    providers.is_none_or(|providers| providers.iter().any(|other| Rc::ptr_eq(provider, other)))
}

/// The cards of what is no dated version of another that is listed, too; those are named by it.
fn group<'a>(visible: &[&'a Entry]) -> Vec<Card<'a>> {
    let mut snapshots: HashMap<_, Vec<String>> = visible.iter().map(|entry| (entry.place(), Vec::new())).collect();
    let mut bases = Vec::new();
    for entry in visible.iter().copied() {
        match entry.base().and_then(|base| snapshots.get_mut(&base)) {
            Some(snapshots) => snapshots.push(entry.full_name()),
            None => bases.push(entry),
        }
    }
    let card = |base: &'a Entry| {
        let snapshots = snapshots.remove(&base.place()).unwrap_or_default();
        Card { snapshots, ..Card::of(base) }
    };
    bases.into_iter().map(card).collect()
}

impl Wanted {
    pub(super) fn read(query: &str) -> Self {
        let mut wanted = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let Some(value) = uri::decode(&value.replace('+', " ")) else { continue };
            match name {
                "provider" => wanted.providers = Some(value),
                "status" => wanted.statuses = Some(value),
                "q" => wanted.text = value.to_ascii_lowercase(),
                "group_snapshots" => wanted.groups_snapshots = matches!(value.as_str(), "true" | "1"),
                _ => {}
            }
        }
        wanted
    }

    pub(super) fn has(&self, card: &Card<'_>) -> bool {
        let is_listed = |list: &Option<String>, word: &str| {
            list.as_ref().is_none_or(|list| list.is_empty() || list.split(',').any(|wanted| wanted.trim() == word))
        };
        let own = card.entry.filter(|_| card.stands_for.is_empty()).map(|entry| entry.provider.name.as_str());
        let mut providers = own.into_iter().chain(card.stands_for.iter().map(|choice| choice.provider.name.as_str()));
        let has_text = |text: &str| text.to_ascii_lowercase().contains(&self.text);
        providers.any(|provider| is_listed(&self.providers, provider))
            && is_listed(&self.statuses, AVAILABLE)
            && (has_text(&card.id) || card.entry.and_then(Entry::title).is_some_and(has_text))
    }
}

fn prices(price: &Price) -> String {
    let of_kinds = [
        ("input", price.input),
        ("cached_input", price.cached_input),
        ("cache_write", price.cache_write),
        ("output", price.output),
        ("reasoning", price.reasoning),
        ("image", price.image),
    ];
    let known: Vec<_> = of_kinds.into_iter().filter_map(|(kind, price)| Some((kind, price?.to_string()))).collect();
    members(&known)
}

/// An object of these names and documents.
fn members(members: &[(&str, impl AsRef<str>)]) -> String {
    let mut out = String::new();
    let mut object = Object::begin(&mut out);
    for (name, value) in members {
        object.raw(name, value.as_ref());
    }
    object.end();
    out
}

/// A JSON object being written. Its methods are not inlined: they are called from many places, and none is in a hurry.
struct Object<'a> {
    out: &'a mut String,
    is_empty: bool,
}

impl<'a> Object<'a> {
    fn begin(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, is_empty: true }
    }

    #[inline(never)]
    fn raw(&mut self, name: &str, value: &str) {
        self.out.push_str(if self.is_empty { "" } else { "," });
        self.is_empty = false;
        push_text(name, self.out);
        self.out.push(':');
        self.out.push_str(value);
    }

    #[inline(never)]
    fn text(&mut self, name: &str, value: &str) {
        self.raw(name, "");
        push_text(value, self.out);
    }

    #[inline(never)]
    fn number(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.raw(name, &value.to_string());
        }
    }

    /// A list, unless it is empty.
    #[inline(never)]
    fn texts(&mut self, name: &str, values: &[impl AsRef<str>]) {
        for (index, value) in values.iter().enumerate() {
            if index == 0 {
                self.raw(name, "[");
            } else {
                self.out.push(',');
            }
            push_text(value.as_ref(), self.out);
        }
        if !values.is_empty() {
            self.out.push(']');
        }
    }

    fn end(self) {
        self.out.push('}');
    }
}

fn push_text(text: &str, out: &mut String) {
    // A string can always be written.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}
