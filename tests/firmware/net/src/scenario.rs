//! What the firmware is asked to do.

use crate::{Handle, Memory, host, order::Order, secured, stack};
use core::{cell::Cell, fmt};
use dunlin_embassy::{
    Error, Event, PublishError, SUBSCRIPTIONS_MAX, Status, SubscribeError, Subscription,
    dunlin::{Message, Qos},
    pubsub::{self, Undelivered},
};
use dunlin_embassy_tls::Fault;
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_time::{Duration, TimeoutError, with_timeout};
use embedded_io_async::ErrorKind;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How long an echo is waited for before it is asked for again.
const ECHO_PATIENCE: Duration = Duration::from_millis(500);

/// Rounds before and after the broker's end.
const ROUNDS: u32 = 10;

/// Length of the long message; what is at `at` follows from it.
const LARGE: usize = 128 << 10;

/// Messages of the soak, and how many of them show how deep the stack goes.
const SOAK: u32 = 2_000;
const SOAK_FRONT: u32 = 200;

/// What an interrupt may take on top of the deepest place, at any time, in bytes; a stack that grew with
/// each message would be deeper by far.
const INTERRUPT_MAX: usize = 256;

const TOPIC: &str = "firmware/echo";

const QOS: [Qos; 3] = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];

type Inbox = Subscription<'static, NoopRawMutex, 8>;

/// Why a scenario failed.
#[derive(Debug)]
pub enum Failure {
    Unknown,
    Publish(PublishError),
    Subscribe(SubscribeError),
    Ended(Error),
    PubSub(pubsub::Error<'static>),
    Undelivered(Undelivered<'static>),
    Tls(Fault),
    Late,
    Other(&'static str),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("no such scenario"),
            Self::Publish(error) => error.fmt(f),
            Self::Subscribe(error) => error.fmt(f),
            Self::Ended(error) => error.fmt(f),
            Self::PubSub(error) => error.fmt(f),
            Self::Undelivered(why) => why.fmt(f),
            Self::Tls(fault) => fault.fmt(f),
            Self::Late => f.write_str("nothing came in time"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        Self::Publish(error)
    }
}

impl From<SubscribeError> for Failure {
    fn from(error: SubscribeError) -> Self {
        Self::Subscribe(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ended(error)
    }
}

impl From<pubsub::Error<'static>> for Failure {
    fn from(error: pubsub::Error<'static>) -> Self {
        Self::PubSub(error)
    }
}

impl From<Undelivered<'static>> for Failure {
    fn from(why: Undelivered<'static>) -> Self {
        Self::Undelivered(why)
    }
}

impl From<TimeoutError> for Failure {
    fn from(_: TimeoutError) -> Self {
        Self::Late
    }
}

/// Plays the scenario of the order, and takes leave of the broker.
pub async fn play(order: &Order, client: Handle) -> Result<(), Failure> {
    let scenario = async {
        match order.scenario {
            "exchange" => exchange(client, &QOS).await,
            // AWS IoT Core has no QoS 2.
            "signed" | "guest" => exchange(client, &QOS[..2]).await,
            "restart" => restart(client).await,
            "large" => large(client).await,
            "soak" => soak(client).await,
            "wss" => exchange(client, &QOS).await,
            "impostor" => impostor(client).await,
            _ => Err(Failure::Unknown),
        }
    };
    with_timeout(PATIENCE, scenario).await??;
    with_timeout(PATIENCE, client.drain()).await??;
    client.close();
    Ok(())
}

/// A message of each QoS, there and back.
async fn exchange(client: Handle, all: &[Qos]) -> Result<(), Failure> {
    let most = all.last().copied().unwrap_or_default();
    let mut inbox = client.subscribe(TOPIC, most).await?;
    for (qos, payload) in all.iter().zip(["zero", "one", "two"]) {
        round(client, &mut inbox, payload.as_bytes(), *qos).await?;
    }
    Ok(())
}

async fn round(client: Handle, inbox: &mut Inbox, payload: &[u8], qos: Qos) -> Result<(), Failure> {
    let mut buffer = [0; 256];
    client.publish(&Message::new(TOPIC, payload, qos)).await?;
    let received = inbox.next(&mut buffer).await?;
    if (received.topic(), received.payload(), received.qos()) != (TOPIC, payload, qos) {
        return Err(Failure::Other("another message came"));
    }
    Ok(())
}

/// Counts through an outage of the broker: every number comes back, those of the outage included.
async fn restart(client: Handle) -> Result<(), Failure> {
    let outages = Cell::new(0);
    let mut events = client.events();
    let watching = async {
        loop {
            if let Event::Disconnected { error, .. } = events.next().await {
                outages.set(outages.get() + 1);
                host::say(format_args!("disconnected: {error}"));
            }
        }
    };
    let counting = async {
        let mut inbox = client.subscribe(TOPIC, Qos::AtLeastOnce).await?;
        let mut left = ROUNDS;
        for number in 0_u32.. {
            count(client, &mut inbox, number).await?;
            host::say(format_args!("round {number}"));
            if outages.get() > 0 {
                left -= 1;
            }
            if left == 0 {
                return Ok(());
            }
        }
        Err(Failure::Other("no outage came"))
    };
    match select(watching, counting).await {
        Either::First(never) => never,
        Either::Second(outcome) => outcome,
    }
}

/// Publishes a number until it comes back; says so where it must wait for the broker.
async fn count(client: Handle, inbox: &mut Inbox, number: u32) -> Result<(), Failure> {
    let payload = number.to_be_bytes();
    loop {
        let receipt = client.enqueue(&Message::new(TOPIC, &payload, Qos::ExactlyOnce))?;
        if client.status() != Status::Connected {
            host::say(format_args!("offline"));
            // It is kept, and goes out when the broker is back.
            receipt.await?;
        }
        match with_timeout(ECHO_PATIENCE, heard(inbox, &payload)).await {
            Ok(outcome) => return outcome,
            Err(TimeoutError) => {}
        }
    }
}

async fn heard(inbox: &mut Inbox, payload: &[u8]) -> Result<(), Failure> {
    let mut buffer = [0; 64];
    while inbox.next(&mut buffer).await?.payload() != payload {}
    Ok(())
}

/// A message that is much longer than all memory of the client.
async fn large(client: Handle) -> Result<(), Failure> {
    let mut inbox = client.subscribe("firmware/large", Qos::AtLeastOnce).await?;
    let mut buffer = [0; 1024 * 4];
    let mut expected = 0;
    loop {
        let piece = inbox.next(&mut buffer).await?;
        let payload = piece.payload();
        if piece.len != LARGE || piece.offset != expected {
            return Err(Failure::Other("a piece is missing"));
        }
        let right = |(at, byte): (usize, &u8)| *byte == pattern(piece.offset + at);
        if !payload.iter().enumerate().all(right) {
            return Err(Failure::Other("a piece has other bytes"));
        }
        expected += payload.len();
        if piece.is_last() {
            return Ok(());
        }
    }
}

fn pattern(at: usize) -> u8 {
    (at ^ at >> 8 ^ at >> 16) as u8
}

/// A server with a certificate for another host is not spoken to, and it is said why.
async fn impostor(client: Handle) -> Result<(), Failure> {
    let mut events = client.events();
    loop {
        match events.next().await {
            Event::Connected(_) => return Err(Failure::Other("the impostor was believed")),
            Event::Disconnected { error: Error::Connect(ErrorKind::PermissionDenied), .. } => {
                return match secured::last_fault() {
                    Some(why @ Fault::WrongHost) => {
                        host::say(format_args!("refused: {why}"));
                        Ok(())
                    }
                    Some(other) => Err(Failure::Tls(other)),
                    None => Err(Failure::Other("something else than TLS has refused")),
                };
            }
            Event::Disconnected { error, .. } => return Err(Failure::Ended(error)),
            _ => {}
        }
    }
}

/// Two thousand messages; then the stack is no deeper, and all memory is free again.
async fn soak(client: Handle) -> Result<(), Failure> {
    let mut inbox = client.subscribe(TOPIC, Qos::ExactlyOnce).await?;
    let mut front = 0;
    for number in 0..SOAK {
        let qos = QOS[number as usize % 3];
        round(client, &mut inbox, &number.to_be_bytes(), qos).await?;
        if number == SOAK_FRONT {
            front = stack::peak();
        }
    }
    drop(inbox);
    client.drain().await?;
    let peak = stack::peak();
    if peak > front + INTERRUPT_MAX {
        return Err(Failure::Other("the stack grows"));
    }
    check_pools(client).await?;
    let memory = size_of::<Memory>();
    host::say(format_args!(
        "stack {front} bytes after {SOAK_FRONT} messages, {peak} after {SOAK}; \
         all places in {memory} bytes of memory are free again"
    ));
    Ok(())
}

/// Every place that can be taken is free.
async fn check_pools(client: Handle) -> Result<(), Failure> {
    let message = Message::new("firmware/nobody", &[0; 256], Qos::AtLeastOnce);
    let mut receipts = [const { None }; 8];
    for receipt in &mut receipts {
        *receipt = Some(client.enqueue(&message)?);
    }
    if client.enqueue(&message).is_ok() {
        return Err(Failure::Other("there are more receipts than places"));
    }
    for receipt in receipts.into_iter().flatten() {
        receipt.await?;
    }
    let mut subscriptions = [const { None }; SUBSCRIPTIONS_MAX];
    for subscription in &mut subscriptions {
        // As long together as the memory for filters.
        *subscription = Some(client.subscribe("0123456789abcdef0123456789abcdef", QOS[1]).await?);
    }
    match client.listen("one", QOS[1]) {
        Err(SubscribeError::Full) => Ok(()),
        _ => Err(Failure::Other("there are more subscriptions than places")),
    }
}
