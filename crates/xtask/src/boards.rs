//! `cargo x boards`: the programs for real boards, type-checked, for want of the boards.

use crate::Outcome;
use crate::process::{add_targets, command, root, run as run_command, target_dir};

/// Where the packages lie, each outside the workspace.
pub(crate) const FOLDER: &str = "adapters/embassy/boards";

/// Packages and what they are built for.
const BOARDS: [(&str, &str); 3] = [
    ("esp32c3", "riscv32imc-unknown-none-elf"),
    ("rp2040", "thumbv6m-none-eabi"),
    ("stm32h7", "thumbv7em-none-eabihf"),
];

/// The arguments are boards; none means all.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let Some(unknown) = arguments.iter().find(|name| !BOARDS.iter().any(|(b, _)| b == name)) {
        let names = BOARDS.map(|(name, _)| name).join(" ");
        return Err(format!("no board {unknown:?}; there are: {names}"));
    }
    add_targets(&BOARDS.map(|(_, target)| target))?;
    let chosen = |name: &str| arguments.is_empty() || arguments.iter().any(|a| a == name);
    for (board, target) in BOARDS.iter().filter(|(name, _)| chosen(name)) {
        let mut check = command("cargo");
        check
            .current_dir(root().join(FOLDER).join(board))
            .args(["check", "--quiet", "--release", "--locked", "--target", target])
            .arg("--target-dir")
            .arg(target_dir().join("boards"))
            .env("RUSTFLAGS", "--deny warnings");
        run_command(&mut check)?;
        println!("{board}: checked for {target}");
    }
    Ok(())
}

/// All packages of the folder, what the boards have in common included.
pub(crate) fn packages() -> impl Iterator<Item = String> {
    let names = BOARDS.iter().map(|(name, _)| *name).chain(["shared"]);
    names.map(|name| format!("{FOLDER}/{name}"))
}
