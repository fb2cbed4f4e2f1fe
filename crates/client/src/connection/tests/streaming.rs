//! Messages larger than the buffers, there and back, over links that break.

use super::{
    relay::{Device, Memory, Server, pattern, publish},
    *,
};
use crate::{Head, Oversize, Token, Version};
use core::cell::RefCell;

/// As long as the longest message of AWS IoT Core.
const LONG: usize = 128 * 1_024;

const QOS: [Qos; 3] = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];

fn config(version: Version) -> Config {
    Config::new().version(version).oversize(Oversize::Stream)
}

fn each_way(mut test: impl FnMut(bool, Version, Qos)) {
    for version in [Version::V3, Version::V5] {
        for framed in [true, false] {
            for qos in QOS {
                test(framed, version, qos);
            }
        }
    }
}

fn head(qos: Qos) -> Head<'static> {
    Message::new("in", b"", qos).head
}

/// Through a receive buffer of 4 KiB, and back through an outbox that has room for as much.
#[test]
fn message_of_128_kib_comes_back_from_a_device_with_small_buffers() {
    each_way(|framed, version, qos| {
        let payload = pattern(LONG);
        let mut device = Device::new(framed, config(version), 4_096, 4_200);
        let (mut begun, mut ended, mut acknowledged) = (0, 0, 0);
        let echo = &mut |session: &mut Session<Vec<u8>, 4>, event: &Event<'_>| match event {
            Event::MessageBegin { head, len, .. } => {
                begun += 1;
                let head = Head { topic: "out", ..*head };
                session.publish_stream(&head, *len, 4_096).unwrap();
            }
            Event::MessageChunk { offset, payload } if !payload.is_empty() => {
                let wanted = session.wanted().unwrap();
                assert_eq!(wanted.offset, *offset);
                assert_eq!(session.supply(wanted, payload), payload.len());
            }
            Event::MessageEnd { .. } => ended += 1,
            Event::Acknowledged { .. } => acknowledged += 1,
            _ => {}
        };
        device.run(&mut *echo);
        device.server.send(&publish(version, head(qos), &payload, false));
        device.run(echo);
        assert_eq!((begun, ended), (1, 1));
        assert_eq!(acknowledged, usize::from(qos != Qos::AtMostOnce));
        assert!(device.memory.payloads == [payload], "byte for byte: {version:?} {qos:?}");
        assert!(device.session.is_idle() && device.session.unacknowledged() == 0);
    });
}

/// Two clients, neither of which can hold the message, with the server between them.
#[test]
fn message_of_128_kib_goes_from_one_device_to_another() {
    each_way(|framed, version, qos| {
        let payload = pattern(LONG);
        let mut sender = Device::new(framed, config(version), 1_000, 1_100);
        let mut receiver = Device::new(framed, config(version), 4_096, 100);
        sender.session.publish_stream(&head(qos), LONG, 1_000).unwrap();
        sender.run(|session, _| {
            if let Some(wanted) = session.wanted() {
                session.supply(wanted, &payload[wanted.offset..]);
            }
        });
        let whole = RefCell::new(Vec::new());
        receiver.run(|_, _| {});
        receiver.server.send(&publish(version, head(qos), &sender.memory.payloads[0], false));
        receiver.run(|_, event| {
            if let Event::MessageChunk { payload, .. } = event {
                whole.borrow_mut().extend_from_slice(payload);
            }
        });
        assert!(whole.into_inner() == payload, "byte for byte: {version:?} {qos:?}");
        assert!(sender.session.is_idle());
    });
}

/// What a program has seen.
#[derive(Default)]
struct Seen {
    begun: usize,
    ended: usize,
    acknowledged: Vec<Token>,
    bytes: Vec<u8>,
}

impl Seen {
    fn note(&mut self, event: &Event<'_>, expected: &[u8]) {
        match event {
            Event::MessageBegin { len, .. } => {
                assert_eq!(*len, expected.len());
                self.begun += 1;
                self.bytes.clear();
            }
            Event::MessageChunk { offset, payload } if !payload.is_empty() => {
                assert_eq!(*offset, self.bytes.len());
                self.bytes.extend_from_slice(payload);
            }
            Event::MessageEnd { .. } => {
                assert!(self.bytes == expected, "byte for byte");
                self.ended += 1;
            }
            Event::Acknowledged { token, .. } => self.acknowledged.push(*token),
            _ => {}
        }
    }
}

/// What a server still owes a client after a connection that it lost.
fn resend(server: &mut Server, memory: &Memory, version: Version, qos: Qos, payload: &[u8]) {
    let answered = |first: u8| memory.firsts.contains(&first);
    match qos {
        Qos::AtMostOnce => {}
        Qos::ExactlyOnce if answered(0x70) => {}
        Qos::ExactlyOnce if answered(0x50) => server.send(&[0x62, 2, 0, 9]),
        Qos::AtLeastOnce if answered(0x40) => {}
        _ => server.send(&publish(version, head(qos), payload, true)),
    }
}

/// [MQTT-4.4.0-1] [MQTT-4.3.3-10], v3.1.1: [MQTT-4.4.0-1] [MQTT-4.3.3-2]
#[test]
fn message_that_breaks_off_on_its_way_in_begins_anew() {
    const LEN: usize = 3_000;
    each_way(|framed, version, qos| {
        let payload = pattern(LEN);
        let opened = if framed { 120 } else { 0 };
        for (up, down) in (0..LEN + 200)
            .step_by(37)
            .map(|cut| (usize::MAX, cut))
            .chain((LEN..LEN + 60).map(|cut| (usize::MAX, opened + cut)))
            .chain((0..80).map(|up| (up, usize::MAX)))
        {
            let mut device = Device::new(framed, config(version), 400, 100);
            let mut seen = Seen::default();
            device.run(|_, event| seen.note(event, &payload));
            device.memory.firsts.truncate(1);
            (device.up, device.down) = (up, down);
            device.server.send(&publish(version, head(qos), &payload, false));
            device.run(|_, event| seen.note(event, &payload));
            let whole = seen.ended;
            device.reconnect();
            device.run(|_, event| seen.note(event, &payload));
            resend(&mut device.server, &device.memory, version, qos, &payload);
            device.run(|_, event| seen.note(event, &payload));
            let case = std::format!("{version:?} {qos:?} framed {framed} cut {up} {down}");
            match qos {
                Qos::AtMostOnce => assert_eq!(seen.ended, whole, "{case}"),
                Qos::AtLeastOnce => assert!(seen.ended >= 1 && whole <= 1, "{case}"),
                Qos::ExactlyOnce => assert_eq!(seen.ended, 1, "{case}"),
            }
            assert!(seen.begun >= seen.ended && device.session.unacknowledged() == 0, "{case}");
        }
    });
}

/// [MQTT-4.4.0-1] [MQTT-3.3.1-1], v3.1.1: [MQTT-4.4.0-1] [MQTT-3.3.1-1]
#[test]
fn message_that_breaks_off_on_its_way_out_is_wanted_again() {
    const LEN: usize = 3_000;
    each_way(|framed, version, qos| {
        let payload = pattern(LEN);
        for (up, down) in (0..LEN + 100)
            .step_by(37)
            .map(|cut| (cut, usize::MAX))
            .chain((LEN..LEN + 60).map(|cut| (cut, usize::MAX)))
            .chain((0..20).map(|cut| (usize::MAX, cut)))
        {
            let mut device = Device::new(framed, config(version), 200, 400);
            let mut seen = Seen::default();
            let mut program = |session: &mut Session<Vec<u8>, 4>, event: &Event<'_>| {
                seen.note(event, &[]);
                if let Some(wanted) = session.wanted() {
                    let rest = &payload[wanted.offset..];
                    session.supply(wanted, &rest[..rest.len().min(170)]);
                }
            };
            device.run(&mut program);
            (device.up, device.down) = (up, down);
            let token = device.session.publish_stream(&head(qos), LEN, 300).unwrap();
            device.run(&mut program);
            device.reconnect();
            device.run(&mut program);
            let case = std::format!("{version:?} {qos:?} framed {framed} cut {up} {down}");
            let copies = device.memory.payloads.len();
            match qos {
                Qos::AtMostOnce => assert!(copies <= 1, "{case}"),
                Qos::AtLeastOnce => assert!((1..=2).contains(&copies), "{case}"),
                Qos::ExactlyOnce => assert_eq!(copies, 1, "{case}"),
            }
            assert!(device.memory.payloads.iter().all(|copy| *copy == payload), "{case}");
            let expected = if qos == Qos::AtMostOnce { vec![] } else { vec![token] };
            assert_eq!(seen.acknowledged, expected, "{case}");
            assert!(device.session.is_idle() && device.memory.unreleased.is_empty(), "{case}");
        }
    });
}
