//! What an operator is told of models: all of them, those that nobody may ask too, whoever may ask the others.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use super::{
    Catalogue,
    listing::{Card, Wanted},
};
use crate::auth::Caller;

/// A model, as an operator is told of it.
#[derive(Debug)]
pub(crate) struct Item {
    /// `provider/model`.
    pub(crate) name: String,
    /// What its provider calls it.
    pub(crate) wire: String,
    pub(crate) is_built_in: bool,
    pub(crate) is_enabled: bool,
    /// When it came out, seconds since the epoch.
    pub(crate) released: Option<u64>,
    /// What clients are told of it, an object.
    pub(crate) card: String,
}

impl Catalogue {
    /// The models that a query asks for, by `provider` and `q`, and that are wanted by name and by whether they are enabled.
    #[inline(never)]
    pub(crate) fn inventory(&self, query: &str, is_wanted: &dyn Fn(&str, bool) -> bool) -> Vec<Item> {
        let (wanted, mut items) = (Wanted::read(query), Vec::new());
        for entry in &self.entries {
            let (card, is_enabled) = (Card::of(entry), entry.is_enabled());
            if !wanted.has(&card) || !is_wanted(&card.id, is_enabled) {
                continue;
            }
            let mut told = String::new();
            self.write(&card, &Caller::Anonymous, &mut told);
            items.push(Item {
                name: card.id,
                wire: entry.wire().to_string(),
                is_built_in: entry.row.is_some(),
                is_enabled,
                released: entry.released(),
                card: told,
            });
        }
        items
    }
}
