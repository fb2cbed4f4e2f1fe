//! `cargo x bench`: the benchmarks of the `tests` package.

use crate::Outcome;
use crate::process::{cargo, run as run_command};

pub(crate) fn run(arguments: &[String]) -> Outcome {
    run_command(cargo(&["bench", "--package", "tests"]).args(arguments))
}
