//! Masking with a repeating key of four bytes (RFC 6455 §5.3).

/// Masks or unmasks `data` in place, its first byte standing at `phase` in the masked payload.
pub fn mask(data: &mut [u8], key: [u8; 4], phase: usize) {
    let key = turned(key, phase);
    let word = u32::from_ne_bytes(key);
    let (words, rest) = data.as_chunks_mut::<4>();
    for bytes in words {
        *bytes = (u32::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// Copies the front of `from` to the front of `to` and masks it on the way; returns how many bytes
/// fitted.
pub fn copy_masked(from: &[u8], to: &mut [u8], key: [u8; 4], phase: usize) -> usize {
    let key = turned(key, phase);
    let word = u32::from_ne_bytes(key);
    let len = from.len().min(to.len());
    let from = from.get(..len).unwrap_or_default();
    let to = to.get_mut(..len).unwrap_or_default();
    let (from_words, from_rest) = from.as_chunks::<4>();
    let (to_words, to_rest) = to.as_chunks_mut::<4>();
    for (to, from) in to_words.iter_mut().zip(from_words) {
        *to = (u32::from_ne_bytes(*from) ^ word).to_ne_bytes();
    }
    for ((to, from), key) in to_rest.iter_mut().zip(from_rest).zip(key) {
        *to = from ^ key;
    }
    len
}

/// The key as it stands for a byte at `phase`.
fn turned(key: [u8; 4], phase: usize) -> [u8; 4] {
    let [a, b, c, d] = key;
    match phase % 4 {
        0 => key,
        1 => [b, c, d, a],
        2 => [c, d, a, b],
        _ => [d, a, b, c],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    fn byte_by_byte(data: &[u8], phase: usize) -> Vec<u8> {
        data.iter().enumerate().map(|(at, byte)| byte ^ KEY[(at + phase) % 4]).collect()
    }

    /// RFC 6455 §5.7, "Hello" masked.
    #[test]
    fn mask_of_hello_is_the_one_in_the_standard() {
        let mut data = *b"Hello";
        mask(&mut data, KEY, 0);
        assert_eq!(data, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }

    #[test]
    fn mask_equals_byte_by_byte_at_every_length_and_phase() {
        let data: Vec<u8> = (0..67).map(|byte| byte * 3).collect();
        for len in 0..data.len() {
            for phase in 0..5 {
                let expected = byte_by_byte(&data[..len], phase);
                let mut in_place = data[..len].to_vec();
                mask(&mut in_place, KEY, phase);
                assert_eq!(in_place, expected);
                let mut copied = std::vec![0; len];
                assert_eq!(copy_masked(&data[..len], &mut copied, KEY, phase), len);
                assert_eq!(copied, expected);
            }
        }
    }

    #[test]
    fn copy_masked_stops_at_the_shorter_side() {
        let mut to = [0; 5];
        assert_eq!(copy_masked(&[1; 9], &mut to, KEY, 0), 5);
        assert_eq!(to.to_vec(), byte_by_byte(&[1; 5], 0));
    }
}
