//! Subscriptions that the workers of a group share.

use crate::{
    Client, Message, PublishError, Qos, SharedFilter, SubscribeError, Subscription, runner::race,
};
use dunlin_drive::dunlin::SubscribeError as Rejected;
use std::{fmt, time::Duration};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often a question that went unanswered is asked again: a cluster may need time to hear of a new group.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Above it, the answer would wait behind what the server has under way to a session that it kept.
const PROBE_QOS: Qos = Qos::AtMostOnce;

/// Why the members of a group would wait in vain, or why that is not known.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SharingError {
    /// The server does not grant a shared subscription.
    Subscribe(SubscribeError),
    /// The server does not take the message that was to come back.
    Publish(PublishError),
    /// The server grants shared subscriptions, and delivers nothing to them.
    Silent,
}

impl Client {
    /// Joins the group of `shared`: each message goes to one of its members, wherever they run.
    ///
    /// With [`Subscription::manual`], a member acknowledges a message when its work is done. What one that
    /// dies has not acknowledged waits in its session, where that is kept
    /// ([`Persistence::Kept`](crate::Persistence::Kept)), until it comes back under its client identifier;
    /// some servers give it to another member at once, and some forget it with a session that is not kept.
    ///
    /// In MQTT 5.0 a server without shared subscriptions says so, which is an error here; in MQTT 3.1.1,
    /// which does not know of them, it may grant the subscription and never deliver:
    /// [`Client::probe_sharing`] finds that out.
    pub async fn join(
        &self,
        shared: SharedFilter<'_>,
        qos: Qos,
    ) -> Result<Subscription, SubscribeError> {
        self.subscribe(&shared.to_string(), qos).await
    }

    /// Finds out whether the server delivers to shared subscriptions, before a program waits for what
    /// would never come.
    ///
    /// Subscribes to `topic` as the only member of a group with a random name, publishes an empty message
    /// there, and waits for it to come back, for `limit` at most. Choose a topic that nobody else uses and
    /// that this client may publish and subscribe to: MQTT 3.1.1 does not tell a message that is not
    /// allowed from one that was lost. Once per broker is enough, best with a client whose session is not
    /// kept: nothing is left there of one that dies meanwhile.
    pub async fn probe_sharing(&self, topic: &str, limit: Duration) -> Result<(), SharingError> {
        let group = format!("probe-{:016x}", self.random());
        let shared = SharedFilter::new(&group, topic)
            .map_err(|error| SubscribeError::Rejected(Rejected::Filter(error)))?;
        let question = async {
            let mut answers = self.join(shared, PROBE_QOS).await?;
            match race(answers.next(), self.ask(topic)).await {
                Ok(Some(Err(error))) => Err(error.into()),
                Ok(_) => Ok(()),
                Err(error) => Err(SharingError::Publish(error)),
            }
        };
        timeout(limit, question).await.unwrap_or(Err(SharingError::Silent))
    }

    /// Publishes again and again until that fails.
    async fn ask(&self, topic: &str) -> PublishError {
        let mut beat = interval(ASK_AGAIN);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            let message = Message::new(topic, b"", PROBE_QOS);
            if let Err(error) = self.publish(&message).await {
                return error;
            }
        }
    }
}

impl From<SubscribeError> for SharingError {
    fn from(error: SubscribeError) -> Self {
        Self::Subscribe(error)
    }
}

impl fmt::Display for SharingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subscribe(error) => write!(f, "no shared subscription: {error}"),
            Self::Publish(error) => write!(f, "the group cannot be tried out: {error}"),
            Self::Silent => f.write_str(
                "the server has granted a shared subscription and delivers nothing to it: it may not \
                 know of groups ($share), or not allow the topic of the probe; subscribe without a \
                 group, or use another server",
            ),
        }
    }
}

impl std::error::Error for SharingError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Subscribe(error) => Some(error),
            Self::Publish(error) => Some(error),
            Self::Silent => None,
        }
    }
}
