//! Command lines under test: run with a limit, their output caught.
//!
//! Host processes only: [`dunlin()`] for the command of this workspace, [`Command::new`] for others.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::workspace;

/// How long a command may take, and how long one line of it may be waited for.
pub const RUN_LIMIT: Duration = Duration::from_secs(30);
/// How long building the command may take: a cold cache compiles its whole tree.
pub const BUILD_LIMIT: Duration = Duration::from_secs(900);

/// What the command reads from its environment: a test says it, never the machine.
const ENVIRONMENT: [&str; 12] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "DUNLIN_PASSWORD",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// The `dunlin` command, built from this clone on first use, with a clean environment.
///
/// Panics when it does not compile.
pub async fn dunlin() -> Command {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    let parts = ["--package=dunlin-cli", "--bin=dunlin"];
    let mut command = Command::new(BUILT.get_or_init(|| build(parts)).await);
    for name in ENVIRONMENT {
        command.inner.env_remove(name);
    }
    command
}

/// The worker among the Tokio adapter's examples, built from this clone on first use.
///
/// Panics when it does not compile.
pub async fn worker() -> Command {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    let parts = ["--package=dunlin-tokio", "--example=worker"];
    Command::new(BUILT.get_or_init(|| build(parts)).await)
}

/// A command that was not started yet.
#[derive(Debug)]
pub struct Command {
    inner: tokio::process::Command,
    input: Vec<u8>,
}

impl Command {
    /// A program, by path or by its name along `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut inner = tokio::process::Command::new(program);
        inner.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        inner.kill_on_drop(true);
        Self { inner, input: Vec::new() }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.inner.args(args);
        self
    }

    /// Sets one variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.inner.env(name, value);
        self
    }

    /// What [`Command::run`] writes to its standard input; nothing when not called.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// The program it will run, for a shell that is to run it in its stead.
    pub fn program(&self) -> &OsStr {
        self.inner.as_std().get_program()
    }

    /// Runs it to its end.
    ///
    /// Panics when that takes longer than [`RUN_LIMIT`].
    pub async fn run(mut self) -> Output {
        let input = std::mem::take(&mut self.input);
        let mut running = self.spawn();
        let mut stdin = running.stdin.take().expect("a pipe");
        // Beside the reading: whoever writes before it reads would wait for ever. An error means
        // that the command has ended, or reads no more, which its output and code must tell.
        let writer = tokio::spawn(async move { stdin.write_all(&input).await });
        let output = running.finish().await;
        writer.abort();
        output
    }

    /// Starts it and leaves it running, to talk with; input set before is not used.
    pub fn spawn(mut self) -> Running {
        let line = format!("{:?}", self.inner.as_std());
        let child = self.inner.spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{line} cannot be run: {error}"));
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let stderr = Arc::<Mutex<Vec<u8>>>::default();
        let reader = collect(child.stderr.take().expect("a pipe"), Arc::clone(&stderr));
        Running { line, child, stdin, stdout, seen: Vec::new(), told: 0, stderr, reader }
    }
}

/// A command that runs; it is killed with this value.
#[derive(Debug)]
pub struct Running {
    line: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    seen: Vec<u8>,
    /// How much of it was handed out as lines.
    told: usize,
    stderr: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Running {
    /// The next line of its standard output, without the line feed; dropped and called again, it loses
    /// nothing.
    ///
    /// Panics when none comes within [`RUN_LIMIT`].
    pub async fn line(&mut self) -> String {
        let read = timeout(RUN_LIMIT, self.stdout.read_until(b'\n', &mut self.seen)).await;
        let line = self.seen[self.told..].strip_suffix(b"\n");
        match (read, line) {
            (Ok(Ok(_)), Some(line)) => {
                let line = String::from_utf8_lossy(line).into_owned();
                self.told = self.seen.len();
                line
            }
            (outcome, _) => self.give_up(&format!("no whole line more: {outcome:?}")),
        }
    }

    /// Ends it with SIGKILL; the whole lines that it had printed, and nobody has read yet.
    pub async fn kill_and_read(&mut self) -> Vec<String> {
        self.kill().await;
        let read = timeout(RUN_LIMIT, self.stdout.read_to_end(&mut self.seen)).await;
        if !matches!(read, Ok(Ok(_))) {
            self.give_up(&format!("its output has no end: {read:?}"));
        }
        let rest = String::from_utf8_lossy(&self.seen[self.told..]).into_owned();
        self.told = self.seen.len();
        rest.split_inclusive('\n')
            .filter_map(|line| line.strip_suffix('\n'))
            .map(str::to_owned)
            .collect()
    }

    /// Reads lines until one contains `needle`, and returns that one.
    pub async fn line_with(&mut self, needle: &str) -> String {
        loop {
            let line = self.line().await;
            if line.contains(needle) {
                return line;
            }
        }
    }

    /// Writes to its standard input.
    pub async fn write(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("its standard input is still open");
        let written = timeout(RUN_LIMIT, stdin.write_all(bytes)).await;
        if !matches!(written, Ok(Ok(()))) {
            self.give_up(&format!("it takes no input: {written:?}"));
        }
    }

    /// Ends its standard input.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// What it wrote to its standard error so far.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.lock().expect("nobody panics with it")).into_owned()
    }

    /// Sends it a signal, such as `INT`.
    pub async fn signal(&self, name: &str) {
        let id = self.child.id().unwrap_or_else(|| self.give_up("it has ended already"));
        let mut kill = tokio::process::Command::new("kill");
        let sent = kill.args(["-s", name, &id.to_string()]).status().await;
        assert!(sent.expect("kill can be executed").success(), "no signal {name} to {}", self.line);
    }

    /// Ends it with SIGKILL.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("our child can be killed");
    }

    /// Waits for its end, its standard input closed.
    ///
    /// Panics when that takes longer than [`RUN_LIMIT`].
    pub async fn finish(mut self) -> Output {
        self.close_input();
        let rest = async {
            self.stdout.read_to_end(&mut self.seen).await?;
            // Its end, and that of its standard error.
            let status = self.child.wait().await?;
            (&mut self.reader).await.map(|()| status).map_err(std::io::Error::other)
        };
        let status = match timeout(RUN_LIMIT, rest).await {
            Ok(Ok(status)) => status,
            outcome => self.give_up(&format!("it does not end: {outcome:?}")),
        };
        let stderr = self.stderr();
        Output { line: self.line, code: status.code(), stdout: self.seen, stderr }
    }

    fn give_up(&self, why: &str) -> ! {
        let (line, stderr) = (&self.line, self.stderr());
        panic!("{line}: {why}\nstdout:\n{}\nstderr:\n{stderr}", self.seen.escape_ascii())
    }
}

/// A command that has ended.
#[derive(Clone)]
pub struct Output {
    line: String,
    /// The exit code; absent when a signal ended it.
    pub code: Option<i32>,
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// All of its standard error.
    pub stderr: String,
}

impl Output {
    /// Its standard output as text; panics unless it ended with `code`.
    #[track_caller]
    pub fn expect_code(&self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Its standard output as text; panics unless it succeeded.
    #[track_caller]
    pub fn text(&self) -> String {
        self.expect_code(0)
    }
}

/// As it would look in a terminal.
impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, code, stdout, stderr } = self;
        write!(f, "{line}: code {code:?}\nstdout:\n{}\nstderr:\n{stderr}", stdout.escape_ascii())
    }
}

/// Reads a stream to its end, into a place others can look at.
fn collect(
    mut stream: impl AsyncRead + Unpin + Send + 'static,
    into: Arc<Mutex<Vec<u8>>>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut chunk = vec![0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut chunk).await {
            into.lock().expect("nobody panics with it").extend_from_slice(&chunk[..length]);
        }
    })
}

/// Asks cargo to build one program, and where it is: wherever `CARGO_TARGET_DIR`, a profile or a
/// configuration file puts it, cargo knows. It holds no lock while it runs tests.
async fn build(parts: [&str; 2]) -> PathBuf {
    let mut cargo = tokio::process::Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo
        .arg("build")
        .args(parts)
        .arg("--message-format=json-render-diagnostics")
        .current_dir(workspace())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    // What cargo tells a test about its own package would have build scripts run again, which
    // watch these.
    for (name, _) in env::vars_os().filter(|(name, _)| is_about_a_package(name)) {
        cargo.env_remove(name);
    }
    let output = timeout(BUILD_LIMIT, cargo.output()).await;
    let output = output.expect("cargo ends").expect("cargo can be executed");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the command does not compile:\n{log}");
    let messages = String::from_utf8_lossy(&output.stdout);
    executable(&messages).unwrap_or_else(|| panic!("cargo names no executable:\n{log}"))
}

fn is_about_a_package(variable: &OsStr) -> bool {
    let names = ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_CRATE_NAME", "CARGO_BIN_NAME"];
    let name = variable.to_string_lossy();
    name.starts_with("CARGO_PKG_") || names.contains(&name.as_ref())
}

/// The one program among cargo's messages.
fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .find_map(|message| Some(Path::new(message["executable"].as_str()?).to_path_buf()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        Command::new("sh").args(["-c", script])
    }

    #[tokio::test]
    async fn run_catches_output_and_code() {
        let output = shell("echo out; echo err >&2; exit 27").run().await;
        assert_eq!(output.expect_code(27), "out\n");
        assert_eq!(output.stderr, "err\n");
    }

    /// More than any pipe holds, in both directions at once.
    #[tokio::test]
    async fn run_with_a_long_input_does_not_wait_for_ever() {
        let input = vec![b'x'; 1 << 20];
        let output = Command::new("cat").input(input.clone()).run().await;
        assert_eq!(output.text().as_bytes(), input);
    }

    #[tokio::test]
    async fn run_without_a_reader_of_its_input_ends() {
        let output = shell("exec 0<&-; echo done").input(vec![b'x'; 1 << 20]).run().await;
        assert_eq!(output.text(), "done\n");
    }

    #[tokio::test]
    async fn spawn_talks_line_by_line() {
        let mut running = Command::new("cat").spawn();
        running.write(b"one\ntwo\nthree\n").await;
        assert_eq!(running.line().await, "one");
        assert_eq!(running.line_with("thr").await, "three");
        running.close_input();
        assert_eq!(running.finish().await.text(), "one\ntwo\nthree\n");
    }

    #[tokio::test]
    async fn signal_reaches_the_command() {
        let mut running = shell("trap 'echo caught; exit 3' TERM; echo ready; read line").spawn();
        assert_eq!(running.line().await, "ready");
        running.signal("TERM").await;
        assert_eq!(running.finish().await.expect_code(3), "ready\ncaught\n");
    }

    #[tokio::test]
    async fn kill_and_read_gives_the_whole_lines_that_are_left() {
        let script = "echo one; echo two; printf 'three\\nfo'; echo ready >&2; read line";
        let mut running = shell(script).spawn();
        assert_eq!(running.line().await, "one");
        while running.stderr().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(running.kill_and_read().await, ["two", "three"]);
        assert_eq!(running.kill_and_read().await, [""; 0]);
    }

    #[tokio::test]
    async fn kill_leaves_no_exit_code() {
        let mut running = Command::new("cat").spawn();
        running.kill().await;
        assert_eq!(running.finish().await.code, None);
    }

    #[test]
    fn executable_is_found_among_messages() {
        let messages = concat!(
            "{\"reason\":\"compiler-artifact\",\"executable\":null}\n",
            "{\"reason\":\"compiler-artifact\",\"executable\":\"/somewhere/dunlin\"}\n",
            "{\"reason\":\"build-finished\",\"success\":true}\n",
        );
        assert_eq!(executable(messages).as_deref(), Some(Path::new("/somewhere/dunlin")));
    }
}
