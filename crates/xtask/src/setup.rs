//! `cargo x setup`: what the tests need besides Rust.
//!
//! A broker (mosquitto) and a Python environment with the pinned packages of
//! `tests/peers/requirements.txt`. Installs only what is missing.

use crate::Outcome;
use crate::process::{command, root, run as run_command, succeeds};
use std::fs;
use std::path::Path;

const BY_HAND: &str = "install mosquitto (the broker) and python3 with its venv module by hand";

pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let [unknown, ..] = arguments {
        return Err(format!("setup takes no arguments, not {unknown:?}"));
    }
    install_packages()?;
    make_python_environment()
}

/// Has Debian's package manager bring what this machine lacks.
fn install_packages() -> Outcome {
    let mut missing = Vec::new();
    if !has_broker() {
        missing.push("mosquitto");
    }
    if python().is_none() {
        missing.extend(["python3", "python3-venv"]);
    }
    if missing.is_empty() {
        return Ok(());
    }
    println!("setup: installing {}", missing.join(" "));
    apt_get(&["update", "-qq"])?;
    let install = ["install", "-qq", "-y", "--no-install-recommends"];
    apt_get(&[&install[..], &missing].concat())?;
    if missing.contains(&"mosquitto") {
        // The package starts a service on port 1883; the tests start brokers of their own.
        let _stopped = succeeds(as_root().args(["service", "mosquitto", "stop"]))
            || succeeds(as_root().args(["systemctl", "stop", "mosquitto"]));
    }
    if has_broker() && python().is_some() { Ok(()) } else { Err(BY_HAND.to_owned()) }
}

/// The environment at `target/peers/venv`, made anew whenever the requirements change.
fn make_python_environment() -> Outcome {
    let peers = root().join("target").join("peers");
    let (venv, stamp) = (peers.join("venv"), peers.join("requirements.txt"));
    let requirements = root().join("tests/peers/requirements.txt");
    let wanted = fs::read_to_string(&requirements)
        .map_err(|error| format!("{}: {error}", requirements.display()))?;
    let python_inside = venv.join("bin").join("python");
    let works = || succeeds(command_at(&python_inside).args(["-c", "import sys"]));
    if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) && works() {
        return Ok(());
    }
    println!("setup: making {}", venv.display());
    let python = python().ok_or(BY_HAND)?;
    run_command(command(python).args(["-m", "venv", "--clear"]).arg(&venv))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    run_command(command_at(&python_inside).args(pip).arg(&requirements))?;
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))
}

fn has_broker() -> bool {
    // Debian puts it where only root's PATH looks.
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .any(|folder| folder.join("mosquitto").is_file())
}

/// A Python that can make environments.
fn python() -> Option<&'static str> {
    let able = |python: &str| succeeds(command(python).args(["-c", "import venv, ensurepip"]));
    ["python3", "/usr/bin/python3"].into_iter().find(|python| able(python))
}

fn apt_get(arguments: &[&str]) -> Outcome {
    if !succeeds(command("apt-get").arg("--version")) || !succeeds(as_root().arg("true")) {
        return Err(format!("{BY_HAND}, then try again"));
    }
    run_command(
        as_root()
            .args(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"])
            .args(["-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"])
            .args(arguments),
    )
}

/// What is put behind it runs as root, without asking for a password.
fn as_root() -> std::process::Command {
    if crate::process::capture(command("id").arg("-u")).is_ok_and(|id| id.trim() == "0") {
        command("env")
    } else {
        let mut sudo = command("sudo");
        sudo.arg("-n");
        sudo
    }
}

fn command_at(program: &Path) -> std::process::Command {
    command(&program.to_string_lossy())
}
