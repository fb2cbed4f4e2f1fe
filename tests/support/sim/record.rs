//! What became of each message.

use dunlin::{Qos, Token};
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
    /// The program has been told that it arrived.
    pub acknowledged: bool,
    /// The broker owes it to a subscriber.
    pub owed: bool,
    /// It once came when nobody wanted it: when it comes again, it has lost its place.
    pub misplaced: bool,
    /// The subscriber's program has let go of it.
    pub let_go: bool,
    /// The subscriber's program has been handed it so often.
    pub delivered: u32,
}

/// The checker's memory. Every rule that is broken is an error that says so.
#[derive(Debug, Default)]
pub struct Record {
    lives: BTreeMap<Key, Life>,
    by_token: HashMap<(u8, Token), Key>,
    newest: HashMap<(String, Qos, u8), u32>,
    /// The broker forgot what it owed, or a connection broke.
    pub faults: u32,
}

impl Record {
    /// The session has accepted a message.
    pub fn accept(&mut self, key: Key, topic: &str, qos: Qos, token: Token) {
        let life = Life {
            topic: topic.to_owned(),
            qos,
            token,
            reached: 0,
            pubrec_sent: false,
            puback_sent: false,
            may_repeat: false,
            acknowledged: false,
            owed: false,
            misplaced: false,
            let_go: false,
            delivered: 0,
        };
        self.lives.insert(key, life);
        self.by_token.insert((key.0, token), key);
    }

    /// The broker has received a message.
    pub fn reach(&mut self, key: Key) -> Result<(), String> {
        let life = self.life(key)?;
        life.reached += 1;
        if life.qos == Qos::AtMostOnce && life.reached > 1 {
            return Err(format!("{key:?} of QoS 0 was sent {} times", life.reached));
        }
        Ok(())
    }

    /// The broker has stored a message of QoS 2, and says so.
    pub fn pubrec(&mut self, key: Key) -> Result<(), String> {
        self.life(key)?.pubrec_sent = true;
        Ok(())
    }

    /// A publisher's session is lost, or all are.
    pub fn lose(&mut self, node: Option<u8>) {
        let lives = self.lives.iter_mut().filter(|(key, _)| node.is_none_or(|it| it == key.0));
        lives.for_each(|(_, life)| life.may_repeat |= !life.acknowledged);
    }

    /// The broker acknowledges a message, to the end.
    pub fn puback(&mut self, key: Key) -> Result<(), String> {
        self.life(key)?.puback_sent = true;
        Ok(())
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

    /// A session says that an exchange is complete; `None` for those that are no messages.
    pub fn acknowledge(&mut self, node: u8, token: Token) -> Result<(), String> {
        let Some(key) = self.by_token.get(&(node, token)).copied() else { return Ok(()) };
        let life = self.life(key)?;
        // A broker that has forgotten a message completes it all the same.
        let is_forgotten = life.may_repeat && life.pubrec_sent;
        if !life.puback_sent && !is_forgotten {
            return Err(format!("{key:?} is acknowledged, but the broker never said so"));
        }
        if life.acknowledged {
            return Err(format!("{key:?} is acknowledged twice"));
        }
        life.acknowledged = true;
        Ok(())
    }

    /// The subscriber's program has been handed a message.
    pub fn deliver(&mut self, key: Key, qos: Qos) -> Result<(), String> {
        let life = self.life(key)?;
        life.delivered += 1;
        if qos > life.qos {
            return Err(format!("{key:?} of {:?} came as one of {qos:?}", life.qos));
        }
        // v3.1.1: [MQTT-4.3.3-2]
        if qos == Qos::ExactlyOnce && life.delivered > 1 && !life.may_repeat {
            return Err(format!("{key:?} of QoS 2 was handed over {} times", life.delivered));
        }
        if life.delivered > 1 || life.misplaced {
            return Ok(());
        }
        // v3.1.1: [MQTT-4.6.0-6]
        let stream = (life.topic.clone(), life.qos, key.0);
        match self.newest.insert(stream, key.1) {
            Some(before) if before > key.1 => Err(format!("{key:?} came after number {before}")),
            _ => Ok(()),
        }
    }

    /// The subscriber's program lets go of a message.
    pub fn let_go(&mut self, key: Key) -> Result<(), String> {
        self.life(key)?.let_go = true;
        Ok(())
    }

    /// Whether a message may be acknowledged to the broker.
    pub fn is_let_go(&self, key: Key) -> bool {
        self.lives.get(&key).is_some_and(|life| life.delivered > 0 && life.let_go)
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
            if life.qos != Qos::AtMostOnce && !life.acknowledged {
                return Err(format!("{key:?} was accepted and never acknowledged"));
            }
            if life.owed && life.delivered == 0 {
                return Err(format!("{key:?} is lost: acknowledged, and never delivered"));
            }
            if self.faults == 0 && life.reached != 1 {
                return Err(format!("{key:?} reached the broker {} times", life.reached));
            }
        }
        Ok(())
    }

    fn life(&mut self, key: Key) -> Result<&mut Life, String> {
        self.lives.get_mut(&key).ok_or_else(|| format!("{key:?} was never published"))
    }
}
