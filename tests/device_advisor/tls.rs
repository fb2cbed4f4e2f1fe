//! "TLS".

use dunlin_tokio::{Client, ConnectError, Error, Message, Qos, TlsFault, TlsOptions, Version};
use support::aws_iot::{Certificate, Quirks, TlsVersions};

use super::{Advisor, within};

#[tokio::test]
async fn tls_connect() {
    let advisor = Advisor::start(Version::V3, Quirks::default()).await;
    advisor.connected(advisor.options("device")).await.close().await;
    assert_eq!(advisor.gateway.attempts().len(), 1);
}

/// A payload of 128 KB comes in TLS records of 16 KiB.
#[tokio::test]
async fn tls_receive_maximum_size_fragments() {
    let advisor = Advisor::start(Version::V3, Quirks::default()).await;
    let device = advisor.connected(advisor.options("device")).await;
    let subscribing = device.subscribe("test_1", Qos::AtLeastOnce);
    let mut subscription = within("a SUBACK", subscribing).await.unwrap();
    let payload: Vec<u8> =
        (0..128_u32 << 10).flat_map(|n| n.to_le_bytes().into_iter().take(1)).collect();
    let somebody = advisor.somebody(|options| options).await;
    let message = Message::new("test_1", &payload, Qos::AtLeastOnce);
    within("a PUBACK", somebody.publish(&message)).await.unwrap();
    let came = within("the message", subscription.next()).await.unwrap().unwrap();
    assert!(came.payload() == payload, "{} bytes", came.payload().len());
}

/// With a server that has TLS 1.2 alone as well, whose suites for an ECDSA certificate are among
/// those that AWS recommends.
#[tokio::test]
async fn tls_support_aws_iot_cipher_suites() {
    for tls in [TlsVersions::Both, TlsVersions::Tls12] {
        let advisor = Advisor::start(Version::V3, Quirks { tls, ..Quirks::default() }).await;
        advisor.connected(advisor.options("device")).await.close().await;
        let suites = advisor.gateway.offered_suites();
        for recommended in ["TLS13_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"] {
            assert!(suites.iter().any(|suite| suite == recommended), "{suites:?}");
        }
    }
}

#[tokio::test]
async fn tls_large_size_server_cert() {
    let quirks = Quirks { certificate: Certificate::Large, ..Quirks::default() };
    let advisor = Advisor::start(Version::V3, quirks).await;
    advisor.connected(advisor.options("device")).await.close().await;
}

async fn refused(advisor: &Advisor, tls: Option<TlsOptions>) -> TlsFault {
    let options = advisor.options("device");
    let options = match tls {
        Some(tls) => options.tls(tls),
        None => options,
    };
    let error = within("an answer", Client::connect(options)).await.unwrap_err();
    assert_eq!(advisor.gateway.attempts(), [], "nothing was sent");
    let Error::Connect(cause) = &error else { panic!("{error:?}") };
    match **cause {
        ConnectError::Tls { fault, .. } => fault,
        _ => panic!("{cause:?}"),
    }
}

#[tokio::test]
async fn tls_unsecure_server_cert() {
    let advisor = Advisor::start(Version::V3, Quirks::default()).await;
    let stranger = Advisor::start(Version::V3, Quirks::default()).await;
    let other_ca = TlsOptions::ca_file(stranger.gateway.ca_file()).unwrap();
    assert_eq!(refused(&advisor, Some(other_ca)).await, TlsFault::UnknownCa);
}

#[tokio::test]
async fn tls_incorrect_subject_name_server_cert() {
    let quirks = Quirks { certificate: Certificate::WrongName, ..Quirks::default() };
    let advisor = Advisor::start(Version::V3, quirks).await;
    assert_eq!(refused(&advisor, None).await, TlsFault::WrongName);
}

#[tokio::test]
async fn tls_expired_server_cert() {
    let quirks = Quirks { certificate: Certificate::Expired, ..Quirks::default() };
    let advisor = Advisor::start(Version::V3, quirks).await;
    assert_eq!(refused(&advisor, None).await, TlsFault::Expired);
}
