//! Debian's mosquitto as a child process: one WebSocket and one plain listener on loopback.
//!
//! A broker that nobody here wrote, with its folder, its log and its death under the test's control.
//! Its settings are those of mosquitto.conf(5).

mod wire;

use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::find_program;
use crate::process::RUN_LIMIT;
use wire::{PROBE_LIMIT, UPGRADE, connect_packet, metronome, open, ping, probe};

/// How long a start may take before the test fails; a loaded machine needs under one second.
pub const START_LIMIT: Duration = Duration::from_secs(20);
/// How often a start is tried with other ports when somebody took the first ones.
pub const PORT_TRIES: usize = 8;
/// Between two looks at something that is not ready yet.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// First port handed out: above the registered services of a Debian machine.
const PORT_FIRST: u16 = 10_240;
/// First port not handed out, where Linux begins to take local ports from (tcp(7),
/// `ip_local_port_range`): a client that calls a dead broker's port must neither reach itself nor
/// occupy the port before the restart.
const PORT_END: u16 = 32_768;
/// How many lines of the log a failing test shows.
const LOG_TAIL: usize = 60;

/// What differs from an open broker that keeps nothing.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The one user and password let in; everybody is when absent.
    pub credentials: Option<(String, String)>,
    /// QoS 1 and 2 messages in flight towards one client: mosquitto's 20 when absent, 0 unlimited.
    pub max_inflight: Option<u16>,
    /// The longest packet it takes, in bytes; any when absent.
    pub max_packet_size: Option<u32>,
    /// Where sessions and messages live.
    pub storage: Storage,
}

/// Where sessions, queued and retained messages live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// They die with the process.
    #[default]
    Memory,
    /// In the broker's folder, saved after every change, read again by a restart.
    Disk,
}

/// A running broker, or one between `kill` and `restart`; it dies with this value.
#[derive(Debug)]
pub struct Mosquitto {
    folder: Option<TempDir>,
    tcp: SocketAddr,
    ws: SocketAddr,
    options: Options,
    child: Option<Child>,
    metronome: Option<AbortHandle>,
}

impl Mosquitto {
    /// Starts a broker on free ports and returns when both of them answer.
    ///
    /// Panics when mosquitto is not installed or does not start.
    pub async fn start(options: Options) -> Self {
        let folder = tempfile::Builder::new().prefix("mosquitto-").tempdir().expect("a folder");
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let folder = Some(folder);
        let mut broker =
            Self { folder, tcp: nowhere, ws: nowhere, options, child: None, metronome: None };
        broker.write_passwords();
        for _ in 0..PORT_TRIES {
            [broker.tcp, broker.ws] = free_addresses();
            broker.write_config();
            match broker.launch().await {
                Ok(()) => return broker,
                Err(StartError::PortTaken) => {}
                Err(StartError::Failed(why)) => panic!("mosquitto did not start: {why}"),
            }
        }
        panic!("mosquitto found its ports taken {PORT_TRIES} times");
    }

    /// The WebSocket listener as a URL; mosquitto answers on every path.
    pub fn ws_url(&self) -> String {
        format!("ws://{}/mqtt", self.ws)
    }

    /// The plain listener as a URL.
    pub fn tcp_url(&self) -> String {
        format!("mqtt://{}", self.tcp)
    }

    /// The WebSocket listener.
    pub const fn ws_addr(&self) -> SocketAddr {
        self.ws
    }

    /// The plain listener.
    pub const fn tcp_addr(&self) -> SocketAddr {
        self.tcp
    }

    /// What the broker has written, over all its lives.
    pub fn log_path(&self) -> PathBuf {
        self.path("log")
    }

    /// The log's text so far.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until it has written `words` into its log.
    pub async fn logged(&self, words: &str) {
        let found = timeout(RUN_LIMIT, async {
            while !self.log().contains(words) {
                sleep(POLL_INTERVAL).await;
            }
        });
        assert!(found.await.is_ok(), "{words} is not in\n{}", self.tail());
    }

    /// Waits until whatever was acknowledged before this call would outlive a [`Mosquitto::kill`].
    ///
    /// Mosquitto acknowledges first and saves when its loop has turned: killed under load it loses
    /// the last message it acknowledged on a connection. With [`Storage::Disk`] only.
    pub async fn saved(&self) {
        let connect = connect_packet(self.options.credentials.as_ref());
        let turns = timeout(PROBE_LIMIT, async {
            let mut stream = open(self.tcp, &connect).await?;
            // Each answer is a turn begun after the last: what was acknowledged before is saved.
            ping(&mut stream).await?;
            ping(&mut stream).await
        });
        assert!(matches!(turns.await, Ok(Ok(()))), "no answer to a ping\n{}", self.tail());
    }

    /// Ends the broker with SIGKILL and waits until it is gone; harmless when it already is.
    pub async fn kill(&mut self) {
        self.stop_metronome();
        if let Some(mut child) = self.child.take() {
            child.kill().await.expect("mosquitto can be killed");
        }
    }

    /// Starts the broker again on the same ports with the same configuration and folder.
    ///
    /// A broker that still runs is killed first. Panics when the ports stay taken for
    /// [`START_LIMIT`].
    pub async fn restart(&mut self) {
        self.kill().await;
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match self.launch().await {
                Ok(()) => return,
                Err(StartError::PortTaken) if Instant::now() < deadline => {
                    sleep(POLL_INTERVAL).await;
                }
                Err(why) => panic!("mosquitto did not start again: {why:?}\n{}", self.tail()),
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.as_ref().expect("the folder is given up in drop only").path().join(name)
    }

    /// Writes the password file: mosquitto_passwd hashes it, since the broker takes no clear text.
    fn write_passwords(&self) {
        let Some((user, password)) = &self.options.credentials else { return };
        let file = self.path("passwords");
        fs::write(&file, format!("{user}:{password}\n")).expect("the folder is writable");
        let hashed = std::process::Command::new(program("mosquitto_passwd"))
            .arg("-U")
            .arg(&file)
            .output()
            .expect("mosquitto_passwd runs");
        assert!(hashed.status.success(), "{}", String::from_utf8_lossy(&hashed.stderr));
    }

    fn write_config(&self) {
        fs::write(self.path("conf"), self.config()).expect("the folder is writable");
    }

    fn config(&self) -> String {
        let mut text = String::from(
            "user root\n\
             log_dest stderr\n\
             sys_interval 0\n\
             set_tcp_nodelay true\n\
             max_queued_messages 0\n\
             websockets_headers_size 16384\n",
        );
        let folder = self.path("");
        match self.options.credentials {
            Some(_) => writeln!(text, "password_file {}passwords", folder.display()),
            None => writeln!(text, "allow_anonymous true"),
        }
        .expect("a string grows");
        if let Some(limit) = self.options.max_inflight {
            writeln!(text, "max_inflight_messages {limit}").expect("a string grows");
        }
        if let Some(limit) = self.options.max_packet_size {
            writeln!(text, "max_packet_size {limit}").expect("a string grows");
        }
        if self.options.storage == Storage::Disk {
            text.push_str("persistence true\nautosave_on_changes true\nautosave_interval 1\n");
            // Each packet, so that what a kill may lose can be counted.
            text.push_str("log_type all\n");
            writeln!(text, "persistence_location {}", folder.display()).expect("a string grows");
        }
        for (address, protocol) in [(self.tcp, "mqtt"), (self.ws, "websockets")] {
            let (ip, port) = (address.ip(), address.port());
            writeln!(text, "listener {port} {ip}\nprotocol {protocol}\nsocket_domain ipv4")
                .expect("a string grows");
        }
        text
    }

    /// One attempt: a process, watched until it answers or ends.
    async fn launch(&mut self) -> Result<(), StartError> {
        let log = OpenOptions::new().create(true).append(true).open(self.log_path());
        let log = log.expect("the folder is writable");
        let begin = log.metadata().expect("an open file has a length").len() as usize;
        self.child = Some(spawn(&self.path("conf"), log));
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let log = self.log();
            // Asked after reading: whoever has ended has written all there is to read.
            let ended = self.child.as_mut().expect("just spawned").try_wait().expect("our child");
            if let Some(status) = ended {
                self.child = None;
                return Err(start_error(&self.log()[begin..], &status.to_string()));
            }
            // Only our own log tells our own broker from a stranger on the same port.
            if log[begin..].contains(" running\n") && self.answers().await {
                self.start_metronome();
                return Ok(());
            }
            if Instant::now() > deadline {
                let why = format!("no answer for {START_LIMIT:?}\n{}", self.tail());
                return Err(StartError::Failed(why));
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Whether both listeners speak their protocol by now.
    async fn answers(&self) -> bool {
        let connect = connect_packet(self.options.credentials.as_ref());
        // CONNACK without a session, accepted (MQTT 3.1.1 §3.2).
        probe(self.tcp, &connect, &[0x20, 2, 0, 0]).await
            && probe(self.ws, UPGRADE.as_bytes(), b"HTTP/1.1 101").await
    }

    /// Keeps the broker's loop turning. In each turn libwebsockets sends at most 4,096 bytes of a
    /// message, and a turn without traffic from elsewhere takes 100 ms: 1 MiB takes 25 s when
    /// nobody else talks (eclipse-mosquitto issue 1390), and a quarter of a second with this.
    fn start_metronome(&mut self) {
        let connect = connect_packet(self.options.credentials.as_ref());
        let task = tokio::spawn(metronome(self.tcp, connect));
        self.metronome = Some(task.abort_handle());
    }

    fn stop_metronome(&mut self) {
        if let Some(task) = self.metronome.take() {
            task.abort();
        }
    }

    fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n")
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.stop_metronome();
        if let Some(child) = &mut self.child {
            // An error means that it has ended by itself.
            let _ = child.start_kill();
        }
        if thread::panicking() {
            eprintln!("the end of mosquitto's log:\n{}", self.tail());
            let kept = self.folder.take().map(TempDir::keep);
            eprintln!("mosquitto's folder is kept: {}", kept.unwrap_or_default().display());
        }
    }
}

/// Why one attempt came to nothing.
#[derive(Debug)]
enum StartError {
    /// Somebody listens on one of the ports: try others, or later.
    PortTaken,
    /// Trying again would not help.
    Failed(String),
}

/// What a process that ended instead of starting had to say.
fn start_error(log: &str, status: &str) -> StartError {
    let taken = ["Address already in use", "Unable to create websockets listener"];
    if taken.iter().any(|words| log.contains(words)) {
        return StartError::PortTaken;
    }
    StartError::Failed(format!("it ended with {status}\n{log}"))
}

fn spawn(config: &Path, log: File) -> Child {
    Command::new(program("mosquitto"))
        .arg("-c")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // A file, not a pipe: a broker must never wait for a test that does not read.
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .expect("mosquitto can be executed")
}

fn program(name: &str) -> PathBuf {
    find_program(name).unwrap_or_else(|| panic!("{name} is missing: `cargo x setup` installs it"))
}

/// Two loopback ports that nobody listens on at this moment.
fn free_addresses() -> [SocketAddr; 2] {
    // The standard library's hash keys are its only source of randomness.
    let start = RandomState::new().build_hasher().finish();
    let range = u64::from(PORT_END - PORT_FIRST);
    let mut free = (0..range).filter_map(|step| {
        let port = PORT_FIRST + (start.wrapping_add(step) % range) as u16;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        TcpListener::bind(address).is_ok().then_some(address)
    });
    [(); 2].map(|()| free.next().expect("a machine has free ports"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two brokers cannot share ports: the second must say so in a way `start` understands.
    #[tokio::test]
    async fn launch_on_taken_ports_asks_for_others() {
        let first = Mosquitto::start(Options::default()).await;
        for (tcp, ws) in [(first.tcp, free_addresses()[0]), (free_addresses()[0], first.ws)] {
            let mut second = Mosquitto::start(Options::default()).await;
            second.kill().await;
            (second.tcp, second.ws) = (tcp, ws);
            second.write_config();
            let outcome = second.launch().await;
            assert!(matches!(outcome, Err(StartError::PortTaken)), "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn start_with_credentials_refuses_strangers() {
        let credentials = Some(("ada".to_owned(), "enigma".to_owned()));
        let broker = Mosquitto::start(Options { credentials, ..Options::default() }).await;
        let stranger = connect_packet(None);
        // Return code 5: not authorized (MQTT 3.1.1 §3.2.2.3).
        assert!(probe(broker.tcp_addr(), &stranger, &[0x20, 2, 0, 5]).await);
    }

    #[tokio::test]
    async fn kill_closes_both_ports_until_restart() {
        let mut broker = Mosquitto::start(Options::default()).await;
        let before = (broker.tcp_addr(), broker.ws_addr());
        broker.kill().await;
        assert!(!broker.answers().await);
        broker.restart().await;
        assert!(broker.answers().await);
        assert_eq!((broker.tcp_addr(), broker.ws_addr()), before);
    }
}
