//! The words of `dunlin doctor`.

use super::{Command, check_topic, connection::Draft, properties::Packet, words::Words};
use crate::failure::Failure;
use dunlin_tokio::Qos;
use std::hash::{BuildHasher, RandomState};

/// `dunlin doctor`.
#[derive(Debug)]
pub(crate) struct Doctor {
    /// Where a message is sent, and waited for.
    pub(crate) topic: String,
    pub(crate) region: Option<String>,
}

pub(super) fn doctor(mut words: Words) -> Result<Command, Failure> {
    let mut draft = Draft::default();
    let mut topic = None;
    while let Some(option) = words.next()? {
        match option.as_str() {
            "--help" | "-h" => return Ok(words.help()),
            "-t" => topic = Some(words.text()?),
            other => draft.take(other, Packet::Publish, &mut words)?,
        }
    }
    let (connection, _) = draft.finish(Qos::AtLeastOnce, &words)?;
    // Nobody else's.
    let topic = topic.unwrap_or_else(|| {
        format!("dunlin/doctor/{:016x}", RandomState::new().hash_one(std::process::id()))
    });
    check_topic("-t", &topic)?;
    let doctor = Doctor { topic, region: connection.region.clone() };
    Ok(Command::Doctor(Box::new((doctor, connection))))
}
