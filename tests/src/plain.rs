//! Envoy alone, with a bootstrap as `dragoman render` writes it or as a test has bent it: how a gateway runs where its
//! operator brings Envoy and the file.
//!
//! Not [`Gateway`](crate::envoy::Gateway): that is `dragoman up`, which renders, hands over credentials and drains.

use crate::child::hold_port;
use crate::envoy::{artefact, in_test_mode, root, stock_envoy};
use crate::http::{Connection, Request, Response};
use crate::workers;
use serde_json::{Value, json};
use socket2::Socket;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const WORKERS: u64 = 2;
const READY_LIMIT: Duration = Duration::from_secs(30);

/// An Envoy of one test; it ends with it.
pub struct Plain {
    /// Where clients go.
    pub address: SocketAddr,
    child: Child,
    folder: TempDir,
    _ports: Vec<Socket>,
}

impl Plain {
    /// Renders this file, lets `bend` change the bootstrap, and starts Envoy with it and these variables.
    ///
    /// # Panics
    /// When one of them fails, or Envoy does not answer `/health` soon.
    #[must_use]
    #[track_caller]
    pub fn start(config: Value, bend: impl FnOnce(String) -> String, variables: &[(&str, &str)]) -> Self {
        let [(address, ingress), (admin, second), (envoy_admin, third)] =
            [(); 3].map(|()| hold_port().expect("a free port"));
        let ports = vec![ingress, second, third];
        let mut config = in_test_mode(config);
        if let Some(file) = config.as_object_mut() {
            let listen = json!({
                "address": address.to_string(),
                "admin": admin.to_string(),
                "envoy_admin": envoy_admin.to_string(),
            });
            file.insert("listen".to_owned(), listen);
        }
        let folder = TempDir::new().expect("a folder");
        let file = folder.path().join("dragoman.json");
        fs::write(&file, config.to_string()).expect("a file in it");
        let mut render = Command::new(artefact("dragoman"));
        render.args(["render", "envoy", "--config"]).arg(&file).arg("--wasm").arg(artefact("dragoman.wasm"));
        let rendered = render.output().expect("the tool can be run");
        assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
        let bootstrap = folder.path().join("envoy.yaml");
        fs::write(&bootstrap, bend(String::from_utf8(rendered.stdout).expect("YAML is text"))).expect("a file in it");
        Self::run(&stock_envoy(), &bootstrap, address, variables, folder, ports)
    }

    /// Starts Envoy in the workspace's folder with one of its files, `path`, moved from `from` to a free port.
    ///
    /// # Panics
    /// As above.
    #[must_use]
    #[track_caller]
    pub fn start_file(path: &str, from: &[u16]) -> Self {
        let mut text = fs::read_to_string(root().join(path)).expect("the file is there");
        let mut ports = Vec::new();
        let mut addresses = Vec::new();
        for old in from {
            let (address, port) = hold_port().expect("a free port");
            assert!(text.contains(&format!("port_value: {old}\n")), "{path} has no port {old}");
            text = text.replace(&format!("port_value: {old}\n"), &format!("port_value: {}\n", address.port()));
            addresses.push(address);
            ports.push(port);
        }
        let folder = TempDir::new().expect("a folder");
        let bootstrap = folder.path().join("envoy.yaml");
        fs::write(&bootstrap, text).expect("a file in it");
        let address = addresses.first().copied().expect("a port to move");
        Self::run(&stock_envoy(), &bootstrap, address, &[], folder, ports)
    }

    /// Starts this Envoy with a bootstrap of somebody else's, written for the address that clients go to.
    ///
    /// # Panics
    /// As above.
    #[must_use]
    #[track_caller]
    pub fn start_foreign(
        envoy: &Path,
        bootstrap: impl FnOnce(SocketAddr) -> Value,
        variables: &[(&str, &str)],
    ) -> Self {
        let (address, port) = hold_port().expect("a free port");
        let folder = TempDir::new().expect("a folder");
        let file = folder.path().join("envoy.json");
        fs::write(&file, bootstrap(address).to_string()).expect("a file in it");
        Self::run(envoy, &file, address, variables, folder, vec![port])
    }

    #[track_caller]
    fn run(
        envoy: &Path,
        bootstrap: &Path,
        address: SocketAddr,
        variables: &[(&str, &str)],
        folder: TempDir,
        ports: Vec<Socket>,
    ) -> Self {
        let [log, output] = ["log", "output"].map(|name| File::create(folder.path().join(name)).expect("a file in it"));
        let mut command = Command::new(artefact("dragoman"));
        command.args(["launch", &std::process::id().to_string()]).arg(envoy).arg("-c").arg(bootstrap);
        command.args(["--disable-hot-restart", "--concurrency", &WORKERS.to_string(), "--log-level", "warn"]);
        command.current_dir(root()).envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(output).stderr(log);
        let child = command.spawn().expect("Envoy can be run");
        let mut plain = Self { address, child, folder, _ports: ports };
        let begun = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            assert!(plain.child.try_wait().is_ok_and(|status| status.is_none()), "Envoy ended:\n{}", plain.log());
            assert!(begun.elapsed() < READY_LIMIT, "Envoy does not listen:\n{}", plain.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        plain
    }

    /// A connection to each worker.
    ///
    /// # Panics
    /// When some worker gets none.
    #[must_use]
    #[track_caller]
    pub fn connect_workers(&self) -> Vec<Connection> {
        workers::connect(self.child.id(), self.address, WORKERS)
    }

    /// Sends a request to the ingress.
    #[must_use]
    #[track_caller]
    pub fn send(&self, request: &Request) -> Response {
        request.send(self.address)
    }

    /// What Envoy and the module have said.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// What was written to standard output: access logs.
    #[must_use]
    pub fn output(&self) -> String {
        fs::read_to_string(self.folder.path().join("output")).unwrap_or_default()
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
