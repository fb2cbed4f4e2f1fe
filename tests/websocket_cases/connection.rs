//! What a whole client makes of frames: cases 27, 30, 31 and 33, and its part of 25, 28 and 32.

use crate::client::{Client, Heard, KEEP_ALIVE_S};
use crate::cuts::every_cut;
use crate::deframer::{Seen, binary, frame};
use dunlin::ws::{CloseCode, Header, Request, Role};
use dunlin::{
    CLOSE_TIMEOUT_MS, Closed, Config, Connect, Connection, Error, Instant, Message, Misbehaved,
    OpenError, Opening, PING_TIMEOUT_MAX_MS, Qos, RECEIVE_MIN, ReasonCode, Session, Stage,
    TRANSMIT_MIN, Transport,
};

/// What the program hears, and what the server reads afterwards.
fn outcome(bytes: &[u8]) -> (Vec<Heard>, Vec<Seen>) {
    every_cut(bytes, |parts| {
        let mut client = Client::open(512);
        let heard = client.give(parts);
        (heard, client.frames())
    })
}

/// PUBLISH of QoS 0 to `t`.
fn publish(payload: &[u8]) -> Vec<u8> {
    let remaining = u8::try_from(payload.len() + 3).unwrap();
    assert!(remaining < 0x80, "one byte of length");
    [&[0x30, remaining, 0, 1, b't'], payload].concat()
}

fn message(payload: &[u8]) -> Heard {
    Heard::Message("t".to_owned(), payload.to_vec())
}

fn close(code: CloseCode) -> Seen {
    Seen::Close(Some(code.get()), Vec::new())
}

/// RFC 6455 §5.5.2, §5.5.3
///
/// The latest ping is answered, whatever lies between; a pong that nobody asked for is nothing.
#[test]
fn case_25_pings_are_answered_and_pongs_are_not() {
    let packet = publish(b"x");
    let bytes = [
        frame(0x02, &packet[..2]),
        frame(0x89, b"early"),
        frame(0x8a, b"unasked"),
        frame(0x89, b"late"),
        frame(0x80, &packet[2..]),
    ]
    .concat();
    let expected = (vec![message(b"x")], vec![Seen::Pong(b"late".to_vec())]);
    assert_eq!(outcome(&bytes), expected);
    assert_eq!(outcome(&frame(0x8a, b"unasked")), (vec![], vec![]));
    let body = [0x89; 125];
    assert_eq!(outcome(&frame(0x89, body)), (vec![], vec![Seen::Pong(body.to_vec())]));
    // A flood: one pong waits, and no more than that goes out.
    let mut client = Client::open(512);
    assert_eq!(client.give(&[&frame(0x89, b"p").repeat(10_000)]), []);
    assert_eq!(client.frames(), [Seen::Pong(b"p".to_vec())]);
}

/// RFC 6455 §5.5.3
///
/// T-14, as in CVE-2025-5399: the longest pong waits for its room, and is then sent once.
#[test]
fn case_25_longest_pong_waits_for_room() {
    let begun = || {
        let mut client = Client::open(512);
        client.session.publish(&Message::new("t", &[7; 500], Qos::AtMostOnce)).unwrap();
        assert_eq!(client.sent(200).len(), 200);
        client
    };
    let left = begun().sent(4096).len();
    for room in 0..=TRANSMIT_MIN {
        // Behind the rest of a frame there is so much room, and then as much as there must be.
        let mut client = begun();
        assert_eq!(client.give(&[&frame(0x89, [b'p'; 125])]), []);
        let fits = room == TRANSMIT_MIN;
        let sent = client.sent(left + room).len();
        assert_eq!(sent, if fits { left + room } else { left }, "{room}");
        let pong = Seen::Pong(vec![b'p'; 125]);
        assert_eq!(client.frames(), if fits { vec![] } else { vec![pong] }, "{room}");
        assert_eq!(client.frames(), [], "once");
    }
}

/// RFC 6455 §5.5.1
#[test]
fn case_25_ping_while_a_close_is_on_its_way_is_not_answered() {
    let bytes = [frame(0x89, b"p"), frame(0x82, publish(b"x")), frame(0x88, b"\x03\xe8")].concat();
    every_cut(&bytes, |parts| {
        let mut client = Client::open(512);
        client.session.disconnect(ReasonCode::SUCCESS);
        assert_eq!(client.frames(), [binary([0xe0, 0]), close(CloseCode::NORMAL)]);
        let heard = client.give(parts);
        assert_eq!(heard.last(), Some(&Heard::Ended(Error::Closed(Closed::Local))));
        assert_eq!(client.frames(), [], "nothing behind a Close");
        heard
    });
}

/// RFC 6455 §7.4.1, v3.1.1: [MQTT-6.0.0-1]
#[test]
fn case_27_text_is_answered_by_1003() {
    let error = Heard::Ended(Error::Misbehaved(Misbehaved::TextFrame));
    let good = frame(0x82, publish(b"x"));
    for text in [
        frame(0x81, b"hello"),
        frame(0x81, b""),
        frame(0x81, b"\x30\x04\x00\x01tx"),
        [frame(0x01, b""), frame(0x80, b"hello")].concat(),
        [frame(0x01, b""), frame(0x89, b"p"), frame(0x00, b""), frame(0x80, b"")].concat(),
    ] {
        let bytes = [&good[..], &text, &good].concat();
        let (heard, sent) = outcome(&bytes);
        assert_eq!(heard, [message(b"x"), error.clone()], "{text:x?}");
        assert_eq!(sent.last(), Some(&close(CloseCode::UNSUPPORTED_DATA)));
    }
}

/// RFC 6455 §5.5.1, §7.1
///
/// The code comes back, TCP may stay open as long as it likes, and an end without Close is none.
#[test]
fn case_28_close_of_the_server_is_answered_once() {
    let normal = [0x03, 0xe8];
    let ended = |code| Heard::Ended(Error::Closed(Closed::Peer(code)));
    for behind in [vec![], frame(0x88, normal), frame(0x82, publish(b"late"))] {
        let bytes = [frame(0x88, [&normal[..], b"bye"].concat()), behind].concat();
        let (heard, sent) = outcome(&bytes);
        assert_eq!(heard, [ended(Some(CloseCode::NORMAL))]);
        assert_eq!(sent, [close(CloseCode::NORMAL)]);
    }
    assert_eq!(outcome(&frame(0x88, b"")).0, [ended(None)]);
    for (bytes, code) in [
        (frame(0x88, [0x03]), CloseCode::PROTOCOL_ERROR),
        (frame(0x88, [0x03, 0xed]), CloseCode::PROTOCOL_ERROR),
        (frame(0x88, b"\x03\xe8\xff"), CloseCode::INVALID_PAYLOAD),
        (vec![0xc2], CloseCode::PROTOCOL_ERROR),
        (vec![0x82, 0x80], CloseCode::PROTOCOL_ERROR),
        (frame(0x80, b"x"), CloseCode::PROTOCOL_ERROR),
    ] {
        let (heard, sent) = outcome(&bytes);
        assert!(matches!(heard[..], [Heard::Ended(Error::Malformed(_))]), "{heard:?}");
        assert_eq!(sent, [close(code)], "{bytes:x?}");
    }
    // The server leaves TCP open: nothing is waited for.
    let mut client = Client::open(512);
    client.give(&[&frame(0x88, normal)]);
    client.frames();
    assert_eq!(client.connection.next_deadline(), None);
    assert_eq!(client.connection.handle_eof(), Error::Closed(Closed::Peer(CloseCode::new(1000))));
    // An end without Close, inside a frame or not, which is also what a reset comes to.
    for begun in [&b"\x82"[..], b"\x82\x05\x30", b"\x89\x01p"] {
        let mut client = Client::open(512);
        assert_eq!(client.give(&[begun]), []);
        let end = Error::Closed(Closed::Eof(Stage::Open));
        assert_eq!(client.connection.handle_eof(), end);
        assert_eq!(client.frames(), [], "nobody listens any more");
    }
}

/// [MQTT-6.0.0-2]
///
/// Borders of frames mean nothing to packets.
#[test]
fn case_30_packets_and_frames_end_where_they_like() {
    let packet = publish(b"over frames");
    let expected = (vec![message(b"over frames")], vec![]);
    for cut in 0..=packet.len() {
        let bytes = [frame(0x82, &packet[..cut]), frame(0x82, &packet[cut..])].concat();
        assert_eq!(outcome(&bytes), expected, "messages cut at {cut}");
        let bytes = [frame(0x02, &packet[..cut]), frame(0x80, &packet[cut..])].concat();
        assert_eq!(outcome(&bytes), expected, "fragments cut at {cut}");
    }
    let single: Vec<u8> = packet.iter().flat_map(|byte| frame(0x82, [*byte])).collect();
    assert_eq!(outcome(&single), expected);
    let payloads: Vec<[u8; 1]> = (0..100).map(|payload| [payload]).collect();
    let hundred: Vec<u8> = payloads.iter().flat_map(|payload| publish(payload)).collect();
    let messages: Vec<Heard> = payloads.iter().map(|payload| message(payload)).collect();
    assert!(hundred.len() > 512, "a frame longer than the receive buffer");
    assert_eq!(outcome(&frame(0x82, &hundred)), (messages, vec![]));
}

/// RFC 6455 §5.3, §10.3
#[test]
fn case_31_frame_half_out_goes_on_with_its_key() {
    for room in [TRANSMIT_MIN, 132, 200, 500, 4096] {
        let mut client = Client::open(512);
        let payload: Vec<u8> = (0..=255).cycle().take(1000).collect();
        client.session.publish(&Message::new("t", &payload, Qos::AtMostOnce)).unwrap();
        client.session.publish(&Message::new("t", b"second", Qos::AtMostOnce)).unwrap();
        let before = client.keys;
        let first = client.sent(room);
        // A ping in the midst of a frame is answered behind it.
        assert_eq!(client.give(&[&frame(0x89, b"p")]), []);
        let mut bytes = first.clone();
        loop {
            let sent = client.sent(room);
            bytes.extend_from_slice(&sent);
            if sent.is_empty() {
                break;
            }
        }
        let seen = crate::deframer::record(Role::Server, &[&bytes], 1 << 16);
        let pong = seen.iter().position(|seen| *seen == Seen::Pong(b"p".to_vec()));
        assert!(pong > Some(0), "{room}: {pong:?}");
        let data: Vec<&Seen> = seen.iter().filter(|seen| matches!(seen, Seen::Binary(_))).collect();
        let [Seen::Binary(long), Seen::Binary(short)] = data[..] else { panic!("{seen:?}") };
        assert!(long.ends_with(&payload) && short.ends_with(b"second"));
        let keys = keys(&bytes);
        assert_eq!(client.keys - before, 3, "one key for each frame, however it was cut");
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2], "{keys:?}");
    }
}

/// The keys of all frames, one after the other.
fn keys(mut bytes: &[u8]) -> Vec<[u8; 4]> {
    let mut keys = Vec::new();
    while let Some((header, len)) = Header::decode(bytes).unwrap() {
        keys.extend(header.mask);
        bytes = &bytes[len + usize::try_from(header.len).unwrap()..];
    }
    assert!(bytes.is_empty());
    keys
}

/// What is too small is said at once; the least is enough for the upgrade, and for what fills it.
#[test]
fn case_32_client_in_the_least_memory() {
    let mut session = Session::<_, 4>::new([0; 256], Config::new());
    let transport = Transport::WebSocket(Request::new("h", &"/", &[]).unwrap());
    let now = Instant::default();
    let opening = Opening { transport, connect: Connect::new("c"), deadline: now.after(1_000) };
    for room in [0, 1, RECEIVE_MIN - 1] {
        let entropy = &mut |bytes: &mut [u8]| bytes.fill(0);
        let opened = Connection::open(&mut session, vec![0; room], opening, now, entropy);
        assert_eq!(opened.err(), Some(OpenError::BufferTooSmall));
    }
    let full = publish(&[b'x'; RECEIVE_MIN - 5]);
    assert_eq!(full.len(), RECEIVE_MIN);
    let bytes = [frame(0x82, &full), frame(0x82, &full)].concat();
    every_cut(&bytes, |parts| {
        let mut client = Client::open(RECEIVE_MIN);
        let heard = client.give(parts);
        assert_eq!(heard, vec![message(&[b'x'; RECEIVE_MIN - 5]); 2]);
        assert_eq!(client.sent(0), [0_u8; 0]);
    });
    let mut longer = full;
    longer[1] += 1;
    longer.push(b'x');
    let mut client = Client::open(RECEIVE_MIN);
    let heard = client.give(&[&frame(0x82, &longer)]);
    assert!(matches!(heard[..], [Heard::Ended(Error::Misbehaved(_))]), "{heard:?}");
    assert_eq!(client.frames(), [close(CloseCode::TOO_BIG)]);
}

/// RFC 6455 §5.5.2, §7.1.1
///
/// A pong goes out at once, for a server hangs up ten seconds after its ping; nothing else is waited for
/// without end.
#[test]
fn case_33_silence_has_an_end() {
    let mut client = Client::open(512);
    client.give(&[&frame(0x89, b"p")]);
    assert_eq!(client.frames(), [Seen::Pong(b"p".to_vec())]);
    // Nobody says anything: PINGREQ, and the end.
    let asked = client.connection.next_deadline().unwrap();
    assert!(asked.since(client.now) <= u64::from(KEEP_ALIVE_S) * 1_000);
    client.now = asked;
    assert_eq!(client.connection.handle_timeout(client.now), Ok(()));
    assert_eq!(client.frames(), [binary([0xc0, 0])]);
    let late = client.connection.next_deadline().unwrap();
    assert!(late.since(asked) <= PING_TIMEOUT_MAX_MS);
    client.now = late;
    let timed_out = Error::TimedOut(Stage::Pingresp);
    assert_eq!(client.connection.handle_timeout(client.now), Err(timed_out));
    assert_eq!(client.frames(), [close(CloseCode::GOING_AWAY)]);
    // The server does not answer a Close.
    let mut client = Client::open(512);
    client.session.disconnect(ReasonCode::SUCCESS);
    client.frames();
    assert_eq!(client.connection.next_deadline(), Some(client.now.after(CLOSE_TIMEOUT_MS)));
    client.now = client.now.after(CLOSE_TIMEOUT_MS);
    let closed = Error::Closed(Closed::Local);
    assert_eq!(client.connection.handle_timeout(client.now), Err(closed));
    // The server does not answer the request.
    let mut client = Client::asking(512);
    client.sent(512);
    client.now = client.connection.next_deadline().unwrap();
    let timed_out = Error::TimedOut(Stage::Upgrade);
    assert_eq!(client.connection.handle_timeout(client.now), Err(timed_out));
    assert_eq!(client.frames(), []);
}
