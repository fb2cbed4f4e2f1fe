//! What the gateway has seen and done, for tests to look at and to wait for.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::{Judgement, Packet};

/// How long a test waits for a packet or a breach.
pub const WAIT_LIMIT: Duration = Duration::from_secs(30);

/// What became of one attempt to come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The signed upgrade was accepted.
    Accepted {
        /// Who signed.
        access_key_id: String,
        /// The session token that came with the signature.
        session_token: Option<String>,
    },
    /// The custom authorizer has accepted.
    Authorized,
    /// The client has shown a certificate of the gateway's CA.
    Certified,
    /// It was answered with a status that says no.
    Refused(Judgement),
}

/// Why a client was dropped, or not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Breach {
    /// It is not MQTT in binary messages.
    Malformed,
    /// Something came before CONNACK went out.
    BeforeConnack,
    /// A second CONNECT, or none at first.
    Connect,
    /// The client identifier is too long.
    ClientIdLength,
    /// The client identifier begins with `$`, such as one that was assigned before.
    ClientIdReserved,
    /// Another CONNECT under the same identifier has just been.
    ConnectRate,
    /// The custom authorizer does not know the user name, or the password.
    Authorizer,
    /// The policy does not allow the connection, or there is none.
    PolicyConnect,
    /// The policy does not allow the topic.
    PolicyPublish,
    /// The policy does not allow the filter.
    PolicySubscribe,
    /// QoS 2 in PUBLISH or SUBSCRIBE.
    QosTwo,
    /// QoS 2 in the will.
    WillQosTwo,
    /// The payload is longer than 128 KB.
    PayloadLength,
    /// A topic or filter is longer than 256 bytes.
    TopicLength,
    /// A topic or filter has more than 7 slashes.
    TopicDepth,
    /// The topic begins with `$` and is none of AWS's.
    TopicReserved,
    /// A topic alias above the maximum, or one that stands for nothing.
    TopicAlias,
    /// More than 8 filters in one SUBSCRIBE.
    FilterCount,
    /// More than 50 subscriptions.
    SubscriptionCount,
    /// A subscription identifier.
    SubscriptionIdentifier,
    /// Too many messages under way.
    InFlight,
    /// Nothing came for one and a half times the keep alive.
    KeepAlive,
    /// The time of the connection is over.
    Cut,
}

impl Breach {
    /// The reason code that MQTT 5 has for it (§3.14.2.1).
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Malformed => 0x81,
            Self::BeforeConnack | Self::Connect => 0x82,
            Self::ClientIdLength | Self::ClientIdReserved => 0x85,
            Self::ConnectRate | Self::FilterCount | Self::SubscriptionCount => 0x97,
            Self::Authorizer
            | Self::PolicyConnect
            | Self::PolicyPublish
            | Self::PolicySubscribe => 0x87,
            Self::QosTwo | Self::WillQosTwo => 0x9b,
            Self::PayloadLength => 0x95,
            Self::TopicLength | Self::TopicDepth | Self::TopicReserved => 0x90,
            Self::TopicAlias => 0x94,
            Self::SubscriptionIdentifier => 0xa1,
            Self::InFlight => 0x93,
            Self::KeepAlive => 0x8d,
            Self::Cut => 0x98,
        }
    }
}

/// Who sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client: as it came, whatever became of it.
    Client,
    /// The gateway: as it went out.
    Gateway,
}

/// A packet that the gateway has taken or sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// On which connection, counted from 0.
    pub connection: usize,
    /// When.
    pub at: Instant,
    /// By whom.
    pub side: Side,
    /// What.
    pub packet: Packet,
}

/// All that has happened so far.
#[derive(Debug, Default)]
pub(super) struct Record {
    events: Mutex<Events>,
    changed: Notify,
}

#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) attempts: Vec<Attempt>,
    pub(super) seen: Vec<Seen>,
    pub(super) breaches: Vec<Breach>,
    /// What the last client offered.
    pub(super) suites: Vec<String>,
}

impl Record {
    pub(super) fn attempt(&self, attempt: Attempt) {
        self.events().attempts.push(attempt);
        self.changed.notify_waiters();
    }

    pub(super) fn breach(&self, breach: Breach) {
        self.events().breaches.push(breach);
        self.changed.notify_waiters();
    }

    pub(super) fn suites(&self, suites: Vec<String>) {
        self.events().suites = suites;
    }

    pub(super) fn packet(&self, connection: usize, side: Side, packet: Packet) {
        let at = Instant::now();
        self.events().seen.push(Seen { connection, at, side, packet });
        self.changed.notify_waiters();
    }

    pub(super) fn events(&self) -> MutexGuard<'_, Events> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `look` finds what it wants; panics after [`WAIT_LIMIT`], with what there was.
    pub(super) async fn wait<T>(
        &self,
        what: &str,
        mut look: impl FnMut(&Events) -> Option<T>,
    ) -> T {
        let search = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(found) = look(&self.events()) {
                    return found;
                }
                changed.await;
            }
        };
        match timeout(WAIT_LIMIT, search).await {
            Ok(found) => found,
            Err(_) => panic!("{what}: not within {WAIT_LIMIT:?}; there were {:#?}", self.events()),
        }
    }
}
