//! Questions and their answers (MQTT 5.0 §4.10).

use crate::{Client, PublishError, Received, SubscribeError, Subscription};
use dunlin_drive::dunlin::{
    Message, Properties, Property, Qos, ReasonCode, SubscribeError as Rejected, Version,
    mqtt::Malformed,
};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

/// Where answers go when the server has not said where they can ([`Granted::response_information`]).
///
/// [`Granted::response_information`]: crate::Granted::response_information
const TOPIC_DEFAULT: &str = "dunlin/answers";

/// Asks questions, and takes the answers in a topic of its own; dropping it ends the wait for all.
///
/// Questions can be asked from many tasks at a time. It keeps its client alive.
#[derive(Debug)]
pub struct Requests {
    client: Client,
    topic: String,
    desk: Arc<Mutex<Desk>>,
    task: JoinHandle<()>,
}

/// Who waits for which answer.
#[derive(Debug, Default)]
struct Desk {
    waiting: HashMap<u64, oneshot::Sender<Received>>,
    next: u64,
    ended: Option<SubscribeError>,
}

/// Why a question has no answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RequestError {
    /// The question was not delivered to the server.
    Publish(PublishError),
    /// The server says that nobody has subscribed to the topic of the question.
    NobodyListens,
    /// Nothing came in time; an answer that comes later is dropped.
    TimedOut(Duration),
    /// Answers do not come any more.
    Closed(SubscribeError),
}

impl Client {
    /// Begins to take answers, of this QoS at most; ready when the server has granted it.
    ///
    /// Only in MQTT 5.0, whose messages carry the way of their answers (§4.10).
    pub async fn requests(&self, qos: Qos) -> Result<Requests, SubscribeError> {
        if self.version() == Version::V3 {
            return Err(SubscribeError::Rejected(Rejected::Properties(Malformed::Property)));
        }
        let granted = self.granted();
        let base = granted.as_ref().and_then(|granted| granted.response_information.as_deref());
        let base = base.unwrap_or(TOPIC_DEFAULT).trim_end_matches('/');
        let topic = format!("{base}/{:016x}", self.random());
        let answers = self.subscribe(&topic, qos).await?;
        let desk = Arc::new(Mutex::new(Desk::default()));
        let task = tokio::spawn(distribute(answers, Arc::clone(&desk)));
        Ok(Requests { client: self.clone(), topic, desk, task })
    }

    /// Answers `question`, where and as it says, with its QoS; ready when the server has acknowledged.
    ///
    /// `None` when the question asks for no answer: it has no response topic.
    pub async fn answer(
        &self,
        question: &Received,
        payload: &[u8],
    ) -> Option<Result<ReasonCode, PublishError>> {
        let properties = question.properties();
        let topic = properties.response_topic()?;
        let correlation = properties.correlation_data().map(Property::CorrelationData);
        let list: Vec<_> = correlation.into_iter().collect();
        let answer = Message::new(topic, payload, question.qos);
        Some(self.publish(&answer.with_properties(Properties::new(&list))).await)
    }
}

impl Requests {
    /// The topic that answers come to.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Publishes `question` with the way of its answer, and waits for that, up to `limit` in all.
    ///
    /// The question's own properties must not name another way. Dropping the future gives the answer up,
    /// and does not take the question back.
    pub async fn ask(
        &self,
        question: &Message<'_>,
        limit: Duration,
    ) -> Result<Received, RequestError> {
        let answering = self.answered(question);
        timeout(limit, answering).await.unwrap_or(Err(RequestError::TimedOut(limit)))
    }

    async fn answered(&self, question: &Message<'_>) -> Result<Received, RequestError> {
        let (mut place, answer) = Place::new(&self.desk)?;
        let number = place.number.to_be_bytes();
        let own = [Property::ResponseTopic(&self.topic), Property::CorrelationData(&number)];
        let list: Vec<_> = question.head.properties.iter().chain(own).collect();
        let question = question.with_properties(Properties::new(&list));
        let reason = self.client.publish(&question).await.map_err(RequestError::Publish)?;
        if reason == ReasonCode::NO_MATCHING_SUBSCRIBERS {
            return Err(RequestError::NobodyListens);
        }
        let answer = answer.await.map_err(|_| RequestError::Closed(place.ended()))?;
        place.is_taken = true;
        Ok(answer)
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A place on the desk, given up when whoever waits goes away.
struct Place<'d> {
    desk: &'d Mutex<Desk>,
    number: u64,
    is_taken: bool,
}

impl<'d> Place<'d> {
    fn new(desk: &'d Mutex<Desk>) -> Result<(Self, oneshot::Receiver<Received>), RequestError> {
        let (sender, answer) = oneshot::channel();
        let mut open = lock(desk);
        if let Some(ended) = &open.ended {
            return Err(RequestError::Closed(ended.clone()));
        }
        let number = open.next;
        open.next = number.wrapping_add(1);
        open.waiting.insert(number, sender);
        Ok((Self { desk, number, is_taken: false }, answer))
    }

    fn ended(&self) -> SubscribeError {
        let ended = lock(self.desk).ended.clone();
        ended.unwrap_or(SubscribeError::Closed(crate::Error::Closed))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.is_taken {
            lock(self.desk).waiting.remove(&self.number);
        }
    }
}

/// Held for short calls; a panic elsewhere leaves the table as some call left it.
fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Brings each answer to who waits for it, until there are no more; others are dropped.
async fn distribute(mut answers: Subscription, desk: Arc<Mutex<Desk>>) {
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(answer) => {
                let correlation = answer.properties().correlation_data();
                let number = correlation.and_then(|data| data.try_into().ok());
                let waits = number.map(u64::from_be_bytes);
                let waits = waits.and_then(|number| lock(&desk).waiting.remove(&number));
                if let Some(waits) = waits {
                    let _gave_up = waits.send(answer);
                }
            }
            Err(ended) => {
                let mut desk = lock(&desk);
                desk.ended = Some(ended);
                desk.waiting.clear();
            }
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish(error) => write!(f, "the question was not delivered: {error}"),
            Self::NobodyListens => f.write_str(
                "nobody has subscribed to the topic of the question: start who answers, or check \
                 the topic",
            ),
            Self::TimedOut(limit) => write!(
                f,
                "no answer within {limit:?}: check that who answers uses the question's response \
                 topic and correlation data, or wait longer"
            ),
            Self::Closed(error) => write!(f, "no more answers: {error}"),
        }
    }
}

impl std::error::Error for RequestError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that asks for ever, and is not answered, must not fill its memory.
    #[test]
    fn question_that_is_given_up_leaves_nothing_on_the_desk() {
        let desk = Mutex::new(Desk::default());
        let (place, _answer) = Place::new(&desk).unwrap();
        assert_eq!(lock(&desk).waiting.len(), 1);
        drop(place);
        assert!(lock(&desk).waiting.is_empty());
    }
}
