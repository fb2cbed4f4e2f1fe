//! What AWS IoT Core makes of each packet of a connection.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::matching::{matches, without_prefix};
use super::packet::{Connect, LEVEL_5, Packet, Publish, Subscribe, puback, rewrite_connect};
use super::policy::{Action, Document, allows};
use super::quirks::{Limits, Matching, QosTwo, Quirks};
use super::record::Breach;
use super::sessions::Sessions;

/// What is to be done with a packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes to the other side, perhaps changed.
    Pass(Vec<u8>),
    /// It goes no further, and its sender gets this.
    Answer(Vec<u8>),
    /// It goes no further.
    Nothing,
}

/// What was known of a client before it said CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Warrant {
    /// It is let in.
    Granted,
    /// The custom authorizer looks at user name and password as well.
    User,
    /// The custom authorizer is in the user name, if anywhere.
    UserName,
}

/// One client, from its CONNECT on.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) level: u8,
    warrant: Warrant,
    /// What the policies allow; everything without any.
    pub(super) documents: Option<Vec<Document>>,
    client_id: String,
    assigned: bool,
    keep_alive_s: u16,
    /// The keep alive is another one than CONNECT said.
    clamped: bool,
    /// What CONNECT asked for.
    session_expiry_s: u32,
    /// CONNACK has gone out.
    pub(super) connected: bool,
    under_way: BTreeSet<u16>,
    /// When messages came, and how long they were.
    published: VecDeque<(Instant, usize)>,
    aliases: BTreeMap<u16, String>,
}

impl Guest {
    pub(super) fn new(warrant: Warrant) -> Self {
        Self {
            level: 0,
            warrant,
            documents: None,
            client_id: String::new(),
            assigned: false,
            keep_alive_s: 0,
            clamped: false,
            session_expiry_s: 0,
            connected: false,
            under_way: BTreeSet::new(),
            published: VecDeque::new(),
            aliases: BTreeMap::new(),
        }
    }

    /// How long it may be silent, once it has said CONNECT.
    pub(super) fn silence(&self) -> Option<Duration> {
        let silence = Duration::from_millis(u64::from(self.keep_alive_s) * 1_500);
        (self.level > 0).then_some(silence)
    }

    /// A packet of the client; what it must not do is the error.
    pub(super) fn on_client(
        &mut self,
        quirks: &Quirks,
        sessions: &Sessions,
        packet: &Packet,
        mut bytes: Vec<u8>,
    ) -> Result<Fate, Breach> {
        if let Packet::Connect(connect) = packet {
            ensure(self.level == 0, Breach::Connect)?;
            return self.on_connect(quirks, sessions, connect, &bytes).map(Fate::Pass);
        }
        ensure(self.level != 0, Breach::Connect)?;
        ensure(self.connected, Breach::BeforeConnack)?;
        match packet {
            Packet::Publish(publish) => {
                // The mark of a duplicate is not looked at.
                bytes[0] &= !8;
                let taken = self.on_publish(quirks, publish)?;
                Ok(if taken { Fate::Pass(bytes) } else { Fate::Nothing })
            }
            Packet::Subscribe(subscribe) => {
                let taken = self.on_subscribe(quirks, sessions, subscribe)?;
                Ok(if taken { Fate::Pass(bytes) } else { Fate::Nothing })
            }
            Packet::Unsubscribe { filters, .. } => {
                sessions.unsubscribe(&self.client_id, filters);
                Ok(Fate::Pass(bytes))
            }
            _ => Ok(Fate::Pass(bytes)),
        }
    }

    /// A packet of the broker.
    pub(super) fn on_broker(
        &mut self,
        quirks: &Quirks,
        sessions: &Sessions,
        packet: &Packet,
        bytes: Vec<u8>,
    ) -> Fate {
        let withheld = match packet {
            &Packet::Connack { session_present, code } => {
                if !session_present {
                    sessions.forget(&self.client_id);
                }
                if self.level == LEVEL_5 && code == 0 {
                    return Fate::Pass(self.connack(quirks, session_present));
                }
                false
            }
            Packet::Publish(publish) if !self.is_wanted(quirks, sessions, publish) => {
                return publish.id.map_or(Fate::Nothing, |id| Fate::Answer(puback(id)));
            }
            Packet::Puback { id } => {
                self.under_way.remove(id);
                sessions.withhold(|withheld| &mut withheld.pubacks)
            }
            Packet::Suback { .. } => sessions.withhold(|withheld| &mut withheld.subacks),
            Packet::Pingresp => sessions.withhold(|withheld| &mut withheld.pingresps),
            _ => false,
        };
        if withheld { Fate::Nothing } else { Fate::Pass(bytes) }
    }

    fn on_connect(
        &mut self,
        quirks: &Quirks,
        sessions: &Sessions,
        connect: &Connect,
        bytes: &[u8],
    ) -> Result<Vec<u8>, Breach> {
        self.level = connect.level;
        self.check_user(quirks, connect)?;
        self.client_id.clone_from(&connect.client_id);
        ensure(self.client_id.len() <= quirks.limits.client_id_max, Breach::ClientIdLength)?;
        ensure(!self.client_id.starts_with('$'), Breach::ClientIdReserved)?;
        if self.client_id.is_empty() && (connect.clean || self.level == LEVEL_5) {
            self.client_id = format!("$GEN/{}", super::refusal::random_id());
            self.assigned = true;
        }
        if let Some((topic, qos)) = &connect.will {
            ensure(*qos < 2, Breach::WillQosTwo)?;
            self.check_topic(quirks, topic)?;
            self.check_policy(quirks, Action::Publish(topic), Breach::PolicyPublish)?;
        }
        self.check_policy(quirks, Action::Connect, Breach::PolicyConnect)?;
        let in_time = sessions.connect(&self.client_id, quirks.limits.connect_interval);
        ensure(in_time, Breach::ConnectRate)?;
        if connect.clean {
            sessions.forget(&self.client_id);
        }
        let (least, most) = quirks.limits.keep_alive_s.clone().into_inner();
        self.keep_alive_s = match connect.keep_alive_s {
            0 => most,
            asked => asked.clamp(least, most),
        };
        self.session_expiry_s = connect.session_expiry_s;
        self.clamped = self.keep_alive_s != connect.keep_alive_s;
        // The broker need not watch: the longest is more than it will ever wait for.
        Ok(rewrite_connect(bytes, connect, u16::MAX, &self.client_id))
    }

    fn check_user(&self, quirks: &Quirks, connect: &Connect) -> Result<(), Breach> {
        let (name, password) = (connect.user_name.as_deref(), connect.password.as_deref());
        let known = match (&self.warrant, &quirks.authorizer) {
            (Warrant::Granted, _) => true,
            (_, None) => false,
            (Warrant::User, Some(authorizer)) => authorizer.is_user(name, password),
            (Warrant::UserName, Some(authorizer)) => authorizer.knows_user(name, password),
        };
        ensure(known, Breach::Authorizer)
    }

    /// Whether it goes to the broker.
    fn on_publish(&mut self, quirks: &Quirks, publish: &Publish) -> Result<bool, Breach> {
        let limits = &quirks.limits;
        let topic = self.topic_of(limits.aliases_max, publish)?;
        if publish.qos == 2 {
            return silent(quirks);
        }
        ensure(publish.length <= limits.payload_max, Breach::PayloadLength)?;
        self.check_topic(quirks, &topic)?;
        self.check_policy(quirks, Action::Publish(&topic), Breach::PolicyPublish)?;
        if publish.retain {
            self.check_policy(quirks, Action::RetainPublish(&topic), Breach::PolicyPublish)?;
        }
        if !self.is_in_rate(limits, publish.length) {
            return Ok(false);
        }
        self.under_way.extend(publish.id);
        ensure(self.under_way.len() <= limits.in_flight_max, Breach::InFlight)?;
        Ok(true)
    }

    fn on_subscribe(
        &self,
        quirks: &Quirks,
        sessions: &Sessions,
        subscribe: &Subscribe,
    ) -> Result<bool, Breach> {
        let Subscribe { filters, has_identifier, .. } = subscribe;
        ensure(filters.len() <= quirks.limits.filters_max, Breach::FilterCount)?;
        ensure(!has_identifier, Breach::SubscriptionIdentifier)?;
        if filters.iter().any(|(_, qos)| *qos == 2) {
            return silent(quirks);
        }
        for (filter, _) in filters {
            check_name(quirks, filter)?;
            let shared = filter.starts_with("$share/");
            let filter = if shared { without_prefix(filter) } else { filter };
            // Basic Ingest is for publishing alone.
            let reserved = filter.starts_with("$aws/rules/") || is_reserved(filter);
            ensure(!reserved, Breach::TopicReserved)?;
            self.check_policy(quirks, Action::Subscribe(filter), Breach::PolicySubscribe)?;
        }
        let count = sessions.subscribe(&self.client_id, filters);
        ensure(count <= quirks.limits.subscriptions_max, Breach::SubscriptionCount)?;
        Ok(true)
    }

    /// Whether a message of the broker is one that AWS would send.
    fn is_wanted(&self, quirks: &Quirks, sessions: &Sessions, publish: &Publish) -> bool {
        if !self.may(quirks, Action::Receive(&publish.topic)) {
            return false;
        }
        let filters = sessions.filters(&self.client_id);
        match (quirks.matching, publish.retain) {
            (Matching::Standard, _) => true,
            (Matching::Aws, true) => filters.contains(&publish.topic),
            (Matching::Aws, false) => filters.iter().any(|filter| matches(filter, &publish.topic)),
        }
    }

    /// The topic in full, whatever alias stands for it.
    fn topic_of(&mut self, aliases_max: u16, publish: &Publish) -> Result<String, Breach> {
        let Some(alias) = publish.alias else { return Ok(publish.topic.clone()) };
        ensure((1..=aliases_max).contains(&alias), Breach::TopicAlias)?;
        if publish.topic.is_empty() {
            return self.aliases.get(&alias).cloned().ok_or(Breach::TopicAlias);
        }
        self.aliases.insert(alias, publish.topic.clone());
        Ok(publish.topic.clone())
    }

    fn check_topic(&self, quirks: &Quirks, topic: &str) -> Result<(), Breach> {
        ensure(!is_reserved(topic), Breach::TopicReserved)?;
        check_name(quirks, topic)
    }

    fn check_policy(&self, quirks: &Quirks, action: Action<'_>, no: Breach) -> Result<(), Breach> {
        ensure(self.may(quirks, action), no)
    }

    fn may(&self, quirks: &Quirks, action: Action<'_>) -> bool {
        self.documents
            .as_ref()
            .is_none_or(|documents| allows(documents, &quirks.region, &self.client_id, action))
    }

    /// Whether one more message is within the rates.
    fn is_in_rate(&mut self, limits: &Limits, length: usize) -> bool {
        let now = Instant::now();
        self.published.retain(|(then, _)| now - *then < Duration::from_secs(1));
        let bytes: usize = self.published.iter().map(|(_, length)| length).sum();
        let within = limits.publishes_per_s.is_none_or(|most| self.published.len() < most)
            && limits.bytes_per_s.is_none_or(|most| bytes + length <= most);
        if within {
            self.published.push_back((now, length));
        }
        within
    }

    /// CONNACK of MQTT 5 with what AWS IoT Core announces in it.
    fn connack(&self, quirks: &Quirks, session_present: bool) -> Vec<u8> {
        /// "Maximum packet size" in "MQTT 5 supported features", AWS IoT developer guide.
        const PACKET_MAX: u32 = 149_504;
        let limits = &quirks.limits;
        let mut properties = vec![0x21];
        properties.extend((limits.in_flight_max as u16).to_be_bytes());
        properties.extend([0x24, 1, 0x25, 1, 0x27]);
        properties.extend(PACKET_MAX.to_be_bytes());
        properties.push(0x22);
        properties.extend(limits.aliases_max.to_be_bytes());
        properties.extend([0x28, 1, 0x29, 0, 0x2a, 1]);
        if self.clamped {
            properties.push(0x13);
            properties.extend(self.keep_alive_s.to_be_bytes());
        }
        if self.session_expiry_s > limits.session_expiry_max_s {
            properties.push(0x11);
            properties.extend(limits.session_expiry_max_s.to_be_bytes());
        }
        if self.assigned {
            properties.push(0x12);
            properties.extend((self.client_id.len() as u16).to_be_bytes());
            properties.extend(self.client_id.as_bytes());
        }
        let head = [u8::from(session_present), 0, properties.len() as u8];
        super::packet::framed(0x20, &[&head, &properties[..]].concat())
    }
}

fn ensure(holds: bool, otherwise: Breach) -> Result<(), Breach> {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// QoS 2 goes nowhere, whatever else it comes to.
fn silent(quirks: &Quirks) -> Result<bool, Breach> {
    match quirks.qos_two {
        QosTwo::Drop => Err(Breach::QosTwo),
        QosTwo::Silence => Ok(false),
    }
}

/// Whether a name begins as those of the server do, and is none of AWS's.
fn is_reserved(name: &str) -> bool {
    name.starts_with('$') && !name.starts_with("$aws/")
}

fn check_name(quirks: &Quirks, name: &str) -> Result<(), Breach> {
    let (name, limits) = (without_prefix(name), &quirks.limits);
    ensure(name.len() <= limits.topic_max, Breach::TopicLength)?;
    let slashes = name.bytes().filter(|byte| *byte == b'/').count();
    ensure(slashes <= limits.slashes_max, Breach::TopicDepth)
}
