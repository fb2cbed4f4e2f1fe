//! What the tests of the Tokio client share: a bound for every wait.

use std::time::Duration;

use tokio::time::timeout;

/// How long any one thing may take; a loaded machine needs a fraction of it.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Awaits `future` for no longer than [`LIMIT`]; `what` is said when it takes longer.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(LIMIT, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what}: nothing for {LIMIT:?}"),
    }
}
