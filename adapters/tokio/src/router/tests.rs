//! What time does to messages that nobody has asked for.

use super::*;
use crate::buffer::Growing;
use dunlin_drive::dunlin::{
    Config, Connect, Session,
    mqtt::{Connack, Packet, PacketId, Publish},
};
use std::time::Duration;

/// A session that the server has kept, on a new connection.
fn resumed() -> ClientSession {
    let config = Config::new().manual_acks().adopting_sessions();
    let mut session = Session::new(Growing::new(0, 1 << 10), config);
    let (reason, properties) = (ReasonCode::SUCCESS, Properties::NONE);
    session.handle_open(&Connect { clean_session: false, ..Connect::new("kept") });
    let connack = Connack { session_present: true, reason, properties };
    session.handle_packet(&Packet::Connack(connack)).unwrap();
    session
}

/// A message of QoS 1 comes.
fn arrive(router: &mut Router, session: &mut ClientSession, id: u16) {
    let message = Message::new("t", b"", Qos::AtLeastOnce);
    let publish = Publish { message, duplicate: false, packet_id: PacketId::new(id) };
    let event = session.handle_packet(&Packet::Publish(publish)).unwrap();
    let Some(dunlin::Event::Message { message, duplicate, ack }) = event else {
        panic!("{event:?}");
    };
    router.handle_message(&message, duplicate, ack, session);
}

/// The server waits for its acknowledgements, and has other messages.
#[tokio::test(start_paused = true)]
async fn messages_that_nobody_has_asked_for_in_time_are_acknowledged() {
    let limit = Queue { max: 16, overflow: Overflow::DropNewest };
    let (mut router, mut session) = (Router::new(limit, Matching::default()), resumed());
    router.expect_early();
    arrive(&mut router, &mut session, 1);
    tokio::time::advance(Duration::from_secs(29)).await;
    arrive(&mut router, &mut session, 2);
    router.let_go_of_early(&mut session);
    assert_eq!(session.poll_packet(), None, "they wait");
    // Once for all: a later connection does not begin anew.
    router.expect_early();
    tokio::time::advance(Duration::from_secs(1)).await;
    router.let_go_of_early(&mut session);
    arrive(&mut router, &mut session, 3);
    for id in 1..=3 {
        assert_eq!(session.poll_packet(), Some(&[0x40, 2, 0, id][..]));
        session.handle_sent();
    }
    assert_eq!(session.unacknowledged(), 0);
}
