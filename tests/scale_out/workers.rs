//! Workers in processes of their own, one of which is killed.

use crate::{VERSIONS, common::within, connect, mosquitto, options};
use dunlin_tokio::{Client, Message, Qos, Version};
use std::collections::{BTreeMap, BTreeSet};
use support::process;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// How many jobs there are.
const JOBS: usize = 300;

/// When so many jobs are done, a worker is killed in the middle of the next one that it begins.
const BEFORE_KILL: usize = 60;

/// How many acknowledgements may have been on their way, and lost with the worker: one loop's writing.
const IN_FLIGHT_MAX: usize = 20;

/// The members of the group; the first one is killed.
const NAMES: [&str; 3] = ["worker-0", "worker-1", "worker-2"];

/// A line that a worker has printed.
struct Line {
    name: &'static str,
    text: String,
}

/// A worker; it is killed with this value at the latest.
struct Worker {
    kill: oneshot::Sender<()>,
    reader: JoinHandle<()>,
}

impl Worker {
    /// Ends it with SIGKILL; all that it had printed has been sent on then.
    ///
    /// A job whose end is printed may be acknowledged, and would be missed for ever without its line.
    async fn kill(self) {
        drop(self.kill);
        self.reader.await.unwrap();
    }
}

async fn start(
    url: &str,
    version: Version,
    name: &'static str,
    lines: mpsc::UnboundedSender<Line>,
) -> Worker {
    let version = match version {
        Version::V3 => "3",
        Version::V5 => "5",
    };
    let arguments = [url, version, "builders", "jobs/+", name];
    let mut running = process::worker().await.args(arguments).spawn();
    let (kill, mut killed) = oneshot::channel();
    let reader = tokio::spawn(async move {
        loop {
            tokio::select! {
                text = running.line() => {
                    let _nobody_counts = lines.send(Line { name, text });
                }
                _ = &mut killed => break,
            }
        }
        for text in running.kill_and_read().await {
            let _nobody_counts = lines.send(Line { name, text });
        }
    });
    Worker { kill, reader }
}

async fn next(lines: &mut mpsc::UnboundedReceiver<Line>) -> Line {
    within("a line of a worker", lines.recv()).await.unwrap()
}

async fn publish(client: Client) {
    for number in 0..JOBS {
        let payload = number.to_string();
        let message = Message::new("jobs/build", payload.as_bytes(), Qos::AtLeastOnce);
        client.publish(&message).await.unwrap();
    }
}

/// What became of the jobs.
#[derive(Default)]
struct Ledger {
    /// Who has ended each job, as often as it was.
    ended: BTreeMap<usize, Vec<&'static str>>,
    ready: BTreeMap<&'static str, usize>,
    /// What each has begun, and not ended.
    begun: BTreeMap<&'static str, usize>,
}

impl Ledger {
    fn enter(&mut self, Line { name, text }: &Line) {
        match text.split_once(' ') {
            None => *self.ready.entry(name).or_default() += 1,
            Some(("end", job)) => {
                self.begun.remove(name);
                self.ended.entry(job.parse().unwrap()).or_default().push(name);
            }
            Some((_, job)) => {
                self.begun.insert(name, job.parse().unwrap());
            }
        }
    }
}

/// MQTT 5.0 §4.8.2: of a group of three, one is killed with SIGKILL in the middle of its work.
async fn kill_one(version: Version) {
    let broker = mosquitto().await;
    let (send, mut lines) = mpsc::unbounded_channel();
    let mut workers = BTreeMap::new();
    for name in NAMES {
        workers.insert(name, start(&broker.ws_url(), version, name, send.clone()).await);
    }
    let mut ledger = Ledger::default();
    while ledger.ready.len() < NAMES.len() {
        ledger.enter(&next(&mut lines).await);
    }
    let client = connect(options(&broker.ws_url(), version)).await;
    tokio::spawn(publish(client));
    let mut cut = None;
    while ledger.ended.len() < JOBS {
        ledger.enter(&next(&mut lines).await);
        let is_due = cut.is_none() && ledger.ended.len() >= BEFORE_KILL;
        if is_due && ledger.begun.contains_key(NAMES[0]) {
            workers.remove(NAMES[0]).unwrap().kill().await;
            while let Ok(line) = lines.try_recv() {
                ledger.enter(&line);
            }
            cut = Some(ledger.begun.remove(NAMES[0]));
            // Whoever looks after workers starts them again.
            let again = start(&broker.ws_url(), version, NAMES[0], send.clone()).await;
            workers.insert(NAMES[0], again);
        }
    }
    let done: BTreeSet<_> = ledger.ended.values().flatten().collect();
    assert_eq!(done.len(), NAMES.len(), "everybody has worked: {done:?}");
    // Nearly always in the middle of a job: between two there is nothing to wait for.
    let cut = cut.expect("a worker was killed");
    let twice = ledger.ended.values().filter(|by| by.len() > 1).count();
    println!("{version:?}: killed in job {cut:?}; done twice: {twice} of {JOBS}; none lost");
    assert!(twice <= IN_FLIGHT_MAX, "{:?}", ledger.ended);
}

#[tokio::test]
async fn worker_killed_in_mid_run_loses_no_job() {
    for version in VERSIONS {
        kill_one(version).await;
    }
}
