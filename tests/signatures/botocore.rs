//! The signer of AWS's Python SDK, in a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use support::workspace;

use crate::case::{Case, Form, Made};

/// One process for all requests; it ends with this value.
pub(crate) struct Botocore {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Botocore {
    /// Starts `peers/botocore_signer.py`.
    ///
    /// Panics when the Python environment is missing.
    pub(crate) fn start() -> Self {
        let venv = std::env::var_os("DUNLIN_VENV")
            .map_or_else(|| workspace().join("target/peers/venv"), PathBuf::from);
        let mut child = Command::new(venv.join("bin/python3"))
            .arg(workspace().join("tests/peers/botocore_signer.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("no Python ({error}): `cargo x setup` installs it"));
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, stdout }
    }

    /// Its signature.
    ///
    /// Panics when botocore is missing, which Python has said on stderr then.
    pub(crate) fn sign(&mut self, case: &Case) -> Made {
        let order = json!({
            "form": match case.form { Form::Query => "query", Form::Headers => "headers" },
            "access_key_id": case.access_key_id,
            "secret_access_key": case.secret_access_key,
            "session_token": case.session_token,
            "region": case.region,
            "service": case.service,
            "unix_time": case.unix_time,
            "method": case.method,
            "url": case.url(),
            "query": case.query,
            "headers": case.headers,
            "body": case.body,
            "expires": case.expires,
        });
        let mut line = order.to_string();
        line.push('\n');
        let sent = self.stdin.as_mut().unwrap().write_all(line.as_bytes());
        let mut answer = String::new();
        let read = self.stdout.read_line(&mut answer);
        let missing = "botocore gave no answer: `cargo x setup` installs it";
        assert!(sent.is_ok() && read.is_ok_and(|len| len > 0), "{missing}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let field = |name: &str| answer[name].as_str().unwrap().to_owned();
        Made { signed_headers: field("signed_headers"), signature: field("signature") }
    }
}

impl Drop for Botocore {
    fn drop(&mut self) {
        drop(self.stdin.take());
        self.child.wait().unwrap();
    }
}
