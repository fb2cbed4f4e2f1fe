//! What a program is told.

use crate::sim::{Key, NAMES, read_key};
use dunlin::{AckToken, Event, Qos, ReasonCode, Resumption, Token};

/// An event, without what it borrows.
#[derive(Debug)]
pub(super) enum Told {
    Connected {
        resumption: Resumption,
        keep_alive_s: Option<u16>,
        expiry_s: Option<u32>,
        name: Option<&'static str>,
    },
    Message {
        key: Key,
        topic: String,
        qos: Qos,
        ack: Option<AckToken>,
    },
    Done(Token, ReasonCode),
    Subscribed(Vec<ReasonCode>),
    Rejected(Token, ReasonCode),
}

impl Told {
    pub(super) fn from(event: Event<'_>) -> Result<Self, String> {
        Ok(match event {
            Event::Connected { resumption, properties } => Self::Connected {
                resumption,
                keep_alive_s: properties.server_keep_alive_s(),
                expiry_s: properties.session_expiry_interval_s(),
                name: match properties.assigned_client_identifier() {
                    None => None,
                    Some(name) => NAMES.into_iter().find(|known| *known == name),
                },
            },
            Event::Message { message, ack, .. } => Self::Message {
                key: read_key(message.payload)?,
                topic: message.head.topic.to_owned(),
                qos: message.head.qos,
                ack,
            },
            Event::Acknowledged { token, reason, .. } => Self::Done(token, reason),
            Event::Subscribed { reasons, .. } => Self::Subscribed(reasons.iter().collect()),
            Event::Rejected { token, reason } => Self::Rejected(token, reason),
            other => return Err(format!("an event without a meaning here: {other:?}")),
        })
    }
}
