//! `cargo x size`: what the core costs on a microcontroller.

use crate::Outcome;
use crate::budget;
use crate::elf::{functions, sections};
use crate::panic_proof::{TARGET, linked, print_sections};
use crate::process::{command, root, run as run_command, target_dir};
use std::fs;

/// Where the proof's binary lists its types: a name, filled up with zeros, and a size.
const TABLE: &str = ".dunlin.sizes";
const NAME: usize = 28;

/// Flash of the upgrade and the frames of a WebSocket client, in bytes, and what it may be at most.
const WEBSOCKET: usize = 7_062;
const WEBSOCKET_MAX: usize = 7 * 1024;
/// How far from the recorded figure it may be, in hundredths: compilers differ.
const TOLERANCE: usize = 2;

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let records = match arguments.as_slice() {
        [] => false,
        ["--record"] => true,
        [unknown, ..] => return Err(format!("size takes --record or nothing, not {unknown:?}")),
    };
    print_types()?;
    let bytes = websocket()?;
    println!("{TARGET} upgrade and frames alone {bytes:>7} bytes, at most {WEBSOCKET_MAX}");
    if bytes > WEBSOCKET_MAX {
        return Err(format!("upgrade and frames take {bytes} bytes of {WEBSOCKET_MAX}"));
    }
    if bytes.abs_diff(WEBSOCKET).saturating_mul(100) > WEBSOCKET.saturating_mul(TOLERANCE) {
        return Err(format!("upgrade and frames took {WEBSOCKET} bytes: record the new figure"));
    }
    budget::run(records)
}

fn print_types() -> Outcome {
    let file = linked()?;
    let sections = sections(&file).ok_or("the proof's binary is no ELF file")?;
    print_sections(&sections);
    let table = sections.iter().find(|section| section.name == TABLE);
    let (entries, _) =
        table.ok_or(format!("no section {TABLE}"))?.bytes.as_chunks::<{ NAME + 4 }>();
    for entry in entries {
        let [name @ .., a, b, c, d] = entry;
        let size = u32::from_le_bytes([*a, *b, *c, *d]);
        println!("{:<NAME$} {size:>7} bytes", String::from_utf8_lossy(name).trim_end_matches('\0'));
    }
    Ok(())
}

/// How much flash a WebSocket client takes, for size, beside what every firmware has: SHA-1, the
/// compiler's functions for memory, and the glue that calls it.
fn websocket() -> Result<usize, String> {
    let mut build = command("cargo");
    build
        .current_dir(root().join("tests/firmware/websocket"))
        .args(["build", "--quiet", "--release", "--locked", "--target", TARGET, "--target-dir"])
        .arg(target_dir().join("firmware"));
    run_command(&mut build)?;
    let path = target_dir().join("firmware").join(TARGET).join("release").join("websocket");
    let file = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let sections = sections(&file).ok_or("the firmware is no ELF file")?;
    let kept = |name: &str| sections.iter().find(|section| section.name == name);
    let whole: usize =
        [".text", ".rodata"].map(|name| kept(name).map_or(0, |it| it.size)).iter().sum();
    let functions = functions(&sections).ok_or("the firmware has no symbols")?;
    let beside: Vec<_> = functions.iter().filter(|(name, _)| is_beside(name)).collect();
    if !beside.iter().any(|(name, _)| name.contains("sha1")) {
        return Err("the firmware has no SHA-1: its figure says nothing".to_owned());
    }
    Ok(whole.saturating_sub(beside.iter().map(|(_, size)| size).sum()))
}

fn is_beside(name: &str) -> bool {
    let memory = ["__aeabi_mem", "mem"].iter().any(|start| name.starts_with(start));
    let glue = name == "_start" || name.starts_with("_ZN9websocket") && !name.contains("weighed");
    memory || glue || name.contains("compiler_builtins") || name.contains("sha1")
}
