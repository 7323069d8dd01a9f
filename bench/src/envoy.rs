//! One Envoy, with one worker, on one processor.
//!
//! Not the tests' harness: that one starts `dragoman up`, whose own process would then share Envoy's processor, and Envoys without
//! the gateway are needed here as well.

use anyhow::{Context as _, bail};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const READY_LIMIT: Duration = Duration::from_secs(30);

/// The processors of a run: one for Envoy, another for all the rest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Processors {
    envoy: usize,
    rig: usize,
}

/// A running Envoy.
pub(crate) struct Envoy {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    _folder: TempDir,
}

impl Processors {
    /// The first two that this process may use.
    pub(crate) fn choose() -> anyhow::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut usable = (0..CpuSet::MAX_CPU).filter(|number| allowed.is_set(*number));
        let (Some(envoy), Some(rig)) = (usable.next(), usable.next()) else {
            bail!("two processors are needed: one for Envoy, one for the load and the provider")
        };
        Ok(Self { envoy, rig })
    }

    /// Keeps this thread, and those that it starts, on the rig's processor.
    pub(crate) fn take_rig(self) -> anyhow::Result<()> {
        take(self.rig)
    }
}

impl Envoy {
    /// Starts one on `bootstrap`, which listens at `address`, and waits until it takes connections.
    pub(crate) fn start(
        dist: &Path,
        bootstrap: &str,
        address: SocketAddr,
        processors: Processors,
    ) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("dragoman-bench-")?;
        let (file, log) = (folder.path().join("envoy.yaml"), folder.path().join("log"));
        fs::write(&file, bootstrap)?;
        // Tied to this process, whichever way it ends.
        let mut command = Command::new(dist.join("dragoman"));
        command.args(["launch", &std::process::id().to_string()]).arg(dist.join("envoy")).arg("-c").arg(&file);
        command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]);
        command.env("BENCH_CREDENTIAL", "sk-provider");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        // A child has its parent's affinity.
        take(processors.envoy)?;
        let child = command.spawn();
        processors.take_rig()?;
        let mut envoy =
            Self { child: child.context("`make wasm cli envoy` builds what is measured")?, address, _folder: folder };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if envoy.child.try_wait()?.is_some() || begun.elapsed() > READY_LIMIT {
                bail!("Envoy did not come up:\n{}", fs::read_to_string(&log)?);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(envoy)
    }

    /// The processor time that all its threads have had. `/proc/PID/stat` counts in hundredths of a second, the scheduler in
    /// nanoseconds.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        let mut nanoseconds = 0_u64;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let stat = fs::read_to_string(task?.path().join("schedstat"))?;
            let spent: u64 = stat.split(' ').next().unwrap_or_default().parse()?;
            nanoseconds = nanoseconds.saturating_add(spent);
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens on at the moment.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn take(processor: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(processor);
    Ok(sched_setaffinity(None, &set)?)
}
