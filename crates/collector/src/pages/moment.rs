//! Times as people read them: how long ago, and the UTC time beside it.

use std::fmt;

/// A time with the time from which it is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time, ms since 1970-01-01 UTC.
    pub unix_ms: u64,
    /// When the page was made, in the same unit.
    pub now_unix_ms: u64,
}

impl Moment {
    /// `3 min ago`, `in 2 h`, `now`.
    pub fn relative(&self) -> String {
        let (distance_ms, future) = match self.now_unix_ms.checked_sub(self.unix_ms) {
            Some(past) => (past, false),
            None => (self.unix_ms - self.now_unix_ms, true),
        };
        match (rough_duration(distance_ms), future) {
            (None, _) => "now".to_owned(),
            (Some(text), false) => format!("{text} ago"),
            (Some(text), true) => format!("in {text}"),
        }
    }

    /// `2026-03-01 14:05 UTC`.
    pub fn absolute(&self) -> String {
        format!("{} UTC", utc_minute(self.unix_ms))
    }

    /// `2026-03-01T14:05:09Z`, for `<time datetime>`.
    pub fn iso(&self) -> String {
        let second = self.unix_ms / 1000 % 60;
        format!("{}:{second:02}Z", utc_minute(self.unix_ms).replace(' ', "T"))
    }
}

/// A `<time>` element: digits and words of this file only, hence safe as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeElement(String);

impl TimeElement {
    /// `2026-03-01 14:05`.
    pub(crate) fn at(moment: Moment) -> Self {
        Self(format!("<time datetime=\"{}\">{}</time>", moment.iso(), utc_minute(moment.unix_ms)))
    }

    /// The first above the second.
    pub(crate) fn ago_at(moment: Moment) -> Self {
        let (iso, relative, absolute) = (moment.iso(), moment.relative(), utc_minute(moment.unix_ms));
        Self(format!("<time datetime=\"{iso}\">{relative}<small>{absolute}</small></time>"))
    }

    /// Where there is no time: `text`, one of this program's.
    pub(crate) fn none(text: &'static str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for TimeElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for TimeElement {}

/// The largest unit that fits, rounded down; `None` below 5 s.
fn rough_duration(ms: u64) -> Option<String> {
    const UNITS: [(u64, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")];
    let (unit_ms, name) = UNITS.into_iter().find(|(unit_ms, _)| ms >= *unit_ms).unwrap_or((1000, "s"));
    (ms >= 5000).then(|| format!("{} {name}", ms / unit_ms))
}

/// `2026-03-01`, in UTC.
pub fn utc_date(unix_ms: u64) -> String {
    let (year, month, day) = civil(unix_ms / 86_400_000);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2026-03-01 14:05`, in UTC.
pub fn utc_minute(unix_ms: u64) -> String {
    let minute = unix_ms / 60_000;
    format!("{} {:02}:{:02}", utc_date(unix_ms), minute / 60 % 24, minute % 60)
}

/// Year, month and day of the Gregorian calendar, for days since 1970-01-01. Counted in eras of 400 years, in years that
/// begin in March, so that the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let day = days + 719_468; // 0000-03-01 to 1970-01-01
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, of_year - (153 * march_month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen_from(unix_ms: u64, now_unix_ms: u64) -> String {
        Moment { unix_ms, now_unix_ms }.relative()
    }

    #[test]
    fn dates_are_right_around_leap_days() {
        // `date -u -d DATE +%s`
        for (second, expected) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_772_323_200, "2026-03-01"),
            (4_107_542_400, "2100-03-01"),
            (4_107_542_399, "2100-02-28"),
            (1_798_761_599, "2026-12-31"),
        ] {
            assert_eq!(utc_date(second * 1000), expected);
        }
    }

    #[test]
    fn times_are_utc_to_the_second() {
        let moment = Moment { unix_ms: 1_772_373_909_250, now_unix_ms: 0 };
        assert_eq!(
            (moment.iso(), moment.absolute()),
            ("2026-03-01T14:05:09Z".into(), "2026-03-01 14:05 UTC".into())
        );
    }

    #[test]
    fn distances_are_told_in_the_largest_unit_that_fits() {
        assert_eq!(seen_from(10_000, 14_999), "now");
        assert_eq!(seen_from(10_000, 69_999), "59 s ago");
        assert_eq!(seen_from(10_000, 70_000), "1 min ago");
        assert_eq!(seen_from(0, 90 * 60_000), "1 h ago");
        assert_eq!(seen_from(0, 49 * 3_600_000), "2 d ago");
        assert_eq!(seen_from(8 * 3_600_000, 3_600_000), "in 7 h");
    }

    #[test]
    fn the_last_time_that_can_be_told_is_no_failure() {
        assert!(utc_minute(u64::MAX).len() > 16);
        assert_eq!(seen_from(u64::MAX, 0), "in 213503982334 d");
    }
}
