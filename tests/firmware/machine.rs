//! The emulated boards.

use std::ffi::OsStr;
use std::hash::{BuildHasher, Hasher};
use std::net::SocketAddr;
use std::path::PathBuf;
use support::process::{Command, Running};

/// A board, and which connection it has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Board {
    /// A Cortex-M4 with a network card.
    Net,
    /// A Cortex-M0 whose UART is the connection.
    ArmLine,
    /// A RISC-V whose UART is the connection.
    RiscvLine,
}

impl Board {
    const fn emulator(self) -> &'static str {
        match self {
            Self::Net | Self::ArmLine => "qemu-system-arm",
            Self::RiscvLine => "qemu-system-riscv32",
        }
    }

    const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Net => &["-M", "mps2-an386", "-serial", "none"],
            Self::ArmLine => &["-M", "microbit"],
            Self::RiscvLine => &["-M", "virt", "-bios", "none"],
        }
    }

    const fn image(self) -> &'static str {
        match self {
            Self::Net => "thumbv7em-none-eabi/release/net",
            Self::ArmLine => "thumbv6m-none-eabi/release/line",
            Self::RiscvLine => "riscv32imc-unknown-none-elf/release/line",
        }
    }
}

/// One run of the firmware, before its start.
#[derive(Debug)]
pub(crate) struct Machine {
    /// The folder of what is built.
    pub(crate) images: PathBuf,
    /// The folder for what goes over its wire.
    pub(crate) captures: PathBuf,
    /// What it runs on.
    pub(crate) board: Board,
    /// What it is to do.
    pub(crate) scenario: &'static str,
    /// In which version of MQTT.
    pub(crate) version: &'static str,
    /// What else it is told.
    pub(crate) words: Vec<String>,
}

impl Machine {
    /// Where the packets of this run are kept; a UART has none.
    pub(crate) fn capture(&self) -> PathBuf {
        self.captures.join(format!("{}-{}.pcap", self.scenario, self.version))
    }

    /// Has it speak TLS with `host`, by the word of `root`, a certificate in DER.
    #[must_use]
    pub(crate) fn tls(mut self, host: &str, root: &[u8]) -> Self {
        let digits: String = root.iter().map(|byte| format!("{byte:02x}")).collect();
        self.words.push(format!("tls={host}:{digits}"));
        self
    }

    /// Has it fetch credentials of a guest of `pool`, from the service at `port`.
    #[must_use]
    pub(crate) fn pool(mut self, port: u16, pool: &str) -> Self {
        self.words.push(format!("pool={port}:{pool}"));
        self
    }

    /// Has it speak with AWS IoT Core, too, which listens in the clear at `port`.
    #[must_use]
    pub(crate) fn cloud(mut self, port: u16) -> Self {
        self.words.push(format!("cloud={port}"));
        self
    }

    /// Starts the board with its broker at `broker`.
    pub(crate) fn start(self, broker: SocketAddr) -> Running {
        std::fs::create_dir_all(&self.captures).expect("captures have a folder");
        let seed = std::hash::RandomState::new().build_hasher().finish() | 1;
        println!("{} {}: seed {seed}", self.scenario, self.version);
        let words = ["fw", self.scenario, self.version];
        let numbers = [broker.port().to_string(), seed.to_string()];
        let others = numbers.iter().chain(&self.words).map(String::as_str);
        let words = words.into_iter().chain(others);
        let semihosting = words
            .fold("enable=on,target=native,chardev=out".to_owned(), |so_far, word| {
                so_far + ",arg=" + word
            });
        let wire = match self.board {
            Board::Net => [
                "-nic".to_owned(),
                "user,id=net,model=lan9118".to_owned(),
                "-object".to_owned(),
                format!("filter-dump,id=dump,netdev=net,file={}", self.capture().display()),
            ],
            Board::ArmLine | Board::RiscvLine => [
                "-chardev".to_owned(),
                // Byte by byte: Nagle's algorithm would have each wait for the last one.
                format!("socket,id=line,host=127.0.0.1,port={},nodelay=on", broker.port()),
                "-serial".to_owned(),
                "chardev:line".to_owned(),
            ],
        };
        Command::new(self.board.emulator())
            .args(self.board.arguments())
            .args(["-display", "none", "-monitor", "none", "-chardev", "stdio,id=out"])
            .args(["-semihosting-config", &semihosting])
            .args(wire)
            .args([OsStr::new("-kernel"), self.images.join(self.board.image()).as_os_str()])
            .spawn()
    }
}
