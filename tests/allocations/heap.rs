//! The heap of a client on Tokio follows what has come, whatever was announced.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use allocation_counter::measure;
use dunlin_octet::Inbox;
use dunlin_tokio::{Client, Event, Options};
use dunlin_ws::Acceptance;

/// What a client and its runtime take that wait for a first message, in bytes.
const IDLE_MAX: u64 = 128 << 10;

/// What a received byte may take: its place, and while its buffer grows to twice that, both.
const PER_BYTE_MAX: u64 = 3;

/// The largest packet of MQTT: its header, and what its length field can say.
const PACKET_MAX: usize = 5 + 268_435_455;

/// A PUBLISH to `t` whose body is announced to be 256 MiB long.
const PUBLISH: [u8; 8] = [0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, b't'];

/// CONNACK of MQTT 3.1.1 §3.2.
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

/// How much comes of what was announced.
const LENGTHS: [usize; 4] = [0, 64 << 10, 1 << 20, 4 << 20];

/// Serves one client, by `script`, then says that nothing more will come; gives the port.
fn server(script: impl FnOnce(&mut TcpStream) + Send + 'static) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        script(&mut client);
        // An error is a client that has hung up before.
        let _ = client.shutdown(Shutdown::Write);
        // Until the client has seen the end, and ends as well.
        while let Ok(1..) = client.read(&mut [0; 4096]) {}
    });
    (port, serving)
}

fn upgrade(client: &mut TcpStream) {
    let mut acceptance = Acceptance::new("mqtt");
    let mut inbox = Inbox::new([0; 2048]);
    while !acceptance.poll(&mut inbox).unwrap() {
        let len = client.read(inbox.spare()).unwrap();
        inbox.commit(len);
    }
    let mut answer = [0; 512];
    let len = acceptance.poll_transmit(&mut answer);
    client.write_all(&answer[..len]).unwrap();
}

/// The most bytes that a client holds from its start to the end of the connection.
fn peak(scheme: &str, script: impl FnOnce(&mut TcpStream) + Send + 'static) -> u64 {
    let (port, serving) = server(script);
    let options = Options::parse(&format!("{scheme}://127.0.0.1:{port}")).unwrap();
    let options = options.receive(PACKET_MAX);
    // Everything of the client's runs on this thread, which is the one that is counted.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let heap = measure(|| {
        runtime.block_on(async {
            let (client, mut events) = Client::start(options);
            while !matches!(events.recv().await.unwrap(), Event::Disconnected { .. }) {}
            client.close().await;
        });
    });
    serving.join().unwrap();
    heap.bytes_max
}

fn assert_follows(what: &str, come: usize, peak: u64) {
    let allowed = IDLE_MAX + PER_BYTE_MAX * u64::try_from(come).unwrap();
    assert!(peak <= allowed, "{what}: {peak} bytes of heap for {come} that have come");
}

/// T-09 and T-10, as in CVE-2017-7651 and RUSTSEC-2022-0035.
#[test]
fn heap_follows_what_has_come_of_a_packet() {
    for len in LENGTHS {
        let bare = peak("mqtt", move |client| {
            client.write_all(&CONNACK).unwrap();
            client.write_all(&[&PUBLISH[..], &vec![0; len]].concat()).unwrap();
        });
        assert_follows("a packet on the bare stream", len, bare);
        let in_one = peak("ws", move |client| {
            upgrade(client);
            client.write_all(&[&[0x82, 4][..], &CONNACK].concat()).unwrap();
            // One frame of 2^63 - 1 bytes.
            let header = [0x82, 0x7f, 0x7f, 255, 255, 255, 255, 255, 255, 255];
            client.write_all(&[&header[..], &PUBLISH, &vec![0; len]].concat()).unwrap();
        });
        assert_follows("a packet in an endless frame", len, in_one);
        // What was held was held: the peak is one of the client's.
        assert!(bare.min(in_one) >= u64::try_from(len).unwrap(), "{bare} {in_one} for {len}");
    }
}

/// T-11 and T-13: frames that bring no packet any further leave nothing behind.
#[test]
fn heap_stays_as_it_is_under_floods() {
    let ping = [&[0x89, 125][..], &[b'p'; 125]].concat();
    for frame in [&[0x82, 0][..], &[0x8a, 1, b'x'], &ping] {
        let flood = frame.repeat((4 << 20) / frame.len());
        let peak = peak("ws", move |client| {
            upgrade(client);
            client.write_all(&[&[0x82, 4][..], &CONNACK].concat()).unwrap();
            client.write_all(&flood).unwrap();
        });
        assert_follows("a flood", 0, peak);
    }
}

/// The answer to an upgrade: of a refusal the front is kept, and of a head nothing that has no end.
#[test]
fn heap_stays_as_it_is_before_the_upgrade() {
    for head in [
        "HTTP/1.1 500 No\r\nContent-Length: 9223372036854775807\r\n\r\n",
        "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n",
        "HTTP/1.1 500 No\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nX: ",
    ] {
        let peak = peak("ws", move |client| {
            client.write_all(head.as_bytes()).unwrap();
            // The client hangs up when it has enough: whatever is written then is lost.
            let _ = client.write_all(&vec![b'x'; 4 << 20]);
        });
        assert_follows(head, 0, peak);
    }
}
