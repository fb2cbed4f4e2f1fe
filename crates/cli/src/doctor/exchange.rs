//! The last steps: a subscription, and a message that comes back to it.

use super::{Step, Verdict, failed, say};
use crate::failure::{Code, Failure};
use dunlin_tokio::{Cause, Client, Error, Event, Message, Qos};
use std::time::{Duration, Instant};
use tokio::{sync::broadcast, time::timeout};

/// How long an answer, or the message, may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Subscribes to `topic`, publishes to it, and waits for what comes back.
pub(super) async fn run(client: &Client, topic: &str) -> Result<(), Failure> {
    let mut events = client.events();
    let asking = client.subscribe(topic, Qos::AtLeastOnce);
    let subscribed = answered(Step::Subscribe, asking, &mut events).await?;
    let mut messages = subscribed.map_err(|error| {
        failed(Step::Subscribe, Failure::from(error.clone()).code(), &error.to_string())
    })?;
    say(Verdict::Ok, "subscribe", &format!("{topic} is granted"))?;
    let begin = Instant::now();
    let message = Message::new(topic, b"dunlin doctor", Qos::AtLeastOnce);
    let published = answered(Step::Publish, client.publish(&message), &mut events).await?;
    published.map_err(|error| {
        failed(Step::Publish, Failure::from(error.clone()).code(), &error.to_string())
    })?;
    let came = answered(Step::Publish, messages.next(), &mut events).await;
    match came {
        Ok(Some(Ok(_))) => {
            let took = begin.elapsed().as_millis();
            say(Verdict::Ok, "publish", &format!("acknowledged, and back after {took} ms"))
        }
        Err(lost) => Err(lost),
        Ok(_) => Err(failed(Step::Publish, Code::Lost, "the subscription has ended: try again")),
    }
}

/// Awaits `answer` for as long as the connection stands.
async fn answered<T>(
    step: Step,
    answer: impl Future<Output = T>,
    events: &mut broadcast::Receiver<Event>,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        answer = timeout(ANSWER_LIMIT, answer) => answer.map_err(|_| {
            let text = "no answer: the server neither takes it nor refuses it; see its log, and what \
                        it allows this client (on AWS IoT, iot:Receive as well)";
            failed(step, Code::Lost, text)
        }),
        error = lost(events) => {
            Err(failed(step, code_of(&error), &error.to_string()))
        }
    }
}

/// A connection that is closed upon what was asked for is the server's way to refuse it.
fn code_of(error: &Error) -> Code {
    match error {
        Error::Ended {
            cause: Some(Cause::SubscribeDropped | Cause::PublishDropped | Cause::CommandDropped),
            ..
        } => Code::Refused,
        _ => Failure::connected(error).code(),
    }
}

/// The end of the connection.
async fn lost(events: &mut broadcast::Receiver<Event>) -> Error {
    loop {
        match events.recv().await {
            Ok(Event::Disconnected { error, .. } | Event::Closed(error)) => return error,
            Err(broadcast::error::RecvError::Closed) => return Error::Closed,
            _ => {}
        }
    }
}
