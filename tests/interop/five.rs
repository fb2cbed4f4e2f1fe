//! MQTT 5.0 with mosquitto: properties, subscription options, limits.

use dunlin_tokio::dunlin::{PublishError as Rejected, Subscription as Wish};
use dunlin_tokio::{
    Client, Event, Message, Options, Properties, Property, PublishError, Qos, ReasonCode,
    RequestError, Resumption, RetainHandling, SubscribeError, SubscriptionId, Version,
};
use std::time::Duration;
use support::mosquitto::{Mosquitto, Options as Broker};
use support::paho::Transport;

use crate::common::{LIMIT, within};
use crate::{TRANSPORTS, address, dunlin, next, next_connection, options, subscribe};

const QOS: [Qos; 3] = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];

/// As many topics as mosquitto takes aliases for, and some more.
const TOPICS: usize = 13;

fn five(broker: &Mosquitto, transport: Transport) -> Options {
    options(transport, address(broker, transport)).version(Version::V5)
}

/// All that a PUBLISH can say (MQTT 5.0 §3.3.2.3).
fn every_property() -> [Property<'static>; 7] {
    [
        Property::PayloadFormatIndicator(true),
        Property::MessageExpiryInterval(3_600),
        Property::ContentType("text/plain"),
        Property::ResponseTopic("answers/here"),
        Property::CorrelationData(&[0, 0xff, 7]),
        Property::UserProperty(("name", "value")),
        Property::UserProperty(("name", "another")),
    ]
}

/// [MQTT-4.2-1]
#[tokio::test]
async fn every_property_arrives_with_every_qos() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let client = dunlin(five(&broker, transport)).await;
        let mut news = subscribe(&client, "news/#", Qos::ExactlyOnce).await;
        for (qos, len) in QOS.into_iter().flat_map(|qos| [(qos, 0), (qos, 70_000)]) {
            let (payload, list) = (vec![b'x'; len], every_property());
            let message = Message::new("news/1", &payload, qos);
            let message = message.with_properties(Properties::new(&list));
            let reason = within("an answer", client.publish(&message)).await.unwrap();
            assert_eq!(reason, ReasonCode::SUCCESS);
            let came = next(&mut news).await;
            assert_eq!((came.topic(), came.payload(), came.qos), ("news/1", &payload[..], qos));
            let properties = came.properties();
            assert_eq!(properties.payload_format_indicator(), Some(true));
            assert!(properties.message_expiry_interval_s().is_some_and(|it| it > 3_500));
            assert_eq!(properties.content_type(), Some("text/plain"));
            assert_eq!(properties.response_topic(), Some("answers/here"));
            assert_eq!(properties.correlation_data(), Some(&[0, 0xff, 7][..]));
            let pairs: Vec<_> = properties.user_properties().collect();
            assert_eq!(pairs, [("name", "value"), ("name", "another")]);
        }
        within("the end", client.close()).await;
    }
}

#[tokio::test]
async fn message_without_subscribers_is_a_success_that_says_so() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let client = dunlin(five(&broker, transport)).await;
        // mosquitto says so of QoS 1 alone.
        let message = Message::new("nobody", b"", Qos::AtLeastOnce);
        let reason = within("a PUBACK", client.publish(&message)).await.unwrap();
        assert_eq!(reason, ReasonCode::NO_MATCHING_SUBSCRIBERS);
    }
}

#[tokio::test]
async fn request_is_answered_where_it_says() {
    let broker = Mosquitto::start(Broker::default()).await;
    let asker = dunlin(five(&broker, Transport::Websockets)).await;
    let server = dunlin(five(&broker, Transport::Tcp)).await;
    let mut questions = subscribe(&server, "questions", Qos::AtLeastOnce).await;
    let requests = within("a SUBACK", asker.requests(Qos::AtLeastOnce)).await.unwrap();
    let list = [Property::UserProperty(("round", "one"))];
    let [one, two] = [b"one", b"two"].map(|payload| {
        let question = Message::new("questions", payload, Qos::AtLeastOnce);
        question.with_properties(Properties::new(&list))
    });
    let answering = async {
        // The later one first: each answer finds its own question.
        let came = [next(&mut questions).await, next(&mut questions).await];
        assert_eq!(came[0].properties().user_properties().next(), Some(("round", "one")));
        for question in came.iter().rev() {
            assert_eq!(question.properties().response_topic(), Some(requests.topic()));
            let answer = [question.payload(), b"!"].concat();
            within("a PUBACK", server.answer(question, &answer)).await.unwrap().unwrap();
        }
    };
    let (one, two, ()) =
        tokio::join!(requests.ask(&one, LIMIT), requests.ask(&two, LIMIT), answering);
    assert_eq!((one.unwrap().payload(), two.unwrap().payload()), (&b"one!"[..], &b"two!"[..]));
}

#[tokio::test]
async fn refusal_of_a_message_reaches_its_server_with_its_reason() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let options = five(&broker, transport).client_id("refuser").session_expiry_s(60);
        let client = dunlin(options).await;
        let mut messages = subscribe(&client, "offers", Qos::ExactlyOnce).await.manual();
        for qos in QOS {
            let offer = Message::new("offers", b"three", qos);
            within("an acknowledgement", client.publish(&offer)).await.unwrap();
            let (came, word) = within("a message", messages.next()).await.unwrap().unwrap();
            assert_eq!(came.payload(), b"three");
            word.refuse(ReasonCode::QUOTA_EXCEEDED).unwrap();
        }
        // mosquitto goes on: what was refused is over, and does not hold up the next one.
        let offer = Message::new("offers", b"two", Qos::ExactlyOnce);
        within("an acknowledgement", client.publish(&offer)).await.unwrap();
        let (came, word) = within("a message", messages.next()).await.unwrap().unwrap();
        assert_eq!((came.payload(), came.duplicate), (&b"two"[..], false));
        word.accept().unwrap();
        within("the end", client.close()).await;
    }
}

#[tokio::test]
async fn request_without_an_answer_says_why() {
    let broker = Mosquitto::start(Broker::default()).await;
    let asker = dunlin(five(&broker, Transport::Websockets)).await;
    let server = dunlin(five(&broker, Transport::Tcp)).await;
    let requests = within("a SUBACK", asker.requests(Qos::AtLeastOnce)).await.unwrap();
    let question = Message::new("questions", b"why?", Qos::AtLeastOnce);
    let nobody = requests.ask(&question, LIMIT).await;
    assert!(matches!(nobody, Err(RequestError::NobodyListens)), "{nobody:?}");
    let mut questions = subscribe(&server, "questions", Qos::AtLeastOnce).await;
    let short = Duration::from_millis(50);
    let (silent, came) = tokio::join!(requests.ask(&question, short), next(&mut questions));
    assert!(matches!(silent, Err(RequestError::TimedOut(limit)) if limit == short), "{silent:?}");
    // An answer that nobody waits for any more disturbs nobody.
    within("a PUBACK", server.answer(&came, b"late")).await.unwrap().unwrap();
    let twice = [Property::CorrelationData(b"mine")];
    let twice = question.with_properties(Properties::new(&twice));
    let twice = requests.ask(&twice, LIMIT).await;
    assert!(matches!(twice, Err(RequestError::Publish(PublishError::Rejected(_)))), "{twice:?}");
    let (ended, ()) = tokio::join!(requests.ask(&question, LIMIT), asker.close());
    assert!(matches!(ended, Err(RequestError::Closed(_) | RequestError::Publish(_))), "{ended:?}");
    let closed = requests.ask(&question, LIMIT).await.unwrap_err();
    assert!(matches!(closed, RequestError::Closed(_)), "{closed:?}");
    let old = dunlin(five(&broker, Transport::Tcp).version(Version::V3)).await;
    let refused = old.requests(Qos::AtLeastOnce).await.err();
    assert!(matches!(refused, Some(SubscribeError::Rejected(_))), "{refused:?}");
}

#[tokio::test]
async fn options_of_a_subscription_are_obeyed() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let client = dunlin(five(&broker, transport)).await;
        let other = dunlin(five(&broker, transport)).await;
        let kept = Message::new("kept", b"old", Qos::AtLeastOnce).retained();
        within("a PUBACK", client.publish(&kept)).await.unwrap();
        let plain = Wish::new("kept", Qos::AtLeastOnce);
        for (wish, own, old) in [
            (plain, true, true),
            (Wish { no_local: true, ..plain }, false, true),
            (Wish { retain_handling: RetainHandling::DoNotSend, ..plain }, true, false),
            (Wish { retain_as_published: true, ..plain }, true, true),
        ] {
            let wishes = [wish, Wish::new("fence", Qos::AtLeastOnce)];
            let subscribing = client.subscribe_all(&wishes);
            let mut messages = within("a SUBACK", subscribing).await.unwrap();
            let new = Message::new("kept", b"new", Qos::AtLeastOnce).retained();
            within("a PUBACK", client.publish(&new)).await.unwrap();
            within("a PUBACK", client.publish(&kept)).await.unwrap();
            let fence = Message::new("fence", b"", Qos::AtLeastOnce);
            within("a PUBACK", other.publish(&fence)).await.unwrap();
            let mut came = Vec::new();
            loop {
                let message = next(&mut messages).await;
                if message.topic() == "fence" {
                    break;
                }
                came.push((message.payload().to_vec(), message.retained));
            }
            let flag = wish.retain_as_published;
            let stored = old.then_some((b"old".to_vec(), true));
            let own = own.then_some([(b"new".to_vec(), flag), (b"old".to_vec(), flag)]);
            let expected: Vec<_> = stored.into_iter().chain(own.into_iter().flatten()).collect();
            assert_eq!(came, expected, "{wish:?}");
            let reasons = within("an UNSUBACK", messages.unsubscribe()).await.unwrap();
            assert_eq!(reasons, [ReasonCode::SUCCESS; 2]);
        }
        within("the end", client.close()).await;
    }
}

#[tokio::test]
async fn kept_messages_come_again_unless_the_subscription_stood() {
    let broker = Mosquitto::start(Broker::default()).await;
    let client = dunlin(five(&broker, Transport::Tcp)).await;
    let kept = Message::new("kept", b"old", Qos::AtLeastOnce).retained();
    within("a PUBACK", client.publish(&kept)).await.unwrap();
    let if_new = RetainHandling::SendIfNew;
    let wish = Wish { retain_handling: if_new, ..Wish::new("kept", Qos::AtLeastOnce) };
    let mut first = within("a SUBACK", client.subscribe_all(&[wish])).await.unwrap();
    assert!(next(&mut first).await.retained);
    let mut second = within("a SUBACK", client.subscribe_all(&[wish])).await.unwrap();
    let fence = Message::new("kept", b"fence", Qos::AtLeastOnce);
    within("a PUBACK", client.publish(&fence)).await.unwrap();
    assert_eq!(next(&mut second).await.payload(), b"fence");
    assert_eq!(next(&mut first).await.payload(), b"fence");
}

#[tokio::test]
async fn messages_carry_the_identifier_of_their_subscription() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let client = dunlin(five(&broker, transport)).await;
        let id = SubscriptionId::new(268_435_455).unwrap();
        let list = [Property::SubscriptionIdentifier(id), Property::UserProperty(("why", "test"))];
        let wishes = [Wish::new("a/+", Qos::ExactlyOnce)];
        let subscribing = client.subscribe_with(&wishes, Properties::new(&list));
        let mut messages = within("a SUBACK", subscribing).await.unwrap();
        for qos in QOS {
            let message = Message::new("a/b", b"", qos);
            within("an answer", client.publish(&message)).await.unwrap();
            let came = next(&mut messages).await;
            let ids: Vec<_> = came.properties().subscription_identifiers().collect();
            assert_eq!(ids, [id]);
        }
    }
}

/// Each message reaches one of both, and the topic without the group is what routes it.
#[tokio::test]
async fn shared_subscription_is_shared_between_two_clients() {
    const COUNT: u8 = 20;
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let mut shares = Vec::new();
        for _ in 0..2 {
            let client = dunlin(five(&broker, transport)).await;
            let wishes = ["$share/group/work/+", "fence"];
            let wishes = wishes.map(|filter| Wish::new(filter, Qos::AtLeastOnce));
            let messages = within("a SUBACK", client.subscribe_all(&wishes)).await.unwrap();
            shares.push((client, messages));
        }
        let publisher = dunlin(five(&broker, transport)).await;
        for number in 0..COUNT {
            let payload = [number];
            let message = Message::new("work/1", &payload, Qos::AtLeastOnce);
            within("a PUBACK", publisher.publish(&message)).await.unwrap();
        }
        let fence = Message::new("fence", b"", Qos::AtLeastOnce);
        within("a PUBACK", publisher.publish(&fence)).await.unwrap();
        let mut came = Vec::new();
        for (_, messages) in &mut shares {
            let before = came.len();
            loop {
                let message = next(messages).await;
                if message.topic() == "fence" {
                    break;
                }
                came.push(message.payload()[0]);
            }
            assert!(came.len() > before, "one of both had nothing to do");
        }
        came.sort_unstable();
        assert!(came.into_iter().eq(0..COUNT));
    }
}

#[tokio::test]
async fn more_topics_than_aliases_all_arrive_under_their_own_names() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let client = dunlin(five(&broker, transport)).await;
        let maximum = client.granted().unwrap().limits.topic_alias_maximum;
        assert!((1..TOPICS as u16).contains(&maximum), "{maximum}");
        let mut messages = subscribe(&client, "long/#", Qos::ExactlyOnce).await;
        for round in 0..5 {
            for topic in 0..TOPICS {
                // Some come again while their alias still stands, the others after it was taken.
                let topic = format!("long/name/of/a/topic/{}", (topic * round) % TOPICS);
                let message = Message::new(&topic, b"", QOS[round % 3]);
                within("an answer", client.publish(&message)).await.unwrap();
                assert_eq!(next(&mut messages).await.topic(), topic);
            }
        }
    }
}

/// [MQTT-3.2.2-15]
#[tokio::test]
async fn message_larger_than_the_server_takes_is_refused_here() {
    let broker = Broker { max_packet_size: Some(1_000), ..Broker::default() };
    let broker = Mosquitto::start(broker).await;
    let large = Message::new("large", &[0; 1_000], Qos::AtLeastOnce);
    let refused = |outcome: Result<ReasonCode, PublishError>| {
        let Err(PublishError::Rejected(Rejected::Limit(reason))) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(reason, ReasonCode::PACKET_TOO_LARGE);
    };
    for transport in TRANSPORTS {
        // Accepted before anything is known of the server.
        let (client, mut events) = Client::start(five(&broker, transport));
        let early = client.enqueue(&large).unwrap();
        let unwritten = Message::new("large", &[0; 1_000], Qos::AtMostOnce);
        let unwritten = client.enqueue(&unwritten).unwrap();
        assert_eq!(next_connection(&mut events).await, Resumption::New);
        refused(within("an answer", early).await);
        refused(within("an answer", unwritten).await);
        refused(within("an answer", client.publish(&large)).await);
        let small = Message::new("small", &[0; 900], Qos::AtLeastOnce);
        within("a PUBACK", client.publish(&small)).await.unwrap();
        assert!(matches!(events.try_recv(), Err(_) | Ok(Event::Connecting)));
        assert_eq!(client.granted().unwrap().limits.maximum_packet_size, 1_000);
    }
}
