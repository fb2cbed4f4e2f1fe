//! What publishes of QoS 0 come to when their connection ends.

use super::*;
use dunlin_drive::dunlin::{
    Connect,
    mqtt::{Connack, Packet},
};
use std::{future::Future, pin::Pin};

/// A connection that the server has accepted.
fn connect(shared: &Shared) {
    let (reason, properties) = (ReasonCode::SUCCESS, Properties::NONE);
    let connack = Connack { session_present: false, reason, properties };
    let session = &mut shared.lock().session;
    session.handle_open(&Connect::new("test"));
    session.handle_packet(&Packet::Connack(connack)).unwrap();
}

/// The next packet is handed to the transport: the last byte of it, which is the payload here.
fn hand_over(shared: &Shared) -> Option<u8> {
    let session = &mut shared.lock().session;
    let payload = session.poll_packet()?.last().copied();
    session.handle_sent();
    payload
}

fn poll(receipt: &mut Receipt) -> Poll<Outcome> {
    Pin::new(receipt).poll(&mut Context::from_waker(Waker::noop()))
}

/// What was handed over may have arrived; what was not has not, and goes out on the next connection.
#[test]
fn messages_of_qos_0_that_were_handed_over_are_uncertain_at_a_loss_and_others_wait() {
    let shared = Shared::new(&Options::parse("ws://broker").unwrap());
    connect(&shared);
    let mut receipts = [1, 2, 3, 4]
        .map(|payload| shared.enqueue(&Message::new("t", &[payload], Qos::AtMostOnce)).unwrap());
    for payload in [1, 2] {
        assert_eq!(hand_over(&shared), Some(payload));
    }
    shared.lock().handle_ended(&Error::Closed);
    let [first, second, third, fourth] = &mut receipts;
    for uncertain in [first, second] {
        assert!(matches!(poll(uncertain), Poll::Ready(Err(PublishError::Lost(_)))));
    }
    for waiting in [&mut *third, &mut *fourth] {
        assert!(poll(waiting).is_pending());
    }
    let now = shared.statistics();
    assert_eq!((now.uncertain, now.refused, now.delivered, now.pending), (2, 0, 0, 2));

    connect(&shared);
    assert_eq!(hand_over(&shared), Some(3));
    {
        let mut state = shared.lock();
        let State { session, desk, .. } = &mut *state;
        desk.handle_written(session);
    }
    assert!(matches!(poll(third), Poll::Ready(Ok(_))));
    assert!(poll(fourth).is_pending());
    let now = shared.statistics();
    assert_eq!((now.uncertain, now.refused, now.delivered, now.pending), (2, 0, 1, 1));
}
