//! "CONNECT, DISCONNECT, and RECONNECT".

use std::time::Duration;

use dunlin_tokio::{Backoff, Client, Version};
use support::aws_iot::{Packet, Quirks, Side, Withheld};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Advisor, VERSIONS, retry_in, within};

/// The default backoff's 1 s and 60 s, made short: it grows by the same steps.
const LEAST_MS: u64 = 50;
const MOST_MS: u64 = 1_000;
/// How long the device waits for CONNACK.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// So many devices at once, each drawing waits of its own.
const DEVICES: usize = 8;
/// How often the server lets one wait in vain before it answers.
const ATTEMPTS: usize = 5;

#[tokio::test]
async fn mqtt_connect() {
    for version in VERSIONS {
        let advisor = Advisor::start(version, Quirks::default()).await;
        advisor.connected(advisor.options("device")).await;
        let connects = advisor.connects(1).await;
        let Packet::Connect(connect) = &connects[0].packet else { panic!("{connects:?}") };
        assert_eq!((connect.level, &*connect.client_id), (version.level(), "device"));
        assert_eq!(advisor.gateway.breaches(), []);
    }
}

fn none() -> Withheld {
    Withheld { connacks: usize::MAX, ..Withheld::default() }
}

/// What one device waits between its attempts, as it says itself, and what its CONNECTs say.
async fn waits(advisor: &Advisor, rounds: usize) -> Vec<Vec<Duration>> {
    let mut devices = JoinSet::new();
    let mut clients = Vec::new();
    for number in 0..DEVICES {
        let options = advisor
            .options(&format!("device-{number}"))
            .connect_timeout(CONNECT_TIMEOUT)
            .backoff(Backoff::new(LEAST_MS, MOST_MS, 60_000));
        let (client, mut events) = Client::start(options);
        clients.push(client);
        devices.spawn(async move {
            let mut waits = Vec::new();
            for _ in 0..rounds * ATTEMPTS {
                waits.push(retry_in(&mut events).await);
            }
            (number, waits)
        });
    }
    for round in 0..rounds {
        // The last attempt of each round is let through, for everybody.
        let before = round * (ATTEMPTS + 1);
        for number in 0..DEVICES {
            all_connects(advisor, number, before + ATTEMPTS).await;
        }
        advisor.gateway.change(|quirks| quirks.withheld = Withheld::default());
        let accepted = |seen: &support::aws_iot::Seen| {
            seen.side == Side::Gateway && matches!(seen.packet, Packet::Connack { .. })
        };
        advisor.gateway.packets((round + 1) * DEVICES, accepted).await;
        if round + 1 < rounds {
            advisor.gateway.change(|quirks| quirks.withheld = none());
            advisor.gateway.cut_all();
        }
    }
    let mut waits = within("every device", devices.join_all()).await;
    waits.sort_by_key(|(number, _)| *number);
    for (number, waits) in &waits {
        let times = all_connects(advisor, *number, ATTEMPTS + 1).await;
        let said: Duration = waits[..ATTEMPTS].iter().sum();
        let took = times[ATTEMPTS] - times[0];
        assert!(took >= said, "it did not wait as it said: {took:?} {said:?}");
    }
    println!("{waits:?}");
    waits.into_iter().map(|(_, waits)| waits).collect()
}

/// When one device has sent its CONNECTs, once they are so many.
async fn all_connects(advisor: &Advisor, number: usize, count: usize) -> Vec<Instant> {
    let id = format!("device-{number}");
    let is_its =
        |packet: &Packet| matches!(packet, Packet::Connect(connect) if connect.client_id == id);
    advisor.sent(count, is_its).await.iter().map(|seen| seen.at).collect()
}

/// Not constant: the longest of the later waits is half as long again as the first, and more. (Of
/// 100,000 drawn runs of 8 devices with 6 waits each, none came below 1.96 times the first.)
fn assert_growing(waits: &[Vec<Duration>]) {
    let first: Duration = waits.iter().map(|waits| waits[0]).sum();
    let longest: Duration = waits.iter().filter_map(|waits| waits[2..].iter().max()).sum();
    assert!(longest * 2 > first * 3, "{longest:?} {first:?}");
    let bounds = Duration::from_millis(LEAST_MS)..=Duration::from_millis(MOST_MS);
    assert!(waits.iter().flatten().all(|wait| bounds.contains(wait)), "{waits:?}");
}

/// Neither linear nor strictly exponential, where each device's waits are the same multiples of those
/// before them.
fn assert_jittered(waits: &[Vec<Duration>], most_ms: u64) {
    let mut ratios: Vec<u64> = waits
        .iter()
        .flat_map(|waits| waits.iter().zip(&waits[1..]))
        .filter(|(_, next)| **next < Duration::from_millis(most_ms))
        .map(|(wait, next)| u64::try_from(100 * next.as_millis() / wait.as_millis()).unwrap())
        .collect();
    let all = ratios.len();
    ratios.sort_unstable();
    ratios.dedup();
    assert!(ratios.len() * 2 > all, "{ratios:?} of {all}");
}

#[tokio::test]
async fn mqtt_connect_jitter_backoff_retries() {
    // When the gateway cuts, it says DISCONNECT in MQTT 5: what is waited then is not drawn.
    for (version, rounds) in [(Version::V3, 2), (Version::V5, 1)] {
        let quirks = Quirks { withheld: none(), ..Quirks::default() };
        let advisor = Advisor::start(version, quirks).await;
        let waits = waits(&advisor, rounds).await;
        assert_jittered(&waits, MOST_MS);
        assert_growing(&waits);
    }
}

#[tokio::test]
async fn mqtt_connect_exponential_backoff_retries() {
    for version in VERSIONS {
        let advisor =
            Advisor::start(version, Quirks { withheld: none(), ..Quirks::default() }).await;
        assert_growing(&waits(&advisor, 1).await);
    }
}

/// With the backoff that nobody has changed.
#[tokio::test]
async fn mqtt_reconnection_after_successful_connection() {
    for version in VERSIONS {
        let advisor = Advisor::start(version, Quirks::default()).await;
        let options = advisor.options("device").backoff(Backoff::default());
        let (_client, mut events) = Client::start(options);
        advisor.gateway.packets(1, |seen| matches!(seen.packet, Packet::Connack { .. })).await;
        let cut = Instant::now();
        advisor.gateway.cut_all();
        let said = retry_in(&mut events).await;
        let second = advisor.connects(2).await[1].at;
        assert!(
            said >= Duration::from_secs(1) && second - cut >= said,
            "{said:?} {:?}",
            second - cut
        );
    }
}

/// Connections that are made and lost at once do not start the backoff over.
#[tokio::test]
async fn mqtt_reconnect_backoff_retries_on_server_disconnect() {
    let cut_after = Some(Duration::ZERO);
    unstable(Quirks { cut_after, ..Quirks::default() }).await;
}

/// The same with connections that stand for a while.
#[tokio::test]
async fn mqtt_reconnect_backoff_retries_on_unstable_connection() {
    let cut_after = Some(Duration::from_millis(300));
    unstable(Quirks { cut_after, ..Quirks::default() }).await;
}

async fn unstable(quirks: Quirks) {
    let advisor = Advisor::start(Version::V3, quirks).await;
    let waits = waits_between(&advisor, LEAST_MS, MOST_MS, ATTEMPTS + 1).await;
    assert_jittered(&waits, MOST_MS);
    assert_growing(&waits);
}

/// In MQTT 5, where a server says DISCONNECT: a second at least, and not all devices the same.
#[tokio::test]
async fn mqtt_reconnect_backoff_retries_on_server_disconnect_of_mqtt_5() {
    /// The default backoff's own first wait, and so far beyond it that few waits end there.
    const BOUNDS_MS: (u64, u64) = (1_000, 8_000);
    let cut_after = Some(Duration::from_millis(300));
    let quirks = Quirks { cut_after, ..Quirks::default() };
    let advisor = Advisor::start(Version::V5, quirks).await;
    let waits = waits_between(&advisor, BOUNDS_MS.0, BOUNDS_MS.1, 3).await;
    assert!(waits.iter().flatten().all(|wait| *wait >= Duration::from_secs(1)), "{waits:?}");
    assert_jittered(&waits, BOUNDS_MS.1);
    let is_said = |seen: &support::aws_iot::Seen| {
        seen.side == Side::Gateway && matches!(seen.packet, Packet::Disconnect { .. })
    };
    advisor.gateway.packets(3 * DEVICES, is_said).await;
}

/// What each of the devices waits, so many times.
async fn waits_between(
    advisor: &Advisor,
    least_ms: u64,
    most_ms: u64,
    count: usize,
) -> Vec<Vec<Duration>> {
    let mut devices = JoinSet::new();
    for number in 0..DEVICES {
        let options = advisor.options(&format!("device-{number}"));
        let options = options.backoff(Backoff::new(least_ms, most_ms, 60_000));
        devices.spawn(async move {
            let (_client, mut events) = Client::start(options);
            let mut waits = Vec::new();
            for _ in 0..count {
                waits.push(retry_in(&mut events).await);
            }
            waits
        });
    }
    let waits = within("every device", devices.join_all()).await;
    println!("{waits:?}");
    waits
}
