//! What a client connects to, and how.

#[cfg(feature = "aws")]
mod aws;
mod connect;
mod network;
mod reach;

use crate::{TlsOptions, Url, UrlError, Will, authentication::Make, store::Durability};
#[cfg(feature = "aws")]
pub use aws::AWS_RENEW_AFTER_DEFAULT;
pub(crate) use connect::Lists;
use connect::Wants;
use dunlin_drive::{
    Backoff,
    dunlin::{Authenticator, Overdue, Qos, Version},
    pubsub::Matching,
};
pub use network::Network;
pub use reach::{ConnectLimiter, ENDPOINT_STABLE};
use std::{fmt, marker, num::NonZeroU16, path::PathBuf, time::Duration};
use zeroize::Zeroizing;

/// Keep alive unless told otherwise, in seconds: load balancers cut idle connections at 60 s.
pub const KEEP_ALIVE_DEFAULT_S: u16 = 45;

/// How long TCP, TLS, the upgrade and CONNACK may take together, unless told otherwise.
pub const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(20);

/// How many bytes of packets wait for their acknowledgement at most, unless told otherwise.
pub const OUTBOX_DEFAULT: usize = 16 << 20;

/// The largest packet that is received, in bytes, unless told otherwise.
pub const RECEIVE_DEFAULT: usize = 16 << 20;

/// How many messages a subscription holds until they are taken, unless told otherwise.
pub const QUEUE_DEFAULT: usize = 16_384;

/// The highest topic alias that the server may use, unless told otherwise.
pub const TOPIC_ALIASES_DEFAULT: u16 = 16;

/// How many bytes of topics have an alias towards the server at most, unless told otherwise.
pub const ALIASED_TOPICS_DEFAULT: usize = 4 << 10;

/// Whether the server keeps a session between connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Persistence {
    /// It forgets all when the connection ends; subscriptions are made again by the client.
    ///
    /// In MQTT 5.0 with [`Options::session_expiry_s`], it forgets all when the client begins, and keeps
    /// what comes then over lost connections.
    #[default]
    Clean,
    /// It keeps subscriptions and messages under the client identifier: give one
    /// ([`Options::client_id`]), or nobody comes back for them once the process has ended, whose
    /// clients have random ones.
    ///
    /// What it has kept comes right after the first connection, and waits 30 s for a subscription. In
    /// MQTT 5.0 it keeps them for ever, or as [`Options::session_expiry_s`] says.
    Kept,
}

/// What happens when a subscription's queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// A new message of QoS 0 is dropped and counted. Messages of QoS 1 are never dropped: they are
    /// acknowledged when they are taken, so that the server stops by itself; behind a queue that is full
    /// all the same, the connection is not read from.
    #[default]
    DropNewest,
    /// The connection is not read from until there is room. Acknowledgements wait, too: a program that
    /// awaits a publish before it takes the next message would wait for ever.
    Block,
    /// The message that has waited longest is dropped and counted, whatever its QoS: for values of which
    /// only the latest matters.
    DropOldest,
}

/// What becomes of a message that is published while there is no connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offline {
    /// It waits for the next one, as far as the outbox has room ([`Options::outbox`]).
    #[default]
    Queue,
    /// It is refused ([`PublishError::Offline`](crate::PublishError::Offline)).
    Refuse,
}

/// What to do when the server names another one to be used (MQTT 5.0 §4.11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerReference {
    /// Tell the program ([`Event::Redirected`](crate::Event::Redirected)), and go on with the URL that
    /// was given.
    #[default]
    Ignore,
    /// Connect there next, with the same scheme, path and credentials: for servers that are trusted with
    /// those. If that fails, a reference that was for now is forgotten.
    Follow,
}

/// What a client connects to, and how; each method takes the value and gives it back changed.
#[derive(Clone)]
pub struct Options {
    pub(crate) url: Url,
    pub(crate) others: Vec<Url>,
    pub(crate) limiter: Option<ConnectLimiter>,
    pub(crate) tls: TlsOptions,
    pub(crate) network: Network,
    pub(crate) version: Version,
    pub(crate) wants: Wants,
    pub(crate) aliases_in: u16,
    pub(crate) aliased_out: usize,
    pub(crate) answers: Option<(Duration, Overdue)>,
    pub(crate) server_reference: ServerReference,
    pub(crate) client_id: Option<String>,
    pub(crate) persistence: Persistence,
    pub(crate) keep_alive_s: u16,
    pub(crate) user_name: Option<String>,
    pub(crate) password: Option<Zeroizing<Vec<u8>>>,
    pub(crate) will: Option<Will>,
    pub(crate) fields: Vec<(String, Zeroizing<String>)>,
    pub(crate) connect_timeout: Duration,
    pub(crate) backoff: Backoff,
    pub(crate) outbox: usize,
    pub(crate) receive: usize,
    pub(crate) queue: usize,
    pub(crate) overflow: Overflow,
    pub(crate) offline: Offline,
    pub(crate) store: Option<PathBuf>,
    pub(crate) durability: Durability,
    pub(crate) renew_after: Option<Duration>,
    #[cfg(feature = "aws")]
    pub(crate) aws: Option<crate::aws::Signing>,
    /// Set where the broker is AWS IoT Core, signed or not.
    #[cfg(feature = "aws")]
    pub(crate) iot: Option<crate::aws::Mode>,
    /// The user name asks a custom authorizer.
    #[cfg(feature = "aws")]
    pub(crate) authorizes: bool,
}

impl Options {
    /// The defaults for the broker at `url`; user name and password are taken from it.
    pub fn new(url: Url) -> Self {
        let user_name = url.user_name().map(str::to_owned);
        let password = url.password().map(|password| Zeroizing::new(password.to_vec()));
        Self {
            url,
            others: Vec::new(),
            limiter: None,
            tls: TlsOptions::platform(),
            network: Network::default(),
            version: Version::V3,
            wants: Wants::default(),
            aliases_in: TOPIC_ALIASES_DEFAULT,
            aliased_out: ALIASED_TOPICS_DEFAULT,
            answers: None,
            server_reference: ServerReference::Ignore,
            client_id: None,
            persistence: Persistence::Clean,
            keep_alive_s: KEEP_ALIVE_DEFAULT_S,
            user_name,
            password,
            will: None,
            fields: Vec::new(),
            connect_timeout: CONNECT_TIMEOUT_DEFAULT,
            backoff: Backoff::default(),
            outbox: OUTBOX_DEFAULT,
            receive: RECEIVE_DEFAULT,
            queue: QUEUE_DEFAULT,
            overflow: Overflow::DropNewest,
            offline: Offline::Queue,
            store: None,
            durability: Durability::Disk,
            renew_after: None,
            #[cfg(feature = "aws")]
            aws: None,
            #[cfg(feature = "aws")]
            iot: None,
            #[cfg(feature = "aws")]
            authorizes: false,
        }
    }

    /// The same, from text.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        url.parse().map(Self::new)
    }

    /// Which CAs are trusted, and what else TLS needs.
    #[must_use]
    pub fn tls(self, tls: TlsOptions) -> Self {
        Self { tls, ..self }
    }

    /// Which version is spoken: MQTT 3.1.1 unless told otherwise.
    ///
    /// With MQTT 3.1.1, whatever only MQTT 5.0 has makes connecting fail.
    #[must_use]
    pub fn version(self, version: Version) -> Self {
        Self { version, ..self }
    }

    /// For how long the server keeps the session when a connection is lost, in seconds, [`u32::MAX`] for
    /// ever; only in MQTT 5.0 (§3.1.2.11.2).
    #[must_use]
    pub fn session_expiry_s(mut self, session_expiry_s: u32) -> Self {
        self.wants.session_expiry_s = Some(session_expiry_s);
        self
    }

    /// How many messages above QoS 0 the server may have under way, 256 at most; only in MQTT 5.0.
    ///
    /// A message counts until it is taken from its subscription: one subscription that is not looked
    /// after holds up the others.
    #[must_use]
    pub fn receive_maximum(mut self, messages: NonZeroU16) -> Self {
        self.wants.receive_maximum = Some(messages);
        self
    }

    /// Asks the server for reason codes without words, which it adds otherwise; only in MQTT 5.0
    /// (§3.1.2.11.7).
    #[must_use]
    pub fn without_problem_information(mut self) -> Self {
        self.wants.problem_information = Some(false);
        self
    }

    /// Authenticates in steps, as with SCRAM (MQTT 5.0 §4.12): `make` is called for each connection.
    ///
    /// [`Client::re_authenticate`](crate::Client::re_authenticate) does it again while one stands. An
    /// authenticator that denies what the server says ends the client.
    #[must_use]
    pub fn authenticator(
        mut self,
        make: impl Fn() -> Box<dyn Authenticator + Send> + Send + marker::Sync + 'static,
    ) -> Self {
        self.wants.authenticator = Some(Make::new(make));
        self
    }

    /// Asks the server what response topics can be made of; only in MQTT 5.0 (§3.1.2.11.6).
    #[must_use]
    pub fn response_information(mut self) -> Self {
        self.wants.response_information = Some(true);
        self
    }

    /// One more name and value for CONNECT; only in MQTT 5.0.
    #[must_use]
    pub fn user_property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.wants.user_properties.push((name.into(), value.into()));
        self
    }

    /// How many topics the server may use aliases for, at up to 65,543 bytes each, and how many bytes of
    /// topics get an alias towards the server; only in MQTT 5.0, where nothing is taken before it is
    /// needed. Zero turns them off.
    #[must_use]
    pub fn topic_aliases(self, incoming: u16, outgoing_bytes: usize) -> Self {
        Self { aliases_in: incoming, aliased_out: outgoing_bytes, ..self }
    }

    /// How long an acknowledgement may take, and what happens then; for ever unless told otherwise.
    #[must_use]
    pub fn answer_timeout(self, timeout: Duration, overdue: Overdue) -> Self {
        Self { answers: Some((timeout, overdue)), ..self }
    }

    /// What to do when the server names another one to be used.
    #[must_use]
    pub fn server_reference(self, policy: ServerReference) -> Self {
        Self { server_reference: policy, ..self }
    }

    /// The client identifier; without one, a random one is used for the client's life.
    ///
    /// In MQTT 5.0 it may be empty: then the server chooses one, which is used as long as it keeps the
    /// session.
    #[must_use]
    pub fn client_id(self, client_id: impl Into<String>) -> Self {
        Self { client_id: Some(client_id.into()), ..self }
    }

    /// Whether the server keeps a session between connections.
    #[must_use]
    pub fn persistence(self, persistence: Persistence) -> Self {
        Self { persistence, ..self }
    }

    /// The longest silence in seconds; 0 turns it off, and with it the detection of a dead peer.
    #[must_use]
    pub fn keep_alive_s(self, keep_alive_s: u16) -> Self {
        Self { keep_alive_s, ..self }
    }

    /// User name and password.
    #[must_use]
    pub fn credentials(self, user_name: impl Into<String>, password: Option<Vec<u8>>) -> Self {
        let password = password.map(Zeroizing::new);
        Self { user_name: Some(user_name.into()), password, ..self }
    }

    /// The message that the server publishes when it loses the client.
    #[must_use]
    pub fn will(self, will: Will) -> Self {
        Self { will: Some(will), ..self }
    }

    /// One more header field for the WebSocket upgrade.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), Zeroizing::new(value.into())));
        self
    }

    /// How long TCP, TLS, the upgrade and CONNACK may take together.
    #[must_use]
    pub fn connect_timeout(self, connect_timeout: Duration) -> Self {
        Self { connect_timeout, ..self }
    }

    /// How long to wait before connecting again; after a DISCONNECT of the server's a second at least,
    /// unless it has named another one.
    #[must_use]
    pub fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// How many bytes of packets wait for their acknowledgement at most.
    #[must_use]
    pub fn outbox(self, bytes: usize) -> Self {
        Self { outbox: bytes, ..self }
    }

    /// The largest packet that is received, in bytes; a larger one ends the connection.
    #[must_use]
    pub fn receive(self, bytes: usize) -> Self {
        Self { receive: bytes, ..self }
    }

    /// How many messages a subscription holds until they are taken, and what happens then.
    #[must_use]
    pub fn queue(self, messages: usize, overflow: Overflow) -> Self {
        Self { queue: messages.max(1), overflow, ..self }
    }

    /// What becomes of a message that is published while there is no connection.
    #[must_use]
    pub fn offline(self, offline: Offline) -> Self {
        Self { offline, ..self }
    }

    /// Keeps what is not acknowledged in the file at `path`, so that no message above QoS 0 is lost, and
    /// none of QoS 2 comes twice, when this program or its machine goes down.
    ///
    /// The file belongs to one client identifier at one broker, and is locked while the client is there.
    /// A server that keeps the session as well ([`Persistence::Kept`]) can take it up where it was.
    #[must_use]
    pub fn store(self, path: impl Into<PathBuf>) -> Self {
        Self { store: Some(path.into()), ..self }
    }

    /// Whether the disk itself must have each batch of the store before what rests on it goes out.
    #[must_use]
    pub fn durability(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }

    /// Changes to a new connection when one has stood for so long, up to a tenth less at random: for
    /// brokers that cut old ones.
    ///
    /// Nothing that is published is lost: this side says good-bye between two messages, and what is not
    /// acknowledged is sent again. What others publish meanwhile comes only if the server keeps the
    /// session ([`Options::persistence`]).
    #[must_use]
    pub fn renew_after(self, renew_after: Duration) -> Self {
        Self { renew_after: Some(renew_after), ..self }
    }

    /// AWS IoT Core answers QoS 2 with nothing at all.
    pub(crate) const fn qos_max(&self) -> Qos {
        #[cfg(feature = "aws")]
        if self.iot.is_some() {
            return Qos::AtLeastOnce;
        }
        Qos::ExactlyOnce
    }

    /// AWS IoT Core ends a connection with more messages under way, which MQTT 3.1.1 cannot announce.
    pub(crate) const fn in_flight_max(&self) -> Option<NonZeroU16> {
        #[cfg(feature = "aws")]
        if self.iot.is_some() {
            return Some(dunlin_aws::IN_FLIGHT_MAX);
        }
        None
    }

    /// How far the clock that requests are signed by is ahead of the Date of an answer, in seconds.
    pub(crate) fn clock_ahead_s(&self, date: &str) -> Option<i64> {
        #[cfg(feature = "aws")]
        if self.is_signed() {
            let date = dunlin_aws::parse_http_date(date)?;
            return Some(dunlin_aws::ahead_s(self.now(), date));
        }
        let _ = date;
        None
    }

    /// Whose rules say which filters a topic belongs to.
    pub(crate) const fn matching(&self) -> Matching {
        #[cfg(feature = "aws")]
        if self.iot.is_some() {
            return Matching::Aws;
        }
        Matching::Standard
    }

    /// Whether upgrade requests are signed for AWS.
    pub(crate) const fn is_signed(&self) -> bool {
        #[cfg(feature = "aws")]
        return self.aws.is_some();
        #[cfg(not(feature = "aws"))]
        false
    }
}

/// Without user name, password, header values and payloads.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("url", &self.url)
            .field("version", &self.version)
            .field("client_id", &self.client_id)
            .field("persistence", &self.persistence)
            .field("keep_alive_s", &self.keep_alive_s)
            .field("store", &self.store)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}
