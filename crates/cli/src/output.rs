//! Standard output, whose reader may leave at any time.

use crate::failure::{Code, Failure};
use std::io::{self, Write as _};
use tokio::io::{AsyncWriteExt as _, Stdout};

/// Prints `text` as it is.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let printed = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    printed.or_else(ended)
}

/// Writes bytes and flushes, while the connection goes on.
///
/// A reader that stops reading must not stop the keep alive; so this is not done on the runtime's
/// own thread.
pub(crate) async fn write(stdout: &mut Stdout, bytes: &[u8]) -> Result<Reader, Failure> {
    let written = match stdout.write_all(bytes).await {
        Ok(()) => stdout.flush().await,
        error => error,
    };
    match written {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(failure(&error)),
    }
}

/// Whether somebody still reads standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    There,
    Gone,
}

/// A reader that has left has seen what it wanted.
fn ended(error: io::Error) -> Result<(), Failure> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(failure(&error)) }
}

fn failure(error: &io::Error) -> Failure {
    let text = format!("cannot write to standard output ({error}): check where it leads");
    Failure::new(Code::Input, text)
}
