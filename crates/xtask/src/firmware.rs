//! `cargo x firmware`: firmware in QEMU against a broker and a cloud on this machine.
//!
//! Builds `tests/firmware/net` for a Cortex-M4 with a network card, and `tests/firmware/line` for a
//! Cortex-M0 and a RISC-V whose UART is the connection; the program `firmware` of the `tests` package
//! starts brokers and boards, and judges by their exit status. What went over the wire of a failed run
//! stays in `target/captures`.

use crate::Outcome;
use crate::process::{add_targets, cargo, command, root, run as run_command, target_dir};
use crate::setup;

/// Packages of `tests/firmware`, and what they are built for.
const IMAGES: [(&str, &str); 3] = [
    ("net", "thumbv7em-none-eabi"),
    ("line", "thumbv6m-none-eabi"),
    ("line", "riscv32imc-unknown-none-elf"),
];

/// The arguments are scenarios; none means all.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    setup::install_packages()?;
    // moto is the service that gives credentials.
    setup::make_python_environment()?;
    add_targets(&IMAGES.map(|(_, target)| target))?;
    let images = target_dir().join("firmware");
    for (package, target) in IMAGES {
        let mut build = command("cargo");
        build
            .current_dir(root().join("tests/firmware").join(package))
            .args(["build", "--quiet", "--release", "--locked", "--target", target])
            .arg("--target-dir")
            .arg(&images);
        run_command(&mut build)?;
    }
    let captures = target_dir().join("captures");
    // No package is named, so that cargo chooses features as it does for all of the workspace, and
    // has next to nothing to build after the tests.
    let mut judge = cargo(&["run", "--quiet", "--bin", "firmware", "--"]);
    run_command(judge.arg(&images).arg(&captures).args(arguments))
}
