//! What is particular about keys: they are made here and shown once, never changed in what they are, and never come back.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::{Ask, entries::Entry, secrets::without_secrets};
use crate::{
    change::{Changes, Hash, Section},
    config::parse_date,
    error::{Error, Kind},
    hex,
    json::{self, Composed, listed, members},
};

/// The section's name.
pub(super) const NAME: &str = "keys";

const HASH: &str = "sha256";

/// Base64 for URLs (RFC 4648, section 5).
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What was given for a new key, with its hash and an id; and the key itself, unless who asks has kept that to himself.
pub(super) fn issue(given: &str, ask: Ask<'_>) -> Result<(String, Option<String>), Error> {
    let given_members = members(given).unwrap_or_default();
    let random = || {
        let none = || Error::new(Kind::UpstreamUnavailable, "There is no chance to be had to make a key of.");
        ask.around.entropy.secret().ok_or_else(none)
    };
    let mut entry = Composed::default();
    if json::member(&given_members, "id").is_none() {
        let [a, b, c, d, ..] = random()?;
        entry.text("id", &["key-", &hex::print(&[a, b, c, d])].concat());
    }
    if json::member(&given_members, HASH).is_some() {
        return Ok((entry.end_with(given), None));
    }
    let key = format!("sk-{}", encoded(&random()?));
    entry.text(HASH, &hex::print(&Sha256::digest(&key)));
    Ok((entry.end_with(given), Some(key)))
}

/// What nobody can say of a key that there is: which one it is.
pub(super) fn refuse_hash(given: &str) -> Result<(), Error> {
    match json::member(&members(given).unwrap_or_default(), HASH) {
        Some(_) => Err(Error::refusing("A key stays the one that it is: issue another one.", HASH)),
        None => Ok(()),
    }
}

/// An entry that is written anew, of the key that it was of.
pub(super) fn with_hash(text: &str, before: &str) -> Result<String, Error> {
    refuse_hash(text)?;
    let mut entry = Composed::default();
    if let Some(hash) = json::member(&members(before).unwrap_or_default(), HASH) {
        entry.json(HASH, hash.get());
    }
    Ok(entry.end_with(text))
}

/// A key that is over stays so.
pub(super) fn refuse_revoked(section: &Section, text: &str, changes: &Changes) -> Result<(), Error> {
    match hash_of(text).filter(|hash| section.name == NAME && changes.has_revoked(hash)) {
        Some(_) => Err(Error::new(Kind::Conflict, "This key has been revoked, and that is final.")),
        None => Ok(()),
    }
}

/// A key is over. One that the file lists stays listed, dead.
pub(super) fn revoke(entry: &Entry, is_in_file: bool, changes: &mut Changes) -> Result<(), Error> {
    let unreadable = || Error::new(Kind::Conflict, "This key has no hash to be known by.");
    changes.revoke(hash_of(&entry.text).ok_or_else(unreadable)?, &entry.name);
    if let Some(section) = Section::of(NAME).filter(|_| !is_in_file) {
        changes.set(section, &entry.name, None);
    }
    Ok(())
}

/// A key as it is told: how it stands, and nothing that it could be guessed by.
pub(super) fn told(mut told: Composed, entry: &Entry, ask: Ask<'_>) -> String {
    let members = members(&entry.text).unwrap_or_default();
    let text = |name| json::text_of(&members, name);
    let now = ask.around.clock.epoch_seconds();
    let is_past = |name| text(name).and_then(|time| parse_date(&time)).map(|time| time <= now);
    let is_revoked = hash_of(&entry.text).is_some_and(|hash| ask.current.changes().has_revoked(&hash));
    let is_disabled = json::member(&members, "enabled").is_some_and(|enabled| enabled.get() == "false");
    told.text(
        "status",
        match () {
            () if is_revoked => "revoked",
            () if is_disabled => "disabled",
            () if is_past("expires") == Some(true) => "expired",
            () if is_past("not_before") == Some(false) => "not_yet_valid",
            () => "active",
        },
    );
    let mut path = Vec::from([NAME.to_string(), entry.name.clone()]);
    for (name, value) in members {
        if &*name != HASH {
            path.push(name.to_string());
            told.any(&name, &without_secrets(value.get(), &mut path));
            path.pop();
        }
    }
    told.end()
}

/// A configuration without the keys of this hash: it could be loaded where nobody knows that they are over.
pub(super) fn without(document: &str, hash: &Hash) -> String {
    let Some(top) = members(document) else { return document.into() };
    let mut kept = Composed::default();
    for (name, value) in top {
        if &*name == NAME {
            let elements: Vec<&RawValue> = json::read(value.get()).unwrap_or_default();
            let others = elements.into_iter().map(RawValue::get).filter(|entry| hash_of(entry).as_ref() != Some(hash));
            kept.any(&name, &listed(others));
        } else if &*name == "environments" {
            let mut all = Composed::default();
            for (environment, inside) in members(value.get()).unwrap_or_default() {
                all.any(&environment, &without(inside.get(), hash));
            }
            kept.any(&name, &all.end());
        } else {
            kept.any(&name, value.get());
        }
    }
    kept.end()
}

fn hash_of(entry: &str) -> Option<Hash> {
    hex::parse(&json::text_of(&members(entry)?, HASH)?)
}

fn encoded(secret: &[u8; 32]) -> String {
    let mut text = String::new();
    for chunk in secret.chunks(3) {
        let mut bits = 0_u32;
        for place in 0..3 {
            bits = bits << 8 | u32::from(chunk.get(place).copied().unwrap_or_default());
        }
        for place in 0..=chunk.len() {
            let six = bits >> 18_usize.saturating_sub(place.saturating_mul(6)) & 63;
            let letter = usize::try_from(six).ok().and_then(|six| ALPHABET.get(six));
            text.push(letter.map_or('-', |letter| char::from(*letter)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_in_43_letters_of_base64() {
        assert_eq!(encoded(&[0; 32]), "A".repeat(43));
        assert_eq!(encoded(&[0xff; 32]), ["_".repeat(42).as_str(), "8"].concat());
        let mut counting = [0; 32];
        counting.iter_mut().zip(0..).for_each(|(byte, number)| *byte = number);
        assert_eq!(encoded(&counting), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    }
}
