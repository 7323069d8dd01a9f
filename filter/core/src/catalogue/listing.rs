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

use super::{AUTO, Catalogue, Entry, resolve::Choice};
use crate::{
    auth::Caller,
    config::{Decimal, Price},
    uri,
};

/// Who owns what is a name only.
const OWNER: &str = "dragoman";

/// What every listed model is: who cannot be asked is not listed.
const AVAILABLE: &str = "available";

/// What of the list is wanted.
#[derive(Debug, Default)]
struct Wanted {
    providers: Option<String>,
    statuses: Option<String>,
    text: String,
    groups_snapshots: bool,
}

/// One line of the list.
struct Card<'a> {
    id: String,
    entry: Option<&'a Entry>,
    /// For a name that stands for models: these.
    stands_for: Vec<Choice<'a>>,
    snapshots: Vec<String>,
}

impl Catalogue {
    /// The models that a caller may use now, newest first, then the names that stand for some of them, then `auto`.
    #[must_use]
    pub fn list(&self, caller: &Caller, query: &str) -> Vec<u8> {
        let wanted = Wanted::read(query);
        let mut visible: Vec<&Entry> = self.entries.iter().filter(|entry| self.is_visible(entry, caller)).collect();
        visible.sort_by_key(|entry| Reverse(entry.released()));
        let mut cards: Vec<Card<'_>> = visible.iter().map(|entry| Card::of(entry)).collect();
        if wanted.groups_snapshots {
            cards = group(&visible);
        }
        cards.extend(self.aliases.iter().filter_map(|(alias, _)| self.stand_in(alias, caller)));
        cards.extend(self.stand_in(AUTO, caller));
        cards.retain(|card| wanted.has(card));
        let mut out = String::from(r#"{"object":"list","data":["#);
        for (index, card) in cards.iter().enumerate() {
            out.push_str(if index == 0 { "" } else { "," });
            self.write(card, caller, &mut out);
        }
        out.push_str("]}");
        out.into_bytes()
    }

    /// One model of the list, by any of its names.
    #[must_use]
    pub fn retrieve(&self, name: &str, caller: &Caller) -> Option<Vec<u8>> {
        let card = match self.stand_in(name, caller) {
            Some(card) => card,
            None => Card::of(self.resolve(name, caller).ok()?.entry()?),
        };
        let mut out = String::new();
        self.write(&card, caller, &mut out);
        Some(out.into_bytes())
    }

    fn is_visible(&self, entry: &Entry, caller: &Caller) -> bool {
        entry.is_enabled()
            && entry.provider.missing.is_none()
            && entry.is_in_scope(caller)
            // Whoever asks for that name gets what the alias stands for.
            && (self.aliases.is_empty() || self.alias(&entry.full_name()).is_none())
    }

    /// The card of an alias or of `auto`, if the caller may use one of its models.
    fn stand_in<'a>(&'a self, name: &str, caller: &Caller) -> Option<Card<'a>> {
        let stands_for: Vec<Choice<'a>> = if name == AUTO {
            self.resolve(self.default_model.as_deref()?, caller).into_iter().collect()
        } else {
            self.alias(name)?.iter().filter_map(|model| self.resolve(model, caller).ok()).collect()
        };
        let entry = stands_for.first()?.entry();
        Some(Card { id: name.into(), entry, stands_for, snapshots: Vec::new() })
    }

    fn write(&self, card: &Card<'_>, caller: &Caller, out: &mut String) {
        let mut object = Object::begin(out);
        object.text("id", &card.id);
        object.text("object", "model");
        let released = card.entry.and_then(Entry::released);
        object.number("created", released.unwrap_or_default());
        let owner = card.entry.filter(|_| card.stands_for.is_empty()).map(|entry| {
            entry.row.map_or(entry.provider.name.as_str(), |row| row.vendor())
        });
        object.text("owned_by", owner.unwrap_or(OWNER));
        object.text("status", AVAILABLE);
        if !card.stands_for.is_empty() {
            object.texts("alias_of", card.stands_for.iter().map(|choice| format!("{}/{}", choice.provider.name, choice.name())));
        }
        if !card.snapshots.is_empty() {
            object.texts("snapshots", &card.snapshots);
        }
        let Some(entry) = card.entry else { return object.end() };
        if card.stands_for.is_empty() {
            object.text("provider", &entry.provider.name);
            if let Some(title) = entry.title() {
                object.text("name", title);
            }
            if let Some(base) = entry.snapshot_of() {
                object.text("snapshot_of", &format!("{}/{base}", entry.provider.name));
            }
            let equivalents = self.entries.iter().filter(|other| {
                !Rc::ptr_eq(&other.provider, &entry.provider) && entry.is_equivalent(other) && self.is_visible(other, caller)
            });
            let equivalents: Vec<String> = equivalents.map(Entry::full_name).collect();
            if !equivalents.is_empty() {
                object.texts("equivalents", &equivalents);
            }
        }
        if let Some(tokens) = entry.context_window() {
            object.number("context_window", tokens);
        }
        if let Some(tokens) = entry.max_output_tokens() {
            object.number("max_output_tokens", tokens);
        }
        let prices = prices(&entry.price());
        if prices != "{}" {
            object.raw("price", &prices);
        }
        let capabilities = entry.capabilities();
        if !capabilities.is_empty() {
            object.texts("capabilities", &capabilities);
        }
        if let Some(model) = entry.written.as_ref().filter(|model| card.stands_for.is_empty() && !model.metadata.is_empty()) {
            let mut metadata = String::new();
            let mut members = Object::begin(&mut metadata);
            for (name, value) in &model.metadata {
                members.raw(name, value);
            }
            members.end();
            object.raw("metadata", &metadata);
        }
        object.end();
    }
}

impl Entry {
    /// `provider/name`.
    fn full_name(&self) -> String {
        format!("{}/{}", self.provider.name, self.name)
    }

    fn is_base_of(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.provider, &other.provider) && other.name != self.name && other.snapshot_of() == Some(&self.name)
    }
}

impl<'a> Card<'a> {
    fn of(entry: &'a Entry) -> Self {
        Self { id: entry.full_name(), entry: Some(entry), stands_for: Vec::new(), snapshots: Vec::new() }
    }
}

/// The cards of what is no dated version of another that is listed, too; those are named by it.
fn group<'a>(visible: &[&'a Entry]) -> Vec<Card<'a>> {
    let is_base = |entry: &&Entry| !visible.iter().any(|other| other.is_base_of(entry));
    let card = |base: &&'a Entry| {
        let snapshots = visible.iter().filter(|entry| base.is_base_of(entry)).map(|entry| entry.full_name()).collect();
        Card { snapshots, ..Card::of(base) }
    };
    visible.iter().filter(|entry| is_base(entry)).map(card).collect()
}

impl Wanted {
    fn read(query: &str) -> Self {
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

    fn has(&self, card: &Card<'_>) -> bool {
        let is_listed = |list: &Option<String>, word: &str| {
            list.as_ref().is_none_or(|list| list.split(',').any(|wanted| wanted.trim() == word))
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
    let mut out = String::new();
    let mut object = Object::begin(&mut out);
    let members: [(&str, Option<Decimal>); 6] = [
        ("input", price.input),
        ("cached_input", price.cached_input),
        ("cache_write", price.cache_write),
        ("output", price.output),
        ("reasoning", price.reasoning),
        ("image", price.image),
    ];
    for (name, value) in members {
        if let Some(value) = value {
            object.raw(name, &value.to_string());
        }
    }
    object.end();
    out
}

/// A JSON object being written.
struct Object<'a> {
    out: &'a mut String,
    is_empty: bool,
}

impl<'a> Object<'a> {
    fn begin(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, is_empty: true }
    }

    fn raw(&mut self, name: &str, value: &str) {
        self.out.push_str(if self.is_empty { "" } else { "," });
        self.is_empty = false;
        push_text(name, self.out);
        self.out.push(':');
        self.out.push_str(value);
    }

    fn text(&mut self, name: &str, value: &str) {
        self.texts_as(name, "", [value], "");
    }

    fn number(&mut self, name: &str, value: u64) {
        self.raw(name, &value.to_string());
    }

    fn texts(&mut self, name: &str, values: impl IntoIterator<Item = impl AsRef<str>>) {
        self.texts_as(name, "[", values, "]");
    }

    fn texts_as(&mut self, name: &str, open: &str, values: impl IntoIterator<Item = impl AsRef<str>>, close: &str) {
        self.raw(name, open);
        for (index, value) in values.into_iter().enumerate() {
            self.out.push_str(if index == 0 { "" } else { "," });
            push_text(value.as_ref(), self.out);
        }
        self.out.push_str(close);
    }

    fn end(self) {
        self.out.push('}');
    }
}

fn push_text(text: &str, out: &mut String) {
    // A string can always be written.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}
