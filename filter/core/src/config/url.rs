//! Base URLs: strict, because the renderer makes clusters of them and the module makes paths.
//!
//! Not the WHATWG parser, which repairs what it does not understand: here a URL that would need repair is a problem. What is
//! accepted is normal already but for the case of scheme and host, a written default port and trailing slashes.

use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
};
use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{
    form::{Bare, Parsed, whole},
    raw::BaseUrl,
};

/// A base URL.
pub(super) const BASE_URL: Parsed<BaseUrl> = Parsed {
    what: "a URL such as https://api.openai.com/v1",
    bare: Bare::Nothing,
    secret: true,
    parse: parse_base_url,
    print: BaseUrl::to_string,
    stand_in: || BaseUrl { tls: true, host: String::new(), port: 443, path: String::new(), api_version: None },
};

/// The URL of a document: its path is taken as it is written, with its query.
pub(super) const KEYS_URL: Parsed<BaseUrl> = Parsed {
    what: "a URL such as https://issuer.example/keys.json",
    parse: |text| {
        let (address, query) = text.split_once('?').map_or((text, None), |(address, query)| (address, Some(query)));
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte);
        if !query.unwrap_or_default().bytes().all(is_allowed) {
            return Err("has a query with invalid characters");
        }
        let mut url = parse_base_url(address)?;
        if address.ends_with('/') {
            url.path.push('/');
        }
        url.path.extend(query.into_iter().flat_map(|query| ["?", query]));
        Ok(url)
    },
    ..BASE_URL
};

impl BaseUrl {
    /// Whether it leads to this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        address.map_or(self.host == "localhost", |address| address.is_loopback())
    }

    /// `host`, or `host:port` where the port is not the scheme's own: what `:authority` says.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { alloc::format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == default_port(self.tls) { host } else { alloc::format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.tls { "https" } else { "http" }, self.authority(), self.path)?;
        self.api_version.as_ref().map_or(Ok(()), |version| write!(f, "?{API_VERSION}{version}"))
    }
}

/// The one query that a base URL may have: Azure's.
const API_VERSION: &str = "api-version=";

fn parse_base_url(text: &str) -> Result<BaseUrl, &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or("has no scheme")?;
    let tls = match scheme {
        scheme if scheme.eq_ignore_ascii_case("https") => true,
        scheme if scheme.eq_ignore_ascii_case("http") => false,
        _ => return Err("is neither http nor https"),
    };
    if rest.contains('#') {
        return Err("has a fragment");
    }
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("holds a user name or password");
    }
    let (host, port) = split_port(authority)?;
    Ok(BaseUrl {
        tls,
        host: parse_host(host)?,
        port: port.map_or_else(|| Ok(default_port(tls)), parse_port)?,
        path: parse_path(path)?,
        api_version: query.map(parse_api_version).transpose()?,
    })
}

fn parse_api_version(query: &str) -> Result<String, &'static str> {
    let version = query.strip_prefix(API_VERSION).ok_or("has a query other than `api-version`")?;
    let is_version = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_version { Ok(version.to_owned()) } else { Err("has an invalid `api-version`") }
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    let host_end = match authority.rfind(']') {
        Some(bracket) => bracket.saturating_add(1),
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at_checked(host_end).ok_or("has no host")?;
    match rest.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if rest.is_empty() => Ok((host, None)),
        None => Err("has something between host and port"),
    }
}

fn parse_host(host: &str) -> Result<String, &'static str> {
    if let Some(rest) = host.strip_prefix('[') {
        let literal = rest.strip_suffix(']').and_then(|literal| literal.parse::<Ipv6Addr>().ok());
        return literal.map(|literal| literal.to_string()).ok_or("has no valid IPv6 address between its brackets");
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A last label of digits makes it an address, and other readers take 127.1 or 0177.0.0.1 for one, too.
    let is_address = host.rsplit('.').next().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    match host {
        "" => Err("has no host"),
        _ if host.len() > 253 || !host.split('.').all(is_label) => Err("has an invalid host name"),
        _ if is_address && host.parse::<Ipv4Addr>().is_err() => Err("has an invalid IPv4 address"),
        _ => Ok(host.to_ascii_lowercase()),
    }
}

fn parse_port(port: &str) -> Result<u16, &'static str> {
    let port = whole(port).and_then(|port| u16::try_from(port).ok());
    port.filter(|port| *port != 0).ok_or("has an invalid port")
}

fn parse_path(path: &str) -> Result<String, &'static str> {
    let path = path.trim_end_matches('/');
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&byte);
    if !path.bytes().all(is_allowed) {
        return Err("has a path with invalid characters");
    }
    let escapes = path.split('%').skip(1);
    if !escapes.clone().all(|rest| rest.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))) {
        return Err("has an invalid escape in its path");
    }
    if path.split('/').skip(1).any(|segment| matches!(segment, "" | "." | "..")) {
        return Err("has an empty or dotted path segment");
    }
    Ok(path.to_owned())
}

const fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn urls_are_split() {
        for (text, tls, host, port, path) in [
            ("https://api.openai.com/v1", true, "api.openai.com", 443, "/v1"),
            ("http://127.0.0.1:11434", false, "127.0.0.1", 11434, ""),
            ("HTTPS://API.Example.COM:8443/Base/v1//", true, "api.example.com", 8443, "/Base/v1"),
            ("http://[::1]:8000/v1", false, "::1", 8000, "/v1"),
            ("http://[2001:DB8:0:0:0:0:0:1]", false, "2001:db8::1", 80, ""),
            ("http://llama_1.models.svc:80/", false, "llama_1.models.svc", 80, ""),
            ("http://h/openai/deployments/a%20b", false, "h", 80, "/openai/deployments/a%20b"),
        ] {
            let expected = BaseUrl { tls, host: host.to_owned(), port, path: path.to_owned(), api_version: None };
            assert_eq!(parse_base_url(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_would_need_repair_is_refused() {
        for text in [
            "",
            "api.openai.com",
            "//h",
            "ftp://h",
            "https://",
            "https:///v1",
            "https://:443",
            "http://h:",
            "http://h:0",
            "http://h:65536",
            "http://h:+80",
            "http://h:80:80",
            "http://u:p@h",
            "http://h?q",
            "http://h#f",
            "http://h/a?b",
            "http://::1",
            "http://[::1",
            "http://[::1]x",
            "http://[fe80::1%25eth0]",
            "http://127.1",
            "http://1.2.3.256",
            "http://0177.0.0.1",
            "http://a..b",
            "http://h.",
            "http://-h",
            "http://h h",
            "http://h/a b",
            "http://h//a",
            "http://h/../a",
            "http://h/./a",
            "http://h/%zz",
            "http://h/%2",
            "http://h\\a",
            "http://bücher.example",
            " http://h",
        ] {
            assert!(parse_base_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_authority_names_only_an_unusual_port() {
        for (text, authority) in [("https://h:443", "h"), ("https://h:80", "h:80"), ("http://[::1]:81", "[::1]:81")] {
            assert_eq!(parse_base_url(text).unwrap().authority(), authority);
        }
    }

    proptest! {
        #[test]
        fn a_url_is_printed_as_it_is_read(host in "[a-z][a-z0-9]{0,9}(\\.[a-z]{1,5}){0,3}|\\[::[1-9]\\]", port in 1..=u16::MAX,
                path in "(/[a-zA-Z0-9_-]{1,8}){0,3}", tls: bool) {
            let text = format!("{}://{host}:{port}{path}", if tls { "https" } else { "http" });
            let url = parse_base_url(&text).unwrap();
            prop_assert_eq!(parse_base_url(&format!("{url}")), Ok(url));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(https?://)?.*") {
            let _ = parse_base_url(&text);
        }
    }
}
