//! WebSocket (RFC 6455): its frames and its HTTP/1.1 upgrade, as state machines without I/O.
//!
//! Works on the caller's memory: bytes arrive in a [`dunlin_octet::Inbox`], payload joins its
//! stream in place, and what is to be sent is written into a slice. No socket, no clock, no heap,
//! no randomness of its own; knows no MQTT, and offers no extension. A connection goes through
//! [`Upgrade`] (or, at a server, [`Acceptance`]) and then through a [`Deframer`] for what comes in
//! and [`Header::encode`] for what goes out.
//!
//! ```
//! use dunlin_octet::{Inbox, Writer};
//! use dunlin_ws::{Acceptance, Deframer, Header, Incoming, Opcode, Request, Role, Upgrade};
//!
//! // Two ends that hand each other what a socket would carry.
//! let request = Request::new("broker.example", &"/mqtt", &[])?;
//! let mut client = Upgrade::new(request, "mqtt", *b"sixteen bytes of");
//! let mut server = Acceptance::new("mqtt");
//! let (mut to_server, mut to_client) = (Inbox::new([0; 512]), Inbox::new([0; 512]));
//!
//! let mut out = [0; 256];
//! let len = client.poll_transmit(&mut out);
//! to_server.receive(&out[..len]);
//! assert!(server.poll(&mut to_server)?);
//! let len = server.poll_transmit(&mut out);
//! to_client.receive(&out[..len]);
//! assert!(client.poll(&mut to_client)?);
//!
//! let header = Header { fin: true, opcode: Opcode::Binary, mask: None, len: 5 };
//! let mut frame = Writer::new(&mut out);
//! header.encode(&mut frame).and_then(|()| frame.put_slice(b"hello")).expect("there is room");
//! to_client.receive(frame.written());
//! let mut frames = Deframer::new(Role::Client);
//! let message = Incoming::Data { opcode: Opcode::Binary, len: 5, end: true };
//! assert_eq!(frames.poll(&mut to_client)?, Some(message));
//! assert_eq!(to_client.stream(), b"hello");
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! Citations are of RFC 6455 unless another one is named.
#![no_std]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::disallowed_methods,
        clippy::indexing_slicing,
        clippy::std_instead_of_core,
        clippy::alloc_instead_of_core,
        reason = "a test may panic"
    )
)]

#[cfg(test)]
extern crate std;

mod acceptance;
mod body;
mod close;
mod deframe;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod head;
mod key;
mod malformed;
mod refusal;
mod reply;
mod request;
mod response;
mod upgrade;
mod utf8;

pub use acceptance::{Acceptance, RequestError};
pub use body::{REFUSAL_BODY_KEPT, REFUSAL_FRAMING_MAX};
pub use close::CloseCode;
pub use deframe::{Deframer, EMPTY_FRAGMENTS_MAX, Incoming};
pub use frame::{CONTROL_PAYLOAD_MAX, FRAME_HEADER_MAX, Header, Opcode, Role};
pub use head::{FIELDS_MAX, HEAD_MAX};
pub use malformed::Malformed;
pub use refusal::{Refusal, Status};
pub use reply::{REPLY_BODY_MAX, Reply, ReplyError};
pub use request::{Field, InvalidRequest, Request};
pub use response::INFORMATIONAL_MAX;
pub use upgrade::{Upgrade, UpgradeError};

/// Everything that a program may want in its log.
#[cfg(feature = "defmt")]
const _: () = {
    const fn is_shown<T: defmt::Format>() {}
    is_shown::<Field<'_>>();
    is_shown::<Header>();
    is_shown::<Incoming>();
    is_shown::<Refusal<'_>>();
    is_shown::<Request<'_>>();
    is_shown::<UpgradeError>();
};
