//! The table that every scenario goes through.

use std::fmt;
use std::net::SocketAddr;

use dunlin_tokio::{Backoff, Client, Options, Qos, Received, Subscription};
use support::broker5::Broker5;
use support::ejabberd::{CREDENTIALS, Ejabberd};
use support::mosquitto::{Mosquitto, Options as MosquittoOptions};
use support::peer::{Connect, Kind, Message, Peer, Properties, Transport, Version};

use crate::common::within;

/// What Dunlin speaks, and what its peer speaks: a broker is there to bring both together.
const VERSIONS: [(Version, Version); 3] =
    [(Version::V311, Version::V311), (Version::V5, Version::V5), (Version::V5, Version::V311)];

/// A broker of any make.
pub(crate) enum Broker {
    Mosquitto(Mosquitto),
    Mqtt5(Broker5),
    Ejabberd(Ejabberd),
}

impl Broker {
    /// One of each, all of them running.
    pub(crate) async fn all() -> [Self; 3] {
        let (mosquitto, mqtt5, ejabberd) = tokio::join!(
            Mosquitto::start(MosquittoOptions::default()),
            Broker5::start(),
            Ejabberd::start()
        );
        [Self::Mosquitto(mosquitto), Self::Mqtt5(mqtt5), Self::Ejabberd(ejabberd)]
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Mosquitto(_) => "mosquitto",
            Self::Mqtt5(_) => "mqtt5",
            Self::Ejabberd(_) => "ejabberd",
        }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        match self {
            Self::Mosquitto(broker) => broker.ws_addr(),
            Self::Mqtt5(broker) => broker.ws_addr(),
            Self::Ejabberd(broker) => broker.ws_addr(),
        }
    }

    /// A user and password that all of them let in.
    pub(crate) fn credentials() -> (String, String) {
        let (user, password) = CREDENTIALS;
        (user.to_owned(), password.to_owned())
    }
}

/// One row.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    broker: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) peer: Kind,
    pub(crate) peer_version: Version,
    pub(crate) version: Version,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { broker, peer, peer_version, version, .. } = self;
        write!(f, "Dunlin {version:?} / {broker} / {peer:?} {peer_version:?}")
    }
}

impl Case {
    /// A name that no other row has: the rows of a scenario share their brokers.
    pub(crate) fn unique(self, name: &str) -> String {
        let Self { peer, peer_version, version, .. } = self;
        // Lower case, as ejabberd takes a client's identifier for a user's name.
        format!("{name}/{peer:?}-{peer_version:?}-{version:?}").to_lowercase()
    }

    /// The same as a client identifier.
    pub(crate) fn id(self, name: &str) -> String {
        self.unique(name).replace('/', "-")
    }

    /// Whether an empty payload can come from the peer.
    ///
    /// MQTT.js writes it as a WebSocket frame of its own, which is empty, too, and which the broker of
    /// `mqtt5` takes for the end of the stream.
    pub(crate) fn peer_can_publish_nothing(self) -> bool {
        (self.broker, self.peer) != ("mqtt5", Kind::MqttJs)
    }

    /// Options for Dunlin, which connects to `address`: the broker, or a cable to it.
    pub(crate) fn options(self, name: &str, address: SocketAddr) -> Options {
        let (user, password) = Broker::credentials();
        let options = Options::parse(&format!("ws://{address}/mqtt"))
            .unwrap()
            .client_id(self.id(name))
            .credentials(user, Some(password.into()))
            .backoff(Backoff::new(10, 100, 1_000));
        match self.version {
            Version::V311 => options,
            Version::V5 => options.version(dunlin_tokio::Version::V5),
        }
    }

    /// Dunlin, connected.
    pub(crate) async fn dunlin(self) -> Client {
        let options = self.options("dunlin", self.address);
        within("Dunlin connects", Client::connect(options)).await.unwrap()
    }

    /// How the peer connects.
    pub(crate) fn connect(self, name: &str) -> Connect {
        let connect = Connect::new(Transport::Websockets, self.address, &self.id(name));
        let credentials = Some(Broker::credentials());
        Connect { version: self.peer_version, credentials, ..connect }
    }

    /// The peer, connected.
    pub(crate) async fn peer(self) -> Peer {
        let mut peer = Peer::start(self.peer).await;
        assert!(!peer.connect(&self.connect("peer")).await, "nobody has a session");
        peer
    }
}

/// Goes through the table, all rows in turn, and panics with the list of those that panicked.
pub(crate) async fn every_case<F>(scenario: fn(Case) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let brokers = Broker::all().await;
    let mut failed = Vec::new();
    let mut count = 0;
    for case in brokers.iter().flat_map(cases) {
        count += 1;
        // A task, so that the next row follows whatever becomes of this one.
        if let Err(error) = tokio::spawn(scenario(case)).await {
            failed.push(format!("{case}: {error}\n"));
        }
    }
    assert!(failed.is_empty(), "{} of {count} failed:\n{}", failed.len(), failed.concat());
}

fn cases(broker: &Broker) -> impl Iterator<Item = Case> {
    let (name, address) = (broker.name(), broker.address());
    Kind::ALL.into_iter().flat_map(move |peer| {
        VERSIONS.map(|(version, peer_version)| Case {
            broker: name,
            address,
            peer,
            peer_version,
            version,
        })
    })
}

/// What a peer received, but for properties that a broker may add.
pub(crate) fn plain(message: Message) -> Message {
    Message { properties: Properties::new(), ..message }
}

pub(crate) async fn subscribe(client: &Client, filter: &str, qos: Qos) -> Subscription {
    let subscription = within("a SUBACK", client.subscribe(filter, qos)).await.unwrap();
    assert_eq!(subscription.granted(), [qos]);
    subscription
}

pub(crate) async fn next(subscription: &mut Subscription) -> Received {
    within("a message for Dunlin", subscription.next()).await.unwrap().unwrap()
}
