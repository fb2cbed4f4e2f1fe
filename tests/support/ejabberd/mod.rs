//! Debian's ejabberd as a child process: MQTT 3.1.1 and 5 over WebSocket, on loopback.
//!
//! An Erlang node that is no part of any cluster: it has no name, no cookie and no port mapper, and
//! listens on nothing but its WebSocket port, which the kernel chooses. Its configuration, tables
//! and log lie in a folder of its own. It ends with its standard input, so that it outlives neither
//! this value nor this process, whatever ends that.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::find_program;

/// How long a start may take before the test fails; a machine on which nothing is free has needed a minute.
pub const START_LIMIT: Duration = Duration::from_secs(180);
/// Between two looks at the log of a node that is not ready yet.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// How many lines of the log a failing test shows.
const LOG_TAIL: usize = 60;

/// A user and password that open the door, as do any others.
pub const CREDENTIALS: (&str, &str) = ("anybody", "whatever");

/// In front of the address in the line of the log that says the node listens.
const LISTENS: &str = "Start accepting TCP connections at ";

/// Everybody is let in who has a password, whichever: ejabberd refuses empty ones before it looks.
const CONFIG: &str = "\
hosts: [localhost]
loglevel: info
listen:
  - module: ejabberd_http
    ip: 127.0.0.1
    port: 0
    request_handlers: {/mqtt: mod_mqtt}
auth_method: [anonymous]
anonymous_protocol: login_anon
allow_multiple_connections: true
modules:
  mod_mqtt: {}
";

/// Ends the node when nobody holds the other end of its standard input any more.
const END_WITH_INPUT: &str =
    "spawn(fun F() -> case io:get_line(\"\") of L when is_list(L) -> F(); _ -> halt(0) end end)";

/// A running broker; it dies with this value.
#[derive(Debug)]
pub struct Ejabberd {
    folder: Option<TempDir>,
    ws: SocketAddr,
    child: Child,
}

impl Ejabberd {
    /// Starts a node and returns when it listens.
    ///
    /// Panics when ejabberd is not installed or does not start.
    pub async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("ejabberd-").tempdir().expect("a folder");
        fs::write(folder.path().join("ejabberd.yml"), CONFIG).expect("the folder is writable");
        let mut child = spawn(folder.path());
        let ws = match listens(folder.path(), &mut child).await {
            Ok(ws) => ws,
            Err(why) => panic!("ejabberd did not start: {why}\n{}", tail(folder.path())),
        };
        Self { folder: Some(folder), ws, child }
    }

    /// The WebSocket listener; MQTT is behind the path `/mqtt`.
    pub const fn ws_addr(&self) -> SocketAddr {
        self.ws
    }
}

impl Drop for Ejabberd {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.child.start_kill();
        if let Some(folder) = self.folder.take().filter(|_| thread::panicking()) {
            eprintln!("the end of ejabberd's log:\n{}", tail(folder.path()));
            eprintln!("ejabberd's folder is kept: {}", folder.keep().display());
        }
    }
}

/// Starts the node as ejabberdctl would, without what makes it part of a machine's cluster.
fn spawn(folder: &Path) -> Child {
    let missing = "is missing: `cargo x setup` installs ejabberd";
    let ctl = find_program("ejabberdctl").unwrap_or_else(|| panic!("ejabberdctl {missing}"));
    let erl = find_program("erl").unwrap_or_else(|| panic!("erl {missing}"));
    let log = fs::File::create(folder.join("output")).expect("the folder is writable");
    let errors = log.try_clone().expect("a second handle");
    Command::new(erl)
        .args(["-noshell", "-mnesia", "dir"])
        .arg(format!("{:?}", folder.join("spool")))
        .args(["-eval", END_WITH_INPUT, "-s", "ejabberd"])
        .env("ERL_LIBS", libraries(&ctl))
        .env("ERL_CRASH_DUMP", folder.join("crash"))
        .env("EJABBERD_CONFIG_PATH", folder.join("ejabberd.yml"))
        .env("EJABBERD_LOG_PATH", folder.join("log"))
        .env("HOME", folder)
        .current_dir(folder)
        .stdin(Stdio::piped())
        // Files, not pipes: a broker must never wait for a test that does not read.
        .stdout(log)
        .stderr(errors)
        .kill_on_drop(true)
        .spawn()
        .expect("erl can be executed")
}

/// Where ejabberd's own code lies, which differs from machine to machine: its script knows.
fn libraries(ctl: &Path) -> String {
    let script = fs::read_to_string(ctl).expect("ejabberdctl is a readable script");
    let line = script.lines().find_map(|line| line.trim().strip_prefix("ERL_LIBS="));
    let line = line.unwrap_or_else(|| panic!("{} sets no ERL_LIBS", ctl.display()));
    line.trim_matches(['\'', '"']).to_owned()
}

/// Waits for the line of the log that names the port.
async fn listens(folder: &Path, child: &mut Child) -> Result<SocketAddr, String> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        if let Some(address) = listener(&read(&folder.join("log"))) {
            return Ok(address);
        }
        if let Some(status) = child.try_wait().expect("our child") {
            return Err(format!("it ended with {status}"));
        }
        if Instant::now() > deadline {
            return Err(format!("it does not listen for {START_LIMIT:?}"));
        }
        sleep(POLL_INTERVAL).await;
    }
}

/// The address that a whole line of the log names.
fn listener(log: &str) -> Option<SocketAddr> {
    let (_, behind) = log.split_once(LISTENS)?;
    let (line, _) = behind.split_once('\n')?;
    line.split_whitespace().next()?.parse().ok()
}

fn read(path: &PathBuf) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// What it wrote to its streams: the log, and what comes before there is one.
fn tail(folder: &Path) -> String {
    let text = read(&folder.join("output"));
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpStream;

    #[test]
    fn listener_is_read_from_a_whole_line_only() {
        let line = "[info] Start accepting TCP connections at 127.0.0.1:44683 for ejabberd_http";
        assert_eq!(listener(line), None);
        let address = listener(&format!("before\n{line}\n"));
        assert_eq!(address, Some("127.0.0.1:44683".parse().unwrap()));
    }

    /// Two nodes do not know of one another, and each ends without its test having a say in it.
    #[tokio::test]
    async fn node_ends_with_its_standard_input_and_leaves_the_other_one_alone() {
        let (mut first, second) = tokio::join!(Ejabberd::start(), Ejabberd::start());
        assert_ne!(first.ws_addr(), second.ws_addr());
        drop(first.child.stdin.take());
        let status = tokio::time::timeout(START_LIMIT, first.child.wait()).await;
        assert!(status.expect("it ends").expect("our child").success());
        assert!(TcpStream::connect(first.ws_addr()).await.is_err());
        assert!(TcpStream::connect(second.ws_addr()).await.is_ok());
    }
}
