//! The smaller kinds of text: names, addresses, hashes, headers, secrets, sizes.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{
    form::{Bare, Parsed, whole},
    raw::EnvoyAdmin,
};
use crate::hex;

/// First path segments that mean something else on the ingress, and could not be told from a provider.
const RESERVED: [&str; 18] = [
    "v1",
    "router",
    "ai",
    "health",
    "ready",
    "admin",
    "console",
    "mcp",
    "chat",
    "completions",
    "responses",
    "messages",
    "embeddings",
    "images",
    "audio",
    "files",
    "models",
    "moderations",
];

/// Headers that frame the message or name its receiver: the gateway sets them itself.
const FRAMING: [&str; 9] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "proxy-connection",
];

const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
/// A body is held in the memory of a worker's module while it is read.
const LARGEST_BYTES: u64 = 1 << 30;

/// Any text.
pub(super) const TEXT: Parsed<String> = Parsed {
    what: "text",
    bare: Bare::Nothing,
    secret: false,
    parse: |text| Ok(text.to_owned()),
    print: String::clone,
    stand_in: String::new,
};

/// Text that stands in logs and metrics.
pub(super) const LABEL: Parsed<String> = Parsed {
    what: "1 to 128 characters on one line",
    parse: |text| match text.chars().count() {
        1..=128 if !text.chars().any(char::is_control) => Ok(text.to_owned()),
        _ => Err("is empty, too long or has control characters"),
    },
    ..TEXT
};

/// The name of a provider, where it is defined.
pub(super) const PROVIDER_NAME: Parsed<String> = Parsed {
    what: "1 to 32 of a-z, 0-9, _ and -, starting with a letter or digit",
    parse: |text| {
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
        if !(1..=32).contains(&text.len()) || !text.bytes().all(is_allowed) || text.starts_with(['_', '-']) {
            Err("is not a provider's name")
        } else if RESERVED.contains(&text) {
            Err("is reserved: it would hide a path of the gateway")
        } else {
            Ok(text.to_owned())
        }
    },
    ..TEXT
};

/// A file.
pub(super) const FILE: Parsed<String> = Parsed {
    what: "a file's path",
    parse: |text| {
        if text.is_empty() || text.contains('\0') { Err("is not a path") } else { Ok(text.to_owned()) }
    },
    ..TEXT
};

/// A glob over model names.
pub(super) const MODEL_GLOB: Parsed<String> = Parsed {
    what: "a model or a pattern such as gpt-4o* or anthropic/*",
    parse: |text| {
        if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            Err("is empty or has spaces")
        } else {
            Ok(text.to_owned())
        }
    },
    ..TEXT
};

/// A glob over the values of something in a request.
pub(super) const PATTERN: Parsed<String> = Parsed {
    what: "a pattern such as /v1/*",
    parse: |text| {
        if text.is_empty() || text.chars().any(char::is_control) {
            Err("is empty or has control characters")
        } else {
            Ok(text.to_owned())
        }
    },
    ..TEXT
};

/// A model by name, or an alias.
pub(super) const MODEL: Parsed<String> = Parsed {
    what: "a model such as gpt-4o or anthropic/claude-sonnet-4-5",
    parse: |text| match (MODEL_GLOB.parse)(text) {
        Ok(model) if model.contains('*') => Err("is a pattern; one model is named here"),
        // What a request can ask for.
        Ok(model) if model.len() > 256 || !model.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err("is not 1 to 256 ASCII characters")
        }
        other => other,
    },
    ..TEXT
};

/// A model of one provider.
pub(super) const CATALOGUE_NAME: Parsed<String> = Parsed {
    what: "provider/model",
    parse: |text| match text.split_once('/') {
        Some((provider, model)) if !provider.is_empty() && !model.is_empty() => (MODEL.parse)(text),
        _ => Err("does not say whose model it is"),
    },
    ..TEXT
};

/// Another name for models.
pub(super) const ALIAS: Parsed<String> = Parsed {
    what: "a name without spaces, other than auto",
    parse: |text| match text {
        "auto" => Err("is reserved: the gateway chooses the model then"),
        _ => (MODEL.parse)(text),
    },
    ..TEXT
};

/// The name of a router, a segment of the path.
pub(super) const ROUTER_NAME: Parsed<String> = Parsed {
    what: "1 to 12 of A-Z, a-z, 0-9, _ and -",
    parse: |text| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if (1..=12).contains(&text.len()) && text.bytes().all(is_allowed) {
            Ok(text.to_owned())
        } else {
            Err("is not a router's name")
        }
    },
    ..TEXT
};

/// Where a web page comes from, as browsers say it.
pub(super) const ORIGIN: Parsed<String> = Parsed {
    what: "an origin such as https://app.example.com, or *",
    parse: |text| {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let is_host = |host: &str| !host.is_empty() && !host.contains(['/', '?', '#', '@', '*']);
        if text == "*" || host.is_some_and(is_host) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(text.to_ascii_lowercase())
        } else {
            Err("is not an origin")
        }
    },
    ..TEXT
};

/// The name of an environment variable.
pub(super) const VARIABLE: Parsed<String> = Parsed {
    what: "the name of an environment variable",
    // Who writes the secret itself here must not find it in a log.
    secret: true,
    parse: |text| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if starts_well && text.bytes().all(is_allowed) { Ok(text.to_owned()) } else { Err("is no such name") }
    },
    ..TEXT
};

/// A secret, as it goes into a header.
pub(super) const SECRET: Parsed<String> = Parsed {
    what: "a secret of visible ASCII characters",
    secret: true,
    parse: |text| {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(text.to_owned())
        } else {
            Err("is empty or has other characters")
        }
    },
    ..TEXT
};

/// A header's name, made lower case.
pub(super) const HEADER_NAME: Parsed<String> = Parsed {
    what: "a header's name",
    parse: |text| {
        let name = text.to_ascii_lowercase();
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            Err("is not a header's name")
        } else if FRAMING.contains(&name.as_str()) {
            Err("is set by the gateway")
        } else {
            Ok(name)
        }
    },
    ..TEXT
};

/// A header's value. It may be a secret.
pub(super) const HEADER_VALUE: Parsed<String> = Parsed {
    what: "a header's value on one line",
    secret: true,
    parse: |text| {
        let is_allowed = |c: char| c == '\t' || !c.is_control();
        if text.chars().all(is_allowed) && text.trim().len() == text.len() {
            Ok(text.to_owned())
        } else {
            Err("has control characters, or spaces around it")
        }
    },
    ..TEXT
};

/// Where to listen.
pub(super) const ADDRESS: Parsed<SocketAddr> = Parsed {
    what: "an address and port such as 127.0.0.1:8080 or [::]:8080",
    bare: Bare::Nothing,
    secret: false,
    parse: parse_address,
    print: SocketAddr::to_string,
    stand_in: || SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
};

/// Where Envoy's own admin interface listens.
pub(super) const ENVOY_ADMIN: Parsed<EnvoyAdmin> = Parsed {
    what: "off, or an address and port such as 127.0.0.1:9901",
    bare: Bare::Off,
    secret: false,
    parse: |text| match text {
        "off" => Ok(EnvoyAdmin::Off),
        _ => parse_address(text).map(EnvoyAdmin::At),
    },
    print: |admin| match admin {
        EnvoyAdmin::At(address) => address.to_string(),
        EnvoyAdmin::Off | EnvoyAdmin::FreePort => "off".to_owned(),
    },
    stand_in: || EnvoyAdmin::Off,
};

/// SHA-256 of a client key. Who writes the key itself here must not find it in a log.
pub(super) const SHA256: Parsed<[u8; 32]> = Parsed {
    what: "the SHA-256 of the key, 64 hexadecimal digits (`dragoman key hash` prints it)",
    bare: Bare::Nothing,
    secret: true,
    parse: |text| hex::parse(text).ok_or("is not a SHA-256"),
    print: |hash| hex::print(hash),
    stand_in: || [0; 32],
};

/// A size in bytes.
pub(super) const SIZE: Parsed<u64> = Parsed {
    what: "a size such as 64MiB, 1KiB or 1024",
    bare: Bare::Number,
    secret: false,
    parse: parse_size,
    print: |size| {
        let fitting = SIZE_UNITS.iter().find(|(_, unit)| size.is_multiple_of(*unit));
        let (name, unit) = fitting.copied().unwrap_or(("B", 1));
        format!("{}{name}", size.checked_div(unit).unwrap_or(0))
    },
    stand_in: || LARGEST_BYTES,
};

fn parse_address(text: &str) -> Result<SocketAddr, &'static str> {
    let address: SocketAddr = text.parse().map_err(|_| "is not an address and port")?;
    if address.port() == 0 { Err("has port 0, which nobody could connect to") } else { Ok(address) }
}

fn parse_size(text: &str) -> Result<u64, &'static str> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.strip_prefix(digits).unwrap_or_default();
    let amount = whole(digits).ok_or("is not a size")?;
    let unit_bytes = match unit {
        "" => 1,
        _ => SIZE_UNITS.iter().find(|(name, _)| *name == unit).ok_or("has an unknown unit")?.1,
    };
    let bytes = amount.checked_mul(unit_bytes).filter(|bytes| *bytes <= LARGEST_BYTES).ok_or("is more than 1GiB")?;
    if bytes == 0 { Err("is nothing") } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refuses<T>(form: &Parsed<T>, texts: &[&str]) {
        for text in texts {
            assert!((form.parse)(text).is_err(), "{text:?} is taken for {}", form.what);
        }
    }

    #[test]
    fn a_provider_name_is_short_plain_and_not_a_path_of_the_gateway() {
        for name in ["openai", "0", "mesh-llama", "a_b", &"a".repeat(32)] {
            assert_eq!((PROVIDER_NAME.parse)(name), Ok(name.to_owned()));
        }
        refuses(&PROVIDER_NAME, &["", "-a", "_a", "Openai", "a.b", "a/b", "ü", "moderations", &"a".repeat(33)]);
        refuses(&PROVIDER_NAME, &RESERVED);
    }

    #[test]
    fn sizes_are_read_in_binary_units_or_bytes() {
        for (text, bytes) in [("64MiB", 67_108_864), ("1KiB", 1_024), ("1GiB", LARGEST_BYTES), ("17", 17), ("17B", 17)]
        {
            assert_eq!((SIZE.parse)(text), Ok(bytes), "{text}");
        }
        refuses(
            &SIZE,
            &["", "MiB", "0", "1MB", "1 MiB", "-1", "1.5MiB", "2GiB", "99999999999999999999", "9999999999999GiB"],
        );
    }

    #[test]
    fn a_hash_is_64_hexadecimal_digits_in_either_case() {
        assert_eq!((SHA256.parse)(&"aB".repeat(32)), Ok([0xab; 32]));
        assert_eq!((SHA256.print)(&[0x0a; 32]), "0a".repeat(32));
        refuses(&SHA256, &["", &"a".repeat(63), &"a".repeat(66), &"g0".repeat(32), &"é".repeat(32), &"+1".repeat(32)]);
    }

    #[test]
    fn an_address_has_a_port() {
        assert!((ADDRESS.parse)("[::1]:80").is_ok());
        refuses(&ADDRESS, &["", "127.0.0.1", "localhost:80", ":80", "127.0.0.1:0", "127.0.0.1:65536", "::1:80"]);
    }

    #[test]
    fn a_header_neither_splits_the_message_nor_frames_it() {
        assert_eq!((HEADER_NAME.parse)("OpenAI-Organization"), Ok("openai-organization".to_owned()));
        refuses(&HEADER_NAME, &["", ":authority", "a b", "a\r\nb", "Host", "Content-Length", "ä"]);
        refuses(&HEADER_VALUE, &["a\r\nb", "\0", " a", "a\n"]);
    }

    #[test]
    fn a_model_is_named_and_not_matched() {
        refuses(&MODEL, &["", "gpt-4o*", "a b"]);
        refuses(&CATALOGUE_NAME, &["gpt-4o", "/gpt-4o", "openai/", "openai/*"]);
        refuses(&ALIAS, &["auto", "a*"]);
        assert!((CATALOGUE_NAME.parse)("together/meta-llama/Llama-3.3-70B").is_ok());
    }

    #[test]
    fn a_router_is_a_short_segment_of_a_path() {
        assert!((ROUTER_NAME.parse)("Prod_2-eu").is_ok());
        refuses(&ROUTER_NAME, &["", "thirteen-long", "a.b", "a/b", "ä"]);
    }

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        assert_eq!((ORIGIN.parse)("https://App.example:8443").as_deref(), Ok("https://app.example:8443"));
        refuses(&ORIGIN, &["", "app.example", "https://", "https://a/b", "https://*.a", "https://a b", "ftp://a"]);
    }

    #[test]
    fn a_secret_fits_into_a_header() {
        refuses(&SECRET, &["", "a b", "a\n", "ä"]);
        refuses(&VARIABLE, &["", "1A", "A-B", "A B", "sk-123"]);
    }

    proptest! {
        #[test]
        fn every_size_is_printed_as_it_is_read(size in 1..=LARGEST_BYTES) {
            prop_assert_eq!((SIZE.parse)(&(SIZE.print)(&size)), Ok(size));
        }
    }
}
