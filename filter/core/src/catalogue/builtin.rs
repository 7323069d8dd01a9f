//! The built-in catalogue: what vendors say of their models.
//!
//! A table in text, and not JSON that is read when the module starts or a table of Rust structs: a row costs its own hundred
//! bytes in the module and nothing in a worker's memory, people can read a change of it, and nobody pays for a vendor that
//! the file does not name. A field is looked for when it is asked for; only lists of models ask for more than one.
//!
//! A row is the vendor's own id, the name, the day of release, the context window, the most output tokens, the prices, the
//! capabilities, the model that it is a dated version of, and what else is the same model at another vendor. The prices are
//! USD per million tokens: input, cached input, cache write, output, reasoning, then one image. `-` and what is missing are
//! unknown. Where a vendor asks more for long inputs, the row has the price of short ones; where it asks less at night, that
//! of the day. What a dated version leaves out of window, most tokens, prices and capabilities is read in the row of its model, which
//! stands before it; a title that is left out is the id's last part.
//!
//! The table is written by `scripts/catalogue`: columns that its source does not know are edited by hand and kept.

use crate::config::{self, Decimal, Price};

const TABLE: &str = include_str!("models.txt");

/// What stands before a vendor's name.
const VENDOR: char = '@';

/// What is known of one model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    vendor: &'static str,
    line: &'static str,
    /// The row of the model that it is a version of, or its own.
    base: &'static str,
}

/// The columns after the id.
#[derive(Debug, Clone, Copy)]
#[repr(usize)]
enum Column {
    Id,
    Title,
    Released,
    ContextWindow,
    MaxOutputTokens,
    Prices,
    Capabilities,
    SnapshotOf,
    Equivalents,
}

/// The models of a vendor; none where it is not in the catalogue.
pub(super) fn rows(vendor: &str) -> impl Iterator<Item = Row> {
    let mut lines = TABLE.lines();
    let heading = lines.find_map(|line| {
        let (name, _) = line.strip_prefix(VENDOR)?.split_once(' ')?;
        (name == vendor).then_some(name)
    });
    let own = lines.take_while(|line| !line.starts_with(VENDOR));
    heading.into_iter().zip(core::iter::once(own)).flat_map(|(vendor, own)| {
        own.scan("", move |base, line| {
            if column(line, Column::SnapshotOf).is_empty() || base.is_empty() {
                *base = line;
            }
            Some(Row { vendor, line, base })
        })
    })
}

/// The vendor of this name, if the catalogue has it.
pub(super) fn vendor(name: &str) -> Option<&'static str> {
    rows(name).next().map(|row| row.vendor)
}

impl Row {
    pub(super) const fn vendor(self) -> &'static str {
        self.vendor
    }

    pub(super) fn id(self) -> &'static str {
        self.column(Column::Id)
    }

    pub(super) fn title(self) -> &'static str {
        match self.column(Column::Title) {
            "" => self.id().rsplit('/').next().unwrap_or_default(),
            title => title,
        }
    }

    pub(super) fn released(self) -> Option<u64> {
        config::parse_date(self.column(Column::Released))
    }

    pub(super) fn context_window(self) -> Option<u64> {
        self.inherited(Column::ContextWindow).parse().ok()
    }

    pub(super) fn max_output_tokens(self) -> Option<u64> {
        self.inherited(Column::MaxOutputTokens).parse().ok()
    }

    pub(super) fn price(self) -> Price {
        let mut prices = self.inherited(Column::Prices).split_ascii_whitespace().map(Decimal::parse);
        let mut next = || prices.next().flatten();
        // In the order of the table: fields are read as they are written here.
        Price {
            input: next(),
            cached_input: next(),
            cache_write: next(),
            output: next(),
            reasoning: next(),
            image: next(),
        }
    }

    pub(super) fn capabilities(self) -> impl Iterator<Item = &'static str> {
        self.inherited(Column::Capabilities).split_ascii_whitespace()
    }

    pub(super) fn snapshot_of(self) -> Option<&'static str> {
        self.words(Column::SnapshotOf).next()
    }

    /// What the same model is called, whoever serves it.
    pub(super) fn equivalents(self) -> impl Iterator<Item = &'static str> {
        self.words(Column::Equivalents)
    }

    fn column(self, name: Column) -> &'static str {
        column(self.line, name)
    }

    fn inherited(self, name: Column) -> &'static str {
        match self.column(name) {
            "" => column(self.base, name),
            own => own,
        }
    }

    fn words(self, column: Column) -> impl Iterator<Item = &'static str> {
        self.column(column).split_ascii_whitespace()
    }
}

fn column(line: &'static str, column: Column) -> &'static str {
    line.split('|').nth(column as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{collections::BTreeSet, vec::Vec};

    fn vendors() -> Vec<&'static str> {
        TABLE.lines().filter_map(|line| line.strip_prefix(VENDOR)?.split(' ').next()).collect()
    }

    #[test]
    fn every_line_is_a_vendor_with_day_and_source_or_a_row_without_a_slip() {
        const CAPABILITIES: [&str; 7] = ["vision", "audio", "video", "tools", "json_schema", "reasoning", "embeddings"];
        let mut seen = BTreeSet::new();
        for vendor in vendors() {
            let heading = TABLE.lines().find(|line| line.starts_with(&alloc::format!("@{vendor} "))).unwrap();
            let mut words = heading.split(' ').skip(1);
            assert!(config::parse_date(words.next().unwrap()).is_some(), "{heading}");
            assert!(words.next().is_some_and(|source| source.contains('.')), "{heading}");
            for row in rows(vendor) {
                assert!(seen.insert((vendor, row.id())), "{} stands twice", row.line);
                let columns: Vec<_> = row.line.split('|').collect();
                assert!((7..=9).contains(&columns.len()), "{}", row.line);
                assert!(!row.id().is_empty() && row.id().bytes().all(|byte| byte.is_ascii_graphic()), "{}", row.line);
                let given = |text: &str| !text.is_empty();
                assert_eq!(row.released().is_some(), given(columns[2]), "{}", row.line);
                let is_number = |text: &str| text.is_empty() || text.parse::<u64>().is_ok();
                assert!(is_number(columns[3]) && is_number(columns[4]), "{}", row.line);
                let prices: Vec<_> = row.inherited(Column::Prices).split_ascii_whitespace().collect();
                assert!(
                    (1..=6).contains(&prices.len())
                        && prices.iter().all(|price| *price == "-" || Decimal::parse(price).is_some()),
                    "{}",
                    row.line
                );
                assert!(row.capabilities().all(|word| CAPABILITIES.contains(&word)), "{}", row.line);
                let base = row.snapshot_of().unwrap_or_else(|| row.id());
                assert_eq!(base, column(row.base, Column::Id), "{} does not stand behind its model", row.line);
            }
        }
        let rows_of = |vendor: &str| rows(vendor).count();
        let rows: usize = vendors().into_iter().map(rows_of).sum();
        assert_eq!(TABLE.lines().count(), 1 + vendors().len() + rows, "a line belongs to nobody");
        assert!(rows >= 200, "{rows}");
        for vendor in [
            "openai",
            "anthropic",
            "google",
            "azure",
            "mistral",
            "cohere",
            "together",
            "perplexity",
            "groq",
            "deepseek",
            "xai",
        ] {
            assert!(rows_of(vendor) > 3, "{vendor}");
        }
    }

    #[test]
    fn a_row_is_read_column_by_column() {
        let row = rows("anthropic").find(|row| row.id() == "claude-sonnet-4-5-20250929").unwrap();
        let usd = |text| Decimal::parse(text);
        assert_eq!(row.vendor(), "anthropic");
        assert_eq!(row.title(), "Claude Sonnet 4.5 (2025-09-29)");
        assert_eq!(row.released(), Some(1_759_104_000));
        assert_eq!((row.context_window(), row.max_output_tokens()), (Some(200_000), Some(64_000)));
        let price = Price {
            input: usd("3"),
            cached_input: usd("0.3"),
            cache_write: usd("3.75"),
            output: usd("15"),
            ..Price::default()
        };
        assert_eq!(row.price(), price);
        assert_eq!(row.capabilities().collect::<Vec<_>>(), ["vision", "tools", "json_schema", "reasoning"]);
        assert_eq!(row.snapshot_of(), Some("claude-sonnet-4-5"));
        assert_eq!(row.equivalents().next(), None);
        let groq = rows("groq").next().unwrap();
        assert_eq!((groq.snapshot_of(), groq.equivalents().next()), (None, Some("gpt-oss-120b")));
    }

    #[test]
    fn a_vendor_that_is_not_there_has_no_models() {
        for name in ["", "open", "openai ", "ollama", "#"] {
            assert_eq!(rows(name).count(), 0, "{name}");
            assert_eq!(vendor(name), None, "{name}");
        }
        assert_eq!(vendor("groq"), Some("groq"));
    }
}
