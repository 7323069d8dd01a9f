//! How values of the file are spelt in Envoy's configuration and in messages.

use std::{net::IpAddr, time::Duration};

use dragoman_core::config::BaseUrl;

/// A protobuf duration in JSON: seconds with a fraction where there is one.
pub(super) fn seconds(duration: Duration) -> String {
    let (whole, nanos) = (duration.as_secs(), duration.subsec_nanos());
    if nanos == 0 { format!("{whole}s") } else { format!("{whole}.{nanos:09}s") }
}

/// The base URL's scheme, host and port; the port only where it is not the scheme's own.
#[must_use]
pub fn origin(url: &BaseUrl) -> String {
    format!("{}://{}", scheme(url.tls), url.authority())
}

pub(super) const fn scheme(tls: bool) -> &'static str {
    if tls { "https" } else { "http" }
}

/// The host as an address literal, if it is one.
pub(super) fn literal(url: &BaseUrl) -> Option<IpAddr> {
    url.host.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_protobuf_json() {
        assert_eq!(seconds(Duration::from_mins(10)), "600s");
        assert_eq!(seconds(Duration::from_millis(250)), "0.250000000s");
    }

    #[test]
    fn an_origin_names_the_port_only_where_it_is_unusual() {
        let url =
            |tls, host: &str, port| BaseUrl { tls, host: host.into(), port, path: String::new(), api_version: None };
        assert_eq!(origin(&url(true, "api.openai.com", 443)), "https://api.openai.com");
        assert_eq!(origin(&url(false, "::1", 11434)), "http://[::1]:11434");
    }
}
