//! The options that `pub`, `sub` and `doctor` share: where to connect, and as whom.

use super::{
    AwsSource, check_topic,
    proof::Proof,
    properties::{Given, OfConnect, Packet},
    words::Words,
};
use crate::failure::Failure;
use dunlin_tokio::{Persistence, Proxy, Qos, Url, Version, Will};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Where to connect, and as whom.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) url: Url,
    pub(crate) version: Version,
    pub(crate) persistence: Persistence,
    pub(crate) properties: OfConnect,
    pub(crate) client_id: Option<String>,
    pub(crate) keep_alive_s: Option<u16>,
    pub(crate) user_name: Option<String>,
    pub(crate) password: Option<Password>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) proof: Proof,
    pub(crate) way: Way,
    pub(crate) region: Option<String>,
    pub(crate) aws: AwsSource,
    pub(crate) will: Option<Will>,
}

/// How the way to the broker is found.
#[derive(Debug, Default)]
pub(crate) enum Way {
    /// Through the proxy that the environment names, if it names one.
    #[default]
    Environment,
    /// `--proxy`
    Through(Proxy),
    /// `--no-proxy`
    Straight,
}

/// A password: wiped when dropped, and not shown by `Debug`.
pub(crate) struct Password(pub(crate) Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(***)")
    }
}

/// What has been read of it so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    url: Option<Url>,
    version: Version,
    persistence: Persistence,
    given: Given,
    client_id: Option<String>,
    keep_alive_s: Option<u16>,
    user_name: Option<String>,
    password: Option<Password>,
    ca: Option<PathBuf>,
    proof: Proof,
    way: Way,
    region: Option<String>,
    aws: AwsSource,
    will_topic: Option<String>,
    will_payload: Vec<u8>,
    will_qos: Option<Qos>,
    will_retain: bool,
}

impl Draft {
    /// Takes one option, if it is one of these.
    pub(super) fn take(
        &mut self,
        option: &str,
        packet: Packet,
        words: &mut Words,
    ) -> Result<(), Failure> {
        match option {
            "-V" => self.version = words.version()?,
            "-c" => self.persistence = Persistence::Kept,
            "-x" => {
                let expiry_s = words.number("of seconds", 0..=u32::MAX)?;
                self.given.connect.session_expiry_s = Some(expiry_s);
            }
            "-D" => self.given.take(packet, words)?,
            "--url" => self.url = Some(words.text()?.parse()?),
            "-i" => self.client_id = Some(words.text()?),
            "-k" => self.keep_alive_s = Some(words.number("of seconds", 0..=u16::MAX)?),
            "-u" => self.user_name = Some(words.text()?),
            "-P" => self.password = Some(Password(Zeroizing::new(words.bytes()?))),
            "--ca" => self.ca = Some(words.path()?),
            option if Proof::OPTIONS.contains(&option) => self.proof.take(option, words)?,
            "--proxy" => self.way = Way::Through(words.text()?.parse()?),
            "--no-proxy" => self.way = Way::Straight,
            "--aws-region" => self.region = Some(words.region()?),
            "--will-topic" => self.will_topic = Some(words.text()?),
            "--will-payload" => self.will_payload = words.bytes()?,
            "--will-qos" => self.will_qos = Some(words.qos()?),
            "--will-retain" => self.will_retain = true,
            other => self.aws.take(other, words)?,
        }
        Ok(())
    }

    /// The whole, if its parts go together and with messages of `qos`.
    pub(super) fn finish(self, qos: Qos, words: &Words) -> Result<(Connection, Given), Failure> {
        let will = self.will(words)?;
        self.check_version(words)?;
        let url = self.url.ok_or_else(|| words.missing("--url URL"))?;
        let scheme = url.scheme();
        self.proof.check(&url, words)?;
        if self.ca.is_some() && !scheme.is_tls() {
            return Err(words.wrong("--ca has no use without TLS, which is wss:// or mqtts://"));
        }
        self.aws.check(words)?;
        let is_signed = self.region.is_some() || self.aws.is_given();
        let options = ["--aws", "--aws-region", "--aws-pool", "--aws-profile"];
        if let Some(option) = options.into_iter().find(|option| words.has_seen(option))
            && !scheme.is_websocket()
        {
            let what = format!("{option} signs WebSocket upgrades, which are wss://");
            return Err(words.wrong(&what));
        }
        if is_signed {
            let qos_of_will = will.as_ref().map(|will| will.qos);
            for (option, qos) in [("-q", Some(qos)), ("--will-qos", qos_of_will)] {
                if qos == Some(Qos::ExactlyOnce) {
                    let what = format!("{option} takes 0 or 1 here, since AWS IoT has no QoS 2");
                    return Err(words.wrong(&what));
                }
            }
        }
        if words.has_seen("--proxy") && words.has_seen("--no-proxy") {
            return Err(words.wrong("--proxy and --no-proxy exclude one another"));
        }
        // A random one would never find its session again.
        if self.persistence == Persistence::Kept && self.client_id.is_none() {
            return Err(words.wrong("-c needs a client identifier, which is -i ID"));
        }
        // v3.1.1: [MQTT-3.1.2-22] No password without a user name.
        let alone = self.version == Version::V3;
        if alone && self.password.is_some() && self.user_name.is_none() && url.user_name().is_none()
        {
            return Err(words.wrong("-P needs a user name, which is -u USER"));
        }
        let connection = Connection {
            url,
            version: self.version,
            persistence: self.persistence,
            properties: self.given.connect.clone(),
            client_id: self.client_id,
            keep_alive_s: self.keep_alive_s,
            user_name: self.user_name,
            password: self.password,
            ca: self.ca,
            proof: self.proof,
            way: self.way,
            region: self.region,
            aws: self.aws,
            will,
        };
        Ok((connection, self.given))
    }

    /// Nothing that only MQTT 5.0 has may be lost without a word.
    fn check_version(&self, words: &Words) -> Result<(), Failure> {
        let options = ["-x", "-D", "--no-local", "--retain-as-published", "--retain-handling"];
        match options.into_iter().find(|option| words.has_seen(option)) {
            Some(option) if self.version == Version::V3 => {
                Err(words.wrong(&format!("{option} needs MQTT 5, which is -V 5")))
            }
            _ => Ok(()),
        }
    }

    fn will(&self, words: &Words) -> Result<Option<Will>, Failure> {
        let Some(topic) = self.will_topic.clone() else {
            let others = ["--will-payload", "--will-qos", "--will-retain"];
            let plain = Given::default();
            let said = self.given.will != plain.will || self.given.will_delay_s > 0;
            let option = others.into_iter().find(|option| words.has_seen(option));
            return match option.or(said.then_some("-D will")) {
                Some(option) => Err(words.wrong(&format!("{option} needs --will-topic TOPIC"))),
                None => Ok(None),
            };
        };
        check_topic("--will-topic", &topic)?;
        let qos = self.will_qos.unwrap_or(Qos::AtMostOnce);
        let payload = self.will_payload.clone();
        let (delay_s, properties) = (self.given.will_delay_s, self.given.will.clone());
        Ok(Some(Will { topic, payload, qos, retain: self.will_retain, delay_s, properties }))
    }
}
