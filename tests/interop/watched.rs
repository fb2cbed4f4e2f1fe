//! What a client tells whoever watches the program: `tracing` and `metrics`.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use dunlin_tokio::{Message, Qos};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use tracing::Level;
use tracing::subscriber::{self, DefaultGuard};

use crate::common::within;
use crate::server::Server;
use crate::{Patient, options};

/// All that is traced on this thread while it lives, at every level.
pub(crate) struct Traced {
    text: Arc<Mutex<Vec<u8>>>,
    _guard: DefaultGuard,
}

impl Traced {
    pub(crate) fn start() -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&text);
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_ansi(false)
            .with_writer(move || Pen(Arc::clone(&writer)))
            .finish();
        Self { text, _guard: subscriber::set_default(subscriber) }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
    }
}

struct Pen(Arc<Mutex<Vec<u8>>>);

impl io::Write for Pen {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Counters by name and label.
#[derive(Default)]
struct Counters(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Counters {
    fn values(&self) -> BTreeMap<String, u64> {
        let counters = self.0.lock().unwrap();
        counters.iter().map(|(name, count)| (name.clone(), count.load(Ordering::Relaxed))).collect()
    }
}

impl Recorder for Counters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels: Vec<_> = key.labels().map(|label| label.value().to_owned()).collect();
        let name = format!("{} {}", key.name(), labels.join(","));
        Counter::from_arc(Arc::clone(self.0.lock().unwrap().entry(name).or_default()))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        panic!("{key} is no counter");
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("{key} is no counter");
    }
}

#[tokio::test]
async fn changes_and_messages_are_traced_and_counted_without_payloads() {
    let counters = Counters::default();
    let _recording = metrics::set_default_local_recorder(&counters);
    let traced = Traced::start();
    let server = Server::stream();
    let broker = server.url().replace("mqtt://", "");
    let mut patient = Patient::start(options(&server.url()));
    let peer = server.open().await;
    patient.connected().await;
    let message = Message::new("rooms/kitchen", b"pa1load", Qos::AtMostOnce);
    within("a write", patient.client.publish(&message)).await.unwrap();
    drop(peer);
    patient.lost().await;
    let text = traced.text();
    for (level, words) in [
        ("INFO", "connected"),
        ("TRACE", "rooms/kitchen"),
        ("TRACE", "len=7"),
        ("WARN", "disconnected"),
    ] {
        let said =
            |line: &str| line.contains(level) && line.contains(words) && line.contains(&broker);
        assert!(text.lines().any(said), "no {level} with {words} of {broker} in\n{text}");
    }
    assert!(!text.contains("pa1load"), "{text}");
    let counted = |name: &str, value| (format!("dunlin_{name} {broker}"), value);
    let expected = [
        counted("connections", 1),
        counted("failures", 1),
        counted("messages_delivered", 1),
        counted("messages_published", 1),
        counted("messages_received", 0),
        counted("messages_refused", 0),
        counted("messages_uncertain", 0),
    ];
    assert_eq!(counters.values(), BTreeMap::from(expected));
}
