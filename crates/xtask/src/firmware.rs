//! `cargo x firmware`: firmware in QEMU against a broker on this machine.
//!
//! Builds `tests/firmware/net` for a Cortex-M4 with a network card; the program `firmware` of the `tests`
//! package starts brokers and boards, and judges by their exit status. What went over the wire of a
//! failed run stays in `target/captures`.

use crate::Outcome;
use crate::process::{add_targets, cargo, command, root, run as run_command, target_dir};
use crate::setup;
use std::path::PathBuf;

const TARGET: &str = "thumbv7em-none-eabi";

/// The arguments are scenarios; none means all.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    setup::install_packages()?;
    let image = build("net")?;
    let captures = target_dir().join("captures");
    // No package is named, so that cargo chooses features as it does for all of the workspace, and
    // has next to nothing to build after the tests.
    let mut judge = cargo(&["run", "--quiet", "--bin", "firmware", "--"]);
    run_command(judge.arg(&image).arg(&captures).args(arguments))
}

/// Builds a package of `tests/firmware`, and says where its binary is.
fn build(package: &str) -> Result<PathBuf, String> {
    add_targets(&[TARGET])?;
    let target_dir = target_dir().join("firmware");
    let mut build = command("cargo");
    build
        .current_dir(root().join("tests/firmware").join(package))
        .args(["build", "--quiet", "--release", "--locked", "--target", TARGET, "--target-dir"])
        .arg(&target_dir);
    run_command(&mut build)?;
    Ok(target_dir.join(TARGET).join("release").join(package))
}
