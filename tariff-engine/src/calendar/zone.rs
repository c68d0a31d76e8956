//! Time zones: a fixed offset, or an IANA zone with daylight saving time.

use super::date::DAY_S;

/// How local time stands to UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    /// Seconds east of UTC.
    Fixed(i64),
    /// An IANA zone.
    #[cfg(feature = "chrono-tz")]
    Named(chrono_tz::Tz),
}

/// The largest offset, hours.
const MAX_OFFSET_HOURS: i64 = 14;
/// No zone changes its date by more than this around a local midnight, seconds.
#[cfg(feature = "chrono-tz")]
const SEARCH_S: i64 = 2 * DAY_S;

impl Zone {
    /// `"UTC"`, `"+08:00"`, `"-03:30"`, or an IANA name.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "UTC" || text == "Z" {
            return Ok(Self::Fixed(0));
        }
        let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(rest), _) => (1, rest),
            (_, Some(rest)) => (-1, rest),
            _ => return Self::parse_name(text),
        };
        super::date::parse_minute(rest)
            .map(|minutes| i64::from(minutes).saturating_mul(60))
            .filter(|seconds| *seconds <= MAX_OFFSET_HOURS.saturating_mul(3_600))
            .map(|seconds| Self::Fixed(seconds.saturating_mul(sign)))
            .ok_or("an offset from -14:00 to +14:00, such as \"+08:00\"")
    }

    #[cfg(feature = "chrono-tz")]
    fn parse_name(text: &str) -> Result<Self, &'static str> {
        text.parse().map(Self::Named).map_err(|_| "an offset such as \"+08:00\", \"UTC\", or an IANA zone name")
    }

    #[cfg(not(feature = "chrono-tz"))]
    fn parse_name(_: &str) -> Result<Self, &'static str> {
        Err("an offset such as \"+08:00\" or \"UTC\"; IANA zone names need the feature chrono-tz")
    }

    /// Seconds east of UTC at an instant.
    #[cfg_attr(not(feature = "chrono-tz"), expect(unused_variables, reason = "a fixed offset asks for no instant"))]
    pub(crate) fn offset_s(self, utc_s: i64) -> i64 {
        match self {
            Self::Fixed(offset) => offset,
            #[cfg(feature = "chrono-tz")]
            Self::Named(zone) => {
                use chrono::{DateTime, Offset, TimeZone};
                let instant = DateTime::from_timestamp(utc_s, 0).unwrap_or_default();
                i64::from(zone.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc())
            }
        }
    }

    /// Local seconds since 1970-01-01T00:00 on the wall clock.
    pub(crate) fn local_s(self, utc_s: i64) -> i64 {
        utc_s.saturating_add(self.offset_s(utc_s))
    }

    /// The local day of an instant, days since 1970-01-01.
    pub(crate) fn day(self, utc_s: i64) -> i64 {
        self.local_s(utc_s).div_euclid(DAY_S)
    }

    /// The first instant of a local day.
    pub(crate) fn day_start(self, day: i64) -> i64 {
        let midnight = day.saturating_mul(DAY_S);
        match self {
            Self::Fixed(offset) => midnight.saturating_sub(offset),
            #[cfg(feature = "chrono-tz")]
            Self::Named(_) => {
                // Usually midnight exists once and this is it.
                let guess = midnight.saturating_sub(self.offset_s(midnight.saturating_sub(self.offset_s(midnight))));
                if self.day(guess) == day && self.day(guess.saturating_sub(1)) < day {
                    return guess;
                }
                let (from, to) = (midnight.saturating_sub(SEARCH_S), midnight.saturating_add(SEARCH_S));
                first_instant(from, to, |utc_s| self.day(utc_s) >= day)
            }
        }
    }

    /// The end of the day that begins at an instant, where it has 24 hours of one offset from midnight to midnight.
    pub(crate) fn even_day_end(self, from_utc_s: i64) -> Option<i64> {
        let to_utc_s = from_utc_s.saturating_add(DAY_S);
        match self {
            Self::Fixed(_) => Some(to_utc_s),
            #[cfg(feature = "chrono-tz")]
            Self::Named(_) => {
                // One day holds one change at most, so the ends tell.
                let offset_s = self.offset_s(from_utc_s);
                (from_utc_s.saturating_add(offset_s).rem_euclid(DAY_S) == 0 && self.offset_s(to_utc_s) == offset_s)
                    .then_some(to_utc_s)
            }
        }
    }

    /// The first instant after `from_s` and not after `to_s` at which the offset is another than at `from_s`.
    #[cfg_attr(not(feature = "chrono-tz"), expect(unused_variables, reason = "a fixed offset asks for no instant"))]
    pub(crate) fn next_change(self, from_s: i64, to_s: i64) -> Option<i64> {
        match self {
            Self::Fixed(_) => None,
            #[cfg(feature = "chrono-tz")]
            Self::Named(_) => {
                let before = self.offset_s(from_s);
                // One day holds one change at most, so the ends tell.
                (self.offset_s(to_s) != before)
                    .then(|| first_instant(from_s, to_s, |utc_s| self.offset_s(utc_s) != before))
            }
        }
    }
}

/// The first second in `from..=to` at which `reached` holds; it holds from there on.
#[cfg(feature = "chrono-tz")]
fn first_instant(from: i64, to: i64, reached: impl Fn(i64) -> bool) -> i64 {
    let (mut before, mut after) = (from, to);
    while after.saturating_sub(before) > 1 {
        let middle = before.midpoint(after);
        if reached(middle) { after = middle } else { before = middle }
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets() {
        assert_eq!(Zone::parse("+08:00"), Ok(Zone::Fixed(28_800)));
        assert_eq!(Zone::parse("-03:30"), Ok(Zone::Fixed(-12_600)));
        assert_eq!(Zone::parse("UTC"), Ok(Zone::Fixed(0)));
        assert!(Zone::parse("+15:00").is_err());
        assert!(Zone::parse("Nowhere/Land").is_err());
        let china = Zone::Fixed(28_800);
        assert_eq!(china.day_start(0), -28_800);
        assert_eq!(china.day(-28_801), -1);
        assert_eq!(china.next_change(0, 86_400), None);
    }

    #[cfg(feature = "chrono-tz")]
    #[test]
    fn a_day_may_begin_at_one_o_clock() {
        // In Beirut and Sao Paulo the clocks went forward at midnight, so the day begins at 01:00.
        let sao_paulo = Zone::parse("America/Sao_Paulo").unwrap();
        let day = super::super::date::parse_date("2018-11-04").map(super::super::date::day_number).unwrap();
        let start = sao_paulo.day_start(day);
        assert_eq!(sao_paulo.local_s(start).rem_euclid(DAY_S), 3_600);
        assert_eq!(sao_paulo.day_start(day + 1) - start, 23 * 3_600);
    }

    #[cfg(feature = "chrono-tz")]
    #[test]
    fn days_of_23_and_25_hours() {
        let new_york = Zone::parse("America/New_York").unwrap();
        for (date, hours) in [("2018-03-11", 23), ("2018-03-12", 24), ("2018-11-04", 25)] {
            let day = super::super::date::parse_date(date).map(super::super::date::day_number).unwrap();
            let (start, end) = (new_york.day_start(day), new_york.day_start(day + 1));
            assert_eq!(end - start, hours * 3_600, "{date}");
            assert_eq!(new_york.next_change(start, end).is_some(), hours != 24);
        }
    }
}
