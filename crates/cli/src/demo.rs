//! `dunlin demo`: two clients and a broker that talk, for somebody who sees this for the first time.

use crate::{
    args::Ports,
    broker::Broker,
    failure::{Code, Failure},
    output, signals,
};
use dunlin_tokio::{Backoff, Client, Event, Message, Options, PublishError, Qos, Subscription};
use std::time::Duration;
use tokio::{sync::broadcast, time::timeout};

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(9);

const TEMPERATURE: &str = "home/kitchen/temperature";
const HEATING: &str = "home/kitchen/heating";

/// What the two say to one another: topic and JSON, the kitchen first.
const TALK: [(&str, &str); 4] = [
    (TEMPERATURE, r#"{"celsius":18.5,"humidity":0.41}"#),
    (HEATING, r#"{"on":true,"target":21.0}"#),
    (TEMPERATURE, r#"{"celsius":21.0,"humidity":0.39}"#),
    (HEATING, r#"{"on":false}"#),
];

/// What the kitchen says after the broker was away.
const AFTERWARDS: (&str, &str) = (TEMPERATURE, r#"{"celsius":20.5,"humidity":0.40}"#);

/// Runs it; a step that fails ends it.
pub(crate) async fn run() -> Result<(), Failure> {
    tokio::select! {
        outcome = timeout(LIMIT, play()) => outcome.unwrap_or_else(|_| {
            let text = format!("the demo did not end within {LIMIT:?}: try again on an idle machine");
            Err(Failure::new(Code::Other, text))
        }),
        failure = signals::caught() => Err(failure),
    }
}

async fn play() -> Result<(), Failure> {
    let broker = Broker::start(Ports { ws: 0, tcp: 0 }).await?;
    let url = broker.ws_url();
    say("broker", "listening", &url)?;
    let mut kitchen = Actor::enter("kitchen", &url).await?;
    let mut phone = Actor::enter("phone", &url).await?;
    kitchen.subscribe(HEATING).await?;
    phone.subscribe("home/+/temperature").await?;
    for (topic, json) in TALK {
        let (from, to) = match topic {
            HEATING => (&mut phone, &mut kitchen),
            _ => (&mut kitchen, &mut phone),
        };
        from.publish(topic, json).await?;
        to.receive(json).await?;
    }
    let broker = restart(broker).await?;
    for actor in [&mut kitchen, &mut phone] {
        actor.reach(State::Disconnected).await?;
    }
    for actor in [&mut kitchen, &mut phone] {
        actor.reach(State::Connected).await?;
    }
    let (topic, json) = AFTERWARDS;
    kitchen.publish(topic, json).await?;
    phone.receive(json).await?;
    kitchen.leave().await?;
    phone.leave().await?;
    broker.stop().await;
    say("broker", "stopped", "now try: dunlin broker, dunlin sub --help, dunlin pub --help")
}

/// Takes the broker away from its clients, and brings it back.
async fn restart(broker: Broker) -> Result<Broker, Failure> {
    let ports = broker.ports();
    say("broker", "restarting", "its clients lose their connections, and find back by themselves")?;
    broker.stop().await;
    Broker::start(ports).await
}

/// A client with a name.
struct Actor {
    name: &'static str,
    client: Client,
    events: broadcast::Receiver<Event>,
    messages: Option<Subscription>,
}

impl Actor {
    /// Connects.
    async fn enter(name: &'static str, url: &str) -> Result<Self, Failure> {
        let options = Options::parse(url)?.client_id(name).backoff(Backoff::new(300, 600, 1_000));
        let (client, events) = Client::start(options);
        let mut actor = Self { name, client, events, messages: None };
        actor.reach(State::Connected).await?;
        Ok(actor)
    }

    async fn subscribe(&mut self, filter: &str) -> Result<(), Failure> {
        self.messages = Some(self.client.subscribe(filter, Qos::AtLeastOnce).await?);
        say(self.name, "subscribed", filter)
    }

    async fn publish(&self, topic: &str, json: &str) -> Result<(), Failure> {
        let message = Message::new(topic, json.as_bytes(), Qos::AtLeastOnce);
        let receipt = self.client.enqueue(&message)?;
        say(self.name, "publishes", &format!("{topic:<26}{json}"))?;
        let reason = receipt.await?;
        if reason.is_error() {
            let text = format!("the broker did not take a message ({reason}): try again");
            return Err(Failure::new(Code::Lost, text));
        }
        Ok(())
    }

    /// The next message, which must be `json`.
    async fn receive(&mut self, json: &str) -> Result<(), Failure> {
        let Some(messages) = &mut self.messages else {
            return Err(Failure::new(Code::Other, "nobody has subscribed: report this"));
        };
        let Some(message) = messages.next().await.transpose()? else {
            return Err(PublishError::Closed(dunlin_tokio::Error::Closed).into());
        };
        let text = String::from_utf8_lossy(message.payload());
        say(self.name, "receives", &format!("{:<26}{text}", message.topic()))?;
        if text == json {
            return Ok(());
        }
        Err(Failure::new(Code::Other, "another message came than was published: report this"))
    }

    /// Shows changes of the connection's state up to this one.
    async fn reach(&mut self, state: State) -> Result<(), Failure> {
        while self.state().await? != state {}
        Ok(())
    }

    /// Says good-bye.
    async fn leave(mut self) -> Result<(), Failure> {
        self.messages = None;
        self.client.close().await;
        self.reach(State::Closed).await
    }

    /// Shows the next change of the connection's state.
    async fn state(&mut self) -> Result<State, Failure> {
        let event = self.events.recv().await.map_err(|error| {
            Failure::new(Code::Other, format!("the client is gone ({error}): report this"))
        })?;
        let (state, detail) = match &event {
            Event::Connecting => (State::Connecting, String::new()),
            Event::Connected(_) => (State::Connected, String::new()),
            Event::Disconnected { error, retry_in } => {
                if self.messages.is_none() {
                    return Err(Failure::connecting(error));
                }
                (State::Disconnected, format!("connects again in {retry_in:?}"))
            }
            _ => (State::Closed, String::new()),
        };
        say(self.name, &format!("{state:?}"), &detail)?;
        Ok(state)
    }
}

/// A connection's state, as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connecting,
    Connected,
    Disconnected,
    Closed,
}

/// One line: who, what, and the rest.
fn say(who: &str, what: &str, rest: &str) -> Result<(), Failure> {
    let line = format!("{who:<10}{what:<14}{rest}");
    output::print(&format!("{}\n", line.trim_end()))
}
