//! Stores that can be cut off at any byte.

use dunlin_drive::{Store, flash::FlashStore};
use dunlin_mqtt::RestoreError;
use dunlin_tokio::store::{Durability, FileLog};
use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use std::{
    fs,
    path::PathBuf,
    pin::pin,
    task::{Context, Poll, Waker},
};
use tempfile::TempDir;

type Restore<'r> = dyn FnMut(&[u8]) -> Result<(), RestoreError> + 'r;

/// A store whose process ends after so many units have been written: bytes of a file, halves of what is
/// written to flash at once.
pub(crate) trait Disk {
    fn new(budget: Option<usize>) -> Self;
    fn append(&mut self, batch: &[u8]) -> Result<(), ()>;
    fn replace(&mut self, export: &[u8]) -> Result<(), ()>;
    fn replay(&mut self, restore: &mut Restore<'_>) -> Result<(), RestoreError>;
    /// A new process; nothing cuts it off.
    fn restart(&mut self);
    fn budget(&self) -> Option<usize>;
    fn set_budget(&mut self, budget: Option<usize>);
    fn written(&self) -> usize;
}

/// Takes `len` from what may be written; says how much that is, if it is less.
fn spend(budget: &mut Option<usize>, len: usize) -> Option<usize> {
    let left = (*budget)?;
    *budget = left.checked_sub(len);
    budget.is_none().then_some(left)
}

/// The log of the Tokio adapter.
pub(crate) struct LogFile {
    folder: TempDir,
    log: Option<FileLog>,
    budget: Option<usize>,
    written: usize,
}

impl LogFile {
    fn path(&self) -> PathBuf {
        self.folder.path().join("session")
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }
}

impl Disk for LogFile {
    fn new(budget: Option<usize>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = Self { folder, log: None, budget, written: 0 };
        disk.log = Some(FileLog::open(&disk.path(), Durability::System).unwrap());
        disk
    }

    /// What was not written any more is cut off again.
    fn append(&mut self, batch: &[u8]) -> Result<(), ()> {
        let before = fs::metadata(self.path()).unwrap().len();
        self.log.as_mut().unwrap().append(batch).unwrap();
        let after = fs::metadata(self.path()).unwrap().len();
        let len = (after - before) as usize;
        self.written += len;
        let Some(left) = spend(&mut self.budget, len) else { return Ok(()) };
        let file = fs::OpenOptions::new().write(true).open(self.path()).unwrap();
        file.set_len(before + left as u64).unwrap();
        Err(())
    }

    /// The last byte is the new name.
    fn replace(&mut self, export: &[u8]) -> Result<(), ()> {
        let before = self.bytes();
        self.log.as_mut().unwrap().replace(export).unwrap();
        let after = self.bytes();
        self.written += after.len() + 1;
        let Some(left) = spend(&mut self.budget, after.len() + 1) else { return Ok(()) };
        fs::write(self.path(), before).unwrap();
        fs::write(self.folder.path().join("session.new"), &after[..left]).unwrap();
        Err(())
    }

    fn replay(&mut self, restore: &mut Restore<'_>) -> Result<(), RestoreError> {
        self.log.as_mut().unwrap().replay(restore).unwrap()
    }

    fn restart(&mut self) {
        self.log = None;
        self.log = Some(FileLog::open(&self.path(), Durability::System).unwrap());
    }

    fn budget(&self) -> Option<usize> {
        self.budget
    }

    fn set_budget(&mut self, budget: Option<usize>) {
        self.budget = budget;
    }

    fn written(&self) -> usize {
        self.written
    }
}

const PAGE: usize = 512;
const PAGES: usize = 6;

/// NOR flash: erasing sets all bits of a page, writing clears some.
pub(crate) struct Chip {
    bytes: Vec<u8>,
    budget: Option<usize>,
    written: usize,
}

#[derive(Debug)]
pub(crate) struct NoPower;

impl NorFlashError for NoPower {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl ErrorType for Chip {
    type Error = NoPower;
}

impl ReadNorFlash for Chip {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NoPower> {
        let from = offset as usize;
        bytes.copy_from_slice(&self.bytes[from..from + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        PAGE * PAGES
    }
}

impl NorFlash for Chip {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE;

    /// A page counts as two units: the power may go before, between and behind its halves.
    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NoPower> {
        for half in (from as usize..to as usize).step_by(PAGE / 2) {
            self.spend()?;
            self.bytes[half..half + PAGE / 2].fill(0xff);
        }
        Ok(())
    }

    /// So does a write.
    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NoPower> {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        let offset = offset as usize;
        for (at, half) in [(offset, first), (offset + first.len(), second)] {
            self.spend()?;
            for (at, byte) in (at..).zip(half) {
                self.bytes[at] &= byte;
            }
        }
        Ok(())
    }
}

impl Chip {
    fn spend(&mut self) -> Result<(), NoPower> {
        self.written += 1;
        spend(&mut self.budget, 1).map_or(Ok(()), |_| Err(NoPower))
    }
}

impl MultiwriteNorFlash for Chip {}

/// The store of the device.
pub(crate) struct Flash {
    chip: Chip,
}

impl Flash {
    /// Runs `work` on the store; `Err` when the power has gone.
    fn with<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut FlashStore<'_, &mut Chip>) -> T,
    ) -> Result<T, ()> {
        let chip = &mut self.chip;
        let mut memory = [0; PAGE];
        block_on(async {
            let range = 0..(PAGE * PAGES) as u32;
            let powered = chip.budget.is_none();
            match FlashStore::open(chip, range, &mut memory).await {
                Ok(mut store) => Ok(work(&mut store).await),
                Err(error) => {
                    assert!(!powered, "{error:?}");
                    Err(())
                }
            }
        })
    }
}

impl Disk for Flash {
    fn new(budget: Option<usize>) -> Self {
        let chip = Chip { bytes: vec![0xff; PAGE * PAGES], budget: None, written: 0 };
        let mut disk = Self { chip };
        disk.with(async |_| {}).unwrap();
        disk.chip.written = 0;
        disk.set_budget(budget);
        disk
    }

    fn append(&mut self, batch: &[u8]) -> Result<(), ()> {
        self.with(async |store| store.append(batch).await.map(|_| ()).map_err(|_| ()))?
    }

    fn replace(&mut self, export: &[u8]) -> Result<(), ()> {
        self.with(async |store| store.replace(export).await.map_err(|_| ()))?
    }

    fn replay(&mut self, restore: &mut Restore<'_>) -> Result<(), RestoreError> {
        self.with(async |store| store.replay(restore).await.unwrap()).unwrap()
    }

    fn restart(&mut self) {
        self.set_budget(None);
    }

    fn budget(&self) -> Option<usize> {
        self.chip.budget
    }

    fn set_budget(&mut self, budget: Option<usize>) {
        self.chip.budget = budget;
    }

    fn written(&self) -> usize {
        self.chip.written
    }
}

/// The chip never waits.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("memory does not wait"),
    }
}
