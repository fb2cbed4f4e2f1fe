//! `cargo x thumb`: the core, built for the smallest machines it is meant for.

use crate::Outcome;
use crate::process::{add_targets, cargo, run as run_command};

/// No atomics to exchange; the common one; another architecture.
const TARGETS: &[&str] =
    &["thumbv6m-none-eabi", "thumbv7em-none-eabi", "riscv32imc-unknown-none-elf"];

const PACKAGES: &[&str] = &[
    "dunlin-octet",
    "dunlin-ws",
    "dunlin-mqtt",
    "dunlin-sigv4",
    "dunlin",
    "dunlin-aws",
    "dunlin-pubsub",
    "dunlin-drive",
    "dunlin-embassy",
    "dunlin-embassy-tls",
];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let [unknown, ..] = arguments {
        return Err(format!("thumb takes no arguments, not {unknown:?}"));
    }
    add_targets(TARGETS)?;
    let mut build = cargo(&["build"]);
    for target in TARGETS {
        build.args(["--target", target]);
    }
    for package in PACKAGES {
        build.args(["--package", package]);
    }
    run_command(&mut build)
}
