//! The Envoy process: how it is started, asked and ended.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::Context;
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use super::admin::Interface;
use crate::render::Handover;

/// Envoy needs this long at most to end its workers once nothing runs.
const QUIT_LIMIT: Duration = Duration::from_secs(10);

/// Everything an Envoy is started with.
pub(super) struct Spec<'a> {
    pub(super) binary: &'a Path,
    /// Lives at least as long as the process.
    pub(super) folder: &'a Path,
    pub(super) bootstrap: &'a str,
    pub(super) concurrency: u32,
    pub(super) handovers: &'a [Handover],
    /// The keys of tokens, where they are a secret of the file.
    pub(super) keys: Option<&'a Handover>,
    pub(super) variables: &'a [String],
    /// The admin interface, where it is a Unix socket.
    pub(super) private_admin: Option<PathBuf>,
}

/// A running Envoy. Killed when dropped.
pub(super) struct Envoy {
    child: Child,
    admin: Admin,
}

enum Admin {
    Pipe(PathBuf),
    /// Envoy writes the address here once it listens: with port 0 only it knows.
    Written(PathBuf),
}

impl Spec<'_> {
    pub(super) fn start(self) -> anyhow::Result<Envoy> {
        let bootstrap = self.folder.join("envoy.yaml");
        fs::write(&bootstrap, self.bootstrap).context("the rendered configuration cannot be written")?;
        let address_file = self.folder.join("admin.address");
        let program = env::current_exe().context("this program cannot find itself")?;
        let mut command = Command::new(program);
        command.args(["launch", &std::process::id().to_string()]).arg(self.binary);
        command.arg("--config-path").arg(&bootstrap);
        command.args(["--concurrency", &self.concurrency.to_string(), "--log-level", "warning"]);
        // Two Envoys on one machine otherwise meet in the hot restart socket, and the second one ends.
        command.arg("--disable-hot-restart");
        if self.private_admin.is_none() {
            command.arg("--admin-address-path").arg(&address_file);
        }
        command.env_clear();
        let inherited = ["PATH", "HOME"].into_iter().chain(self.variables.iter().map(String::as_str));
        command.envs(inherited.filter_map(|name| Some((name, env::var_os(name)?))));
        command
            .envs(self.handovers.iter().chain(self.keys).map(|handover| (&handover.variable, handover.value.expose())));
        // Its own group: Ctrl-C in a terminal is ours to answer, by draining.
        command.process_group(0).kill_on_drop(true).stdin(Stdio::null());
        let child = command.spawn().context("Envoy cannot be started")?;
        let admin = self.private_admin.map_or(Admin::Written(address_file), Admin::Pipe);
        Ok(Envoy { child, admin })
    }
}

impl Envoy {
    /// The admin interface, once there is one.
    pub(super) fn admin(&self) -> Option<Interface> {
        match &self.admin {
            Admin::Pipe(path) => Some(Interface::Pipe(path.clone())),
            Admin::Written(path) => {
                let address: SocketAddr = fs::read_to_string(path).ok()?.trim().parse().ok()?;
                Some(Interface::Tcp(address))
            }
        }
    }

    /// How it ended, if it did.
    pub(super) fn ended(&mut self) -> std::io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Until it ends.
    pub(super) async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Ends it: by its own hand where it still answers, else by force.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(admin) = self.admin() {
            // An Envoy that cannot answer is killed below.
            let _ = admin.post("/quitquitquit").await;
            if timeout(QUIT_LIMIT, self.child.wait()).await.is_ok() {
                return Ok(());
            }
        }
        self.child.kill().await.context("Envoy cannot be ended")
    }
}
