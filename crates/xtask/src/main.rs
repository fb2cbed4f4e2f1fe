//! Every chore of this repository, the same here and in CI: `cargo x COMMAND`.
//!
//! One module per command and one table of them. Needs nothing but Rust, so that a fresh clone can run
//! it; whatever else a command needs it installs, or says what to install.
#![allow(
    clippy::alloc_instead_of_core,
    clippy::as_conversions,
    clippy::std_instead_of_core,
    reason = "a program for the developer's own machine"
)]

mod autobahn;
mod bench;
mod boards;
mod budget;
mod ci;
mod elf;
mod firmware;
mod fuzz;
mod masking;
mod narrow;
mod panic_proof;
mod process;
mod setup;
mod size;
mod spec;
mod test;
mod thumb;

use std::process::ExitCode;

/// What a command comes to: nothing, or one line that says what failed.
type Outcome = Result<(), String>;

struct Command {
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Outcome,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "setup",
        usage: "",
        about: "install what the tests need and this machine lacks",
        run: setup::run,
    },
    Command {
        name: "test",
        usage: "[-- ARGUMENTS]",
        about: "setup, then every test; the arguments go to `cargo test --workspace --`",
        run: test::run,
    },
    Command {
        name: "ci",
        usage: "[STAGE...]",
        about: "what CI runs: every stage, or those named",
        run: ci::run,
    },
    Command {
        name: "thumb",
        usage: "",
        about: "build the core for microcontrollers",
        run: thumb::run,
    },
    Command {
        name: "narrow",
        usage: "",
        about: "run the core's own tests with pointers of 32 bits",
        run: narrow::run,
    },
    Command {
        name: "panic-proof",
        usage: "[--planted | --why]",
        about: "link a binary that links only if the core cannot panic",
        run: panic_proof::run,
    },
    Command {
        name: "size",
        usage: "[--record]",
        about: "print what the core costs on a microcontroller; fail if that has grown",
        run: size::run,
    },
    Command {
        name: "masking",
        usage: "",
        about: "count the instructions of masking on small machines, in QEMU",
        run: masking::run,
    },
    Command {
        name: "firmware",
        usage: "[SCENARIO...]",
        about: "firmware in QEMU against a broker: every scenario, or those named",
        run: firmware::run,
    },
    Command {
        name: "boards",
        usage: "[BOARD...]",
        about: "type-check the programs for real boards: all, or those named",
        run: boards::run,
    },
    Command {
        name: "fuzz",
        usage: "[TARGET...] [--seconds N] [--seed N] [--keep]",
        about: "fuzz every target, or those named, for 30 seconds each",
        run: fuzz::run,
    },
    Command {
        name: "autobahn",
        usage: "",
        about: "setup, then the Autobahn cases against the WebSocket layer, as client and as server",
        run: autobahn::run,
    },
    Command {
        name: "spec",
        usage: "",
        about: "print which statements of the standards are proved, by which tests; fail on gaps",
        run: spec::run,
    },
    Command {
        name: "bench",
        usage: "[ARGUMENTS]",
        about: "run the benchmarks; the arguments go to `cargo bench -p tests`",
        run: bench::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        None => {
            print_commands();
            Ok(())
        }
        Some((name, rest)) => match COMMANDS.iter().find(|command| command.name == name) {
            Some(command) => (command.run)(rest),
            None => Err(format!("no command {name:?}; `cargo x` lists them")),
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("cargo x: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn print_commands() {
    for command in COMMANDS {
        println!("cargo x {} {}", command.name, command.usage);
        println!("    {}", command.about);
    }
}
