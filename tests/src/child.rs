//! A process that a test starts: its output line by line, its log, and its end with the test's.
//!
//! The [`Gateway`](crate::envoy::Gateway) of a file is shared by its tests (a `static`), and statics are never dropped; so who
//! ends it? The kernel: `dragoman launch` ties a child to the thread that started it, which here is a thread that lives
//! exactly as long as the child or this process. That holds however the test process ends, by a failed test, an abort in
//! native code or a kill. What it leaves on disk lies in `target/`, and the next test process removes it.
//!
//! A port that was free a moment ago may be taken now. So each is held by a socket of ours for as long as the process lives,
//! bound with `SO_REUSEPORT`, which lets Envoy bind it too, and never listening, so that every connection is Envoy's.

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use socket2::{Domain, Socket, Type};
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tempfile::TempDir;

const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A gateway that did not come up, or its end.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Everything it printed to standard error.
    pub log: String,
}

/// See the module's documentation.
pub(crate) struct Process {
    pub(crate) id: u32,
    /// Names the process even when its id has been given to another.
    handle: OwnedFd,
    exit: Mutex<Receiver<ExitStatus>>,
    output: Arc<Mutex<String>>,
    log: Arc<Mutex<String>>,
    /// Ends when all has been read.
    reader: Option<JoinHandle<()>>,
    pub(crate) folder: TempDir,
    _ports: Vec<Socket>,
}

impl Process {
    /// The process, and its standard output line by line.
    pub(crate) fn start(mut command: Command, folder: TempDir, ports: Vec<Socket>) -> (Self, Receiver<String>) {
        let (started, starting) = mpsc::channel();
        let (exited, exit) = mpsc::channel();
        // Nobody joins this thread, and it is the child's parent in the kernel's eyes: it ends when the child has.
        thread::spawn(move || {
            let mut child = command.spawn().expect("the tool can be run");
            let (id, out, err) = (child.id(), child.stdout.take(), child.stderr.take());
            let _ = started.send((id, handle(&child), out, err));
            if let Ok(status) = child.wait() {
                let _ = exited.send(status);
            }
        });
        let (id, handle, out, err) = starting.recv().expect("the tool was run");
        let (line, lines) = mpsc::channel();
        let output = Arc::new(Mutex::new(String::new()));
        let printed = Arc::clone(&output);
        thread::spawn(move || {
            for text in BufReader::new(out.expect("it is piped")).lines().map_while(Result::ok) {
                let mut all = printed.lock().unwrap_or_else(PoisonError::into_inner);
                all.push_str(&text);
                all.push('\n');
                drop(all);
                let _ = line.send(text);
            }
        });
        let log = Arc::new(Mutex::new(String::new()));
        let writer = Arc::clone(&log);
        let reader = thread::spawn(move || {
            let mut reader = BufReader::new(err.expect("it is piped"));
            let mut bytes = Vec::new();
            while reader.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
                writer.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(&bytes));
                bytes.clear();
            }
        });
        (Self { id, handle, exit: Mutex::new(exit), output, log, reader: Some(reader), folder, _ports: ports }, lines)
    }

    /// What was printed to standard error.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was printed to standard output.
    pub(crate) fn output(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        // An error means that it has ended already.
        let _ = pidfd_send_signal(&self.handle, signal);
    }

    /// Ends it so, and says how it went.
    pub(crate) fn end(mut self, signal: Signal) -> Ended {
        self.signal(signal);
        let exit = self.exit.get_mut().unwrap_or_else(PoisonError::into_inner);
        let status = exit.recv_timeout(STOP_LIMIT).ok();
        if status.is_some() {
            let _ = self.reader.take().map(JoinHandle::join);
        }
        Ended { code: status.and_then(|status| status.code()), log: self.log() }
    }
}

/// A gateway of one test goes with it.
impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// A free port of the loopback address, held as told above.
pub(crate) fn hold_port() -> io::Result<(SocketAddr, Socket)> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    let address = socket.local_addr()?.as_socket();
    Ok((address.ok_or(io::ErrorKind::AddrNotAvailable)?, socket))
}

fn handle(child: &Child) -> OwnedFd {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    pidfd_open(pid, PidfdFlags::empty()).expect("a handle on the child")
}
