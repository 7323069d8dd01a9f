//! The sections of what the gateway keeps: answers, records, and what it learns of its targets.

use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::time::Duration;

use super::{
    collection::List,
    fields::{Fields, Section},
    form::{Choice, Flag, Whole},
    number::{Decimal, RATIO},
    text::{FILE, LABEL, SIZE},
    time::TIMEOUT,
};

/// What is learnt of targets from live traffic, and what it may change.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Whether anything is learnt.
    pub enabled: bool,
    /// What may be changed.
    pub adjust: Adjust,
    /// The weight of what is new.
    pub alpha: Decimal,
    /// How often things change.
    pub interval: Duration,
    /// How many requests it takes.
    pub min_samples: u32,
    /// By how much of what was written.
    pub max_ratio: Decimal,
    /// Where it is kept.
    pub overrides: String,
}

/// What live traffic may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjust {
    /// The order of `auto` and `latency`.
    Auto,
    /// Weights as well.
    All,
    /// Nothing.
    Off,
}

/// The memory for answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cache {
    /// Of all, in bytes.
    pub max_bytes: u64,
    /// Of one, in bytes.
    pub max_entry: u64,
}

/// What is recorded of requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// How many of the last requests the console shows.
    pub ring: u32,
    /// What of their content.
    pub content: Content,
    /// How much of it, in bytes each.
    pub max_content: u64,
    /// Names of fields whose values are left out of it.
    pub redact: Vec<String>,
    /// The audit log.
    pub audit: Audit,
}

/// What content is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// None.
    None,
    /// That of requests.
    Request,
    /// That of answers.
    Response,
    /// That of both.
    Both,
}

/// The audit log: why each request went where it went, one JSON object a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// Whether it is written.
    pub enabled: bool,
    /// Where.
    pub path: String,
}

const ADJUST: Choice<Adjust> =
    Choice { first: ("auto", Adjust::Auto), rest: &[("all", Adjust::All), ("off", Adjust::Off)] };

const CONTENT: Choice<Content> = Choice {
    first: ("none", Content::None),
    rest: &[("request", Content::Request), ("response", Content::Response), ("both", Content::Both)],
};

impl Section for Policy {
    const NAME: &'static str = "policy";
    const DOC: &'static str = "What is learnt of targets from live traffic, and what it may change.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            enabled: fields.defaulted("enabled", &Flag, true, |policy| &policy.enabled, "Whether anything is learnt."),
            adjust: fields.defaulted(
                "adjust",
                &ADJUST,
                Adjust::Auto,
                |policy| &policy.adjust,
                "What may be changed: the order of `auto` and `latency` (auto), weights as well (all), or nothing (off).",
            ),
            alpha: fields.defaulted(
                "alpha",
                &RATIO,
                Decimal::thousandths(200),
                |policy| &policy.alpha,
                "The weight of what is new in the moving averages.",
            ),
            interval: fields.defaulted(
                "interval",
                &TIMEOUT,
                Duration::from_secs(30),
                |policy| &policy.interval,
                "How often things change.",
            ),
            min_samples: fields.defaulted(
                "min_samples",
                &Whole { min: 1, max: 1_000_000 },
                30,
                |policy| &policy.min_samples,
                "How many requests it takes.",
            ),
            max_ratio: fields.defaulted(
                "max_ratio",
                &RATIO,
                Decimal::thousandths(150),
                |policy| &policy.max_ratio,
                "By how much of what was written things may change at most.",
            ),
            overrides: fields.defaulted(
                "overrides",
                &FILE,
                "logs/router.runtime.overrides.yaml".to_owned(),
                |policy| &policy.overrides,
                "The file that keeps what was learnt.",
            ),
        }
    }
}

impl Section for Cache {
    const NAME: &'static str = "cache";
    const DOC: &'static str = "The memory for the answers that routers keep.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        let cache = Self {
            max_bytes: fields.defaulted("max_bytes", &SIZE, 64 << 20, |cache| &cache.max_bytes, "Of all answers."),
            max_entry: fields.defaulted("max_entry", &SIZE, 1 << 20, |cache| &cache.max_entry, "Of one answer."),
        };
        if cache.max_entry > cache.max_bytes && fields.is_sound("") {
            fields.report("/max_entry", "is more than `max_bytes`");
        }
        cache
    }
}

impl Section for Log {
    const NAME: &'static str = "log";
    const DOC: &'static str = "What is recorded of requests.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            ring: fields.defaulted(
                "ring",
                &Whole { min: 0, max: 100_000 },
                1000,
                |log| &log.ring,
                "How many of the last requests the console shows.",
            ),
            content: fields.defaulted(
                "content",
                &CONTENT,
                Content::None,
                |log| &log.content,
                "What of their content is kept beside, for the admin API.",
            ),
            max_content: fields.defaulted(
                "max_content",
                &SIZE,
                16 << 10,
                |log| &log.max_content,
                "How much of each; the rest is cut off.",
            ),
            redact: fields.many(
                "redact",
                &List(LABEL),
                |log| &log.redact,
                "Names of fields whose values are left out of the content.",
            ),
            audit: fields.section("audit", |log| &log.audit, "The audit log: why each request went where it went."),
        }
    }
}

impl Section for Audit {
    const NAME: &'static str = "audit";
    const DOC: &'static str = "The audit log: why each request went where it went, one JSON object a line.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            enabled: fields.defaulted("enabled", &Flag, false, |audit| &audit.enabled, "Whether it is written."),
            path: fields.defaulted(
                "path",
                &FILE,
                "logs/router_decisions.jsonl".to_owned(),
                |audit| &audit.path,
                "Its file, or `/dev/stdout`. In a mesh it is always standard output.",
            ),
        }
    }
}
