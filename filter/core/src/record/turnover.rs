//! What requests came to, summed up by who asked and who was asked: a table that workers add to and the admin API reads.
//!
//! Where it is kept it is bounded: once it has [`MOST_ROWS`], what would need another is added to a row `other` of the same kind, so that
//! the sums stay right.
//! A number takes as many bytes as it needs, since most of a table is small numbers.

use alloc::{string::String, vec::Vec};

use super::Record;
use crate::{
    plan::Spent,
    store::{Reader, Writer},
};

/// How many rows a table has that is kept.
pub(super) const MOST_ROWS: usize = 2_048;

/// Longest name of a row. Labels, and the identifiers of tokens, are as long as somebody likes.
const MOST_NAME: usize = 200;

/// What they are summed up under that have no row of their own.
const OTHER: &str = "other";

/// By what a row sums up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// All requests, under an empty name.
    All,
    /// A key's identifier.
    Key,
    /// A team's name.
    Team,
    /// A provider's name.
    Provider,
    /// A provider's name, a slash and the model's id there.
    Model,
    /// A key's cost tag.
    CostTag,
    /// A key's label: its name, `=` and its value.
    Label,
}

/// All of them, each with its name in the API.
pub const KINDS: &[(By, &str)] = &[
    (By::All, "all"),
    (By::Key, "key"),
    (By::Team, "team"),
    (By::Provider, "provider"),
    (By::Model, "model"),
    (By::CostTag, "cost_tag"),
    (By::Label, "label"),
];

/// What requests came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turnover([u64; COLUMNS.len()]);

/// What is summed up, by its name in the API.
pub const COLUMNS: [&str; 9] = [
    "requests",
    "errors",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_nano_usd",
    "unpriced_requests",
];

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table(Vec<Row>);

/// One of its rows.
pub type Row = ((By, String), Turnover);

impl Turnover {
    /// What one request came to.
    pub(super) fn of(record: &Record<'_>) -> Self {
        let usage = record.spent.map(|Spent { usage, .. }| usage).unwrap_or_default();
        Self([
            1,
            record.error.is_some().into(),
            usage.input,
            usage.cached_input,
            usage.cache_write,
            usage.output,
            usage.reasoning,
            record.nano_usd.unwrap_or_default(),
            (record.spent.is_some() && record.nano_usd.is_none()).into(),
        ])
    }

    /// So much more.
    pub fn add(&mut self, more: &Self) {
        for (sum, more) in self.0.iter_mut().zip(more.0) {
            *sum = sum.saturating_add(more);
        }
    }

    /// The sums, as [`COLUMNS`] names them.
    #[must_use]
    pub const fn values(&self) -> &[u64; COLUMNS.len()] {
        &self.0
    }
}

impl Table {
    /// Its rows, ordered by kind and name.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.0
    }

    /// Adds to a row; once there are so many, to `other` of its kind.
    pub(crate) fn add(&mut self, by: By, name: &str, more: &Turnover, most: usize) {
        let name = row_name(name);
        let place = self.place(by, name).or_else(|free| {
            if self.0.len() < most { Err((free, name)) } else { self.place(by, OTHER).map_err(|free| (free, OTHER)) }
        });
        match place {
            Ok(place) => {
                if let Some((_, sums)) = self.0.get_mut(place) {
                    sums.add(more);
                }
            }
            Err((free, name)) => self.0.insert(free, ((by, name.into()), *more)),
        }
    }

    fn place(&self, by: By, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|((other_by, other), _)| (*other_by, other.as_str()).cmp(&(by, name)))
    }

    /// What the bytes say; bytes that no worker has written say nothing.
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let mut rows: Vec<Row> = Vec::new();
        while !reader.is_at_end() {
            match read_row(reader) {
                // Out of order, it is none of ours.
                Some(row) if rows.last().is_none_or(|last| last.0 < row.0) => rows.push(row),
                _ => return Self::default(),
            }
        }
        Self(rows)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        for ((by, name), sums) in &self.0 {
            let kind = KINDS.iter().position(|(other, _)| other == by).and_then(|kind| kind.try_into().ok());
            writer.u8(kind.unwrap_or_default());
            writer.text(name);
            for sum in sums.0 {
                writer.short(sum);
            }
        }
    }
}

/// What a row is called: a longer name counts by its beginning.
#[must_use]
pub fn row_name(name: &str) -> &str {
    name.get(..name.floor_char_boundary(MOST_NAME)).unwrap_or_default()
}

fn read_row(reader: &mut Reader<'_>) -> Option<Row> {
    let (by, _) = KINDS.get(usize::from(reader.u8()?))?;
    let name = reader.text()?.into();
    let mut sums = Turnover::default();
    for sum in &mut sums.0 {
        *sum = reader.short()?;
    }
    Some(((*by, name), sums))
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    fn written(table: &Table) -> Vec<u8> {
        let mut writer = Writer::default();
        table.write(&mut writer);
        writer.0
    }

    #[test]
    fn what_is_written_is_read_back_and_nonsense_is_nothing() {
        let mut table = Table::default();
        for (by, name) in [(By::Model, "p/m"), (By::All, ""), (By::Key, "k"), (By::Label, "a=b")] {
            table.add(by, name, &Turnover([1, 0, 127, 128, 300, u64::MAX, 0, 5, 0]), MOST_ROWS);
            table.add(by, name, &Turnover([1; 9]), MOST_ROWS);
        }
        let bytes = written(&table);
        assert_eq!(Table::read(&mut Reader(&bytes)), table);
        assert_eq!(table.rows()[0], ((By::All, String::new()), Turnover([2, 1, 128, 129, 301, u64::MAX, 1, 6, 1])));
        for cut in 1..bytes.len() {
            let read = Table::read(&mut Reader(&bytes[..cut]));
            assert!(read == Table::default() || table.rows().starts_with(read.rows()), "{cut}");
        }
        assert_eq!(Table::read(&mut Reader(&[99, 1, 1])), Table::default());
    }

    #[test]
    fn a_name_of_any_length_is_read_back() {
        let mut table = Table::default();
        for name in ["é".repeat(300), ["é".repeat(300), "x".into()].concat(), "x".repeat(1_000), "y".into()] {
            table.add(By::Label, &name, &Turnover([1; 9]), MOST_ROWS);
        }
        assert_eq!(Table::read(&mut Reader(&written(&table))), table);
        assert_eq!(table.rows().iter().map(|row| row.1.0[0]).collect::<Vec<_>>(), [1, 1, 2]);
    }

    #[test]
    fn a_full_table_keeps_its_sums() {
        let mut table = Table::default();
        for number in 0..MOST_ROWS + 100 {
            table.add(By::Key, &format!("key-{number}"), &Turnover([1; 9]), MOST_ROWS);
            table.add(By::All, "", &Turnover([1; 9]), MOST_ROWS);
        }
        assert!(table.rows().len() <= MOST_ROWS + KINDS.len());
        let sum = |by| table.rows().iter().filter(|row| row.0.0 == by).map(|row| row.1.0[0]).sum::<u64>();
        assert_eq!((sum(By::Key), sum(By::All)), (2_148, 2_148));
        assert!(written(&table).len() < 64 * 1024, "{}", written(&table).len());
    }
}
