//! dunlin-pubsub: the router in memory of any length, the states, backoff, topics, providers.

use crate::opaque::{bytes, keep, memory, number, show, text};
use core::{
    future::Future,
    hint::black_box,
    pin::pin,
    task::{Context, Waker},
};
use dunlin::{Closed, Connect, Error, Instant, KeepAlive, ReasonCode, Transport};
use dunlin_pubsub::aws::{AwsIot, CredentialsProvider};
use dunlin_pubsub::{
    Backoff, Change, ConnectionState, Facts, Fixed, Intent, Link, Matching, Node, Provider,
    Reachability, Route, Router, StateMonitor, Subscriber, matches, without_share,
};
use dunlin_sigv4::{Credentials, UnixTime};
use dunlin_ws::{Refusal, Upgrade};

pub fn all() {
    router(&mut [Route::EMPTY; 4], &mut [Node::EMPTY; 8]);
    states();
    backoff();
    providers();
    for matching in [Matching::Standard, Matching::Aws] {
        keep(matches(text(), text(), matching));
    }
    keep(without_share(text()));
}

type Table<'m> = Router<&'static str, &'m mut [Route<&'static str>], &'m mut [Node]>;

fn router(routes: &mut [Route<&'static str>], nodes: &mut [Node]) {
    let matching = if number() > 0 { Matching::Aws } else { Matching::Standard };
    let mut router = Table::new(black_box(routes), black_box(nodes), matching);
    let mut last = None;
    while !bytes().is_empty() {
        last = add(&mut router, last);
        for subscriber in router.route(text()) {
            keep(subscriber.index());
            last = Some(subscriber);
        }
        if let Some(subscriber) = last.take_if(|_| number() > 0) {
            router.remove(subscriber, |filter, holders| keep((filter, holders)));
        }
        keep((router.is_empty(), router.capacity()));
    }
    let (mut routes, mut nodes) = ([Route::EMPTY; 4], [Node::EMPTY; 8]);
    match router.moved_to(black_box(&mut routes[..]), black_box(&mut nodes[..])) {
        Ok(mut moved) => keep(add(&mut moved, last)),
        Err((mut same, ..)) => keep(add(&mut same, last)),
    }
}

fn add(router: &mut Table<'_>, to: Option<Subscriber>) -> Option<Subscriber> {
    match router.add(to, text()) {
        Ok(subscriber) => Some(subscriber),
        Err(filter) => {
            keep(filter);
            None
        }
    }
}

fn states() {
    let mut monitor = StateMonitor::new();
    let changes = [
        Change::OpeningConnection,
        Change::ConnectionEstablished,
        Change::ConnectionFailed,
        Change::ClosingConnection,
        Change::Closed,
        Change::Online,
        Change::Offline,
        Change::KeepAlive,
        Change::KeepAliveMissed,
    ];
    while let Some(change) = changes.get(number()) {
        if let Some(state) = monitor.handle(*change) {
            show(&state);
        }
        keep(monitor.state());
    }
    let facts = Facts {
        network: if number() > 0 { Reachability::Offline } else { Reachability::Online },
        link: if number() > 1 { Link::Connecting } else { Link::Connected },
        intent: if number() > 2 { Intent::Connected } else { Intent::Disconnected },
        keep_alive: if number() > 3 { KeepAlive::Missed } else { KeepAlive::Healthy },
    };
    show(&ConnectionState::of(black_box(facts)));
}

fn backoff() {
    let ms = || number() as u64;
    for backoff in [Backoff::new(ms(), ms(), ms()), Backoff::AMPLIFY_COMPAT, Backoff::default()] {
        let mut backoff = black_box(backoff);
        backoff.handle_connected(Instant::from_millis(ms()));
        let mut fill = |random: &mut [u8]| keep(random);
        let now = Instant::from_millis(ms());
        let error = Error::Closed(Closed::Disconnected(ReasonCode::new(number() as u8)));
        keep(backoff.handle_ended(now, black_box(Some(error)), &mut fill));
    }
}

/// Any credentials, at any time.
struct Source;

impl CredentialsProvider for Source {
    fn credentials(&self) -> Option<Credentials<'_>> {
        let session_token = (number() > 0).then(text);
        Some(Credentials { access_key_id: text(), secret_access_key: text(), session_token })
    }

    fn now(&self) -> Option<UnixTime> {
        (number() > 1).then(|| UnixTime::from_secs(number() as u64))
    }

    fn handle_date(&self, date: Option<&str>) {
        keep(date);
    }
}

fn providers() {
    let connect = Connect::new(text());
    let mut array = [0; 64];
    let mut aws = AwsIot::new(text(), text(), connect, Source, memory(&mut array));
    reach(&mut aws);
    reach(&mut Fixed { transport: Transport::Stream, connect });
}

fn reach(provider: &mut impl Provider) {
    let mut context = Context::from_waker(Waker::noop());
    if pin!(provider.refresh()).poll(&mut context).is_ready() {
        if let Ok(transport) = provider.transport() {
            if let Transport::WebSocket(request) = transport {
                let mut upgrade = Upgrade::new(request, text(), [7; 16]);
                keep(upgrade.poll_transmit(memory(&mut [0; 64])));
            }
            keep(provider.connect());
        }
        if let Some(refusal) = Refusal::parse(bytes()) {
            provider.handle_refusal(&refusal);
        }
    }
}
