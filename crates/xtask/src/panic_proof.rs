//! `cargo x panic-proof`: the linker as the judge of whether the core can panic.
//!
//! The binary of `tests/firmware/panic-proof` uses the whole core on input that the optimiser knows
//! nothing of. Its panic handler calls a function that does not exist, so that it links only when no
//! panic is reachable; overflow checks are on, so that this holds for arithmetic too.

use crate::Outcome;
use crate::elf::{Section, references, sections};
use crate::process::{add_targets, command, root, run as run_command, target_dir};
use std::fs;
use std::process::{Command, Stdio};

pub(crate) const TARGET: &str = "thumbv7em-none-eabi";

/// What the linker says when a panic can be reached; the name stands in the proof's source too.
const VERDICT: &str = "undefined symbol: dunlin_panic_is_reachable";

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    add_targets(&[TARGET])?;
    match arguments.as_slice() {
        [] => prove(),
        ["--planted"] => refuse_planted(),
        ["--why"] => explain(),
        _ => Err("panic-proof takes --planted, --why or nothing".to_owned()),
    }
}

/// Builds the proof and hands its bytes over.
pub(crate) fn linked() -> Result<Vec<u8>, String> {
    run_command(&mut build(&[])).map_err(|problem| {
        format!(
            "{problem}\nif the linker names {VERDICT:?}, `cargo x panic-proof --why` tells where"
        )
    })?;
    read()
}

/// Prints how large each section that ends up on a device is.
pub(crate) fn print_sections(sections: &[Section<'_>]) {
    for section in sections {
        if [".text", ".rodata", ".data", ".bss"].contains(&section.name) {
            println!("{TARGET} {:<8} {:>7} bytes", section.name, section.size);
        }
    }
}

fn prove() -> Outcome {
    let file = linked()?;
    let sections = sections(&file).ok_or("the proof's binary is no ELF file")?;
    if !sections.iter().any(|section| section.name == ".text" && section.size > 0) {
        return Err("the proof's binary has no code: it proves nothing".to_owned());
    }
    println!("no panic is reachable");
    print_sections(&sections);
    Ok(())
}

/// The proof of the proof: with a panic planted, linking must fail, and for that reason alone.
fn refuse_planted() -> Outcome {
    let output = build(&["--features", "planted"])
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let complaints = said.lines().filter(|line| line.contains("rust-lld: error:"));
    let complaints: Vec<&str> = complaints.map(str::trim).collect();
    match complaints.as_slice() {
        _ if output.status.success() => Err("a planted panic was not found".to_owned()),
        [only] if only.ends_with(VERDICT) => {
            println!("a planted panic is found: {only}");
            Ok(())
        }
        _ => Err(format!("the build with a planted panic failed for another reason:\n{said}")),
    }
}

/// Links the same code with a panic handler that exists, and prints who calls what panics.
fn explain() -> Outcome {
    run_command(&mut build(&["--features", "lenient"]))?;
    let file = read()?;
    let sections = sections(&file).ok_or("the proof's binary is no ELF file")?;
    let mut callers = references(&sections).ok_or("the proof's binary has no symbols")?;
    callers.retain(|(from, to)| panics(to) && !panics(from));
    callers.sort_unstable();
    callers.dedup();
    for (from, to) in &callers {
        println!("{from}\n    -> {to}");
    }
    println!("{} functions call what panics", callers.len());
    Ok(())
}

fn panics(symbol: &str) -> bool {
    // The proof's own name does not count.
    let symbol = symbol.replace("panic_proof", "");
    ["panic", "unwrap_failed", "expect_failed", "slice_index_fail", "len_mismatch_fail"]
        .iter()
        .any(|part| symbol.contains(part))
}

fn build(arguments: &[&str]) -> Command {
    let mut build = command("cargo");
    build
        .current_dir(root().join("tests/firmware/panic-proof"))
        .args(["rustc", "--quiet", "--release", "--locked", "--target", TARGET, "--target-dir"])
        .arg(target_dir().join("firmware"))
        .args(arguments)
        .args(["--", "-C", "link-arg=--emit-relocs"]);
    build
}

fn read() -> Result<Vec<u8>, String> {
    let path = target_dir().join("firmware").join(TARGET).join("release").join("panic-proof");
    fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
}
