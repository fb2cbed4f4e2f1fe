//! `-D`: properties of MQTT 5.0, by the names that the standard gives them.

use super::words::Words;
use crate::failure::Failure;
use dunlin_tokio::{MessageProperties, SubscriptionId};
use std::{fmt::Display, num::NonZeroU16, ops::RangeInclusive, str::FromStr};

/// What `-D` has said so far, and what only MQTT 5.0 has beside it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) connect: OfConnect,
    pub(crate) publish: MessageProperties,
    pub(crate) will: MessageProperties,
    pub(crate) will_delay_s: u32,
    pub(crate) subscribe: OfSubscribe,
}

/// Properties of CONNECT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OfConnect {
    pub(crate) session_expiry_s: Option<u32>,
    pub(crate) receive_maximum: Option<NonZeroU16>,
    pub(crate) no_problem_information: bool,
    pub(crate) response_information: bool,
    pub(crate) user_properties: Vec<(String, String)>,
}

/// Properties of SUBSCRIBE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OfSubscribe {
    pub(crate) id: Option<SubscriptionId>,
    pub(crate) user_properties: Vec<(String, String)>,
}

/// Which packet a subcommand has beside CONNECT and its will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    Publish,
    Subscribe,
}

impl Given {
    /// Takes the words behind `-D`.
    pub(super) fn take(&mut self, packet: Packet, words: &mut Words) -> Result<(), Failure> {
        let (place, name) = (words.text()?, words.text()?);
        let taken = match place.as_str() {
            "connect" => self.connect.take(&name, words)?,
            "will" if name == "will-delay-interval" => {
                self.will_delay_s = number(words, 0..=u32::MAX)?;
                true
            }
            "will" => take(&mut self.will, &name, words)?,
            "publish" if packet == Packet::Publish => take(&mut self.publish, &name, words)?,
            "subscribe" if packet == Packet::Subscribe => self.subscribe.take(&name, words)?,
            _ => {
                let other = if packet == Packet::Publish { "publish" } else { "subscribe" };
                let what = format!("-D takes a property of connect, will or {other} here");
                return Err(words.wrong(&what));
            }
        };
        if taken {
            Ok(())
        } else {
            Err(words.wrong("-D has a property that is unknown or does not belong there"))
        }
    }
}

impl OfConnect {
    fn take(&mut self, name: &str, words: &mut Words) -> Result<bool, Failure> {
        match name {
            "session-expiry-interval" => {
                self.session_expiry_s = Some(number(words, 0..=u32::MAX)?);
            }
            "receive-maximum" => {
                self.receive_maximum = NonZeroU16::new(number(words, 1..=RECEIVE_MAXIMUM)?);
            }
            "request-problem-information" => {
                self.no_problem_information = number(words, 0..=1)? == 0;
            }
            "request-response-information" => {
                self.response_information = number(words, 0..=1)? == 1;
            }
            "user-property" => self.user_properties.push((words.text()?, words.text()?)),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl OfSubscribe {
    fn take(&mut self, name: &str, words: &mut Words) -> Result<bool, Failure> {
        match name {
            "subscription-identifier" => {
                self.id = SubscriptionId::new(number(words, 1..=268_435_455)?);
            }
            "user-property" => self.user_properties.push((words.text()?, words.text()?)),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// As many messages as the client follows.
const RECEIVE_MAXIMUM: u16 = 256;

fn take(of: &mut MessageProperties, name: &str, words: &mut Words) -> Result<bool, Failure> {
    match name {
        "payload-format-indicator" => of.payload_is_text = Some(number(words, 0..=1)? == 1),
        "message-expiry-interval" => of.expiry_s = Some(number(words, 0..=u32::MAX)?),
        "content-type" => of.content_type = Some(words.text()?),
        "response-topic" => {
            let topic = words.text()?;
            super::check_topic("-D response-topic", &topic)?;
            of.response_topic = Some(topic);
        }
        "correlation-data" => of.correlation_data = Some(words.bytes()?),
        "user-property" => of.user_properties.push((words.text()?, words.text()?)),
        _ => return Ok(false),
    }
    Ok(true)
}

/// A number of any unit: the property has its own.
fn number<T>(words: &mut Words, range: RangeInclusive<T>) -> Result<T, Failure>
where
    T: FromStr + PartialOrd + Display,
{
    words.number("there", range)
}
