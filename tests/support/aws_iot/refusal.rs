//! The answer to a request that was not let in, as AWS IoT Core gives it.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::clock::imf_fixdate;
use super::head::HEAD_MAX;

/// How long the client may take to hang up after the answer.
const HANG_UP_LIMIT: Duration = Duration::from_secs(5);
/// One text for every cause: a client has to work the cause out by itself.
const MESSAGE: &str = "The request signature we calculated does not match the signature you \
    provided. Check your AWS Secret Access Key and signing method.";

/// Answers and hangs up.
pub(super) async fn send(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    status: u16,
    now_s: u64,
) -> io::Result<()> {
    stream.write_all(response(status, now_s).as_bytes()).await?;
    stream.shutdown().await?;
    // Bytes left unread would reset the connection, and the answer could be lost with it.
    let mut rest = stream.take(HEAD_MAX as u64);
    timeout(HANG_UP_LIMIT, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await??;
    Ok(())
}

fn response(status: u16, now_s: u64) -> String {
    let reason = if status == 426 { "Upgrade Required" } else { "Forbidden" };
    let (request, trace) = (random_id(), random_id());
    let body = format!(r#"{{"message":"{MESSAGE}","traceId":"{trace}"}}"#);
    let (date, length) = (imf_fixdate(now_s), body.len());
    format!(
        "HTTP/1.1 {status} {reason}\r\n\
         content-type: application/json\r\n\
         content-length: {length}\r\n\
         date: {date}\r\n\
         x-amzn-RequestId: {request}\r\n\
         x-amzn-ErrorType: ForbiddenException:\r\n\
         \r\n\
         {body}"
    )
}

pub(super) fn random_id() -> String {
    let random = || RandomState::new().hash_one(0_u8);
    let (high, low) = (random(), random());
    let (a, b, c) = (high >> 32, high >> 16 & 0xffff, high & 0xffff);
    format!("{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", low >> 48, low & 0xffff_ffff_ffff)
}
