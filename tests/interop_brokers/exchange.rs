//! Messages in both directions, retained ones, and wills.

use dunlin_tokio::{Client, Message, Qos, ReasonCode, Will};
use support::peer::{Connect, Event, Message as PeerMessage, Peer};

use crate::cable::Cable;
use crate::common::within;
use crate::table::{Case, every_case, next, plain, subscribe};

/// Nothing, the least, and the most that AWS IoT Core takes, which fills two lengths of a frame.
const LENGTHS: [usize; 3] = [0, 1, 128 << 10];

const ALL: [Qos; 3] = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];

/// Bytes that differ from place to place, so that a shifted or doubled part shows.
fn payload(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

async fn nothing_more(peer: &mut Peer, case: Case) {
    let fence = PeerMessage::new(&case.unique("fence"), 1, "fence");
    peer.subscribe(&fence.topic, 1).await;
    peer.publish(&fence).await;
    assert_eq!(plain(peer.message().await), fence);
    assert_eq!(peer.unasked().collect::<Vec<_>>(), Vec::<&Event>::new());
}

#[tokio::test]
async fn message_of_any_qos_arrives_byte_for_byte_in_both_directions() {
    every_case(exchange).await;
}

async fn exchange(case: Case) {
    let (client, mut peer) = (case.dunlin().await, case.peer().await);
    let (up, down) = (case.unique("to/peer"), case.unique("to/dunlin"));
    for qos in ALL {
        let bits = qos as u8;
        let mut came_down = subscribe(&client, &down, qos).await;
        assert_eq!(peer.subscribe(&up, bits).await, bits);
        for length in LENGTHS {
            let bytes = payload(length);
            let what = format!("{length} bytes, {qos:?}");
            let message = Message::new(&up, &bytes, qos);
            let reason = within(&what, client.publish(&message)).await.unwrap();
            assert_eq!(reason, ReasonCode::SUCCESS, "{what}");
            let message = PeerMessage::new(&up, bits, bytes.clone());
            assert_eq!(plain(peer.message().await), message, "{what}");

            if length == 0 && !case.peer_can_publish_nothing() {
                continue;
            }
            peer.publish(&PeerMessage::new(&down, bits, bytes.clone())).await;
            let came = next(&mut came_down).await;
            assert_eq!((came.topic(), came.qos, came.retained), (&*down, qos, false));
            assert!(came.payload() == bytes && !came.duplicate, "{what}: {came:?}");
        }
        drop(came_down);
        within("an UNSUBACK", client.drain()).await.unwrap();
    }
    nothing_more(&mut peer, case).await;
    peer.disconnect().await;
    within("the end", client.close()).await;
}

#[tokio::test]
async fn retained_message_waits_for_later_subscribers_of_both_sides() {
    every_case(retain).await;
}

async fn retain(case: Case) {
    let (client, mut peer) = (case.dunlin().await, case.peer().await);
    let (ours, theirs) = (case.unique("kept/ours"), case.unique("kept/theirs"));
    let message = Message::new(&ours, b"one", Qos::AtLeastOnce).retained();
    within("a PUBACK", client.publish(&message)).await.unwrap();
    assert_eq!(peer.subscribe(&ours, 1).await, 1);
    assert_eq!(plain(peer.message().await), PeerMessage::new(&ours, 1, "one").retained());

    peer.publish(&PeerMessage::new(&theirs, 2, "two").retained()).await;
    let mut kept = subscribe(&client, &theirs, Qos::ExactlyOnce).await;
    let came = next(&mut kept).await;
    assert_eq!((came.payload(), came.retained), (&b"two"[..], true));
    // To those who are there already it is a message like any other.
    peer.publish(&PeerMessage::new(&theirs, 2, "three").retained()).await;
    let came = next(&mut kept).await;
    assert_eq!((came.payload(), came.retained), (&b"three"[..], false));

    // An empty one takes it away again: whoever comes later finds none.
    let nothing = Message::new(&theirs, b"", Qos::AtLeastOnce).retained();
    within("a PUBACK", client.publish(&nothing)).await.unwrap();
    assert_eq!(next(&mut kept).await.payload(), b"");
    assert_eq!(peer.subscribe(&theirs, 1).await, 1);
    nothing_more(&mut peer, case).await;
    let nothing = Message::new(&ours, b"", Qos::AtLeastOnce).retained();
    within("a PUBACK", client.publish(&nothing)).await.unwrap();
    peer.disconnect().await;
    within("the end", client.close()).await;
}

#[tokio::test]
async fn will_of_dunlin_is_published_when_it_is_cut_off_and_not_when_it_is_closed() {
    every_case(will_of_dunlin).await;
}

async fn will_of_dunlin(case: Case) {
    let mut peer = case.peer().await;
    let topic = case.unique("will/of/dunlin");
    assert_eq!(peer.subscribe(&topic, 2).await, 2);
    let cable = Cable::to(case.address).await;
    for qos in ALL {
        let will = |payload: &[u8]| Will {
            topic: topic.clone(),
            payload: payload.to_vec(),
            qos,
            ..Will::default()
        };
        // Two identifiers: who takes a connection over before its end was noticed lets its will fire.
        let closed = case.options("closed", case.address).will(will(b"closed"));
        let closed = within("Dunlin connects", Client::connect(closed)).await.unwrap();
        within("the end", closed.close()).await;
        let cut = case.options("cut", cable.address()).will(will(b"cut"));
        let cut = Client::connect(cut);
        let cut = within("Dunlin connects", cut).await.unwrap();
        cable.pull();
        assert_eq!(plain(peer.message().await), PeerMessage::new(&topic, qos as u8, "cut"));
        drop(cut);
        cable.put_back();
    }
    nothing_more(&mut peer, case).await;
    peer.disconnect().await;
}

#[tokio::test]
async fn will_of_the_peer_reaches_dunlin() {
    every_case(will_of_the_peer).await;
}

async fn will_of_the_peer(case: Case) {
    let client = case.dunlin().await;
    let topic = case.unique("will/of/peer");
    let mut wills = subscribe(&client, &topic, Qos::ExactlyOnce).await;
    for qos in ALL {
        let mut peer = Peer::start(case.peer).await;
        let will = Some(PeerMessage::new(&topic, qos as u8, "gone"));
        let connect = Connect { will, ..case.connect("mortal") };
        assert!(!peer.connect(&connect).await, "nobody has a session");
        peer.abort().await;
        let came = next(&mut wills).await;
        assert_eq!((came.topic(), came.payload(), came.qos), (&*topic, &b"gone"[..], qos));
    }
    within("the end", client.close()).await;
}
