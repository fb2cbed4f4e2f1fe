use super::*;
use crate::{Message, Packet, PacketId, Properties, Property, Qos};
use dunlin_octet::Text;
use std::{format, string::String, vec, vec::Vec};

struct Bytes(Vec<u8>);

impl dunlin_octet::Sink for Bytes {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

fn encoded(topic: &str, qos: Qos, properties: Properties<'_>, payload: &[u8]) -> Vec<u8> {
    let message = Message::new(topic, payload, qos).with_properties(properties);
    let packet_id = if qos == Qos::AtMostOnce { None } else { PacketId::new(7) };
    let mut bytes = Bytes(Vec::new());
    Publish { message, duplicate: false, packet_id }.with(Version::V5).write(&mut bytes);
    bytes.0
}

fn limits(topic_alias_maximum: u16) -> Limits {
    Limits { topic_alias_maximum, ..Limits::NONE }
}

/// What goes out for a packet.
fn out(aliases: &mut Aliases<Vec<u8>>, packet: &[u8], limits: &Limits) -> Vec<u8> {
    let mut apply = || match aliases.apply(packet, limits) {
        Some(parts) => parts.as_slices().concat(),
        None => packet.to_vec(),
    };
    let bytes = apply();
    assert_eq!(apply(), bytes, "asked again");
    aliases.handle_sent();
    bytes
}

/// What a server makes of it: the topic, the alias, and the rest of the packet.
fn seen(bytes: &[u8]) -> (String, Option<u16>, Qos, Vec<u8>) {
    let Ok(Some((Packet::Publish(publish), len))) = Packet::decode_front(Version::V5, bytes) else {
        panic!("{bytes:x?}");
    };
    assert_eq!(len, bytes.len());
    let Message { head, payload } = publish.message;
    let alias = head.properties.topic_alias().map(NonZeroU16::get);
    assert_eq!(publish.packet_id.is_some(), head.qos != Qos::AtMostOnce);
    (head.topic.into(), alias, head.qos, payload.to_vec())
}

/// [MQTT-3.2.2-17] [MQTT-3.2.2-18] [MQTT-3.3.2-8] [MQTT-3.3.2-9] [MQTT-3.3.2-12]
#[test]
fn outgoing_topics_take_turns_within_the_maximum_of_the_server() {
    for maximum in [0, 1, 2, 8] {
        let mut aliases = Aliases::new(vec![], 0, vec![0; 200]);
        let mut server: [Option<String>; 9] = Default::default();
        for turn in 0..200_usize {
            let topic = format!("topic/{}", turn * turn % 5);
            let properties = [Property::UserProperty(("name", "value"))];
            let properties = Properties::new(&properties[..turn % 2]);
            let qos = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce][turn % 3];
            let payload = vec![b'x'; turn];
            let packet = encoded(&topic, qos, properties, &payload);
            let (name, alias, same_qos, same_payload) =
                seen(&out(&mut aliases, &packet, &limits(maximum)));
            assert_eq!((same_qos, same_payload), (qos, payload));
            match alias {
                None => assert_eq!((maximum, &name), (0, &topic)),
                Some(alias) => {
                    assert!((1..=maximum).contains(&alias));
                    let known = &mut server[usize::from(alias)];
                    if !name.is_empty() {
                        *known = Some(name);
                    }
                    assert_eq!(known.as_ref(), Some(&topic));
                }
            }
        }
    }
}

/// The topic that was not used for longest gives way.
#[test]
fn outgoing_topic_in_use_keeps_its_alias() {
    let mut aliases = Aliases::new(vec![], 0, vec![0; 200]);
    let mut topics = |topic: &str| {
        let packet = encoded(topic, Qos::AtMostOnce, Properties::NONE, b"");
        let (name, alias, ..) = seen(&out(&mut aliases, &packet, &limits(2)));
        (!name.is_empty(), alias)
    };
    assert_eq!(topics("first"), (true, Some(1)));
    assert_eq!(topics("second"), (true, Some(2)));
    assert_eq!(topics("first"), (false, Some(1)));
    assert_eq!(topics("third"), (true, Some(2)));
    assert_eq!(topics("first"), (false, Some(1)));
    assert_eq!(topics("second"), (true, Some(2)));
    assert_eq!(topics("abc"), (true, None), "an alias is as long");
}

/// [MQTT-3.2.2-15]
#[test]
fn alias_never_makes_a_packet_too_long() {
    let mut aliases = Aliases::new(vec![], 0, vec![0; 200]);
    let packet = encoded("topic", Qos::AtLeastOnce, Properties::NONE, &[0; 115]);
    let narrow = Limits { maximum_packet_size: packet.len() as u32, ..limits(8) };
    assert_eq!(out(&mut aliases, &packet, &narrow), packet);
    let mut memory = Aliases::new(vec![], 0, vec![0; 12]);
    assert_eq!(out(&mut memory, &packet, &limits(8)), packet, "no room for the topic");
}

fn resolve(aliases: &mut Aliases<Vec<u8>>, topic: &str, alias: u16) -> Result<String, Misbehaved> {
    let properties = [Property::TopicAlias(NonZeroU16::new(alias).unwrap())];
    let message =
        Message::new(topic, b"", Qos::AtMostOnce).with_properties(Properties::new(&properties));
    let publish = Publish { message, duplicate: false, packet_id: None };
    aliases.resolve(&publish).map(String::from)
}

/// [MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-12]
#[test]
fn incoming_alias_stands_for_the_newest_topic() {
    let mut aliases = Aliases::new(vec![0; 40], 2, vec![]);
    assert_eq!(resolve(&mut aliases, "", 1), Err(Misbehaved::UnknownAlias));
    assert_eq!(resolve(&mut aliases, "one", 1).as_deref(), Ok("one"));
    assert_eq!(resolve(&mut aliases, "two", 2).as_deref(), Ok("two"));
    assert_eq!(resolve(&mut aliases, "", 1).as_deref(), Ok("one"));
    assert_eq!(resolve(&mut aliases, "another", 1).as_deref(), Ok("another"));
    assert_eq!(resolve(&mut aliases, "", 1).as_deref(), Ok("another"));
    assert_eq!(resolve(&mut aliases, "", 2).as_deref(), Ok("two"));
    assert_eq!(resolve(&mut aliases, "three", 3), Err(Misbehaved::TopicAlias));
    assert_eq!(
        resolve(&mut aliases, "longer than there is memory", 2),
        Err(Misbehaved::TopicAlias)
    );
    let mut none = Aliases::new(vec![], 0, vec![]);
    assert_eq!(resolve(&mut none, "one", 1), Err(Misbehaved::TopicAlias));
}
