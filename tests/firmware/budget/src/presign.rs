//! The signature of an upgrade request.

#[cfg(not(feature = "websocket"))]
pub use alone::write;
use dunlin_sigv4::{Credentials, Key, Request, UnixTime};
#[cfg(feature = "websocket")]
pub use in_client::sign;

#[cfg(feature = "websocket")]
mod in_client {
    use super::*;
    use dunlin_sigv4::Presigned;

    const CREDENTIALS: Credentials<'_> = Credentials {
        access_key_id: "AKIDEXAMPLE",
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        session_token: Some("token"),
    };

    /// Signs with a key that is derived.
    pub fn sign() -> Option<Presigned<'static>> {
        let at = UnixTime::from_secs(1_440_938_160);
        let request = Request::iot(CREDENTIALS, "eu-west-1", "broker.example", at);
        request.presign(&mut Key::new(), None).ok()
    }
}

#[cfg(not(feature = "websocket"))]
mod alone {
    use super::*;
    use crate::{host, wire::Wire};
    use dunlin_octet::{Sink, Text};
    use dunlin_sigv4::{InvalidInput, Presigned};

    /// As short as can be: what a program says is not the signer's.
    const CREDENTIALS: Credentials<'_> =
        Credentials { access_key_id: "a", secret_access_key: "b", session_token: Some("c") };

    /// Signs, and writes what comes of it.
    pub fn write(wire: &mut Wire) -> bool {
        let request = Request::iot(CREDENTIALS, "d", "e", UnixTime::from_secs(1_440_938_160));
        let mut key = Key::new();
        let target = weighed(&request, &mut key);
        // Memory of the caller's, which is not counted as stack of the signer.
        host::say("buffers", size_of_val(&request));
        host::say("state", size_of_val(&key) + size_of_val(&target));
        if let Ok(target) = &target {
            target.write(wire);
        }
        target.is_ok()
    }

    /// Into this one, the signer is inlined.
    #[inline(never)]
    fn weighed<'a>(request: &Request<'a>, key: &mut Key) -> Result<Presigned<'a>, InvalidInput> {
        request.presign(key, None)
    }

    impl Sink for Wire {
        fn put(&mut self, bytes: &[u8]) {
            self.write(bytes);
        }
    }
}
