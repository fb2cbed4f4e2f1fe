//! A client that sends what it is told to: MQTT on a bare stream, with packets written by hand.

use std::sync::Arc;

use support::aws_iot::{AwsIot, ClientCertificate};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::common::within;

pub(crate) struct Raw {
    stream: TlsStream<TcpStream>,
    last_id: [u8; 2],
}

impl Raw {
    /// With a certificate, where AWS listens on 8883.
    pub(crate) async fn open(gateway: &AwsIot) -> Self {
        let certificate = Some(gateway.client_certificate());
        Self::open_as(gateway, gateway.mqtts_port(), certificate, None).await
    }

    pub(crate) async fn open_as(
        gateway: &AwsIot,
        port: u16,
        certificate: Option<&ClientCertificate>,
        alpn: Option<&str>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(gateway.ca_pem().as_bytes()).unwrap();
        roots.add(ca).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match certificate {
            Some(ClientCertificate { chain_pem, key_pem }) => {
                let chain = vec![CertificateDer::from_pem_slice(chain_pem.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).unwrap();
                config.with_client_auth_cert(chain, key).unwrap()
            }
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, tcp);
        let stream = within("a handshake", connecting).await.unwrap();
        Self { stream, last_id: [0; 2] }
    }

    /// The same, CONNECT sent and CONNACK read.
    pub(crate) async fn connected(gateway: &AwsIot, connect: &[u8]) -> Self {
        let mut raw = Self::open(gateway).await;
        raw.write(connect).await;
        let connack = raw.packet().await;
        assert_eq!((connack[0], connack[3]), (0x20, 0), "{connack:02x?}");
        raw
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        // Who was dropped already sees it when it reads.
        let _ = self.stream.write_all(bytes).await;
        let _ = self.stream.flush().await;
    }

    /// The next packet.
    pub(crate) async fn packet(&mut self) -> Vec<u8> {
        let reading = async {
            let mut packet = vec![self.stream.read_u8().await?, self.stream.read_u8().await?];
            assert!(packet[1] < 0x80, "no answer here is that long");
            packet.resize(2 + usize::from(packet[1]), 0);
            self.stream.read_exact(&mut packet[2..]).await.map(|_| packet)
        };
        let packet = within("a packet", reading).await.unwrap();
        // Messages of QoS 1 carry it behind their topic.
        if packet[0] == 0x32 {
            let at = 4 + usize::from(packet[3]);
            self.last_id = [packet[at], packet[at + 1]];
        }
        packet
    }

    /// The packet identifier of the last message.
    pub(crate) fn last_id(&self) -> [u8; 2] {
        self.last_id
    }

    /// What comes until the end.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let reading = async {
            // However the stream ends, it is the end.
            while matches!(self.stream.read_buf(&mut bytes).await, Ok(1..)) {}
        };
        within("the end", reading).await;
        bytes
    }
}

fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut length = body.len();
    while length > 0x7f {
        packet.push(length as u8 | 0x80);
        length >>= 7;
    }
    packet.push(length as u8);
    packet.extend(body);
    packet
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

/// CONNECT with a clean session.
pub(crate) fn connect(level: u8, client_id: &str, keep_alive_s: u16) -> Vec<u8> {
    let mut body = text("MQTT");
    body.extend([level, 2]);
    body.extend(keep_alive_s.to_be_bytes());
    body.extend((level == 5).then_some(0));
    body.extend(text(client_id));
    framed(0x10, &body)
}

/// CONNECT of MQTT 5 with these properties.
pub(crate) fn connect_5(client_id: &str, properties: &[u8]) -> Vec<u8> {
    let head = [&text("MQTT")[..], &[5, 2, 0, 60, properties.len() as u8], properties].concat();
    framed(0x10, &[head, text(client_id)].concat())
}

/// Adds a will to a CONNECT of MQTT 3.1.1.
pub(crate) fn with_will(connect: &[u8], topic: &str, qos: u8) -> Vec<u8> {
    let mut body = connect[2..].to_vec();
    body[7] |= 4 | qos << 3;
    body.extend(text(topic));
    body.extend(text("gone"));
    framed(0x10, &body)
}

/// Adds user name and password to a CONNECT of MQTT 3.1.1.
pub(crate) fn with_user(connect: &[u8], user: &str, password: &str) -> Vec<u8> {
    let mut body = connect[2..].to_vec();
    body[7] |= 0xc0;
    body.extend(text(user));
    body.extend(text(password));
    framed(0x10, &body)
}

/// PUBLISH of MQTT 3.1.1, with the identifier 1 above QoS 0.
pub(crate) fn publish(topic: &str, qos: u8, payload: &[u8]) -> Vec<u8> {
    let id: &[u8] = if qos > 0 { &[0, 1] } else { &[] };
    framed(0x30 | qos << 1, &[&text(topic), id, payload].concat())
}

/// PUBLISH of MQTT 5, with these properties.
pub(crate) fn publish_5(topic: &str, qos: u8, properties: &[u8]) -> Vec<u8> {
    let length = properties.len() as u8;
    framed(0x30 | qos << 1, &[&text(topic)[..], &[0, 1, length], properties].concat())
}

/// The same message, to be retained.
pub(crate) fn retained(publish: &[u8]) -> Vec<u8> {
    [&[publish[0] | 1], &publish[1..]].concat()
}

/// An empty message of QoS 1 as a subscriber gets it.
pub(crate) fn delivered(topic: &str, id: [u8; 2]) -> Vec<u8> {
    framed(0x32, &[&text(topic), &id[..]].concat())
}

/// SUBSCRIBE of MQTT 3.1.1.
pub(crate) fn subscribe(filters: &[(&str, u8)]) -> Vec<u8> {
    let filters = filters.iter().flat_map(|(filter, qos)| [text(filter), vec![*qos]].concat());
    framed(0x82, &[&[0, 1][..], &filters.collect::<Vec<u8>>()].concat())
}
