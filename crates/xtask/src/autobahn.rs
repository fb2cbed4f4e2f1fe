//! `cargo x autobahn`: the WebSocket layer against the cases of the Autobahn testsuite.
//!
//! The program `autobahn` of the `tests` package does it, with the kosoku that setup installs; its
//! reports, with every frame of every case, stay in `target/autobahn`.

use crate::Outcome;
use crate::process::{cargo, run as run_command, target_dir};
use crate::setup;

pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let [unknown, ..] = arguments {
        return Err(format!("autobahn takes no arguments, not {unknown:?}"));
    }
    setup::run(&[])?;
    let reports = target_dir().join("autobahn");
    // No package is named, so that cargo chooses features as it does for all of the workspace, and
    // has next to nothing to build after the tests.
    run_command(cargo(&["run", "--quiet", "--bin", "autobahn", "--"]).arg(&reports))?;
    println!("reports: {}", reports.display());
    Ok(())
}
