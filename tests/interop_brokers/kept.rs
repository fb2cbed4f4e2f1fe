//! Sessions that the broker keeps while a client is away.

use dunlin_tokio::{Client, Event, Message, Persistence, Qos, Resumption};
use support::peer::{Connect, Message as PeerMessage, Peer, Start};
use tokio::sync::broadcast;

use crate::cable::Cable;
use crate::common::within;
use crate::table::{Case, every_case, next, plain, subscribe};

/// How many messages wait.
const COUNT: u8 = 10;

async fn next_connection(events: &mut broadcast::Receiver<Event>) -> Resumption {
    loop {
        if let Event::Connected(resumption) = within("an event", events.recv()).await.unwrap() {
            return resumption;
        }
    }
}

/// Waits until a connection is lost, or did not come about.
async fn next_loss(events: &mut broadcast::Receiver<Event>) {
    while !matches!(within("an event", events.recv()).await.unwrap(), Event::Disconnected { .. }) {}
}

#[tokio::test]
async fn messages_for_dunlin_wait_while_it_is_away() {
    every_case(dunlin_is_away).await;
}

async fn dunlin_is_away(case: Case) {
    let mut peer = case.peer().await;
    let cable = Cable::to(case.address).await;
    let kept = case.options("keeper", cable.address()).persistence(Persistence::Kept);
    let (client, mut events) = Client::start(kept);
    assert_eq!(next_connection(&mut events).await, Resumption::New);
    let topic = case.unique("news");
    let mut news = subscribe(&client, &topic, Qos::ExactlyOnce).await;
    // QoS 2 first: what the last cut left unfinished of it is finished, and not handed over again.
    for qos in [2, 1] {
        cable.pull();
        next_loss(&mut events).await;
        for number in 0..COUNT {
            peer.publish(&PeerMessage::new(&topic, qos, [number])).await;
        }
        cable.put_back();
        // How many attempts have failed meanwhile, and how far they came, is chance.
        assert_eq!(next_connection(&mut events).await, Resumption::Resumed);
        for number in 0..COUNT {
            let came = next(&mut news).await;
            assert_eq!((came.payload(), came.qos as u8), (&[number][..], qos));
        }
    }
    within("the end", client.close()).await;
    peer.disconnect().await;
}

#[tokio::test]
async fn messages_of_dunlin_wait_while_the_peer_is_away() {
    every_case(peer_is_away).await;
}

async fn peer_is_away(case: Case) {
    let client = case.dunlin().await;
    let mut peer = Peer::start(case.peer).await;
    let connect = Connect { start: Start::Resume, ..case.connect("keeper") };
    assert!(!peer.connect(&connect).await, "nobody has a session");
    let topic = case.unique("letters");
    assert_eq!(peer.subscribe(&topic, 2).await, 2);
    for qos in [Qos::ExactlyOnce, Qos::AtLeastOnce] {
        peer.abort().await;
        for number in 0..COUNT {
            let payload = [number];
            let message = Message::new(&topic, &payload, qos);
            within("an acknowledgement", client.publish(&message)).await.unwrap();
        }
        assert_eq!(peer.reconnect().await, Ok(true));
        for number in 0..COUNT {
            // ejabberd takes what it has queued for something it sends again.
            let came = PeerMessage { dup: false, ..plain(peer.message().await) };
            assert_eq!(came, PeerMessage::new(&topic, qos as u8, [number]));
        }
    }
    peer.disconnect().await;
    within("the end", client.close()).await;
}
