//! `dunlin demo --web` in a browser: what a person does there reaches Dunlin, and the other way round.
#![allow(clippy::std_instead_of_core, clippy::unwrap_used, reason = "a test may panic")]

use dunlin_tokio::{Client, Message, Options, Qos, Subscription};
use support::browser::Page;
use support::process::{RUN_LIMIT, Running, dunlin};
use support::workspace;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The demo, the URL of its page, and that of its broker.
async fn demo() -> (Running, String, String) {
    let mut demo = dunlin().await.args(["demo", "--web"]).spawn();
    let (page, broker) = (demo.line().await, demo.line().await);
    (demo, page, broker)
}

/// Waits until the page shows the provider `id` as connected.
async fn connected(page: &mut Page, id: &str) {
    let row = format!("document.querySelector('tr[data-id={id}] .state')");
    page.until(&format!("{row}?.textContent === 'Connected'")).await;
}

/// Waits until the page shows a message that `by` has heard.
async fn shown(page: &mut Page, by: &str, topic: &str, payload: &str) {
    let condition = format!(
        "[...document.querySelectorAll('#messages tr')].some((row) => {{
            const [, by, topic, payload] = [...row.cells].map((cell) => cell.textContent);
            return by === {by:?} && topic === {topic:?} && payload === {payload:?};
        }})"
    );
    page.until(&condition).await;
}

async fn publish(page: &mut Page, by: &str, topic: &str, payload: &str) {
    page.write("#publish [name=topic]", topic).await;
    page.write("#publish [name=payload]", payload).await;
    page.evaluate(&format!("document.querySelector('#publish [name=by]').value = {by:?}")).await;
    page.click("#publish button").await;
}

/// The next message of a subscriber outside the demo.
async fn heard(subscription: &mut Subscription) -> (String, String) {
    let message = timeout(RUN_LIMIT, subscription.next()).await.unwrap().unwrap().unwrap();
    let payload = String::from_utf8(message.payload().to_vec()).unwrap();
    (message.topic().to_owned(), payload)
}

async fn said(page: &mut Page, words: &str) {
    let outcome = "document.querySelector('#outcome').textContent";
    page.until(&format!("{outcome}.includes({words:?})")).await;
}

#[tokio::test]
async fn page_publishes_to_dunlin_and_shows_what_dunlin_publishes() {
    let (demo, url, broker) = demo().await;
    let mut page = Page::open(&url).await;
    for id in ["kitchen", "phone"] {
        connected(&mut page, id).await;
    }
    let (client, _) = Client::start(Options::parse(&broker).unwrap());
    let mut lights = client.subscribe("home/+/light", Qos::AtLeastOnce).await.unwrap();
    // By the page's own connection, by one provider, and by all of them.
    for (by, topic, times) in [
        ("", "home/attic/light", 1),
        ("phone", "home/hall/light", 1),
        ("*", "home/cellar/light", 2),
    ] {
        let payload = "{\"on\":\"Grüße\"}";
        publish(&mut page, by, topic, payload).await;
        for _ in 0..times {
            assert_eq!(heard(&mut lights).await, (topic.to_owned(), payload.to_owned()));
        }
        for by in ["this page", "kitchen", "phone"] {
            shown(&mut page, by, topic, payload).await;
        }
    }
    let message = Message::new("home/gate/light", b"from Dunlin", Qos::AtLeastOnce);
    client.publish(&message).await.unwrap();
    for by in ["this page", "kitchen", "phone"] {
        shown(&mut page, by, "home/gate/light", "from Dunlin").await;
    }
    let target = workspace().join("target");
    std::fs::create_dir_all(&target).unwrap();
    page.screenshot(&target.join("demo-web.png")).await;
    demo.signal("INT").await;
    demo.finish().await.expect_code(130);
}

#[tokio::test]
async fn page_adds_and_removes_providers_and_subscriptions() {
    let (_demo, url, broker) = demo().await;
    let mut page = Page::open(&url).await;
    connected(&mut page, "phone").await;
    // At the URL that the page suggests.
    page.write("#add [name=id]", "garden").await;
    page.click("#add button").await;
    connected(&mut page, "garden").await;
    publish(&mut page, "garden", "home/garden/gate", "open").await;
    shown(&mut page, "garden", "home/garden/gate", "open").await;
    page.click("#add button").await;
    said(&mut page, "there is a provider \"garden\" already").await;
    page.click("tr[data-id=garden] button").await;
    page.until("document.querySelector('tr[data-id=garden]') === null").await;
    // A password in a URL is not shown; that nobody is there is.
    page.write("#add [name=id]", "nowhere").await;
    page.write("#add [name=url]", "ws://ann:s3cr3t@127.0.0.1:1/mqtt").await;
    page.click("#add button").await;
    let row = "document.querySelector('tr[data-id=nowhere]')";
    page.until(&format!("{row}?.textContent.includes('ConnectionDisrupted')")).await;
    let text = page.evaluate("document.body.textContent").await;
    assert!(!text.as_str().unwrap().contains("s3cr3t"), "{text}");
    page.write("#add [name=url]", "http://127.0.0.1").await;
    page.click("#add button").await;
    said(&mut page, "ws://").await;
    // Another filter, and none that is none.
    page.write("#subscribe [name=filter]", "garage/+").await;
    page.click("#subscribe button").await;
    page.until("document.querySelector('li[data-filter=\"garage/+\"]') !== null").await;
    let (client, _) = Client::start(Options::parse(&broker).unwrap());
    let message = Message::new("garage/door", b"shut", Qos::AtLeastOnce);
    client.publish(&message).await.unwrap();
    shown(&mut page, "phone", "garage/door", "shut").await;
    page.click("li[data-filter=\"garage/+\"] button").await;
    page.until("document.querySelector('li[data-filter=\"garage/+\"]') === null").await;
    page.write("#subscribe [name=filter]", "garage/#/door").await;
    page.click("#subscribe button").await;
    said(&mut page, "filter").await;
    page.until("document.querySelectorAll('#subscriptions li').length === 1").await;
}

/// Whoever has not read the page finds no way to the broker, and a page of another host none to this one.
#[tokio::test]
async fn page_is_for_this_machine_alone() {
    let (_demo, url, _) = demo().await;
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let ask = async |host: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = ask("demo.example").await;
    assert!(answer.starts_with("HTTP/1.1 421 ") && !answer.contains("ws://127"), "{answer}");
    let answer = ask(address).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let broker = answer.split_once("content=\"ws://").unwrap().1.split_once('"').unwrap().0;
    let (broker, path) = broker.split_once('/').unwrap();
    assert_eq!(path.len(), 32, "{path}");
    let known = Options::parse(&format!("ws://{broker}/{path}")).unwrap();
    Client::connect(known).await.unwrap();
    let guessed = Options::parse(&format!("ws://{broker}/mqtt")).unwrap();
    let error = Client::connect(guessed).await.unwrap_err();
    assert!(matches!(error, dunlin_tokio::Error::Upgrade(_)), "{error:?}");
}
