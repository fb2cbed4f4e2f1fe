//! Whether text is JSON, and where a value ends (RFC 8259 §2 to §7).

/// How deeply arrays and objects may nest: an answer of AWS has three levels.
pub(super) const DEPTH_MAX: u32 = 32;

/// How long the value at the front of `text` is; `None` where none stands there as a whole.
pub(super) fn value_len(text: &[u8], depth_max: u32) -> Option<usize> {
    let mut scan = Scan { rest: text, objects: 0, depth: 0 };
    let mut next = Next::Value;
    // Each turn takes a byte at least.
    loop {
        next = match next {
            Next::Value => scan.value(depth_max)?,
            Next::FirstElement => match scan.take_if(b']') {
                true => scan.close()?,
                false => Next::Value,
            },
            Next::FirstMember => match scan.take_if(b'}') {
                true => scan.close()?,
                false => Next::Member,
            },
            Next::Member => {
                scan.skip_blanks();
                scan.string()?;
                scan.take_if(b':').then_some(Next::Value)?
            }
            Next::Behind => {
                let (close, member) = match scan.is_in_object() {
                    true => (b'}', Next::Member),
                    false => (b']', Next::Value),
                };
                if scan.take_if(b',') {
                    member
                } else {
                    scan.take_if(close).then_some(())?;
                    scan.close()?
                }
            }
            Next::End => return text.len().checked_sub(scan.rest.len()),
        };
    }
}

/// What has to come.
#[derive(Clone, Copy)]
enum Next {
    Value,
    /// An element, or the end of an array.
    FirstElement,
    /// A member, or the end of an object.
    FirstMember,
    Member,
    /// What stands behind a value within a container.
    Behind,
    End,
}

struct Scan<'a> {
    rest: &'a [u8],
    /// For each level a bit, the innermost lowest: whether it is an object.
    objects: u32,
    depth: u32,
}

impl Scan<'_> {
    fn value(&mut self, depth_max: u32) -> Option<Next> {
        self.skip_blanks();
        let [first, ..] = self.rest else { return None };
        match first {
            b'{' | b'[' => {
                let is_object = *first == b'{';
                self.depth = self.depth.checked_add(1).filter(|depth| *depth <= depth_max)?;
                self.objects = self.objects << 1 | u32::from(is_object);
                self.skip(1);
                return Some(if is_object { Next::FirstMember } else { Next::FirstElement });
            }
            b'"' => self.string()?,
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            b'n' => self.word(b"null")?,
            _ => self.number()?,
        }
        Some(self.behind())
    }

    const fn behind(&self) -> Next {
        if self.depth == 0 { Next::End } else { Next::Behind }
    }

    const fn is_in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn close(&mut self) -> Option<Next> {
        self.depth = self.depth.checked_sub(1)?;
        self.objects >>= 1;
        Some(self.behind())
    }

    fn skip(&mut self, len: usize) {
        self.rest = self.rest.get(len..).unwrap_or_default();
    }

    fn skip_blanks(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// Takes that sign, with blanks before it, if it comes next.
    fn take_if(&mut self, sign: u8) -> bool {
        self.skip_blanks();
        let taken = self.rest.first() == Some(&sign);
        self.skip(usize::from(taken));
        taken
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        self.word(b"\"")?;
        loop {
            self.rest = match self.rest {
                [b'"', rest @ ..] => {
                    self.rest = rest;
                    return Some(());
                }
                [b'\\', b'u', a, b, c, d, rest @ ..]
                    if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) =>
                {
                    rest
                }
                [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', rest @ ..] => rest,
                [b'\\' | ..=0x1f, ..] | [] => return None,
                [_, rest @ ..] => rest,
            }
        }
    }

    fn number(&mut self) -> Option<()> {
        if let [b'-', rest @ ..] = self.rest {
            self.rest = rest;
        }
        match self.rest {
            [b'0', rest @ ..] => self.rest = rest,
            _ => self.digits()?,
        }
        if let [b'.', rest @ ..] = self.rest {
            self.rest = rest;
            self.digits()?;
        }
        if let [b'e' | b'E', b'+' | b'-', rest @ ..] | [b'e' | b'E', rest @ ..] = self.rest {
            self.rest = rest;
            self.digits()?;
        }
        Some(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<()> {
        let len = self.rest.iter().position(|byte| !byte.is_ascii_digit());
        let len = len.unwrap_or(self.rest.len());
        self.skip(len);
        (len > 0).then_some(())
    }
}
