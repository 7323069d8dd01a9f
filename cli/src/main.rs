//! The `dragoman` command: reads the command line, calls the library, says what went wrong.
//!
//! Exit status: 0 done, 1 failed, 2 the configuration file (or the command line) is not usable.

use std::{
    ffi::OsString,
    fmt, fs,
    io::{self, Read, Write},
    net::IpAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use dragoman::{
    check,
    document::{self, Document},
    key,
    mistake::BadFile,
    reference,
    render::{self, KEYS_VARIABLE, Rendering, Target, Unsayable},
    schema, simulate,
    up::{self, launch},
    variables,
};
use dragoman_core::config::{self, Algorithm, Config, JwtKeys};

/// Makes any Envoy an LLM gateway.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Check a configuration file and print every problem
    Check(CheckArgs),
    /// Render configuration for the proxy
    #[command(subcommand)]
    Render(RenderVerb),
    /// Print the JSON Schema of the configuration file
    Schema(SchemaArgs),
    /// Print the reference of the configuration file, as Markdown
    Reference(SchemaArgs),
    /// Make and hash client keys
    #[command(subcommand)]
    Key(KeyVerb),
    /// Run the gateway in the foreground
    Up(UpArgs),
    /// Run a provider that answers without a model and fails on request
    Simulate(simulate::Args),
    /// Become Envoy, and end with the parent
    #[command(hide = true)]
    Launch(LaunchArgs),
}

#[derive(Args)]
struct CheckArgs {
    /// The configuration file [default: what `DRAGOMAN_CONFIG` or `ROUTING_CONFIG_PATH` names]
    file: Option<PathBuf>,
    /// The same, as an option
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    config: Option<PathBuf>,
    /// Print the effective configuration instead: defaults and environment variables applied, no secrets
    #[arg(long)]
    effective: bool,
}

#[derive(Subcommand)]
enum RenderVerb {
    /// A bootstrap for plain Envoy
    Envoy(RenderArgs),
    /// Resources for Istio
    Istio(RenderArgs),
    /// What envoyproxy/ratelimit is told of the limits that it counts
    Ratelimit(RenderArgs),
    /// The module's own configuration, for an Envoy that exists already
    Plugin {
        /// The configuration file [default: as for the others]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

#[derive(Args)]
struct RenderArgs {
    /// The configuration file [default: what `DRAGOMAN_CONFIG` or `ROUTING_CONFIG_PATH` names]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder to write to; `-` for standard output
    #[arg(short, long, value_name = "DIR", default_value = "-")]
    out: PathBuf,
    /// Write nothing; fail if what is in this folder differs
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    check: Option<PathBuf>,
    /// Path of the module as Envoy will open it
    #[arg(long, value_name = "PATH", default_value = "dist/dragoman.wasm")]
    wasm: String,
}

#[derive(Args)]
struct SchemaArgs {
    /// Print nothing; fail if this file differs
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

#[derive(Subcommand)]
enum KeyVerb {
    /// Make a key, and the stanza to paste into the file
    New {
        /// The key's id in the stanza
        #[arg(long, default_value = "my-app")]
        id: String,
    },
    /// Print the SHA-256 of a key
    Hash {
        /// The key; read from standard input where absent
        key: Option<String>,
    },
}

#[derive(Args)]
struct UpArgs {
    /// The configuration file [default: what `DRAGOMAN_CONFIG` or `ROUTING_CONFIG_PATH` names]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Envoy, 1.39 or later, or 1.36.4 or later with `retry.mode: dispatch` [default: beside this program, else on PATH]
    #[arg(long, value_name = "PATH")]
    envoy: Option<PathBuf>,
    /// The module [default: dragoman.wasm beside this program, else on PATH]
    #[arg(long, value_name = "PATH")]
    wasm: Option<PathBuf>,
    /// Listen on this address instead of the file's
    #[arg(long, value_name = "IP")]
    host: Option<IpAddr>,
    /// Listen on this port instead of the file's; 0 for any free one
    #[arg(long)]
    port: Option<u16>,
    /// Take over changes of the file while running; SIGHUP has it looked at again
    #[arg(long)]
    reload: bool,
}

#[derive(Args)]
struct LaunchArgs {
    parent: u32,
    program: PathBuf,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

fn main() -> ExitCode {
    let Err(error) = run(Cli::parse().command) else { return ExitCode::SUCCESS };
    let bad_file = error.downcast_ref::<BadFile>();
    let text = bad_file.map_or_else(|| format!("dragoman: {error:#}"), ToString::to_string);
    // With standard error gone there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
    ExitCode::from(if bad_file.is_some() || error.is::<NoFile>() { 2 } else { 1 })
}

fn run(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Check(CheckArgs { file, config, effective }) => {
            let path = chosen(file.or(config))?;
            let document = document::read(&path)?;
            tell_added(&path, &document)?;
            let text = if effective {
                document::effective(&render::without_secrets(&document.config))?
            } else {
                check::summarize(&path, &document)
            };
            print(&text)
        }
        Verb::Render(RenderVerb::Envoy(args)) => write_rendering(&args, "envoy.yaml", render::envoy),
        Verb::Render(RenderVerb::Istio(args)) => write_rendering(&args, "dragoman.yaml", render::istio),
        Verb::Render(RenderVerb::Ratelimit(args)) => write_rendering(&args, "ratelimit.yaml", render::ratelimit),
        Verb::Render(RenderVerb::Plugin { config }) => print_plugin(config),
        Verb::Schema(SchemaArgs { check }) => {
            let schema = schema::document(&config::reference());
            check.map_or_else(|| print(&schema), |path| compare(&path, &schema))
        }
        Verb::Reference(SchemaArgs { check }) => {
            let reference = reference::document(&config::reference());
            check.map_or_else(|| print(&reference), |path| compare(&path, &reference))
        }
        Verb::Key(KeyVerb::New { id }) => print(&key::announce(&key::generate()?, &id)),
        Verb::Key(KeyVerb::Hash { key }) => {
            let key = key.map_or_else(read_key, Ok)?;
            print(&format!("{}\n", key::hash(&key)))
        }
        Verb::Up(UpArgs { config, envoy, wasm, host, port, reload }) => {
            let config = chosen(config)?;
            up::run(&up::Options { config, envoy, wasm, host, port, reload })
        }
        Verb::Simulate(args) => simulate::run(args),
        Verb::Launch(LaunchArgs { parent, program, arguments }) => {
            let error = launch::replace(parent, &program, &arguments);
            Err(error).with_context(|| format!("{} cannot be run", program.display()))
        }
    }
}

/// A command line that names no file, where the environment does not either.
#[derive(Debug)]
struct NoFile;

impl fmt::Display for NoFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no configuration file: name one with --config FILE, or set {}", variables::FILE.join(" or "))
    }
}

impl std::error::Error for NoFile {}

/// The file that the command line names, else the environment. None is looked for where the command happens to run.
fn chosen(named: Option<PathBuf>) -> Result<PathBuf, NoFile> {
    let configured = || variables::FILE.iter().filter_map(std::env::var_os).find(|path| !path.is_empty());
    named.or_else(|| configured().map(PathBuf::from)).ok_or(NoFile)
}

type Renderer = fn(&Config, Target<'_>) -> anyhow::Result<Rendering>;

/// Renders to a file of this name, or compares with it.
fn write_rendering(args: &RenderArgs, name: &str, of: Renderer) -> anyhow::Result<()> {
    let path = chosen(args.config.clone())?;
    let document = document::read_to_run(&path)?;
    tell_added(&path, &document)?;
    let rendering = of(&document.config, Target { wasm: &args.wasm, private_admin: None });
    let rendering = rendering.map_err(|error| match error.downcast() {
        Ok(Unsayable(problems)) => {
            let mistakes = problems.into_iter().map(|problem| document.additions.explain(problem)).collect();
            BadFile { path: path.clone(), mistakes }.into()
        }
        Err(error) => error,
    })?;
    if let Some(folder) = &args.check {
        return compare(&folder.join(name), &rendering.text);
    }
    if args.out == Path::new("-") {
        print(&rendering.text)?;
    } else {
        fs::create_dir_all(&args.out).with_context(|| format!("{} cannot be made", args.out.display()))?;
        let file = args.out.join(name);
        fs::write(&file, &rendering.text).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    tell_variables(&path, &rendering)?;
    tell_keys(&document)
}

fn print_plugin(config: Option<PathBuf>) -> anyhow::Result<()> {
    let path = chosen(config)?;
    let document = document::read_to_run(&path)?;
    tell_added(&path, &document)?;
    let rendering = render::plugin(&document.config);
    print(&rendering.text)?;
    tell_variables(&path, &rendering)?;
    tell_keys(&document)
}

fn tell_added(path: &Path, document: &Document) -> io::Result<()> {
    check::added(path, document).map_or(Ok(()), |line| writeln!(io::stderr().lock(), "dragoman: {line}"))
}

fn tell_variables(path: &Path, rendering: &Rendering) -> anyhow::Result<()> {
    let inline: Vec<_> = rendering.handovers.iter().map(|handover| handover.variable.as_str()).collect();
    let mut err = io::stderr().lock();
    if !rendering.variables.is_empty() {
        writeln!(err, "Envoy needs these variables: {}", rendering.variables.join(", "))?;
    }
    if !inline.is_empty() {
        writeln!(err, "set from the values in {}: {}", path.display(), inline.join(", "))?;
    }
    Ok(())
}

/// What a rendering cannot carry: it would be seen there.
fn tell_keys(Document { config, .. }: &Document) -> anyhow::Result<()> {
    let Some(jwt) = config.auth.jwt.as_ref().filter(|jwt| matches!(jwt.keys, JwtKeys::Secret(_))) else {
        return Ok(());
    };
    let key = |algorithm: &Algorithm| format!(r#"{{"kty":"oct","alg":"{}","k":"…"}}"#, algorithm.name);
    let keys: Vec<_> = jwt.algorithms.iter().map(key).collect();
    writeln!(
        io::stderr().lock(),
        r#"Envoy needs the keys of auth.jwt.secret in {KEYS_VARIABLE}, with the secret in base64url for k: {{"keys":[{}]}}"#,
        keys.join(",")
    )?;
    Ok(())
}

fn compare(path: &Path, expected: &str) -> anyhow::Result<()> {
    let found = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    if found == expected {
        return Ok(());
    }
    let mut lines = (1_usize..).zip(found.lines().zip(expected.lines()));
    match lines.find(|(_, (old, new))| old != new) {
        Some((line, (old, new))) => {
            bail!("{} differs from its source, first at line {line}:\n- {old}\n+ {new}", path.display())
        }
        None => bail!("{} differs from its source in length", path.display()),
    }
}

fn read_key() -> anyhow::Result<String> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).context("standard input is not text")?;
    let key = text.trim_end_matches(['\r', '\n']);
    if key.is_empty() {
        bail!("no key on standard input")
    }
    Ok(key.to_owned())
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
