//! What the program is for: readings go out, commands come in.

use crate::{Handle, RECEIVE_MAX, settings};
use core::fmt::Write;
use dunlin_embassy::{
    SubscribeError,
    dunlin::{Message, Qos},
};
use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Ticker};
use heapless::String;

/// How long from one reading to the next.
const PERIOD: Duration = Duration::from_secs(60);

/// Longest topic, in bytes: a thing's name has up to 128.
const TOPIC_MAX: usize = 160;

/// What a board measures with, and what it can do.
pub trait Device {
    /// Measures, in the unit of its sensor.
    fn measure(&mut self) -> i32;

    /// Does what it is told.
    #[expect(async_fn_in_trait, reason = "firmware's executor does not send futures")]
    async fn obey(&mut self, command: Command);
}

/// What a board can be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Its light goes on: `on`.
    LightOn,
    /// Its light goes off: `off`.
    LightOff,
}

impl Command {
    fn decode(payload: &[u8]) -> Option<Self> {
        match payload {
            b"on" => Some(Self::LightOn),
            b"off" => Some(Self::LightOff),
            _ => None,
        }
    }
}

/// Publishes a reading a minute to `THING/readings`, and obeys what comes to `THING/commands`; says why
/// it has ended.
pub(crate) async fn report(client: Handle, device: &mut impl Device) -> SubscribeError {
    let (readings, commands) = (topic("readings"), topic("commands"));
    let mut commands = match client.listen(&commands, Qos::AtLeastOnce) {
        Ok(commands) => commands,
        Err(error) => return error,
    };
    let mut memory = [0; RECEIVE_MAX];
    let mut period = Ticker::every(PERIOD);
    loop {
        match select(commands.next(&mut memory), period.next()).await {
            Either::First(Ok(message)) => {
                if let Some(command) = Command::decode(message.payload()) {
                    device.obey(command).await;
                }
            }
            Either::First(Err(error)) => return error,
            Either::Second(()) => publish(client, &readings, device.measure()),
        }
    }
}

fn publish(client: Handle, topic: &str, reading: i32) {
    let mut text = String::<32>::new();
    // Longer than `{"reading":-2147483648}` it cannot be.
    if write!(text, "{{\"reading\":{reading}}}").is_ok() {
        let message = Message::new(topic, text.as_bytes(), Qos::AtLeastOnce);
        // Kept until it is acknowledged. When so many wait that there is no room, this one is left out.
        let _receipt = client.enqueue(&message);
    }
}

/// A topic of this board; empty, and refused, if its name is too long.
fn topic(name: &str) -> String<TOPIC_MAX> {
    let mut topic = String::new();
    match write!(topic, "{}/{name}", settings::THING) {
        Ok(()) => topic,
        Err(_) => String::new(),
    }
}
