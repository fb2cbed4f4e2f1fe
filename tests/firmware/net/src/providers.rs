//! Two brokers behind one `PubSub`: each has a client, a runner and a way in of its own.

use crate::{
    Random, connect, host,
    order::Order,
    plain,
    scenario::{Failure, PATIENCE},
    signed::Signed,
    spawn,
};
use dunlin_embassy::{
    Backoff, Provider, PubSub, Resources, Runner, TcpConnector,
    aws::TARGET_LEN,
    dunlin::Config,
    pubsub::{ConnectionState, Deliveries, Drained, Error, Undelivered},
};
use embassy_executor::Spawner;
use embassy_net::Stack;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_time::with_timeout;
use static_cell::ConstStaticCell;

/// A broker in the clear.
const SITE: &str = "site";
/// AWS IoT Core.
const CLOUD: &str = "cloud";

const TOPIC: &str = "firmware/pubsub";

/// Longest packet that comes from either, in bytes.
const RECEIVE: usize = 1024;

// With a lock for all tasks, whatever they run on, the one before all clients can be a plain `static`.
type Memory = Resources<'static, CriticalSectionRawMutex, RECEIVE, 512, 1024, { 2 * RECEIVE }>;
type Manager = Runner<'static, CriticalSectionRawMutex, 8>;
type Inbox = Deliveries<'static, CriticalSectionRawMutex, 8, 2>;

static PUBSUB: PubSub<'static, CriticalSectionRawMutex, 8, 2> = PubSub::new();

/// Adds both providers, and talks with them.
pub async fn play(
    order: &'static Order,
    spawner: Spawner,
    stack: Stack<'static>,
) -> Result<(), Failure> {
    static SITE_MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory::new());
    static CLOUD_MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory::new());
    let cloud_port = order.cloud.ok_or(Failure::Other("nobody said where the cloud is"))?;
    let config = Config::new().version(order.version);
    let (site, site_runner) = SITE_MEMORY.take().client(config);
    let (cloud, cloud_runner) = CLOUD_MEMORY.take().client(config);
    PUBSUB.add_provider(SITE, site)?;
    PUBSUB.add_provider(CLOUD, cloud)?;
    spawn(spawner, keep_site(site_runner, stack, order));
    spawn(spawner, keep_cloud(cloud_runner, stack, order, cloud_port));
    with_timeout(PATIENCE, converse()).await?
}

#[embassy_executor::task]
async fn keep_site(runner: Manager, stack: Stack<'static>, order: &'static Order) {
    static SOCKET: ConstStaticCell<Socket> = ConstStaticCell::new(Socket::new());
    let connector = SOCKET.take().connector(stack, order.port);
    keep_connected(SITE, runner, connector, plain(order), Random(order.seed)).await;
}

#[embassy_executor::task]
async fn keep_cloud(runner: Manager, stack: Stack<'static>, order: &'static Order, port: u16) {
    static SOCKET: ConstStaticCell<Socket> = ConstStaticCell::new(Socket::new());
    let connector = SOCKET.take().connector(stack, port);
    let random = Random(order.seed.rotate_left(32));
    let mut target = [0; TARGET_LEN];
    let provider = Signed::user().provider(connect(order), &mut target);
    keep_connected(CLOUD, runner, connector, provider, random).await;
}

async fn keep_connected(
    id: &str,
    runner: Manager,
    mut connector: TcpConnector<'static>,
    mut provider: impl Provider,
    mut random: Random,
) {
    let mut runner = runner.with_backoff(Backoff::new(50, 500, 30_000));
    let mut random = |bytes: &mut [u8]| random.fill(bytes);
    let why = runner.run(&mut connector, &mut provider, &mut random).await;
    host::say(format_args!("{id} ended: {why}"));
}

/// The memory of a socket.
struct Socket {
    rx: [u8; 2048],
    tx: [u8; 2048],
}

impl Socket {
    const fn new() -> Self {
        Self { rx: [0; 2048], tx: [0; 2048] }
    }

    fn connector(&'static mut self, stack: Stack<'static>, port: u16) -> TcpConnector<'static> {
        TcpConnector::new(stack, host::ADDRESS, port, &mut self.rx, &mut self.tx)
    }
}

/// One subscription at both, and then at the one that is left.
async fn converse() -> Result<(), Failure> {
    let mut inbox = PUBSUB.subscribe(&[TOPIC]).await?;
    for id in [SITE, CLOUD] {
        let payload = id.as_bytes();
        PUBSUB.publish_bytes([TOPIC], payload).provider(id).await?.into_result()?;
        expect_from(&mut inbox, id, payload).await?;
    }
    let report = PUBSUB.publish_bytes([TOPIC], b"all").await?;
    if !report.results().map(|published| published.provider).eq([SITE, CLOUD]) {
        return Err(Failure::Other("not all providers were published to"));
    }
    report.into_result()?;
    let both = [heard(&mut inbox, b"all").await?, heard(&mut inbox, b"all").await?];
    if both != [SITE, CLOUD] && both != [CLOUD, SITE] {
        return Err(Failure::Other("one provider has delivered twice"));
    }
    part_with_site(&mut inbox).await?;
    expect_from(&mut inbox, CLOUD, b"host").await?;
    let report = PUBSUB.publish_bytes([TOPIC], b"last").await?;
    if !report.results().map(|published| published.provider).eq([CLOUD]) {
        return Err(Failure::Other("a provider was published to that is gone"));
    }
    report.into_result()?;
    expect_from(&mut inbox, CLOUD, b"last").await?;
    drop(inbox);
    match PUBSUB.close().await {
        Drained::All => Ok(()),
        Drained::Cut => Err(Failure::Other("the cloud was left in haste")),
    }
}

/// Removes one provider: its part of the subscription ends, and the other's does not.
async fn part_with_site(inbox: &mut Inbox) -> Result<(), Failure> {
    if PUBSUB.remove_provider(SITE).await? == Drained::Cut {
        return Err(Failure::Other("the site was left in haste"));
    }
    match inbox.next(&mut [0; RECEIVE]).await {
        Some(Err(Undelivered::Removed { provider: SITE })) => {}
        _ => return Err(Failure::Other("the subscription does not tell of the removal")),
    }
    let states = [SITE, CLOUD].map(|id| PUBSUB.connection_state(id));
    if states != [Err(Error::UnknownProvider), Ok(ConnectionState::Connected)] {
        return Err(Failure::Other("another provider was removed, or more than one"));
    }
    host::say(format_args!("removed"));
    Ok(())
}

async fn expect_from(inbox: &mut Inbox, provider: &str, payload: &[u8]) -> Result<(), Failure> {
    if heard(inbox, payload).await? == provider {
        Ok(())
    } else {
        Err(Failure::Other("another provider has delivered"))
    }
}

/// Who delivers `payload`, which is next.
async fn heard(inbox: &mut Inbox, payload: &[u8]) -> Result<&'static str, Failure> {
    let mut buffer = [0; RECEIVE];
    let next = inbox.next(&mut buffer).await;
    let delivery = next.ok_or(Failure::Other("the subscription has ended"))??;
    if (delivery.topic(), delivery.payload()) == (TOPIC, payload) {
        Ok(delivery.provider)
    } else {
        Err(Failure::Other("another message came"))
    }
}
