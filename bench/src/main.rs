//! `make bench`: what the gateway costs the Envoy that it runs in.
//!
//! Absolute figures are the machine's. So everything is measured side by side: all subjects run from the beginning to the end,
//! each on the same processor, and are put under load one after the other, for a moment each, round after round; what is told
//! is the median of the rounds and how far they lie apart. Envoy's processor time is counted and not only the clock's,
//! because what other programs take does not count towards it.
//!
//! Nothing here fails for being slow. It fails where a request does.
#![expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "JSON and sizes written down here")]

mod answer;
mod envoy;
mod load;
mod native;
mod report;
mod subject;
mod upstream;
mod wire;
mod workload;

use anyhow::Context as _;
use clap::Parser;
use std::{
    fs,
    io::{self, Write as _},
    iter,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    envoy::Processors,
    load::Fleet,
    report::{Row, Run, Sample},
    subject::{Running, SUBJECTS, Subject},
    workload::{WORKLOADS, Workload},
};

#[derive(Parser)]
#[command(about = "Measures the gateway against bare Envoy, on two processors")]
struct Options {
    /// Rounds that count; an odd number has a median of its own
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Milliseconds of load for each subject and workload, in each round
    #[arg(long, default_value_t = 800)]
    span: u64,
    /// Only workloads whose name contains this
    #[arg(long, default_value = "")]
    workload: String,
    /// Only these subjects, comma separated; the first is what the others are compared with
    #[arg(long, value_delimiter = ',')]
    subjects: Vec<String>,
    /// Where `make` leaves what it builds
    #[arg(long, default_value = "dist")]
    dist: PathBuf,
    /// Folders with other builds, comma separated: the gateway is measured from each of them too
    #[arg(long, value_delimiter = ',')]
    also: Vec<PathBuf>,
    /// Folder for the figures as JSON
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
    /// Put the table into this document, and the figures into bench/figures.json
    #[arg(long)]
    document: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let processors = Processors::choose()?;
    processors.take_rig()?;
    // The scripted provider and the load are one thread, see `upstream`.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rows = runtime.block_on(measure(&options, processors))?;
    let chunks = native::measure(options.rounds)?;
    let table = [report::table(&rows), native::table(&chunks)].join("\n");
    let run = about(&options);
    write!(io::stdout().lock(), "{table}\n{run}\n")?;
    let figures = report::document(&rows, &chunks, &run);
    if let Some(document) = &options.document {
        report::write_between_marks(document, &[table, format!("\n{run}\n")].concat())?;
        fs::write("bench/figures.json", &figures)?;
    }
    store(&options, &figures)
}

async fn measure(options: &Options, processors: Processors) -> anyhow::Result<Vec<Row>> {
    let upstream = upstream::start().await?;
    let is_wanted =
        |subject: &&Subject| options.subjects.is_empty() || options.subjects.iter().any(|name| name == subject.name);
    let mut subjects = Vec::new();
    for dist in iter::once(&options.dist).chain(&options.also) {
        let dist = fs::canonicalize(dist).context("`make wasm cli envoy` builds what is measured")?;
        let again = !subjects.is_empty();
        for subject in SUBJECTS.iter().filter(is_wanted).filter(|subject| !again || subject.is_gateway()) {
            subjects.push(subject.start(&dist, upstream, processors)?);
        }
    }
    let mut rows = Vec::new();
    for workload in WORKLOADS.iter().filter(|workload| workload.name.contains(&options.workload)) {
        for running in subjects.iter().filter(|running| running.subject.takes(workload)) {
            let way = running.check(workload).await?;
            let chunks = subject::answer(workload)?.chunks();
            rows.push((Row { workload, subject: running.name(), way, chunks, samples: Vec::new() }, running));
        }
    }
    // The first round is there for the optimiser of Envoy's VM, which does its work while code is being used.
    for round in 0..=options.rounds {
        for (row, running) in &mut rows {
            let sample = load(running, row.workload, Duration::from_millis(options.span)).await?;
            if round > 0 {
                row.samples.push(sample);
            }
        }
        write!(io::stderr().lock(), "{}", if round == options.rounds { ".\n" } else { "." })?;
    }
    Ok(rows.into_iter().map(|(row, _)| row).collect())
}

async fn load(running: &Running, workload: &Workload, span: Duration) -> anyhow::Result<Sample> {
    let request = running.request(workload)?.into();
    let what = || format!("{}, {}", running.name().1, workload.title);
    let fleet = Fleet::open(running.envoy.address, request, workload.connections).await.with_context(what)?;
    let before = running.envoy.processor_time()?;
    let catch = fleet.run(span, workload.stagger()).await.with_context(what)?;
    Ok(Sample::new(catch, running.envoy.processor_time()?.saturating_sub(before)))
}

fn about(options: &Options) -> Run {
    let line = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok();
        let text = output.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
        text.trim().to_owned()
    };
    // Of `envoy  version: {commit}/{version}/…`.
    let envoy = line(&options.dist.join("envoy"), &["--version"]);
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    Run {
        commit: line(Path::new("git"), &["describe", "--always", "--dirty"]),
        envoy: envoy
            .split_once("version: ")
            .and_then(|(_, version)| version.split('/').nth(1))
            .unwrap_or("?")
            .to_owned(),
        processor: processor.map_or("?", |(_, name)| name).to_owned(),
        rounds: options.rounds,
        span: Duration::from_millis(options.span),
    }
}

fn store(options: &Options, figures: &str) -> anyhow::Result<()> {
    fs::create_dir_all(&options.results)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let path = options.results.join(format!("{now}.json"));
    fs::write(&path, figures)?;
    Ok(writeln!(io::stderr().lock(), "{}", path.display())?)
}
