//! The configuration file on disk: YAML or JSON in, a checked [`Config`] or every problem out.
//!
//! The module reads JSON only, so the same parser runs in it and here; YAML is transcoded to JSON first. The transcoding
//! keeps the order of keys (providers are tried in the order written) and duplicates (which are reported), which is why it
//! does not go through `serde_json::Value`.

use std::{
    env,
    ffi::OsString,
    fmt,
    fs::File,
    io::{self, Read},
    path::Path,
};

use dragoman_core::config::{self, Config, Problem};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
    ser::{SerializeMap, SerializeSeq},
};
use serde_saphyr::budget::BudgetBreach;

use crate::{
    mistake::{BadFile, Mistake},
    pending,
    render::shared,
    variables::{self, Additions},
};

/// Hundreds of times the size of a large file. Each byte of it is in memory several times, and in the one of Envoy.
const MAX_MIB: usize = 16;
const MAX_BYTES: usize = MAX_MIB * 1024 * 1024;

/// What YAML may amount to, where aliases stand for what they name: a kilobyte of them can be gigabytes.
const MAX_VALUES: usize = 250_000;

/// As deep as the core reads.
const MAX_DEPTH: usize = 64;

/// What was read: the file's part and the environment's, and which is which.
#[derive(Debug)]
pub struct Document {
    /// Both together.
    pub config: Config,
    /// What of it is from the environment.
    pub additions: Additions,
}

/// Reads and checks `path`.
///
/// # Errors
/// When the file cannot be read, is neither YAML nor JSON, or has problems.
pub fn read(path: &Path) -> Result<Document, BadFile> {
    read_as(path, |text| parse(text, environment))
}

/// Reads `path` for a gateway that will run, or that is rendered.
///
/// # Errors
/// As [`read`], and when the gateway does not do yet what the file relies on.
pub fn read_to_run(path: &Path) -> Result<Document, BadFile> {
    read_as(path, parse_to_run)
}

/// Checks the text of a file for a gateway that will run.
///
/// # Errors
/// With every mistake found.
pub fn parse_to_run(text: &str) -> Result<Document, Vec<Mistake>> {
    let document = parse(text, environment)?;
    let mut problems = pending::refuse(&document.config).err().unwrap_or_default();
    problems.extend(shared::mistakes(&document.config));
    if !problems.is_empty() {
        return Err(document.additions.explain_all(problems));
    }
    Ok(document)
}

fn read_as(path: &Path, parse: fn(&str) -> Result<Document, Vec<Mistake>>) -> Result<Document, BadFile> {
    let text = File::open(path).map_err(|error| error.to_string()).and_then(text);
    let text = text.map_err(|reason| vec![Mistake::whole(reason)]);
    text.and_then(|text| parse(&text)).map_err(|mistakes| BadFile { path: path.to_owned(), mistakes })
}

/// The text of a file, or why there is none. What is too large is not read to its end, which a device may not have.
pub(crate) fn text(file: impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(|error: io::Error| error.to_string())?;
    if bytes.len() > MAX_BYTES {
        return Err(format!("the file is larger than {MAX_MIB} MiB, and no more is read"));
    }
    String::from_utf8(bytes).map_err(|_| "the file is not UTF-8".to_owned())
}

fn environment(variable: &str) -> Option<OsString> {
    env::var_os(variable)
}

/// Checks the text of a file, with what the environment says besides.
///
/// # Errors
/// With every mistake found.
pub fn parse(text: &str, environment: impl Fn(&str) -> Option<OsString>) -> Result<Document, Vec<Mistake>> {
    let mistakes = variables::mistakes(&environment);
    let (settings, keys) = (variables::settings(&environment), variables::keys(&environment));
    let mut additions = Additions::default();
    // JSON that nothing is added to is read as it is written.
    let is_plain = settings.is_empty() && keys.is_empty();
    let read = if is_plain && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
        config::parse(text)
    } else {
        let mut node = read_node(text).map_err(|reason| vec![Mistake::whole(reason)])?;
        additions = variables::lay_over(&mut node, settings, keys);
        let json = serde_json::to_string(&node).map_err(|error| vec![Mistake::whole(error.to_string())])?;
        config::parse(&json)
    };
    match read {
        Ok(config) if mistakes.is_empty() => Ok(Document { config, additions }),
        read => {
            let problems = read.err().unwrap_or_default();
            Err(additions.explain_all(problems).into_iter().chain(mistakes).collect())
        }
    }
}

fn read_node(text: &str) -> Result<Node, String> {
    if let Ok(node) = serde_json::from_str(text) {
        return Ok(node);
    }
    // The parser's error excerpts are off: they would print the lines around the mistake, credentials included.
    // Duplicate keys pass, for the checker to name them like any other problem.
    let options = serde_saphyr::options! {
        with_snippet: false,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_nodes: MAX_VALUES },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| explain(&error))
}

/// The parser speaks of its own limits and functions where a file exceeds them; its syntax errors are about the file.
fn explain(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    let said = error.to_string();
    let cause = if let Error::AliasError { error: cause, .. } = error { cause } else { error };
    // The scanner has a limit of its own, and may come to it before depth is counted.
    let is_too_deep = matches!(cause, Error::Budget { breach: BudgetBreach::Depth { .. }, .. })
        || matches!(cause, Error::ExternalMessage { .. }) && said.starts_with("recursion limit exceeded");
    let is_too_much = matches!(
        cause,
        Error::Budget { .. }
            | Error::AliasReplayCounterOverflow { .. }
            | Error::AliasReplayLimitExceeded { .. }
            | Error::AliasExpansionLimitExceeded { .. }
            | Error::AliasReplayStackDepthExceeded { .. }
    );
    let message = if is_too_deep {
        format!("nested deeper than {MAX_DEPTH} levels")
    } else if is_too_much {
        format!(
            "larger than a configuration can be: more than {MAX_VALUES} values, or aliases (`*name`) that lead to as many"
        )
    } else if matches!(cause, Error::MultipleDocuments { .. }) {
        "a second document begins, and one is read".to_owned()
    } else {
        return said;
    };
    match error.location() {
        Some(location) => format!("{message}, at line {} column {}", location.line(), location.column()),
        None => message,
    }
}

/// The effective document, as YAML: all defaults filled in, in the order of the reference.
///
/// # Errors
/// When the writer refuses a value.
pub fn effective(config: &Config) -> anyhow::Result<String> {
    let node: Node = serde_json::from_str(&config::to_json(config))?;
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false, min_fold_chars: 0 };
    Ok(serde_saphyr::to_string_with_options(&node, options)?)
}

/// Checks a file again that was changed after it was read, by the command line.
///
/// # Errors
/// With every problem that the change brought.
pub fn recheck(changed: &Config) -> Result<Config, Vec<Problem>> {
    config::parse(&config::to_json(changed))
}

/// A field's name may be written `base_url` or `base-url`.
pub(crate) fn same_name(written: &str, name: &str) -> bool {
    written.replace('-', "_") == name
}

/// A YAML value that remembers its keys as they were written.
pub(crate) enum Node {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Signed(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Node::Map(map))
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Unsigned(value) => serializer.serialize_u64(*value),
            Self::Signed(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                entries.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
        }
    }
}
