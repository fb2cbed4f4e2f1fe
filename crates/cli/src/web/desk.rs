//! Does what the page asks for, and tells it what there is.

use super::request::{By, Request, Wish};
use crate::failure::{Code, Failure};
use dunlin_tokio::{
    Client, Message, Options, PubSub, Qos, Subscription,
    pubsub::{Delivery, Ended, States},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::{sync::mpsc, task::AbortHandle, time::interval};

/// What page and desk say to one another is under these topics, and is shown to nobody.
const OWN: &str = "dunlin-demo/";

/// How many providers and how many subscriptions a page may ask for.
const PROVIDERS_MAX: usize = 16;
const FILTERS_MAX: usize = 32;

/// Longest name of a provider, in bytes.
const NAME_MAX: usize = 160;

/// How many messages wait for the desk.
const HEARD_MAX: usize = 1_024;

/// Who is there in the beginning, and says something now and then.
const KITCHEN: &str = "kitchen";
const PHONE: &str = "phone";
const TEMPERATURE: &str = "home/kitchen/temperature";
const EVERY: Duration = Duration::from_secs(5);

/// What comes of what the desk has begun.
#[derive(Debug)]
enum Heard {
    Message(Delivery),
    /// A subscription has ended by itself.
    Trouble(String),
    /// A request is done: its name, and what went wrong.
    Done(String, Result<(), String>),
}

/// The providers and subscriptions that the page shows.
#[derive(Debug)]
pub(super) struct Desk {
    own: Client,
    requests: Subscription,
    pubsub: PubSub,
    states: States,
    /// Where each provider is, without secrets.
    urls: BTreeMap<String, String>,
    filters: BTreeSet<String>,
    /// Who listens, by filter and provider.
    listeners: BTreeMap<(String, String), AbortHandle>,
    tell: mpsc::Sender<Heard>,
    heard: mpsc::Receiver<Heard>,
    /// The state that the page was told last.
    shown: Value,
}

impl Desk {
    /// With two providers at the same broker, one for each transport.
    pub(super) async fn open(ws: &str, tcp: &str) -> Result<Self, Failure> {
        let (own, _) = Client::start(Options::parse(ws)?);
        let requests = own.subscribe(&format!("{OWN}request"), Qos::AtLeastOnce).await?;
        let pubsub = PubSub::new();
        let states = pubsub.states();
        let (tell, heard) = mpsc::channel(HEARD_MAX);
        let mut desk = Self {
            own,
            requests,
            pubsub,
            states,
            urls: BTreeMap::new(),
            filters: BTreeSet::new(),
            listeners: BTreeMap::new(),
            tell,
            heard,
            shown: Value::Null,
        };
        let begun = desk
            .add(KITCHEN, tcp)
            .and_then(|()| desk.add(PHONE, ws))
            .and_then(|()| desk.subscribe("home/#"));
        begun.map_err(|why| Failure::new(Code::Other, format!("{why}: report this")))?;
        Ok(desk)
    }

    /// Works for as long as it is awaited.
    pub(super) async fn work(&mut self) -> Failure {
        let mut beat = interval(EVERY);
        let mut round: u32 = 0;
        loop {
            self.show();
            tokio::select! {
                request = self.requests.next() => match request {
                    Some(Ok(message)) => self.on_request(message.payload()),
                    Some(Err(error)) => return error.into(),
                    None => return Failure::connected(&dunlin_tokio::Error::Closed),
                },
                state = self.states.next() => if state.is_none() {
                    // It was too far behind: all that matters is how they are now.
                    self.states = self.pubsub.states();
                },
                Some(heard) = self.heard.recv() => self.on_heard(heard),
                _ = beat.tick() => {
                    round = round.wrapping_add(1);
                    self.say_temperature(round);
                }
            }
        }
    }

    fn on_request(&mut self, payload: &[u8]) {
        let Some(Request { name, wish }) = Request::parse(payload) else { return };
        let outcome = match wish {
            Wish::Add { id, url } => self.add(&id, &url),
            Wish::Subscribe { filter } => self.subscribe(&filter),
            Wish::Unsubscribe { filter } => self.unsubscribe(&filter),
            // These take their time.
            Wish::Remove { id } => return self.remove(name, id),
            Wish::Publish { topic, payload, by } => return self.publish(name, topic, payload, by),
        };
        self.on_heard(Heard::Done(name, outcome));
    }

    fn on_heard(&mut self, heard: Heard) {
        let (topic, said) = match heard {
            Heard::Message(delivery) if delivery.topic().starts_with(OWN) => return,
            Heard::Message(delivery) => {
                let payload = String::from_utf8_lossy(delivery.payload());
                let (provider, topic) = (&*delivery.provider, delivery.topic());
                let said = json!({ "provider": provider, "topic": topic, "payload": payload });
                ("message", said)
            }
            Heard::Trouble(error) => ("outcome", json!({ "error": error })),
            Heard::Done(name, outcome) => {
                ("outcome", json!({ "request": name, "error": outcome.err() }))
            }
        };
        self.say(topic, &said);
    }

    fn add(&mut self, id: &str, url: &str) -> Result<(), String> {
        if id.is_empty() || id.len() > NAME_MAX {
            return Err(format!("a name has 1 to {NAME_MAX} bytes"));
        }
        if self.urls.len() >= PROVIDERS_MAX {
            return Err(format!("there are {PROVIDERS_MAX} providers: remove one first"));
        }
        let options = Options::parse(url).map_err(|error| error.to_string())?;
        let shown = url.parse::<dunlin_tokio::Url>().map_err(|error| error.to_string())?;
        self.pubsub.add_provider(id, options).map_err(|error| error.to_string())?;
        // Without what may be a password.
        self.urls.insert(id.to_owned(), shown.to_string());
        for filter in self.filters.clone() {
            self.listen(&filter, id)?;
        }
        Ok(())
    }

    fn remove(&mut self, name: String, id: String) {
        self.urls.remove(&id);
        self.listeners.retain(|(_, provider), _| *provider != id);
        let (pubsub, tell) = (self.pubsub.clone(), self.tell.clone());
        tokio::spawn(async move {
            let removed = pubsub.remove_provider(&id).await;
            let outcome = removed.map(|_| ()).map_err(|error| error.to_string());
            // The desk is gone: nobody wants to know.
            let _ = tell.send(Heard::Done(name, outcome)).await;
        });
    }

    fn subscribe(&mut self, filter: &str) -> Result<(), String> {
        if self.filters.len() >= FILTERS_MAX {
            return Err(format!("there are {FILTERS_MAX} subscriptions: end one first"));
        }
        if !self.filters.insert(filter.to_owned()) {
            return Err("there is such a subscription already".to_owned());
        }
        let ids: Vec<String> = self.urls.keys().cloned().collect();
        let begun = ids.iter().try_for_each(|id| self.listen(filter, id));
        if begun.is_err() {
            // A filter that is none is refused by the first.
            let _ = self.unsubscribe(filter);
        }
        begun
    }

    /// Has one provider listen.
    fn listen(&mut self, filter: &str, id: &str) -> Result<(), String> {
        let subscribe = self.pubsub.subscribe(filter).provider(id);
        let mut deliveries = subscribe.begin().map_err(|error| error.to_string())?;
        let tell = self.tell.clone();
        let task = tokio::spawn(async move {
            while let Some(next) = deliveries.next().await {
                let heard = match next {
                    Ok(delivery) => Heard::Message(delivery),
                    Err(Ended::Removed { .. }) => return,
                    Err(ended) => Heard::Trouble(ended.to_string()),
                };
                if tell.send(heard).await.is_err() {
                    return;
                }
            }
        });
        self.listeners.insert((filter.to_owned(), id.to_owned()), task.abort_handle());
        Ok(())
    }

    fn unsubscribe(&mut self, filter: &str) -> Result<(), String> {
        // With its last holder a subscription is given up at the server, too.
        self.listeners.retain(|(own, _), listener| {
            let stays = own != filter;
            if !stays {
                listener.abort();
            }
            stays
        });
        let was_there = self.filters.remove(filter);
        if was_there { Ok(()) } else { Err("there is no such subscription".to_owned()) }
    }

    fn publish(&self, name: String, topic: String, payload: String, by: By) {
        let (pubsub, tell) = (self.pubsub.clone(), self.tell.clone());
        tokio::spawn(async move {
            let publish = pubsub.publish_bytes(&topic, payload.as_bytes());
            let report = match &by {
                By::All => publish.await,
                By::Provider(id) => publish.provider(id).await,
            };
            let outcome = match report {
                Ok(report) => report.into_result().map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            // The desk is gone: nobody wants to know.
            let _ = tell.send(Heard::Done(name, outcome)).await;
        });
    }

    /// Something to look at while nobody does anything.
    fn say_temperature(&self, round: u32) {
        let Ok(kitchen) = self.pubsub.client(KITCHEN) else { return };
        let celsius = 20.0 + f64::from(round % 7) / 2.0;
        let payload = json!({ "celsius": celsius }).to_string();
        // A kitchen that is away has more to say later.
        let _ = kitchen.enqueue(&Message::new(TEMPERATURE, payload.as_bytes(), Qos::AtMostOnce));
    }

    /// Tells the page what there is, if it is not what it was told last.
    fn show(&mut self) {
        let providers: Vec<Value> = self
            .pubsub
            .providers()
            .iter()
            .filter_map(|id| {
                let url = self.urls.get(&**id)?;
                let state = self.pubsub.connection_state(id).ok()?;
                Some(json!({ "id": **id, "url": url, "state": format!("{state:?}") }))
            })
            .collect();
        let now = json!({ "providers": providers, "subscriptions": self.filters });
        if now != self.shown {
            self.say("state", &now);
            self.shown = now;
        }
    }

    /// Says something to the page; what it has missed of the state, the broker keeps for it.
    fn say(&self, topic: &str, said: &Value) {
        let (topic, payload) = (format!("{OWN}{topic}"), said.to_string());
        let message = Message::new(&topic, payload.as_bytes(), Qos::AtLeastOnce);
        let message = if topic.ends_with("state") { message.retained() } else { message };
        // Only a page that is far behind misses what does not fit.
        let _ = self.own.enqueue(&message);
    }
}
