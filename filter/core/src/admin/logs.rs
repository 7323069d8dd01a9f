//! `GET /admin/v1/logs`: the records of the last requests, the newest first; `GET /admin/v1/logs/{request_id}`: one of them.

use alloc::{string::String, vec::Vec};

use serde_json::value::RawValue;

use super::{Ask, misunderstood, parameters, unheeded, usage::chosen};
use crate::{
    config::parse_date,
    error::{Error, Kind},
    json::{self, Composed, Str},
    record::{Outcome, ring},
    step::Reply,
};

/// How many an answer has at most, and unless more are wanted.
const MOST: usize = 1_000;
const USUAL: usize = 100;

/// What a record must be.
#[derive(Debug, Default)]
struct Filter {
    /// Members and what they must be.
    texts: Vec<(&'static str, String)>,
    model: Option<String>,
    status: Option<Statuses>,
    since: Option<u64>,
    until: Option<u64>,
    most: Option<usize>,
}

/// `429`, or `4xx`.
#[derive(Debug, Clone, Copy)]
enum Statuses {
    One(u16),
    Class(u16),
}

/// The parameters that are texts: what a member of that name must be.
const TEXTS: &[&str] = &["key", "team", "provider", "router", "outcome"];

const OUTCOMES: &[(Outcome, &str)] = &[
    (Outcome::Answered, Outcome::Answered.name()),
    (Outcome::Broken, Outcome::Broken.name()),
    (Outcome::Abandoned, Outcome::Abandoned.name()),
    (Outcome::Refused, Outcome::Refused.name()),
    (Outcome::Failed, Outcome::Failed.name()),
];

pub(super) fn answer(ask: Ask<'_>) -> Result<Reply, Error> {
    let filter = Filter::read(ask.query)?;
    let mut all = ring::last(ask.around.observer.store(), ask.gateway.ring);
    if !ask.rest.is_empty() {
        let is_it =
            |(_, text): &(u64, String)| Members::of(text).is_some_and(|members| members.is("request_id", ask.rest));
        let unknown =
            || Error::new(Kind::NotFound, "There is no record of this request: it was none, or it is long ago.");
        let (place, mut text) = all.find(is_it).ok_or_else(unknown)?;
        if let Some(content) = ring::content(ask.around.observer.store(), place, ask.gateway.ring)
            && text.ends_with('}')
        {
            text.pop();
            text.extend([",\"content\":", &content, "}"]);
        }
        return Ok(Reply::json(200, text.into_bytes()));
    }
    let all = all.map(|(_, text)| text);
    let fitting = all.filter(|text| Members::of(text).is_some_and(|members| filter.takes(&members)));
    let mut list = Composed::default();
    list.text("object", "list");
    list.list("data", fitting.take(filter.most.unwrap_or(USUAL)));
    Ok(Reply::json(200, list.end().into_bytes()))
}

impl Filter {
    fn read(query: &str) -> Result<Self, Error> {
        let mut filter = Self::default();
        let time = |name: &str, value: &str| {
            parse_date(value).map(Some).ok_or_else(|| misunderstood(name, "a time as `2026-11-23T10:00:00Z`"))
        };
        for pair in parameters(query) {
            let (name, value) = pair?;
            match name {
                "model" => filter.model = Some(value),
                "status" => filter.status = Some(Statuses::read(&value)?),
                "since" => filter.since = time(name, &value)?,
                "until" => filter.until = time(name, &value)?,
                "limit" => {
                    let most = value.parse().ok().filter(|most| (1..=MOST).contains(most));
                    filter.most = Some(most.ok_or_else(|| misunderstood(name, "a number from 1 to 1000"))?);
                }
                _ => {
                    let known = "key, team, model, provider, router, outcome, status, since, until and limit";
                    let member = TEXTS.iter().find(|known| **known == name).ok_or_else(|| unheeded(name, known))?;
                    if *member == "outcome" {
                        chosen(OUTCOMES, name, &value)?;
                    }
                    filter.texts.push((member, value));
                }
            }
        }
        Ok(filter)
    }

    fn takes(&self, members: &Members<'_>) -> bool {
        let time = || members.text("time").and_then(|time| parse_date(&time)).unwrap_or_default();
        self.texts.iter().all(|(member, value)| members.is(member, value))
            && self.model.as_ref().is_none_or(|model| members.is_of(model))
            && self.status.is_none_or(|statuses| statuses.takes(members))
            && self.since.is_none_or(|since| time() >= since)
            && self.until.is_none_or(|until| time() < until)
    }
}

impl Statuses {
    fn read(value: &str) -> Result<Self, Error> {
        let number = |text: &str| text.parse::<u16>().ok();
        let class = value.strip_suffix("xx").and_then(number).filter(|class| (1..=5).contains(class)).map(Self::Class);
        class
            .or_else(|| number(value).map(Self::One))
            .ok_or_else(|| misunderstood("status", "a status as `429`, or a class as `4xx`"))
    }

    fn takes(self, members: &Members<'_>) -> bool {
        let status = members.0.iter().find(|(name, _)| &**name == "status").map_or("", |(_, status)| status.get());
        let status: u16 = status.parse().unwrap_or_default();
        match self {
            Self::One(one) => status == one,
            Self::Class(class) => status / 100 == class,
        }
    }
}

/// A record, taken apart.
struct Members<'a>(Vec<(Str<'a>, &'a RawValue)>);

impl<'a> Members<'a> {
    fn of(record: &'a str) -> Option<Self> {
        json::members(record).map(Self)
    }

    fn text(&self, name: &str) -> Option<String> {
        json::text_of(&self.0, name)
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.text(name).is_some_and(|text| text == value)
    }

    /// Whether a model was asked or asked for, by its name with its provider's or without.
    fn is_of(&self, model: &str) -> bool {
        let asked = self.text("model").unwrap_or_default();
        let requested = self.text("gen_ai.request.model").unwrap_or_default();
        let provider = self.text("provider").unwrap_or_default();
        let is_named = |text: &str| text == model || text.split_once('/').is_some_and(|(_, name)| name == model);
        is_named(&asked) || is_named(&requested) || model.split_once('/') == Some((&provider, &asked))
    }
}
