//! Instructions for each message, in an emulator whose clock counts them.
//!
//! With `-icount shift=8` an instruction takes 256 ns, and the timer ticks every 40.

use crate::{client::ClientSession, host};
use cortex_m::peripheral::{SYST, syst::SystClkSource};
use dunlin::{Connection, Event, Instant, Message, Qos};

const INSTRUCTION_NS: usize = 256;
const TICK_NS: usize = 40;

/// Messages of each direction; the figures are their means.
const MESSAGES: usize = 100;

const TOPIC: &str = "hello";
const PAYLOAD: [u8; 16] = *b"sixteen letters.";

/// What a frame of the client has in front, and of the server; and what its bytes are masked with.
#[cfg(feature = "websocket")]
const FRAME: (usize, &[u8], &[u8], u8) = (6, &[0x82, 27], &[0x82, 4], 7);
#[cfg(not(feature = "websocket"))]
const FRAME: (usize, &[u8], &[u8], u8) = (0, &[], &[], 0);

type ClientConnection<'c, 'r> = Connection<'c, &'r mut [u8]>;

/// Publishes and receives at QoS 1, each to its acknowledgement.
#[inline(never)]
pub fn messages(
    connection: &mut ClientConnection<'_, '_>,
    session: &mut ClientSession<'_>,
    out: &mut [u8],
) -> Option<()> {
    let mut timer = Timer::start()?;
    let mut entropy = |bytes: &mut [u8]| bytes.fill(7);
    let now = Instant::from_millis(0);
    let mut published = 0;
    for _ in 0..MESSAGES {
        timer.restart();
        session.publish(&Message::new(TOPIC, &PAYLOAD, Qos::AtLeastOnce)).ok()?;
        connection.poll_transmit(session, now, &mut entropy, out)?;
        let (at, _, front, mask) = FRAME;
        // Behind the fixed header and the topic with its length.
        let id = out.get(at + 9..at + 11)?;
        let puback = [0x40, 2, *id.first()? ^ mask, *id.last()? ^ mask];
        connection.receive(front);
        connection.receive(&puback);
        let Event::Acknowledged { .. } = connection.poll(session, now).ok()?? else { return None };
        let None = connection.poll(session, now).ok()? else { return None };
        published += timer.instructions();
    }
    host::say("published", published / MESSAGES);
    let mut received = 0;
    for id in 1..=MESSAGES as u8 {
        timer.restart();
        connection.receive(FRAME.1);
        connection.receive(&[0x32, 25, 0, 5]);
        connection.receive(TOPIC.as_bytes());
        connection.receive(&[0, id]);
        connection.receive(&PAYLOAD);
        let Event::Message { message, .. } = connection.poll(session, now).ok()?? else {
            return None;
        };
        if message.payload != PAYLOAD {
            return None;
        }
        let None = connection.poll(session, now).ok()? else { return None };
        connection.poll_transmit(session, now, &mut entropy, out)?;
        received += timer.instructions();
    }
    host::say("received", received / MESSAGES);
    Some(())
}

struct Timer {
    timer: SYST,
}

impl Timer {
    const RELOAD: u32 = 0x00ff_ffff;

    fn start() -> Option<Self> {
        let mut timer = cortex_m::Peripherals::take()?.SYST;
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(Self::RELOAD);
        timer.enable_counter();
        Some(Self { timer })
    }

    fn restart(&mut self) {
        self.timer.clear_current();
    }

    fn instructions(&self) -> usize {
        (Self::RELOAD - SYST::get_current()) as usize * TICK_NS / INSTRUCTION_NS
    }
}
