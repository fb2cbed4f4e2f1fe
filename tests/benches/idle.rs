//! How much memory an idle client takes, beside one of rumqttc: `cargo x bench --bench idle`.
//!
//! Ten thousand clients of each in turn, over plain WebSocket, to a server in a process of its own that
//! accepts whatever comes. What is counted is the heap of the clients: their buffers, their tasks, what
//! the runtime keeps for their sockets. All run on one thread, which is the one that is counted on.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a program for the developer's own machine: what cannot go on panics"
)]

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use dunlin_tokio::{Client, Options};
use rumqttc::{AsyncClient, MqttOptions, Packet, Transport};
use sha1::{Digest, Sha1};
use std::{
    env,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, ExitCode, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::{self, Runtime},
};

/// How many clients there are at a time.
const CLIENTS: usize = 10_000;

/// What one of ours may take, in bytes; places for messages under way are made when there are any.
const CLIENT_MAX: f64 = 12.0 * 1_024.0;

/// No PINGREQ comes meanwhile.
const KEEP_ALIVE_S: u16 = 3_600;

/// What makes this program the server.
const SERVE: &str = "--serve";

/// What the key is hashed with (RFC 6455 §1.3).
const ACCEPT_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

fn main() -> ExitCode {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if env::args().any(|argument| argument == SERVE) {
        runtime.block_on(serve());
    }
    let (mut server, address) = server();
    let ours = bytes_each(&runtime, connect_ours, address);
    let theirs = bytes_each(&runtime, connect_theirs, address);
    server.kill().unwrap();
    server.wait().unwrap();
    println!("memory of an idle client, of {CLIENTS}, over plain WebSocket:");
    println!("  dunlin   {ours:>8.0} bytes, at most {CLIENT_MAX:.0}");
    println!("  rumqttc  {theirs:>8.0} bytes");
    if ours <= theirs && ours <= CLIENT_MAX { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Connects all, one after another, and lets go of them; how many bytes of heap each took meanwhile.
fn bytes_each<T>(
    runtime: &Runtime,
    connect: impl AsyncFn(SocketAddr) -> T,
    address: SocketAddr,
) -> f64 {
    // What is made once, for all of them, is made now.
    let first = runtime.block_on(connect(address));
    let mut clients = Vec::with_capacity(CLIENTS);
    let used = allocation_counter::measure(|| {
        for _ in 0..CLIENTS {
            clients.push(runtime.block_on(connect(address)));
        }
    });
    drop((first, clients));
    used.bytes_current as f64 / CLIENTS as f64
}

async fn connect_ours(address: SocketAddr) -> Client {
    let options = Options::parse(&format!("ws://{address}/mqtt")).unwrap();
    Client::connect(options.keep_alive_s(KEEP_ALIVE_S)).await.unwrap()
}

async fn connect_theirs(address: SocketAddr) -> AsyncClient {
    let url = format!("ws://{address}/mqtt");
    let mut options = MqttOptions::new("client", url, address.port());
    options.set_transport(Transport::Ws).set_keep_alive(Duration::from_secs(KEEP_ALIVE_S.into()));
    let (client, mut events) = AsyncClient::new(options, 10);
    loop {
        let event = events.poll().await.unwrap();
        if matches!(event, rumqttc::Event::Incoming(Packet::ConnAck(_))) {
            break;
        }
    }
    tokio::spawn(async move { while events.poll().await.is_ok() {} });
    client
}

/// This program once more, as the server.
fn server() -> (Child, SocketAddr) {
    let program = env::current_exe().unwrap();
    let mut server = Command::new(program).arg(SERVE).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (server, line.trim().parse().unwrap())
}

async fn serve() -> ! {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(accept(stream));
    }
}

/// Says yes to the upgrade and to the first frame, which is CONNECT, and reads on.
async fn accept(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let name = "sec-websocket-key";
    let key = request
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value.trim()))
        .expect("an upgrade has a key");
    let digest = Sha1::digest(format!("{key}{ACCEPT_SUFFIX}"));
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        BASE64.encode(digest)
    );
    stream.write_all(answer.as_bytes()).await?;
    let mut connect = [0; 1_024];
    let _len = stream.read(&mut connect).await?;
    // CONNACK in one frame (MQTT 3.1.1 §3.2).
    stream.write_all(&[0x82, 4, 0x20, 2, 0, 0]).await?;
    while stream.read(&mut connect).await? > 0 {}
    Ok(())
}
