//! A cursor that puts values into borrowed memory.

use crate::{Sink, copy, copy_short};

/// The memory is too short for what was to be put; nothing of it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Full;

/// Puts big-endian integers and slices behind one another into borrowed memory.
#[derive(Debug)]
pub struct Writer<'a> {
    memory: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    /// A cursor at the first byte of `memory`.
    pub const fn new(memory: &'a mut [u8]) -> Self {
        Self { memory, at: 0 }
    }

    /// How many bytes have been put.
    pub const fn len(&self) -> usize {
        self.at
    }

    /// Whether nothing has been put yet.
    pub const fn is_empty(&self) -> bool {
        self.at == 0
    }

    /// How many bytes still fit.
    pub const fn room(&self) -> usize {
        self.memory.len().saturating_sub(self.at)
    }

    /// What has been put.
    pub fn written(&self) -> &[u8] {
        self.memory.get(..self.at).unwrap_or_default()
    }

    /// Puts one byte.
    pub fn put_u8(&mut self, value: u8) -> Result<(), Full> {
        self.put_slice(&[value])
    }

    /// Puts a 16-bit integer, most significant byte first.
    pub fn put_u16(&mut self, value: u16) -> Result<(), Full> {
        self.put_slice(&value.to_be_bytes())
    }

    /// Puts a 32-bit integer, most significant byte first.
    pub fn put_u32(&mut self, value: u32) -> Result<(), Full> {
        self.put_slice(&value.to_be_bytes())
    }

    /// Puts all of `bytes`, or nothing.
    pub fn put_slice(&mut self, bytes: &[u8]) -> Result<(), Full> {
        copy(bytes, self.reserve(bytes.len())?);
        Ok(())
    }

    /// Moves past `len` bytes and lends them out to be filled.
    pub fn reserve(&mut self, len: usize) -> Result<&mut [u8], Full> {
        let end = self.at.checked_add(len).ok_or(Full)?;
        let place = self.memory.get_mut(self.at..end).ok_or(Full)?;
        self.at = end;
        Ok(place)
    }

    /// Everything put so far, released from the cursor.
    pub fn finish(self) -> &'a mut [u8] {
        self.memory.get_mut(..self.at).unwrap_or_default()
    }
}

/// Puts as much as fits, and no more.
impl Sink for Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        // What fits whole has a length that the compiler often knows.
        match self.reserve(bytes.len()) {
            Ok(place) => {
                if !copy_short(bytes, place) {
                    copy(bytes, place);
                }
            }
            Err(Full) => self.put_front(bytes),
        }
    }
}

impl Writer<'_> {
    #[cold]
    #[cfg_attr(target_pointer_width = "64", inline(never))]
    fn put_front(&mut self, bytes: &[u8]) {
        let place = self.memory.get_mut(self.at..).unwrap_or_default();
        self.at = self.at.saturating_add(copy(bytes, place));
    }
}

/// How much is in it, not what.
#[cfg(feature = "defmt")]
impl defmt::Format for Writer<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Writer {{ at: {=usize}, len: {=usize} }}", self.at, self.memory.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writer_puts_behind_what_is_there() {
        let mut memory = [0; 7];
        let mut writer = Writer::new(&mut memory);
        writer.put_u8(1).unwrap();
        writer.put_u16(0x0203).unwrap();
        writer.put_u32(0x0405_0607).unwrap();
        assert_eq!(writer.room(), 0);
        assert_eq!(writer.finish(), [1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn sink_without_room_for_all_keeps_the_front() {
        let mut memory = [0; 3];
        let mut writer = Writer::new(&mut memory);
        writer.put(&[1, 2]);
        writer.put(&[3, 4]);
        writer.put(&[5]);
        assert_eq!(writer.finish(), [1, 2, 3]);
    }

    #[test]
    fn writer_that_is_full_writes_nothing() {
        let mut memory = [0; 3];
        let mut writer = Writer::new(&mut memory);
        writer.put_u16(0x0102).unwrap();
        assert_eq!(writer.put_u16(0x0304), Err(Full));
        assert_eq!(writer.reserve(usize::MAX), Err(Full));
        assert_eq!(writer.written(), [1, 2]);
        assert_eq!(writer.len(), 2);
    }
}
