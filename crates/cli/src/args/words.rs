//! One word of the command line after the other.

use super::Command;
use crate::failure::Failure;
use dunlin_tokio::{Qos, RetainHandling, Version};
use std::{ffi::OsString, fmt::Display, ops::RangeInclusive, path::PathBuf, str::FromStr};

/// Whether an option may be given more than once.
fn is_repeatable(option: &str, help: &str) -> bool {
    match option {
        "-D" => true,
        "-t" => help == crate::help::SUB,
        "--topic" => help == crate::help::POLICY,
        _ => false,
    }
}

/// The words behind a subcommand.
///
/// What is not an option is never repeated in a message: it may be a URL or a password.
#[derive(Debug)]
pub(crate) struct Words {
    parser: lexopt::Parser,
    /// The option read last, with its dashes.
    option: String,
    seen: Vec<String>,
    help: &'static str,
}

impl Words {
    pub(crate) fn new(args: impl Iterator<Item = OsString>, help: &'static str) -> Self {
        let parser = lexopt::Parser::from_args(args);
        Self { parser, option: String::new(), seen: Vec::new(), help }
    }

    /// The next option, with its dashes.
    pub(crate) fn next(&mut self) -> Result<Option<String>, Failure> {
        let option = match self.parser.next() {
            Ok(None) => return Ok(None),
            Ok(Some(lexopt::Arg::Short(letter))) => format!("-{letter}"),
            Ok(Some(lexopt::Arg::Long(name))) => format!("--{name}"),
            Ok(Some(lexopt::Arg::Value(_))) => {
                let text = match self.option.as_str() {
                    "" => "there is a value without its option".to_owned(),
                    option => format!("there is a value too many after {option}"),
                };
                return Err(self.wrong(&text));
            }
            Err(lexopt::Error::UnexpectedValue { option, .. }) => {
                return Err(self.wrong(&format!("{option} takes no value")));
            }
            Err(_) => return Err(self.wrong("an option is not text")),
        };
        if self.seen.contains(&option) && !is_repeatable(&option, self.help) {
            return Err(self.wrong(&format!("{option} is given twice")));
        }
        self.option.clone_from(&option);
        self.seen.push(option.clone());
        Ok(Some(option))
    }

    /// The option's value as it is.
    pub(crate) fn os(&mut self) -> Result<OsString, Failure> {
        let value = self.parser.value();
        value.map_err(|_| self.wrong(&format!("{} needs a value", self.option)))
    }

    /// The option's value as text.
    pub(crate) fn text(&mut self) -> Result<String, Failure> {
        let value = self.os()?.into_string();
        value.map_err(|_| self.wrong(&format!("{} must be UTF-8", self.option)))
    }

    /// The option's value as a region of AWS, in the case that signatures and names of resources have.
    pub(crate) fn region(&mut self) -> Result<String, Failure> {
        let region = self.text()?.to_ascii_lowercase();
        let is_region = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if region.is_empty() || !region.bytes().all(is_region) {
            return Err(self.wrong(&format!("{} takes a region like us-east-1", self.option)));
        }
        Ok(region)
    }

    /// The option's value as bytes.
    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, Failure> {
        self.os().map(OsString::into_encoded_bytes)
    }

    /// The option's value as a path.
    pub(crate) fn path(&mut self) -> Result<PathBuf, Failure> {
        self.os().map(PathBuf::from)
    }

    /// The option's value as a number within `range`.
    pub(crate) fn number<T>(&mut self, what: &str, range: RangeInclusive<T>) -> Result<T, Failure>
    where
        T: FromStr + PartialOrd + Display,
    {
        let value = self.os()?.into_string().ok().and_then(|text| text.parse().ok());
        value.filter(|number| range.contains(number)).ok_or_else(|| {
            let (least, most) = range.into_inner();
            let option = &self.option;
            self.wrong(&format!("{option} takes a number {what}, from {least} to {most}"))
        })
    }

    /// The option's value as a QoS that is spoken here.
    pub(crate) fn qos(&mut self) -> Result<Qos, Failure> {
        match self.os()?.to_str() {
            Some("0") => Ok(Qos::AtMostOnce),
            Some("1") => Ok(Qos::AtLeastOnce),
            Some("2") => Ok(Qos::ExactlyOnce),
            _ => Err(self.wrong(&format!("{} takes 0, 1 or 2", self.option))),
        }
    }

    /// The option's value as a version, by the names that `mosquitto_pub` has for them.
    pub(crate) fn version(&mut self) -> Result<Version, Failure> {
        match self.os()?.to_str() {
            Some("5" | "mqttv5") => Ok(Version::V5),
            Some("311" | "mqttv311") => Ok(Version::V3),
            _ => Err(self.wrong("-V takes 5 or 311")),
        }
    }

    /// The option's value as what is to be done with kept messages.
    pub(crate) fn retain_handling(&mut self) -> Result<RetainHandling, Failure> {
        match self.os()?.to_str() {
            Some("always") => Ok(RetainHandling::Send),
            Some("new") => Ok(RetainHandling::SendIfNew),
            Some("never") => Ok(RetainHandling::DoNotSend),
            _ => Err(self.wrong("--retain-handling takes always, new or never")),
        }
    }

    /// All that can be said about the subcommand.
    pub(crate) fn help(&self) -> Command {
        Command::Help(self.help.to_owned())
    }

    /// A usage error: what is wrong, and how it is used.
    pub(crate) fn wrong(&self, what: &str) -> Failure {
        Failure::usage(format!("{what}: {}", self.usage()))
    }

    pub(crate) fn missing(&self, option: &str) -> Failure {
        self.wrong(&format!("{option} is missing"))
    }

    pub(crate) fn unknown(&self, option: &str) -> Failure {
        self.wrong(&format!("there is no option {option}"))
    }

    /// Whether the option was given.
    pub(crate) fn has_seen(&self, option: &str) -> bool {
        self.seen.iter().any(|seen| seen == option)
    }

    /// The first line of the help, which shows how the subcommand is used.
    fn usage(&self) -> &'static str {
        self.help.lines().next().unwrap_or_default()
    }
}
