//! The emulated board.

use std::ffi::OsStr;
use std::hash::{BuildHasher, Hasher};
use std::net::SocketAddr;
use std::path::PathBuf;
use support::process::{Command, Running};

/// One run of the firmware, before its start.
#[derive(Debug)]
pub(crate) struct Machine {
    /// The firmware.
    pub(crate) image: PathBuf,
    /// The folder for what goes over its wire.
    pub(crate) captures: PathBuf,
    /// What it is to do.
    pub(crate) scenario: &'static str,
    /// In which version of MQTT.
    pub(crate) version: &'static str,
}

impl Machine {
    /// Where the packets of this run are kept.
    pub(crate) fn capture(&self) -> PathBuf {
        self.captures.join(format!("{}-{}.pcap", self.scenario, self.version))
    }

    /// Starts the board with its broker at `broker`.
    pub(crate) fn start(self, broker: SocketAddr) -> Running {
        std::fs::create_dir_all(&self.captures).expect("captures have a folder");
        let seed = std::hash::RandomState::new().build_hasher().finish() | 1;
        println!("{} {}: seed {seed}", self.scenario, self.version);
        let words = ["fw", self.scenario, self.version];
        let numbers = [broker.port().to_string(), seed.to_string()];
        let words = words.into_iter().chain(numbers.iter().map(String::as_str));
        let semihosting = words
            .fold("enable=on,target=native,chardev=out".to_owned(), |so_far, word| {
                so_far + ",arg=" + word
            });
        let dump = format!("filter-dump,id=dump,netdev=net,file={}", self.capture().display());
        Command::new("qemu-system-arm")
            .args(["-M", "mps2-an386", "-display", "none", "-monitor", "none", "-serial", "none"])
            .args(["-chardev", "stdio,id=out", "-semihosting-config", &semihosting])
            .args(["-nic", "user,id=net,model=lan9118", "-object", &dump])
            .args([OsStr::new("-kernel"), self.image.as_os_str()])
            .spawn()
    }
}
