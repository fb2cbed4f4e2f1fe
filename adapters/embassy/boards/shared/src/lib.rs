//! What the boards have in common: the time, credentials, a reading and a command.
//!
//! A board brings up its network, says where randomness comes from and what its [`Device`] is, and awaits
//! [`run`]. That asks a time server what time it is, gets credentials from an identity pool of Amazon
//! Cognito, and connects with AWS IoT Core over WebSocket and TLS, again whenever that is necessary.
//!
//! The environment of the build says where to and as who:
//!
//! | variable | what it is |
//! |---|---|
//! | `DUNLIN_ENDPOINT` | host of AWS IoT Core: `…-ats.iot.REGION.amazonaws.com` |
//! | `DUNLIN_ROOT` | path of the pinned root in DER: Amazon Root CA 3 |
//! | `DUNLIN_POOL` | identity pool with guest access: `REGION:uuid` |
//! | `DUNLIN_IDENTITY` | this board's identity in it; without one, each start makes another |
//! | `DUNLIN_THING` | client identifier, and the first level of the topics |
//! | `DUNLIN_TIME` | time server; `time.aws.com` where nothing is said |
//! | `DUNLIN_SSID`, `DUNLIN_PASSPHRASE` | the Wi-Fi network |
//!
//! The feature `mbedtls` puts Mbed TLS in the place of `dunlin-embassy-tls`: TLS 1.2, and RSA.
//!
//! The role of the pool's guests must allow `iot:Connect` for the client, `iot:Publish` to
//! `THING/readings`, and `iot:Subscribe` and `iot:Receive` for `THING/commands`.
#![no_std]
#![forbid(unsafe_code)]

mod clock;
pub mod cognito;
mod door;
mod guest;
#[cfg(feature = "mbedtls")]
mod mbedtls;
mod report;
mod settings;
#[cfg(not(feature = "mbedtls"))]
mod strict;

#[cfg(feature = "mbedtls")]
pub use mbedtls_rs as mbed;
pub use report::{Command, Device};
pub use settings::{PASSPHRASE, SSID};

use clock::Clock;
use cognito::ANSWER_MAX;
use core::cell::RefCell;
use door::{Door, House, Wire};
use dunlin_aws::Endpoint;
use dunlin_embassy::{
    Client, Error, Provider, Resources, Runner, SubscribeError,
    aws::{AwsIot, TARGET_LEN},
    dunlin::{Config, Connect},
};
use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_time::Duration;
use guest::Guest;

/// Longest packet that comes whole, in bytes.
const RECEIVE_MAX: usize = 1024;

/// Seconds between two signs of life: half of what makes AWS IoT Core give a client up.
const KEEP_ALIVE_S: u16 = 60;

/// How long a connection may take: the time, two exchanges with Cognito, and the connection itself, each
/// with a handshake of its own.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// Sockets that are open at a time: DNS, DHCP, and either a time server or TCP; one more while a socket
/// that was closed says good-bye.
pub const SOCKETS_MAX: usize = 4;

type ClientMemory = Resources<'static, NoopRawMutex, RECEIVE_MAX, 1024, 2048, { 2 * RECEIVE_MAX }>;
type Handle = Client<'static, NoopRawMutex, 8>;

/// All of the program's memory that is not on the stack, for a `ConstStaticCell`: 39 KB; 18 KB with the
/// feature `mbedtls`, whose connections lie on the heap.
pub struct Memory {
    client: ClientMemory,
    wire: RefCell<Wire>,
    answer: [u8; ANSWER_MAX],
}

impl Memory {
    /// Memory that nobody uses yet.
    pub const fn new() -> Self {
        Self { client: Resources::new(), wire: RefCell::new(Wire::new()), answer: [0; ANSWER_MAX] }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a program has ended that should not.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// The pool's name does not begin with a region.
    Pool,
    /// The endpoint's name has no region.
    Endpoint,
    /// The connection has ended for good.
    Connection(Error),
    /// Commands cannot be subscribed to.
    Commands(SubscribeError),
}

/// Keeps the board connected, publishes readings and obeys commands.
///
/// `random` overwrites memory with randomness that is fit for keys; `tls` is the library that does TLS.
pub async fn run(
    stack: Stack<'static>,
    memory: &'static mut Memory,
    random: impl FnMut(&mut [u8]),
    #[cfg(feature = "mbedtls")] tls: &mbed::Tls<'_>,
    device: &mut impl Device,
) -> End {
    let Memory { client, wire, answer } = memory;
    let (client, runner) = client.client(Config::new());
    let house = House {
        stack,
        wire,
        random: RefCell::new(random),
        clock: Clock::new(),
        #[cfg(feature = "mbedtls")]
        tls: tls.reference(),
    };
    let Some(cognito_host) = cognito::host_of(settings::POOL) else { return End::Pool };
    let Some(endpoint) = Endpoint::parse(settings::ENDPOINT) else { return End::Endpoint };
    let guest = Guest::new(&house, &cognito_host, answer);
    let connect = Connect { keep_alive_s: KEEP_ALIVE_S, ..Connect::new(settings::THING) };
    let mut target = [0; TARGET_LEN];
    let provider = AwsIot::new(settings::ENDPOINT, endpoint.region, connect, guest, &mut target);
    match select(keep_connected(runner, &house, provider), report::report(client, device)).await {
        Either::First(error) => End::Connection(error),
        Either::Second(error) => End::Commands(error),
    }
}

async fn keep_connected<F: FnMut(&mut [u8])>(
    runner: Runner<'static, NoopRawMutex, 8>,
    house: &House<'_, F>,
    mut provider: impl Provider,
) -> Error {
    let mut runner = runner.with_connect_timeout(CONNECT_TIMEOUT);
    let mut door = Door { house, host: settings::ENDPOINT };
    let mut random = |bytes: &mut [u8]| house.fill(bytes);
    runner.run(&mut door, &mut provider, &mut random).await
}
