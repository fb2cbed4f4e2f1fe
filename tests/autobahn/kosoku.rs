//! Kosoku, the program that runs the cases and judges them.

use crate::Failure;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::{env, fmt};
use support::workspace;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};

/// Everything but compression (12, 13), which is an extension; 8 and 11 have no cases.
const SECTIONS: [&str; 9] = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"];

/// Kosoku while it runs; it is killed with this value.
pub(crate) struct Kosoku {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

/// How it ended.
pub(crate) struct Ended {
    /// Whether it was content.
    pub(crate) success: bool,
    said: String,
}

impl Kosoku {
    /// Starts it in a mode, `fuzzingserver` at or `fuzzingclient` against `address`.
    pub(crate) fn start(mode: &str, address: &str, reports: &Path) -> Result<Self, Failure> {
        let program = program();
        let mut command = Command::new(&program);
        command.args(["--mode", mode, "--outdir"]).arg(reports);
        for section in SECTIONS {
            command.args(["--include", section]);
        }
        command.arg(address).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            format!("{} cannot be run: {error}; `cargo x setup` installs it", program.display())
        })?;
        let stderr = child.stderr.take().ok_or("no pipe from kosoku")?;
        Ok(Self { child, stderr: BufReader::new(stderr), said: String::new() })
    }

    /// Where it listens, as a server, once it does.
    pub(crate) async fn address(&mut self) -> Result<SocketAddr, Failure> {
        let mut line = String::new();
        while self.stderr.read_line(&mut line).await? > 0 {
            if let Some((_, address)) = line.split_once(" listening on ws://") {
                return Ok(address.trim().parse()?);
            }
            self.said.push_str(&line);
            line.clear();
        }
        Err(format!("kosoku does not listen:\n{}", self.said).into())
    }

    /// Waits for its end.
    pub(crate) async fn finish(mut self) -> Result<Ended, Failure> {
        self.stderr.read_to_string(&mut self.said).await?;
        let success = self.child.wait().await?.success();
        Ok(Ended { success, said: self.said })
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.success { "content" } else { "failing" };
        write!(f, "kosoku ended {how}:\n{}", self.said.trim_end())
    }
}

/// In the environment of the tests' other Python peers: `DUNLIN_VENV`, or `target/peers/venv`.
fn program() -> PathBuf {
    let venv = env::var_os("DUNLIN_VENV");
    let venv = venv.map_or_else(|| workspace().join("target/peers/venv"), PathBuf::from);
    venv.join("bin/kosoku")
}
