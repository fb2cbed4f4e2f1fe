//! CRC-32 as in Ethernet and gzip (ISO/IEC 3309): finds every burst up to 32 bits.

const TABLE: [u32; 256] = table();

/// The checksum of `parts`, one behind the other.
pub(super) fn of(parts: &[&[u8]]) -> u32 {
    let bytes = parts.iter().copied().flatten();
    !bytes.fold(u32::MAX, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        TABLE[usize::from(low ^ byte)] ^ crc >> 8
    })
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    let mut byte: u32 = 0;
    while index < table.len() {
        let mut crc = byte;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 0 { crc >> 1 } else { 0xedb8_8320 ^ crc >> 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    /// The check value of the catalogues.
    #[test]
    fn checksum_of_nine_digits_is_the_known_one() {
        assert_eq!(super::of(&[b"1234", b"56789"]), 0xcbf4_3926);
        assert_eq!(super::of(&[]), 0);
    }
}
