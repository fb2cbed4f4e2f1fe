//! TLS 1.3 for firmware, with a verifier that accepts what it must and nothing else.
//!
//! `embedded-tls` speaks the protocol over any stream of `embedded-io-async`, without a heap. What it
//! leaves to others is who the server is: [`Verifier`] has `rustls-webpki` build and check the path from
//! the server's certificate to a pinned root, and proves the server's possession of the key with the
//! curves P-256 and P-384. RSA is left out: AWS IoT Core, for one, has chains of P-256 certificates up
//! to Amazon Root CA 3.
//!
//! [`TlsConnector`] is what a runner of `dunlin-embassy` takes. [`open`] is the handshake alone, for any
//! stream: it refuses a server that has proved nothing, which a handshake of
//! `embedded-tls` alone does not.
#![no_std]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::std_instead_of_core,
        reason = "a test may panic"
    )
)]

#[cfg(test)]
extern crate std;

mod connector;
mod curves;
mod entropy;
mod fault;
mod identity;
mod open;
mod validity;
mod verifier;

pub use connector::{TlsConnector, TlsMemory};
pub use embedded_tls::{Aes128GcmSha256, TlsConnection, TlsError};
pub use entropy::FillRng;
pub use fault::Fault;
pub use identity::{Identity, InvalidKey};
pub use open::{Opening, RECORD_READ_MAX, RECORD_WRITE_MIN, open};
pub use verifier::{ANCHORS_MAX, CHAIN_MAX, HOST_MAX, Verifier};
