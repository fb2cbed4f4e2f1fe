//! `dunlin pub`.

use crate::{
    args::{Payload, Target},
    failure::{Code, Failure},
    link::{self, PACKET_MAX, Patience},
};
use dunlin_tokio::{
    Client, Message, Options, Properties, Property, PublishError, Receipt,
    dunlin::{self, mqtt},
};
use std::{
    cell::Cell,
    collections::VecDeque,
    fs::File,
    io::{self, Read},
};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Stdin};

/// The longest payload, in bytes.
const PAYLOAD_MAX: usize = mqtt::PACKET_BODY_MAX;

/// How many messages wait for their acknowledgement at most.
const PENDING_MAX: usize = 1_024;

/// Payloads, ready to be sent.
#[derive(Debug)]
pub(crate) enum Source {
    One(Vec<u8>),
    Lines,
}

impl Source {
    /// Reads what can be read at once; `-s` waits for the end of standard input.
    pub(crate) fn open(payload: &Payload) -> Result<Self, Failure> {
        let one = match payload {
            Payload::Lines => return Ok(Self::Lines),
            Payload::Empty => Vec::new(),
            Payload::Text(text) => text.clone(),
            Payload::Input => all(io::stdin().lock()).map_err(|error| {
                let text =
                    format!("cannot read standard input ({error}): check where it comes from");
                Failure::new(Code::Input, text)
            })?,
            Payload::File(path) => File::open(path).and_then(all).map_err(|error| {
                let path = path.display();
                let text = format!("cannot read -f {path} ({error}): check path and permissions");
                Failure::new(Code::Input, text)
            })?,
        };
        if one.len() > PAYLOAD_MAX { Err(too_long()) } else { Ok(Self::One(one)) }
    }
}

/// Publishes all of `source` and waits for the last acknowledgement.
pub(crate) async fn run(target: &Target, source: Source, options: Options) -> Result<(), Failure> {
    let acknowledged = Cell::new(0);
    let properties = target.properties.list();
    link::run(options.outbox(PACKET_MAX), std::future::pending(), async |client, watch| {
        let sender = Sender {
            client,
            target,
            properties: &properties,
            pending: VecDeque::new(),
            acknowledged: &acknowledged,
        };
        let sending = async {
            match &source {
                Source::One(payload) => sender.one(payload).await,
                Source::Lines => sender.lines(BufReader::new(tokio::io::stdin())).await,
            }
        };
        tokio::select! {
            biased;
            sent = sending => sent,
            failure = watch.lost(Patience::WhileCounting(&acknowledged)) => Err(failure),
        }
    })
    .await
}

/// Hands messages over, and follows each to its acknowledgement.
struct Sender<'a> {
    client: &'a Client,
    target: &'a Target,
    properties: &'a [Property<'a>],
    pending: VecDeque<Receipt>,
    acknowledged: &'a Cell<u64>,
}

impl Sender<'_> {
    async fn one(mut self, payload: &[u8]) -> Result<(), Failure> {
        self.enqueue(payload).await?;
        self.settle().await
    }

    async fn lines(mut self, mut input: BufReader<Stdin>) -> Result<(), Failure> {
        let mut line = Vec::new();
        loop {
            let read = tokio::select! {
                read = next_line(&mut input, &mut line) => read,
                settled = self.settle_first(), if !self.pending.is_empty() => {
                    settled?;
                    continue;
                }
            };
            match read {
                Ok(true) => self.enqueue(line.strip_suffix(b"\n").unwrap_or(&line)).await?,
                Ok(false) => return self.settle().await,
                Err(failure) => {
                    // What came before it was handed over, and counts.
                    self.settle().await?;
                    return Err(failure);
                }
            }
            line.clear();
        }
    }

    /// Hands one message over; waits for acknowledgements while there is no room.
    async fn enqueue(&mut self, payload: &[u8]) -> Result<(), Failure> {
        while self.pending.len() >= PENDING_MAX {
            self.settle_first().await?;
        }
        let Target { topic, qos, retain, .. } = self.target;
        let message = Message::new(topic, payload, *qos);
        let message = if *retain { message.retained() } else { message };
        let message = message.with_properties(Properties::new(self.properties));
        loop {
            match self.client.enqueue(&message) {
                Ok(receipt) => {
                    self.pending.push_back(receipt);
                    return Ok(());
                }
                Err(PublishError::Rejected(
                    dunlin::PublishError::OutboxFull | dunlin::PublishError::InflightFull,
                )) if !self.pending.is_empty() => self.settle_first().await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits for the oldest acknowledgement; dropping the future loses nothing.
    async fn settle_first(&mut self) -> Result<(), Failure> {
        let Some(receipt) = self.pending.front_mut() else { return Ok(()) };
        let outcome = receipt.await;
        self.pending.pop_front();
        outcome?;
        self.acknowledged.set(self.acknowledged.get() + 1);
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), Failure> {
        while !self.pending.is_empty() {
            self.settle_first().await?;
        }
        Ok(())
    }
}

/// Adds to `line` up to the next line feed; false at the end of the input. Dropping the future loses
/// nothing: what it has read stays in `line`.
async fn next_line(input: &mut BufReader<Stdin>, line: &mut Vec<u8>) -> Result<bool, Failure> {
    // One for the line feed, and one that tells too long from just fitting.
    let room = (PAYLOAD_MAX + 2).saturating_sub(line.len());
    let read = input.take(room as u64).read_until(b'\n', line).await;
    read.map_err(|error| {
        let text = format!("cannot read standard input ({error}): check where it comes from");
        Failure::new(Code::Input, text)
    })?;
    if line.strip_suffix(b"\n").unwrap_or(line).len() > PAYLOAD_MAX {
        return Err(too_long());
    }
    Ok(!line.is_empty())
}

/// All bytes, or one more than fit into a packet.
fn all(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(PAYLOAD_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn too_long() -> Failure {
    let text =
        format!("the payload is too long: a message has at most {PAYLOAD_MAX} bytes, split it");
    Failure::new(Code::Input, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endless_input_is_cut_behind_the_limit() {
        assert_eq!(all(io::repeat(0)).unwrap().len(), PAYLOAD_MAX + 1);
    }

    #[test]
    fn missing_file_is_named() {
        let failure = Source::open(&Payload::File("no/such/file".into())).unwrap_err();
        assert_eq!(failure.code(), Code::Input);
        assert!(failure.text().starts_with("cannot read -f no/such/file ("), "{}", failure.text());
    }
}
