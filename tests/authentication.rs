//! SCRAM-SHA-256 (RFC 5802, RFC 7677) over MQTT 5: what an `Authenticator` looks like, and that a
//! connection carries it, at its beginning and again while it stands.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "host code: a test may panic"
)]

use base64::{Engine, engine::general_purpose::STANDARD};
use dunlin::{
    AuthenticateError, Authenticator, Config, Connect, Connection, Denied, Event, Instant, Message,
    Opening, Properties, Property, Qos, ReasonCode, Session, Transport, Version, authenticate,
    mqtt::{Auth, Connack, Disconnect, Packet, SendError},
    octet::{Sink, Text},
    re_authenticate,
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

const METHOD: &str = "SCRAM-SHA-256";

/// The example of RFC 7677 §3.
const CLIENT_NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
const CLIENT_FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                            s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const CLIENT_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                            p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

/// The client's half of SCRAM-SHA-256, without channel binding.
struct Scram {
    user: &'static str,
    password: &'static str,
    nonce: &'static str,
    /// What the server must prove with; known once it has said salt and count.
    expected: Option<[u8; 32]>,
}

impl Scram {
    const fn new(password: &'static str) -> Self {
        Self { user: "user", password, nonce: CLIENT_NONCE, expected: None }
    }

    fn first(&self) -> String {
        format!("n={},r={}", self.user, self.nonce)
    }

    /// The client's last words, and what the server must answer.
    fn last(&self, challenge: &str) -> Option<(String, [u8; 32])> {
        let field = |name: &str| challenge.split(',').find_map(|field| field.strip_prefix(name));
        let (nonce, salt, count) = (field("r=")?, field("s=")?, field("i=")?);
        if !nonce.starts_with(self.nonce) || nonce.len() == self.nonce.len() {
            return None;
        }
        let salted = salted(self.password, &STANDARD.decode(salt).ok()?, count.parse().ok()?);
        let client_key = hmac(&salted, b"Client Key");
        let unproved = format!("c=biws,r={nonce}");
        let words = format!("{},{challenge},{unproved}", self.first());
        let signature = hmac(&Sha256::digest(client_key), words.as_bytes());
        let proof: Vec<u8> =
            client_key.iter().zip(signature).map(|(key, signature)| key ^ signature).collect();
        let server = hmac(&hmac(&salted, b"Server Key"), words.as_bytes());
        Some((format!("{unproved},p={}", STANDARD.encode(proof)), server))
    }
}

impl Authenticator for Scram {
    fn method(&self) -> &str {
        METHOD
    }

    fn begin(&mut self, out: &mut [u8]) -> Result<Option<usize>, Denied> {
        put(&format!("n,,{}", self.first()), out).map(Some)
    }

    fn answer(&mut self, challenge: &[u8], out: &mut [u8]) -> Result<usize, Denied> {
        let challenge = str::from_utf8(challenge).map_err(|_| Denied)?;
        let (last, expected) = self.last(challenge).ok_or(Denied)?;
        self.expected = Some(expected);
        put(&last, out)
    }

    fn finish(&mut self, data: &[u8]) -> Result<(), Denied> {
        let proof = data.strip_prefix(b"v=").and_then(|proof| STANDARD.decode(proof).ok());
        let expected = self.expected.take().ok_or(Denied)?;
        if proof.as_deref() == Some(&expected) { Ok(()) } else { Err(Denied) }
    }
}

fn put(text: &str, out: &mut [u8]) -> Result<usize, Denied> {
    out.get_mut(..text.len()).ok_or(Denied)?.copy_from_slice(text.as_bytes());
    Ok(text.len())
}

fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().into()
}

/// PBKDF2 with one block (RFC 5802 §2.2, `Hi`).
fn salted(password: &str, salt: &[u8], count: u32) -> [u8; 32] {
    let mut block = hmac(password.as_bytes(), &[salt, &[0, 0, 0, 1]].concat());
    let mut sum = block;
    for _ in 1..count {
        block = hmac(password.as_bytes(), &block);
        sum.iter_mut().zip(block).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

/// RFC 7677 §3
#[test]
fn scram_says_what_the_example_of_the_standard_says() {
    let mut scram = Scram::new("pencil");
    let mut out = [0; 200];
    let len = scram.begin(&mut out).unwrap().unwrap();
    assert_eq!(&out[..len], CLIENT_FIRST.as_bytes());
    let len = scram.answer(SERVER_FIRST.as_bytes(), &mut out).unwrap();
    assert_eq!(&out[..len], CLIENT_FINAL.as_bytes());
    scram.finish(SERVER_FINAL.as_bytes()).unwrap();
    assert_eq!(scram.answer(b"r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1", &mut out), Err(Denied));
}

/// A client that authenticates, and the server's end of its stream.
struct Talk<'o> {
    session: Session<Vec<u8>, 4>,
    connection: Connection<'o, Vec<u8>>,
    scram: Scram,
}

const NOW: Instant = Instant::from_millis(0);

fn entropy(bytes: &mut [u8]) {
    bytes.fill(0);
}

/// The properties of one step.
fn step(data: &'static str) -> [Property<'static>; 2] {
    [Property::AuthenticationMethod(METHOD), Property::AuthenticationData(data.as_bytes())]
}

impl<'o> Talk<'o> {
    fn new(password: &'static str, properties: &'o [Property<'o>]) -> Self {
        let mut session = Session::new(vec![0; 1_000], Config::new().version(Version::V5));
        let connect = Connect {
            version: Version::V5,
            properties: Properties::new(properties),
            ..Connect::new("c")
        };
        let opening = Opening { transport: Transport::Stream, connect, deadline: NOW.after(1) };
        let connection =
            Connection::open(&mut session, vec![0; 1_000], opening, NOW, &mut entropy).unwrap();
        let mut scram = Scram::new(password);
        scram.begin(&mut [0; 200]).unwrap();
        Self { session, connection, scram }
    }

    /// Hands over each packet that the client sends.
    fn sent(&mut self, mut see: impl FnMut(Packet<'_>)) {
        let mut bytes = Vec::new();
        let mut out = [0; 300];
        while let Some(len) =
            self.connection.poll_transmit(&mut self.session, NOW, &mut entropy, &mut out)
        {
            bytes.extend_from_slice(&out[..len]);
        }
        let mut rest = &bytes[..];
        while let Some((packet, len)) = Packet::decode_front(Version::V5, rest).unwrap() {
            see(packet);
            rest = &rest[len..];
        }
    }

    /// The server says something; returns what the authentication makes of it.
    fn hear(&mut self, packet: Packet<'_>) -> Result<bool, AuthenticateError> {
        let mut bytes = Bytes(Vec::new());
        packet.with(Version::V5).write(&mut bytes);
        assert_eq!(self.connection.receive(&bytes.0), bytes.0.len());
        let event = self.connection.poll(&mut self.session, NOW).unwrap().unwrap();
        authenticate(&mut self.session, &mut self.scram, &event, &mut [0; 200])?;
        Ok(matches!(event, Event::Connected { .. }))
    }

    /// The client says exactly this AUTH.
    fn assert_says(&mut self, reason: ReasonCode, data: &'static str) {
        let mut packets = 0;
        self.sent(|packet| {
            let expected = step(data);
            let properties = Properties::new(&expected);
            assert_eq!(packet, Packet::Auth(Auth { reason, properties }));
            packets += 1;
        });
        assert_eq!(packets, 1);
    }

    /// From CONNECT to CONNACK.
    fn connect(&mut self) -> Result<bool, AuthenticateError> {
        self.sent(|packet| assert!(matches!(packet, Packet::Connect(_)), "{packet:?}"));
        let challenge = step(SERVER_FIRST);
        let reason = ReasonCode::CONTINUE_AUTHENTICATION;
        self.hear(Packet::Auth(Auth { reason, properties: Properties::new(&challenge) }))?;
        self.assert_says(reason, CLIENT_FINAL);
        let proof = step(SERVER_FINAL);
        let properties = Properties::new(&proof);
        let reason = ReasonCode::SUCCESS;
        self.hear(Packet::Connack(Connack { session_present: false, reason, properties }))
    }
}

struct Bytes(Vec<u8>);

impl Sink for Bytes {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

/// [MQTT-3.1.2-30] [MQTT-4.12.0-2] [MQTT-4.12.0-3] [MQTT-4.12.0-5] [MQTT-4.12.1-1]
#[test]
fn scram_opens_a_connection_and_renews_it_while_messages_go_on() {
    let properties = step(CLIENT_FIRST);
    let mut talk = Talk::new("pencil", &properties);
    talk.session.publish(&Message::new("t", b"x", Qos::AtMostOnce)).unwrap();
    assert_eq!(talk.connect(), Ok(true));
    talk.sent(|packet| assert!(matches!(packet, Packet::Publish(_)), "{packet:?}"));

    re_authenticate(&mut talk.session, &mut talk.scram, &mut [0; 200]).unwrap();
    let again = re_authenticate(&mut talk.session, &mut talk.scram, &mut [0; 200]);
    assert_eq!(again, Err(AuthenticateError::Send(SendError::NotNow)), "one at a time");
    talk.assert_says(ReasonCode::RE_AUTHENTICATE, CLIENT_FIRST);
    let challenge = step(SERVER_FIRST);
    let reason = ReasonCode::CONTINUE_AUTHENTICATION;
    talk.hear(Packet::Auth(Auth { reason, properties: Properties::new(&challenge) })).unwrap();
    talk.session.publish(&Message::new("t", b"x", Qos::AtMostOnce)).unwrap();
    let mut kinds = Vec::new();
    talk.sent(|packet| kinds.push(packet.packet_type().first()));
    assert_eq!(kinds, [0xf0, 0x30]);
    let proof = step(SERVER_FINAL);
    let reason = ReasonCode::SUCCESS;
    talk.hear(Packet::Auth(Auth { reason, properties: Properties::new(&proof) })).unwrap();
    assert!(talk.session.is_open());
}

/// A server that cannot prove that it knows the password is not believed.
#[test]
fn server_without_the_password_is_denied() {
    let properties = step(CLIENT_FIRST);
    let mut talk = Talk::new("another", &properties);
    talk.sent(|packet| assert!(matches!(packet, Packet::Connect(_)), "{packet:?}"));
    let challenge = step(SERVER_FIRST);
    let reason = ReasonCode::CONTINUE_AUTHENTICATION;
    talk.hear(Packet::Auth(Auth { reason, properties: Properties::new(&challenge) })).unwrap();
    let proof = step(SERVER_FINAL);
    let properties = Properties::new(&proof);
    let reason = ReasonCode::SUCCESS;
    let connack = Connack { session_present: false, reason, properties };
    assert_eq!(talk.hear(Packet::Connack(connack)), Err(AuthenticateError::Denied));
}

/// [MQTT-4.12.1-2]
#[test]
fn server_that_refuses_another_authentication_ends_the_connection() {
    let properties = step(CLIENT_FIRST);
    let mut talk = Talk::new("pencil", &properties);
    assert_eq!(talk.connect(), Ok(true));
    re_authenticate(&mut talk.session, &mut talk.scram, &mut [0; 200]).unwrap();
    talk.sent(|_| {});
    let mut bytes = Bytes(Vec::new());
    let refusal = Disconnect::new(ReasonCode::NOT_AUTHORIZED);
    refusal.with(Version::V5).write(&mut bytes);
    talk.connection.receive(&bytes.0);
    let error = talk.connection.poll(&mut talk.session, NOW).unwrap_err();
    assert_eq!(error.to_string(), "the server ended the connection: not authorized (0x87)");
    assert!(!error.is_retryable());
    talk.sent(|packet| panic!("{packet:?}"));
}
