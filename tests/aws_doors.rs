//! Every way into AWS IoT Core that needs no signature, with Dunlin on Tokio: custom authorizers, and
//! certificates.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "interop/common.rs"]
mod common;

use common::within;
use dunlin_tokio::{Client, Error, Message, Options, Qos, TlsOptions};
use support::aws_iot::{Attempt, Authorizer, AwsIot, Breach, Judgement, Quirks};
use support::mosquitto::Mosquitto;

/// All that a custom authorizer may ask for; what needs encoding in a URL is in it.
fn authorizer() -> Authorizer {
    Authorizer {
        name: "Gate".to_owned(),
        token_key: "Ticket".to_owned(),
        token: "12+34/=".to_owned(),
        signature: Some("c2lnbmF0dXJl+/==".to_owned()),
        user: Some(("ada".to_owned(), "enigma".to_owned())),
    }
}

const NAME: &str = "x-amz-customauthorizer-name";
const SIGNATURE: &str = "x-amz-customauthorizer-signature";
/// Its parameters in a URL, or in a user name.
const QUERY: &str = "x-amz-customauthorizer-name=Gate&Ticket=12%2B34%2F%3D\
    &x-amz-customauthorizer-signature=c2lnbmF0dXJl%2B%2F%3D%3D";

async fn start(authorizer: Option<Authorizer>) -> (Mosquitto, AwsIot) {
    let broker = Mosquitto::start(support::mosquitto::Options::default()).await;
    let quirks = Quirks { authorizer, ..Quirks::default() };
    let gateway = AwsIot::start(broker.tcp_addr(), quirks).await;
    (broker, gateway)
}

fn tls(gateway: &AwsIot) -> TlsOptions {
    TlsOptions::ca_file(gateway.ca_file()).unwrap()
}

fn web(gateway: &AwsIot, query: &str) -> Options {
    let url = format!("wss://localhost:{}/mqtt{query}", gateway.port());
    Options::parse(&url).unwrap().tls(tls(gateway))
}

fn user(options: Options, name: &str) -> Options {
    options.credentials(name, Some(b"enigma".to_vec()))
}

async fn works(options: Options) {
    let client = within("Dunlin connects", Client::connect(options)).await.unwrap();
    let message = Message::new("room", b"warm", Qos::AtLeastOnce);
    within("a PUBACK", client.publish(&message)).await.unwrap();
    within("the end", client.close()).await;
}

async fn fails(options: Options) -> Error {
    within("an answer", Client::connect(options)).await.unwrap_err()
}

#[tokio::test]
async fn custom_authorizer_lets_in_by_headers_query_and_user_name() {
    let (_broker, gateway) = start(Some(authorizer())).await;
    let Authorizer { name, token_key, token, signature, .. } = authorizer();
    let with_fields = |token: &str| {
        let options = web(&gateway, "").field(NAME, &*name).field(&*token_key, token);
        user(options.field(SIGNATURE, signature.clone().unwrap()), "ada")
    };
    works(with_fields(&token)).await;
    works(user(web(&gateway, &format!("?{QUERY}")), "ada")).await;
    let by_name = format!("ada?{QUERY}");
    works(user(web(&gateway, ""), &by_name)).await;
    let url = format!("mqtts://localhost:{}", gateway.port());
    let bare = Options::parse(&url).unwrap().tls(tls(&gateway).with_alpn(&["mqtt"]).unwrap());
    works(user(bare.clone(), &by_name)).await;
    assert_eq!(gateway.attempts(), [Attempt::Authorized, Attempt::Authorized, Attempt::Authorized]);

    fails(with_fields("12+34")).await;
    assert_eq!(gateway.attempts()[3], Attempt::Refused(Judgement::Authorizer));
    fails(user(web(&gateway, &format!("?{QUERY}")), "bob")).await;
    fails(user(bare, &by_name.replace("Gate", "Door"))).await;
    assert_eq!(gateway.breaches(), [Breach::Authorizer, Breach::Authorizer]);
}

#[tokio::test]
async fn certificate_lets_in_on_its_own_port_and_by_alpn() {
    let (_broker, gateway) = start(None).await;
    let certificate = gateway.client_certificate();
    let shown = tls(&gateway)
        .with_client_certificate(certificate.chain_pem.as_bytes(), certificate.key_pem.as_bytes())
        .unwrap();
    let on = |port: u16| Options::parse(&format!("mqtts://localhost:{port}")).unwrap();
    works(on(gateway.mqtts_port()).tls(shown.clone())).await;
    let by_alpn = shown.with_alpn(&["x-amzn-mqtt-ca"]).unwrap();
    works(on(gateway.port()).tls(by_alpn)).await;
    assert_eq!(gateway.attempts(), [Attempt::Certified, Attempt::Certified]);
    fails(on(gateway.mqtts_port()).tls(tls(&gateway))).await;
    assert_eq!(gateway.attempts()[2], Attempt::Refused(Judgement::Certificate));
}
