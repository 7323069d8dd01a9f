//! From the rounds to a table: medians with their spread, and the ratios of each round's own floor.

use crate::{load::Catch, native::Chunk, subject::Way, workload::Workload};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::{fmt, fs, path::Path, time::Duration};

const BEGIN: &str = "<!-- bench: begin -->\n";
const END: &str = "<!-- bench: end -->";

/// Decimals of figures: more would be noise.
const MS: usize = 3;
const RATIO: usize = 2;
const WAIT: usize = 2;
const RATE: usize = 0;
const CHUNK: usize = 1;

/// What the figures are of.
pub(crate) struct Run {
    pub(crate) commit: String,
    pub(crate) envoy: String,
    pub(crate) processor: String,
    /// Rounds that count.
    pub(crate) rounds: usize,
    /// Under load in each of them.
    pub(crate) span: Duration,
}

/// What one subject made of one workload in one round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    requests_per_second: f64,
    /// Of Envoy, a request.
    processor_ms: f64,
    /// Median of the time to the first byte of the answer.
    first_byte_ms: f64,
}

/// A line of the table, and all that it was made of.
pub(crate) struct Row {
    pub(crate) workload: &'static Workload,
    /// For programs, and for people.
    pub(crate) subject: (String, String),
    /// Of a gateway.
    pub(crate) way: Option<Way>,
    /// Of a stream.
    pub(crate) chunks: Option<usize>,
    /// One a round.
    pub(crate) samples: Vec<Sample>,
}

/// Median, least and most.
pub(crate) struct Spread([f64; 3]);

impl Sample {
    #[expect(clippy::cast_precision_loss, reason = "a second has far fewer requests than 2^53")]
    pub(crate) fn new(mut catch: Catch, processor_time: Duration) -> Self {
        let requests = catch.requests as f64;
        catch.waits.sort_unstable();
        let middle = catch.waits.get(catch.waits.len() / 2).copied().unwrap_or_default();
        Self {
            requests_per_second: requests / catch.elapsed.as_secs_f64(),
            processor_ms: processor_time.as_secs_f64() * 1e3 / requests,
            first_byte_ms: middle.as_secs_f64() * 1e3,
        }
    }
}

impl Spread {
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<_> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Self([at(values.len() / 2), at(0), at(values.len().saturating_sub(1))])
    }

    pub(crate) fn cell(&self, decimals: usize) -> String {
        let Self([middle, least, most]) = self;
        format!("{middle:.decimals$} ({least:.decimals$}–{most:.decimals$})")
    }

    pub(crate) fn json(&self, decimals: usize) -> Value {
        let unit = 10_f64.powi(i32::try_from(decimals).unwrap_or_default());
        let [median, min, max] = self.0.map(|figure| (figure * unit).round() / unit);
        json!({"median": median, "min": min, "max": max})
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commit, envoy, processor, rounds, span } = self;
        let seconds = span.as_secs_f64();
        write!(
            f,
            "Commit {commit}, Envoy {envoy}, {processor}; {seconds} s of load for each row in each round, {rounds} rounds, and \
             one before them that does not count."
        )
    }
}

impl Row {
    /// The row of the same workload that this one is compared with: round by round, because what else the machine does changes
    /// from one to the next.
    fn floor<'a>(&self, rows: &'a [Self]) -> Option<&'a Self> {
        rows.iter().find(|row| row.workload.name == self.workload.name)
    }

    fn spread(&self, figure: impl Fn(&Sample) -> f64) -> Spread {
        Spread::of(self.samples.iter().map(figure))
    }

    /// What a chunk costs more than in the row that this one is compared with, in microseconds of the processor.
    fn chunk_us(&self, rows: &[Self]) -> Option<Spread> {
        let chunks = f64::from(u32::try_from(self.chunks?).ok()?);
        let floor = self.floor(rows)?;
        let more = |(own, floor): (&Sample, &Sample)| (own.processor_ms - floor.processor_ms) * 1e3 / chunks;
        Some(Spread::of(self.samples.iter().zip(&floor.samples).map(more)))
    }

    fn ratio(&self, rows: &[Self], figure: impl Fn(&Sample) -> f64) -> Spread {
        let floor = self.floor(rows).map(|floor| floor.samples.as_slice()).unwrap_or_default();
        Spread::of(self.samples.iter().zip(floor).map(|(own, floor)| figure(own) / figure(floor)))
    }
}

/// The table in Markdown.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut table = String::from(
        "| workload | | Envoy CPU, ms a request | × bare | µs a chunk more | req/s × bare | first byte p50, ms |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let mut last = "";
    for row in rows {
        let workload = if row.workload.title == last { "" } else { row.workload.title };
        last = row.workload.title;
        let cells = [
            workload.to_owned(),
            row.way.map_or_else(|| row.subject.1.clone(), |way| format!("{} ({way})", row.subject.1)),
            row.spread(|sample| sample.processor_ms).cell(MS),
            row.ratio(rows, |sample| sample.processor_ms).cell(RATIO),
            row.chunk_us(rows).map_or_else(String::new, |spread| spread.cell(CHUNK)),
            row.ratio(rows, |sample| sample.requests_per_second).cell(RATIO),
            row.spread(|sample| sample.first_byte_ms).cell(WAIT),
        ];
        table.extend(["| ", &cells.join(" | "), " |\n"]);
    }
    table
}

/// The same and more for programs: JSON, with a line for each row.
pub(crate) fn document(rows: &[Row], chunks: &[Chunk], run: &Run) -> String {
    let row = |row: &Row| {
        json!({
            "workload": row.workload.name,
            "subject": row.subject.0,
            "way": row.way.map(|way| way.to_string()),
            "processor_ms": row.spread(|sample| sample.processor_ms).json(MS),
            "processor_ratio": row.ratio(rows, |sample| sample.processor_ms).json(RATIO),
            "chunk_us": row.chunk_us(rows).map(|spread| spread.json(CHUNK)),
            "requests_per_second": row.spread(|sample| sample.requests_per_second).json(RATE),
            "requests_ratio": row.ratio(rows, |sample| sample.requests_per_second).json(RATIO),
            "first_byte_ms": row.spread(|sample| sample.first_byte_ms).json(WAIT),
        })
    };
    let about = json!({
        "commit": run.commit,
        "envoy": run.envoy,
        "processor": run.processor,
        "rounds": run.rounds,
        "span_ms": run.span.as_millis(),
    });
    let rows: Vec<_> = rows.iter().map(|line| row(line).to_string()).collect();
    let chunks: Vec<_> = chunks.iter().map(|chunk| chunk.json().to_string()).collect();
    format!(
        "{{\"about\": {about},\n\"rows\": [\n{}\n],\n\"native_chunks\": [\n{}\n]}}\n",
        rows.join(",\n"),
        chunks.join(",\n")
    )
}

/// Puts the table between the marks of a document.
pub(crate) fn write_between_marks(path: &Path, table: &str) -> anyhow::Result<()> {
    let text = fs::read_to_string(path)?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.with_context(|| format!("{} has no place for the table", path.display()))?;
    Ok(fs::write(path, [before, BEGIN, table, END, after].concat())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::WORKLOADS;

    fn row(subject: &str, figures: &[(f64, f64)]) -> Row {
        let sample = |&(requests_per_second, processor_ms): &(f64, f64)| Sample {
            requests_per_second,
            processor_ms,
            first_byte_ms: 1.0,
        };
        Row {
            workload: &WORKLOADS[0],
            subject: (subject.into(), subject.into()),
            way: (subject != "a").then_some(Way::TwoRoles),
            chunks: Some(50),
            samples: figures.iter().map(sample).collect(),
        }
    }

    #[test]
    fn a_ratio_is_that_of_one_round_and_the_median_that_of_the_ratios() {
        // The second round was slow for both: no ratio of medians would say a half.
        let rows =
            [row("a", &[(100.0, 1.0), (10.0, 4.0), (80.0, 1.0)]), row("b", &[(50.0, 2.0), (5.0, 8.0), (40.0, 3.0)])];
        let table = table(&rows);
        let line = table.lines().last().unwrap();
        assert_eq!(
            line,
            "|  | b (two roles) | 3.000 (2.000–8.000) | 2.00 (2.00–3.00) | 40.0 (20.0–80.0) | 0.50 (0.50–0.50) | 1.00 (1.00–1.00) |"
        );
    }

    #[test]
    fn programs_get_the_figures_of_the_table_and_where_attempts_ran() {
        let run = Run {
            commit: "c".into(),
            envoy: "1.40.0".into(),
            processor: "p".into(),
            rounds: 1,
            span: Duration::from_millis(350),
        };
        let text = document(&[row("a", &[(100.0, 0.123_456)]), row("b", &[(49.6, 0.2)])], &[], &run);
        assert_eq!(text.lines().count(), 8);
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&document["about"]["rounds"], &document["about"]["span_ms"]), (&json!(1), &json!(350)));
        assert_eq!(document["rows"][0]["processor_ms"]["median"], json!(0.123));
        assert_eq!(document["rows"][1]["processor_ratio"]["max"], json!(1.62));
        assert_eq!(document["rows"][1]["requests_per_second"]["min"], json!(50.0));
        assert_eq!((&document["rows"][0]["way"], &document["rows"][1]["way"]), (&json!(null), &json!("two roles")));
        assert!(run.to_string().contains("0.35 s of load"), "{run}");
    }

    #[test]
    fn the_table_goes_between_its_marks_and_nowhere_else() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), format!("a\n{BEGIN}old\n{END}\nb\n")).unwrap();
        write_between_marks(file.path(), "new\n").unwrap();
        assert_eq!(fs::read_to_string(file.path()).unwrap(), format!("a\n{BEGIN}new\n{END}\nb\n"));
        fs::write(file.path(), "nothing").unwrap();
        assert!(write_between_marks(file.path(), "new\n").is_err());
    }
}
