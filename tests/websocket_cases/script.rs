//! A server that answers the upgrade by a script, and what the client makes of it.

use crate::cuts::every_cut;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use dunlin::octet::Inbox;
use dunlin::ws::{Refusal, Request, Upgrade, UpgradeError};
use dunlin::{
    Config, Connect, Connection, Error, Event, Instant, Malformed, Opening, RECEIVE_MIN, Refused,
    Session, Stage, Transport,
};
use sha1::{Digest, Sha1};

/// The answer that every server should give; `{accept}` is filled in from the request.
pub(crate) const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

/// What came of a reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) result: Result<(), UpgradeError>,
    /// Frame bytes that were not lost.
    pub(crate) behind: Vec<u8>,
    /// What is left of a refusal.
    pub(crate) refused: Option<Kept>,
}

/// A refusal: its status, its fields as they are kept, and the front of its body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) status: u16,
    fields: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Kept {
    /// The value of a field that is one of those that a refusal keeps.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let known = |(known, _): &&(&str, String)| known.eq_ignore_ascii_case(name);
        self.fields.iter().find(known).map(|(_, value)| value.as_str())
    }

    fn of(refusal: Refusal<'_>) -> Self {
        const NAMES: [&str; 9] = [
            "date",
            "content-type",
            "location",
            "retry-after",
            "sec-websocket-version",
            "www-authenticate",
            "x-amzn-errortype",
            "x-amzn-requestid",
            "server",
        ];
        let field = |name| refusal.field(name).map(|value| (name, value.to_owned()));
        Self {
            status: refusal.status().get(),
            fields: NAMES.into_iter().filter_map(field).collect(),
            body: String::from_utf8_lossy(refusal.body()).into_owned(),
        }
    }
}

/// What comes of a script, at every cut: of [`Upgrade`] alone and of a whole client, which must agree.
pub(crate) fn reply(script: impl AsRef<[u8]>) -> Outcome {
    reply_within(script, usize::MAX)
}

/// The same in a receive buffer of at most `room` bytes.
pub(crate) fn reply_within(script: impl AsRef<[u8]>, room: usize) -> Outcome {
    let room = room.min(script.as_ref().len() + 64).max(RECEIVE_MIN);
    let bytes = answer(&asked(), script.as_ref());
    let outcome = every_cut(&bytes, |parts| read(parts, room));
    let (result, refused) = every_cut(&bytes, |parts| connect(parts, room));
    assert_eq!((&result, &refused), (&outcome.result, &outcome.refused));
    outcome
}

/// The error that a script comes to.
pub(crate) fn error(script: impl AsRef<[u8]>) -> UpgradeError {
    let script = script.as_ref();
    let outcome = reply(script);
    outcome.result.expect_err(&String::from_utf8_lossy(script))
}

/// The refusal that a script is.
pub(crate) fn refusal(script: impl AsRef<[u8]>) -> Kept {
    let outcome = reply(script);
    let kept = outcome.refused.expect("a refusal");
    let Err(UpgradeError::Refused(status)) = outcome.result else { panic!("{kept:?}") };
    assert_eq!(status.get(), kept.status);
    kept
}

/// The bytes that stand for a script; the key is found in the request.
pub(crate) fn answer(request: &str, script: &[u8]) -> Vec<u8> {
    let key =
        request.split("Sec-WebSocket-Key: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    let mut hash = Sha1::new();
    hash.update(key.expect("a key in the request"));
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = BASE64_STANDARD.encode(hash.finalize());
    let mut bytes = Vec::new();
    let mut rest = script;
    while let [byte, behind @ ..] = rest {
        if let Some(behind) = rest.strip_prefix(b"{accept}") {
            bytes.extend_from_slice(accept.as_bytes());
            rest = behind;
        } else {
            bytes.push(*byte);
            rest = behind;
        }
    }
    bytes
}

fn upgrade() -> Upgrade<'static> {
    let request = Request::new("broker.test", &"/mqtt", &[]).unwrap();
    Upgrade::new(request, "mqtt", *b"any sixteen byte")
}

/// The request, as the server sees it.
fn asked() -> String {
    let mut out = [0; 512];
    let len = upgrade().poll_transmit(&mut out);
    String::from_utf8(out[..len].to_vec()).unwrap()
}

fn read(parts: &[&[u8]], room: usize) -> Outcome {
    let mut upgrade = upgrade();
    let mut inbox = Inbox::new(vec![0; room]);
    let mut result = Ok(false);
    let mut behind = Vec::new();
    for part in parts {
        let mut rest = *part;
        while !rest.is_empty() && result == Ok(false) {
            let len = inbox.receive(rest);
            assert!(len > 0, "a read of no bytes");
            rest = &rest[len..];
            result = upgrade.poll(&mut inbox);
            assert_eq!(upgrade.poll(&mut inbox), result, "the same again");
            if result == Ok(true) {
                behind.extend_from_slice(inbox.raw());
            }
        }
        if result == Ok(true) {
            behind.extend_from_slice(rest);
        }
    }
    let result = match result {
        Ok(true) => Ok(()),
        Ok(false) => Err(upgrade.handle_eof(&mut inbox)),
        Err(error) => Err(error),
    };
    let refused = matches!(result, Err(UpgradeError::Refused(_)));
    let refused = refused.then(|| Kept::of(Refusal::parse(inbox.stream()).unwrap()));
    Outcome { result, behind, refused }
}

/// The same of a client that is whole; what stands behind a 101 is not its matter here.
fn connect(parts: &[&[u8]], room: usize) -> (Result<(), UpgradeError>, Option<Kept>) {
    let mut session = Session::<_, 4>::new([0; 256], Config::new());
    let now = Instant::default();
    let request = Request::new("broker.test", &"/mqtt", &[]).unwrap();
    let opening = Opening {
        transport: Transport::WebSocket(request),
        connect: Connect::new("script"),
        deadline: now.after(1_000),
    };
    let entropy = &mut |bytes: &mut [u8]| {
        let nonce = b"any sixteen byte".iter().cycle();
        bytes.iter_mut().zip(nonce).for_each(|(byte, random)| *byte = *random);
    };
    let mut connection =
        Connection::open(&mut session, vec![0; room], opening, now, entropy).unwrap();
    let mut out = [0; 512];
    let len = connection.poll_transmit(&mut session, now, entropy, &mut out).unwrap();
    assert_eq!(String::from_utf8_lossy(&out[..len]), asked());
    let mut ended = None;
    for part in parts {
        let mut rest = *part;
        while !rest.is_empty() && ended.is_none() && connection.stage() == Stage::Upgrade {
            let early = connection.poll_transmit(&mut session, now, entropy, &mut out);
            assert_eq!(early, None, "nothing is sent before the 101");
            let len = connection.receive(rest);
            assert!(len > 0, "a read of no bytes");
            rest = &rest[len..];
            let polled: Result<Option<Event<'_>>, _> = connection.poll(&mut session, now);
            ended = polled.err();
        }
    }
    if connection.stage() != Stage::Upgrade {
        return (Ok(()), None);
    }
    let error = ended.unwrap_or_else(|| connection.handle_eof());
    assert_eq!(connection.poll(&mut session, now).err(), Some(error), "for ever");
    assert_eq!(connection.poll_transmit(&mut session, now, entropy, &mut out), None);
    let refused = connection.refusal().map(Kept::of);
    match error {
        Error::Malformed(Malformed::Upgrade(error)) => (Err(error), refused),
        Error::Refused(Refused::Upgrade(status)) => (Err(UpgradeError::Refused(status)), refused),
        error => panic!("{error:?}"),
    }
}
