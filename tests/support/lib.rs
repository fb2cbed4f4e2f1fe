//! What the cross-crate tests share: real brokers, real foreign clients, and processes.
//!
//! Nothing but `sim` and `ws_server`, which is itself under test, uses Dunlin's own protocol code: a
//! peer that shared a codec with the code under test would share its mistakes. Every wait has a limit,
//! and every failure says what was seen so far.
#![allow(
    clippy::alloc_instead_of_core,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "host code for tests: a test that cannot go on panics"
)]

pub mod amplify;
pub mod aws_iot;
pub mod aws_sdk;
pub mod broker5;
pub mod browser;
mod bytes;
pub mod ejabberd;
pub mod mosquitto;
pub mod moto;
pub mod paho;
pub mod peer;
pub mod process;
pub mod rabbitmq;
pub mod sim;
pub mod tiny;
pub mod ws_server;

use std::env;
use std::path::PathBuf;

/// The folder of the workspace, wherever it was cloned.
///
/// Call at run time: a test binary that moves with its clone still finds its peers.
pub fn workspace() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().expect("the tests package lies in the workspace").to_path_buf()
}

/// Where a program is: along `PATH`, then in the folders where Debian keeps daemons.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// The README, whose examples must compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
