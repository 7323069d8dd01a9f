//! A real gateway: `dragoman up`, which runs a real Envoy with the real module, on ports of their own choosing.
//! How it is kept and ended: [`child`](crate::child).

pub use crate::child::Ended;
use crate::child::{Process, hold_port};
use crate::http::{Connection, Request, Response};
use crate::workers;
use rustix::process::Signal;
use serde_json::{Value, json};
use socket2::Socket;
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

/// `up` promises 20 s on an idle machine.
const READY_LIMIT: Duration = Duration::from_mins(1);
/// The configuration file, in the gateway's folder.
const FILE: &str = "dragoman.json";

/// What a gateway is started with.
pub struct Setup {
    config: Value,
    ports: Vec<Socket>,
    variables: Vec<(String, String)>,
    arguments: Vec<String>,
    module: &'static str,
}

/// A running gateway.
pub struct Gateway {
    /// Where clients go.
    pub address: SocketAddr,
    /// Where its administrators go.
    pub admin: SocketAddr,
    /// Envoy's own admin interface, unless it is off.
    pub envoy_admin: Option<SocketAddr>,
    config: Value,
    process: Process,
}

impl Setup {
    /// A configuration file's content. `listen` is filled in: two workers, free ports.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn new(config: Value) -> Self {
        let mut config = in_test_mode(config);
        let mut ports = Vec::new();
        if let Some(file) = config.as_object_mut() {
            let listen = file.entry("listen").or_insert_with(|| json!({}));
            for name in ["address", "admin"] {
                if listen.get(name).is_none() {
                    let (address, port) = hold_port().expect("a free port");
                    listen[name] = json!(address.to_string());
                    ports.push(port);
                }
            }
            if listen.get("concurrency").is_none() {
                listen["concurrency"] = json!(2);
            }
        }
        Self { config, ports, variables: Vec::new(), arguments: Vec::new(), module: "dragoman.wasm" }
    }

    /// An environment variable more.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// An argument more.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Another module than the gateway's.
    #[must_use]
    pub fn module(mut self, name: &'static str) -> Self {
        self.module = name;
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    #[track_caller]
    pub fn start(self) -> Gateway {
        match self.try_start() {
            Ok(gateway) => gateway,
            Err(ended) => panic!("the gateway ended with {:?}:\n{}", ended.code, ended.log),
        }
    }

    /// Starts it, or says how it ended.
    ///
    /// # Errors
    /// It ended before it was ready, which it must be within a minute.
    ///
    /// # Panics
    /// When it is not built.
    pub fn try_start(self) -> Result<Gateway, Ended> {
        let folder = TempDir::with_prefix_in("gateway-", scratch()).expect("a folder");
        let file = folder.path().join(FILE);
        fs::write(&file, self.config.to_string()).expect("a file in it");
        let tool = artefact("dragoman");
        let mut command = Command::new(&tool);
        command.args(["launch", &std::process::id().to_string()]).arg(&tool).arg("up");
        command.arg("--config").arg(&file);
        command.arg("--envoy").arg(stock_envoy()).arg("--wasm").arg(artefact(self.module));
        command.args(&self.arguments).envs(self.variables).env("TMPDIR", folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (process, lines) = Process::start(command, folder, self.ports);

        let mut ready = None;
        while let Ok(line) = lines.recv_timeout(READY_LIMIT) {
            if line.starts_with("ready ") {
                let mut addresses = line.split(' ').filter_map(|word| word.strip_prefix("http://")?.parse().ok());
                ready = addresses.next().zip(addresses.next());
            } else if let (Some((address, admin)), Some(url)) = (ready, line.strip_prefix("prometheus http://")) {
                let envoy_admin = url.split('/').next().and_then(|address| address.parse().ok());
                return Ok(Gateway { address, admin, envoy_admin, config: self.config, process });
            }
            if let Some((address, admin)) = ready
                && self.config.pointer("/listen/envoy_admin") == Some(&json!("off"))
            {
                return Ok(Gateway { address, admin, envoy_admin: None, config: self.config, process });
            }
        }
        Err(process.end(Signal::KILL))
    }
}

impl Gateway {
    /// Starts one from a configuration file's content; [`Setup`] for more.
    #[must_use]
    #[track_caller]
    pub fn start(config: Value) -> Self {
        Setup::new(config).start()
    }

    /// Sends a request to the ingress.
    #[must_use]
    #[track_caller]
    pub fn send(&self, request: &Request) -> Response {
        request.send(self.address)
    }

    /// The folder of its configuration file and its temporary files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.process.folder.path()
    }

    /// The content of the configuration file that it was started with.
    #[must_use]
    pub fn config(&self) -> Value {
        self.config.clone()
    }

    /// Puts another configuration file in the place of the one there is, as an editor does.
    ///
    /// # Panics
    /// When the folder cannot be written.
    #[track_caller]
    pub fn replace_file(&self, text: &str) {
        let draft = self.folder().join("draft");
        fs::write(&draft, text).expect("the folder can be written");
        fs::rename(&draft, self.folder().join(FILE)).expect("the folder can be written");
    }

    /// Sends it SIGHUP.
    pub fn hang_up(&self) {
        self.process.signal(Signal::HUP);
    }

    /// What was printed to standard error, by the tool, Envoy and the module.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// What was printed to standard output: the ready lines, then the access log.
    #[must_use]
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Asks Envoy's admin interface.
    ///
    /// # Panics
    /// When it is off.
    #[must_use]
    #[track_caller]
    pub fn ask_envoy(&self, path: &str) -> String {
        Request::get(path).send(self.envoy_admin.expect("Envoy's admin interface is on")).text()
    }

    /// One of Envoy's statistics; zero where there is none of that name.
    #[must_use]
    #[track_caller]
    pub fn stat(&self, name: &str) -> u64 {
        let stats = self.ask_envoy("/stats?usedonly");
        let value = stats.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.and_then(|value| value.parse().ok()).unwrap_or_default()
    }

    /// Memory of the Envoy process that is resident.
    ///
    /// # Panics
    /// When Envoy is gone.
    #[must_use]
    #[track_caller]
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.envoy_id())).expect("Envoy runs");
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
        1024 * kib.unwrap_or(0_u64)
    }

    /// The id of the Envoy process.
    ///
    /// # Panics
    /// When Envoy is gone.
    #[must_use]
    #[track_caller]
    pub fn envoy_id(&self) -> u32 {
        let up = self.process.id;
        let children = fs::read_to_string(format!("/proc/{up}/task/{up}/children")).expect("the tool runs");
        children.split_whitespace().next().and_then(|id| id.parse().ok()).expect("Envoy is its child")
    }

    /// A connection to each worker, in the same order at every call. Envoy never moves one to another worker.
    ///
    /// # Panics
    /// When some worker gets none.
    #[must_use]
    #[track_caller]
    pub fn connect_workers(&self) -> Vec<Connection> {
        let count = self.config.pointer("/listen/concurrency").and_then(Value::as_u64);
        workers::connect(self.envoy_id(), self.address, count.expect("the number of workers"))
    }

    /// Ends it as an operator does, and says how it went.
    #[must_use]
    pub fn stop(self) -> Ended {
        self.process.end(Signal::TERM)
    }
}

/// Where `make` leaves what it builds; `DRAGOMAN_DIST` says otherwise.
///
/// # Panics
/// When it is not built.
#[must_use]
pub fn artefact(name: &str) -> PathBuf {
    let path = place(name);
    assert!(path.exists(), "{} is not there: `make wasm cli envoy` builds it", path.display());
    path
}

fn place(name: &str) -> PathBuf {
    let folder = std::env::var_os("DRAGOMAN_DIST").map_or_else(|| root().join("dist"), PathBuf::from);
    folder.join(name)
}

/// Whether a test has to be left out for something that `make wasm cli envoy` does not build, and if so says that and how it is
/// built where it is seen.
#[must_use]
pub fn lacks(test: &str, name: &str, how: &str) -> bool {
    let is_there = place(name).exists();
    if !is_there {
        let _ = writeln!(io::stderr().lock(), "{test}: skipped: dist/{name} is not there, `{how}` builds it");
    }
    !is_there
}

/// The Envoy that is tested with: `DRAGOMAN_TEST_ENVOY` names an older one of `scripts/envoy`.
#[must_use]
pub fn stock_envoy() -> PathBuf {
    artefact(std::env::var("DRAGOMAN_TEST_ENVOY").as_deref().unwrap_or("envoy"))
}

/// Whether all files are run with `retry.mode: dispatch`: `DRAGOMAN_TEST_MODE` says so.
#[must_use]
pub fn is_dispatch() -> bool {
    std::env::var("DRAGOMAN_TEST_MODE").is_ok_and(|mode| mode == "dispatch")
}

/// Whether a test that is about the native mode has to be left out, and if so says that and why where it is seen.
#[must_use]
pub fn skips(test: &str, reason: &str) -> bool {
    if is_dispatch() {
        // Past the capture of a test that passes.
        let _ = writeln!(io::stderr().lock(), "{test}: skipped in dispatch mode: {reason}");
    }
    is_dispatch()
}

/// A file in the mode that is tested, unless it has one of its own. Nothing is tried a second time unless it says so: most tests
/// are about what becomes of one answer.
pub(crate) fn in_test_mode(mut config: Value) -> Value {
    let retry = config.as_object_mut().map(|file| file.entry("retry").or_insert_with(|| json!({})));
    if let Some(retry) = retry.and_then(Value::as_object_mut) {
        retry.entry("attempts").or_insert_with(|| json!(0));
        if is_dispatch() {
            retry.entry("mode").or_insert_with(|| json!("dispatch"));
        }
    }
    config
}

/// The workspace's folder.
///
/// # Panics
/// When there is none, which cannot be.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace")
}

/// This process's folder. Those of processes that are gone are removed: nobody was left to do it.
fn scratch() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let all = root().join("target/gateways");
        let own = all.join(std::process::id().to_string());
        fs::create_dir_all(&own).expect("target/ can be written");
        for entry in fs::read_dir(&all).into_iter().flatten().flatten() {
            if !Path::new("/proc").join(entry.file_name()).exists() {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        own
    })
}
