//! AWS IoT Core over WebSocket, signed afresh for each connection.
//!
//! ```
//! use core::cell::Cell;
//! use dunlin_pubsub::Unavailable;
//! use dunlin_pubsub::aws::{AwsIot, CredentialsProvider, TARGET_LEN};
//! use dunlin_pubsub::aws::dunlin_aws::{ClockOffset, Endpoint, UnixTime, sigv4::Credentials};
//! use dunlin_pubsub::dunlin::Connect;
//!
//! /// Keys that somebody has given the device, and a clock that is put right by refusals.
//! struct Given {
//!     access_key_id: &'static str,
//!     secret_access_key: &'static str,
//!     clock: fn() -> UnixTime,
//!     offset: Cell<ClockOffset>,
//! }
//!
//! impl CredentialsProvider for Given {
//!     async fn refresh(&mut self) -> Result<(), Unavailable> {
//!         Ok(()) // here others ask Amazon Cognito, or a time server
//!     }
//!
//!     fn credentials(&self) -> Option<Credentials<'_>> {
//!         let Self { access_key_id, secret_access_key, .. } = self;
//!         Some(Credentials { access_key_id, secret_access_key, session_token: None })
//!     }
//!
//!     fn now(&self) -> Option<UnixTime> {
//!         Some(self.offset.get().correct((self.clock)()))
//!     }
//!
//!     fn handle_date(&self, date: Option<&str>) {
//!         let mut offset = self.offset.get();
//!         offset.learn_from_date((self.clock)(), date);
//!         self.offset.set(offset);
//!     }
//! }
//!
//! /// What a runner takes.
//! fn provider(given: Given, memory: &mut [u8; TARGET_LEN]) -> Option<AwsIot<'_, Given>> {
//!     let host = "example-ats.iot.eu-central-1.amazonaws.com";
//!     let region = Endpoint::parse(host)?.region;
//!     Some(AwsIot::new(host, region, Connect::new("device"), given, memory))
//! }
//! ```

use crate::{Provider, Unavailable};
use dunlin::{
    Connect, Transport,
    octet::{Sink, Text, Window},
    ws,
};
use dunlin_aws::{
    UnixTime, keep_alive_s, signed_target,
    sigv4::{Credentials, Key},
};

pub use dunlin_aws;

/// Memory that is enough for a signed target, in bytes: a session token of Amazon Cognito has about 1,200,
/// some of which take three in a target.
pub const TARGET_LEN: usize = 3_072;

/// Who signs, and at what time.
///
/// Before each connection [`CredentialsProvider::refresh`] is called, then the others.
pub trait CredentialsProvider {
    /// Fetches credentials and asks for the time, where what there is does not last; after an error there
    /// is another attempt.
    ///
    /// May be dropped at any await.
    #[expect(async_fn_in_trait, reason = "firmware's executor does not send futures")]
    async fn refresh(&mut self) -> Result<(), Unavailable> {
        Ok(())
    }

    /// What to sign with.
    fn credentials(&self) -> Option<Credentials<'_>>;

    /// What time it is, as far as is known: AWS refuses a signature that is five minutes off.
    fn now(&self) -> Option<UnixTime>;

    /// A connection was refused, maybe for its time: what the server's `Date` said, if anything.
    fn handle_date(&self, date: Option<&str>);
}

/// AWS IoT Core over WebSocket; each connection has a signature of its own.
#[derive(Debug)]
pub struct AwsIot<'a, C> {
    host: &'a str,
    region: &'a str,
    connect: Connect<'a>,
    credentials: C,
    key: Key,
    target: Target<'a>,
}

impl<'a, C: CredentialsProvider> AwsIot<'a, C> {
    /// The endpoint `host`, with signatures for `region`, which is
    /// [in its name](dunlin_aws::Endpoint::parse) unless it is a domain of one's own.
    ///
    /// `memory` holds the target of one request, [`TARGET_LEN`] bytes as a rule: one that is longer is
    /// never sent. There is a keep alive in any case, for the service expects one.
    pub fn new(
        host: &'a str,
        region: &'a str,
        connect: Connect<'a>,
        credentials: C,
        memory: &'a mut [u8],
    ) -> Self {
        let connect = Connect { keep_alive_s: keep_alive_s(connect.keep_alive_s), ..connect };
        let target = Target { memory, len: 0 };
        Self { host, region, connect, credentials, key: Key::new(), target }
    }

    fn sign(&mut self) -> Option<()> {
        let Self { host, region, credentials, key, target, .. } = self;
        let at = credentials.now()?;
        let signed = signed_target(credentials.credentials()?, region, host, at, key).ok()?;
        target.keep(&signed)
    }
}

impl<C: CredentialsProvider> Provider for AwsIot<'_, C> {
    async fn refresh(&mut self) -> Result<(), Unavailable> {
        self.target.len = 0;
        self.credentials.refresh().await?;
        self.sign().ok_or(Unavailable)
    }

    fn transport(&self) -> Result<Transport<'_>, Unavailable> {
        if self.target.len == 0 {
            return Err(Unavailable);
        }
        let request = ws::Request::new(self.host, &self.target, &[]);
        request.map(Transport::WebSocket).map_err(|_| Unavailable)
    }

    fn connect(&self) -> Connect<'_> {
        self.connect
    }

    fn handle_refusal(&self, refusal: &ws::Refusal<'_>) {
        self.credentials.handle_date(refusal.field("Date"));
    }
}

/// Neither the credentials nor the target, which is a secret for some minutes.
#[cfg(feature = "defmt")]
impl<C> defmt::Format for AwsIot<'_, C> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "AwsIot {{ host: {=str}, region: {=str}, {} }}",
            self.host,
            self.region,
            self.connect
        );
    }
}

/// A signed target, apart from what it was signed with.
struct Target<'a> {
    memory: &'a mut [u8],
    len: usize,
}

impl Target<'_> {
    fn keep(&mut self, text: &impl Text) -> Option<()> {
        let mut window = Window::new(self.memory, 0);
        text.write(&mut window);
        let (len, overflowed) = (window.filled(), window.overflowed());
        self.len = if overflowed { 0 } else { len };
        (!overflowed).then_some(())
    }
}

impl Text for Target<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        sink.put(self.memory.get(..self.len).unwrap_or_default());
    }
}

/// Without what is in it, which is a secret for some minutes.
impl core::fmt::Debug for Target<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Target").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::{
        cell::{Cell, RefCell},
        future::Future,
        pin::pin,
        task::{Context, Poll, Waker},
    };
    use dunlin::octet::Count;
    use std::{string::String, vec, vec::Vec};

    const HOST: &str = "example-ats.iot.eu-central-1.amazonaws.com";

    /// A source whose answers the test decides.
    #[derive(Default)]
    struct Source {
        key_id: Option<&'static str>,
        now_s: Cell<Option<u64>>,
        refreshed: usize,
        dates: RefCell<Vec<Option<String>>>,
    }

    impl CredentialsProvider for Source {
        async fn refresh(&mut self) -> Result<(), Unavailable> {
            self.refreshed += 1;
            Ok(())
        }

        fn credentials(&self) -> Option<Credentials<'_>> {
            let access_key_id = self.key_id?;
            Some(Credentials { access_key_id, secret_access_key: "secret", session_token: None })
        }

        fn now(&self) -> Option<UnixTime> {
            self.now_s.get().map(UnixTime::from_secs)
        }

        fn handle_date(&self, date: Option<&str>) {
            self.dates.borrow_mut().push(date.map(Into::into));
        }
    }

    fn ready<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("nothing is waited for"),
        }
    }

    fn text(text: &dyn Text) -> Vec<u8> {
        let mut bytes = vec![0; Count::of(text)];
        text.write(&mut Window::new(&mut bytes, 0));
        bytes
    }

    fn provider<'a>(source: Source, memory: &'a mut [u8]) -> AwsIot<'a, Source> {
        AwsIot::new(HOST, "eu-central-1", Connect::new("c"), source, memory)
    }

    #[test]
    fn target_is_signed_anew_for_each_connection_at_the_time_of_then() {
        let mut memory = [0; TARGET_LEN];
        let source = Source { key_id: Some("AKIDEXAMPLE"), ..Source::default() };
        let mut provider = provider(source, &mut memory);
        let mut targets = vec![];
        for now_s in [1_700_000_000, 1_700_000_100] {
            provider.credentials.now_s.set(Some(now_s));
            assert_eq!(ready(provider.refresh()), Ok(()));
            assert!(matches!(provider.transport(), Ok(Transport::WebSocket(_))));
            let credentials = provider.credentials.credentials().unwrap();
            let at = UnixTime::from_secs(now_s);
            let signed = signed_target(credentials, "eu-central-1", HOST, at, &mut Key::new());
            targets.push(text(&provider.target));
            assert_eq!(targets.last(), Some(&text(&signed.unwrap())));
        }
        assert_ne!(targets[0], targets[1]);
        assert_eq!(provider.credentials.refreshed, 2);
    }

    #[test]
    fn provider_without_time_credentials_or_room_has_nothing_to_connect_with() {
        let signs = || Source {
            key_id: Some("AKIDEXAMPLE"),
            now_s: Cell::new(Some(1_700_000_000)),
            ..Source::default()
        };
        let nobody = Source { key_id: None, ..signs() };
        let untimely = Source { now_s: Cell::new(None), ..signs() };
        for (source, len) in [(nobody, TARGET_LEN), (untimely, TARGET_LEN), (signs(), 100)] {
            let mut memory = vec![0; len];
            let mut provider = provider(source, &mut memory);
            assert_eq!(ready(provider.refresh()), Err(Unavailable));
            assert_eq!(provider.transport().err(), Some(Unavailable));
        }
        // What was good for the last connection is not sent again.
        let mut memory = [0; TARGET_LEN];
        let mut provider = provider(signs(), &mut memory);
        assert_eq!(ready(provider.refresh()), Ok(()));
        provider.credentials.now_s.set(None);
        assert_eq!(ready(provider.refresh()), Err(Unavailable));
        assert_eq!(provider.transport().err(), Some(Unavailable));
    }

    #[test]
    fn date_of_a_refusal_is_handed_on_and_a_keep_alive_is_never_missing() {
        let mut memory = [0; 8];
        let provider = provider(Source::default(), &mut memory);
        for head in [
            "HTTP/1.1 403 Forbidden\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\n\r\n",
            "HTTP/1.1 503 Service Unavailable\r\n\r\n",
        ] {
            provider.handle_refusal(&ws::Refusal::parse(head.as_bytes()).unwrap());
        }
        let dates = provider.credentials.dates.borrow();
        assert_eq!(*dates, [Some("Mon, 23 Nov 2026 12:00:00 GMT".into()), None]);
        let silent = Connect { keep_alive_s: 0, ..Connect::new("c") };
        let mut memory = [0; 8];
        let silent = AwsIot::new(HOST, "eu-central-1", silent, Source::default(), &mut memory);
        assert_eq!(silent.connect().keep_alive_s, dunlin_aws::KEEP_ALIVE_MAX_S);
    }
}
