//! When a certificate was issued, for devices that do not know what time it is.

/// The start of the validity of a certificate in DER, in seconds of Unix time (RFC 5280 §4.1.2.5).
pub(crate) fn not_before(certificate: &[u8]) -> Option<u64> {
    let (body, _) = value(certificate, SEQUENCE)?;
    let (tbs, _) = value(body, SEQUENCE)?;
    let rest = value(tbs, VERSION).map_or(tbs, |(_, rest)| rest);
    let (_, rest) = value(rest, INTEGER)?;
    let (_, rest) = value(rest, SEQUENCE)?;
    let (_, rest) = value(rest, SEQUENCE)?;
    let (validity, _) = value(rest, SEQUENCE)?;
    match value(validity, UTC_TIME) {
        // Two digits stand for 1950 to 2049.
        Some((time, _)) => {
            let (year, rest) = number(time, 2)?;
            unix_time(
                if year < 50 { year.saturating_add(2_000) } else { year.saturating_add(1_900) },
                rest,
            )
        }
        None => {
            let (time, _) = value(validity, GENERALIZED_TIME)?;
            let (year, rest) = number(time, 4)?;
            unix_time(year, rest)
        }
    }
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The value of what begins here, if it has this tag, and what is behind it (X.690 §8.1).
fn value(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (len, rest) = rest.split_first()?;
    if *first != tag {
        return None;
    }
    let (len, rest) = match *len {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => {
            let (len, rest) = rest.split_first()?;
            (usize::from(*len), rest)
        }
        0x82 => {
            let (len, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*len)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(len)
}

/// A number of so many digits, and what is behind it.
fn number(text: &[u8], digits: usize) -> Option<(u64, &[u8])> {
    let (text, rest) = text.split_at_checked(digits)?;
    let number = text.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| digit.wrapping_sub(b'0'))?;
        Some(number.saturating_mul(10).saturating_add(u64::from(digit)))
    });
    Some((number?, rest))
}

/// `MMDDHHMMSSZ` in this year.
fn unix_time(year: u64, rest: &[u8]) -> Option<u64> {
    let (month, rest) = number(rest, 2)?;
    let (day, rest) = number(rest, 2)?;
    let (hour, rest) = number(rest, 2)?;
    let (minute, rest) = number(rest, 2)?;
    let (second, rest) = number(rest, 2)?;
    if rest != b"Z" || year < 1_970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years begin in March, so that the leap day is the last one.
    let (year, month) = if month > 2 {
        (year, month.saturating_sub(3))
    } else {
        (year.saturating_sub(1), month.saturating_add(9))
    };
    let leap_days = (year / 4).saturating_sub(year / 100).saturating_add(year / 400);
    let in_year = (month.saturating_mul(153).saturating_add(2) / 5).saturating_add(day);
    let days = year.saturating_mul(365).saturating_add(leap_days).saturating_add(in_year);
    // From 1 March of the year 0 to 1970, and the day that is counted from one.
    let days = days.saturating_sub(719_469);
    let hours = days.saturating_mul(24).saturating_add(hour);
    Some(hours.saturating_mul(60).saturating_add(minute).saturating_mul(60).saturating_add(second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_of_a_certificate_is_unix_time() {
        for (text, expected) in [
            ("0101000000Z", 0),
            ("0101000001Z", 1),
            ("0301000000Z", 5_097_600),
            ("1231235959Z", 31_535_999),
        ] {
            assert_eq!(unix_time(1970, text.as_bytes()), Some(expected), "{text}");
        }
        assert_eq!(unix_time(2000, b"0229120000Z"), Some(951_825_600));
        assert_eq!(unix_time(2026, b"1123000000Z"), Some(1_795_392_000));
        for bad in ["", "0101000000", "1301000000Z", "0100000000Z", "01010000aaZ", "0101000000+"] {
            assert_eq!(unix_time(2000, bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn bytes_that_are_no_certificate_have_no_time() {
        for len in 0..64 {
            assert_eq!(not_before(&std::vec![0x30; len]), None);
        }
        assert_eq!(not_before(&[0x30, 0x83, 1, 0, 0]), None);
        assert_eq!(not_before(&[0x30, 5, 0x30, 3, 0x02, 1]), None);
    }
}
