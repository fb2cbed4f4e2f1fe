//! `cargo x masking`: how many instructions masking takes on small machines, counted in QEMU.
//!
//! `tests/firmware/masking` counts them itself; the figures are the same in every run.

use crate::Outcome;
use crate::process::{add_targets, capture, command, root, run as run_command, target_dir};
use crate::setup;
use std::path::Path;
use std::process::Command;

/// A compile target, and what was counted for each way and length when it was last written down, in the
/// order in which the firmware prints.
struct Machine {
    target: &'static str,
    recorded: [u32; 6],
}

/// Words where they can be loaded from anywhere, bytes elsewhere.
const MACHINES: &[Machine] = &[
    Machine { target: "thumbv7em-none-eabi", recorded: [39, 43, 150, 158, 984, 988] },
    Machine { target: "thumbv6m-none-eabi", recorded: [95, 124, 510, 635, 3812, 4660] },
    Machine { target: "riscv32imc-unknown-none-elf", recorded: [67, 76, 450, 489, 3595, 3856] },
];

/// How far from what was recorded a count may be, in hundredths: compilers differ.
const TOLERANCE: u32 = 2;

pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let [unknown, ..] = arguments {
        return Err(format!("masking takes no arguments, not {unknown:?}"));
    }
    setup::install_packages()?;
    add_targets(&MACHINES.iter().map(|machine| machine.target).collect::<Vec<_>>())?;
    let mut differs = false;
    for machine in MACHINES {
        println!("{}: instructions", machine.target);
        let printed = count(machine.target)?;
        let lines: Vec<&str> = printed.lines().collect();
        if lines.len() != machine.recorded.len() {
            let wanted = machine.recorded.len();
            return Err(format!("{}: {wanted} lines were to come:\n{printed}", machine.target));
        }
        for (line, recorded) in lines.iter().zip(machine.recorded) {
            differs |= !print_line(line, recorded)?;
        }
    }
    if differs { Err("the figures are not those that were recorded".to_owned()) } else { Ok(()) }
}

/// Prints a way, a length and a count; says whether the count is near the recorded one.
fn print_line(line: &str, recorded: u32) -> Result<bool, String> {
    let mut words = line.rsplitn(3, ' ');
    let (count, len, way) = (words.next(), words.next(), words.next());
    let number = |word: Option<&str>| word.and_then(|word| word.parse::<u32>().ok());
    let (Some(count), Some(len), Some(way)) = (number(count), number(len), way) else {
        return Err(format!("the firmware printed {line:?}"));
    };
    let near = count.abs_diff(recorded).saturating_mul(100) <= recorded.saturating_mul(TOLERANCE);
    let verdict = if near { "as" } else { "DIFFERS from what is" };
    let each = f64::from(count) / f64::from(len);
    println!("    {way:<10}{len:>6} B{count:>8} {each:>6.2} a byte  {verdict} recorded {recorded}");
    Ok(near)
}

/// Builds the firmware and runs it; returns what it printed.
fn count(target: &str) -> Result<String, String> {
    let firmware = target_dir().join("firmware");
    let mut build = command("cargo");
    build
        .current_dir(root().join("tests/firmware/masking"))
        .args(["build", "--quiet", "--release", "--locked", "--target", target, "--target-dir"])
        .arg(&firmware);
    run_command(&mut build)?;
    capture(&mut machine(target, &firmware.join(target).join("release").join("masking")))
}

fn machine(target: &str, image: &Path) -> Command {
    let mut machine = if target.starts_with("riscv32") {
        let mut machine = command("qemu-system-riscv32");
        // Its counter of instructions counts nanoseconds of QEMU's clock: one each.
        machine.args(["-M", "virt", "-bios", "none", "-icount", "shift=0,sleep=off"]);
        machine.args(["-serial", "chardev:console"]);
        machine
    } else {
        let mut machine = command("qemu-system-arm");
        machine
            .args(["-M", "mps2-an386", "-serial", "none", "-icount", "shift=8,sleep=off"])
            .args(["-semihosting-config", "enable=on,target=native,chardev=console"]);
        machine
    };
    machine.args(["-display", "none", "-monitor", "none", "-chardev", "stdio,id=console"]);
    machine.arg("-kernel").arg(image);
    machine
}
