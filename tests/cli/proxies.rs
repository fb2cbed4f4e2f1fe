//! The way through a proxy, as the environment and the options say.

use super::{assert_failed, mosquitto, publish};
use support::process::Output;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// An HTTP proxy that leads every name to `to`; tells the first lines of the requests.
async fn proxy(to: String) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(client.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            tell.send(head.lines().next().unwrap().to_owned()).unwrap();
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let mut broker = TcpStream::connect(&to).await.unwrap();
            // Whoever hangs up first may leave an error behind.
            let _ = copy_bidirectional(&mut client, &mut broker).await;
        }
    });
    (url, told)
}

/// `dunlin pub` to a name that only a proxy knows, with some variables set.
async fn sent(url: &str, args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = publish(url, &["-t", "a", "-n", "-q", "1"]).await.args(args);
    for (name, value) in variables {
        command = command.env(name, value);
    }
    command.run().await
}

#[tokio::test]
async fn environment_names_the_proxy_unless_an_option_does() {
    const URL: &str = "ws://broker.invalid";
    const UNKNOWN: &str = "cannot find the host broker.invalid";
    let broker = mosquitto().await;
    let (proxy, mut told) = proxy(broker.ws_addr().to_string()).await;
    for name in ["ALL_PROXY", "all_proxy"] {
        assert_eq!(sent(URL, &[], &[(name, &proxy)]).await.text(), "");
        assert_eq!(told.recv().await.unwrap(), "CONNECT broker.invalid:80 HTTP/1.1");
    }
    // The option wins over the variable, and either way out over both.
    let elsewhere = ("ALL_PROXY", "http://127.0.0.1:1");
    assert_eq!(sent(URL, &["--proxy", &proxy], &[elsewhere]).await.text(), "");
    assert!(told.recv().await.is_some());
    let set = ("ALL_PROXY", proxy.as_str());
    assert_failed(&sent(URL, &["--no-proxy"], &[set]).await, 3, UNKNOWN);
    assert_failed(&sent(URL, &[], &[set, ("NO_PROXY", "invalid")]).await, 3, UNKNOWN);
    // For TLS alone.
    let tls = ("HTTPS_PROXY", "http://127.0.0.1:1");
    assert_eq!(sent(URL, &[], &[set, tls]).await.text(), "");
    assert!(told.recv().await.is_some());
    let output = sent("wss://broker.invalid", &[], &[set, tls]).await;
    let away = "no way to broker.invalid:443 through the proxy 127.0.0.1:1: there is no connection";
    assert_failed(&output, 3, away);
    let output = sent(URL, &["--proxy", "http://proxy.invalid"], &[]).await;
    assert_failed(
        &output,
        3,
        "no way to broker.invalid:80 through the proxy proxy.invalid:80: there",
    );
    assert!(told.try_recv().is_err(), "nobody else has asked the proxy");
}

#[tokio::test]
async fn variable_that_is_no_proxy_is_named_without_its_password() {
    let secret = format!("https://ann:{}@proxy", super::SECRET);
    let output = sent("ws://127.0.0.1:1", &[], &[("ALL_PROXY", &secret)]).await;
    assert_failed(&output, 6, "HTTPS_PROXY or ALL_PROXY: the proxy's URL has an unknown scheme");
    assert!(output.stderr.contains("--no-proxy"), "{output:?}");
}
