//! `dunlin demo --web`: a page on loopback that shows a `PubSub` at work, and changes it.
//!
//! ```text
//!   browser ── GET ──▶ Http: the page and its scripts
//!      │
//!      └─ MQTT over WebSocket ─▶ Broker ◀─ providers ─ PubSub
//!                                  ▲                     │
//!                                  └─ a client ─ Desk ───┘   dunlin-demo/request, state, ...
//! ```

mod desk;
mod http;
mod request;

use crate::{args::Ports, broker::Broker, failure::Failure, output, signals};
use desk::Desk;
use http::Http;

/// How many random bytes the path of the broker's URL is made of.
const SECRET_LEN: usize = 16;

/// Runs until a signal comes.
pub(crate) async fn run(port: u16) -> Result<(), Failure> {
    // Other pages may open WebSockets to this machine, too: they do not know the path.
    let mut broker = Broker::start_at(Ports { ws: 0, tcp: 0 }, &secret_path()?).await?;
    let http = Http::bind(port, &broker.ws_url()).await?;
    let mut desk = Desk::open(&broker.ws_url(), &broker.tcp_url()).await?;
    output::print(&format!("{}\n{}\n", http.url(), broker.tcp_url()))?;
    let failure = tokio::select! {
        failure = signals::caught() => failure,
        failure = broker.ended() => failure,
        failure = http.serve() => failure,
        failure = desk.work() => failure,
    };
    broker.stop().await;
    Err(failure)
}

/// A path that nobody guesses.
fn secret_path() -> Result<String, Failure> {
    let mut secret = [0; SECRET_LEN];
    getrandom::getrandom(&mut secret).map_err(|error| {
        let text = format!("this system has no randomness ({error}): check its /dev/urandom");
        Failure::new(crate::failure::Code::Other, text)
    })?;
    let digits = secret.iter().map(|byte| format!("{byte:02x}"));
    Ok(format!("/{}", digits.collect::<String>()))
}
