//! The wall clock, as AWS writes it.

use crate::encode::put_digits;
use dunlin_octet::{Sink, Text};

/// A wall-clock time: whole seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// Writes itself as `YYYYMMDDTHHMMSSZ`, the only form of `X-Amz-Date` ("Elements of an AWS API
/// request signature"). That form has four digits for the year, so it ends with [`UnixTime::MAX`];
/// a later time writes itself as `MAX`, and nothing can be signed with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnixTime(u64);

impl UnixTime {
    /// 9999-12-31T23:59:59Z.
    pub const MAX: Self = Self(253_402_300_799);

    /// The time that many seconds after the start of 1970.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since the start of 1970.
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// Reads `2024-01-02T03:04:05Z`: UTC, no fraction, from 1970 to 9999, and only days that exist.
    pub fn parse_iso8601(text: &str) -> Option<Self> {
        let &[
            y1,
            y2,
            y3,
            y4,
            b'-',
            o1,
            o2,
            b'-',
            d1,
            d2,
            b'T', //
            h1,
            h2,
            b':',
            m1,
            m2,
            b':',
            s1,
            s2,
            b'Z',
        ] = text.as_bytes()
        else {
            return None;
        };
        let date = Date {
            year: number(&[y1, y2, y3, y4])?,
            month: number(&[o1, o2])?,
            day: number(&[d1, d2])?,
        };
        let (hour, minute, second) = (number(&[h1, h2])?, number(&[m1, m2])?, number(&[s1, s2])?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let minutes = hour.saturating_mul(60).saturating_add(minute);
        let seconds = minutes.saturating_mul(60).saturating_add(second);
        let days = u64::from(date.days_since_1970()?);
        Some(Self(days.saturating_mul(DAY_S).saturating_add(u64::from(seconds))))
    }

    /// Puts the basic form, unless it is after [`UnixTime::MAX`]; says whether it did.
    #[inline(never)]
    pub(crate) fn put_stamp(self, stamp: &mut Stamp) -> bool {
        if self > Self::MAX {
            return false;
        }
        // A day has 675 times 128 seconds. Divided so, because a division of 64 bits costs a
        // microcontroller a kilobyte of code.
        let blocks = u32::try_from(self.0 / 128).unwrap_or_default();
        let [rest, ..] = self.0.to_le_bytes();
        let days = blocks / DAY_BLOCKS;
        let second =
            (blocks % DAY_BLOCKS).saturating_mul(128).saturating_add(u32::from(rest % 128));
        let [date @ .., _, _, _, _, _, _, _, _] = &mut stamp.0;
        put_digits(Date::after_1970(days).digits(), date, 10);
        let [_, _, _, _, _, _, _, _, _, clock @ .., _] = &mut stamp.0;
        put_digits(second, clock, 6);
        true
    }
}

impl Text for UnixTime {
    fn write(&self, sink: &mut dyn Sink) {
        let mut stamp = Stamp::NONE;
        (*self).min(Self::MAX).put_stamp(&mut stamp);
        sink.put(stamp.whole());
    }
}

/// A time in basic form; its day alone names the day of a credential scope.
#[derive(Clone, Copy)]
pub(crate) struct Stamp([u8; 16]);

impl Stamp {
    /// Its shape.
    pub(crate) const NONE: Self = Self(*b"00000000T000000Z");

    /// `YYYYMMDD`.
    pub(crate) fn day(&self) -> &[u8] {
        let [day @ .., _, _, _, _, _, _, _, _] = &self.0;
        day
    }

    /// `YYYYMMDDTHHMMSSZ`.
    pub(crate) const fn whole(&self) -> &[u8] {
        &self.0
    }
}

/// How many seconds a signature lives, of at most six digits; none where it is not said.
#[derive(Clone, Copy)]
pub(crate) struct Life([u8; 6]);

impl Life {
    /// Not said.
    pub(crate) const NONE: Self = Self(*b"000000");

    pub(crate) fn of(seconds: u32) -> Self {
        let mut life = Self::NONE;
        put_digits(seconds, &mut life.0, 10);
        life
    }

    /// As a query has them.
    // Not inlined, where the compiler would look for them before anybody asks.
    #[cfg_attr(target_pointer_width = "64", inline(never))]
    pub(crate) fn digits(&self) -> Option<&[u8]> {
        let first = self.0.iter().position(|digit| *digit != b'0')?;
        self.0.get(first..)
    }
}

const DAY_S: u64 = 86_400;
/// Blocks of 128 seconds in a day.
const DAY_BLOCKS: u32 = 675;
/// Days in 400 years, after which the calendar repeats itself.
const ERA_DAYS: u32 = 146_097;
/// A quarter of a day as a part of a mean year, times 2^32.
const QUARTER: u32 = 2_939_745;
/// Days from 0000-03-01, where an era starts, to 1970-01-01.
const EPOCH_DAYS: u32 = 719_468;

/// A day of the Gregorian calendar.
///
/// The reckoning puts the leap day at the end of a year that starts in March, and divides with what
/// products leave behind (Neri and Schneider, "Euclidean affine functions and their application to
/// calendar algorithms"). No step can overflow for four-digit years.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Date {
    year: u32,
    month: u32,
    day: u32,
}

impl Date {
    fn after_1970(days: u32) -> Self {
        let quarters = days.wrapping_add(EPOCH_DAYS).wrapping_mul(4).wrapping_add(3);
        let (century, quarters) = (quarters / ERA_DAYS, (quarters % ERA_DAYS) | 3);
        // The year of the century times 2^32, and so many of that for each quarter of a day.
        let years = u64::from(quarters).wrapping_mul(u64::from(QUARTER));
        let [y0, y1, y2, y3, year @ ..] = years.to_le_bytes();
        let day_of_year = u32::from_le_bytes([y0, y1, y2, y3]) / QUARTER / 4;
        let year = century.wrapping_mul(100).wrapping_add(u32::from_le_bytes(year));
        // The month times 2^16, and 2141 for each day of it.
        let months = day_of_year.wrapping_mul(2_141).wrapping_add(197_913);
        let (month, day) = (months >> 16, (months & 0xffff) / 2_141);
        let day = day.wrapping_add(1);
        match month {
            ..=12 => Self { year, month, day },
            _ => Self { year: year.wrapping_add(1), month: month.wrapping_sub(12), day },
        }
    }

    /// One number whose decimal digits are those of all three, two each for the latter ones.
    const fn digits(self) -> u32 {
        let months = self.year.wrapping_mul(100).wrapping_add(self.month);
        months.wrapping_mul(100).wrapping_add(self.day)
    }

    /// `None` before 1970, and for a day that does not exist.
    fn days_since_1970(self) -> Option<u32> {
        let Self { year, month, day } = self;
        let (year, month) = match month {
            1..=2 => (year.checked_sub(1)?, month.saturating_add(9)),
            3..=12 => (year, month.saturating_sub(3)),
            _ => return None,
        };
        let in_era = days_of_years(year % 400)
            .saturating_add(days_of_months(month))
            .saturating_add(day.checked_sub(1)?);
        let days = (year / 400).saturating_mul(ERA_DAYS).saturating_add(in_era);
        let days = days.checked_sub(EPOCH_DAYS)?;
        // 30 February counts on into March, and comes back as another date.
        (Self::after_1970(days) == self).then_some(days)
    }
}

/// Days in the first `years` years of an era.
const fn days_of_years(years: u32) -> u32 {
    years.wrapping_mul(365).wrapping_add(years / 4).wrapping_sub(years / 100)
}

/// Days in the first `months` months of a year that starts in March.
const fn days_of_months(months: u32) -> u32 {
    months.wrapping_mul(153).wrapping_add(2) / 5
}

/// The value of decimal digits; `None` when one is none.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |value, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_octet::Writer;
    use std::string::{String, ToString};

    fn written(time: UnixTime) -> String {
        let mut memory = [0; 32];
        let mut writer = Writer::new(&mut memory);
        time.write(&mut writer);
        core::str::from_utf8(writer.written()).unwrap().to_string()
    }

    #[test]
    fn every_day_until_9999_counts_up_like_a_calendar() {
        let mut days = 0;
        for year in 1970..=9999 {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let months = [31, 28 + u32::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            for (month, length) in (1..).zip(months) {
                for day in 1..=length {
                    let date = Date { year, month, day };
                    assert!(Date::after_1970(days) == date, "{year}-{month}-{day}");
                    assert_eq!(date.days_since_1970(), Some(days), "{year}-{month}-{day}");
                    days += 1;
                }
            }
        }
        assert_eq!(u64::from(days) * DAY_S, UnixTime::MAX.as_secs() + 1);
    }

    #[test]
    fn iso8601_is_read_and_written_in_basic_form() {
        for (seconds, iso8601, basic) in [
            (0, "1970-01-01T00:00:00Z", "19700101T000000Z"),
            (951_868_799, "2000-02-29T23:59:59Z", "20000229T235959Z"),
            (1_369_353_600, "2013-05-24T00:00:00Z", "20130524T000000Z"),
            (1_704_164_645, "2024-01-02T03:04:05Z", "20240102T030405Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z", "99991231T235959Z"),
        ] {
            let time = UnixTime::parse_iso8601(iso8601).unwrap();
            assert_eq!(time.as_secs(), seconds);
            assert_eq!(written(time), basic);
        }
    }

    #[test]
    fn life_has_the_digits_it_needs() {
        for seconds in [1, 9, 10, 300, 86_400, 604_800] {
            assert_eq!(Life::of(seconds).digits(), Some(seconds.to_string().as_bytes()));
        }
        assert_eq!(Life::of(0).digits(), None);
    }

    #[test]
    fn time_after_9999_writes_the_last_second_and_has_no_stamp() {
        for seconds in [UnixTime::MAX.as_secs() + 1, u64::MAX] {
            let time = UnixTime::from_secs(seconds);
            assert_eq!(written(time), "99991231T235959Z");
            assert!(!time.put_stamp(&mut Stamp::NONE.clone()));
        }
    }

    #[test]
    fn iso8601_that_is_not_a_time_is_none() {
        for text in [
            "",
            "2024-01-02T03:04:05",
            "2024-01-02T03:04:05z",
            "2024-01-02 03:04:05Z",
            "2024-01-02T03:04:05.0Z",
            "2024-01-02T03:04:05+00:00",
            "20240102T030405Z",
            "1969-12-31T23:59:59Z",
            "0000-01-01T00:00:00Z",
            "2024-00-02T03:04:05Z",
            "2024-13-02T03:04:05Z",
            "2024-01-00T03:04:05Z",
            "2024-02-30T03:04:05Z",
            "2023-02-29T03:04:05Z",
            "2024-04-31T03:04:05Z",
            "2024-01-02T24:04:05Z",
            "2024-01-02T03:60:05Z",
            "2024-01-02T03:04:60Z",
            "2024-01-02T03:04:+5Z",
            "2o24-01-02T03:04:05Z",
            "２０２４-01-02T03:04:05Z",
        ] {
            assert_eq!(UnixTime::parse_iso8601(text), None, "{text}");
        }
    }
}
