//! `cargo x boards`: the programs for real boards, type-checked, for want of the boards.

use crate::Outcome;
use crate::process::{add_targets, command, root, run as run_command, target_dir};

/// Where the packages lie, each outside the workspace.
pub(crate) const FOLDER: &str = "adapters/embassy/boards";

/// Packages, what they are built for, and the sets of features they are built with.
const BOARDS: [(&str, &str, &[&str]); 3] = [
    ("esp32c3", "riscv32imc-unknown-none-elf", &["", "mbedtls"]),
    ("rp2040", "thumbv6m-none-eabi", &[""]),
    ("stm32h7", "thumbv7em-none-eabihf", &[""]),
];

/// The arguments are boards; none means all.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let Some(unknown) = arguments.iter().find(|name| !BOARDS.iter().any(|(b, ..)| b == name)) {
        let names = BOARDS.map(|(name, ..)| name).join(" ");
        return Err(format!("no board {unknown:?}; there are: {names}"));
    }
    add_targets(&BOARDS.map(|(_, target, _)| target))?;
    let chosen = |name: &str| arguments.is_empty() || arguments.iter().any(|a| a == name);
    for (board, target, sets) in BOARDS.iter().filter(|(name, ..)| chosen(name)) {
        for features in *sets {
            let mut check = command("cargo");
            check
                .current_dir(root().join(FOLDER).join(board))
                .args(["check", "--quiet", "--release", "--locked", "--target", target])
                .args(["--features", features])
                .arg("--target-dir")
                .arg(target_dir().join("boards"))
                .env("RUSTFLAGS", "--deny warnings");
            run_command(&mut check)?;
            println!("{board}: checked for {target}, features: {features:?}");
        }
    }
    Ok(())
}

/// All packages of the folder, what the boards have in common included.
pub(crate) fn packages() -> impl Iterator<Item = String> {
    let names = BOARDS.iter().map(|(name, ..)| *name).chain(["shared"]);
    names.map(|name| format!("{FOLDER}/{name}"))
}
