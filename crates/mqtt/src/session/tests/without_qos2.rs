//! A build without the feature `qos2`; `cargo x narrow` runs these.

use super::*;
use crate::{RestoreError, record::Record, session::record::Framed};
use dunlin_octet::{Count, Text, Window};

const REFUSED: Error = Error::Misbehaved(Misbehaved::ExactlyOnce);

fn publish(qos: Qos) -> Publish<'static> {
    Publish { message: Message::new("t", b"x", qos), duplicate: false, packet_id: PacketId::new(7) }
}

#[test]
fn message_of_qos_2_is_refused_and_changes_nothing() {
    let mut session = open();
    let message = Message::new("t", b"x", Qos::ExactlyOnce);
    assert_eq!(session.publish(&message), Err(PublishError::Qos));
    let wishes = [Subscription::new("t", Qos::ExactlyOnce)];
    assert_eq!(session.subscribe(&wishes), Err(SubscribeError::Qos));
    assert!(session.is_idle());
    assert_eq!(sent(&mut session), [[0; 0]; 0]);
    qos1(&mut session, b"x");
    assert_eq!(sent(&mut session).len(), 1);
}

#[test]
fn packet_of_qos_2_that_comes_ends_the_connection() {
    for kind in [AckKind::Pubrec, AckKind::Pubrel, AckKind::Pubcomp] {
        let mut session = open();
        qos1(&mut session, b"x");
        sent(&mut session);
        let ack = Ack::new(kind, PacketId::new(1).unwrap());
        assert_eq!(session.handle_packet(&Packet::Ack(ack)), Err(REFUSED), "{kind:?}");
    }
    let mut session = open();
    assert_eq!(session.handle_publish(&publish(Qos::ExactlyOnce)), Err(REFUSED));
    assert_eq!(session.unacknowledged(), 0);
    assert!(session.handle_publish(&publish(Qos::AtLeastOnce)).is_ok());
    // MQTT 5.0 §3.14.2.1: 0x9B is a server's word.
    assert_eq!(Misbehaved::ExactlyOnce.reason(), ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR);
}

#[cfg(feature = "oversize")]
#[test]
fn long_message_of_qos_2_that_comes_ends_the_connection() {
    let config = Config::new().oversize(crate::Oversize::Stream);
    let mut session = Small::new(vec![0; 200], config);
    connect(&mut session, false);
    assert_eq!(session.handle_begin(&publish(Qos::ExactlyOnce), 1_000), Err(REFUSED));
    assert!(session.handle_begin(&publish(Qos::AtLeastOnce), 1_000).is_ok());
}

#[test]
fn message_of_qos_2_in_a_store_is_refused() {
    let export = |qos: Qos| {
        let store = Small::new(vec![0; 200], Config::new());
        let mut bytes = vec![0; 200];
        let len = store.export(&mut bytes).unwrap();
        bytes.truncate(len);
        let publish = publish(qos);
        let text = publish.with(crate::Version::V3);
        let mut packet = vec![0; Count::of(&text)];
        text.write(&mut Window::new(&mut packet, 0));
        let id = PacketId::new(7).unwrap();
        let record = Framed(Record::Added { id, token: Token(0), packet: &packet });
        let mut added = vec![0; Count::of(&record)];
        record.write(&mut Window::new(&mut added, 0));
        [bytes, added].concat()
    };
    assert_eq!(session().import(&export(Qos::AtLeastOnce)), Ok(()));
    assert_eq!(session().import(&export(Qos::ExactlyOnce)), Err(RestoreError::Malformed));
}
