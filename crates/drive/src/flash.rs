//! A session in NOR flash.
//!
//! The range is two banks; one is in use: first the state as it was when the bank was begun, then a mark
//! that it is whole, then what has happened since. When there is no room for more, the other bank is
//! begun, and this one erased once that is whole: so both wear alike. What is torn by a loss of power is
//! found by the checksums of `sequential-storage`.

use crate::{Appended, Store};
use core::{fmt, ops::Range};
use dunlin::{
    mqtt::{Records, RestoreError},
    octet::{Reader, Writer},
};
use embedded_storage_async::nor_flash::NorFlash;
use sequential_storage::{
    Error,
    cache::{Cache, Uncached},
    queue::{QueueConfig, QueueStorage},
};

/// An item that is a record.
const RECORD: u8 = 0;
/// An item that says that all items before it are the whole state; a number follows, the higher the
/// later.
const WHOLE: u8 = 1;

type Queue<'f, F> = QueueStorage<&'f mut F, Cache<Uncached, Uncached, Uncached, ()>>;

/// A bank, and the memory for one of its items.
type Opened<'f, F> = (Queue<'f, F>, &'f mut [u8]);

/// Why a session could not be read from flash, or not be written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FlashError<E> {
    /// The flash says no.
    Flash(E),
    /// The range is not two banks of whole pages, each able to hold anything.
    Range,
    /// The memory, or a page, is too short for a record.
    TooLarge,
    /// The whole state has no room in a bank.
    Full,
    /// There is something else, or what was there is damaged: [`FlashStore::format`] begins anew.
    Damaged,
}

impl<E: fmt::Debug> fmt::Display for FlashError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flash(error) => write!(f, "the flash failed: {error:?}"),
            Self::Range => f.write_str("the range is not an even number of whole pages"),
            Self::TooLarge => {
                f.write_str("a record is larger than a page or the memory: send smaller messages")
            }
            Self::Full => f.write_str("half of the range is too small for the session: enlarge it"),
            Self::Damaged => f.write_str("the range holds no whole session: format it"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for FlashError<E> {}

impl<E> From<Error<E>> for FlashError<E> {
    fn from(error: Error<E>) -> Self {
        match error {
            Error::Storage { value, .. } => Self::Flash(value),
            Error::FullStorage => Self::Full,
            Error::ItemTooBig | Error::BufferTooSmall(_) | Error::BufferTooBig => Self::TooLarge,
            _ => Self::Damaged,
        }
    }
}

/// What a bank was found to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bank {
    Empty,
    /// Something, but not a whole state.
    Part,
    Whole(u32),
}

/// A [`Store`] in a range of NOR flash.
///
/// `memory` holds one record at a time, with up to 32 bytes beside it. A record fits into a page, and
/// twice the whole state into the range.
#[derive(Debug)]
pub struct FlashStore<'m, F> {
    flash: F,
    range: Range<u32>,
    memory: &'m mut [u8],
    /// The bank in use is the second one.
    second: bool,
    /// The number of the state in it.
    number: u32,
    /// Nothing is in the other bank.
    spare_is_clean: bool,
}

impl<'m, F: NorFlash> FlashStore<'m, F> {
    /// Opens the store in `range`, or begins one where nothing is.
    pub async fn open(
        flash: F,
        range: Range<u32>,
        memory: &'m mut [u8],
    ) -> Result<Self, FlashError<F::Error>> {
        let mut store =
            Self { flash, range, memory, second: false, number: 0, spare_is_clean: false };
        let banks = (store.look(false).await?, store.look(true).await?);
        match banks {
            (Bank::Empty, Bank::Empty) => store.begin().await?,
            (Bank::Whole(first), Bank::Whole(second)) => {
                store.choose(second > first, first.max(second));
            }
            (Bank::Whole(number), _) => store.choose(false, number),
            (_, Bank::Whole(number)) => store.choose(true, number),
            _ => return Err(FlashError::Damaged),
        }
        // An earlier state must not be found once this one is damaged. What looks empty may be half
        // erased, and is erased before it is used.
        if banks.0 != Bank::Empty && banks.1 != Bank::Empty {
            store.clean_spare().await?;
        }
        Ok(store)
    }

    /// Erases whatever is in `range`, and begins a store there.
    pub async fn format(
        flash: F,
        range: Range<u32>,
        memory: &'m mut [u8],
    ) -> Result<Self, FlashError<F::Error>> {
        let mut store =
            Self { flash, range, memory, second: false, number: 0, spare_is_clean: false };
        store.queue(true)?.0.erase_all().await?;
        store.begin().await?;
        Ok(store)
    }

    /// Gives the flash back.
    pub fn into_flash(self) -> F {
        self.flash
    }

    const fn choose(&mut self, second: bool, number: u32) {
        self.second = second;
        self.number = number;
    }

    async fn begin(&mut self) -> Result<(), FlashError<F::Error>> {
        self.choose(false, 1);
        self.queue(false)?.0.erase_all().await?;
        self.push_whole(false, 1).await
    }

    async fn clean_spare(&mut self) -> Result<(), FlashError<F::Error>> {
        if !self.spare_is_clean {
            let spare = !self.second;
            self.queue(spare)?.0.erase_all().await?;
            self.spare_is_clean = true;
        }
        Ok(())
    }

    /// The items of a bank, and the memory for one of them.
    fn queue(&mut self, second: bool) -> Result<Opened<'_, F>, FlashError<F::Error>> {
        let Range { start, end } = self.range;
        let middle = start.saturating_add(end.saturating_sub(start) / 2);
        let bank = if second { middle..end } else { start..middle };
        let config = QueueConfig::try_new(bank).map_err(|_| FlashError::Range)?;
        let queue = QueueStorage::new(&mut self.flash, config, Cache::new_uncached());
        Ok((queue, self.memory))
    }

    async fn look(&mut self, second: bool) -> Result<Bank, FlashError<F::Error>> {
        let (mut queue, memory) = self.queue(second)?;
        let mut bank = Bank::Empty;
        let mut items = match queue.iter().await.map_err(FlashError::from) {
            Ok(items) => items,
            Err(FlashError::Damaged) => return Ok(Bank::Part),
            Err(error) => return Err(error),
        };
        loop {
            match items.next(memory).await.map_err(FlashError::from) {
                Ok(None) => return Ok(bank),
                Ok(Some(item)) => {
                    let mut item = Reader::new(&item);
                    bank = match (item.u8(), item.u32(), bank) {
                        (Some(WHOLE), Some(number), _) => Bank::Whole(number),
                        (_, _, Bank::Whole(number)) => Bank::Whole(number),
                        _ => Bank::Part,
                    };
                }
                // Half erased, or something else.
                Err(FlashError::Damaged) if !matches!(bank, Bank::Whole(_)) => {
                    return Ok(Bank::Part);
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn push(&mut self, second: bool, record: &[u8]) -> Result<(), FlashError<F::Error>> {
        let (mut queue, memory) = self.queue(second)?;
        let mut item = Writer::new(memory);
        item.put_u8(RECORD)
            .and_then(|()| item.put_slice(record))
            .map_err(|_| FlashError::TooLarge)?;
        Ok(queue.push(item.written(), false).await?)
    }

    async fn push_whole(&mut self, second: bool, number: u32) -> Result<(), FlashError<F::Error>> {
        let [a, b, c, d] = number.to_be_bytes();
        let (mut queue, _) = self.queue(second)?;
        Ok(queue.push(&[WHOLE, a, b, c, d], false).await?)
    }
}

impl<F: NorFlash> Store for FlashStore<'_, F> {
    type Error = FlashError<F::Error>;

    async fn append(&mut self, batch: &[u8]) -> Result<Appended, Self::Error> {
        for record in Records::new(batch) {
            match self.push(self.second, record).await {
                Ok(()) => {}
                Err(FlashError::Full) => return Ok(Appended::Full),
                Err(error) => return Err(error),
            }
        }
        Ok(Appended::Safe)
    }

    async fn replace(&mut self, export: &[u8]) -> Result<(), Self::Error> {
        self.clean_spare().await?;
        self.spare_is_clean = false;
        let (next, number) = (!self.second, self.number.saturating_add(1));
        for record in Records::new(export) {
            self.push(next, record).await?;
        }
        self.push_whole(next, number).await?;
        self.choose(next, number);
        self.clean_spare().await
    }

    async fn replay(
        &mut self,
        mut restore: impl FnMut(&[u8]) -> Result<(), RestoreError>,
    ) -> Result<Result<(), RestoreError>, Self::Error> {
        let (mut queue, memory) = self.queue(self.second)?;
        let mut items = queue.iter().await?;
        while let Some(item) = items.next(memory).await? {
            if let [RECORD, record @ ..] = &*item
                && let Err(error) = restore(record)
            {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }
}

#[cfg(feature = "defmt")]
impl<F> defmt::Format for FlashStore<'_, F> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "FlashStore {{ range: {=u32}..{=u32}, number: {=u32} }}",
            self.range.start,
            self.range.end,
            self.number
        );
    }
}
