//! `cargo x bench`: the benchmarks of the `tests` package.

use crate::Outcome;
use crate::process::{cargo, run as run_command};
use crate::setup;

/// Counts instructions instead of taking the time, under valgrind.
const INSTRUCTIONS: &str = "--instructions";

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let mut command = cargo(&["bench", "--package", "tests"]);
    if let Some((INSTRUCTIONS, words)) = split_first(arguments) {
        setup::install_package("valgrind", "valgrind")?;
        command.args(["--", INSTRUCTIONS]).args(words);
    } else {
        command.args(arguments);
    }
    run_command(&mut command)
}

fn split_first(arguments: &[String]) -> Option<(&str, &[String])> {
    arguments.split_first().map(|(first, rest)| (first.as_str(), rest))
}
