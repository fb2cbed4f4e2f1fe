//! The way between a client and the broker, with the rules in between.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Gateway;
use super::line::Line;
use super::packet::{LEVEL_5, Packet, framed};
use super::quirks::{Access, Quirks};
use super::record::{Breach, Side};
use super::rules::{Fate, Guest, Warrant};
use crate::bytes::packet_len;

/// What stands for "never" among deadlines.
const FAR: Duration = Duration::from_secs(86_400);

/// One connection behind its door.
pub(super) struct Pipe<'g> {
    gateway: &'g Gateway,
    number: usize,
    identity: Option<String>,
    guest: Guest,
    line: Line,
    broker: TcpStream,
    /// Whether CONNACK is kept back.
    withheld: bool,
    /// CONNACK on its way: when it is due.
    held: Option<(Instant, Vec<u8>)>,
    last_word: Instant,
}

/// What happened next.
enum Turn {
    Client(bool),
    Broker(bool),
    Timer,
    Cut,
}

impl<'g> Pipe<'g> {
    pub(super) async fn new(
        gateway: &'g Gateway,
        line: Line,
        warrant: Warrant,
        identity: Option<String>,
    ) -> io::Result<Self> {
        let broker = TcpStream::connect(gateway.broker).await?;
        broker.set_nodelay(true)?;
        let (number, guest) = (gateway.next_number(), Guest::new(warrant));
        let last_word = Instant::now();
        let (withheld, held) = (false, None);
        Ok(Self { gateway, number, identity, guest, line, broker, withheld, held, last_word })
    }

    /// Carries packets until either side ends, or the client has to go.
    pub(super) async fn run(mut self, mut cut: watch::Receiver<u64>) -> io::Result<()> {
        cut.mark_unchanged();
        let quirks = self.gateway.quirks();
        let end = Instant::now() + quirks.cut_after.unwrap_or(FAR);
        let (mut from_client, mut from_broker) = (Vec::new(), Vec::new());
        loop {
            let deadline = self.deadline().min(end);
            let turn = tokio::select! {
                read = self.line.read(&mut from_client) => Turn::Client(match read {
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                        return self.end(Breach::Malformed).await;
                    }
                    read => read?,
                }),
                read = self.broker.read_buf(&mut from_broker) => Turn::Broker(read? > 0),
                () = sleep_until(deadline) => Turn::Timer,
                _ = cut.changed() => Turn::Cut,
            };
            let done = match turn {
                Turn::Client(false) | Turn::Broker(false) => return Ok(()),
                Turn::Client(true) => self.on_client(&mut from_client).await?,
                Turn::Broker(true) => self.on_broker(&mut from_broker).await?,
                Turn::Timer if Instant::now() >= end => Err(Breach::Cut),
                Turn::Timer => self.on_timer().await?,
                Turn::Cut => Err(Breach::Cut),
            };
            if let Err(breach) = done {
                return self.end(breach).await;
            }
        }
    }

    fn deadline(&self) -> Instant {
        let silence = self.guest.silence().unwrap_or(FAR);
        let due = self.held.as_ref().map(|(due, _)| *due);
        due.unwrap_or(self.last_word + silence).min(self.last_word + silence)
    }

    async fn on_timer(&mut self) -> io::Result<Result<(), Breach>> {
        let now = Instant::now();
        if let Some((_, connack)) = self.held.take_if(|(due, _)| *due <= now) {
            self.send(connack).await?;
        }
        let silent = self.guest.silence().is_some_and(|silence| now >= self.last_word + silence);
        Ok(if silent { Err(Breach::KeepAlive) } else { Ok(()) })
    }

    async fn on_client(&mut self, bytes: &mut Vec<u8>) -> io::Result<Result<(), Breach>> {
        self.last_word = Instant::now();
        let quirks = self.gateway.quirks();
        loop {
            let (packet, bytes) = match take_packet(bytes, self.guest.level) {
                Ok(Some(taken)) => taken,
                Ok(None) => return Ok(Ok(())),
                Err(_) => return Ok(Err(Breach::Malformed)),
            };
            self.gateway.record.packet(self.number, Side::Client, packet.clone());
            if matches!(packet, Packet::Connect(_)) {
                self.withheld = self.gateway.sessions.withhold(|withheld| &mut withheld.connacks);
                self.guest.documents = self.documents(&quirks).await;
            }
            match self.guest.on_client(&quirks, &self.gateway.sessions, &packet, bytes) {
                Ok(Fate::Pass(bytes)) => self.broker.write_all(&bytes).await?,
                Ok(Fate::Answer(bytes)) => self.send(bytes).await?,
                Ok(Fate::Nothing) => {}
                Err(breach) => return Ok(Err(breach)),
            }
        }
    }

    async fn on_broker(&mut self, bytes: &mut Vec<u8>) -> io::Result<Result<(), Breach>> {
        let quirks = self.gateway.quirks();
        loop {
            let taken = take_packet(bytes, self.guest.level);
            let Some((packet, bytes)) = taken.expect("the broker speaks MQTT") else {
                return Ok(Ok(()));
            };
            let fate = self.guest.on_broker(&quirks, &self.gateway.sessions, &packet, bytes);
            match (packet, fate) {
                (Packet::Connack { .. }, _) if self.withheld => {}
                (Packet::Connack { .. }, Fate::Pass(bytes)) => {
                    self.held = Some((Instant::now() + quirks.connack_after, bytes));
                    if quirks.connack_after.is_zero() {
                        self.on_timer().await?.ok();
                    }
                }
                (_, Fate::Pass(bytes)) => self.send(bytes).await?,
                (_, Fate::Answer(bytes)) => self.broker.write_all(&bytes).await?,
                (_, Fate::Nothing) => {}
            }
        }
    }

    /// Sends a packet to the client.
    async fn send(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        let packet = Packet::parse(&bytes, self.guest.level).expect("what is sent is MQTT");
        self.guest.connected |= matches!(packet, Packet::Connack { code: 0, .. });
        // Before it is written: who has the packet can see it here.
        self.gateway.record.packet(self.number, Side::Gateway, packet);
        self.line.write(bytes).await
    }

    /// Drops the client; only MQTT 5 has words for it.
    async fn end(mut self, breach: Breach) -> io::Result<()> {
        self.gateway.record.breach(breach);
        if self.guest.level != LEVEL_5 {
            return Ok(());
        }
        let packet = match self.guest.connected {
            true => framed(0xe0, &[breach.code()]),
            false => framed(0x20, &[0, breach.code(), 0]),
        };
        self.send(packet).await?;
        self.line.hang_up().await
    }

    async fn documents(&self, quirks: &Quirks) -> Option<Vec<super::Document>> {
        match &quirks.access {
            Access::Everything => None,
            Access::Policy(document) => Some(vec![document.clone()]),
            Access::Attached(registry) => Some(match &self.identity {
                Some(identity) => registry.policies(identity).await,
                None => Vec::new(),
            }),
        }
    }
}

/// Takes the packet at the front, once it is whole.
fn take_packet(bytes: &mut Vec<u8>, level: u8) -> Result<Option<(Packet, Vec<u8>)>, String> {
    let Some(length) = packet_len(bytes)?.filter(|length| *length <= bytes.len()) else {
        return Ok(None);
    };
    let packet: Vec<u8> = bytes.drain(..length).collect();
    Ok(Some((Packet::parse(&packet, level)?, packet)))
}

/// Ends every connection of a gateway that is open now.
pub(super) fn cut_all(cut: &Arc<watch::Sender<u64>>) {
    cut.send_modify(|count| *count += 1);
}
