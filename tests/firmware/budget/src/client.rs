//! What a program with a radio and one topic needs.

#[cfg(feature = "counted")]
use crate::count;
#[cfg(feature = "signed")]
use crate::presign;
use crate::{host, wire::Wire};
use dunlin::{
    Config, Connect, Connection, Event, Instant, Message, Opening, Qos, Session, Subscription,
    Transport,
};

/// Memory of the caller's, which is not counted as stack of the client.
const BUFFERS: usize = 1024;
const TRANSMIT: usize = 256;

/// Connects, subscribes, publishes and receives; says whether all of it happened.
pub fn talk(wire: &mut Wire) -> bool {
    let mut outbox = [0; BUFFERS];
    let mut receive = [0; BUFFERS];
    let mut out = [0; TRANSMIT];
    host::say("buffers", 2 * BUFFERS + TRANSMIT);
    let mut session = Session::<_, 8>::new(&mut outbox[..], Config::new());
    host::say("session", size_of_val(&session));
    open(&mut session, &mut receive, &mut out, wire).unwrap_or(false)
}

pub type ClientSession<'s> = Session<&'s mut [u8], 8>;

#[inline(never)]
fn open(
    session: &mut ClientSession<'_>,
    receive: &mut [u8],
    out: &mut [u8],
    wire: &mut Wire,
) -> Option<bool> {
    let connect = Connect { keep_alive_s: 45, ..Connect::new("device") };
    #[cfg(feature = "signed")]
    let presigned = presign::sign()?;
    #[cfg(feature = "signed")]
    let target = &presigned;
    #[cfg(all(feature = "websocket", not(feature = "signed")))]
    let target = &"/mqtt";
    #[cfg(feature = "websocket")]
    let transport =
        Transport::WebSocket(dunlin::ws::Request::new("broker.example", target, &[]).ok()?);
    #[cfg(not(feature = "websocket"))]
    let transport = Transport::Stream;
    let now = Instant::from_millis(0);
    let opening = Opening { transport, connect, deadline: now.after(20_000) };
    let mut entropy = |bytes: &mut [u8]| bytes.fill(7);
    let mut connection = Connection::open(session, receive, opening, now, &mut entropy).ok()?;
    host::say("connection", size_of_val(&connection));
    session.subscribe(&[Subscription::new("t", Qos::AtLeastOnce)]).ok()?;
    session.publish(&Message::new("hello", b"world", Qos::AtLeastOnce)).ok()?;
    let (mut subscribed, mut acknowledged, mut received) = (false, false, false);
    loop {
        while let Some(event) = connection.poll(session, now).ok()? {
            match event {
                Event::Subscribed { .. } => subscribed = true,
                Event::Acknowledged { .. } => acknowledged = true,
                Event::Message { message, .. } => received = message.payload == b"yes",
                _ => {}
            }
        }
        while let Some(len) = connection.poll_transmit(session, now, &mut entropy, out) {
            wire.write(out.get(..len)?);
        }
        match wire.read(connection.spare()) {
            0 => break,
            len => connection.commit(len),
        }
        if connection.next_deadline()? <= now {
            connection.handle_timeout(now).ok()?;
        }
    }
    #[cfg(feature = "counted")]
    count::messages(&mut connection, session, out)?;
    Some(subscribed && acknowledged && received)
}
