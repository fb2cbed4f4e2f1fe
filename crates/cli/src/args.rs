//! The command line, as typed values.

mod aws;
mod connection;
mod doctor;
mod proof;
mod properties;
mod words;

pub(crate) use aws::{Attach, AwsSource, Identity, Policy};
pub(crate) use connection::{Connection, Way};
pub(crate) use doctor::Doctor;
pub(crate) use properties::{OfConnect, OfSubscribe};

use crate::{failure::Failure, format::Format, help, region};
use connection::Draft;
use dunlin_tokio::{
    MessageProperties, Persistence, Qos, RetainHandling, SharedFilter, Url,
    aws::UnixTime,
    dunlin::{self, mqtt},
};
use properties::Packet;
use std::{ffi::OsString, path::PathBuf, time::Duration};
use words::Words;

/// What the command is to do.
#[derive(Debug)]
pub(crate) enum Command {
    Help(String),
    Version,
    Publish(Box<Publish>),
    Subscribe(Box<Subscribe>),
    Doctor(Box<(Doctor, Connection)>),
    Presign(Presign),
    Attach(Attach),
    Identity(Identity),
    Policy(Policy),
    #[cfg_attr(not(feature = "broker"), allow(dead_code, reason = "nothing listens in this build"))]
    Broker(Ports),
    #[cfg_attr(not(feature = "broker"), allow(dead_code, reason = "nothing listens in this build"))]
    Demo(Demo),
}

/// `dunlin pub`.
#[derive(Debug)]
pub(crate) struct Publish {
    pub(crate) connection: Connection,
    pub(crate) target: Target,
    pub(crate) payload: Payload,
}

/// Where messages go, and how.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) topic: String,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) properties: MessageProperties,
}

/// Where payloads come from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// `-m`
    Text(Vec<u8>),
    /// `-f`
    File(PathBuf),
    /// `-l`
    Lines,
    /// `-s`
    Input,
    /// `-n`
    Empty,
}

/// `dunlin sub`.
#[derive(Debug)]
pub(crate) struct Subscribe {
    pub(crate) connection: Connection,
    pub(crate) wish: Wish,
}

/// What is subscribed to, for how long, and how it is shown.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) filters: Vec<String>,
    pub(crate) qos: Qos,
    pub(crate) count: Option<u64>,
    pub(crate) wait: Option<Duration>,
    pub(crate) form: Form,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) retain_handling: RetainHandling,
    pub(crate) properties: OfSubscribe,
    /// Whether the server is to go on collecting when the command has ended.
    pub(crate) keeps: bool,
    /// Where to try out first whether the server delivers to groups.
    pub(crate) probe: Option<String>,
}

impl Wish {
    /// What is asked of the server for one filter.
    pub(crate) fn of<'a>(&self, filter: &'a str) -> dunlin::Subscription<'a> {
        dunlin::Subscription {
            no_local: self.no_local,
            retain_as_published: self.retain_as_published,
            retain_handling: self.retain_handling,
            ..dunlin::Subscription::new(filter, self.qos)
        }
    }
}

/// How messages are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The payload, escaped, as a line.
    Line,
    /// The topic in front of it.
    Verbose,
    /// The payload's bytes and nothing else.
    Raw,
    /// A line after a pattern.
    Pattern(Format),
}

/// `dunlin presign`.
#[derive(Debug)]
pub(crate) struct Presign {
    pub(crate) endpoint: Url,
    pub(crate) region: String,
    pub(crate) at: Option<UnixTime>,
    pub(crate) expires: Option<u32>,
}

/// `dunlin demo`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demo {
    /// Two clients that talk, in the terminal.
    Talk,
    /// A page on this port of the loopback address; 0 is any free port.
    Web { port: u16 },
}

/// `dunlin broker`: where it listens; 0 is any free port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) ws: u16,
    pub(crate) tcp: u16,
}

/// Ports unless told otherwise: MQTT's own, and what brokers use for WebSocket beside it.
pub(crate) const PORTS_DEFAULT: Ports = Ports { ws: 9001, tcp: 1883 };

/// Reads a command line without the program's name.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    let mut args = args.into_iter();
    let Some(first) = args.next() else { return Ok(Command::Help(help::overview())) };
    match first.to_str() {
        Some("-h" | "--help" | "help") => Ok(Command::Help(help::overview())),
        Some("-V" | "--version") => Ok(Command::Version),
        Some("pub") => publish(Words::new(args, help::PUB)),
        Some("sub") => subscribe(Words::new(args, help::SUB)),
        Some("doctor") => doctor::doctor(Words::new(args, help::DOCTOR)),
        Some("presign") => presign(Words::new(args, help::PRESIGN)),
        Some("attach-policy") => aws::attach(Words::new(args, help::ATTACH)),
        Some("identity") => aws::identity(Words::new(args, help::IDENTITY)),
        Some("policy") => aws::policy(Words::new(args, help::POLICY)),
        Some("broker") => broker(Words::new(args, help::BROKER)),
        Some("demo") => demo(Words::new(args, help::DEMO)),
        // Not repeated: it may be a URL with a password.
        _ => Err(Failure::usage(
            "unknown command: use dunlin pub, sub, doctor, presign, identity, attach-policy, \
             policy, broker or demo; `dunlin --help` explains them",
        )),
    }
}

fn publish(mut words: Words) -> Result<Command, Failure> {
    let mut draft = Draft::default();
    let (mut topic, mut qos, mut retain, mut payload) = (None, Qos::AtMostOnce, false, None);
    while let Some(option) = words.next()? {
        let source = match option.as_str() {
            "--help" | "-h" => return Ok(words.help()),
            "-t" => {
                topic = Some(words.text()?);
                continue;
            }
            "-q" => {
                qos = words.qos()?;
                continue;
            }
            "-r" => {
                retain = true;
                continue;
            }
            "-m" => Payload::Text(words.bytes()?),
            "-f" => Payload::File(words.path()?),
            "-l" => Payload::Lines,
            "-s" => Payload::Input,
            "-n" => Payload::Empty,
            other => {
                draft.take(other, Packet::Publish, &mut words)?;
                continue;
            }
        };
        if payload.replace(source).is_some() {
            return Err(words.wrong("-m, -f, -l, -s and -n exclude one another"));
        }
    }
    let (connection, given) = draft.finish(qos, &words)?;
    let topic = topic.ok_or_else(|| words.missing("-t TOPIC"))?;
    check_topic("-t", &topic)?;
    let payload = payload.ok_or_else(|| words.missing("-m TEXT, -f FILE, -l, -s or -n"))?;
    let target = Target { topic, qos, retain, properties: given.publish };
    Ok(Command::Publish(Box::new(Publish { connection, target, payload })))
}

fn subscribe(mut words: Words) -> Result<Command, Failure> {
    let mut draft = Draft::default();
    let mut wish = Wish {
        filters: Vec::new(),
        qos: Qos::AtMostOnce,
        count: None,
        wait: None,
        form: Form::Line,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::Send,
        properties: OfSubscribe::default(),
        keeps: false,
        probe: None,
    };
    let mut group = None;
    while let Some(option) = words.next()? {
        match option.as_str() {
            "--help" | "-h" => return Ok(words.help()),
            "-t" => wish.filters.push(words.text()?),
            "-q" => wish.qos = words.qos()?,
            "-C" => wish.count = Some(words.number("of messages", 1..=u64::MAX)?),
            "-W" => {
                wish.wait = Some(Duration::from_secs(words.number("of seconds", 1..=WAIT_MAX_S)?))
            }
            "-v" | "--raw" | "-F" if wish.form != Form::Line => {
                return Err(words.wrong("-v, -F and --raw exclude one another"));
            }
            "-F" => {
                let format = Format::parse(&words.text()?);
                let format = format.ok_or_else(|| {
                    words.wrong("-F has a % before a letter that --help does not list")
                })?;
                wish.form = Form::Pattern(format);
            }
            "--no-local" => wish.no_local = true,
            "--retain-as-published" => wish.retain_as_published = true,
            "--retain-handling" => wish.retain_handling = words.retain_handling()?,
            "-v" => wish.form = Form::Verbose,
            "--raw" => wish.form = Form::Raw,
            "--group" => group = Some(words.text()?),
            "--probe" => wish.probe = Some(words.text()?),
            other => draft.take(other, Packet::Subscribe, &mut words)?,
        }
    }
    let (connection, given) = draft.finish(wish.qos, &words)?;
    wish.properties = given.subscribe;
    wish.keeps = connection.persistence == Persistence::Kept;
    if wish.filters.is_empty() {
        return Err(words.missing("-t FILTER"));
    }
    for filter in &mut wish.filters {
        mqtt::check_filter(filter).map_err(|error| {
            Failure::usage(format!(
                "-t is not a topic filter ({error}): one looks like a/+/b or a/#"
            ))
        })?;
        if let Some(group) = &group {
            let shared = SharedFilter::new(group, filter);
            let shared = shared.map_err(|_| {
                words.wrong("--group is a name without / + # and not empty, and not too long")
            })?;
            *filter = shared.to_string();
        }
    }
    if let Some(topic) = &wish.probe {
        check_topic("--probe", topic)?;
    }
    Ok(Command::Subscribe(Box::new(Subscribe { connection, wish })))
}

/// The longest `-W`, in seconds: a year.
const WAIT_MAX_S: u64 = 365 * 86_400;

fn presign(mut words: Words) -> Result<Command, Failure> {
    let (mut endpoint, mut region, mut at, mut expires) = (None, None, None, None);
    while let Some(option) = words.next()? {
        match option.as_str() {
            "--help" | "-h" => return Ok(words.help()),
            "--endpoint" => endpoint = Some(words.text()?),
            "--region" => region = Some(words.region()?),
            "--at" => {
                let time = UnixTime::parse_iso8601(&words.text()?);
                at =
                    Some(time.ok_or_else(|| {
                        words.wrong("--at is not a time like 2024-01-02T03:04:05Z")
                    })?);
            }
            "--expires" => expires = Some(words.number("of seconds", 1..=604_800)?),
            other => return Err(words.unknown(other)),
        }
    }
    let endpoint = endpoint.ok_or_else(|| words.missing("--endpoint HOST[:PORT]"))?;
    let endpoint = aws::endpoint(&endpoint, &words)?;
    let region = region::told(region, endpoint.host(), "--region")?;
    Ok(Command::Presign(Presign { endpoint, region, at, expires }))
}

fn broker(mut words: Words) -> Result<Command, Failure> {
    let mut ports = PORTS_DEFAULT;
    while let Some(option) = words.next()? {
        match option.as_str() {
            "--help" | "-h" => return Ok(words.help()),
            "--ws" => ports.ws = words.number("as a port", 0..=u16::MAX)?,
            "--tcp" => ports.tcp = words.number("as a port", 0..=u16::MAX)?,
            other => return Err(words.unknown(other)),
        }
    }
    Ok(Command::Broker(ports))
}

fn demo(mut words: Words) -> Result<Command, Failure> {
    let (mut web, mut port) = (false, None);
    while let Some(option) = words.next()? {
        match option.as_str() {
            "--help" | "-h" => return Ok(words.help()),
            "--web" => web = true,
            "--port" => port = Some(words.number("as a port", 0..=u16::MAX)?),
            other => return Err(words.unknown(other)),
        }
    }
    match (web, port) {
        (true, port) => Ok(Command::Demo(Demo::Web { port: port.unwrap_or(0) })),
        (false, None) => Ok(Command::Demo(Demo::Talk)),
        (false, Some(_)) => Err(words.wrong("--port is the port of the page, which is --web")),
    }
}

fn check_topic(option: &str, topic: &str) -> Result<(), Failure> {
    mqtt::check_topic(topic).map_err(|error| {
        Failure::usage(format!(
            "{option} is not a topic to publish to ({error}): one looks like a/b"
        ))
    })
}

#[cfg(test)]
mod tests;
