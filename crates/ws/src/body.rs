//! A response's body, as far as it is kept (RFC 9112 §6, §7).

/// How many bytes of a refusal's body are kept: an error document says what it has to say in them.
pub const REFUSAL_BODY_KEPT: u16 = 1024;

/// How many bytes of chunk sizes and extensions are read for the sake of a body.
pub const REFUSAL_FRAMING_MAX: u16 = 4 * 1024;

/// Finds a body's content among its framing.
///
/// Framing that breaks the standard ends it: a body that only explains a refusal need not be
/// [whole](Body::is_whole).
#[derive(Clone, Debug)]
pub(crate) struct Body {
    /// Content bytes left, of the body or of the chunk.
    left: u32,
    /// Where in the framing the next byte stands, once nothing is left.
    next: Next,
    /// How many more content bytes are kept.
    room: u16,
    framing: u16,
}

/// The number is the chunk's size, as far as it is known.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// The body ends.
    End,
    /// It ends where the framing cannot be read.
    Broken,
    /// It ends with the connection.
    Close,
    /// The first hexadecimal digit of a size.
    Digit,
    /// A further digit, or what ends the size.
    Size(u32),
    /// Chunk extensions, up to the CR.
    Extension(u32),
    /// The LF behind the size.
    SizeLf(u32),
    /// The CR behind a chunk, and its LF.
    ChunkCr,
    ChunkLf,
}

/// What to do with the raw bytes of an inbox.
pub(crate) enum Piece {
    /// Nothing before more bytes come.
    More,
    /// So many bytes are framing.
    Framing(usize),
    /// So many bytes are content.
    Content(usize),
    /// Nothing more is wanted.
    End,
}

impl Body {
    /// A body of `len` bytes, of which `room` are kept.
    pub(crate) const fn of_length(len: u32, room: u16) -> Self {
        Self { left: len, next: Next::End, room, framing: 0 }
    }

    /// A body that only the end of the connection ends (RFC 9112 §6.3).
    pub(crate) const fn until_close(room: u16) -> Self {
        Self { left: u32::MAX, next: Next::Close, room, framing: 0 }
    }

    /// A body in chunks (RFC 9112 §7.1).
    pub(crate) const fn chunked(room: u16) -> Self {
        Self { left: 0, next: Next::Digit, room, framing: 0 }
    }

    /// Whether all of it has come, by what its framing says.
    pub(crate) const fn is_whole(&self) -> bool {
        self.left == 0 && matches!(self.next, Next::End)
    }

    /// Whether its framing cannot be read any further.
    pub(crate) const fn is_broken(&self) -> bool {
        matches!(self.next, Next::Broken)
    }

    /// Whether it ends with the connection.
    pub(crate) const fn ends_with_connection(&self) -> bool {
        matches!(self.next, Next::Close)
    }

    /// Looks at the front of `raw`; the caller takes off what the answer says.
    pub(crate) fn next(&mut self, raw: &[u8]) -> Piece {
        if self.room == 0 || self.framing >= REFUSAL_FRAMING_MAX {
            return Piece::End;
        }
        if self.left == 0 && matches!(self.next, Next::End | Next::Broken) {
            return Piece::End;
        }
        let [byte, ..] = raw else { return Piece::More };
        if self.left > 0 {
            let here = u16::try_from(raw.len()).unwrap_or(u16::MAX).min(self.room);
            let taken = here.min(u16::try_from(self.left).unwrap_or(u16::MAX));
            self.left = self.left.saturating_sub(u32::from(taken));
            self.room = self.room.saturating_sub(taken);
            return Piece::Content(usize::from(taken));
        }
        self.framing = self.framing.saturating_add(1);
        // What is left of a chunk is known from the LF behind its size on.
        if let (Next::SizeLf(size), b'\n') = (self.next, *byte) {
            self.left = size;
        }
        self.next = self.on_framing(*byte);
        Piece::Framing(1)
    }

    fn on_framing(&self, byte: u8) -> Next {
        match (self.next, byte) {
            (Next::Digit, _) => on_digit(0, byte),
            (Next::Size(size) | Next::Extension(size), b'\r') => Next::SizeLf(size),
            (Next::Size(size), b';' | b' ' | b'\t') => Next::Extension(size),
            (Next::Size(size), _) => on_digit(size, byte),
            (Next::Extension(size), b'\t' | b' '..=b'~') => Next::Extension(size),
            // Trailers are of no use: the body ends at the chunk of size zero.
            (Next::SizeLf(0), b'\n') => Next::End,
            (Next::SizeLf(_), b'\n') => Next::ChunkCr,
            (Next::ChunkCr, b'\r') => Next::ChunkLf,
            (Next::ChunkLf, b'\n') => Next::Digit,
            _ => Next::Broken,
        }
    }
}

/// The size with one more digit; one that is too large to count is as good as endless.
fn on_digit(size: u32, byte: u8) -> Next {
    let digit = match byte {
        b'0'..=b'9' => byte.wrapping_sub(b'0'),
        b'a'..=b'f' => byte.wrapping_sub(b'a').wrapping_add(10),
        b'A'..=b'F' => byte.wrapping_sub(b'A').wrapping_add(10),
        _ => return Next::Broken,
    };
    Next::Size(size.saturating_mul(16).saturating_add(u32::from(digit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// What is kept of `raw`, given in steps of `step` bytes, and whether the body has ended.
    fn kept(mut body: Body, raw: &[u8], step: usize) -> (Vec<u8>, bool) {
        let (mut seen, mut at, mut end) = (Vec::new(), 0, step.min(raw.len()));
        loop {
            match body.next(&raw[at..end]) {
                Piece::More if end == raw.len() => return (seen, false),
                Piece::More => end = (end + step).min(raw.len()),
                Piece::Framing(len) => at += len,
                Piece::Content(len) => {
                    assert!(len > 0);
                    seen.extend_from_slice(&raw[at..at + len]);
                    at += len;
                }
                Piece::End => return (seen, true),
            }
        }
    }

    fn kept_at_every_step(body: &Body, raw: &[u8]) -> (Vec<u8>, bool) {
        let whole = kept(body.clone(), raw, raw.len().max(1));
        for step in 1..raw.len().min(50) {
            assert_eq!(kept(body.clone(), raw, step), whole, "in steps of {step}");
        }
        whole
    }

    #[test]
    fn body_by_length_ends_there() {
        for (len, raw, expected, ended) in [
            (0, "x", "", true),
            (3, "abc", "abc", true),
            (3, "abcdef", "abc", true),
            (4, "abc", "abc", false),
            (u32::MAX, "abc", "abc", false),
        ] {
            let (seen, end) =
                kept_at_every_step(&Body::of_length(len, REFUSAL_BODY_KEPT), raw.as_bytes());
            assert_eq!((seen.as_slice(), end), (expected.as_bytes(), ended));
        }
    }

    #[test]
    fn body_in_chunks_is_put_together() {
        for (raw, expected, ended) in [
            ("3\r\nabc\r\n0\r\n\r\n", "abc", true),
            ("3\r\nabc\r\n00A\r\n0123456789\r\n0\r\nDate: x\r\n\r\n", "abc0123456789", true),
            ("2;a=\"b\"\r\nab\r\n1 \r\nc\r\n0\r\n", "abc", true),
            ("3\r\nab", "ab", false),
            ("3\r\nabc", "abc", false),
            ("ffffffffffffffffffff\r\nabc", "abc", false),
        ] {
            let (seen, end) = kept_at_every_step(&Body::chunked(REFUSAL_BODY_KEPT), raw.as_bytes());
            assert_eq!((seen.as_slice(), end), (expected.as_bytes(), ended), "{raw:?}");
        }
    }

    #[test]
    fn body_with_broken_chunks_ends_where_it_breaks() {
        let broken = ["\r\n", "x\r\n", "+3\r\n", "3\nabc", "3\r\r", "0x3\r\n", "3;\0", "-1\r\n"];
        for raw in broken {
            assert_eq!(
                kept_at_every_step(&Body::chunked(REFUSAL_BODY_KEPT), raw.as_bytes()),
                (Vec::new(), true)
            );
        }
        let (seen, ended) = kept_at_every_step(&Body::chunked(REFUSAL_BODY_KEPT), b"1\r\nabc");
        assert_eq!((seen.as_slice(), ended), (&b"a"[..], true));
    }

    #[test]
    fn body_that_never_ends_is_cut() {
        let long = [b'x'; 3000];
        let (seen, ended) = kept_at_every_step(&Body::of_length(3000, REFUSAL_BODY_KEPT), &long);
        assert_eq!((seen.len(), ended), (usize::from(REFUSAL_BODY_KEPT), true));
        let mut extension = std::vec![b'3', b';'];
        extension.resize(100_000, b'x');
        assert_eq!(kept(Body::chunked(REFUSAL_BODY_KEPT), &extension, 700), (Vec::new(), true));
    }
}
