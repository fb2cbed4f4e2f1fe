//! What time it is, where the machine's clock may be off.

use core::time::Duration;
use dunlin_aws::{ClockOffset, SNTP_LEN, Sntp, SntpError, UnixTime};
use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    net::{ToSocketAddrs, UdpSocket},
    time::{Instant, timeout},
};

/// How long a time server may take.
const SNTP_TIMEOUT: Duration = Duration::from_secs(3);

/// The clock that signatures are dated by: the machine's, corrected.
///
/// It learns by itself: when AWS refuses a signature and its Date says that the clock is off, the
/// connection is tried once more at once. A program that knows better sets it, or has it ask a time
/// server. Clones are the same clock: give one to all clients ([`Options::aws_clock`]).
///
/// [`Options::aws_clock`]: crate::Options::aws_clock
#[derive(Clone, Default)]
pub struct Clock(Arc<Mutex<ClockOffset>>);

impl Clock {
    /// The machine's clock, until it is found to be off.
    pub fn new() -> Self {
        Self::default()
    }

    /// What time it is.
    pub fn now(&self) -> UnixTime {
        self.with(|offset| offset.correct(super::now()))
    }

    /// How far the machine's clock is ahead, in seconds; negative while it is behind.
    pub fn ahead_s(&self) -> i64 {
        self.with(|offset| offset.ahead_s())
    }

    /// It is `right`, now.
    pub fn set(&self, right: UnixTime) {
        self.with(|offset| offset.set(super::now(), right));
    }

    /// Asks a time server, such as `("pool.ntp.org", 123)`, and sets the clock by it (RFC 5905).
    ///
    /// Ask at the start and at most once an hour then.
    pub async fn ask(&self, server: impl ToSocketAddrs) -> Result<(), SntpFailure> {
        let answered = timeout(SNTP_TIMEOUT, right_time(server)).await;
        let right = answered.unwrap_or_else(|late| Err(SntpFailure::Io(late.into())))?;
        self.set(right);
        Ok(())
    }

    /// The server that has just refused a signature dates its answer so; says whether another attempt
    /// may succeed.
    pub(crate) fn learn(&self, date: Option<&str>) -> bool {
        self.with(|offset| offset.learn_from_date(super::now(), date))
    }

    fn with<T>(&self, f: impl FnOnce(&mut ClockOffset) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("ahead_s", &self.ahead_s()).finish()
    }
}

async fn right_time(server: impl ToSocketAddrs) -> Result<UnixTime, SntpFailure> {
    let mut addresses = tokio::net::lookup_host(server).await?;
    let address = addresses.next().ok_or(io::ErrorKind::NotFound).map_err(io::Error::from)?;
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    let question = Sntp::new(&mut crate::entropy::SystemEntropy::new());
    let asked = Instant::now();
    socket.send(&question.request()).await?;
    let mut datagram = [0; 2 * SNTP_LEN];
    loop {
        let len = socket.recv(&mut datagram).await?;
        match question.response(&datagram[..len]) {
            Ok(sent) => {
                let way_back = asked.elapsed() / 2;
                return Ok(UnixTime::from_secs(sent.as_secs() + way_back.as_secs()));
            }
            // Somebody else's: the right one may follow.
            Err(SntpError::NotOurs) => {}
            Err(error) => return Err(SntpFailure::Answer(error)),
        }
    }
}

/// Why a time server did not tell the time.
#[derive(Debug)]
#[non_exhaustive]
pub enum SntpFailure {
    /// It could not be asked, or did not answer in time.
    Io(io::Error),
    /// It answered, and does not tell.
    Answer(SntpError),
}

impl From<io::Error> for SntpFailure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for SntpFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "no answer from the time server ({error}): ask another"),
            Self::Answer(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SntpFailure {}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_drive::dunlin::octet::copy;

    /// A server whose first datagram answers somebody else.
    async fn server(seconds_of_era: u32, stratum: u8) -> std::net::SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut request = [0; SNTP_LEN];
            let (len, client) = socket.recv_from(&mut request).await.unwrap();
            assert_eq!((len, request[0]), (SNTP_LEN, 0x23));
            let mut answer = [0; SNTP_LEN];
            answer[0] = 0x24;
            answer[1] = stratum;
            copy(&seconds_of_era.to_be_bytes(), &mut answer[40..44]);
            socket.send_to(&answer, client).await.unwrap();
            copy(&request[40..], &mut answer[24..32]);
            socket.send_to(&answer, client).await.unwrap();
        });
        address
    }

    #[tokio::test]
    async fn clock_is_set_by_a_time_server() {
        let clock = Clock::new();
        // 2024-01-01T00:00:00Z
        clock.ask(server(3_913_056_000, 1).await).await.unwrap();
        let now = clock.now().as_secs();
        assert!((1_704_067_200..1_704_067_260).contains(&now), "{now}");
        assert_ne!(clock.ahead_s(), 0);
        let other = clock.clone();
        other.set(super::super::now());
        assert!(clock.ahead_s().abs() <= 1, "clones are the same clock");
    }

    #[tokio::test(start_paused = true)]
    async fn time_server_that_is_silent_is_given_up() {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let clock = Clock::new();
        let asked = clock.ask(silent.local_addr().unwrap());
        let failure = timeout(2 * SNTP_TIMEOUT, asked).await.expect("an end").unwrap_err();
        let SntpFailure::Io(error) = &failure else { panic!("{failure:?}") };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(clock.ahead_s(), 0);
    }

    #[tokio::test]
    async fn time_server_without_the_time_leaves_the_clock_alone() {
        let clock = Clock::new();
        let failure = clock.ask(server(3_913_056_000, 16).await).await.unwrap_err();
        assert!(matches!(failure, SntpFailure::Answer(SntpError::Unsynchronised)), "{failure}");
        assert_eq!(clock.ahead_s(), 0);
    }
}
