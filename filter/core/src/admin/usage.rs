//! `GET /admin/v1/usage`: what requests came to, by whom, by hour, day or at all.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{Ask, misunderstood, parameters, unheeded};
use crate::{
    config::{parse_date, print_millis},
    error::Error,
    json::Composed,
    record::{
        archive::{self, HOUR_MILLIS, HOURS},
        turnover::{By, COLUMNS, KINDS, Table, row_name},
    },
    step::{Name, Reply},
};

/// How long the rows of an answer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interval {
    Hour,
    Day,
    /// All of the time that is asked for.
    Total,
    /// All that ever was, of keys.
    Lifetime,
}

const INTERVALS: &[(Interval, &str)] =
    &[(Interval::Total, "total"), (Interval::Hour, "hour"), (Interval::Day, "day"), (Interval::Lifetime, "lifetime")];

#[derive(Debug, Clone)]
struct Wanted {
    by: By,
    interval: Interval,
    /// The only row, where it is one.
    name: Option<String>,
    from_millis: u64,
    to_millis: u64,
    is_csv: bool,
}

pub(super) fn answer(ask: Ask<'_>) -> Result<Reply, Error> {
    ask.refuse_rest()?;
    let now = ask.around.clock.epoch_millis();
    let wanted = Wanted::read(ask.query, now)?;
    let pages = pages(&wanted, ask);
    let rows = rows(&pages);
    if wanted.is_csv {
        let mut text = format!("time,name,{}\n", COLUMNS.join(","));
        for (time, name, values) in rows {
            let values: Vec<_> = values.iter().map(ToString::to_string).collect();
            for part in [&*time, ",", &cell(name), ",", &values.join(","), "\n"] {
                text.push_str(part);
            }
        }
        let headers = Vec::from([(Name::Borrowed("content-type"), "text/csv; charset=utf-8".into())]);
        return Ok(Reply { headers, ..Reply::json(200, text.into_bytes()) });
    }
    let rows = rows.map(|(time, name, values)| {
        let mut row = Composed::default();
        row.text("time", &time);
        row.text("name", name);
        for (column, value) in COLUMNS.iter().zip(values) {
            row.whole(column, *value);
        }
        row.end()
    });
    let by = KINDS.iter().find(|(by, _)| *by == wanted.by).map_or("", |(_, name)| *name);
    let mut all = Composed::new();
    all.text("object", "list");
    all.text("by", by);
    all.text("from", &print_millis(wanted.from_millis));
    all.text("to", &print_millis(wanted.to_millis));
    all.list("data", rows);
    Ok(Reply::json(200, all.end().into_bytes()))
}

impl Wanted {
    fn read(query: &str, now: u64) -> Result<Self, Error> {
        let day = now.saturating_sub(24 * HOUR_MILLIS);
        let mut wanted = Self {
            by: By::All,
            interval: Interval::Total,
            name: None,
            from_millis: day,
            to_millis: now,
            is_csv: false,
        };
        let time = |name: &str, value: &str| {
            let seconds = parse_date(value).ok_or_else(|| misunderstood(name, "a time as `2026-11-23T10:00:00Z`"))?;
            Ok(seconds.saturating_mul(1_000))
        };
        for pair in parameters(query) {
            let (name, value) = pair?;
            match name {
                "by" => wanted.by = chosen(KINDS, name, &value)?,
                "interval" => wanted.interval = chosen(INTERVALS, name, &value)?,
                "name" => wanted.name = Some(row_name(&value).into()),
                "from" => wanted.from_millis = time(name, &value)?,
                "to" => wanted.to_millis = time(name, &value)?,
                "format" => wanted.is_csv = chosen(&[(false, "json"), (true, "csv")], name, &value)?,
                _ => return Err(unheeded(name, "by, interval, name, from, to and format")),
            }
        }
        if wanted.interval == Interval::Lifetime && wanted.by != By::Key {
            return Err(misunderstood("by", "`key` where the interval is `lifetime`"));
        }
        Ok(wanted)
    }

    fn takes(&self, by: By, name: &str) -> bool {
        by == self.by && self.name.as_deref().is_none_or(|only| only == name)
    }

    /// The first hour of a row that has this one.
    const fn begin(&self, hour: u64) -> u64 {
        match self.interval {
            Interval::Hour => hour,
            Interval::Day => hour.saturating_sub(hour % 24),
            Interval::Total | Interval::Lifetime => archive::hour(self.from_millis),
        }
    }
}

/// One of these, by its name.
pub(super) fn chosen<T: Copy>(list: &[(T, &str)], name: &str, value: &str) -> Result<T, Error> {
    let found = list.iter().find(|(_, known)| *known == value).map(|(choice, _)| *choice);
    found.ok_or_else(|| misunderstood(name, &list.iter().map(|(_, known)| *known).collect::<Vec<_>>().join(", ")))
}

/// The rows of each interval that are wanted, from the first hour of each on.
fn pages(wanted: &Wanted, Ask { around, .. }: Ask<'_>) -> Vec<(u64, Table)> {
    let store = around.observer.store();
    let mut pages: Vec<(u64, Table)> = Vec::new();
    let mut add = |begin: u64, table: &Table| {
        for ((by, name), sums) in table.rows().iter().filter(|((by, name), _)| wanted.takes(*by, name)) {
            if pages.last().is_none_or(|(other, _)| *other != begin) {
                pages.push((begin, Table::default()));
            }
            if let Some((_, page)) = pages.last_mut() {
                page.add(*by, name, sums, usize::MAX);
            }
        }
    };
    if wanted.interval == Interval::Lifetime {
        add(0, &archive::of_keys(store));
        return pages;
    }
    // The end is not part of what is asked for.
    let last = archive::hour(wanted.to_millis.min(around.clock.epoch_millis()).saturating_sub(1));
    let first = archive::hour(wanted.from_millis).max(last.saturating_sub(HOURS.saturating_sub(1)));
    for hour in first..=last {
        add(wanted.begin(hour), &archive::of_hour(store, hour));
    }
    pages
}

/// When, whose and what.
fn rows(pages: &[(u64, Table)]) -> impl Iterator<Item = (String, &str, &[u64; COLUMNS.len()])> {
    pages.iter().flat_map(|(hour, page)| {
        let time = print_millis(hour.saturating_mul(HOUR_MILLIS));
        page.rows().iter().map(move |((_, name), sums)| (time.clone(), name.as_str(), sums.values()))
    })
}

/// A text as a cell of a table of commas.
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.into() }
}
