//! The signals that ask the command to end.

use crate::failure::{Code, Failure};

/// Waits for SIGINT or SIGTERM; from the first poll on they no longer kill.
#[cfg(unix)]
pub(crate) async fn caught() -> Failure {
    use tokio::signal::unix::{SignalKind, signal};
    let both = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = both else {
        // They go on to kill, which ends the command as well.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => Failure::silent(Code::Interrupted),
        _ = terminate.recv() => Failure::silent(Code::Terminated),
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub(crate) async fn caught() -> Failure {
    match tokio::signal::ctrl_c().await {
        Ok(()) => Failure::silent(Code::Interrupted),
        Err(_) => std::future::pending().await,
    }
}
