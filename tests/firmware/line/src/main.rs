//! Firmware whose UART is the connection to the broker: one run, the exit status says how it went.
//!
//! QEMU's microbit (Cortex-M0, 16 KiB of memory) and virt (riscv32imc). The second argument is a version
//! of MQTT.
#![no_std]
#![no_main]

mod board;
mod host;
mod stack;
mod uart;

use core::fmt;
use dunlin_embassy::{
    Client, Fixed, Line, PublishError, Resources, SubscribeError,
    dunlin::{Config, Connect, Message, Qos, Transport, Version, ws},
};
use embassy_futures::{
    block_on,
    select::{Either, select},
};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_time::{Duration, with_timeout};
use static_cell::ConstStaticCell;
use uart::Uart;

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Messages there and back.
const ROUNDS: u32 = 300;

const TOPIC: &str = "line/echo";

type Memory = Resources<'static, NoopRawMutex, 512, 256, 512, 512, 4, 64>;
type Handle = Client<'static, NoopRawMutex, 4>;

static MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory::new());

/// Why a run failed.
enum Failure {
    Publish(PublishError),
    Subscribe(SubscribeError),
    Other(&'static str),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish(error) => error.fmt(f),
            Self::Subscribe(error) => error.fmt(f),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// Everything, once the board stands.
fn run() -> ! {
    stack::paint();
    let mut line = [0; 64];
    // Behind the scenario, of which there is one.
    let version = match host::arguments(&mut line).nth(1) {
        Some("5") => Version::V5,
        _ => Version::V3,
    };
    let outcome = block_on(connect(version));
    host::say(format_args!("stack {} bytes", stack::peak()));
    match outcome {
        Ok(()) => host::exit(Ok(())),
        Err(why) => host::exit(Err(&why)),
    }
}

async fn connect(version: Version) -> Result<(), Failure> {
    let (client, mut runner) = MEMORY.take().client(Config::new().version(version));
    let request = ws::Request::new("broker.example", &"/mqtt", &[]);
    let request = request.map_err(|_| Failure::Other("the request is not valid"))?;
    let connect = Connect { version, keep_alive_s: 45, ..Connect::new("line") };
    let mut access = Fixed { transport: Transport::WebSocket(request), connect };
    let mut line = Line { reader: Uart, writer: Uart };
    // The board has no source of randomness that the emulator knows, and needs none to be tested.
    let mut random = |bytes: &mut [u8]| bytes.fill(0x5a);
    let running = runner.run(&mut line, &mut access, &mut random);
    match select(running, with_timeout(PATIENCE, exchange(client))).await {
        Either::First(why) => {
            host::say(format_args!("ended: {why}"));
            Err(Failure::Other("the runner has ended"))
        }
        Either::Second(Err(_)) => Err(Failure::Other("it takes too long")),
        Either::Second(Ok(outcome)) => outcome,
    }
}

/// Messages of every QoS, there and back.
async fn exchange(client: Handle) -> Result<(), Failure> {
    let subscribed = client.subscribe(TOPIC, Qos::ExactlyOnce).await;
    let mut inbox = subscribed.map_err(Failure::Subscribe)?;
    let mut buffer = [0; 64];
    for number in 0..ROUNDS {
        let qos = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce][number as usize % 3];
        let payload = number.to_be_bytes();
        let published = client.publish(&Message::new(TOPIC, &payload, qos)).await;
        published.map_err(Failure::Publish)?;
        let received = inbox.next(&mut buffer).await.map_err(Failure::Subscribe)?;
        if (received.payload(), received.qos()) != (&payload, qos) {
            return Err(Failure::Other("another message came"));
        }
    }
    Ok(())
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    host::exit(Err(info))
}
