//! The DevTools protocol over pipes: JSON, each message ended by a zero byte.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::find_program;

/// How long any one answer may take; a loaded machine needs some seconds for the first.
const LIMIT: Duration = Duration::from_secs(60);

/// What Debian, Ubuntu and the others call it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// It runs as root, in containers, and asks nobody on the network for anything.
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--window-size=1200,900",
];

/// Chromium reads from descriptor 3 and writes to 4: a shell puts our pipes there.
const SHELL: &str = r#"exec "$@" 3<&0 4>&1 >/dev/null"#;

/// A browser, and the session with one page of it.
#[derive(Debug)]
pub(super) struct Wire {
    /// Killed when it is dropped, before its profile is deleted.
    _child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    profile: TempDir,
    session: Option<String>,
    calls: u64,
    /// The names of events that nobody has waited for yet.
    events: Vec<String>,
}

impl Wire {
    /// Starts a browser, and opens an empty page.
    pub(super) async fn start() -> Self {
        let program = NAMES.iter().find_map(|name| find_program(name));
        let program = program.expect("chromium is missing: `cargo x setup` installs it");
        let profile = TempDir::new().expect("a temporary folder");
        let stderr = File::create(profile.path().join("stderr")).expect("the folder is ours");
        let mut shell = Command::new("sh");
        shell.args(["-c", SHELL, "sh"]).arg(program).args(FLAGS);
        shell.arg(format!("--user-data-dir={}", profile.path().join("data").display()));
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr).kill_on_drop(true);
        let mut child = shell.spawn().expect("there is a shell");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (session, events) = (None, Vec::new());
        let mut wire = Self { _child: child, stdin, stdout, profile, session, calls: 0, events };
        let target = wire.call("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = wire.call("Target.attachToTarget", attach).await;
        wire.session = Some(attached["sessionId"].as_str().expect("a session").to_owned());
        wire
    }

    /// What the browser answers; events that come before it are kept.
    pub(super) async fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            call["sessionId"] = json!(session);
        }
        let mut bytes = call.to_string().into_bytes();
        bytes.push(0);
        if let Err(error) = self.stdin.write_all(&bytes).await {
            self.give_up(&format!("{method}: {error}"));
        }
        loop {
            let mut message = self.message(method).await;
            if message["id"] == call["id"] {
                assert!(message["error"].is_null(), "{call}: {message}");
                return message["result"].take();
            }
            self.events.extend(message["method"].as_str().map(str::to_owned));
        }
    }

    /// Waits for an event, unless it has come already.
    pub(super) async fn event(&mut self, name: &str) {
        while !self.events.iter().any(|event| event == name) {
            let message = self.message(name).await;
            self.events.extend(message["method"].as_str().map(str::to_owned));
        }
        self.events.clear();
    }

    /// The next message; `what` is waited for.
    async fn message(&mut self, what: &str) -> Value {
        let mut bytes = Vec::new();
        match timeout(LIMIT, self.stdout.read_until(0, &mut bytes)).await {
            Ok(Ok(1..)) if bytes.pop() == Some(0) => {}
            outcome => self.give_up(&format!("no answer to {what}: {outcome:?}")),
        }
        serde_json::from_slice(&bytes).expect("the browser speaks JSON")
    }

    fn give_up(&self, why: &str) -> ! {
        let said = fs::read(self.profile.path().join("stderr")).unwrap_or_default();
        panic!("{why}\nthe browser said:\n{}", String::from_utf8_lossy(&said))
    }
}
