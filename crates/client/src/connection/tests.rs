use super::*;
use crate::{
    AckMode, CLOSE_TIMEOUT_MS, Config, Connect, Malformed, Message, Misbehaved, Qos, ReasonCode,
    Refused, Resumption, TRANSMIT_MIN, mqtt,
};
use core::num::{NonZeroU16, NonZeroU32};
use dunlin_mqtt::{Property, Version};
use std::{string::String, vec, vec::Vec};

pub(super) mod examined;
mod five;
mod keeping;
mod oversize;
mod refused;
mod relay;
mod states;
mod streaming;
mod timing;

const KEEP_ALIVE_S: u16 = 60;
const KEEP_ALIVE_MS: u64 = 60_000;

/// By when a connection must be open, in milliseconds.
const OPENING_MS: u64 = 10_000;

const CONNACK: &[u8] = &[0x20, 2, 0, 0];
const PINGREQ: &[u8] = &[0xc0, 0];
const PINGRESP: &[u8] = &[0xd0, 0];

/// A client whose masks are zero, so that what it sends can be read.
struct Client<B, A = [u8; 0]> {
    session: Session<Vec<u8>, 2>,
    connection: Connection<'static, B, A>,
    now: Instant,
}

fn client(framed: bool, config: Config) -> Client<Vec<u8>> {
    with_memory(framed, config, vec![0; 512]).unwrap()
}

fn with_memory<B: Buffer>(framed: bool, config: Config, rx: B) -> Result<Client<B>, OpenError> {
    asking(framed, config, rx, &[])
}

/// A client whose CONNECT has these properties.
fn asking<B: Buffer>(
    framed: bool,
    config: Config,
    rx: B,
    properties: &'static [Property<'static>],
) -> Result<Client<B>, OpenError> {
    let mut session = Session::new(vec![0; 5_000], config);
    let now = Instant::from_millis(1_000_000);
    let connect = Connect {
        version: config.version,
        client_id: "c",
        clean_session: false,
        properties: Properties::new(properties),
        keep_alive_s: KEEP_ALIVE_S,
        user_name: None,
        password: None,
        will: None,
    };
    let request = ws::Request::new("h", &"/mqtt", &[]).unwrap();
    let transport = if framed { Transport::WebSocket(request) } else { Transport::Stream };
    let opening = Opening { transport, connect, deadline: now.after(OPENING_MS) };
    let zero = &mut |bytes: &mut [u8]| bytes.fill(0);
    let connection = Connection::open(&mut session, rx, opening, now, zero)?;
    Ok(Client { session, connection, now })
}

/// A client that has been accepted.
fn open(framed: bool, config: Config) -> Client<Vec<u8>> {
    let mut client = client(framed, config);
    client.upgrade();
    client.give(accepted(config.version));
    assert_eq!(client.events(), ["Connected { resumption: New, properties: [] }"]);
    client
}

/// CONNACK with success and nothing else.
const fn accepted(version: Version) -> &'static [u8] {
    match version {
        Version::V3 => CONNACK,
        Version::V5 => &[0x20, 3, 0, 0, 0],
    }
}

impl<B: Buffer, A: Buffer> Client<B, A> {
    /// Has the upgrade answered, where there is one, and CONNECT sent.
    fn upgrade(&mut self) {
        if self.connection.wire.is_upgrading() {
            let request = self.sent();
            let mut server = Inbox::new(vec![0; 1024]);
            server.receive(&request);
            let mut acceptance = ws::Acceptance::new("mqtt");
            assert_eq!(acceptance.poll(&mut server), Ok(true));
            let mut answer = [0; 300];
            let len = acceptance.poll_transmit(&mut answer);
            self.give_raw(&answer[..len]);
            assert_eq!(self.events(), [] as [&str; 0]);
        }
        assert!(!self.sent().is_empty());
    }

    /// Stream bytes from the server, in a frame where there are frames.
    fn give(&mut self, bytes: &[u8]) {
        match self.connection.wire {
            Wire::Stream => self.give_raw(bytes),
            _ => self.give_raw(&frame(0x82, bytes)),
        }
    }

    fn give_raw(&mut self, bytes: &[u8]) {
        let taken = self.connection.receive(bytes);
        assert!(taken > 0, "no room");
        if taken < bytes.len() {
            assert_eq!(self.poll(), Ok(None));
            self.give_raw(&bytes[taken..]);
        }
    }

    fn poll(&mut self) -> Result<Option<Event<'_>>, Error> {
        self.connection.poll(&mut self.session, self.now)
    }

    /// All events, in words.
    fn events(&mut self) -> Vec<String> {
        let mut events = Vec::new();
        while let Some(event) = self.poll().unwrap() {
            events.push(match event {
                Event::Message { message, .. } => std::format!("Message({:?})", message.payload),
                other => std::format!("{other:?}"),
            });
        }
        events
    }

    /// All that is to be sent.
    fn sent(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(part) = self.sent_once() {
            bytes.extend_from_slice(&part);
        }
        bytes
    }

    fn sent_once(&mut self) -> Option<Vec<u8>> {
        let mut out = [0xee; TRANSMIT_MIN];
        let zero = &mut |bytes: &mut [u8]| bytes.fill(0);
        let len = self.connection.poll_transmit(&mut self.session, self.now, zero, &mut out)?;
        Some(out[..len].to_vec())
    }

    fn pass(&mut self, ms: u64) -> Result<(), Error> {
        self.now = self.now.after(ms);
        self.connection.handle_timeout(self.now)
    }

    /// Lets time pass to the next deadline, and returns how long that was.
    fn pass_to_deadline(&mut self) -> (u64, Result<(), Error>) {
        let ms = self.connection.next_deadline().unwrap().since(self.now);
        (ms, self.pass(ms))
    }

    /// The connection has failed for good, and says this last.
    fn assert_ends(&mut self, error: Error, last: &[u8]) {
        assert_eq!(self.poll(), Err(error));
        assert_eq!(self.poll(), Err(error), "the same error for ever");
        self.give_raw(&frame(0x89, b"ping")[..1]);
        assert_eq!(self.poll(), Err(error));
        assert_eq!(self.connection.handle_timeout(self.now), Err(error));
        assert_eq!(self.connection.next_deadline(), None);
        assert_eq!(self.sent(), last, "{error:?}");
        assert_eq!(self.sent(), [0; 0], "RFC 6455 §5.5.1: one Close");
        assert_eq!(self.connection.handle_eof(), error);
        assert_eq!(self.sent(), [0; 0]);
    }
}

/// A frame of a server.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len();
    let mut bytes = match len {
        0..=125 => vec![first, len as u8],
        _ => vec![first, 126, (len >> 8) as u8, len as u8],
    };
    bytes.extend_from_slice(payload);
    bytes
}

/// A frame of a client whose masks are zero.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = frame(first, payload);
    let header = bytes.len() - payload.len();
    bytes[1] |= 0x80;
    bytes.splice(header..header, [0; 4]);
    bytes
}

/// A Close of a client.
fn close(code: u16) -> Vec<u8> {
    masked(0x88, &code.to_be_bytes())
}

/// A message of QoS 1 from the server.
fn message(id: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x32, 5 + payload.len() as u8, 0, 1, b't', 0, id];
    bytes.extend_from_slice(payload);
    bytes
}

/// [MQTT-6.0.0-1], v3.1.1: [MQTT-6.0.0-1]
#[test]
fn text_frame_ends_the_connection_with_1003() {
    // Text, no text from the third byte on, and a character that does not end.
    for payload in [CONNACK, b"ab\xff", b"\xc3"] {
        let bytes = frame(0x81, payload);
        for cut in 1..=bytes.len() {
            let mut client = open(true, Config::new());
            client.give_raw(&bytes[..cut]);
            if client.poll() == Ok(None) {
                client.give_raw(&bytes[cut..]);
            }
            client.assert_ends(Error::Misbehaved(Misbehaved::TextFrame), &close(1003));
        }
    }
}

#[test]
fn malformed_packet_ends_the_connection_on_both_transports() {
    let error = Error::Malformed(Malformed::Packet(mqtt::Malformed::Topic));
    for (framed, last) in [(true, &close(1002)[..]), (false, &[])] {
        let mut client = open(framed, Config::new());
        client.give(&[0x30, 3, 0, 1, b'+']);
        client.assert_ends(error, last);
    }
    let mut client = open(true, Config::new());
    client.give_raw(&[0xc2]);
    client.assert_ends(ws::Malformed::ReservedBits.into(), &close(1002));
}

/// v3.1.1: [MQTT-4.8.0-2]
#[test]
fn packet_larger_than_the_buffer_ends_the_connection_at_its_header() {
    let room = 512;
    for (framed, last) in [(true, &close(1009)[..]), (false, &[])] {
        let packet = |len: usize| [0x30, 0x80 | (len % 128) as u8, (len / 128) as u8];
        let mut client = open(framed, Config::new());
        client.give(&packet(room - 3));
        assert_eq!(client.poll(), Ok(None));
        let mut client = open(framed, Config::new());
        client.give(&packet(room - 2));
        client.assert_ends(mqtt::Misbehaved::PacketTooLarge.into(), last);
    }
}

#[test]
fn packet_as_large_as_the_buffer_comes_through_frames_of_one_byte() {
    let mut client = open(true, Config::new());
    let payload = [7; 512 - 6];
    let head = [0x30, 0x80 | (509 % 128) as u8, 3, 0, 1, b't'];
    for byte in head.iter().chain(&payload) {
        assert_eq!(client.poll(), Ok(None));
        client.give(&[*byte]);
    }
    assert_eq!(client.events(), [std::format!("Message({payload:?})")]);
}

#[test]
fn refusing_connack_ends_the_connection_with_its_reason() {
    for code in 1..=5 {
        let mut client = client(true, Config::new());
        client.upgrade();
        client.give(&[0x20, 2, 0, code]);
        let reason = ReasonCode::from_connack(code).unwrap();
        client.assert_ends(Error::Refused(Refused::Connect(reason)), &close(1000));
    }
}

const REFUSAL: &[u8] = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\ndenied";

fn is_403(error: Error) -> bool {
    matches!(error, Error::Refused(Refused::Upgrade(status)) if status.get() == 403)
}

#[test]
fn refusal_in_any_number_of_pieces_is_a_refusal() {
    for cut in 1..REFUSAL.len() {
        let mut client = client(true, Config::new());
        client.sent();
        client.give_raw(&REFUSAL[..cut]);
        assert_eq!(client.poll(), Ok(None), "cut at {cut}");
        client.give_raw(&REFUSAL[cut..]);
        let error = client.poll().unwrap_err();
        assert!(is_403(error), "cut at {cut}: {error}");
        assert_eq!(client.connection.refusal().unwrap().status().get(), 403);
        client.assert_ends(error, &[]);
    }
}

#[test]
fn refusal_whose_body_does_not_come_is_a_refusal_at_the_deadline() {
    let mut client = client(true, Config::new());
    client.sent();
    client.give_raw(&REFUSAL[..REFUSAL.len() - 1]);
    assert_eq!(client.poll(), Ok(None));
    let error = client.pass(OPENING_MS).unwrap_err();
    assert!(is_403(error), "{error}");
    assert!(client.connection.refusal().is_some());
}

/// v3.1.1: [MQTT-3.14.4-1]
#[test]
fn good_bye_over_frames_waits_for_the_close_of_the_peer() {
    let mut client = open(true, Config::new());
    client.session.publish(&Message::new("t", b"", Qos::AtMostOnce)).unwrap();
    client.session.disconnect(ReasonCode::SUCCESS);
    let expected =
        [masked(0x82, b"\x30\x03\0\x01t"), masked(0x82, &[0xe0, 0]), close(1000)].concat();
    assert_eq!(client.sent(), expected);
    client.give(&message(1, b"late"));
    assert_eq!(client.events().len(), 1);
    assert_eq!(client.sent(), [0; 0], "nothing behind the Close");
    client.give_raw(&frame(0x88, &[3, 0xe8]));
    client.assert_ends(Error::Closed(Closed::Local), &[]);
}

/// Messages that cannot be acknowledged any more are in nobody's way.
#[test]
fn good_bye_of_the_peer_is_read_behind_any_number_of_messages() {
    for (first, pubrel) in [(0x32, false), (0x34, false), (0x34, true)] {
        let mut client = open(true, Config::new());
        client.session.disconnect(ReasonCode::SUCCESS);
        client.sent();
        let (mut heard, mut answers) = (0, 0);
        for id in 1..=200 {
            let mut packet = message(id, b"late");
            packet[0] = first;
            client.give(&packet);
            heard += client.events().len();
            if pubrel {
                client.give(&[0x62, 2, 0, id]);
                heard += client.events().len();
            }
            answers += client.sent().len();
        }
        assert!((1..200).contains(&heard), "as many as can be kept in mind: {heard}");
        assert_eq!(answers, 0, "nothing behind the Close");
        client.give_raw(&frame(0x88, &[3, 0xe8]));
        client.assert_ends(Error::Closed(Closed::Local), &[]);
    }
}

#[test]
fn good_bye_that_is_not_answered_ends_by_itself() {
    let mut client = open(true, Config::new());
    client.session.disconnect(ReasonCode::SUCCESS);
    client.sent();
    let (ms, outcome) = client.pass_to_deadline();
    assert_eq!(ms, CLOSE_TIMEOUT_MS);
    assert_eq!(outcome, Err(Error::Closed(Closed::Local)));
    client.assert_ends(Error::Closed(Closed::Local), &[]);
}

/// [MQTT-3.14.4-2], v3.1.1: [MQTT-3.14.4-1]
#[test]
fn good_bye_over_a_bare_stream_ends_at_once() {
    for version in [Version::V3, Version::V5] {
        let mut client = open(false, Config::new().version(version));
        client.session.disconnect(ReasonCode::SUCCESS);
        assert_eq!(client.poll(), Ok(None));
        assert_eq!(client.sent(), [0xe0, 0]);
        client.assert_ends(Error::Closed(Closed::Local), &[]);
    }
}

/// [MQTT-6.0.0-3] [MQTT-6.0.0-4], v3.1.1: [MQTT-6.0.0-3] [MQTT-6.0.0-4]
#[test]
fn subprotocol_mqtt_is_offered_and_no_other_accepted() {
    for version in [Version::V3, Version::V5] {
        for (protocol, fits) in [("mqtt", true), ("mqttv3.1", false), ("chat", false)] {
            let mut client = client(true, Config::new().version(version));
            let request = String::from_utf8(client.sent()).unwrap();
            assert!(request.contains("\r\nSec-WebSocket-Protocol: mqtt\r\n"), "{request}");
            // The answer to a key of zeros.
            let mut server = Inbox::new(vec![0; 1024]);
            server.receive(request.as_bytes());
            let mut acceptance = ws::Acceptance::new("mqtt");
            assert_eq!(acceptance.poll(&mut server), Ok(true));
            let mut answer = [0; 300];
            let len = acceptance.poll_transmit(&mut answer);
            let answer = String::from_utf8(answer[..len].to_vec()).unwrap();
            let changed =
                answer.replace("Protocol: mqtt\r\n", &std::format!("Protocol: {protocol}\r\n"));
            assert_eq!(changed != answer, !fits);
            client.give_raw(changed.as_bytes());
            match client.poll() {
                Ok(event) => assert!(fits && event.is_none(), "{protocol}"),
                Err(error) => {
                    assert!(!fits && matches!(error, Error::Malformed(Malformed::Upgrade(_))));
                }
            }
        }
    }
}

#[test]
fn close_of_the_peer_is_echoed_and_its_reason_kept() {
    let mut client = open(true, Config::new());
    client.give_raw(&frame(0x88, b"\x03\xf0no"));
    let code = ws::CloseCode::new(1008);
    assert_eq!(client.poll(), Err(Error::Closed(Closed::Peer(code))));
    assert_eq!(client.connection.close_reason(), b"no");
    client.assert_ends(Error::Closed(Closed::Peer(code)), &close(1008));
    let mut client = open(true, Config::new());
    client.give_raw(&frame(0x88, b""));
    client.assert_ends(Error::Closed(Closed::Peer(None)), &close(1000));
}

#[test]
fn end_of_the_transport_says_how_far_it_had_come() {
    for framed in [true, false] {
        let mut early = client(framed, Config::new());
        let error = early.connection.handle_eof();
        if framed {
            assert_eq!(error, ws::UpgradeError::NoResponse.into());
        } else {
            assert_eq!(error, Error::Closed(Closed::Eof(Stage::Connack)));
        }
        early.assert_ends(error, &[]);
        let mut waiting = client(framed, Config::new());
        waiting.upgrade();
        let error = Error::Closed(Closed::Eof(Stage::Connack));
        assert_eq!(waiting.connection.handle_eof(), error);
        let mut open = open(framed, Config::new());
        let error = Error::Closed(Closed::Eof(Stage::Open));
        assert_eq!(open.connection.handle_eof(), error);
        open.assert_ends(error, &[]);
        open.session.disconnect(ReasonCode::SUCCESS);
    }
}

/// RFC 6455 §5.5: a control frame goes between frames, never into one.
#[test]
fn pong_and_ping_wait_for_the_end_of_the_frame_that_is_half_out() {
    let mut client = open(true, Config::new());
    let payload = [0x55; 300];
    client.session.publish(&Message::new("t", &payload, Qos::AtMostOnce)).unwrap();
    let mut bytes = client.sent_once().unwrap();
    client.give_raw(&frame(0x89, b"first"));
    client.give_raw(&frame(0x89, &[9; 125]));
    assert_eq!(client.events(), [] as [&str; 0]);
    client.pass_to_deadline().1.unwrap();
    bytes.extend(client.sent());
    let mut packet = b"\x30\xaf\x02\0\x01t".to_vec();
    packet.extend_from_slice(&payload);
    let frames = [masked(0x82, &packet), masked(0x8a, &[9; 125]), masked(0x82, PINGREQ)];
    assert_eq!(bytes, frames.concat(), "only the latest ping is answered");
}

/// Memory that begins with nothing.
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

#[test]
fn memory_that_grows_from_nothing_follows_what_has_come() {
    for framed in [true, false] {
        let mut client = with_memory(framed, Config::new(), Growing(Vec::new())).unwrap();
        assert!(client.connection.spare().len() >= RECEIVE_MIN);
        client.upgrade();
        client.give(CONNACK);
        client.events();
        let before = client.connection.inbox.capacity();
        client.give(&[0x30, 0x80 | (900 % 128) as u8, 7]);
        assert_eq!(client.poll(), Ok(None));
        client.connection.spare();
        let after = client.connection.inbox.capacity();
        assert!(after <= before * 2, "{before} to {after}: a length field costs nothing");
    }
    let small = with_memory(true, Config::new(), [0; RECEIVE_MIN - 1]);
    assert!(matches!(small, Err(OpenError::BufferTooSmall)));
}

#[test]
fn message_counts_as_delivered_at_the_next_poll() {
    let mut client = open(true, Config::new());
    client.give(&message(7, b"x"));
    assert!(client.poll().unwrap().is_some());
    assert_eq!(client.sent(), [0; 0], "the program still has it");
    assert_eq!(client.poll(), Ok(None));
    assert_eq!(client.sent(), masked(0x82, &[0x40, 2, 0, 7]));
}

#[test]
fn message_that_finds_no_place_for_its_acknowledgement_waits() {
    let mut client = open(true, Config::new());
    let all: Vec<u8> = (1..=5).flat_map(|id| message(id, &[id])).collect();
    client.give(&all);
    assert_eq!(client.events(), ["Message([1])", "Message([2])"]);
    assert_eq!(client.sent().len(), 2 * 10);
    assert_eq!(client.events(), ["Message([3])", "Message([4])"]);
    client.sent();
    assert_eq!(client.events(), ["Message([5])"]);
}

/// Open, with a message of QoS 1 that is not acknowledged.
fn in_flight(framed: bool, version: Version) -> Client<Vec<u8>> {
    let mut client = open(framed, Config::new().version(version));
    assert_eq!(Config::new().ack_mode, AckMode::Automatic);
    client.session.publish(&Message::new("t", b"", Qos::AtLeastOnce)).unwrap();
    client.sent();
    client
}

#[test]
fn session_that_the_server_kept_is_resumed_with_duplicates() {
    let mut first = in_flight(true, Version::V3);
    let before = first.session.in_flight();
    let mut second = client(true, Config::new());
    core::mem::swap(&mut first.session, &mut second.session);
    second.session.handle_open(&Connect { clean_session: false, ..Connect::new("c") });
    second.upgrade();
    assert_eq!(second.sent(), [0; 0], "nothing before CONNACK");
    second.give(&[0x20, 2, 1, 0]);
    assert_eq!(
        second.events(),
        [std::format!("Connected {{ resumption: {:?}, properties: [] }}", Resumption::Resumed)]
    );
    assert_eq!(second.sent(), masked(0x82, b"\x3a\x05\0\x01t\0\x01"));
    assert_eq!(second.session.in_flight(), before);
}
