//! What an AWS IoT Core is like: every peculiarity as a switch.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::policy::Document;
use crate::moto::Registry;

/// What this AWS IoT Core is like; the default is an honest one in `us-east-1`.
#[derive(Clone, Debug)]
pub struct Quirks {
    /// The region it stands in.
    pub region: String,
    /// The keys it knows; one permanent and one temporary by default.
    pub keys: Vec<Key>,
    /// How many seconds its clock is ahead of the machine's.
    pub clock_offset_s: i64,
    /// Cuts each connection this long after it was let in, as the real one does after 24 hours.
    pub cut_after: Option<Duration>,
    /// The status that a signature gets which has outlived its `X-Amz-Expires`: 403, and 426 was seen.
    pub expired_status: u16,
    /// Its certificate.
    pub certificate: Certificate,
    /// The versions of TLS that it speaks.
    pub tls: TlsVersions,
    /// Lets in who knows its token, without a signature.
    pub authorizer: Option<Authorizer>,
    /// Who may do what.
    pub access: Access,
    /// Where the keys come from that are not among `keys`.
    pub issuer: Option<Registry>,
    /// What it takes at most.
    pub limits: Limits,
    /// What QoS 2 comes to.
    pub qos_two: QosTwo,
    /// How filters match, and when retained messages come.
    pub matching: Matching,
    /// How long CONNACK takes; whatever comes meanwhile is a breach.
    pub connack_after: Duration,
    /// The answers that it keeps back.
    pub withheld: Withheld,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            keys: vec![Key::permanent(), Key::temporary()],
            clock_offset_s: 0,
            cut_after: None,
            expired_status: 403,
            certificate: Certificate::Right,
            tls: TlsVersions::Both,
            authorizer: None,
            access: Access::Everything,
            issuer: None,
            limits: Limits::default(),
            qos_two: QosTwo::Drop,
            matching: Matching::Aws,
            connack_after: Duration::ZERO,
            withheld: Withheld::default(),
        }
    }
}

/// An access key that the gateway knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Names the key.
    pub access_key_id: String,
    /// What it signs with.
    pub secret_access_key: String,
    /// What a temporary key is good with only, and a permanent one must not come with.
    pub session_token: Option<String>,
}

impl Key {
    /// A key of a user, which has no session token.
    pub fn permanent() -> Self {
        Self {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
        }
    }

    /// A key of a role, whose session token is as long as real ones get and needs encoding.
    pub fn temporary() -> Self {
        Self {
            access_key_id: "ASIATEMPORARYEXAMPLE".to_owned(),
            secret_access_key: "AKEYofAroleFORtests/K7MDENG+bPxRfiCYEXA".to_owned(),
            session_token: Some("IQoJb3JpZ2lu/EXAMPLE+token==".repeat(72)),
        }
    }
}

/// What the certificate of the gateway is like; its CA is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Certificate {
    /// For `localhost` and `127.0.0.1`.
    #[default]
    Right,
    /// For another name.
    WrongName,
    /// For a time that is over.
    Expired,
    /// Longer than 16 KiB, with more names than fit into one TLS record.
    Large,
}

/// Versions of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersions {
    /// 1.2 and 1.3.
    #[default]
    Both,
    /// 1.2 alone.
    Tls12,
}

/// What a custom authorizer knows ("Custom authentication", AWS IoT developer guide).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorizer {
    /// Its name.
    pub name: String,
    /// The name of the header or parameter with the token.
    pub token_key: String,
    /// The token.
    pub token: String,
    /// The token's signature; without one, none is asked for.
    pub signature: Option<String>,
    /// User name and password, where it judges by those too.
    pub user: Option<(String, String)>,
}

/// Who may do what.
#[derive(Clone, Debug)]
pub enum Access {
    /// Everybody may do everything.
    Everything,
    /// What this policy allows.
    Policy(Document),
    /// What the policies allow that are attached to the identity of the key.
    Attached(Registry),
}

/// What is taken at most; the default are the quotas of AWS IoT Core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a payload.
    pub payload_max: usize,
    /// Bytes of a topic or filter, without the prefixes of AWS.
    pub topic_max: usize,
    /// Slashes in a topic or filter, without the prefixes of AWS.
    pub slashes_max: usize,
    /// Filters in one SUBSCRIBE.
    pub filters_max: usize,
    /// Subscriptions of one connection.
    pub subscriptions_max: usize,
    /// Bytes of a client identifier.
    pub client_id_max: usize,
    /// What keep alives are brought into, in seconds; 0 becomes the longest.
    pub keep_alive_s: RangeInclusive<u16>,
    /// Messages under way from a client.
    pub in_flight_max: usize,
    /// The highest topic alias.
    pub aliases_max: u16,
    /// Messages of a connection within a second: more are discarded. Not counted by default.
    pub publishes_per_s: Option<usize>,
    /// Bytes of payload of a connection within a second: what is more is discarded. Not counted by
    /// default.
    pub bytes_per_s: Option<usize>,
    /// The longest life of a session in MQTT 5, in seconds: a week.
    pub session_expiry_max_s: u32,
    /// Between two connections of one client identifier: one second with AWS, none by default, so that
    /// tests need not wait.
    pub connect_interval: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload_max: 128 << 10,
            topic_max: 256,
            slashes_max: 7,
            filters_max: 8,
            subscriptions_max: 50,
            client_id_max: 128,
            keep_alive_s: 30..=1200,
            in_flight_max: 100,
            aliases_max: 8,
            publishes_per_s: None,
            bytes_per_s: None,
            session_expiry_max_s: 604_800,
            connect_interval: None,
        }
    }
}

/// What QoS 2 comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QosTwo {
    /// The connection is dropped.
    Drop,
    /// Nothing: no acknowledgement, ever.
    Silence,
}

/// How filters match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    /// `a/#` does not match `a`, and retained messages come on a filter that is their topic alone.
    Aws,
    /// As in the standard.
    Standard,
}

/// How many answers are kept back, of each kind the first ones; [`usize::MAX`] for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Withheld {
    /// CONNACK.
    pub connacks: usize,
    /// PUBACK.
    pub pubacks: usize,
    /// SUBACK.
    pub subacks: usize,
    /// PINGRESP.
    pub pingresps: usize,
}
