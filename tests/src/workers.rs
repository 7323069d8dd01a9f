//! Which of Envoy's workers has a connection, so that "on every worker" is proven and not only likely.
//!
//! The kernel deals connections out to the workers by a hash. A dozen connections miss one of two workers in one run of two
//! thousand, and no test notices: it passes. Envoy tells nobody who took one, neither in a header nor in its log, and its
//! statistics of each worker count what other tests do at the same time. But a worker waits for the sockets of its own
//! connections in one place, an epoll instance, and the kernel tells what each of those watches.

use crate::http::Connection;
use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a worker may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(30);
/// As many miss one of two workers in one run of 2^63.
const MOST_CONNECTIONS: usize = 64;

/// A connection to each of `count` workers of Envoy.
///
/// # Panics
/// When some worker gets none.
#[track_caller]
pub(crate) fn connect(envoy: u32, to: SocketAddr, count: u64) -> Vec<Connection> {
    let process = PathBuf::from(format!("/proc/{envoy}"));
    let mut connections = BTreeMap::new();
    for _ in 0..MOST_CONNECTIONS {
        let connection = Connection::open(to).expect("the gateway takes connections");
        let worker = wait_for_worker(&process, connection.own_address().expect("a connection has two ends"));
        connections.entry(worker).or_insert(connection);
        if u64::try_from(connections.len()) == Ok(count) {
            return connections.into_values().collect();
        }
    }
    panic!("{MOST_CONNECTIONS} connections went to {} of {count} workers", connections.len());
}

#[track_caller]
fn wait_for_worker(process: &Path, client: SocketAddr) -> u32 {
    let begun = Instant::now();
    loop {
        if let Some(worker) = worker(process, client) {
            return worker;
        }
        assert!(begun.elapsed() < PATIENCE, "no worker has taken the connection of {client}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The descriptor of the epoll instance that watches the process's end of a client's connection.
fn worker(process: &Path, client: SocketAddr) -> Option<u32> {
    let sockets = fs::read_to_string(process.join("net/tcp")).ok()?;
    let inode = sockets.lines().find_map(|line| accepted(line, client))?;
    let link = PathBuf::from(format!("socket:[{inode}]"));
    let socket = descriptors(&process.join("fd")).find(|(_, path)| fs::read_link(path).is_ok_and(|to| to == link))?;
    let entry = format!("tfd:{:>9} ", socket.0);
    let holds =
        |path: &Path| fs::read_to_string(path).is_ok_and(|text| text.lines().any(|line| line.starts_with(&entry)));
    descriptors(&process.join("fdinfo")).find(|(_, path)| holds(path)).map(|(descriptor, _)| descriptor)
}

/// The entries of a folder that are named by a descriptor.
fn descriptors(folder: &Path) -> impl Iterator<Item = (u32, PathBuf)> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
}

/// The inode of the socket in this line of `/proc/PID/net/tcp`, if it is the other end of the client's connection. It is 0
/// until the connection is accepted.
fn accepted(line: &str, client: SocketAddr) -> Option<&str> {
    let mut columns = line.split_whitespace().skip(2);
    (address(columns.next()?)? == client).then_some(())?;
    columns.nth(6).filter(|inode| *inode != "0")
}

/// The address, of which the kernel writes the bytes in memory as one number, and the port as it is.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let address = u32::from_str_radix(address, 16).ok()?.to_ne_bytes();
    Some(SocketAddr::from((Ipv4Addr::from(address), u16::from_str_radix(port, 16).ok()?)))
}
