//! The same client for programs without async: its calls wait.
//!
//! ```no_run
//! use dunlin_tokio::{Message, Options, Qos, blocking::Client};
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect(Options::parse("wss://broker.example/mqtt")?)?;
//! let rooms = client.subscribe("rooms/+/temperature", Qos::AtLeastOnce)?;
//! client.publish(&Message::new("rooms/kitchen/temperature", b"21.5", Qos::AtLeastOnce))?;
//! for message in rooms {
//!     let message = message?;
//!     println!("{}: {} bytes", message.topic(), message.payload().len());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A thread of its own keeps the connection; it ends with the client. None of the calls that wait may be
//! made from within an async task: they would hold up its thread, and panic.

use crate::{
    Error, Event, Options, PublishError, Received, Statistics, Status, SubscribeError, client,
    runner::First,
};
use dunlin_drive::dunlin::{self, Message, Qos, ReasonCode};
use std::{fmt, io, sync::Arc, thread, time::Duration};
use tokio::{
    runtime::{self, Handle},
    sync::broadcast,
    time::timeout,
};

/// A client of one broker; clones are handles of the same one.
#[derive(Clone, Debug)]
pub struct Client {
    client: client::Client,
    runtime: Handle,
}

/// The messages of one subscription, as an iterator that waits for each; dropping it unsubscribes.
///
/// A message of QoS 1 or 2 is acknowledged when it is taken. The iterator's last item is the error that
/// says why the subscription has ended.
#[derive(Debug)]
pub struct Subscription {
    subscription: crate::Subscription,
    runtime: Handle,
}

/// What happens to a connection, as an iterator that waits for each; it ends with the client.
#[derive(Debug)]
pub struct Events {
    /// `None` once the client has ended.
    events: Option<broadcast::Receiver<Event>>,
    runtime: Handle,
}

/// The promise of an acknowledgement: something to wait for, or to drop.
#[derive(Debug)]
pub struct Receipt {
    receipt: crate::Receipt,
    runtime: Handle,
}

/// Why a client did not come about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The operating system gives no thread or timer to it.
    Thread(Arc<io::Error>),
    /// The first connection failed.
    Connection(Error),
}

impl Client {
    /// Connects, and waits until the server has accepted; an error means that the client has ended.
    pub fn connect(options: Options) -> Result<Self, ConnectError> {
        let (client, _) = begin(options, First::MustSucceed)?;
        client.runtime.block_on(client.client.connected()).map_err(ConnectError::Connection)?;
        Ok(client)
    }

    /// Starts to connect, and goes on until it succeeds; messages can be published meanwhile.
    pub fn start(options: Options) -> Result<(Self, Events), ConnectError> {
        begin(options, First::MayFail)
    }

    /// Publishes, and waits until the server has acknowledged, or all bytes are written (QoS 0).
    pub fn publish(&self, message: &Message<'_>) -> Result<ReasonCode, PublishError> {
        self.runtime.block_on(self.client.publish(message))
    }

    /// Accepts a message at once, connected or not, or says why not; the receipt is for later.
    pub fn enqueue(&self, message: &Message<'_>) -> Result<Receipt, PublishError> {
        let receipt = self.client.enqueue(message)?;
        Ok(Receipt { receipt, runtime: self.runtime.clone() })
    }

    /// Subscribes to one filter, and waits until the server has granted it.
    pub fn subscribe(&self, filter: &str, qos: Qos) -> Result<Subscription, SubscribeError> {
        self.subscribe_all(&[dunlin::Subscription::new(filter, qos)])
    }

    /// Subscribes to several filters at once, whose messages come in one iterator.
    pub fn subscribe_all(
        &self,
        filters: &[dunlin::Subscription<'_>],
    ) -> Result<Subscription, SubscribeError> {
        let subscription = self.runtime.block_on(self.client.subscribe_all(filters))?;
        Ok(Subscription { subscription, runtime: self.runtime.clone() })
    }

    /// Whether the client is connected, just now.
    pub fn status(&self) -> Status {
        self.client.status()
    }

    /// What the client has done so far.
    pub fn statistics(&self) -> Statistics {
        self.client.statistics()
    }

    /// What happens to the connection from now on.
    pub fn events(&self) -> Events {
        Events { events: Some(self.client.events()), runtime: self.runtime.clone() }
    }

    /// Waits until everything accepted so far has been written and, above QoS 0, acknowledged.
    pub fn drain(&self) -> Result<(), Error> {
        self.runtime.block_on(self.client.drain())
    }

    /// Sends what has been accepted and DISCONNECT, ends the client, and waits for that.
    ///
    /// A program that ends without it may end before its good-bye is out.
    pub fn close(&self) {
        self.runtime.block_on(self.client.close());
    }

    /// The same client for async code.
    pub const fn as_async(&self) -> &client::Client {
        &self.client
    }
}

impl Subscription {
    /// The QoS that the server granted at first, in the order of the filters.
    pub fn granted(&self) -> &[Qos] {
        self.subscription.granted()
    }

    /// The next message within `limit`; `None` when none has come by then, or the subscription is over.
    pub fn next_within(&mut self, limit: Duration) -> Option<Result<Received, SubscribeError>> {
        let next = async { timeout(limit, self.subscription.next()).await.ok().flatten() };
        self.runtime.block_on(next)
    }

    /// Ends it, and waits for the server's answer for each filter, in their order.
    pub fn unsubscribe(self) -> Result<Vec<ReasonCode>, SubscribeError> {
        self.runtime.block_on(self.subscription.unsubscribe())
    }
}

impl Iterator for Subscription {
    type Item = Result<Received, SubscribeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.runtime.block_on(self.subscription.next())
    }
}

impl Iterator for Events {
    type Item = Event;

    /// Events that came too fast for this listener are left out.
    fn next(&mut self) -> Option<Event> {
        loop {
            match self.runtime.block_on(self.events.as_mut()?.recv()) {
                Ok(event) => {
                    if matches!(event, Event::Closed(_)) {
                        self.events = None;
                    }
                    return Some(event);
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

impl Receipt {
    /// Waits until the server has acknowledged, or all bytes are written (QoS 0).
    pub fn wait(self) -> Result<ReasonCode, PublishError> {
        self.runtime.block_on(self.receipt)
    }
}

/// Begins a client, and the thread that lives as long as it.
fn begin(options: Options, first: First) -> Result<(Client, Events), ConnectError> {
    let failed = |error| ConnectError::Thread(Arc::new(error));
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let handle = runtime.handle().clone();
    let (client, events) = {
        let _inside = handle.enter();
        client::Client::begin(options, first, |shared| shared.lock().desk.events())
    };
    let ended = client.ended();
    let named = thread::Builder::new().name("dunlin".to_owned());
    named.spawn(move || runtime.block_on(ended)).map_err(failed)?;
    let events = Events { events: Some(events), runtime: handle.clone() };
    Ok((Client { client, runtime: handle }, events))
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Thread(error) => write!(
                f,
                "no thread for the connection ({error}): raise the limits of this process"
            ),
            Self::Connection(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ConnectError {}
