//! Questions to a running Envoy over plain HTTP: its admin interface (an address or a Unix socket) and our own liveness.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};

/// Everything asked here is answered from memory.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Interface {
    Tcp(SocketAddr),
    Pipe(PathBuf),
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    body: Bytes,
}

impl Interface {
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, path).await
    }

    pub(super) async fn post(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::POST, path).await
    }

    async fn send(&self, method: Method, path: &str) -> anyhow::Result<Answer> {
        let exchange = async {
            match self {
                Self::Tcp(address) => exchange(TcpStream::connect(reachable(*address)).await?, method, path).await,
                Self::Pipe(socket) => exchange(UnixStream::connect(socket).await?, method, path).await,
            }
        };
        timeout(PATIENCE, exchange).await?
    }
}

async fn exchange<S>(stream: S, method: Method, path: &str) -> anyhow::Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "localhost")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    // Ends with the exchange; its errors are those of the request.
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    connection.abort();
    Ok(Answer { status, body })
}

/// An unspecified address listens everywhere but is nowhere to connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}

impl Answer {
    pub(super) fn is_ok(&self) -> bool {
        self.status == StatusCode::OK
    }

    /// The address of a listener by its name, from `/listeners?format=json`.
    pub(super) fn listener(&self, name: &str) -> Option<SocketAddr> {
        let listeners: Listeners = serde_json::from_slice(&self.body).ok()?;
        let found = listeners.listener_statuses.into_iter().find(|listener| listener.name == name)?;
        let SocketAddress { address, port_value } = found.local_address.socket_address;
        Some(SocketAddr::new(address, port_value))
    }

    /// The value of the only statistic of a `/stats?filter=` answer.
    pub(super) fn statistic(&self) -> Option<u64> {
        Some(self.statistics().next()?.1)
    }

    /// The names and values of a `/stats?filter=` answer: `name: 3`, and `name: "3"` where the value is a text.
    pub(super) fn statistics(&self) -> impl Iterator<Item = (&str, u64)> {
        let lines = std::str::from_utf8(&self.body).unwrap_or_default().lines();
        lines.filter_map(|line| {
            let (name, value) = line.rsplit_once(": ")?;
            Some((name, value.trim_matches('"').parse().ok()?))
        })
    }
}

#[derive(Deserialize)]
struct Listeners {
    #[serde(default)]
    listener_statuses: Vec<Listener>,
}

#[derive(Deserialize)]
struct Listener {
    name: String,
    local_address: Address,
}

#[derive(Deserialize)]
struct Address {
    socket_address: SocketAddress,
}

#[derive(Deserialize)]
struct SocketAddress {
    address: IpAddr,
    port_value: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> Answer {
        Answer { status: StatusCode::OK, body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    #[test]
    fn a_listener_is_found_by_its_name() {
        let answer = answer(
            r#"{"listener_statuses":[
                {"name":"admin","local_address":{"socket_address":{"address":"127.0.0.1","port_value":9902}}},
                {"name":"ingress","local_address":{"socket_address":{"address":"::1","port_value":8080}}}]}"#,
        );
        assert_eq!(answer.listener("ingress"), Some("[::1]:8080".parse().unwrap()));
        assert_eq!(answer.listener("other"), None);
    }

    #[test]
    fn a_statistic_is_the_number_behind_its_name() {
        assert_eq!(answer("http.ingress.downstream_rq_active: 3\n").statistic(), Some(3));
        assert_eq!(answer("").statistic(), None);
        let several = answer("a.b: 1\na.c: \"2\"\nno number: x\nno text: \"\"\n");
        assert_eq!(several.statistics().collect::<Vec<_>>(), [("a.b", 1), ("a.c", 2)]);
    }

    #[test]
    fn an_unspecified_address_is_reached_over_loopback() {
        assert_eq!(reachable("0.0.0.0:80".parse().unwrap()), "127.0.0.1:80".parse().unwrap());
        assert_eq!(reachable("[::]:80".parse().unwrap()), "[::1]:80".parse().unwrap());
        assert_eq!(reachable("10.0.0.1:80".parse().unwrap()), "10.0.0.1:80".parse().unwrap());
    }
}
