//! What no section can see alone: names that must be unique or exist, addresses that must differ, a gateway left open.
//!
//! Runs also over a document with problems, so that all are reported at once; a check whose input was refused stays silent,
//! because what it would say may be an echo of the first problem.

use alloc::{format, string::String, vec::Vec};
use core::{hash::Hash, net::SocketAddr};

use hashbrown::HashMap;

use super::{
    raw::{Config, EnvoyAdmin, Key},
    reader::{Reader, suggest},
};

/// Reports what is wrong between sections.
pub(super) fn check(config: &Config, reader: &mut Reader) {
    check_providers(config, reader);
    check_keys(config, reader);
    check_listeners(config, reader);
    check_openness(config, reader);
}

fn check_providers(config: &Config, reader: &mut Reader) {
    if reader.is_sound("/providers") && !config.providers.iter().any(|provider| provider.enabled) {
        reader.report_under("/providers", "no provider is enabled");
    }
}

fn check_keys(config: &Config, reader: &mut Reader) {
    report_repeats(config, reader, "id", |key| &key.id);
    report_repeats(config, reader, "sha256", |key| &key.sha256);
    for (index, key) in config.keys.iter().enumerate() {
        for (place, name) in key.providers.iter().flatten().enumerate() {
            let pointer = format!("/keys/{index}/providers/{place}");
            if !config.providers.iter().any(|provider| provider.name == *name) && reader.is_sound(&pointer) {
                reader.report_under(&pointer, unknown_provider(config, name));
            }
        }
    }
}

fn check_listeners(config: &Config, reader: &mut Reader) {
    let listen = &config.listen;
    let mut listeners = Vec::from([("address", listen.address), ("admin", listen.admin)]);
    if let EnvoyAdmin::At(address) = listen.envoy_admin {
        listeners.push(("envoy_admin", address));
    }
    for (index, (name, address)) in listeners.iter().enumerate() {
        let clash = listeners.iter().take(index).find(|(_, other)| overlap(*address, *other));
        let pointer = format!("/listen/{name}");
        if let Some((other, _)) = clash
            && reader.is_sound(&pointer)
            && reader.is_sound(&format!("/listen/{other}"))
        {
            reader.report_under(&pointer, format!("is taken by `listen.{other}`"));
        }
    }
}

/// Whoever can reach an open gateway spends its owner's money.
fn check_openness(config: &Config, reader: &mut Reader) {
    let open = config.keys.is_empty() && config.auth.required.is_none();
    let known = ["/keys", "/auth", "/listen/address"].iter().all(|pointer| reader.is_sound(pointer));
    if open && known && !config.listen.address.ip().is_loopback() {
        reader.report_under(
            "/listen/address",
            "is not a loopback address, and without keys anyone who reaches it may ask: add keys, \
             or write `auth: {required: false}` to have it so",
        );
    }
}

fn report_repeats<T: Eq + Hash>(config: &Config, reader: &mut Reader, field: &str, get: impl Fn(&Key) -> &T) {
    for (index, first) in repeats(&config.keys, get) {
        let [pointer, other] = [index, first].map(|index| format!("/keys/{index}/{field}"));
        if reader.is_sound(&pointer) && reader.is_sound(&other) {
            reader.report_under(&pointer, format!("is also that of key {first}"));
        }
    }
}

fn unknown_provider(config: &Config, name: &str) -> String {
    let names: Vec<&str> = config.providers.iter().map(|provider| provider.name.as_str()).collect();
    match suggest(name, &names) {
        Some(meant) => format!("there is no such provider; did you mean `{meant}`?"),
        None => format!("there is no such provider; there are: {}", names.join(", ")),
    }
}

/// Two addresses that cannot be listened on both: equal, or one of them is every address at the same port.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port() && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}

/// The positions of elements that repeat an earlier one, each with that one's.
pub(super) fn repeats<'t, E, T: Eq + Hash + ?Sized + 't>(
    elements: &'t [E],
    get: impl Fn(&'t E) -> &'t T,
) -> Vec<(usize, usize)> {
    let mut firsts = HashMap::with_capacity(elements.len());
    let repeat = |(index, element)| {
        let first = *firsts.entry(get(element)).or_insert(index);
        (first != index).then_some((index, first))
    };
    elements.iter().enumerate().filter_map(repeat).collect()
}
