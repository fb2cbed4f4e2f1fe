//! From one connection to the next.

use super::*;

const PRESENT: Error = Error::Misbehaved(Misbehaved::SessionPresent);

/// [MQTT-3.2.0-1] [MQTT-3.2.0-2] [MQTT-3.14.0-1]
#[test]
fn connack_comes_first_and_once() {
    let packets: [&[u8]; 9] = [
        &message(0, 0, false),
        &[0x40, 2, 0, 1],
        &[0x50, 2, 0, 1],
        &[0x62, 2, 0, 1],
        &[0x70, 2, 0, 1],
        &[0x90, 4, 0, 1, 0, 0],
        &[0xb0, 4, 0, 1, 0, 0],
        &[0xd0, 0],
        &[0xe0, 0],
    ];
    for packet in packets {
        let mut five = Five::new(Config::new());
        five.ask(false, KEPT);
        assert_eq!(five.give(packet), Err(Misbehaved::BeforeConnack.into()), "{packet:?}");
    }
    let mut five = Five::open(&[]);
    let second = five.give(&[0x20, 3, 0, 0, 0]).map(|event| event.is_some());
    assert_eq!(second, Err(Misbehaved::SecondConnack.into()));
}

/// [MQTT-3.2.2-2] [MQTT-3.2.2-4] [MQTT-3.2.2-5] [MQTT-3.2.2-6]
#[test]
fn session_that_cannot_be_present_ends_the_connection() {
    let mut five = Five::new(Config::new());
    assert_eq!(five.connect(KEPT, &accepted(true, &[])), Err(PRESENT), "there never was one");
    let mut five = Five::open(&[]);
    five.ask(true, KEPT);
    assert_eq!(five.answer(&accepted(true, &[])), Err(PRESENT), "Clean Start");
    let mut five = Five::open(&[]);
    assert_eq!(five.connect(KEPT, &[0x20, 3, 1, 0x88, 0]), Err(PRESENT), "a refusal");
    for (asked, connack) in
        [(&[][..], accepted(false, &[])), (KEPT, accepted(false, &[0x11, 0, 0, 0, 0]))]
    {
        let mut five = Five::new(Config::new());
        five.connect(asked, &connack).unwrap();
        assert_eq!(
            five.connect(KEPT, &accepted(true, &[])),
            Err(PRESENT),
            "it ended with its connection"
        );
    }
}

/// [MQTT-3.2.2-3] [MQTT-3.1.2-23] [MQTT-4.1.0-1], v3.1.1: [MQTT-4.1.0-1] [MQTT-4.1.0-2]
#[test]
fn session_with_an_expiry_is_resumed_and_its_loss_told() {
    for (asked, connack) in
        [(KEPT, accepted(false, &[])), (&[][..], accepted(false, &[0x11, 0, 0, 0, 1]))]
    {
        let mut five = Five::new(Config::new());
        assert_eq!(five.connect(asked, &connack), Ok(Resumption::New));
        five.publish(b"x", Qos::AtLeastOnce);
        five.sent();
        five.resume(&[]);
        assert_eq!(five.sent(), [again(1, 1, b'x')]);
        assert_eq!(five.connect(KEPT, &accepted(false, &[])), Ok(Resumption::Lost));
        assert_eq!(five.sent(), [publication(1, 1, b'x')], "to this server it is new");
    }
}

#[test]
fn session_expiry_is_what_the_server_makes_of_it() {
    let mut five = Five::open(&[]);
    assert_eq!(five.session.expiry_s(), 100);
    five.connect(KEPT, &accepted(true, &[0x11, 0, 0, 0, 30])).unwrap();
    assert_eq!(five.session.expiry_s(), 30);
}

#[test]
fn session_that_the_server_kept_over_a_restart_of_this_side_is_adopted_if_wanted() {
    let mut five = Five::new(Config::new().adopting_sessions());
    assert_eq!(five.connect(KEPT, &accepted(true, &[])), Ok(Resumption::Resumed));
    five.ask(true, KEPT);
    assert_eq!(five.answer(&accepted(true, &[])), Err(PRESENT), "but not against Clean Start");
}

#[test]
fn session_of_an_unanswered_connect_is_uncertain() {
    let mut five = Five::new(Config::new());
    five.ask(false, KEPT);
    assert_eq!(five.connect(KEPT, &accepted(true, &[])), Ok(Resumption::Uncertain));
    five.resume(&[]);
}

/// [MQTT-4.13.2-1]
#[test]
fn refusal_ends_the_connection_and_keeps_the_session() {
    let mut five = Five::open(&[]);
    five.publish(b"x", Qos::AtLeastOnce);
    five.sent();
    let refused = five.connect(KEPT, &[0x20, 3, 0, 0x97, 0]);
    assert_eq!(refused, Err(Error::Refused(ReasonCode::QUOTA_EXCEEDED)));
    assert!(five.session.is_offline());
    assert_eq!(five.sent(), NOTHING);
    five.resume(&[]);
    assert_eq!(five.sent(), [again(1, 1, b'x')]);
}

/// [MQTT-3.1.2-4]
#[test]
fn clean_start_drops_what_the_server_had_and_what_came_of_it() {
    let mut five = Five::open(&[]);
    five.publish(b"x", Qos::ExactlyOnce);
    five.sent();
    five.pass(&[0x50, 2, 0, 1]);
    five.arrive(2, 9);
    five.session.handle_release();
    five.ask(true, KEPT);
    assert_eq!(five.answer(&accepted(false, &[])), Ok(Resumption::New));
    assert_eq!(five.sent(), [publication(2, 1, b'x')], "accepted here, and new to the server");
    five.arrive(2, 9);
}

/// [MQTT-3.3.1-1] [MQTT-4.4.0-1] [MQTT-4.6.0-1], v3.1.1: [MQTT-2.3.1-3]
#[test]
fn unacknowledged_messages_are_sent_again_on_the_next_connection_and_at_no_other_time() {
    let mut five = Five::open(&[]);
    five.publish(b"a", Qos::AtLeastOnce);
    five.publish(b"b", Qos::ExactlyOnce);
    five.publish(b"c", Qos::AtLeastOnce);
    assert_eq!(five.sent().len(), 3);
    for _ in 0..40 {
        five.session.handle_tick();
        five.session.resend_overdue(1);
        assert_eq!(five.sent(), NOTHING);
    }
    five.give(&[0x40, 2, 0, 1]).unwrap();
    five.publish(b"d", Qos::AtLeastOnce);
    five.resume(&[]);
    let expected = [again(2, 2, b'b'), again(1, 3, b'c'), publication(1, 4, b'd')];
    assert_eq!(five.sent(), expected, "with their identifiers, in their order");
}

#[test]
fn requests_are_sent_again_as_they_were() {
    let mut five = Five::open(&[]);
    five.session.subscribe(&FILTERS).unwrap();
    let first = five.sent();
    five.resume(&[]);
    assert_eq!(five.sent(), first);
}

/// Memory that grows moves what lies in it; parked packets with it.
#[test]
fn parked_packets_survive_a_move_of_the_memory() {
    for lent in [false, true] {
        let config = Config::new().version(Version::V5).manual_acks();
        let mut session: Session<_, 3> = Session::new(Growing(vec![0; 96]), config);
        let properties = Properties::new(KEPT);
        session.handle_open(&Connect { version: Version::V5, properties, ..Connect::new("c") });
        let connack = accepted(false, &[]);
        let give = |session: &mut Session<Growing, 3>, bytes: &[u8]| {
            let packet = Packet::decode_front(Version::V5, bytes).unwrap().unwrap().0;
            match session.handle_packet(&packet).unwrap() {
                Some(Event::Message { ack, .. }) => ack,
                _ => None,
            }
        };
        give(&mut session, &connack);
        let next = |session: &mut Session<Growing, 3>| {
            let packet = session.poll_packet().map(<[u8]>::to_vec);
            session.handle_sent();
            packet.unwrap()
        };
        // The oldest leaves the front, and newer ones wrap around to it.
        for payload in [&[b'a'; 20], &[b'b'; 20]] {
            session.publish(&Message::new("t", payload, Qos::AtLeastOnce)).unwrap();
            next(&mut session);
        }
        give(&mut session, &[0x40, 2, 0, 1]);
        let ack = give(&mut session, &message(1, 9, false)).unwrap();
        let why = [Property::ReasonString("no")];
        let why = Properties::new(&why);
        session.acknowledge_with(ack, ReasonCode::QUOTA_EXCEEDED, why).unwrap();
        assert_eq!(session.outbox.memory_len(), 96, "not yet");
        let expected = b"\x40\x09\0\x09\x97\x05\x1f\0\x02no";
        if lent {
            assert_eq!(session.poll_packet(), Some(&expected[..]));
        }
        session.publish(&Message::new("t", &[b'c'; 60], Qos::AtLeastOnce)).unwrap();
        assert!(session.outbox.memory_len() > 96, "it grew");
        assert_eq!(next(&mut session), expected);
        assert!(next(&mut session).ends_with(b"cccc"));
        for id in [2, 3] {
            give(&mut session, &[0x40, 2, 0, id]);
        }
        assert!(session.is_idle(), "each was found where it is now");
    }
}

struct Growing(Vec<u8>);

impl Buffer for Growing {
    type Places<T: dunlin_octet::Entry, const N: usize> = [T; N];

    fn bytes(&self) -> &[u8] {
        &self.0
    }
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
    fn limit(&self) -> usize {
        1_000
    }
    fn grow(&mut self, len: usize) -> bool {
        self.0.resize(len.min(1_000).max(self.0.len()), 0);
        len <= 1_000
    }
}
