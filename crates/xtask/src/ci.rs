//! `cargo x ci`: what must hold before a change lands.

use crate::process::{cargo, run as run_command};
use crate::{
    Outcome, autobahn, boards, firmware, fuzz, masking, narrow, panic_proof, size, spec, test,
    thumb,
};
use std::time::Instant;

type Stage = (&'static str, fn() -> Outcome);

/// The same walk each time, so that a change is refused for what it does and not for the luck of the
/// draw; `cargo x fuzz` looks elsewhere each time.
const FUZZ_SEED: &str = "20261123";

/// Cheap ones first. Stages share what they build: the same profile and flags throughout.
const STAGES: &[Stage] = &[
    ("fmt", fmt),
    ("spec", || spec::run(&[])),
    ("clippy", clippy),
    ("docs", docs),
    ("test", || test::run(&[])),
    ("autobahn", || autobahn::run(&[])),
    ("narrow", || narrow::run(&[])),
    ("firmware", || firmware::run(&[])),
    ("boards", || boards::run(&[])),
    ("thumb", || thumb::run(&[])),
    ("panic-proof", || panic_proof::run(&[])),
    ("size", || size::run(&[])),
    ("masking", || masking::run(&[])),
    ("panic-proof-can-fail", || panic_proof::run(&["--planted".to_owned()])),
    ("fuzz", || fuzz::run(&["--seed".to_owned(), FUZZ_SEED.to_owned()])),
];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let Some(unknown) = arguments.iter().find(|name| !STAGES.iter().any(|(s, _)| s == name)) {
        let names: Vec<&str> = STAGES.iter().map(|(name, _)| *name).collect();
        return Err(format!("no stage {unknown:?}; there are: {}", names.join(" ")));
    }
    let chosen = |name: &str| arguments.is_empty() || arguments.iter().any(|a| a == name);
    let mut passed = 0_u32;
    for (name, stage) in STAGES.iter().filter(|(name, _)| chosen(name)) {
        println!("==> {name}");
        let start = Instant::now();
        let outcome = stage();
        let seconds = start.elapsed().as_secs_f32();
        if let Err(problem) = outcome {
            println!("<== {name} FAILED after {seconds:.1} s");
            println!("stages: {passed} passed, 1 failed");
            return Err(format!("stage {name}: {problem}"));
        }
        println!("<== {name} {seconds:.1} s");
        passed = passed.saturating_add(1);
    }
    println!("stages: {passed} passed, 0 failed");
    Ok(())
}

/// The packages outside the workspace included.
fn fmt() -> Outcome {
    run_command(&mut cargo(&["fmt", "--all", "--check"]))?;
    let firmware = ["budget", "line", "masking", "net", "panic-proof", "websocket"];
    let firmware = firmware.map(|name| format!("tests/firmware/{name}"));
    for package in ["fuzz".to_owned()].into_iter().chain(firmware).chain(boards::packages()) {
        let manifest = &format!("{package}/Cargo.toml");
        run_command(&mut cargo(&["fmt", "--check", "--manifest-path", manifest]))?;
    }
    Ok(())
}

/// With every feature on, so that what stands behind `fuzzing` and `defmt` is looked at too.
fn clippy() -> Outcome {
    let arguments = ["clippy", "--workspace", "--all-targets", "--all-features"];
    run_command(cargo(&arguments).args(["--", "--deny", "warnings"]))
}

fn docs() -> Outcome {
    let arguments = ["doc", "--workspace", "--no-deps", "--all-features"];
    run_command(cargo(&arguments).env("RUSTDOCFLAGS", "--deny warnings"))
}
