//! Enhanced authentication with the Tokio client (MQTT 5.0 §4.12): how steps go there and back.

use dunlin_tokio::dunlin::mqtt::{Auth, Connack, Packet};
use dunlin_tokio::dunlin::octet::{Sink, Text};
use dunlin_tokio::{
    Authenticator, Client, Denied, Error, Event, Options, Properties, Property, ReasonCode, Version,
};

use crate::common::within;
use crate::server::{Peer, Server};
use crate::{options, servers};

const METHOD: &str = "counting";

/// Each side says the next number, until the server says that it is done.
struct Counting;

impl Authenticator for Counting {
    fn method(&self) -> &str {
        METHOD
    }

    fn begin(&mut self, out: &mut [u8]) -> Result<Option<usize>, Denied> {
        out[0] = 1;
        Ok(Some(1))
    }

    fn answer(&mut self, challenge: &[u8], out: &mut [u8]) -> Result<usize, Denied> {
        let [number] = challenge else { return Err(Denied) };
        out[0] = number + 1;
        Ok(1)
    }

    fn finish(&mut self, data: &[u8]) -> Result<(), Denied> {
        if data == b"done" { Ok(()) } else { Err(Denied) }
    }
}

fn counting(server: &Server) -> Options {
    options(&server.url()).version(Version::V5).authenticator(|| Box::new(Counting))
}

struct Bytes(Vec<u8>);

impl Sink for Bytes {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

fn bytes(packet: Packet<'_>) -> Vec<u8> {
    let mut bytes = Bytes(Vec::new());
    packet.with(Version::V5).write(&mut bytes);
    bytes.0
}

fn auth(reason: ReasonCode, data: &[u8]) -> Vec<u8> {
    let step = [Property::AuthenticationMethod(METHOD), Property::AuthenticationData(data)];
    bytes(Packet::Auth(Auth { reason, properties: Properties::new(&step) }))
}

fn connack(data: &[u8]) -> Vec<u8> {
    let step = [Property::AuthenticationMethod(METHOD), Property::AuthenticationData(data)];
    let properties = Properties::new(&step);
    bytes(Packet::Connack(Connack {
        session_present: false,
        reason: ReasonCode::SUCCESS,
        properties,
    }))
}

/// From the connection to the last step before CONNACK.
async fn steps(server: &Server) -> Peer {
    let mut peer = server.accept().await;
    peer.upgrade().await;
    let connect = peer.packet().await;
    let Ok(Some((Packet::Connect(connect), _))) = Packet::decode_front(Version::V5, &connect)
    else {
        panic!("{connect:x?}");
    };
    assert_eq!(connect.properties.authentication_method(), Some(METHOD));
    assert_eq!(connect.properties.authentication_data(), Some(&[1][..]));
    for number in [2, 4] {
        peer.send_packet(&auth(ReasonCode::CONTINUE_AUTHENTICATION, &[number])).await;
        let answer = auth(ReasonCode::CONTINUE_AUTHENTICATION, &[number + 1]);
        assert_eq!(peer.packet().await, answer);
    }
    peer
}

/// [MQTT-4.12.0-5] [MQTT-4.12.1-1]
#[tokio::test]
async fn client_authenticates_in_steps_at_its_beginning_and_again() {
    for server in servers() {
        let (client, mut events) = Client::start(counting(&server));
        let mut peer = steps(&server).await;
        peer.send_packet(&connack(b"done")).await;
        while !matches!(within("CONNACK", events.recv()).await.unwrap(), Event::Connected(_)) {}
        client.re_authenticate().unwrap();
        assert_eq!(peer.packet().await, auth(ReasonCode::RE_AUTHENTICATE, &[1]));
        peer.send_packet(&auth(ReasonCode::CONTINUE_AUTHENTICATION, &[2])).await;
        assert_eq!(peer.packet().await, auth(ReasonCode::CONTINUE_AUTHENTICATION, &[3]));
        peer.send_packet(&auth(ReasonCode::SUCCESS, b"done")).await;
        let event = within("success", events.recv()).await.unwrap();
        assert!(matches!(event, Event::Authenticated), "{event:?}");
    }
}

/// A server that does not prove who it is ends the client before anything is sent to it.
#[tokio::test]
async fn server_that_is_denied_ends_the_client_and_says_why() {
    for server in servers() {
        let connecting = tokio::spawn(Client::connect(counting(&server)));
        let mut peer = steps(&server).await;
        peer.send_packet(&connack(b"not quite")).await;
        let error = within("the end", connecting).await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Authentication(_)), "{error:?}");
        assert!(error.to_string().contains("check the credentials"), "{error}");
        peer.end().await;
    }
}
