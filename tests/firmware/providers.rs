//! Two brokers behind one `PubSub` of the firmware: one in the clear, and AWS IoT Core.

use crate::machine::Machine;
use crate::unwrapped;
use crate::visitor::Visitor;
use support::aws_iot::{Attempt, AwsIot, Quirks};
use support::mosquitto::{Mosquitto, Options};

const TOPIC: &str = "firmware/pubsub";

/// What a broker writes when the firmware has said good-bye, rather than just gone.
const GOOD_BYE: &str = "Client firmware disconnected.";

/// The firmware talks with both, takes leave of the first, and goes on with the second.
pub(crate) async fn play(machine: Machine) -> String {
    let site = Mosquitto::start(Options::default()).await;
    let cloud = Mosquitto::start(Options::default()).await;
    let gateway = AwsIot::start(cloud.tcp_addr(), Quirks::default()).await;
    let door = unwrapped::listen(gateway.port(), gateway.ca_pem()).await;
    let mut at_site = Visitor::connect(site.tcp_addr()).await;
    let mut at_cloud = Visitor::connect(cloud.tcp_addr()).await;
    at_site.subscribe(TOPIC).await;
    at_cloud.subscribe(TOPIC).await;
    let mut firmware = machine.cloud(door.port()).start(site.ws_addr());

    firmware.line_with("removed").await;
    site.logged(GOOD_BYE).await;
    assert!(!cloud.log().contains(GOOD_BYE), "only one was removed\n{}", cloud.log());
    // At both: what the first has now is nothing for the firmware.
    at_site.publish(TOPIC, "host").await;
    at_cloud.publish(TOPIC, "host").await;
    let said = firmware.finish().await.text();

    cloud.logged(GOOD_BYE).await;
    assert_eq!(at_site.seen(TOPIC).await, ["site", "all", "host"]);
    assert_eq!(at_cloud.seen(TOPIC).await, ["cloud", "all", "host", "last"]);
    let attempts = gateway.attempts();
    assert!(matches!(attempts[..], [Attempt::Accepted { .. }]), "{attempts:?}");
    assert_eq!(gateway.breaches(), []);
    said
}
