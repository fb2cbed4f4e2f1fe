//! Firmware that talks to a broker on the host: one scenario a run, the exit status says how it went.
//!
//! QEMU's mps2-an386, a Cortex-M4 with a LAN9118.
#![no_std]
#![no_main]

mod card;
mod clock;
mod guest;
mod host;
mod order;
mod providers;
mod scenario;
mod secured;
mod signed;
mod stack;

use card::Card;
use core::fmt;
use dunlin_embassy::{
    Backoff, Client, Connector, Error, Fixed, Resources, Runner, TcpConnector,
    aws::TARGET_LEN,
    dunlin::{Config, Connect, Oversize, Transport, ws},
};
use embassy_executor::Spawner;
use embassy_net::{Ipv4Address, Ipv4Cidr, Stack, StackResources, StaticConfigV4};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use guest::Guest;
use order::Order;
use signed::Signed;
use static_cell::{ConstStaticCell, StaticCell};

/// Longest packet that comes whole.
const RECEIVE: usize = 4096;

type Memory = Resources<'static, NoopRawMutex, RECEIVE, 1024, 4096, { 2 * RECEIVE }>;
type Handle = Client<'static, NoopRawMutex, 8>;

static MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory::new());

/// Numbers that follow from a seed: the board has no source of randomness, and needs none to be tested.
#[derive(Clone, Copy)]
struct Random(u64);

impl Random {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            *byte = self.0 as u8;
        }
    }
}

#[embassy_executor::task]
async fn run_network(mut runner: embassy_net::Runner<'static, Card>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn keep_connected(
    mut runner: Runner<'static, NoopRawMutex, 8>,
    stack: Stack<'static>,
    order: &'static Order,
) {
    static RX: ConstStaticCell<[u8; 4096]> = ConstStaticCell::new([0; 4096]);
    static TX: ConstStaticCell<[u8; 2048]> = ConstStaticCell::new([0; 2048]);
    let (rx, tx) = (RX.take(), TX.take());
    let mut tcp = TcpConnector::new(stack, host::ADDRESS, order.port, rx, tx);
    let guest = order.pool.as_ref().map(|pool| Guest::new(stack, pool));
    let why = match &order.tls {
        None => converse(&mut runner, &mut tcp, order, guest).await,
        Some(tls) => {
            let mut connector = secured::secured(tcp, tls, Random(order.seed.rotate_left(32)));
            converse(&mut runner, &mut connector, order, guest).await
        }
    };
    host::say(format_args!("ended: {why}"));
}

async fn converse(
    runner: &mut Runner<'static, NoopRawMutex, 8>,
    connector: &mut impl Connector,
    order: &Order,
    guest: Option<Guest>,
) -> Error {
    let mut random = Random(order.seed);
    let mut random = |bytes: &mut [u8]| random.fill(bytes);
    let signed = match guest {
        Some(guest) => Some(Signed::guest(guest)),
        None => (order.scenario == "signed").then(Signed::user),
    };
    match signed {
        Some(signed) => {
            let mut target = [0; TARGET_LEN];
            let mut provider = signed.provider(connect(order), &mut target);
            runner.run(connector, &mut provider, &mut random).await
        }
        None => runner.run(connector, &mut plain(order), &mut random).await,
    }
}

fn connect(order: &Order) -> Connect<'static> {
    Connect { version: order.version, keep_alive_s: 45, ..Connect::new("firmware") }
}

/// The way to a broker that lets everybody in.
fn plain(order: &Order) -> Fixed<'static> {
    let transport = match ws::Request::new(host::ADDRESS, &"/mqtt", &[]) {
        Ok(request) => Transport::WebSocket(request),
        Err(invalid) => host::exit(Err(&invalid)),
    };
    Fixed { transport, connect: connect(order) }
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    stack::paint();
    static ORDER: StaticCell<Order> = StaticCell::new();
    let Some(order) = Order::read() else { host::exit(Err(&"not an order")) };
    let order = ORDER.init(order);
    let Some(core) = cortex_m::Peripherals::take() else { host::exit(Err(&"no core")) };
    clock::start(core.SYST);
    let stack = network(spawner, order.seed);
    let outcome = match order.scenario {
        "pubsub" => providers::play(order, spawner, stack).await,
        _ => scenario::play(order, client(order, spawner, stack)).await,
    };
    match outcome {
        Ok(()) => {
            host::say(format_args!("stack {} bytes", stack::peak()));
            host::exit(Ok(()))
        }
        Err(why) => host::exit(Err(&why)),
    }
}

/// The only client of a run, kept connected; to be called once, for there is memory for one.
fn client(order: &'static Order, spawner: Spawner, stack: Stack<'static>) -> Handle {
    let config = Config::new().version(order.version).oversize(Oversize::Stream);
    let (client, runner) = MEMORY.take().client(config);
    let runner = runner.with_backoff(Backoff::new(50, 500, 30_000));
    spawn(spawner, keep_connected(runner, stack, order));
    client
}

/// QEMU's user network: its host side is 10.0.2.2.
fn network(spawner: Spawner, seed: u64) -> Stack<'static> {
    // The client's and the guest's, or those of two providers, and DNS.
    static RESOURCES: StaticCell<StackResources<3>> = StaticCell::new();
    let Some(card) = Card::start([2, 0, 0, 0, 0, 1]) else { host::exit(Err(&"no card")) };
    let config = embassy_net::Config::ipv4_static(StaticConfigV4 {
        address: Ipv4Cidr::new(Ipv4Address::new(10, 0, 2, 15), 24),
        gateway: Some(Ipv4Address::new(10, 0, 2, 2)),
        dns_servers: heapless::Vec::new(),
    });
    let resources = RESOURCES.init(StackResources::new());
    let (stack, runner) = embassy_net::new(card, config, resources, seed);
    spawn(spawner, run_network(runner));
    stack
}

fn spawn<S>(
    spawner: Spawner,
    token: Result<embassy_executor::SpawnToken<S>, embassy_executor::SpawnError>,
) {
    match token {
        Ok(token) => spawner.spawn(token),
        Err(error) => host::exit(Err(&Shown(error))),
    }
}

/// Any value, shown as a programmer sees it.
struct Shown<T>(T);

impl<T: fmt::Debug> fmt::Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    host::exit(Err(info))
}
