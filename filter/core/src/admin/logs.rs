//! `GET /admin/v1/logs`: the records of the last requests, the newest first; `GET /admin/v1/logs/{request_id}`: one of them.

use alloc::{string::String, vec::Vec};

use super::{Ask, misunderstood, parameters, unheeded};
use crate::{
    config::parse_date,
    error::{Error, Kind},
    json::{self, Composed},
    record::ring,
    step::Reply,
};

/// How many an answer has at most, and unless more are wanted.
const MOST: usize = 1_000;
const USUAL: usize = 100;

/// What a record must be.
#[derive(Debug, Default)]
struct Filter {
    /// Members and their values: one of the members must have it.
    texts: Vec<(&'static [&'static str], String)>,
    /// `429`, or `4xx`.
    status: Option<String>,
    since: Option<u64>,
    until: Option<u64>,
    most: Option<usize>,
}

/// The parameters that are texts, and which members they are about.
const TEXTS: &[(&str, &[&str])] = &[
    ("key", &["key"]),
    ("team", &["team"]),
    ("model", &["model", "gen_ai.request.model"]),
    ("provider", &["provider"]),
    ("router", &["router"]),
    ("outcome", &["outcome"]),
];

pub(super) fn answer(ask: Ask<'_>) -> Result<Reply, Error> {
    let all = ring::last(ask.around.observer.store(), ask.gateway.ring);
    if !ask.rest.is_empty() {
        let is_it = |text: &String| text_of(text, "request_id").is_some_and(|id| id == ask.rest);
        let found = all.into_iter().find(is_it);
        let unknown =
            || Error::new(Kind::NotFound, "There is no record of this request: it was none, or it is long ago.");
        return found.map(|text| Reply::json(200, text.into_bytes())).ok_or_else(unknown);
    }
    let filter = Filter::read(ask.query)?;
    let fitting = all.into_iter().filter(|text| filter.takes(text)).take(filter.most.unwrap_or(USUAL));
    let mut list = Composed::default();
    list.text("object", "list");
    list.list("data", fitting);
    Ok(Reply::json(200, list.end().into_bytes()))
}

impl Filter {
    fn read(query: &str) -> Result<Self, Error> {
        let mut filter = Self::default();
        let time = |name: &str, value: &str| {
            parse_date(value).map(Some).ok_or_else(|| misunderstood(name, "a time as `2026-11-23T10:00:00Z`"))
        };
        for (name, value) in parameters(query) {
            match name {
                "status" => filter.status = Some(value.to_ascii_lowercase()),
                "since" => filter.since = time(name, &value)?,
                "until" => filter.until = time(name, &value)?,
                "limit" => {
                    let most = value.parse().ok().filter(|most| (1..=MOST).contains(most));
                    filter.most = Some(most.ok_or_else(|| misunderstood(name, "a number from 1 to 1000"))?);
                }
                _ => {
                    let known = "key, team, model, provider, router, outcome, status, since, until and limit";
                    let text = TEXTS.iter().find(|(known, _)| *known == name);
                    let (_, members) = text.ok_or_else(|| unheeded(name, known))?;
                    filter.texts.push((members, value));
                }
            }
        }
        Ok(filter)
    }

    fn takes(&self, record: &str) -> bool {
        let has = |members: &[&str], value: &str| {
            members.iter().any(|member| text_of(record, member).is_some_and(|text| is_model(&text, value)))
        };
        let time = || text_of(record, "time").and_then(|time| parse_date(&time)).unwrap_or_default();
        self.texts.iter().all(|(members, value)| has(members, value))
            && self.status.as_ref().is_none_or(|status| is_status(record, status))
            && self.since.is_none_or(|since| time() >= since)
            && self.until.is_none_or(|until| time() < until)
    }
}

/// Whether a member is what is wanted; a model also by its name behind its provider's.
fn is_model(text: &str, wanted: &str) -> bool {
    text == wanted || text.split_once('/').is_some_and(|(_, model)| model == wanted)
}

fn is_status(record: &str, wanted: &str) -> bool {
    let Some(members) = json::members(record) else { return false };
    let status = json::member(&members, "status").map_or("", |status| status.get());
    match wanted.strip_suffix("xx") {
        Some(class) => status.len() == 3 && status.starts_with(class),
        None => status == wanted,
    }
}

/// A member of a record that is a text.
fn text_of(record: &str, name: &str) -> Option<String> {
    let members = json::members(record)?;
    serde_json::from_str(json::member(&members, name)?.get()).ok()
}
