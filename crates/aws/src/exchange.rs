//! One request to a service of AWS and its answer, over plain HTTP/1.1.
//!
//! A request writes itself ([`Text`]), through a window as small as the caller likes. The answer
//! comes into the caller's [`Inbox`](dunlin_octet::Inbox) by way of [`Reply`], and once that says it
//! is whole, [`Answer::parse`] looks into it. Each connection carries one exchange: requests ask the
//! server to close it.

use crate::denied::Denied;
use crate::endpoint::Partition;
use crate::json::{Str, Value};
use core::fmt;
use dunlin::ws::{InvalidRequest, Refusal, Request};
pub use dunlin::ws::{Reply, ReplyError};
use dunlin_octet::{Count, Sink, Text};

/// The host of a service, such as `cognito-identity.eu-central-1.amazonaws.com`, as text.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ServiceHost<'a> {
    /// As it stands in front: `iot`, `cognito-identity`.
    pub service: &'a str,
    /// The region, whose partition has a domain of its own.
    pub region: &'a str,
}

impl Text for ServiceHost<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        self.service.write(sink);
        sink.put(b".");
        self.region.write(sink);
        sink.put(b".");
        Partition::of_region(self.region).dns_suffix().write(sink);
    }
}

/// A complete answer, whatever it says.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Answer<'a> {
    head: Refusal<'a>,
}

/// An answer that is not what was asked for.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum AnswerError<'a> {
    /// The service says no, and perhaps why.
    Denied(Denied<'a>),
    /// The service says yes, but not what; the peer is at fault.
    Malformed,
}

impl<'a> Answer<'a> {
    /// The answer in the stream of an inbox, once [`Reply::poll`] or [`Reply::handle_eof`] has given
    /// its status.
    pub fn parse(stream: &'a [u8]) -> Option<Self> {
        Refusal::parse(stream).map(|head| Self { head })
    }

    /// What the server's clock said, in the form of RFC 9110 §5.6.7.
    pub fn date(&self) -> Option<&'a str> {
        self.head.field("date")
    }

    /// Whether it is a yes, without more.
    pub(crate) fn done(&self) -> Result<(), AnswerError<'a>> {
        match self.head.status().get() {
            200..=299 => Ok(()),
            _ => Err(AnswerError::Denied(Denied::new(&self.head))),
        }
    }

    /// The document of a yes.
    pub(crate) fn value(&self) -> Result<Value<'a>, AnswerError<'a>> {
        self.done()?;
        Value::parse(self.head.body()).ok_or(AnswerError::Malformed)
    }

    /// A member of the document that is a string.
    pub(crate) fn string(&self, name: &str) -> Result<Str<'a>, AnswerError<'a>> {
        self.value()?.member(name).and_then(Value::string).ok_or(AnswerError::Malformed)
    }
}

impl AnswerError<'_> {
    /// Whether the same request may well succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Denied(denied) => denied.is_retryable(),
            Self::Malformed => false,
        }
    }
}

impl fmt::Display for AnswerError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(denied) => denied.fmt(f),
            Self::Malformed => f.write_str("the service's answer is not what was asked for"),
        }
    }
}

impl core::error::Error for AnswerError<'_> {}

/// A request whose parts have been checked.
#[derive(Clone, Copy)]
pub(crate) struct Http<'a> {
    pub(crate) method: &'static str,
    pub(crate) target: &'a dyn Text,
    pub(crate) host: &'a str,
    /// Header lines of the request's own, each with its line end.
    pub(crate) lines: &'a dyn Text,
    pub(crate) body: &'a dyn Text,
}

impl Text for Http<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        self.method.write(sink);
        sink.put(b" ");
        self.target.write(sink);
        sink.put(b" HTTP/1.1\r\nHost: ");
        self.host.write(sink);
        sink.put(b"\r\nConnection: close\r\nContent-Length: ");
        Decimal(Count::of(&self.body)).write(sink);
        sink.put(b"\r\n");
        self.lines.write(sink);
        sink.put(b"\r\n");
        self.body.write(sink);
    }
}

/// Whether host and target can stand in a request.
pub(crate) fn check(host: &str, target: &(dyn Text + Sync)) -> Result<(), InvalidRequest> {
    Request::new(host, &target, &[]).map(|_| ())
}

/// A length in digits.
struct Decimal(usize);

impl Text for Decimal {
    fn write(&self, sink: &mut dyn Sink) {
        let mut digits = [b'0'; 10];
        // No request is as long as 4 GiB.
        let mut left = u32::try_from(self.0).unwrap_or(u32::MAX);
        for place in digits.iter_mut().rev() {
            let [digit, ..] = (left % 10).to_le_bytes();
            *place = b'0'.saturating_add(digit);
            left /= 10;
        }
        let first = digits.iter().position(|digit| *digit != b'0').unwrap_or(9);
        sink.put(digits.get(first..).unwrap_or_default());
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use dunlin_octet::Inbox;
    use std::string::String;
    use std::vec::Vec;

    struct Bytes(Vec<u8>);

    impl Sink for Bytes {
        fn put(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }

    pub(crate) fn written(text: &dyn Text) -> String {
        let mut bytes = Bytes(Vec::new());
        text.write(&mut bytes);
        String::from_utf8(bytes.0).unwrap()
    }

    /// An answer of that status line, those fields and that body, as an inbox has it.
    pub(crate) fn stream(status: &str, fields: &str, body: &str) -> Vec<u8> {
        let len = body.len();
        let raw = std::format!("HTTP/1.1 {status}\r\ncontent-length: {len}\r\n{fields}\r\n{body}");
        let mut inbox = Inbox::new(std::vec![0; raw.len() + 1]);
        inbox.receive(raw.as_bytes());
        assert!(Reply::new().poll(&mut inbox).unwrap().is_some());
        inbox.stream().to_vec()
    }

    #[test]
    fn host_of_a_service_has_the_domain_of_its_partition() {
        let host = |region| written(&ServiceHost { service: "iot", region });
        assert_eq!(host("eu-west-1"), "iot.eu-west-1.amazonaws.com");
        assert_eq!(host("cn-north-1"), "iot.cn-north-1.amazonaws.com.cn");
    }

    #[test]
    fn length_is_written_in_digits() {
        for number in [0, 1, 9, 10, 12_345, 4_294_967_295] {
            assert_eq!(written(&Decimal(number)), std::format!("{number}"));
        }
    }

    #[test]
    fn answer_that_points_elsewhere_is_a_no_whatever_it_has() {
        for (status, is_yes) in [
            ("200 OK", true),
            ("201 Created", true),
            ("299 x", true),
            ("300 x", false),
            ("302 Found", false),
            ("307 Temporary Redirect", false),
            ("400 x", false),
        ] {
            let stream = stream(status, "location: https://other.example/\r\n", "{\"a\":\"b\"}");
            let answer = Answer::parse(&stream).unwrap();
            assert_eq!((answer.done().is_ok(), answer.string("a").is_ok()), (is_yes, is_yes));
        }
    }

    #[test]
    fn answer_that_is_no_json_is_malformed_unless_it_is_a_no() {
        for (status, denied) in [("200 OK", false), ("500 Oops", true)] {
            let stream = stream(status, "", "<html>");
            let error = Answer::parse(&stream).unwrap().value().unwrap_err();
            assert_eq!(matches!(error, AnswerError::Denied(_)), denied);
            assert_eq!(error.is_retryable(), denied);
        }
    }
}
