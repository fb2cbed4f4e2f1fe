//! The loop, turned by hand: scripted halves of a transport, a clock that stands still.

use super::*;
use crate::Program;
use core::cell::{Cell, RefCell};
use dunlin::{
    Closed, Config, Connect, Event, Message, Opening, Qos, ReasonCode, Refused, Session, Stage,
    Transport,
};
use embedded_io_async::{ErrorKind, ErrorType};
use std::{boxed::Box, collections::VecDeque, string::String, vec, vec::Vec};

const CONNACK: &[u8] = &[0x20, 2, 0, 0];
const NOT_AUTHORIZED: &[u8] = &[0x20, 2, 0, 5];
const MESSAGE: &[u8] = &[0x30, 4, 0, 1, b't', b'!'];

/// What the transport does, and what has been done with it.
#[derive(Default)]
struct Wire {
    /// Reads to come; `None` is the end. While there is none, a read is pending.
    reads: RefCell<VecDeque<Result<&'static [u8], ErrorKind>>>,
    reads_begun: Cell<usize>,
    written: RefCell<Vec<u8>>,
    broken: Cell<bool>,
    now: Cell<u64>,
    held: Cell<bool>,
    seen: RefCell<Vec<String>>,
}

struct Half<'w>(&'w Wire);

impl ErrorType for Half<'_> {
    type Error = ErrorKind;
}

impl Read for Half<'_> {
    async fn read(&mut self, memory: &mut [u8]) -> Result<usize, ErrorKind> {
        self.0.reads_begun.set(self.0.reads_begun.get() + 1);
        let bytes = poll_fn(|_| match self.0.reads.borrow_mut().pop_front() {
            Some(bytes) => Poll::Ready(bytes),
            None => Poll::Pending,
        })
        .await?;
        memory[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

impl Write for Half<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        if self.0.broken.get() {
            return Err(ErrorKind::BrokenPipe);
        }
        self.0.written.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

struct Desk<'w>(&'w Wire);

impl Program<[u8; 256], 4> for Desk<'_> {
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<()> {
        if self.0.held.get() { Poll::Pending } else { Poll::Ready(()) }
    }

    fn handle_event(&mut self, _: &mut Session<[u8; 256], 4>, event: Event<'_>) {
        let name = match event {
            Event::Connected { .. } => "connected",
            Event::Message { .. } => "message",
            _ => "other",
        };
        self.0.seen.borrow_mut().push(name.into());
    }

    fn handle_written(&mut self, _: &mut Session<[u8; 256], 4>) {}
}

struct Bench<'w> {
    wire: &'w Wire,
    session: Session<[u8; 256], 4>,
}

impl Host<4> for Bench<'_> {
    type Outbox = [u8; 256];

    fn with<T>(
        &mut self,
        cx: &mut Context<'_>,
        f: impl FnOnce(&mut Context<'_>, Scope<'_, [u8; 256], 4>) -> T,
    ) -> T {
        let mut entropy = |bytes: &mut [u8]| bytes.fill(7);
        let mut desk = Desk(self.wire);
        let Self { session, .. } = self;
        f(cx, Scope { session, program: &mut desk, entropy: &mut entropy })
    }

    fn now(&self) -> Instant {
        Instant::from_millis(self.wire.now.get())
    }

    fn wake_at(&mut self, _: &mut Context<'_>, _: Instant) {}
}

/// Turns the loop over `wire` as often as `step` says, which is called before each turn.
fn turn(wire: &Wire, mut step: impl FnMut(usize) -> bool) -> Option<Ended<ErrorKind>> {
    let mut host = Bench { wire, session: Session::new([0; 256], Config::new()) };
    host.session.publish(&Message::new("t", b"!", Qos::AtMostOnce)).unwrap();
    let connect = Connect {
        client_id: "bench",
        clean_session: true,
        keep_alive_s: 10,
        user_name: None,
        password: None,
        will: None,
        ..Connect::new("")
    };
    let deadline = Instant::from_millis(5_000);
    let opening = Opening { transport: Transport::Stream, connect, deadline };
    let mut entropy = |bytes: &mut [u8]| bytes.fill(7);
    let now = host.now();
    let mut connection =
        Connection::open(&mut host.session, [0; 256], opening, now, &mut entropy).unwrap();
    let (mut reader, mut writer) = (Half(wire), Half(wire));
    let (mut rx, mut tx) = (vec![0; 64], vec![0; 256]);
    let pipe = Pipe { reader: &mut reader, writer: &mut writer, rx: &mut rx, tx: &mut tx };
    let mut life = Box::pin(drive(&mut connection, &mut host, pipe));
    let mut cx = Context::from_waker(core::task::Waker::noop());
    for count in 0.. {
        if !step(count) {
            return None;
        }
        if let Poll::Ready(ended) = life.as_mut().poll(&mut cx) {
            return Some(ended);
        }
    }
    None
}

fn wire(reads: impl IntoIterator<Item = &'static [u8]>) -> Wire {
    Wire { reads: RefCell::new(reads.into_iter().map(Ok).collect()), ..Wire::default() }
}

#[test]
fn read_that_is_pending_is_kept_over_all_turns() {
    let wire = wire([CONNACK]);
    assert!(turn(&wire, |count| count < 10).is_none());
    assert_eq!(wire.reads_begun.get(), 2, "one brought CONNACK, one is pending");
    assert_eq!(wire.seen.borrow()[..], ["connected"]);
    assert!(wire.written.borrow().ends_with(MESSAGE), "and meanwhile the message went out");
}

#[test]
fn refusal_is_heard_although_writing_has_failed() {
    let wire = wire([]);
    wire.broken.set(true);
    let ended = turn(&wire, |count| {
        if count == 3 {
            wire.reads.borrow_mut().push_back(Ok(NOT_AUTHORIZED));
        }
        count < 10
    });
    let refused = Error::Refused(Refused::Connect(ReasonCode::NOT_AUTHORIZED));
    assert_eq!(ended.unwrap().error, refused);
}

#[test]
fn failure_that_is_read_says_more_than_that_of_a_write_before() {
    let wire = wire([]);
    wire.broken.set(true);
    let ended = turn(&wire, |count| {
        if count == 3 {
            wire.reads.borrow_mut().push_back(Err(ErrorKind::InvalidData));
        }
        count < 10
    });
    assert_eq!(ended.unwrap().io, Some(ErrorKind::InvalidData));
}

#[test]
fn write_that_failed_ends_the_connection_when_nothing_more_is_heard() {
    let wire = wire([CONNACK]);
    let ended = turn(&wire, |count| {
        if count == 2 {
            wire.broken.set(true);
            // A ping is due, and cannot be written.
            wire.now.set(7_500);
        }
        wire.now.set(wire.now.get() + if count > 2 { 500 } else { 0 });
        count < 20
    });
    let ended = ended.unwrap();
    assert_eq!(ended.error, Error::Closed(Closed::Eof(Stage::Open)));
    assert_eq!(ended.io.unwrap(), ErrorKind::BrokenPipe);
}

#[test]
fn end_of_the_transport_does_not_overtake_messages() {
    for last in [Ok(&[][..]), Err(ErrorKind::ConnectionReset)] {
        let wire = wire([CONNACK, MESSAGE, MESSAGE]);
        wire.reads.borrow_mut().push_back(last);
        let ended = turn(&wire, |count| {
            wire.held.set((1..5).contains(&count));
            if count == 0 {
                wire.held.set(true);
            }
            count < 20
        });
        assert_eq!(ended.unwrap().error, Error::Closed(Closed::Eof(Stage::Open)));
        assert_eq!(wire.seen.borrow()[..], ["connected", "message", "message"]);
    }
}

#[test]
fn clock_is_asked_whatever_woke_the_loop() {
    let wire = wire([]);
    let ended = turn(&wire, |count| {
        wire.now.set(if count < 3 { 4_999 } else { 5_000 });
        count < 5
    });
    assert_eq!(ended.unwrap().error, Error::TimedOut(Stage::Connack));
}

#[test]
fn end_of_the_transport_before_connack_says_so() {
    let wire = wire([&[][..]]);
    let ended = turn(&wire, |count| count < 5).unwrap();
    assert_eq!(ended.error, Error::Closed(Closed::Eof(Stage::Connack)));
    assert!(ended.io.is_none());
}
