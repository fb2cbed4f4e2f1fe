//! `cargo x narrow`: the core's own tests where a pointer has 32 bits, as on a microcontroller.
//!
//! Lengths of WebSocket and MQTT have up to 63: what this machine can count must not decide. Then those
//! of a build that a small device has: without QoS 2.

use crate::Outcome;
use crate::process::{add_targets, cargo, run as run_command};

/// Runs on any x86-64 Linux, and brings its own C library: nothing has to be installed for it.
const TARGET: &str = "i686-unknown-linux-musl";

/// How cargo is told who links for [`TARGET`]: Rust's own linker, for a C compiler may have only 64 bits.
const LINKER: (&str, &str) = ("CARGO_TARGET_I686_UNKNOWN_LINUX_MUSL_LINKER", "rust-lld");

const PACKAGES: [&str; 5] = ["dunlin-octet", "dunlin-ws", "dunlin-mqtt", "dunlin-sigv4", "dunlin"];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let [unknown, ..] = arguments {
        return Err(format!("narrow takes no arguments, not {unknown:?}"));
    }
    add_targets(&[TARGET])?;
    let mut test = cargo(&["test", "--quiet", "--lib", "--target", TARGET]);
    test.env(LINKER.0, LINKER.1);
    for package in PACKAGES {
        test.args(["--package", package]);
    }
    run_command(&mut test)?;
    without_qos2()
}

/// Runs the tests of what takes the place of QoS 2 in a build without it; all others are of the whole.
fn without_qos2() -> Outcome {
    let package = ["--package", "dunlin-mqtt", "--no-default-features"];
    let mut test = cargo(&["test", "--quiet", "--lib", "--target", TARGET]);
    test.env(LINKER.0, LINKER.1).args(package);
    run_command(test.args(["--features", "v3,v5,journal,oversize", "--", "without_qos2"]))
}
