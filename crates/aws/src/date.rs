//! The dates of HTTP (RFC 9110 §5.6.7).

use crate::UnixTime;
use dunlin::octet::copy;

/// Most words in a date.
const WORDS_MAX: usize = 6;

/// Reads a date of an HTTP header: an IMF-fixdate, or one of the two obsolete forms, as every
/// recipient has to (RFC 9110 §5.6.7).
///
/// A year of two digits counts as one from 1970 to 2069: who asks may have no clock to tell the century
/// by. The name of the weekday is not held against the date.
pub fn parse_http_date(text: &str) -> Option<UnixTime> {
    let mut words = [""; WORDS_MAX];
    let mut rest = text.split([' ', '-', ',']).filter(|word| !word.is_empty());
    for word in &mut words {
        *word = rest.next().unwrap_or_default();
    }
    if rest.next().is_some() {
        return None;
    }
    let (weekday, day, month, year, clock) = match words {
        // Sun, 06 Nov 1994 08:49:37 GMT; Sunday, 06-Nov-94 08:49:37 GMT
        [weekday, day, month, year, clock, "GMT"] => (weekday, day, month, year, clock),
        // Sun Nov  6 08:49:37 1994
        [weekday, month, day, clock, year, ""] if year.len() == 4 => {
            (weekday, day, month, year, clock)
        }
        _ => return None,
    };
    if weekday.len() < 3 || !weekday.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    let century = match *year.as_bytes() {
        [b'7'..=b'9', _] => "19",
        [_, _] => "20",
        [_, _, _, _] => "",
        _ => return None,
    };
    let zero = if day.len() == 1 { "0" } else { "" };
    let &[h1, h2, b':', m1, m2, b':', s1, s2] = clock.as_bytes() else { return None };
    // A leap second, which the count of seconds does not have.
    let [s1, s2] = if [s1, s2] == *b"60" { *b"59" } else { [s1, s2] };
    let clock = [h1, h2, b':', m1, m2, b':', s1, s2];
    iso([century, year, "-", month_number(month)?, "-", zero, day, "T"], &clock)
}

/// Reads `2024-01-02T03:04:05Z` from its parts.
fn iso(date: [&str; 8], clock: &[u8; 8]) -> Option<UnixTime> {
    let mut memory = [b' '; 20];
    let mut place = &mut memory[..];
    for part in date.iter().map(|part| part.as_bytes()).chain([&clock[..], b"Z"]) {
        copy(part, place);
        place = place.get_mut(part.len()..)?;
    }
    if !place.is_empty() {
        return None;
    }
    UnixTime::parse_iso8601(core::str::from_utf8(&memory).ok()?)
}

fn month_number(name: &str) -> Option<&'static str> {
    const MONTHS: [(&str, &str); 12] = [
        ("Jan", "01"),
        ("Feb", "02"),
        ("Mar", "03"),
        ("Apr", "04"),
        ("May", "05"),
        ("Jun", "06"),
        ("Jul", "07"),
        ("Aug", "08"),
        ("Sep", "09"),
        ("Oct", "10"),
        ("Nov", "11"),
        ("Dec", "12"),
    ];
    MONTHS.iter().find(|(month, _)| *month == name).map(|(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        parse_http_date(text).map(UnixTime::as_secs)
    }

    /// The three forms of one time that RFC 9110 §5.6.7 shows, and the ends of days and years.
    #[test]
    fn http_date_is_read_in_each_of_its_forms() {
        for (text, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Sun Nov  6 08:49:37 1994", 784_111_777),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Thu Jan  1 00:00:00 1970", 0),
            ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
            ("Thursday, 29-Feb-24 23:59:59 GMT", 1_709_251_199),
            ("Tue Dec 31 23:59:59 2069", 3_155_759_999),
            ("Tuesday, 31-Dec-69 23:59:59 GMT", 3_155_759_999),
            ("Thursday, 01-Jan-70 00:00:00 GMT", 0),
            // The leap second of 2016 counts as the second before it.
            ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_799),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn http_date_that_is_none_is_not_read() {
        for text in [
            "",
            "Sun, 06 Nov 1994",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1994 08:49:37 GMT GMT",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 30 Feb 2024 08:49:37 GMT",
            "Sun, 06 Nov 1969 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 006 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 994 08:49:37 GMT",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "06 Nov 1994 08:49:37 GMT",
            "1, 06 Nov 1994 08:49:37 GMT",
            "Sun Nov  6 08:49:37 94",
            "Sün, 06 Növ 1994 08:49:37 GMT",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
