//! Subscriptions that several clients share (MQTT 5.0 §4.8.2).

use crate::{STRING_MAX, TopicError, check_filter};
use core::fmt;
use dunlin_octet::Writer;

/// In front of the group's name.
const PREFIX: &str = "$share/";

/// A filter that the clients of a group share: each message goes to one of them.
///
/// Displayed, it is the filter to subscribe to. MQTT 5.0 §4.8.2 has it; many servers know it with MQTT 3.1.1,
/// too, where it is a filter like any other, so that one that does not know it grants it and delivers
/// nothing.
///
/// ```
/// use dunlin_mqtt::{SharedFilter, TopicError};
///
/// let shared = SharedFilter::new("workers", "jobs/+")?;
/// assert_eq!(shared.to_string(), "$share/workers/jobs/+");
/// assert_eq!(SharedFilter::parse("$share/workers/jobs/+")?, Some(shared));
/// assert_eq!(SharedFilter::new("a/b", "jobs/+"), Err(TopicError::Share));
/// # Ok::<(), TopicError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SharedFilter<'a> {
    group: &'a str,
    filter: &'a str,
}

impl<'a> SharedFilter<'a> {
    /// What the clients of `group` share: the messages that `filter` matches.
    ///
    /// The group has a name without `/` and wildcards ([MQTT-4.8.2-1], [MQTT-4.8.2-2]), the filter is one that
    /// could stand alone.
    pub fn new(group: &'a str, filter: &'a str) -> Result<Self, TopicError> {
        let shared = Self { group, filter };
        if shared.len() > STRING_MAX {
            return Err(TopicError::TooLong);
        }
        if group.contains('\0') {
            return Err(TopicError::Nul);
        }
        if group.is_empty() || filter.is_empty() || group.contains(['/', '+', '#']) {
            return Err(TopicError::Share);
        }
        check_filter(filter).map(|()| shared)
    }

    /// Reads a filter as it is subscribed to; `None` is one that is not shared.
    pub fn parse(filter: &'a str) -> Result<Option<Self>, TopicError> {
        let Some(shared) = filter.strip_prefix(PREFIX) else { return Ok(None) };
        let (group, filter) = shared.split_once('/').ok_or(TopicError::Share)?;
        Self::new(group, filter).map(Some)
    }

    /// Whether a filter means to be shared.
    pub(crate) fn is_meant(filter: &str) -> bool {
        filter.starts_with(PREFIX)
    }

    /// The group's name.
    pub const fn group(&self) -> &'a str {
        self.group
    }

    /// What the group has subscribed to: topics match this.
    pub const fn filter(&self) -> &'a str {
        self.filter
    }

    /// Writes the filter to subscribe to into the caller's memory; `None` when that is too small.
    pub fn write<'b>(&self, into: &'b mut [u8]) -> Option<&'b str> {
        let mut writer = Writer::new(into);
        for part in self.parts() {
            writer.put_slice(part.as_bytes()).ok()?;
        }
        core::str::from_utf8(writer.finish()).ok()
    }

    const fn parts(&self) -> [&'a str; 4] {
        [PREFIX, self.group, "/", self.filter]
    }

    fn len(&self) -> usize {
        self.parts().iter().fold(0, |len: usize, part| len.saturating_add(part.len()))
    }
}

impl fmt::Display for SharedFilter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().iter().try_for_each(|part| f.write_str(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, string::ToString};

    /// [MQTT-4.8.2-1] [MQTT-4.8.2-2]
    #[test]
    fn group_with_a_separator_or_a_wildcard_or_nothing_is_refused() {
        for group in ["", "a/b", "/", "+", "a+", "#", "#a"] {
            assert_eq!(SharedFilter::new(group, "a"), Err(TopicError::Share), "{group}");
        }
        assert_eq!(SharedFilter::new("a\0", "a"), Err(TopicError::Nul));
        for group in ["a", "$share", "Grüße", "a b"] {
            let shared = SharedFilter::new(group, "a/#").unwrap();
            assert_eq!((shared.group(), shared.filter()), (group, "a/#"));
        }
    }

    /// [MQTT-4.8.2-1]
    #[test]
    fn filter_behind_a_group_is_one_that_could_stand_alone() {
        for (filter, wrong) in [
            ("", TopicError::Share),
            ("a/#/b", TopicError::Wildcard),
            ("a+", TopicError::Wildcard),
            ("a\0", TopicError::Nul),
        ] {
            assert_eq!(SharedFilter::new("g", filter), Err(wrong), "{filter:?}");
        }
        for filter in ["#", "+", "/", "a//+/#", "$SYS/#"] {
            assert!(SharedFilter::new("g", filter).is_ok(), "{filter}");
        }
        let room = STRING_MAX - "$share/g/".len();
        let long = "a".repeat(room + 1);
        assert_eq!(SharedFilter::new("g", &long), Err(TopicError::TooLong));
        assert!(SharedFilter::new("g", &long[1..]).is_ok());
    }

    #[test]
    fn filter_that_is_written_is_read_again() {
        for (group, filter) in [("g", "a"), ("workers", "jobs/+/#"), ("ü", "/")] {
            let shared = SharedFilter::new(group, filter).unwrap();
            let text = format!("$share/{group}/{filter}");
            assert_eq!(shared.to_string(), text);
            assert_eq!(SharedFilter::parse(&text), Ok(Some(shared)));
            let mut memory = [0; 64];
            assert_eq!(shared.write(&mut memory), Some(&*text));
            assert_eq!(shared.write(&mut memory[..text.len()]), Some(&*text));
            assert_eq!(shared.write(&mut memory[..text.len() - 1]), None);
        }
        for plain in ["a", "$share", "$shared/g/a", "share/g/a", "/$share/g/a"] {
            assert_eq!(SharedFilter::parse(plain), Ok(None), "{plain}");
        }
        for wrong in ["$share/", "$share/g", "$share/g/", "$share//a"] {
            assert_eq!(SharedFilter::parse(wrong), Err(TopicError::Share), "{wrong}");
        }
    }
}
