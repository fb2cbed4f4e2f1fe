//! `cargo x test`: every test of the repository.

use crate::Outcome;
use crate::process::{cargo, run as run_command};
use crate::setup;

/// By itself, since no other test needs the AWS SDK: all of them would be linked with it.
const PROFILE: [&str; 7] = [
    "test",
    "--package=dunlin-tokio",
    "--features=aws-profile",
    "--lib",
    "--",
    "aws::profile",
    "-q",
];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let passed_on = match arguments {
        [] => &[],
        [dashes, rest @ ..] if dashes == "--" => rest,
        [unknown, ..] => {
            return Err(format!("arguments for the tests stand after --: {unknown:?}"));
        }
    };
    setup::run(&[])?;
    // Some tests start this workspace's own programs. Building those together with the tests makes
    // cargo choose the same features for both, so that nothing is built twice.
    run_command(&mut cargo(&["build", "--workspace", "--bins", "--tests"]))?;
    // One failure does not hide the next: the whole run costs minutes.
    run_command(cargo(&["test", "--workspace", "--no-fail-fast", "--"]).args(passed_on))?;
    run_command(&mut cargo(&PROFILE))
}
