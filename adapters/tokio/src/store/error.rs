//! What can go wrong with the file of a session, and what a person should do next.

use dunlin_drive::{RecordError, dunlin::mqtt::RestoreError};
use std::{fmt, io, path::PathBuf, sync::Arc};

/// Why a session could not be read from its file, or not be written to it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// The file system says no.
    Io {
        /// What was to be done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// Another client has the file, in this process or another.
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else.
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The session cannot be what the file says.
    Restore {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: RestoreError,
    },
    /// A record is larger than anything that the outbox can hold.
    TooLarge,
}

impl StoreError {
    pub(crate) fn of_recording(error: RecordError<Self>) -> Self {
        match error {
            RecordError::Store(error) => error,
            RecordError::Memory(_) => Self::TooLarge,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, path, source } => {
                write!(f, "cannot {doing} the store {}: {source}; ", path.display())?;
                f.write_str(match source.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        "make room on the disk and start again, nothing accepted is lost"
                    }
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                        "let this user write the file and its folder"
                    }
                    io::ErrorKind::NotFound => "create its folder",
                    _ => "check the disk, and start again: nothing recorded is lost",
                })
            }
            Self::InUse { path } => write!(
                f,
                "the store {} is in use: give each client its own, or end the other one",
                path.display()
            ),
            Self::Foreign { path } => write!(
                f,
                "{} is no store of this program: choose another path, or remove the file",
                path.display()
            ),
            Self::Restore { path, error } => {
                write!(f, "the store {} cannot be taken up: {error}", path.display())
            }
            Self::TooLarge => {
                f.write_str("a message is too large to be recorded: enlarge the outbox")
            }
        }
    }
}

impl std::error::Error for StoreError {}
