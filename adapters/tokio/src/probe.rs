//! Looking at a server without being a client of it.

use crate::{
    ConnectError, Options, Url,
    transport::{self, ReadHalf, WriteHalf},
};
use dunlin_drive::dunlin::{octet::Inbox, ws};
use embedded_io_async::{Read, Write};
use std::{io, time::Duration};
use tokio::time::{Instant, timeout};

/// How long the answer to a plain request may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Memory for that answer, in bytes.
const ANSWER_MAX: usize = 32 << 10;

/// What was seen of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// The server's clock: the Date of its answer to a plain request, where it speaks HTTP and tells.
    pub date: Option<String>,
    /// How far the time that requests are signed at is ahead of that, in seconds; only of requests that
    /// are signed for AWS.
    pub clock_ahead_s: Option<i64>,
}

impl Options {
    /// Where it will be connected to.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Connects as a client would, proxy and TLS included, asks a WebSocket server for nothing in
    /// particular, and hangs up: for finding out how far the way goes.
    ///
    /// The request has neither query nor header fields of the program's, which may be secret.
    pub async fn probe(&self) -> Result<Probe, ConnectError> {
        #[cfg(feature = "aws")]
        let (fitted, _breach) = self.clone().fitted();
        #[cfg(not(feature = "aws"))]
        let fitted = self;
        let deadline = Instant::now() + self.connect_timeout;
        let connecting = transport::connect(&self.url, &fitted.tls, &self.network, deadline);
        let (reader, writer) = connecting.await?;
        let asked = if self.url.scheme().is_websocket() {
            timeout(ANSWER_TIMEOUT, date(&self.url, reader, writer)).await
        } else {
            timeout(ANSWER_TIMEOUT, hang_up(reader, writer)).await
        };
        let date = match asked {
            Ok(Ok(date)) => date,
            // That it says nothing or hangs up does not matter; that it takes its welcome back does.
            Ok(Err(source)) => match ConnectError::late_refusal(&self.url, &fitted.tls, source) {
                Ok(refused) => return Err(refused),
                Err(_) => None,
            },
            Err(_) => None,
        };
        let clock_ahead_s = date.as_deref().and_then(|date| self.clock_ahead_s(date));
        Ok(Probe { date, clock_ahead_s })
    }
}

/// There is nothing to ask for: says good-bye, and reads what the server has left to say.
async fn hang_up(mut reader: ReadHalf, mut writer: WriteHalf) -> io::Result<Option<String>> {
    // Whatever comes of it: what the server has said before is still there to be read.
    let _ = writer.shutdown().await;
    let mut rest = vec![0; ANSWER_MAX];
    reader.read(&mut rest).await?;
    Ok(None)
}

async fn date(
    url: &Url,
    mut reader: ReadHalf,
    mut writer: WriteHalf,
) -> io::Result<Option<String>> {
    let path = url.target().split('?').next().unwrap_or("/");
    let host = url.host_header();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    // A server that has hung up may have said why, which the reading finds.
    let _ = writer.write_all(request.as_bytes()).await;
    let mut inbox = Inbox::new(vec![0; ANSWER_MAX]);
    let mut reply = ws::Reply::new();
    loop {
        let len = reader.read(inbox.spare()).await?;
        inbox.commit(len);
        // Whatever is wrong with the rest of it, what has been read may tell.
        let is_over = len == 0 || !matches!(reply.poll(&mut inbox), Ok(None));
        if is_over {
            let answer = ws::Refusal::parse(inbox.stream());
            return Ok(answer.and_then(|answer| answer.field("date").map(str::to_owned)));
        }
    }
}
