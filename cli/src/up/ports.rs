//! A taken port is named before anything starts.
//!
//! Envoy's own listeners share their port between workers (`SO_REUSEPORT`), so a second Envoy on it is no error: it takes
//! half of the connections. Binding without that option notices.

use std::net::{IpAddr, SocketAddr, TcpListener};

use anyhow::Context;
use dragoman_core::config::{EnvoyAdmin, Listen};

pub(super) fn require_free(listen: &Listen) -> anyhow::Result<()> {
    let envoy_admin = match listen.envoy_admin {
        EnvoyAdmin::At(address) => Some(("listen.envoy_admin", address)),
        EnvoyAdmin::FreePort | EnvoyAdmin::Off => None,
    };
    let wanted = [("listen.address", listen.address), ("listen.admin", listen.admin)].into_iter().chain(envoy_admin);
    // Kept until all are bound, so that one port written twice is noticed too.
    let held = wanted.map(|(name, address)| bind(name, address)).collect::<anyhow::Result<Vec<_>>>()?;
    drop(held);
    Ok(())
}

/// A port that is free now, for `--port 0`. The module's configuration names the port, so it is not left to Envoy.
pub(super) fn pick(ip: IpAddr) -> anyhow::Result<u16> {
    Ok(bind("listen.address", SocketAddr::new(ip, 0))?.local_addr()?.port())
}

fn bind(name: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| format!("{name} {address} cannot be used"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(address: SocketAddr, admin: SocketAddr) -> Listen {
        Listen { address, admin, concurrency: 1, envoy_admin: EnvoyAdmin::FreePort, cors: None }
    }

    #[test]
    fn a_taken_port_is_named_with_its_setting() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = require_free(&listen("127.0.0.1:0".parse().unwrap(), address)).unwrap_err();
        assert!(error.to_string().contains(&format!("listen.admin {address}")), "{error}");
    }

    #[test]
    fn one_port_for_two_listeners_is_refused() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(require_free(&listen(free, free)).is_err());
        assert!(require_free(&listen(free, "127.0.0.1:0".parse().unwrap())).is_ok());
    }
}
