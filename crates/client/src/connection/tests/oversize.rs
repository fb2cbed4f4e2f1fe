//! Messages that are longer than the receive buffer, piece by piece.

use super::{
    relay::{bytes_of, pattern, publish},
    *,
};
use crate::{Head, Oversize, Properties, Property, Session, Version};
use core::num::NonZeroU32;
use dunlin_mqtt::Connack;

/// The receive buffer of these tests is 512 bytes long.
const LEN: usize = 700;

fn streaming(framed: bool, oversize: Oversize) -> Client<Vec<u8>> {
    open(framed, Config::new().oversize(oversize))
}

fn long(qos: Qos) -> Vec<u8> {
    publish(Version::V3, Message::new("t", b"", qos).head, &pattern(LEN), false)
}

/// What the program sees, with pieces of one payload put together.
fn seen(client: &mut Client<Vec<u8>>, seen: &mut Vec<String>, payload: &mut Vec<u8>) {
    while let Some(event) = client.poll().unwrap() {
        match event {
            Event::MessageChunk { offset, payload: piece } => {
                assert_eq!(offset, payload.len());
                assert!(!piece.is_empty());
                payload.extend_from_slice(piece);
            }
            Event::MessageEnd { .. } => {
                assert_eq!(*payload, pattern(LEN));
                payload.clear();
                seen.push("end".into());
            }
            other => seen.push(std::format!("{other:?}")),
        }
    }
}

/// The bytes of both transports: a whole message in one frame, and in three with pings between them; and
/// a short message behind it.
fn recordings(qos: Qos) -> [(bool, Vec<u8>); 3] {
    let (long, short) = (long(qos), message(5, b"x"));
    let parts = [
        frame(0x02, &long[..4]),
        frame(0x89, b"first"),
        frame(0x00, &long[4..400]),
        frame(0x89, b"second"),
        frame(0x80, &long[400..]),
        frame(0x82, &short),
    ];
    let whole = [frame(0x82, &long), frame(0x89, b"second"), frame(0x82, &short)].concat();
    [(true, whole), (true, parts.concat()), (false, [long, short].concat())]
}

#[test]
fn message_cut_anywhere_is_the_same_message() {
    for oversize in [Oversize::Skip, Oversize::Stream] {
        for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
            for (framed, bytes) in recordings(qos) {
                let mut whole = None;
                for cut in 0..bytes.len() {
                    let mut client = streaming(framed, oversize);
                    let (mut events, mut payload) = (Vec::new(), Vec::new());
                    for mut part in [&bytes[..cut], &bytes[cut..]] {
                        while !part.is_empty() {
                            let taken = client.connection.receive(part);
                            assert!(taken > 0, "no room");
                            part = &part[taken..];
                            seen(&mut client, &mut events, &mut payload);
                        }
                    }
                    seen(&mut client, &mut events, &mut payload);
                    let outcome = (events, client.sent());
                    assert_eq!(*whole.get_or_insert(outcome.clone()), outcome, "cut at {cut}");
                }
                let (events, sent) = whole.unwrap();
                assert_eq!(events.len(), if oversize == Oversize::Skip { 2 } else { 3 });
                let acks =
                    sent.windows(3).filter(|part| matches!(part, [0x40 | 0x50, 2, 0])).count();
                assert_eq!(acks, if qos == Qos::AtMostOnce { 1 } else { 2 });
            }
        }
    }
}

#[test]
fn message_byte_by_byte_is_the_same_message() {
    for (framed, bytes) in recordings(Qos::ExactlyOnce) {
        let mut client = streaming(framed, Oversize::Stream);
        let (mut events, mut payload) = (Vec::new(), Vec::new());
        for byte in bytes {
            assert_eq!(client.connection.receive(&[byte]), 1);
            seen(&mut client, &mut events, &mut payload);
        }
        assert_eq!(events.len(), 3);
        assert!(events[0].starts_with("MessageBegin") && events[2].starts_with("Message {"));
    }
}

/// [MQTT-3.1.2-24]
#[test]
fn packet_that_is_longer_than_it_may_be_ends_the_connection() {
    let error: Error = mqtt::Misbehaved::PacketTooLarge.into();
    for framed in [true, false] {
        let last = if framed { close(1009) } else { vec![] };
        let mut refusing = streaming(framed, Oversize::Refuse);
        refusing.give(&long(Qos::AtMostOnce)[..9]);
        refusing.assert_ends(error, &last);
        for oversize in [Oversize::Skip, Oversize::Stream] {
            let mut suback = streaming(framed, oversize);
            suback.give(&[0x90, 0xbc, 5, 0, 1]);
            suback.assert_ends(error, &last);
            // The topic alone fills the buffer: 505 bytes behind five, and an identifier.
            for (topic, ends) in [(505, true), (504, true), (503, false)] {
                let mut client = streaming(framed, oversize);
                client.give(&[0x32, 0xff, 0xff, 0xff, 0x7f, (topic >> 8) as u8, topic as u8]);
                if ends {
                    client.assert_ends(error, &last);
                    continue;
                }
                client.give(&vec![b't'; topic]);
                assert_eq!(client.poll(), Ok(None));
                client.give(&[0, 9]);
                assert!(client.poll().unwrap().is_some(), "the front fits");
            }
        }
    }
}

#[test]
fn front_that_is_longer_than_its_packet_is_malformed() {
    for framed in [true, false] {
        let last = if framed { close(1002) } else { vec![] };
        let mut client = streaming(framed, Oversize::Stream);
        client.give(&[0x30, 0xbc, 5, 0xff, 0xff]);
        let error = Error::Malformed(Malformed::Packet(mqtt::Malformed::Length));
        client.assert_ends(error, &last);
        let mut client = streaming(framed, Oversize::Stream);
        client.give(&[0x30, 0xbc, 5, 0, 1, b'+']);
        client.assert_ends(Error::Malformed(Malformed::Packet(mqtt::Malformed::Topic)), &last);
    }
}

/// A connection of MQTT 5.0 on a bare stream, whose CONNECT has a Maximum Packet Size or none.
fn five(
    oversize: Oversize,
    maximum: &'static [Property<'static>],
) -> Result<Client<Vec<u8>>, OpenError> {
    let config = Config::new().version(Version::V5).oversize(oversize);
    asking(false, config, vec![0; 512], maximum)
}

/// [MQTT-3.1.2-24]
#[test]
fn maximum_packet_size_is_announced_only_where_it_holds() {
    const MAXIMUM: [Property<'static>; 1] =
        [Property::MaximumPacketSize(NonZeroU32::new(800).unwrap())];
    let announced = |client: &mut Client<Vec<u8>>| {
        let bytes = client.sent();
        let connect = Packet::decode_front(Version::V5, &bytes).unwrap().unwrap().0;
        connect.properties().maximum_packet_size().map(NonZeroU32::get)
    };
    assert!(matches!(five(Oversize::Refuse, &MAXIMUM), Err(OpenError::Promise)));
    assert_eq!(announced(&mut five(Oversize::Refuse, &[]).unwrap()), Some(512));
    for oversize in [Oversize::Skip, Oversize::Stream] {
        assert_eq!(announced(&mut five(oversize, &[]).unwrap()), None);
        for (len, fits) in [(800 - 8, true), (801 - 8, false)] {
            let mut client = five(oversize, &MAXIMUM).unwrap();
            assert_eq!(announced(&mut client), Some(800));
            let (session_present, reason) = (false, ReasonCode::SUCCESS);
            let connack = Connack { session_present, reason, properties: Properties::NONE };
            client.give(&bytes_of(&connack.with(Version::V5)));
            client.events();
            let head = Message::new("tt", b"", Qos::AtMostOnce).head;
            let bytes = publish(Version::V5, head, &vec![7; len], false);
            assert_eq!(bytes.len() <= 800, fits);
            client.give_raw(&bytes[..100]);
            match fits {
                true => assert!(client.poll().unwrap().is_some()),
                false => {
                    client.assert_ends(mqtt::Misbehaved::PacketTooLarge.into(), &[0xe0, 1, 0x95])
                }
            }
        }
    }
}

/// The answer to a PINGREQ comes behind all of the message.
#[test]
fn long_message_on_its_way_in_is_no_silence_of_the_peer() {
    for (framed, oversize) in
        [(true, Oversize::Stream), (false, Oversize::Stream), (false, Oversize::Skip)]
    {
        let mut client = streaming(framed, oversize);
        let long = long(Qos::AtMostOnce);
        let bytes = if framed { frame(0x82, &long) } else { long };
        let mut pings = 0;
        for piece in bytes.chunks(20) {
            client.give_raw(piece);
            while client.poll().unwrap().is_some() {}
            assert_eq!(client.pass(10_000), Ok(()));
            let sent = client.sent();
            pings += usize::from(!sent.is_empty());
            assert!(
                sent.is_empty()
                    || sent == if framed { masked(0x82, PINGREQ) } else { PINGREQ.to_vec() }
            );
        }
        assert!(pings > 3);
        client.give(PINGRESP);
        assert_eq!(client.events(), [] as [&str; 0]);
        let mut stuck = streaming(framed, oversize);
        stuck.give_raw(&bytes[..60]);
        while stuck.poll().unwrap().is_some() {}
        stuck.pass_to_deadline().1.unwrap();
        stuck.sent();
        assert_eq!(stuck.pass_to_deadline().1, Err(Error::TimedOut(Stage::Pingresp)));
    }
}

/// RFC 6455 §5.5: a control frame goes between frames, never into one.
#[test]
fn ping_and_acknowledgement_wait_for_a_payload_that_is_supplied() {
    let mut client = open(true, Config::new());
    let payload = pattern(LEN);
    let head = Message::new("t", b"", Qos::AtMostOnce).head;
    client.session.publish_stream(&head, LEN, 300).unwrap();
    let mut bytes = client.sent();
    client.give(&message(7, b"x"));
    client.give_raw(&frame(0x89, b"hello"));
    assert_eq!(client.events().len(), 1);
    client.pass_to_deadline().1.unwrap();
    assert_eq!(client.sent(), [0; 0], "a part of a packet is out");
    while let Some(wanted) = client.session.wanted() {
        assert_eq!(client.pass(20_000), Ok(()), "it goes on");
        client.session.supply(wanted, &payload[wanted.offset..]);
        bytes.extend(client.sent());
    }
    let mut packet = b"\x30\xbf\x05\0\x01t".to_vec();
    packet.extend_from_slice(&payload);
    let frames = [
        masked(0x82, &packet),
        masked(0x8a, b"hello"),
        masked(0x82, PINGREQ),
        masked(0x82, &[0x40, 2, 0, 7]),
    ];
    assert_eq!(bytes, frames.concat());
}

#[test]
fn payload_that_is_not_supplied_is_a_timeout() {
    let mut client = open(true, Config::new());
    let head = Message::new("t", b"", Qos::AtMostOnce).head;
    client.session.publish_stream(&head, LEN, 300).unwrap();
    client.sent();
    client.pass_to_deadline().1.unwrap();
    let error = Error::TimedOut(Stage::Pingresp);
    assert_eq!(client.pass_to_deadline().1, Err(error));
    client.assert_ends(error, &[]);
}

#[test]
fn message_abandoned_half_out_ends_the_connection_without_a_word() {
    for framed in [true, false] {
        let mut client = open(framed, Config::new());
        let head: Head<'_> = Message::new("t", b"", Qos::AtLeastOnce).head;
        let token = client.session.publish_stream(&head, LEN, 300).unwrap();
        assert!(!client.sent().is_empty());
        assert!(client.session.abandon(token));
        assert_eq!(client.sent(), [0; 0]);
        client.assert_ends(Error::Closed(Closed::Abandoned), &[]);
        assert!(client.session.is_idle());
        let mut client = open(framed, Config::new());
        let token = client.session.publish_stream(&head, LEN, 300).unwrap();
        assert!(client.session.abandon(token), "nothing of it is out");
        client.session.publish(&Message::new("u", b"", Qos::AtMostOnce)).unwrap();
        assert_eq!(client.poll(), Ok(None));
        assert!(!client.sent().is_empty(), "the connection stands");
    }
}

#[test]
fn message_abandoned_before_its_first_byte_is_out_leaves_the_connection() {
    let mut client = open(true, Config::new());
    let filler = vec![7; TRANSMIT_MIN - 20];
    client.session.publish(&Message::new("t", &filler, Qos::AtMostOnce)).unwrap();
    let head = Message::new("u", b"", Qos::AtLeastOnce).head;
    let token = client.session.publish_stream(&head, LEN, 300).unwrap();
    assert!(client.sent_once().unwrap().len() > filler.len(), "no room for another header");
    assert!(client.session.wanted().is_some(), "it is its turn");
    assert!(client.session.abandon(token));
    assert_eq!(client.poll(), Ok(None));
    client.session.publish(&Message::new("u", b"", Qos::AtMostOnce)).unwrap();
    assert_eq!(client.sent(), masked(0x82, b"\x30\x03\0\x01u"));
}

/// [MQTT-3.3.2-10]
#[test]
fn topic_of_a_streamed_message_has_no_alias() {
    const MAXIMUM: [Property<'static>; 1] = [Property::TopicAliasMaximum(9)];
    let Client { session, connection, now } = five(Oversize::Stream, &[]).unwrap();
    let aliases = crate::Aliases::new(vec![0; 0], 0, vec![0; 200]);
    let (mut session, mut connection) = (session, connection.with_topic_aliases(aliases));
    let send = |session: &mut Session<Vec<u8>, 2>, connection: &mut Connection<'_, _, _>| {
        let mut bytes = vec![0; 2_000];
        let zero = &mut |bytes: &mut [u8]| bytes.fill(0);
        let len = connection.poll_transmit(session, now, zero, &mut bytes).unwrap_or(0);
        bytes.truncate(len);
        bytes
    };
    send(&mut session, &mut connection);
    let properties = Properties::new(&MAXIMUM);
    let connack = Connack { session_present: false, reason: ReasonCode::SUCCESS, properties };
    connection.receive(&bytes_of(&connack.with(Version::V5)));
    assert!(connection.poll(&mut session, now).unwrap().is_some());
    let head = Message::new("topic", b"", Qos::AtMostOnce).head;
    session.publish(&Message { head, payload: b"" }).unwrap();
    session.publish_stream(&head, LEN, LEN).unwrap();
    let announced = b"\x30\x0b\0\x05topic\x03\x23\0\x01";
    let front = b"\x30\xc4\x05\0\x05topic\0";
    assert_eq!(send(&mut session, &mut connection), [&announced[..], front].concat());
    let wanted = session.wanted().unwrap();
    // Bytes that look like a PUBLISH are none.
    let payload = publish(Version::V5, head, &[9; LEN - 11], false);
    assert_eq!(session.supply(wanted, &payload), LEN);
    assert_eq!(send(&mut session, &mut connection), payload);
}
