//! How a provider's connection looks to its user: eight states, and what leads from one to another.

use dunlin::KeepAlive;

/// How a provider's connection looks to its user; the names are those of Amplify's PubSub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ConnectionState {
    /// The server has accepted, and answers.
    Connected,
    /// Connected as far as is known, but this machine has no network: the connection will not last.
    ConnectedPendingNetwork,
    /// There should be a connection, and there is none; another will be made.
    ConnectionDisrupted,
    /// The same, while this machine has no network.
    ConnectionDisruptedPendingNetwork,
    /// A connection is being made.
    Connecting,
    /// Connected, and saying good-bye.
    ConnectedPendingDisconnect,
    /// There is no connection, and none is wanted.
    Disconnected,
    /// Connected, but the server is late to answer a PINGREQ.
    ConnectedPendingKeepAlive,
}

/// Whether this machine has a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Reachability {
    /// As far as is known.
    #[default]
    Online,
    /// Nothing can be reached.
    Offline,
}

/// How far the connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Link {
    /// The server has accepted.
    Connected,
    /// A connection is being made.
    Connecting,
    /// There is none.
    #[default]
    Disconnected,
}

/// Whether there should be a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Intent {
    /// There should.
    Connected,
    /// There should not.
    #[default]
    Disconnected,
}

/// All that the state of a connection follows from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Facts {
    /// Whether this machine has a network.
    pub network: Reachability,
    /// How far the connection is.
    pub link: Link,
    /// Whether there should be one.
    pub intent: Intent,
    /// Whether the server answers.
    pub keep_alive: KeepAlive,
}

/// Something that happened to a connection, or to the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Change {
    /// A connection is being made.
    OpeningConnection,
    /// The server has accepted.
    ConnectionEstablished,
    /// The connection did not come about, and is given up.
    ConnectionFailed,
    /// The connection is to end, by the user's wish.
    ClosingConnection,
    /// The connection has ended.
    Closed,
    /// This machine has a network again.
    Online,
    /// This machine has no network.
    Offline,
    /// The server has answered a PINGREQ.
    KeepAlive,
    /// The server is late to answer a PINGREQ.
    KeepAliveMissed,
}

impl Change {
    /// What a server that has accepted tells, one after the other: there is a network, it answers, the
    /// connection stands.
    pub const CONNECTED: [Self; 3] = [Self::Online, Self::KeepAlive, Self::ConnectionEstablished];
}

impl From<KeepAlive> for Change {
    fn from(keep_alive: KeepAlive) -> Self {
        match keep_alive {
            KeepAlive::Healthy => Self::KeepAlive,
            KeepAlive::Missed => Self::KeepAliveMissed,
        }
    }
}

impl ConnectionState {
    /// The state that follows from `facts`.
    pub const fn of(facts: Facts) -> Self {
        match facts {
            Facts { link: Link::Connected, network: Reachability::Offline, .. } => {
                Self::ConnectedPendingNetwork
            }
            Facts { link: Link::Connected, intent: Intent::Disconnected, .. } => {
                Self::ConnectedPendingDisconnect
            }
            Facts {
                link: Link::Disconnected,
                intent: Intent::Connected,
                network: Reachability::Offline,
                ..
            } => Self::ConnectionDisruptedPendingNetwork,
            Facts { link: Link::Disconnected, intent: Intent::Connected, .. } => {
                Self::ConnectionDisrupted
            }
            Facts { link: Link::Connected, keep_alive: KeepAlive::Missed, .. } => {
                Self::ConnectedPendingKeepAlive
            }
            Facts { link: Link::Connecting, .. } => Self::Connecting,
            Facts { link: Link::Disconnected, .. } => Self::Disconnected,
            Facts { link: Link::Connected, .. } => Self::Connected,
        }
    }

    /// Its name, as Amplify spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connected => "Connected",
            Self::ConnectedPendingNetwork => "ConnectedPendingNetwork",
            Self::ConnectionDisrupted => "ConnectionDisrupted",
            Self::ConnectionDisruptedPendingNetwork => "ConnectionDisruptedPendingNetwork",
            Self::Connecting => "Connecting",
            Self::ConnectedPendingDisconnect => "ConnectedPendingDisconnect",
            Self::Disconnected => "Disconnected",
            Self::ConnectedPendingKeepAlive => "ConnectedPendingKeepAlive",
        }
    }
}

impl core::fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl Facts {
    /// The facts after `change`.
    #[must_use]
    pub const fn after(self, change: Change) -> Self {
        match change {
            Change::OpeningConnection => {
                Self { intent: Intent::Connected, link: Link::Connecting, ..self }
            }
            Change::ConnectionEstablished => Self { link: Link::Connected, ..self },
            Change::ConnectionFailed => {
                Self { intent: Intent::Disconnected, link: Link::Disconnected, ..self }
            }
            Change::ClosingConnection => Self { intent: Intent::Disconnected, ..self },
            Change::Closed => Self { link: Link::Disconnected, ..self },
            Change::Online => Self { network: Reachability::Online, ..self },
            Change::Offline => Self { network: Reachability::Offline, ..self },
            Change::KeepAlive => Self { keep_alive: KeepAlive::Healthy, ..self },
            Change::KeepAliveMissed => Self { keep_alive: KeepAlive::Missed, ..self },
        }
    }
}

/// Follows one connection, and tells each new state once.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StateMonitor {
    facts: Facts,
}

impl StateMonitor {
    /// Nothing has happened yet: disconnected, on a machine with a network.
    pub const fn new() -> Self {
        Self {
            facts: Facts {
                network: Reachability::Online,
                link: Link::Disconnected,
                intent: Intent::Disconnected,
                keep_alive: KeepAlive::Healthy,
            },
        }
    }

    /// The state, just now.
    pub const fn state(&self) -> ConnectionState {
        ConnectionState::of(self.facts)
    }

    /// Something has happened: the new state, if it is another one.
    pub fn handle(&mut self, change: Change) -> Option<ConnectionState> {
        let before = self.state();
        self.facts = self.facts.after(change);
        let after = self.state();
        (after != before).then_some(after)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Change::{
            Closed, ClosingConnection, ConnectionEstablished, ConnectionFailed, KeepAliveMissed,
            Offline, Online, OpeningConnection,
        },
        ConnectionState::{
            Connected, ConnectedPendingDisconnect, ConnectedPendingKeepAlive,
            ConnectedPendingNetwork, Connecting, ConnectionDisrupted,
            ConnectionDisruptedPendingNetwork, Disconnected,
        },
        *,
    };
    use std::vec::Vec;

    const NETWORKS: [Reachability; 2] = [Reachability::Online, Reachability::Offline];
    const LINKS: [Link; 3] = [Link::Connected, Link::Connecting, Link::Disconnected];
    const INTENTS: [Intent; 2] = [Intent::Connected, Intent::Disconnected];
    const KEEP_ALIVES: [KeepAlive; 2] = [KeepAlive::Healthy, KeepAlive::Missed];

    /// In the order of the loops: network, link, intent, keep alive.
    const TABLE: [ConnectionState; 24] = [
        Connected,
        ConnectedPendingKeepAlive,
        ConnectedPendingDisconnect,
        ConnectedPendingDisconnect,
        Connecting,
        Connecting,
        Connecting,
        Connecting,
        ConnectionDisrupted,
        ConnectionDisrupted,
        Disconnected,
        Disconnected,
        ConnectedPendingNetwork,
        ConnectedPendingNetwork,
        ConnectedPendingNetwork,
        ConnectedPendingNetwork,
        Connecting,
        Connecting,
        Connecting,
        Connecting,
        ConnectionDisruptedPendingNetwork,
        ConnectionDisruptedPendingNetwork,
        Disconnected,
        Disconnected,
    ];

    #[test]
    fn state_follows_from_every_combination_of_facts_as_the_table_says() {
        let mut table = TABLE.iter();
        for network in NETWORKS {
            for link in LINKS {
                for intent in INTENTS {
                    for keep_alive in KEEP_ALIVES {
                        let facts = Facts { network, link, intent, keep_alive };
                        assert_eq!(Some(&ConnectionState::of(facts)), table.next(), "{facts:?}");
                    }
                }
            }
        }
        assert_eq!(table.next(), None);
    }

    fn told(changes: &[Change]) -> Vec<ConnectionState> {
        let mut monitor = StateMonitor::new();
        assert_eq!(monitor.state(), Disconnected);
        changes.iter().filter_map(|change| monitor.handle(*change)).collect()
    }

    #[test]
    fn sequences_of_states_are_those_that_were_seen_of_amplify() {
        let open = [OpeningConnection, ConnectionEstablished];
        let normal = [&open[..], &[ClosingConnection, Closed]].concat();
        let seen = [Connecting, Connected, ConnectedPendingDisconnect, Disconnected];
        assert_eq!(told(&normal), seen);
        let dropped = [&open[..], &[Closed], &open[..]].concat();
        let seen = [Connecting, Connected, ConnectionDisrupted, Connecting, Connected];
        assert_eq!(told(&dropped), seen);
        let offline = [&open[..], &[Offline, Closed, Online]].concat();
        let seen = [
            Connecting,
            Connected,
            ConnectedPendingNetwork,
            ConnectionDisruptedPendingNetwork,
            ConnectionDisrupted,
        ];
        assert_eq!(told(&offline), seen);
    }

    #[test]
    fn missed_keep_alive_is_told_once_and_so_is_its_end() {
        let changes = [
            OpeningConnection,
            ConnectionEstablished,
            Change::KeepAlive,
            KeepAliveMissed,
            KeepAliveMissed,
            Change::KeepAlive,
        ];
        assert_eq!(told(&changes), [Connecting, Connected, ConnectedPendingKeepAlive, Connected]);
    }

    #[test]
    fn connection_that_fails_for_good_is_disconnected() {
        assert_eq!(told(&[OpeningConnection, ConnectionFailed]), [Connecting, Disconnected]);
    }
}
