//! What became of each message.

use dunlin::{Head, Limits, Qos, ReasonCode, Token};
use dunlin_mqtt::{Ack, AckKind};
use std::collections::{BTreeMap, HashMap};

/// A message's publisher, and its number there.
pub type Key = (u8, u32);

/// One message's life.
#[derive(Clone, Debug)]
pub struct Life {
    /// Where it was published to.
    pub topic: String,
    /// How often it may arrive.
    pub qos: Qos,
    /// The broker is to keep it.
    pub retain: bool,
    /// The length of its PUBLISH.
    pub packet_len: usize,
    /// What the session called it.
    pub token: Token,
    /// The broker has received it so often.
    pub reached: u32,
    /// The broker has put its PUBREC on the wire.
    pub pubrec_sent: bool,
    /// The broker has put its PUBACK or PUBCOMP on the wire.
    pub puback_sent: bool,
    /// A session was lost before it was acknowledged: it may arrive twice, whatever its QoS.
    pub may_repeat: bool,
    /// What the broker has said to it in the end, perhaps more than once.
    pub answers: Vec<ReasonCode>,
    /// The program has been told that it arrived, or was refused.
    pub acknowledged: bool,
    /// The program has been told that it cannot be sent.
    pub rejected: bool,
    /// The broker owes it to a subscriber.
    pub owed: bool,
    /// It once came when nobody wanted it: when it comes again, it has lost its place.
    pub misplaced: bool,
    /// The subscriber's program has let go of it: on which connection, and with which words.
    pub let_go: Vec<(u32, ReasonCode)>,
    /// The subscriber's program has been handed it so often.
    pub delivered: u32,
}

/// The checker's memory. Every rule that is broken is an error that says so.
#[derive(Debug, Default)]
pub struct Record {
    lives: BTreeMap<Key, Life>,
    by_token: HashMap<(u8, Token), Key>,
    newest: HashMap<(String, Qos, u8), u32>,
    /// Good-byes that the broker has said.
    dismissals: Vec<(u8, ReasonCode)>,
    /// The broker forgot what it owed, or a connection broke.
    pub faults: u32,
}

impl Record {
    /// The session has accepted a message.
    pub fn accept(&mut self, key: Key, head: &Head<'_>, packet_len: usize, token: Token) {
        let life = Life {
            topic: head.topic.to_owned(),
            qos: head.qos,
            retain: head.retain,
            packet_len,
            token,
            reached: 0,
            pubrec_sent: false,
            puback_sent: false,
            may_repeat: false,
            answers: Vec::new(),
            acknowledged: false,
            rejected: false,
            owed: false,
            misplaced: false,
            let_go: Vec::new(),
            delivered: 0,
        };
        self.lives.insert(key, life);
        self.by_token.insert((key.0, token), key);
    }

    /// The broker has received a message.
    pub fn reach(&mut self, key: Key, topic: &str) -> Result<(), String> {
        let life = self.life(key)?;
        life.reached += 1;
        if life.topic != topic {
            return Err(format!("{key:?} for {} was sent to {topic}", life.topic));
        }
        if life.rejected {
            return Err(format!("{key:?} was sent although it cannot be"));
        }
        if life.qos == Qos::AtMostOnce && life.reached > 1 {
            return Err(format!("{key:?} of QoS 0 was sent {} times", life.reached));
        }
        Ok(())
    }

    /// The broker has stored a message of QoS 2, and says so.
    pub fn pubrec(&mut self, key: Key, reason: ReasonCode) -> Result<(), String> {
        let life = self.life(key)?;
        life.pubrec_sent = true;
        life.answers.push(reason);
        Ok(())
    }

    /// A publisher's session is lost, or all are.
    pub fn lose(&mut self, node: Option<u8>) {
        let lives = self.lives.iter_mut().filter(|(key, _)| node.is_none_or(|it| it == key.0));
        lives.for_each(|(_, life)| life.may_repeat |= !life.acknowledged);
    }

    /// The broker acknowledges a message, to the end; the reason of PUBCOMP is none.
    pub fn puback(&mut self, key: Key, reason: Option<ReasonCode>) -> Result<(), String> {
        let life = self.life(key)?;
        life.puback_sent = true;
        life.answers.extend(reason);
        Ok(())
    }

    /// The broker ends a connection of a node.
    pub fn dismiss(&mut self, node: u8, reason: ReasonCode) {
        self.dismissals.push((node, reason));
    }

    /// The program is told that the broker has ended its connection.
    pub fn check_dismissed(&self, node: u8, reason: ReasonCode) -> Result<(), String> {
        let said = self.dismissals.contains(&(node, reason));
        if said { Ok(()) } else { Err(format!("the broker never said good-bye for {reason}")) }
    }

    /// The broker owes a message to a subscriber, or, having lost its memory, no longer.
    pub fn owe(&mut self, key: Key, owed: bool) {
        if let Some(life) = self.lives.get_mut(&key) {
            life.owed = owed;
        }
    }

    /// The broker has handed a message to whoever wants it.
    pub fn route(&mut self, key: Key) {
        if let Some(life) = self.lives.get_mut(&key) {
            life.misplaced |= !life.owed && life.qos != Qos::AtMostOnce;
        }
    }

    /// What comes behind this message may overtake it: the broker has not taken it, has not been
    /// heard, or has forgotten it.
    pub fn misplace(&mut self, key: Key) {
        if let Some(life) = self.lives.get_mut(&key) {
            life.misplaced = true;
        }
    }

    /// A session says that a message cannot be sent: nothing of it will be.
    pub fn reject(
        &mut self,
        node: u8,
        token: Token,
        reason: ReasonCode,
        limits: &Limits,
    ) -> Result<(), String> {
        let key = self.by_token.get(&(node, token)).copied().ok_or("nothing is rejected")?;
        let life = self.life(key)?;
        let too_long = life.packet_len as u64 > u64::from(limits.maximum_packet_size);
        let is_so = match reason {
            ReasonCode::PACKET_TOO_LARGE => too_long,
            ReasonCode::QOS_NOT_SUPPORTED => life.qos > limits.maximum_qos,
            ReasonCode::RETAIN_NOT_SUPPORTED => life.retain && !limits.retain_available,
            _ => false,
        };
        if !is_so {
            return Err(format!("{key:?} is rejected for {reason}, with {limits:?}"));
        }
        if life.acknowledged || life.rejected {
            return Err(format!("{key:?} has ended, and is rejected"));
        }
        life.rejected = true;
        Ok(())
    }

    /// Whether the program was told that a message cannot be sent.
    pub fn is_rejected(&self, key: Key) -> bool {
        self.lives.get(&key).is_some_and(|life| life.rejected)
    }

    /// A session says that an exchange is complete.
    pub fn acknowledge(
        &mut self,
        node: u8,
        token: Token,
        reason: ReasonCode,
    ) -> Result<(), String> {
        let Some(key) = self.by_token.get(&(node, token)).copied() else { return Ok(()) };
        let life = self.life(key)?;
        // A broker that has forgotten a message completes it all the same.
        let is_forgotten = life.may_repeat && life.pubrec_sent;
        if !life.puback_sent && !is_forgotten {
            return Err(format!("{key:?} is acknowledged, but the broker never said so"));
        }
        if life.acknowledged || life.rejected {
            return Err(format!("{key:?} is acknowledged behind its end"));
        }
        if !life.answers.contains(&reason) {
            return Err(format!("{key:?} ends with {reason}, where {:?} was said", life.answers));
        }
        life.acknowledged = true;
        Ok(())
    }

    /// The subscriber's program has been handed a message.
    pub fn deliver(&mut self, key: Key, topic: &str, qos: Qos) -> Result<(), String> {
        let life = self.life(key)?;
        life.delivered += 1;
        if life.topic != topic {
            return Err(format!("{key:?} for {} came as one for {topic}", life.topic));
        }
        if qos > life.qos {
            return Err(format!("{key:?} of {:?} came as one of {qos:?}", life.qos));
        }
        // v3.1.1: [MQTT-4.3.3-2]
        let declined = life.let_go.iter().any(|(_, said)| said.is_error());
        if qos == Qos::ExactlyOnce && life.delivered > 1 && !life.may_repeat && !declined {
            return Err(format!("{key:?} of QoS 2 was handed over {} times", life.delivered));
        }
        // One that is given up is released out of its turn, if the broker has it.
        if life.delivered > 1 || life.misplaced || life.rejected {
            return Ok(());
        }
        // v3.1.1: [MQTT-4.6.0-6]
        let stream = (life.topic.clone(), life.qos, key.0);
        match self.newest.insert(stream, key.1) {
            Some(before) if before > key.1 => Err(format!("{key:?} came after number {before}")),
            _ => Ok(()),
        }
    }

    /// The subscriber's program lets go of a message, or refuses it.
    pub fn let_go(&mut self, key: Key, link: u32, said: ReasonCode) -> Result<(), String> {
        self.life(key)?.let_go.push((link, said));
        Ok(())
    }

    /// A message is acknowledged to the broker with what the program said, by PUBREC perhaps on an
    /// earlier connection.
    pub fn check_let_go(&self, key: Key, link: u32, heard: &Ack<'_>) -> Result<(), String> {
        let life = self.lives.get(&key).ok_or_else(|| format!("{key:?} was never published"))?;
        if life.delivered == 0 || life.let_go.is_empty() {
            return Err(format!("{key:?} is acknowledged before the program let go"));
        }
        let any = heard.kind == AckKind::Pubrec;
        let mut said = life.let_go.iter().filter(|(on, _)| any || *on == link);
        if said.any(|(_, said)| *said == heard.reason) {
            return Ok(());
        }
        Err(format!("{heard:?} of {key:?} on {link}, where {:?} was said", life.let_go))
    }

    /// A message's life.
    pub fn get(&self, key: Key) -> Option<&Life> {
        self.lives.get(&key)
    }

    /// How many messages were accepted.
    pub fn len(&self) -> usize {
        self.lives.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.lives.is_empty()
    }

    /// Faults have stopped, and everything has had its time.
    pub fn conclude(&self) -> Result<(), String> {
        for (key, life) in &self.lives {
            if life.qos != Qos::AtMostOnce && !life.acknowledged && !life.rejected {
                return Err(format!("{key:?} was accepted and has no end"));
            }
            if life.owed && life.delivered == 0 {
                return Err(format!("{key:?} is lost: acknowledged, and never delivered"));
            }
            if self.faults == 0 && life.reached != 1 && !life.rejected {
                return Err(format!("{key:?} reached the broker {} times", life.reached));
            }
        }
        Ok(())
    }

    fn life(&mut self, key: Key) -> Result<&mut Life, String> {
        self.lives.get_mut(&key).ok_or_else(|| format!("{key:?} was never published"))
    }
}
