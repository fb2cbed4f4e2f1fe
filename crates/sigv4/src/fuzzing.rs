//! Fuzz entry points.

use crate::{Credentials, Key, Pair, Pairs, Payload, Request, Token, UnixTime};
use dunlin_octet::{Count, Sink, Text, Window};

const PAIRS_MAX: usize = 4;

/// Whatever can be signed is signed the same again, with a kept key and with a new one, and through
/// a window gives the bytes that it gives as a whole: one line, or whole lines, of visible text.
pub fn request(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut parts = text.split('\n');
    let mut part = || parts.next().unwrap_or_default();
    let credentials = Credentials {
        access_key_id: part(),
        secret_access_key: part(),
        session_token: Some(part()).filter(|token| !token.is_empty()),
    };
    let [region, service, host, path, method] = [part(), part(), part(), part(), part()];
    let numbers = part().as_bytes();
    let pairs: [Pair<'_>; 2 * PAIRS_MAX] = core::array::from_fn(|_| (part(), part()));
    let (query, headers) = pairs.split_at_checked(PAIRS_MAX).unwrap_or_default();
    let at = |place: usize| numbers.get(place).copied().unwrap_or_default();
    let count = |place: usize| usize::from(at(place)) % (PAIRS_MAX + 1);
    let request = Request {
        at: UnixTime::from_secs(u64::from(at(0)).saturating_mul(86_399)),
        method,
        path,
        query: Pairs::of(query.get(..count(1)).unwrap_or_default()),
        headers: Pairs::of(headers.get(..count(2)).unwrap_or_default()),
        payload: if at(3) < 64 { Payload::of(&text) } else { Payload::Empty },
        token: if at(4) < 64 { Token::Signed } else { Token::Appended },
        ..Request::new(credentials, region, service, host, UnixTime::MAX)
    };
    let mut kept = Key::new();
    for _ in 0..2 {
        let expires = Some(u32::from(at(5))).filter(|life_s| *life_s > 0);
        let target = request.presign(&mut kept, expires);
        let again = request.presign(&mut Key::new(), expires);
        assert!(
            target.map(|signed| *signed.signature()) == again.map(|signed| *signed.signature())
        );
        if let Ok(signed) = target {
            check(&signed, |byte| byte.is_ascii_graphic());
        }
        if let Ok(signed) = request.authorize(&mut kept) {
            check(&signed, |byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n'));
            check(&signed.authorization(), |byte| matches!(byte, b' '..=b'~'));
        }
    }
}

/// The window of a few bytes at each place holds what the whole has there.
fn check(text: &dyn Text, is_allowed: impl Fn(u8) -> bool) {
    let mut whole = Sum::default();
    text.write(&mut whole);
    let mut pieces = Sum::default();
    let mut memory = [0; 61];
    loop {
        let mut window = Window::new(&mut memory, pieces.len);
        text.write(&mut window);
        let (filled, is_last) = (window.filled(), !window.overflowed());
        let piece = memory.get(..filled).unwrap_or_default();
        assert!(piece.iter().all(|byte| is_allowed(*byte)));
        pieces.put(piece);
        if is_last {
            break;
        }
    }
    assert!(whole == pieces && whole.len == Count::of(&text));
}

/// Tells texts apart without a place to keep them.
#[derive(Default, PartialEq, Eq)]
struct Sum {
    len: usize,
    sum: u64,
}

impl Sink for Sum {
    fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.len = self.len.saturating_add(1);
            self.sum = self.sum.wrapping_mul(0x0000_0100_0000_01b3) ^ u64::from(*byte);
        }
    }
}
