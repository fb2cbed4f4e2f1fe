//! A whole client that has been let in, with a server that says what it is told.

use crate::deframer::{Seen, record};
use crate::script::{GOOD, answer};
use dunlin::ws::{Request, Role};
use dunlin::{
    Config, Connect, Connection, Error, Event, Instant, Opening, Session, TRANSMIT_MIN, Transport,
};

/// How long the client lets a connection be silent, in seconds.
pub(crate) const KEEP_ALIVE_S: u16 = 60;

/// What the program hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Message(String, Vec<u8>),
    Other(String),
    Ended(Error),
}

pub(crate) struct Client {
    pub(crate) session: Session<Vec<u8>, 4>,
    pub(crate) connection: Connection<'static, Vec<u8>>,
    pub(crate) now: Instant,
    /// How many keys have been drawn; each is another.
    pub(crate) keys: u32,
}

impl Client {
    /// A client with a receive buffer of `room` bytes, whose CONNECT has been accepted.
    pub(crate) fn open(room: usize) -> Self {
        let mut client = Self::asking(room);
        let request = client.sent(512);
        let request = String::from_utf8(request).unwrap();
        assert_eq!(client.give(&[&answer(&request, GOOD.as_bytes())]), []);
        assert!(matches!(&client.frames()[..], [Seen::Binary(connect)] if connect[0] == 0x10));
        let heard = client.give(&[b"\x82\x04\x20\x02\x00\x00"]);
        assert!(matches!(&heard[..], [Heard::Other(event)] if event.starts_with("Connected")));
        client
    }

    /// A client whose request nobody has read.
    pub(crate) fn asking(room: usize) -> Self {
        let mut session = Session::new(vec![0; 8192], Config::new());
        let now = Instant::from_millis(1_000_000);
        let request = Request::new("broker.test", &"/mqtt", &[]).unwrap();
        let opening = Opening {
            transport: Transport::WebSocket(request),
            connect: Connect { keep_alive_s: KEEP_ALIVE_S, ..Connect::new("c") },
            deadline: now.after(10_000),
        };
        let nonce = &mut |bytes: &mut [u8]| bytes.fill(9);
        let rx = vec![0; room];
        let connection = Connection::open(&mut session, rx, opening, now, nonce).unwrap();
        Self { session, connection, now, keys: 0 }
    }

    /// Bytes from the server; what the program hears of them, up to the end.
    pub(crate) fn give(&mut self, parts: &[&[u8]]) -> Vec<Heard> {
        let mut heard = Vec::new();
        for part in parts {
            let mut rest = *part;
            while !rest.is_empty() && !matches!(heard.last(), Some(Heard::Ended(_))) {
                let len = self.connection.receive(rest);
                assert!(len > 0, "a read of no bytes");
                rest = &rest[len..];
                self.listen(&mut heard);
            }
        }
        heard
    }

    fn listen(&mut self, heard: &mut Vec<Heard>) {
        loop {
            heard.push(match self.connection.poll(&mut self.session, self.now) {
                Ok(None) => return,
                Ok(Some(Event::Message { message, .. })) => {
                    let topic = message.head.topic.to_owned();
                    Heard::Message(topic, message.payload.to_vec())
                }
                Ok(Some(event)) => Heard::Other(format!("{event:?}")),
                Err(error) => {
                    heard.push(Heard::Ended(error));
                    return;
                }
            });
        }
    }

    /// What it sends into a memory of `room` bytes, once.
    pub(crate) fn sent(&mut self, room: usize) -> Vec<u8> {
        let mut out = vec![0; room];
        let Self { session, connection, now, keys } = self;
        let entropy = &mut |bytes: &mut [u8]| {
            *keys += 1;
            bytes.iter_mut().zip(keys.to_le_bytes()).for_each(|(byte, key)| *byte = key);
        };
        let len = connection.poll_transmit(session, *now, entropy, &mut out);
        out.truncate(len.unwrap_or_default());
        out
    }

    /// All that it sends now, in pieces of the least size, as the server reads it.
    pub(crate) fn frames(&mut self) -> Vec<Seen> {
        let mut bytes = Vec::new();
        loop {
            let sent = self.sent(TRANSMIT_MIN);
            if sent.is_empty() {
                return record(Role::Server, &[&bytes], 1 << 16);
            }
            bytes.extend(sent);
        }
    }
}
