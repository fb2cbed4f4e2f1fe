//! The log as a file.

use super::{StoreError, checked, whole};
use dunlin_drive::{Appended, dunlin::mqtt::RestoreError};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// What a log begins with: a name, and how it is written.
pub const HEAD: [u8; 8] = *b"dunlin\0\x01";

/// A log is not rewritten before it is this long, in bytes.
const REWRITE_MIN: u64 = 64 << 10;

/// A log is rewritten once it is so many times longer than when it was written last.
const REWRITE_FACTOR: u64 = 4;

/// Whether a batch must be on the disk itself before what rests on it goes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// It must: accepted messages survive a loss of power.
    #[default]
    Disk,
    /// The operating system has it: accepted messages survive a crash of this program, and are written
    /// to the disk a little later.
    System,
}

/// An append-only log in one file, locked for as long as it is open.
///
/// Beside it, `.lock` holds the lock, and `.new` is a log that is being written to take its place.
#[derive(Debug)]
pub struct FileLog {
    path: PathBuf,
    file: File,
    durability: Durability,
    len: u64,
    /// Length after the file was last written as a whole.
    rewritten: u64,
    /// What was cut off when the file was opened, in bytes.
    torn: u64,
    /// A write has failed: what the file ends with is not known.
    failed: bool,
    _lock: File,
}

impl FileLog {
    /// Opens the log at `path`, or begins one; what is half-written at its end is cut off.
    pub fn open(path: &Path, durability: Durability) -> Result<Self, StoreError> {
        let lock = lock(path)?;
        // What had not taken the place of the log never will.
        match fs::remove_file(beside(path, ".new")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("clean up beside", path, error));
            }
            _ => {}
        }
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(|error| failed("open", path, error))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| failed("read", path, error))?;
        if !HEAD.starts_with(&bytes[..bytes.len().min(HEAD.len())]) {
            return Err(StoreError::Foreign { path: path.to_owned() });
        }
        let (kept, torn) = match bytes.strip_prefix(&HEAD) {
            Some(records) => {
                let (_, len) = whole(records);
                (HEAD.len() + len, records.len() - len)
            }
            None => (0, bytes.len()),
        };
        let (len, torn) = (to_u64(kept), to_u64(torn));
        let mut log = Self {
            path: path.to_owned(),
            file,
            durability,
            len,
            rewritten: 0,
            torn,
            failed: false,
            _lock: lock,
        };
        log.mend(kept == 0).map_err(|error| failed("mend", path, error))?;
        Ok(log)
    }

    /// How many bytes were cut off when the log was opened: of what was being written at a crash.
    pub const fn torn(&self) -> u64 {
        self.torn
    }

    /// Calls `restore` with each record from the first on; ends early when it fails.
    pub fn replay(
        &mut self,
        mut restore: impl FnMut(&[u8]) -> Result<(), RestoreError>,
    ) -> Result<Result<(), RestoreError>, StoreError> {
        let bytes = fs::read(&self.path).map_err(|error| failed("read", &self.path, error))?;
        let (records, _) = whole(bytes.strip_prefix(&HEAD).unwrap_or_default());
        Ok(records.into_iter().try_for_each(&mut restore))
    }

    /// Writes a batch of records behind all others; ready when it is safe.
    pub fn append(&mut self, batch: &[u8]) -> Result<Appended, StoreError> {
        let written = self.write(&checked(batch));
        written.map_err(|error| failed("write", &self.path, error))?;
        let worth = self.rewritten.saturating_mul(REWRITE_FACTOR).max(REWRITE_MIN);
        Ok(if self.len > worth { Appended::Full } else { Appended::Safe })
    }

    /// Writes an export to a new file, which takes the place of the log; a crash leaves one or the
    /// other.
    pub fn replace(&mut self, export: &[u8]) -> Result<(), StoreError> {
        let bytes = [&HEAD[..], &checked(export)].concat();
        let new = self.put_in_place(&bytes);
        self.file = new.map_err(|error| failed("rewrite", &self.path, error))?;
        self.len = to_u64(bytes.len());
        self.rewritten = self.len;
        self.failed = false;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("an earlier write has failed"));
        }
        // Behind half a record, all others would be cut off with it; and what failed to reach the disk
        // once is not known to reach it later.
        self.failed = true;
        self.file.write_all(bytes)?;
        self.flush(&self.file)?;
        self.failed = false;
        self.len += to_u64(bytes.len());
        Ok(())
    }

    fn flush(&self, file: &File) -> io::Result<()> {
        match self.durability {
            Durability::Disk => file.sync_data(),
            Durability::System => Ok(()),
        }
    }

    /// Cuts off what is half-written, or begins anew.
    fn mend(&mut self, headless: bool) -> io::Result<()> {
        if self.torn > 0 {
            self.file.set_len(self.len)?;
            self.file.sync_all()?;
        }
        if headless {
            self.write(&HEAD)?;
            self.sync_folder()?;
        }
        Ok(())
    }

    fn put_in_place(&self, bytes: &[u8]) -> io::Result<File> {
        let path = beside(&self.path, ".new");
        let mut file =
            OpenOptions::new().append(true).create_new(true).open(&path).or_else(|_| {
                // From a rewrite that failed.
                fs::remove_file(&path)?;
                OpenOptions::new().append(true).create_new(true).open(&path)
            })?;
        file.write_all(bytes)?;
        // A name must not stand for a file before that is whole, whatever else may wait.
        file.sync_all()?;
        fs::rename(&path, &self.path)?;
        self.sync_folder()?;
        Ok(file)
    }

    /// Makes names as safe as what they stand for; a system where folders cannot be opened does that
    /// by itself.
    fn sync_folder(&self) -> io::Result<()> {
        if cfg!(unix) {
            let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()?;
        }
        Ok(())
    }
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let beside = beside(path, ".lock");
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).open(&beside);
    let file = file.map_err(|error| failed("lock", path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed("lock", path, error)),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn failed(doing: &'static str, path: &Path, error: io::Error) -> StoreError {
    StoreError::Io { doing, path: path.to_owned(), source: error.into() }
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
