//! Arbitrary configurations: any that the reader accepts, so that none may come back changed.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use proptest::prelude::*;

use super::super::{
    Account, Auth, AuthMode, BaseUrl, Config, Credential, EnvoyAdmin, Key, Listen, Provider, Retry, Timeouts, Tls,
    check, parse, text,
};

use super::MINIMAL;
use crate::secret::Secret;

fn are_unique<'v>(values: impl Iterator<Item = &'v [u8]>) -> bool {
    check::repeats(&values.collect::<Vec<_>>()).is_empty()
}

fn name() -> impl Strategy<Value = String> {
    "[a-z0-9]{2}[a-z0-9_-]{0,8}".prop_filter("reserved", |name| (text::PROVIDER_NAME.parse)(name).is_ok())
}

fn label() -> impl Strategy<Value = String> {
    "[^\\p{Cc}]{1,20}"
}

fn address(port: u16) -> impl Strategy<Value = SocketAddr> {
    prop_oneof![Just([127, 0, 0, 1].into()), any::<[u16; 8]>().prop_map(Into::into)]
        .prop_map(move |ip: IpAddr| SocketAddr::new(ip, port))
}

fn duration() -> impl Strategy<Value = Duration> {
    (1..=31_622_400_000_u64).prop_map(Duration::from_millis)
}

fn credential() -> impl Strategy<Value = Credential> {
    prop_oneof![
        "[A-Z_][A-Z0-9_]{0,8}".prop_map(Credential::Env),
        "[!-~]{1,40}".prop_map(|text| Credential::Value(Secret::new(text)))
    ]
}

fn account() -> impl Strategy<Value = Account> {
    prop_oneof![
        proptest::option::of(credential()).prop_map(|credential| (credential, AuthMode::ApiKey)),
        Just((None, AuthMode::None))
    ]
    .prop_flat_map(|(credential, auth)| label().prop_map(move |name| Account::new(&name, credential.clone(), auth)))
}

fn base_url() -> impl Strategy<Value = BaseUrl> {
    let host = prop_oneof!["[a-z]{1,9}(\\.[a-z]{2,4}){0,2}", any::<Ipv6Addr>().prop_map(|ip| ip.to_string())];
    (any::<bool>(), host, 1..=u16::MAX, "(/[A-Za-z0-9]{1,5}){0,2}").prop_map(|(tls, host, port, path)| BaseUrl {
        tls,
        host,
        port,
        path,
        api_version: None,
    })
}

fn some_provider() -> impl Strategy<Value = Provider> {
    let timeouts = [duration(), duration(), duration(), duration()]
        .prop_map(|[first_byte, idle, total, flex]| Timeouts { first_byte, idle, total, flex });
    let accounts = proptest::collection::vec(account(), 1..4)
        .prop_filter("repeated names", |accounts| are_unique(accounts.iter().map(|account| account.name.as_bytes())));
    let headers = proptest::collection::btree_map("x-[a-z0-9]{1,8}", credential(), 0..3);
    (name(), base_url(), accounts, timeouts, headers).prop_map(|(name, base_url, accounts, timeouts, headers)| {
        Provider {
            name,
            kind: crate::provider::FIRST.1,
            base_url,
            cluster: None,
            upstream_filter: None,
            dialect: None,
            stream_usage: Some(crate::config::StreamUsage::Never),
            responses: Some(crate::config::SpokenResponses::Spoken),
            accounts,
            timeouts,
            headers: headers.into_iter().collect(),
            enabled: true,
            environment: None,
            is_elsewhere: false,
        }
    })
}

fn some_key() -> impl Strategy<Value = Key> {
    let models = proptest::option::of(proptest::collection::vec("[a-z0-9*.-]{1,12}|[*]/[a-z0-9*.-]{1,9}", 0..3));
    let times = (proptest::option::of(0..1_000_000_000_u64), proptest::option::of(1_000_000_000..253_402_300_800_u64));
    (label(), label(), any::<[u8; 32]>(), ".{0,20}", models, times, any::<bool>()).prop_map(
        |(id, name, sha256, description, models, (not_before, expires), enabled)| Key {
            id,
            name,
            sha256,
            description,
            providers: None,
            models,
            not_before,
            expires,
            enabled,
            ..Key::default()
        },
    )
}

pub(super) fn config() -> impl Strategy<Value = Config> {
    let admin = prop_oneof![Just(EnvoyAdmin::FreePort), Just(EnvoyAdmin::Off), address(3).prop_map(EnvoyAdmin::At)];
    let listen =
        (address(1), address(2), 1..=1024_u32, admin).prop_map(|(address, admin, concurrency, envoy_admin)| Listen {
            address,
            admin,
            concurrency,
            envoy_admin,
            cors: None,
        });
    let providers = proptest::collection::vec(some_provider(), 1..4).prop_filter("repeated names", |providers| {
        are_unique(providers.iter().map(|provider| provider.name.as_bytes()))
    });
    let keys = proptest::collection::vec(some_key(), 0..4).prop_filter("repeated keys", |keys| {
        are_unique(keys.iter().map(|key| key.id.as_bytes())) && are_unique(keys.iter().map(|key| key.sha256.as_slice()))
    });
    let retry = (proptest::collection::vec(400..=599_u16, 0..4), duration()).prop_map(|(statuses, deadline)| Retry {
        statuses,
        deadline,
        ..Retry::default()
    });
    let ca_file = proptest::option::of("[^\\x00]{1,20}");
    (listen, ca_file, providers, any::<bool>(), keys, retry, 1..=(1_u64 << 30)).prop_map(
        |(listen, ca_file, mut providers, required, mut keys, retry, max_body)| {
            let names: Vec<String> = providers.iter().map(|provider| provider.name.clone()).collect();
            if let Some(key) = keys.first_mut() {
                key.providers = Some(names);
            }
            if let [_, second, ..] = providers.as_mut_slice() {
                second.enabled = false;
            }
            Config {
                listen,
                tls: Tls { ca_file },
                providers,
                auth: Auth { required: Some(required), jwt: None },
                keys,
                retry,
                max_body,
                ..parse(MINIMAL).unwrap()
            }
        },
    )
}
