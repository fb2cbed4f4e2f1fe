//! What time it is, from a time server.

use core::cell::Cell;
use dunlin_aws::{ClockOffset, SNTP_LEN, SNTP_PORT, Sntp, SntpError, UnixTime};
use dunlin_embassy::dunlin::Entropy;
use embassy_net::{
    Stack,
    dns::DnsQueryType,
    udp::{PacketMetadata, UdpSocket},
};
use embassy_time::{Duration, Instant, with_timeout};

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Longest datagram that is looked at, in bytes: an answer, and some extensions behind it.
const DATAGRAM_MAX: usize = 2 * SNTP_LEN;

/// The wall clock: the time since the start, corrected, as soon as somebody has said by how much.
pub(crate) struct Clock(Cell<Option<ClockOffset>>);

impl Clock {
    pub(crate) const fn new() -> Self {
        Self(Cell::new(None))
    }

    pub(crate) fn now(&self) -> Option<UnixTime> {
        Some(self.0.get()?.correct(uptime()))
    }

    /// Asks the time server, once.
    ///
    /// Nobody vouches for its answer, so that a certificate which has expired may pass when somebody on
    /// the way lies; signatures and topics are safe from that.
    pub(crate) async fn set_from(
        &self,
        server: &str,
        stack: Stack<'_>,
        entropy: &mut dyn Entropy,
    ) -> Option<UnixTime> {
        let right = ask(server, stack, entropy).await?;
        let mut offset = ClockOffset::new();
        offset.set(uptime(), right);
        self.0.set(Some(offset));
        Some(right)
    }

    /// Somebody has refused a signature, and says what time it is.
    pub(crate) fn learn_from_date(&self, date: Option<&str>) {
        if let Some(mut offset) = self.0.get() {
            offset.learn_from_date(uptime(), date);
            self.0.set(Some(offset));
        }
    }
}

fn uptime() -> UnixTime {
    UnixTime::from_secs(Instant::now().as_secs())
}

async fn ask(server: &str, stack: Stack<'_>, entropy: &mut dyn Entropy) -> Option<UnixTime> {
    stack.wait_config_up().await;
    let found = stack.dns_query(server, DnsQueryType::A).await.ok()?;
    let address = found.first().copied()?;
    let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 2], [PacketMetadata::EMPTY; 1]);
    let (mut rx, mut tx) = ([0; 2 * DATAGRAM_MAX], [0; SNTP_LEN]);
    let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
    socket.bind(0).ok()?;
    let question = Sntp::new(entropy);
    socket.send_to(&question.request(), (address, SNTP_PORT)).await.ok()?;
    with_timeout(ANSWER_TIMEOUT, answer(&socket, &question)).await.ok().flatten()
}

/// The answer to this question, whatever else comes before it.
async fn answer(socket: &UdpSocket<'_>, question: &Sntp) -> Option<UnixTime> {
    let mut datagram = [0; DATAGRAM_MAX];
    loop {
        let Ok((len, _)) = socket.recv_from(&mut datagram).await else { continue };
        match question.response(datagram.get(..len)?) {
            Err(SntpError::NotOurs) => {}
            told => return told.ok(),
        }
    }
}
