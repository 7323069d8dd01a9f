//! `dragoman up`: the gateway in the foreground, from one file.
//!
//! Envoy is a child process with a rendered configuration and an environment of its own: PATH, HOME and the credentials
//! that the file names, nothing else. Everything is asked of it over its admin interface, so that no process is ever
//! signalled by number.
//!
//! The runtime has one thread on purpose: Linux ties a child to the thread that made it (see `launch.rs`).

mod admin;
mod discovery;
mod drain;
mod files;
pub mod launch;
mod ports;
mod process;
mod reload;
mod watch;

use std::{
    io::Write,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, bail};
use dragoman_core::config::{Config, EnvoyAdmin, Problem};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep},
};

use self::{
    admin::Interface,
    process::Envoy,
    reload::{Reload, Source},
};
use crate::{
    check,
    document::{self, Document},
    mistake::BadFile,
    render::{self, ADMIN_LISTENER, INGRESS_LISTENER},
};

/// From start to the first answer.
const READY_LIMIT: Duration = Duration::from_secs(20);
const READY_POLL: Duration = Duration::from_millis(50);

/// The command line of `up`.
#[derive(Debug, Clone)]
pub struct Options {
    /// The configuration file.
    pub config: PathBuf,
    /// Envoy; beside this program or on PATH where absent.
    pub envoy: Option<PathBuf>,
    /// The module; beside this program or on PATH where absent.
    pub wasm: Option<PathBuf>,
    /// Replaces the host of `listen.address`.
    pub host: Option<IpAddr>,
    /// Replaces the port of `listen.address`.
    pub port: Option<u16>,
    /// Whether to take over changes of the file.
    pub reload: bool,
}

/// Runs until a signal asks for the end.
///
/// # Errors
/// With [`BadFile`] for the file; otherwise when something is missing, a port is taken, or Envoy does not start
/// or ends by itself.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(options))
}

async fn serve(options: &Options) -> anyhow::Result<()> {
    let mut signals = Signals::new(options.reload)?;
    let source = if options.reload { Some(Source::new(&options.config)?) } else { None };
    let (document, overrides) = configure(options)?;
    let added = check::added(&options.config, &document).into_iter();
    for line in added.chain(check::unconfigured(&document.config)).chain(check::ignored(&document)) {
        writeln!(std::io::stderr(), "dragoman: {line}")?;
    }
    let Document { config, additions } = document;
    files::audit(&config)
        .map_err(|problem| BadFile { path: options.config.clone(), mistakes: additions.explain_all(vec![problem]) })?;
    let binary = files::envoy(options.envoy.as_deref())?;
    let module = files::module(options.wasm.as_deref())?;
    files::authorities(&config)?;
    let keys = render::keys(&config, |name| std::env::var(name).ok()).map_err(anyhow::Error::msg)?;
    ports::require_free(&config.listen)?;

    let folder = tempfile::Builder::new().prefix("dragoman-").tempdir().context("no temporary folder")?;
    let socket = folder.path().join("admin.sock");
    let target = render::Target { wasm: &module, private_admin: Some(&socket) };
    let mut reload =
        source.map(|source| Reload::prepare(source, &config, overrides, target, folder.path())).transpose()?;
    let fixed;
    let rendering = if let Some(reload) = &reload {
        reload.rendering()
    } else {
        fixed = render::envoy(&config, target)?;
        &fixed
    };
    let private_admin = (config.listen.envoy_admin == EnvoyAdmin::Off).then_some(socket);
    let mut envoy = process::Spec {
        binary: &binary,
        folder: folder.path(),
        bootstrap: &rendering.text,
        concurrency: config.listen.concurrency,
        handovers: &rendering.handovers,
        keys: keys.as_ref(),
        variables: &rendering.variables,
        private_admin,
    }
    .start()?;

    let serving = tokio::select! {
        ready = wait_until_ready(&mut envoy) => ready?,
        () = signals.first() => return envoy.stop().await,
    };
    announce(&serving)?;
    tokio::select! {
        ended = envoy.wait() => bail!("Envoy ended by itself ({}); its last lines are above", ended?),
        () = signals.first() => {}
        () = follow(&mut reload, &serving.envoy_admin) => {}
    }
    drain::run(&mut envoy, &serving.envoy_admin, &mut signals).await?;
    envoy.stop().await
}

/// Until the end: to follow the file, if that was asked for, is never done.
async fn follow(reload: &mut Option<Reload>, envoy_admin: &Interface) {
    match reload {
        Some(reload) => reload.run(envoy_admin).await,
        None => std::future::pending().await,
    }
}

fn configure(options: &Options) -> anyhow::Result<(Document, Overrides)> {
    let Document { config, additions } = document::read_to_run(&options.config)?;
    let port = match options.port {
        Some(0) => Some(ports::pick(options.host.unwrap_or_else(|| config.listen.address.ip()))?),
        port => port,
    };
    let overrides = Overrides { host: options.host, port };
    let config = overrides.apply(config).map_err(|problems| {
        let mistakes = additions.explain_all(problems);
        BadFile { path: options.config.clone(), mistakes }
    })?;
    Ok((Document { config, additions }, overrides))
}

/// What the command line says instead of the file, after a reload, too.
#[derive(Debug, Clone, Copy)]
struct Overrides {
    host: Option<IpAddr>,
    port: Option<u16>,
}

impl Overrides {
    fn apply(self, mut config: Config) -> Result<Config, Vec<Problem>> {
        if let Some(port) = self.port {
            config.listen.address.set_port(port);
        }
        let Some(host) = self.host else { return Ok(config) };
        config.listen.address.set_ip(host);
        // An address that others can reach is a problem of a file without keys, wherever it was written.
        document::recheck(&config)
    }
}

/// What runs, and where.
struct Serving {
    ingress: SocketAddr,
    admin: SocketAddr,
    envoy_admin: Interface,
}

/// Ready means that the module answered: Envoy alone listens before it knows whether its filters work.
async fn wait_until_ready(envoy: &mut Envoy) -> anyhow::Result<Serving> {
    let deadline = Instant::now().checked_add(READY_LIMIT).context("the clock is at its end")?;
    loop {
        if let Some(status) = envoy.ended()? {
            bail!("Envoy ended before it served ({status}); its last lines are above");
        }
        if let Some(serving) = probe(envoy).await {
            return Ok(serving);
        }
        if Instant::now() >= deadline {
            let _ = envoy.stop().await;
            bail!("the gateway did not serve within {} s; Envoy's last lines are above", READY_LIMIT.as_secs());
        }
        sleep(READY_POLL).await;
    }
}

async fn probe(envoy: &Envoy) -> Option<Serving> {
    let envoy_admin = envoy.admin()?;
    envoy_admin.get("/ready").await.ok().filter(admin::Answer::is_ok)?;
    let listeners = envoy_admin.get("/listeners?format=json").await.ok().filter(admin::Answer::is_ok)?;
    let ingress = listeners.listener(INGRESS_LISTENER)?;
    let admin = listeners.listener(ADMIN_LISTENER)?;
    Interface::Tcp(ingress).get("/health").await.ok().filter(admin::Answer::is_ok)?;
    Some(Serving { ingress, admin, envoy_admin })
}

/// One line that scripts wait for, then where to look.
fn announce(serving: &Serving) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready http://{} admin http://{}", serving.ingress, serving.admin)?;
    if let Interface::Tcp(address) = serving.envoy_admin {
        writeln!(out, "prometheus http://{address}/stats/prometheus")?;
    }
    out.flush()
}

/// What asks for the end: SIGTERM, SIGINT and, where no file is followed, SIGHUP. A terminal that closes sends the last, too, and
/// nobody should be left with a gateway that he no longer sees.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// Whether SIGHUP asks for something else.
    is_followed: bool,
}

impl Signals {
    fn new(is_followed: bool) -> std::io::Result<Self> {
        let [terminate, interrupt, hangup] =
            [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
        Ok(Self { terminate: terminate?, interrupt: interrupt?, hangup: hangup?, is_followed })
    }

    async fn first(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.hangup.recv(), if !self.is_followed => {}
        }
    }

    /// One that asks for haste. SIGHUP does not: the kernel and a shell both send it when one terminal closes.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
