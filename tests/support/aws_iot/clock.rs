//! The gateway's calendar: the form that requests carry, and the form that answers carry.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY_S: u64 = 86_400;
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds since 1970 by the machine's clock.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

/// Reads `YYYYMMDDTHHMMSSZ`; `None` for anything else, and for days that do not exist.
pub(super) fn parse_basic(text: &str) -> Option<u64> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if date.len() != 8 || clock.len() != 6 || !digits(date) || !digits(clock) {
        return None;
    }
    let number = |text: &str, from, to| text[from..to].parse::<u64>().ok();
    let (year, month, day) = (number(date, 0, 4)?, number(date, 4, 6)?, number(date, 6, 8)?);
    let (hour, minute, second) = (number(clock, 0, 2)?, number(clock, 2, 4)?, number(clock, 4, 6)?);
    let lengths = month_lengths(year);
    let length = *lengths.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
    if year < 1970 || !(1..=length).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let before_year: u64 = (1970..year).map(year_length).sum();
    let before_month: u64 = lengths.iter().zip(1..month).map(|(length, _)| length).sum();
    let days = before_year + before_month + day - 1;
    Some(days * DAY_S + hour * 3600 + minute * 60 + second)
}

/// Writes `Tue, 02 Jan 2024 03:04:05 GMT`, the IMF-fixdate of RFC 9110 §5.6.7.
pub(super) fn imf_fixdate(seconds: u64) -> String {
    let (mut days, clock) = (seconds / DAY_S, seconds % DAY_S);
    let weekday = WEEKDAYS[(days % 7) as usize];
    let mut year = 1970;
    while days >= year_length(year) {
        days -= year_length(year);
        year += 1;
    }
    let mut month = 0;
    let lengths = month_lengths(year);
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    let (day, month) = (days + 1, MONTHS[month]);
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

fn month_lengths(year: u64) -> [u64; 12] {
    let february = year_length(year) - 337;
    [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

fn year_length(year: u64) -> u64 {
    let leap = year.is_multiple_of(if year.is_multiple_of(100) { 400 } else { 4 });
    365 + u64::from(leap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_form_is_read_and_imf_fixdate_written() {
        for (basic, seconds, imf_fixdate_text) in [
            ("19700101T000000Z", 0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            // The example of RFC 9110 §5.6.7.
            ("19941106T084937Z", 784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("20000229T235959Z", 951_868_799, "Tue, 29 Feb 2000 23:59:59 GMT"),
            ("20240102T030405Z", 1_704_164_645, "Tue, 02 Jan 2024 03:04:05 GMT"),
            ("20241231T000000Z", 1_735_603_200, "Tue, 31 Dec 2024 00:00:00 GMT"),
        ] {
            assert_eq!(parse_basic(basic), Some(seconds));
            assert_eq!(imf_fixdate(seconds), imf_fixdate_text);
        }
    }

    #[test]
    fn basic_form_that_is_malformed_is_none() {
        for text in [
            "",
            "20240102",
            "20240102T030405",
            "2024-01-02T03:04:05Z",
            "20240002T030405Z",
            "20241302T030405Z",
            "20240100T030405Z",
            "20230229T030405Z",
            "20240102T240405Z",
            "20240102T036005Z",
            "+0240102T030405Z",
            "19691231T235959Z",
        ] {
            assert_eq!(parse_basic(text), None, "{text}");
        }
    }
}
