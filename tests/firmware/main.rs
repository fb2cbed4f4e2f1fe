//! Firmware in QEMU against a broker and a cloud on this machine.
//!
//! A program and no test, for it needs what `cargo x firmware` builds first. Each scenario is played by
//! the firmware, whose exit status says how it went; this side starts the broker, and ends it where
//! that belongs to the scenario. What went over the wire of a failed run is kept.
#![allow(
    clippy::alloc_instead_of_core,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    reason = "host code, which ends when it is wrong"
)]

mod guest;
mod machine;
mod providers;
mod unwrapped;
mod visitor;
mod wrapped;

use machine::{Board, Machine};
use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use support::aws_iot::{Attempt, AwsIot, Judgement, Quirks};
use support::mosquitto::{Mosquitto, Options};
use tokio::task::JoinHandle;

use visitor::Visitor;
use wrapped::Wrapped;

/// This side's part of a scenario, which ends with what the firmware has said.
type Play = fn(Machine) -> JoinHandle<String>;

const SCENARIOS: [(&str, Board, Play); 11] = [
    ("exchange", Board::Net, |machine| tokio::spawn(alone(machine))),
    ("large", Board::Net, |machine| tokio::spawn(large(machine))),
    ("restart", Board::Net, |machine| tokio::spawn(restart(machine))),
    ("signed", Board::Net, |machine| tokio::spawn(signed(machine))),
    ("wss", Board::Net, |machine| tokio::spawn(wss(machine))),
    ("impostor", Board::Net, |machine| tokio::spawn(impostor(machine))),
    ("guest", Board::Net, |machine| tokio::spawn(guest::play(machine))),
    ("pubsub", Board::Net, |machine| tokio::spawn(providers::play(machine))),
    ("soak", Board::Net, |machine| tokio::spawn(alone(machine))),
    ("arm-line", Board::ArmLine, |machine| tokio::spawn(alone(machine))),
    ("riscv-line", Board::RiscvLine, |machine| tokio::spawn(alone(machine))),
];

/// Runs every scenario in both versions, or those that are named; the first argument is where the
/// images lie, the second where captures go.
#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [images, captures, names @ ..] = arguments.as_slice() else {
        eprintln!("firmware: name the folders of images and for captures, and scenarios");
        return ExitCode::FAILURE;
    };
    let unknown = |name: &&String| !SCENARIOS.iter().any(|(known, ..)| known == name);
    if let Some(name) = names.iter().find(unknown) {
        eprintln!("firmware: no scenario {name:?}");
        return ExitCode::FAILURE;
    }
    let mut code = ExitCode::SUCCESS;
    for (scenario, board, play) in SCENARIOS {
        if !names.is_empty() && !names.iter().any(|name| name == scenario) {
            continue;
        }
        for version in ["3", "5"] {
            let (images, captures) = (PathBuf::from(images), PathBuf::from(captures));
            let words = Vec::new();
            let machine = Machine { images, captures, board, scenario, version, words };
            if !passes(machine, play).await {
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

/// Plays one scenario, and says how it went, with the figures that the firmware has told.
async fn passes(machine: Machine, play: Play) -> bool {
    let Machine { scenario, version, .. } = machine;
    let capture = machine.capture();
    let start = Instant::now();
    let outcome = play(machine).await;
    let seconds = start.elapsed().as_secs_f32();
    let Ok(said) = outcome else {
        println!("{scenario:<10} {version}  FAILED  ({seconds:.1} s): {}", capture.display());
        return false;
    };
    let figures: Vec<&str> = said.lines().filter(|line| line.contains(" bytes")).collect();
    println!("{scenario:<10} {version}  passed  ({seconds:.1} s)  {}", figures.join("; "));
    // Only those of failures are worth their room.
    let _missing = std::fs::remove_file(&capture);
    true
}

/// The firmware needs nothing but a broker.
async fn alone(machine: Machine) -> String {
    let broker = Mosquitto::start(Options::default()).await;
    machine.start(broker.ws_addr()).finish().await.text()
}

/// A message of 128 KiB waits at the broker.
async fn large(machine: Machine) -> String {
    let broker = Mosquitto::start(Options::default()).await;
    let pattern = |at: usize| (at ^ at >> 8 ^ at >> 16).to_le_bytes()[0];
    let payload: Vec<u8> = (0..128 << 10).map(pattern).collect();
    Visitor::connect(broker.tcp_addr()).await.leave("firmware/large", &payload).await;
    machine.start(broker.ws_addr()).finish().await.text()
}

/// The broker is killed while the firmware counts, and comes back when that has noticed.
async fn restart(machine: Machine) -> String {
    let mut broker = Mosquitto::start(Options::default()).await;
    let mut firmware = machine.start(broker.ws_addr());
    firmware.line_with("round 3").await;
    broker.kill().await;
    firmware.line_with("offline").await;
    broker.restart().await;
    firmware.finish().await.text()
}

/// AWS IoT Core, whose clock is an hour ahead of the board's.
async fn signed(machine: Machine) -> String {
    let broker = Mosquitto::start(Options::default()).await;
    let quirks = Quirks { clock_offset_s: 3_600, ..Quirks::default() };
    let gateway = AwsIot::start(broker.tcp_addr(), quirks).await;
    let address = unwrapped::listen(gateway.port(), gateway.ca_pem()).await;
    let said = machine.start(address).finish().await.text();
    let attempts = gateway.attempts();
    assert!(
        matches!(attempts[..], [Attempt::Refused(Judgement::Clock), Attempt::Accepted { .. }]),
        "{attempts:?}"
    );
    said
}

/// The server's certificate is for this name.
const SERVER: &str = "broker.example";

/// A broker behind TLS.
async fn wss(machine: Machine) -> String {
    let broker = Mosquitto::start(Options::default()).await;
    let server = Wrapped::listen(broker.ws_addr(), SERVER).await;
    let said = machine.tls(SERVER, &server.root).start(server.address).finish().await.text();
    assert_eq!(server.admitted(), 1, "one connection for all of it");
    said
}

/// Somebody with a certificate for another name, from a CA that is trusted.
async fn impostor(machine: Machine) -> String {
    let broker = Mosquitto::start(Options::default()).await;
    let server = Wrapped::listen(broker.ws_addr(), "elsewhere.example").await;
    let said = machine.tls(SERVER, &server.root).start(server.address).finish().await.text();
    assert_eq!(server.admitted(), 0, "no handshake was finished");
    said
}
