//! The same bytes in every number of pieces.

/// Up to this many bytes are cut at every place; longer ones near both ends and now and then between.
const CUT_EVERYWHERE: usize = 1200;
/// How far from the ends, and how often between them, longer ones are cut.
const NEAR: usize = 200;
const STRIDE: usize = 4093;

/// What `run` makes of `bytes`: whole, byte by byte, and cut in two everywhere, always the same.
pub(crate) fn every_cut<T: PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    run: impl Fn(&[&[u8]]) -> T,
) -> T {
    let whole = run(&[bytes]);
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert!(run(&single) == whole, "byte by byte, not {whole:?}");
    let len = bytes.len();
    for cut in 1..len {
        if len <= CUT_EVERYWHERE || cut < NEAR || len - cut < NEAR || cut % STRIDE == 0 {
            let (front, back) = bytes.split_at(cut);
            let outcome = run(&[front, back]);
            assert_eq!(outcome, whole, "cut at {cut}");
        }
    }
    whole
}
