//! The subcommands that speak with AWS, and where `pub` and `sub` take credentials from.

use super::{Command, words::Words};
use crate::{failure::Failure, region};
use dunlin_tokio::Url;

/// `dunlin attach-policy`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Attach {
    pub(crate) policy: String,
    pub(crate) target: String,
    pub(crate) region: Option<String>,
    pub(crate) endpoint_url: Option<String>,
}

/// `dunlin identity`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) pool: String,
    pub(crate) endpoint_url: Option<String>,
}

/// `dunlin policy`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) client_id: Option<String>,
    pub(crate) topics: Vec<String>,
}

/// Where credentials come from.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AwsSource {
    /// `--aws`: from the variables of AWS, as with a region alone.
    pub(crate) variables: bool,
    /// `--aws-pool`
    pub(crate) pool: Option<String>,
    /// `--aws-identity`
    pub(crate) identity: Option<String>,
    /// `--aws-profile`
    pub(crate) profile: Option<String>,
    /// `--aws-endpoint-url`
    pub(crate) endpoint_url: Option<String>,
}

impl AwsSource {
    /// Whether upgrades are signed with what it gives.
    pub(crate) const fn is_given(&self) -> bool {
        self.variables || self.pool.is_some() || self.profile.is_some()
    }

    /// Takes one option, if it is one of these.
    pub(super) fn take(&mut self, option: &str, words: &mut Words) -> Result<(), Failure> {
        let place = match option {
            "--aws" => {
                self.variables = true;
                return Ok(());
            }
            "--aws-pool" => &mut self.pool,
            "--aws-identity" => &mut self.identity,
            "--aws-profile" => &mut self.profile,
            "--aws-endpoint-url" => &mut self.endpoint_url,
            other => return Err(words.unknown(other)),
        };
        *place = Some(words.text()?);
        Ok(())
    }

    /// Whether the options go together.
    pub(super) fn check(&self, words: &Words) -> Result<(), Failure> {
        let sources = ["--aws", "--aws-pool", "--aws-profile"];
        let mut given = sources.into_iter().filter(|option| words.has_seen(option));
        if let (Some(one), Some(other)) = (given.next(), given.next()) {
            return Err(words.wrong(&format!("{one} and {other} exclude one another")));
        }
        for option in ["--aws-identity", "--aws-endpoint-url"] {
            if words.has_seen(option) && self.pool.is_none() {
                return Err(words.wrong(&format!("{option} needs --aws-pool POOL")));
            }
        }
        Ok(())
    }
}

pub(super) fn attach(mut words: Words) -> Result<Command, Failure> {
    let (mut policy, mut target, mut region, mut endpoint_url) = (None, None, None, None);
    while let Some(option) = words.next()? {
        let place = match option.as_str() {
            "--help" | "-h" => return Ok(words.help()),
            "--policy" => &mut policy,
            "--target" => &mut target,
            "--region" => {
                region = Some(words.region()?);
                continue;
            }
            "--endpoint-url" => &mut endpoint_url,
            other => return Err(words.unknown(other)),
        };
        *place = Some(words.text()?);
    }
    let policy = policy.ok_or_else(|| words.missing("--policy NAME"))?;
    let target = target.ok_or_else(|| words.missing("--target IDENTITY"))?;
    Ok(Command::Attach(Attach { policy, target, region, endpoint_url }))
}

pub(super) fn identity(mut words: Words) -> Result<Command, Failure> {
    let (mut pool, mut endpoint_url) = (None, None);
    while let Some(option) = words.next()? {
        let place = match option.as_str() {
            "--help" | "-h" => return Ok(words.help()),
            "--pool" => &mut pool,
            "--endpoint-url" => &mut endpoint_url,
            other => return Err(words.unknown(other)),
        };
        *place = Some(words.text()?);
    }
    let pool = pool.ok_or_else(|| words.missing("--pool POOL"))?;
    Ok(Command::Identity(Identity { pool, endpoint_url }))
}

/// An endpoint of AWS, which is not repeated where it is none.
pub(super) fn endpoint(text: &str, words: &Words) -> Result<Url, Failure> {
    let wrong = || words.wrong("--endpoint is a host, with :PORT where that is not 443");
    if text.contains(['/', '?', '#', '@']) {
        return Err(wrong());
    }
    format!("wss://{text}").parse().map_err(|_| wrong())
}

/// Digits of an account's number.
const ACCOUNT_DIGITS: usize = 12;

pub(super) fn policy(mut words: Words) -> Result<Command, Failure> {
    let (mut region, mut account, mut client_id, mut topics) = (None, None, None, Vec::new());
    let mut named = None;
    while let Some(option) = words.next()? {
        match option.as_str() {
            "--help" | "-h" => return Ok(words.help()),
            "--region" => region = Some(words.region()?),
            "--endpoint" => named = Some(words.text()?),
            "--account" => account = Some(words.text()?),
            "--client-id" => client_id = Some(words.text()?),
            "--topic" => topics.push(words.text()?),
            other => return Err(words.unknown(other)),
        }
    }
    let region = match named {
        Some(text) => {
            let url = endpoint(&text, &words)?;
            if let (Some(told), Some(given)) = (region::of_host(url.host()), &region)
                && told != *given
            {
                return Err(words.wrong(&format!("--region says {given}, --endpoint {told}")));
            }
            region::told(region, url.host(), "--region")?
        }
        None => region.ok_or_else(|| words.missing("--region REGION or --endpoint HOST"))?,
    };
    let account = account.ok_or_else(|| words.missing("--account NUMBER"))?;
    if account.len() != ACCOUNT_DIGITS || !account.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(words.wrong("--account takes a number of 12 digits"));
    }
    check_topics(&topics, &words)?;
    if client_id.as_deref() == Some("") {
        return Err(words.wrong("--client-id is empty; without it, any may connect"));
    }
    Ok(Command::Policy(Policy { region, account, client_id, topics }))
}

fn check_topics(topics: &[String], words: &Words) -> Result<(), Failure> {
    if topics.is_empty() {
        return Err(words.missing("--topic FILTER"));
    }
    for topic in topics {
        super::mqtt::check_filter(topic)
            .map_err(|error| words.wrong(&format!("--topic is not a topic filter ({error})")))?;
        // They are letters to MQTT, and a policy with them would allow more than the filter.
        if topic.contains(['*', '?']) {
            return Err(words.wrong("--topic takes + and # for any topic, but no * and no ?"));
        }
    }
    Ok(())
}
