//! dunlin: a connection from its first byte to its last, over either transport.

use crate::mqtt::{Small, supply};
use crate::opaque::{bytes, keep, memory, number, show, text};
use dunlin::ws::{Field, Request};
use dunlin::{
    Aliases, Authenticator, Buffer, Config, Connect, Connection, Denied, Instant, Message, Opening,
    Overdue, Oversize, Qos, Session, Transport, Version, Will, authenticate, re_authenticate,
};
use dunlin_octet::Text;

pub fn all() {
    let mut outbox = [0; 256];
    let version = if number() > 1 { Version::V3 } else { Version::V5 };
    let oversize = if number() > 2 { Oversize::Stream } else { Oversize::Skip };
    let config = Config::new().version(version).oversize(oversize);
    let mut session = Session::new(memory(&mut outbox), config);
    connect(&mut session, Transport::Stream);
    let fields = [Field { name: text(), value: text() }];
    let target: &'static (dyn Text + Sync) = const { &"/mqtt" };
    match Request::new(text(), target, &fields) {
        Ok(request) => connect(&mut session, Transport::WebSocket(request)),
        Err(invalid) => show(&invalid),
    }
}

fn connect(session: &mut Small<'_>, transport: Transport<'_>) {
    let connect = Connect {
        client_id: text(),
        clean_session: number() > 0,
        keep_alive_s: number() as u16,
        user_name: (number() > 1).then(text),
        password: (number() > 2).then(bytes),
        will: (number() > 3).then(|| Will::new(text(), bytes(), Qos::AtLeastOnce)),
        version: session.version(),
        ..Connect::new(text())
    };
    let opening = Opening { transport, connect, deadline: instant() };
    let mut array = [0; 256];
    let receive = memory(&mut array);
    match Connection::open(session, receive, opening, instant(), &mut fill) {
        Ok(mut connection) if number() > 4 => live(&mut connection, session),
        Ok(connection) => {
            let (mut incoming, mut outgoing) = ([0; 64], [0; 64]);
            let aliases =
                Aliases::new(memory(&mut incoming), number() as u16, memory(&mut outgoing));
            let connection = connection.with_topic_aliases(aliases);
            let overdue = if number() > 5 { Overdue::Close } else { Overdue::Resend };
            live(&mut connection.with_answer_timeout(number() as u64, overdue), session);
        }
        Err(error) => show(&error),
    }
}

fn live<A: Buffer>(connection: &mut Connection<'_, &mut [u8], A>, session: &mut Small<'_>) {
    keep(session.publish(&Message::new(text(), bytes(), Qos::AtLeastOnce)));
    while connection.receive(bytes()) > 0 {
        match connection.poll(session, instant()) {
            Ok(Some(event)) => {
                let mut scratch = [0; 64];
                let scratch = memory(&mut scratch);
                if let Err(error) = authenticate(session, &mut Steps, &event, scratch) {
                    show(&error);
                }
                keep(re_authenticate(session, &mut Steps, scratch));
                keep(event);
            }
            Ok(None) => {}
            Err(error) => {
                show(&error);
                show(&error.reason());
                show(&error.close_code());
                keep(error.is_retryable());
            }
        }
        supply(session);
        let mut out = [0; 256];
        keep(connection.poll_transmit(session, instant(), &mut fill, memory(&mut out)));
        if connection.next_deadline().is_some_and(|deadline| deadline <= instant()) {
            keep(connection.handle_timeout(instant()));
        }
        keep(connection.spare());
        connection.commit(number());
        keep((connection.stage(), connection.close_reason(), connection.last_properties()));
        if let Some(refusal) = connection.refusal() {
            show(&refusal.status());
        }
    }
    show(&connection.handle_eof());
}

fn instant() -> Instant {
    Instant::from_millis(number() as u64)
}

fn fill(bytes: &mut [u8]) {
    keep(bytes);
}

/// An authentication that says anything.
struct Steps;

impl Authenticator for Steps {
    fn method(&self) -> &str {
        text()
    }

    fn begin(&mut self, _: &mut [u8]) -> Result<Option<usize>, Denied> {
        Ok(Some(number()))
    }

    fn answer(&mut self, challenge: &[u8], _: &mut [u8]) -> Result<usize, Denied> {
        keep(challenge);
        Ok(number())
    }

    fn finish(&mut self, _: &[u8]) -> Result<(), Denied> {
        Err(Denied)
    }
}
