//! Instructions, counted by callgrind.

use std::env;
use std::process::Command;

/// Makes this program take turns of one case and nothing else.
pub(crate) const TURNS: &str = "--turns";

/// Two lengths of a run; what setting up takes is the same in both.
const SHORT: u32 = 1_000;
const LONG: u32 = 3_000;

/// What ours took when somebody last wrote it down, by the title of the group. Valgrind knows no
/// instructions for SHA-256, so that most of a signature is made of others here.
const RECORDED: &[(&str, u32)] = &[
    ("mqtt: decode PUBLISH, QoS 1, 64 B", 254),
    ("mqtt: encode PUBLISH, QoS 1, 64 B", 176),
    ("ws: encode 32 B", 110),
    ("ws: decode 32 B", 113),
    ("connection: PUBLISH in, PUBACK out, WebSocket, 64 B", 1285),
    ("sigv4: presign", 102_282),
];

/// How many instructions a group was recorded with.
pub(crate) fn recorded(title: &str) -> Option<u32> {
    RECORDED.iter().find(|(recorded, _)| *recorded == title).map(|(_, instructions)| *instructions)
}

/// How many instructions one turn of a case takes.
pub(crate) fn instructions(title: &str, name: &str) -> Result<f64, String> {
    let (short, long) = (run(title, name, SHORT)?, run(title, name, LONG)?);
    Ok((long - short) / f64::from(LONG - SHORT))
}

fn run(title: &str, name: &str, turns: u32) -> Result<f64, String> {
    let this = env::current_exe().map_err(|error| format!("where is this program? {error}"))?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args([TURNS, title, name, &turns.to_string()])
        .output()
        .map_err(|error| format!("valgrind (Debian package valgrind) did not start: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    match collected.and_then(|(_, count)| count.trim().parse().ok()) {
        Some(count) if output.status.success() => Ok(count),
        _ => Err(format!("valgrind: {}\n{said}", output.status)),
    }
}
