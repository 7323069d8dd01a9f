//! What no section can see alone: names that must be unique or exist, addresses that must differ, a gateway left open.
//!
//! Runs also over a document with problems, so that all are reported at once; a check whose input was refused stays silent,
//! because what it would say may be an echo of the first problem.

mod cycle;
mod extent;
mod names;
mod routes;

use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, net::SocketAddr};

use self::{
    extent::Extents,
    names::{Index, Names},
    routes::Routes,
};
use super::{
    environment::{Environment, ProviderOverride},
    key::{ANONYMOUS, KeyRouting},
    limit::Limit,
    raw::{Config, EnvoyAdmin, Key},
    reader::{Reader, Step},
    router::Router,
    routing::Routing,
};
use crate::map::{HashMap, Seed};

/// What the top level of the file and an environment both have.
struct Level<'c> {
    /// Where it stands; empty for the top level.
    at: String,
    /// The environment's name, where it is one.
    name: Option<&'c String>,
    keys: &'c [Key],
    limits: &'c [Limit],
    routing: &'c Routing,
    routers: &'c [Router],
    names: Names<'c>,
}

/// Reports what is wrong between sections.
pub(super) fn check(config: &Config, reader: &mut Reader) {
    check_providers(config, reader);
    let index = Index::new(config, reader.is_changed());
    let top = Level::top(config, &index);
    routes::check_models(&top.names, config, reader);
    check_clients(config, reader);
    check_level(&top, reader);
    for environment in &config.environments {
        let level = Level::of(&index, environment);
        for provider in &environment.providers {
            let pointer = format_args!("{}/providers{}", level.at, Step(&provider.name));
            refuse(reader, pointer, level.names.provider(&provider.name));
            check_place(config, provider, pointer, reader);
        }
        check_level(&level, reader);
    }
    check_administrators(config, reader);
    check_listeners(config, reader);
    check_openness(config, reader);
}

impl<'c> Level<'c> {
    fn top(config: &'c Config, index: &'c Index<'c>) -> Self {
        let Config { keys, limits, routing, routers, .. } = config;
        Self { at: String::new(), name: None, keys, limits, routing, routers, names: Names::new(index, None) }
    }

    fn of(index: &'c Index<'c>, environment: &'c Environment) -> Self {
        let Environment { name, keys, limits, routing, routers, .. } = environment;
        let names = Names::new(index, Some(environment));
        Self { at: format!("/environments{}", Step(name)), name: Some(name), keys, limits, routing, routers, names }
    }
}

fn check_providers(config: &Config, reader: &mut Reader) {
    if reader.is_sound("/providers") && !config.providers.iter().any(|provider| provider.enabled) {
        reader.report_under("/providers", "no provider is enabled");
    }
}

/// A cluster of the operator's own leads where it leads: another address would be spoken to there, with its credential.
fn check_place(config: &Config, other: &ProviderOverride, at: fmt::Arguments<'_>, reader: &mut Reader) {
    let provider = config.providers.iter().find(|provider| provider.name == other.name);
    let Some(cluster) = provider.and_then(|provider| provider.cluster.as_ref()) else { return };
    let elsewhere = || {
        let wrong = format!(
            "would be reached in the provider's cluster `{cluster}`, which leads elsewhere; write an account with a `base_url` and a \
             `cluster` of its own"
        );
        Err(wrong.into())
    };
    if other.base_url.is_some() {
        refuse(reader, format_args!("{at}/base_url"), elsewhere());
    }
    for (index, account) in other.accounts.iter().flatten().enumerate() {
        if account.base_url.is_some() && account.cluster.is_none() {
            refuse(reader, format_args!("{at}/accounts/{index}/base_url"), elsewhere());
        }
    }
}

/// A key is one key in the whole file: limits and logs know it by its id, and who comes with it by its hash.
fn check_clients(config: &Config, reader: &mut Reader) {
    let top = [(String::new(), &config.keys)].into_iter();
    let others = config.environments.iter().map(|other| (format!("/environments{}", Step(&other.name)), &other.keys));
    let levels: Vec<_> = top.chain(others).collect();
    let keys = levels.iter().flat_map(|(at, keys)| keys.iter().enumerate().map(move |(index, key)| (at, index, key)));
    let keys: Vec<_> = keys.collect();
    let ids = keys.iter().map(|(_, _, key)| key.id.as_bytes()).collect();
    let hashes = keys.iter().map(|(_, _, key)| &key.sha256[..]).collect();
    let fields: [(&str, Vec<&[u8]>); 2] = [("id", ids), ("sha256", hashes)];
    for (field, values) in fields {
        for (place, first) in repeats(&values) {
            if let (Some((at, index, _)), Some((first_at, first, _))) = (keys.get(place), keys.get(first)) {
                let first = format!("{first_at}/keys/{first}");
                if reader.is_sound(&format!("{first}/{field}")) {
                    let wrong = format!("is also that of {first}");
                    refuse(reader, format_args!("{at}/keys/{index}/{field}"), Err(wrong.into()));
                }
            }
        }
    }
}

fn check_level(level: &Level<'_>, reader: &mut Reader) {
    let extents = Extents::of(level.names.strategies());
    check_keys(level, &extents, reader);
    report_repeats(reader, &format!("{}/limits", level.at), "name", &all(level.limits, |limit| &limit.name));
    for (index, limit) in level.limits.iter().enumerate() {
        if let Some(provider) = limit.target.provider.as_ref().filter(|provider| !provider.contains('*')) {
            let pointer = format_args!("{}/limits/{index}/target/provider", level.at);
            refuse(reader, pointer, level.names.provider(provider));
        }
    }
    let routes = Routes { names: &level.names };
    routes.check_routing(level.routing, format_args!("{}", level.at), reader);
    for (name, strategy) in level.routing {
        extents.check(strategy, format_args!("{}/routing{}", level.at, Step(name)), reader);
    }
    for router in level.routers {
        let at = format_args!("{}/routers{}", level.at, Step(&router.name));
        let balance = &router.load_balance;
        for (kind, strategy) in
            [("chat", &balance.chat), ("embeddings", &balance.embeddings), ("images", &balance.images)]
        {
            if let Some(strategy) = strategy {
                let at = format_args!("{at}/load_balance/{kind}");
                routes.check_strategy(strategy, at, reader);
                extents.check(strategy, at, reader);
            }
        }
        routes::check_mapping(&level.names, &router.model_mapping, format_args!("{at}/model_mapping"), reader);
    }
}

fn check_keys(level: &Level<'_>, extents: &Extents<'_>, reader: &mut Reader) {
    let keys = format_args!("{}/keys", level.at);
    let names = &level.names;
    for (index, key) in level.keys.iter().enumerate() {
        let at = format_args!("{keys}/{index}");
        for (place, name) in key.providers.iter().flatten().enumerate() {
            refuse(reader, format_args!("{at}/providers/{place}"), names.provider(name));
        }
        for (place, pattern) in key.models.iter().flatten().enumerate() {
            refuse(reader, format_args!("{at}/models/{place}"), names.pattern(pattern));
        }
        for (name, _) in &key.byok.credentials {
            refuse(reader, format_args!("{at}/byok/credentials{}", Step(name)), names.provider(name));
        }
        if let Some(team) = &key.team {
            refuse(reader, format_args!("{at}/team"), names.team(team));
        }
        if key.id == ANONYMOUS {
            refuse(reader, format_args!("{at}/id"), Err("is what those are called who ask without a key".into()));
        }
        if let Some(environment) = &key.environment {
            refuse(reader, format_args!("{at}/environment"), names.environment(environment));
            if let Some(own) = level.name.filter(|own| *own != environment) {
                refuse(
                    reader,
                    format_args!("{at}/environment"),
                    Err(format!("is not `{own}`, where the key stands").into()),
                );
            }
        }
        match &key.routing {
            Some(KeyRouting::Named(name)) => refuse(reader, format_args!("{at}/routing"), names.routing(name)),
            Some(KeyRouting::Inline(strategy)) => {
                let at = format_args!("{at}/routing");
                Routes { names }.check_strategy(strategy, at, reader);
                extents.check(strategy, at, reader);
            }
            None => {}
        }
    }
}

fn check_administrators(config: &Config, reader: &mut Reader) {
    report_repeats(reader, "/admin/keys", "id", &all(&config.admin.keys, |key| &key.id));
    report_repeats(reader, "/admin/keys", "sha256", &all(&config.admin.keys, |key| &key.sha256));
    report_repeats(reader, "/console/users", "name", &all(&config.console.users, |user| &user.name));
    let elsewhere = config.environments.iter().flat_map(|environment| &environment.keys);
    let clients: Vec<_> = config.keys.iter().chain(elsewhere).collect();
    let clients_first = clients.iter().map(|key| &key.sha256).chain(config.admin.keys.iter().map(|key| &key.sha256));
    for (place, first) in repeats(&clients_first.map(<[u8; 32]>::as_slice).collect::<Vec<_>>()) {
        if let (Some(index), Some(id)) = (place.checked_sub(clients.len()), clients.get(first).map(|key| &key.id)) {
            refuse(
                reader,
                format_args!("/admin/keys/{index}/sha256"),
                Err(format!("is also that of the client key `{id}`").into()),
            );
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
        if let Some((other, _)) = clash.filter(|(other, _)| reader.is_sound(&format!("/listen/{other}"))) {
            refuse(reader, format_args!("/listen/{name}"), Err(format!("is taken by `listen.{other}`").into()));
        }
    }
}

/// Whoever can reach an open gateway spends its owner's money.
fn check_openness(config: &Config, reader: &mut Reader) {
    let open = config.all_keys().next().is_none() && config.auth.required.is_none() && config.auth.jwt.is_none();
    let known = ["/keys", "/environments", "/auth", "/listen/address"].iter().all(|pointer| reader.is_sound(pointer));
    if open && known && !config.listen.address.ip().is_loopback() {
        reader.report_under(
            "/listen/address",
            "is not a loopback address, and without keys anyone who reaches it may ask: add keys, \
             or write `auth: {required: false}` to have it so",
        );
    }
}

/// Whether something is well, or what is wrong with it.
type Verdict = Result<(), Cow<'static, str>>;

/// Reports what is wrong at `pointer`, unless something is already. The pointer is put together only then.
#[inline(never)]
fn refuse(reader: &mut Reader, pointer: fmt::Arguments<'_>, verdict: Verdict) {
    if let Err(wrong) = verdict {
        let pointer = pointer.to_string();
        if reader.is_sound(&pointer) {
            reader.report_under(&pointer, wrong);
        }
    }
}

/// Reports what is in two elements of a list, each in this field. Text or hashes, as bytes: compiled once for all lists.
#[inline(never)]
fn report_repeats(reader: &mut Reader, list: &str, field: &str, values: &[&[u8]]) {
    for (index, first) in repeats(values) {
        if reader.is_sound(&format!("{list}/{first}/{field}")) {
            refuse(
                reader,
                format_args!("{list}/{index}/{field}"),
                Err(format!("is also that of {list}/{first}").into()),
            );
        }
    }
}

/// One value of each element.
fn all<'e, E, T: AsRef<[u8]> + ?Sized + 'e>(elements: &'e [E], get: impl Fn(&'e E) -> &'e T) -> Vec<&'e [u8]> {
    elements.iter().map(|element| get(element).as_ref()).collect()
}

/// Two addresses that cannot be listened on both: equal, or one of them is every address at the same port.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port() && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}

/// The positions of values that repeat an earlier one, each with that one's.
pub(super) fn repeats(values: &[&[u8]]) -> Vec<(usize, usize)> {
    let mut firsts = HashMap::with_capacity_and_hasher(values.len(), Seed::default());
    let repeat = |(index, value)| {
        let first = *firsts.entry(value).or_insert(index);
        (first != index).then_some((index, first))
    };
    values.iter().enumerate().filter_map(repeat).collect()
}
