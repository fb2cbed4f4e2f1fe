//! `cargo x setup`: what the tests need besides Rust.
//!
//! Brokers (mosquitto, ejabberd, RabbitMQ), a browser (Chromium), QEMU for the firmware, a Python
//! environment with the pinned packages of `tests/peers/requirements.txt`, and the Node packages of
//! `tests/peers/package-lock.json`.
//! Installs only what is missing.

use crate::Outcome;
use crate::process::{command, root, run as run_command, succeeds};
use std::fs;
use std::path::Path;

const BY_HAND: &str = "install mosquitto, ejabberd and rabbitmq-server (the brokers), chromium, QEMU \
                       for Arm and RISC-V, python3 with its venv module, and node with npm by hand";

/// Brokers, by package and by the program that shows that it is there.
const BROKERS: [(&str, &str); 3] = [
    ("mosquitto", "mosquitto"),
    ("ejabberd", "ejabberdctl"),
    ("rabbitmq-server", "rabbitmq-server"),
];

/// Programs any of which is a browser that the tests can drive; Debian's package is the first.
const BROWSERS: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// What else is needed, by package and by program.
const PROGRAMS: [(&str, &str); 4] = [
    ("nodejs", "node"),
    ("npm", "npm"),
    ("qemu-system-arm", "qemu-system-arm"),
    ("qemu-system-misc", "qemu-system-riscv32"),
];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let [unknown, ..] = arguments {
        return Err(format!("setup takes no arguments, not {unknown:?}"));
    }
    install_packages()?;
    make_python_environment()?;
    install_node_packages()
}

/// Has Debian's package manager bring what this machine lacks.
pub(crate) fn install_packages() -> Outcome {
    let missing = missing_packages();
    if missing.is_empty() {
        return Ok(());
    }
    println!("setup: installing {}", missing.join(" "));
    apt_get(&["update", "-qq"])?;
    let install = ["install", "-qq", "-y", "--no-install-recommends"];
    apt_get(&[&install[..], &missing].concat())?;
    // Their packages start services on ports of the machine; the tests start brokers of their own.
    for (package, _) in BROKERS.iter().filter(|(package, _)| missing.contains(package)) {
        let _stopped = succeeds(as_root().args(["service", package, "stop"]))
            || succeeds(as_root().args(["systemctl", "stop", package]));
    }
    match missing_packages()[..] {
        [] => Ok(()),
        ref still => Err(format!("{} did not help: {BY_HAND}", still.join(" "))),
    }
}

/// Has Debian's package manager bring one more package, unless its `program` is there.
pub(crate) fn install_package(package: &str, program: &str) -> Outcome {
    if succeeds(command(program).arg("--version")) {
        return Ok(());
    }
    println!("setup: installing {package}");
    apt_get(&["update", "-qq"])?;
    apt_get(&["install", "-qq", "-y", "--no-install-recommends", package])
}

/// Debian's names of what is not there.
fn missing_packages() -> Vec<&'static str> {
    let brokers = BROKERS.iter().filter(|(_, program)| !is_there(program));
    let mut missing: Vec<&str> = brokers.map(|(package, _)| *package).collect();
    if !BROWSERS.iter().any(|program| is_there(program)) {
        missing.push("chromium");
    }
    if python().is_none() {
        missing.extend(["python3", "python3-venv"]);
    }
    for (package, program) in PROGRAMS {
        if !succeeds(command(program).arg("--version")) {
            missing.push(package);
        }
    }
    missing
}

/// The environment at `target/peers/venv`, made anew whenever the requirements change.
pub(crate) fn make_python_environment() -> Outcome {
    let peers = root().join("target").join("peers");
    let (venv, stamp) = (peers.join("venv"), peers.join("requirements.txt"));
    let requirements = root().join("tests/peers/requirements.txt");
    let wanted = read(&requirements)?;
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
    write(&stamp, &wanted)
}

/// The packages at `target/peers/node`, installed anew whenever the lock file changes.
fn install_node_packages() -> Outcome {
    let (from, to) = (root().join("tests/peers"), root().join("target/peers/node"));
    let stamp = to.join("installed");
    let wanted = read(&from.join("package-lock.json"))?;
    let whole = to.join("node_modules/mqtt").is_dir();
    if whole && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    println!("setup: installing into {}", to.display());
    fs::create_dir_all(&to).map_err(|error| format!("{}: {error}", to.display()))?;
    for name in ["package.json", "package-lock.json"] {
        write(&to.join(name), &read(&from.join(name))?)?;
    }
    // What Amplify's packages are to be given by their users, React Native among it, nobody needs here.
    let install = ["ci", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund"];
    run_command(command("npm").args(install).arg("--loglevel=error").arg("--prefix").arg(&to))?;
    write(&stamp, &wanted)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Outcome {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Debian puts daemons where only root's PATH looks.
fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .any(|folder| folder.join(program).is_file())
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
