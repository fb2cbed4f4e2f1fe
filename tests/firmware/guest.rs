//! A guest of an identity pool, whom a policy lets into AWS IoT Core.

use crate::machine::Machine;
use support::aws_iot::{Access, Attempt, AwsIot, Breach, Quirks};
use support::mosquitto::{Mosquitto, Options};
use support::moto::Moto;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

const REGION: &str = "us-east-1";
const POLICY: &str = r#"{"Version": "2012-10-17", "Statement":
    [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}"#;

/// The firmware fetches an identity and a key for it, is dropped as long as its identity has no policy,
/// and comes in with the same key when it has one.
pub(crate) async fn play(machine: Machine) -> String {
    let moto = Moto::start(REGION).await;
    let pool = moto.pool("guests").await;
    moto.policy("Guests", POLICY).await;
    let broker = Mosquitto::start(Options::default()).await;
    let registry = moto.registry();
    let (issuer, access) = (Some(registry.clone()), Access::Attached(registry.clone()));
    let quirks = Quirks { keys: Vec::new(), issuer, access, ..Quirks::default() };
    let gateway = AwsIot::start(broker.tcp_addr(), quirks).await;
    let root = CertificateDer::from_pem_slice(gateway.ca_pem().as_bytes()).expect("a certificate");
    let machine = machine.tls("localhost", &root).pool(moto.port(), &pool);
    let mut firmware = machine.start(([127, 0, 0, 1], gateway.port()).into());

    let line = firmware.line_with("identity ").await;
    let identity = line.trim_start_matches("identity ");
    assert_eq!(gateway.dropped(1).await, [Breach::PolicyConnect]);
    moto.attach("Guests", identity).await;
    let said = firmware.finish().await.text();

    let breaches = gateway.breaches();
    assert!(breaches.iter().all(|breach| *breach == Breach::PolicyConnect), "{breaches:?}");
    let issued = registry.issued();
    let [only] = &issued[..] else { panic!("one key for all attempts: {issued:?}") };
    assert_eq!(only.identity, identity);
    let own = Attempt::Accepted {
        access_key_id: only.key.access_key_id.clone(),
        session_token: only.key.session_token.clone(),
    };
    let attempts = gateway.attempts();
    assert!(attempts.iter().all(|attempt| *attempt == own), "{attempts:?}");
    said
}
