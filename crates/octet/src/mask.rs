//! Masking with a repeating key of four bytes (RFC 6455 §5.3).

/// Bytes in one step of a long payload, and in one step of what is left of it: 128 are as many registers
/// of 16 bytes as there are for it, and a length that the compiler knows is taken apart without a loop.
const LONG_STEP: usize = 128;
const STEP: usize = 16;
/// Whether such steps pay: a machine with registers of four bytes gets four times the code for nothing.
const HAS_STEPS: bool = cfg!(target_pointer_width = "64");
/// Most words in less than a step; the compiler does not see that, and would prepare for more.
const WORDS_MAX: usize = if HAS_STEPS { STEP / WORD - 1 } else { usize::MAX };

/// Whether words can be loaded from multiples of four only. Byte by byte, 1 KiB takes 3.6 instructions a
/// byte there instead of 5; elsewhere it would take three times as many as by words.
///
/// Of the Cortex-M those are strict that have no atomic exchange either (Armv6-M).
const IS_STRICT: bool =
    cfg!(any(target_arch = "riscv32", all(target_arch = "arm", not(target_has_atomic = "32"))));

/// Bytes in a key.
const WORD: usize = 4;

/// Masks or unmasks `data` in place, its first byte standing at `phase` in the masked payload.
pub fn mask(data: &mut [u8], key: [u8; WORD], phase: usize) {
    let key = turned(key, phase);
    let mut rest = data;
    if HAS_STEPS && rest.len() >= STEP {
        rest = mask_steps::<LONG_STEP>(rest, key);
        rest = mask_steps::<STEP>(rest, key);
    }
    let (words, rest) = rest.as_chunks_mut();
    for bytes in words.iter_mut().take(WORDS_MAX) {
        *bytes = xor(*bytes, key);
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// Copies the front of `from` to the front of `to` and masks it on the way; returns how many bytes
/// fitted.
pub fn copy_masked(from: &[u8], to: &mut [u8], key: [u8; WORD], phase: usize) -> usize {
    let key = turned(key, phase);
    let len = from.len().min(to.len());
    let mut from = from.get(..len).unwrap_or_default();
    let mut to = to.get_mut(..len).unwrap_or_default();
    if HAS_STEPS && len >= STEP {
        (from, to) = copy_steps::<LONG_STEP>(from, to, key);
        (from, to) = copy_steps::<STEP>(from, to, key);
    }
    let ((from_words, from), (to_words, to)) = (from.as_chunks(), to.as_chunks_mut());
    for (to, from) in to_words.iter_mut().zip(from_words).take(WORDS_MAX) {
        *to = xor(*from, key);
    }
    for ((to, from), key) in to.iter_mut().zip(from).zip(key) {
        *to = from ^ key;
    }
    len
}

/// Masks as many steps of `N` bytes as there are; what is left is less than one.
#[inline(always)]
fn mask_steps<const N: usize>(data: &mut [u8], key: [u8; WORD]) -> &mut [u8] {
    let (steps, rest) = data.as_chunks_mut::<N>();
    for step in steps {
        let (words, _) = step.as_chunks_mut();
        for bytes in words {
            *bytes = xor(*bytes, key);
        }
    }
    rest
}

/// The same while copying.
#[inline(always)]
fn copy_steps<'f, 't, const N: usize>(
    from: &'f [u8],
    to: &'t mut [u8],
    key: [u8; WORD],
) -> (&'f [u8], &'t mut [u8]) {
    let ((from, from_rest), (to, to_rest)) = (from.as_chunks::<N>(), to.as_chunks_mut::<N>());
    for (to, from) in to.iter_mut().zip(from) {
        let ((to, _), (from, _)) = (to.as_chunks_mut(), from.as_chunks());
        for (to, from) in to.iter_mut().zip(from) {
            *to = xor(*from, key);
        }
    }
    (from_rest, to_rest)
}

#[inline(always)]
fn xor(bytes: [u8; WORD], key: [u8; WORD]) -> [u8; WORD] {
    if IS_STRICT {
        let ([a, b, c, d], [i, j, k, l]) = (bytes, key);
        return [a ^ i, b ^ j, c ^ k, d ^ l];
    }
    (u32::from_ne_bytes(bytes) ^ u32::from_ne_bytes(key)).to_ne_bytes()
}

/// The key as it stands for a byte at `phase`.
fn turned(key: [u8; WORD], phase: usize) -> [u8; WORD] {
    let bits = u32::try_from(phase % WORD).unwrap_or_default().wrapping_mul(u8::BITS);
    u32::from_be_bytes(key).rotate_left(bits).to_be_bytes()
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
        let data: Vec<u8> = (0..300_u16).map(|byte| (byte * 3).to_le_bytes()[0]).collect();
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
