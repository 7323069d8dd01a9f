//! Rules of the strategy `rules`: what a request must be like, and where it then goes.

use alloc::{format, string::String, vec::Vec};

use super::{
    collection::{OneOrMany, Pairs},
    fields::{Fields, Nested, Section},
    form::{Bare, Flag, Parsed, Whole, whole},
    routing::{Target, TargetForm},
    text::{HEADER_NAME, LABEL, MODEL_GLOB, PATTERN},
};

/// Where a request goes that is like this.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What it must be like; all of it.
    pub when: When,
    /// Where it goes, tried in order.
    pub then: Vec<Target>,
}

/// What a request must be like. What is absent is not looked at.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct When {
    /// The model asked for matches one of these patterns.
    pub model: Vec<String>,
    /// Each of these headers has a value that matches its pattern.
    pub headers: Vec<(String, String)>,
    /// The key has each of these labels.
    pub labels: Vec<(String, String)>,
    /// The key's team.
    pub team: Option<String>,
    /// How many tokens the request is estimated at.
    pub estimated_tokens: Option<Bounds>,
    /// Whether it offers tools.
    pub has_tools: Option<bool>,
    /// Whether it holds images.
    pub has_images: Option<bool>,
    /// Whether the answer is streamed.
    pub stream: Option<bool>,
    /// The path matches this pattern.
    pub path: Option<String>,
    /// The time of day.
    pub time: Option<TimeSpan>,
}

/// The bounds of a number; each that is there holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// More than.
    pub gt: Option<u64>,
    /// At least.
    pub gte: Option<u64>,
    /// Less than.
    pub lt: Option<u64>,
    /// At most.
    pub lte: Option<u64>,
}

/// A span of each day in UTC, in minutes since midnight. It may go past midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSpan {
    /// Its first minute.
    pub from: u16,
    /// The minute after its last.
    pub to: u16,
}

const MINUTE_OF_DAY: Parsed<u16> = Parsed {
    what: "a time of day in UTC such as 06:30, in quotes",
    bare: Bare::Nothing,
    secret: false,
    parse: |text| match (text.len(), text.split_once(':').map(|(hour, minute)| (whole(hour), whole(minute)))) {
        (5, Some((Some(hour @ 0..24), Some(minute @ 0..60)))) => {
            u16::try_from(hour.saturating_mul(60).saturating_add(minute)).map_err(|_| "is no time of day")
        }
        _ => Err("is no time of day"),
    },
    print: |minutes| format!("{:02}:{:02}", minutes / 60, minutes % 60),
    stand_in: || 0,
};

impl Section for Rule {
    const NAME: &'static str = "rule";
    const DOC: &'static str = "Where a request goes that is like this.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            when: fields.required(
                "when",
                &Nested::new(),
                |rule| &rule.when,
                "What the request must be like: all that is written.",
            ),
            then: fields.required(
                "then",
                &OneOrMany(TargetForm),
                |rule| &rule.then,
                "Where it goes: a target, a list tried in order, or a strategy.",
            ),
        }
    }
}

impl Section for When {
    const NAME: &'static str = "when";
    const DOC: &'static str = "What a request must be like. What is not written is not looked at.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            model: fields.many(
                "model",
                &OneOrMany(MODEL_GLOB),
                |when| &when.model,
                "The model asked for: one pattern or several.",
            ),
            headers: fields.many(
                "headers",
                &Pairs { name: HEADER_NAME, value: PATTERN },
                |when| &when.headers,
                "Headers of the request, each with a pattern of its value.",
            ),
            labels: fields.many(
                "labels",
                &Pairs { name: LABEL, value: LABEL },
                |when| &when.labels,
                "Labels of the key, each with its value.",
            ),
            team: fields.optional("team", &LABEL, |when| when.team.as_ref(), "The key's team."),
            estimated_tokens: fields.optional(
                "estimated_tokens",
                &Nested::new(),
                |when| when.estimated_tokens.as_ref(),
                "How many tokens the request is estimated at.",
            ),
            has_tools: fields.optional("has_tools", &Flag, |when| when.has_tools.as_ref(), "Whether it offers tools."),
            has_images: fields.optional(
                "has_images",
                &Flag,
                |when| when.has_images.as_ref(),
                "Whether it holds images.",
            ),
            stream: fields.optional("stream", &Flag, |when| when.stream.as_ref(), "Whether the answer is streamed."),
            path: fields.optional("path", &PATTERN, |when| when.path.as_ref(), "A pattern of its path."),
            time: fields.optional("time", &Nested::new(), |when| when.time.as_ref(), "The time of day."),
        }
    }
}

impl Section for Bounds {
    const NAME: &'static str = "bounds";
    const DOC: &'static str = "Bounds of a number; each that is written holds.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        let any = Whole { min: 0, max: u64::MAX };
        let bounds = Self {
            gt: fields.optional("gt", &any, |bounds| bounds.gt.as_ref(), "More than this."),
            gte: fields.optional("gte", &any, |bounds| bounds.gte.as_ref(), "At least this."),
            lt: fields.optional("lt", &any, |bounds| bounds.lt.as_ref(), "Less than this."),
            lte: fields.optional("lte", &any, |bounds| bounds.lte.as_ref(), "At most this."),
        };
        let least = bounds.gt.map(|bound| bound.saturating_add(1)).max(bounds.gte);
        let most = [bounds.lt.map(|bound| bound.saturating_sub(1)), bounds.lte].into_iter().flatten().min();
        if most.is_some_and(|most| least.unwrap_or(0) > most) || bounds.lt == Some(0) {
            fields.report("", "no number is within these bounds");
        }
        bounds
    }
}

impl Section for TimeSpan {
    const NAME: &'static str = "time_span";
    const DOC: &'static str = "A span of each day in UTC. It may go past midnight.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        let span = Self {
            from: fields.required("from", &MINUTE_OF_DAY, |span| &span.from, "Its first minute."),
            to: fields.required("to", &MINUTE_OF_DAY, |span| &span.to, "The minute after its last."),
        };
        if span.from == span.to && fields.is_sound("") {
            fields.report("", "is empty: `from` and `to` are the same");
        }
        span
    }
}
