//! The meter's own clock: local time on a proleptic calendar, with drift.

/// Milliseconds in a minute, an hour's quarter and a day.
const MINUTE_MS: i64 = 60_000;
pub(super) const DAY_MS: i64 = 86_400_000;

/// Earliest time that the meter can show: 2000-01-01 00:00:00, in milliseconds since 1970-01-01.
pub const EARLIEST_MS: i64 = 946_684_800_000;
/// Latest time up to which the meter runs: 2099-12-31 23:59:59.999. It stands still afterwards.
pub const LATEST_MS: i64 = 4_102_444_799_999;
/// Largest drift that a clock may have, in parts per million.
pub const DRIFT_MAX_PPM: i32 = 1_000;

/// Date and time of day as the registers show them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: u16,
    pub(super) month: u8,
    pub(super) day: u8,
    /// Sunday is 0.
    pub(super) weekday: u8,
    pub(super) hour: u8,
    pub(super) minute: u8,
    pub(super) second: u8,
}

/// A local clock that was set at some moment and has drifted since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct MeterClock {
    set_at_ms: i64,
    local_at_set_ms: i64,
    drift_ppm: i32,
}

impl MeterClock {
    /// A clock that shows `local_ms` at world time `now_ms`. Both are clamped to the years 2000 to 2099.
    pub(super) fn set(now_ms: i64, local_ms: i64, drift_ppm: i32) -> Self {
        Self {
            set_at_ms: now_ms.clamp(EARLIEST_MS, LATEST_MS),
            local_at_set_ms: local_ms.clamp(EARLIEST_MS, LATEST_MS),
            drift_ppm: drift_ppm.clamp(-DRIFT_MAX_PPM, DRIFT_MAX_PPM),
        }
    }

    /// The same clock, set to another local time.
    pub(super) fn reset(&mut self, now_ms: i64, local_ms: i64) {
        *self = Self::set(now_ms, local_ms, self.drift_ppm);
    }

    /// Clock ticks for a million of world time.
    fn ticks_per_million(&self) -> i64 {
        i64::from(self.drift_ppm).saturating_add(1_000_000)
    }

    /// What the clock shows at world time `now_ms`, in milliseconds since 1970-01-01 local. It never steps back.
    pub(super) fn local_ms(&self, now_ms: i64) -> i64 {
        // A century is 3.2e12 ms; times a million that is 3.2e18, inside i64.
        let since_ms = now_ms.saturating_sub(self.set_at_ms).clamp(0, LATEST_MS.saturating_sub(EARLIEST_MS));
        let shown_ms = since_ms.saturating_mul(self.ticks_per_million()).div_euclid(1_000_000);
        self.local_at_set_ms.saturating_add(shown_ms)
    }

    /// The first world time at which the clock shows `local_ms` or later.
    pub(super) fn world_ms(&self, local_ms: i64) -> i64 {
        let ahead_ms = local_ms.saturating_sub(self.local_at_set_ms).max(0);
        // local = base + floor(d * k / 1e6) reaches `ahead` at the first d with d * k >= ahead * 1e6.
        let k = self.ticks_per_million().max(1);
        let scaled = ahead_ms.saturating_mul(1_000_000);
        let whole = scaled.div_euclid(k);
        let since_ms = if scaled.rem_euclid(k) == 0 { whole } else { whole.saturating_add(1) };
        self.set_at_ms.saturating_add(since_ms)
    }
}

/// Minute of the day, 0 to 1439.
pub(super) fn minute_of_day(local_ms: i64) -> u16 {
    u16::try_from(local_ms.rem_euclid(DAY_MS).div_euclid(MINUTE_MS)).unwrap_or(0)
}

/// Start of the local day.
pub(super) fn midnight(local_ms: i64) -> i64 {
    local_ms.saturating_sub(local_ms.rem_euclid(DAY_MS))
}

/// Local milliseconds at a minute of the day that begins at `midnight_ms`; 1440 is the next midnight.
pub(super) fn at_minute(midnight_ms: i64, minute: u16) -> i64 {
    midnight_ms.saturating_add(i64::from(minute).saturating_mul(MINUTE_MS))
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn month_days(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Splits local milliseconds (2000 to 2099) into date and time, by counting years and months.
pub(super) fn civil(local_ms: i64) -> Civil {
    let mut rest_days = local_ms.clamp(EARLIEST_MS, LATEST_MS).saturating_sub(EARLIEST_MS).div_euclid(DAY_MS);
    // 2000-01-01 was a Saturday.
    let weekday = rest_days.saturating_add(6).rem_euclid(7);
    let mut year = 2000_u16;
    loop {
        let year_days = if is_leap(year) { 366 } else { 365 };
        if rest_days < year_days {
            break;
        }
        rest_days = rest_days.saturating_sub(year_days);
        year = year.saturating_add(1);
    }
    let mut month = 1_u8;
    while rest_days >= i64::from(month_days(year, month)) {
        rest_days = rest_days.saturating_sub(i64::from(month_days(year, month)));
        month = month.saturating_add(1);
    }
    let minutes = minute_of_day(local_ms);
    let seconds = local_ms.rem_euclid(MINUTE_MS).div_euclid(1_000);
    Civil {
        year,
        month,
        day: narrow(rest_days.saturating_add(1)),
        weekday: narrow(weekday),
        hour: narrow(i64::from(minutes / 60)),
        minute: narrow(i64::from(minutes % 60)),
        second: narrow(seconds),
    }
}

/// The value as a byte. Every caller passes 0 to 59, so nothing is cut.
fn narrow(value: i64) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

/// Local milliseconds of a date and time, or `None` if there is no such date in 2000 to 2099.
pub(super) fn from_civil(year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> Option<i64> {
    let valid = (2000..=2099).contains(&year)
        && (1..=12).contains(&month)
        && (1..=month_days(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !valid {
        return None;
    }
    let year_days: i64 = (2000..year).map(|y| if is_leap(y) { 366_i64 } else { 365 }).sum();
    let days_before: i64 = (1..month).map(|m| i64::from(month_days(year, m))).sum();
    let days = year_days.saturating_add(days_before).saturating_add(i64::from(day)).saturating_sub(1);
    let seconds = i64::from(hour)
        .saturating_mul(3_600)
        .saturating_add(i64::from(minute).saturating_mul(60))
        .saturating_add(i64::from(second));
    Some(EARLIEST_MS.saturating_add(days.saturating_mul(DAY_MS)).saturating_add(seconds.saturating_mul(1_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates() {
        let noted = from_civil(2026, 3, 5, 14, 7, 30).unwrap();
        assert_eq!(noted, 1_772_719_650_000);
        let shown = civil(noted);
        assert_eq!((shown.year, shown.month, shown.day, shown.weekday), (2026, 3, 5, 4));
        assert_eq!((shown.hour, shown.minute, shown.second), (14, 7, 30));
        assert_eq!(from_civil(2000, 1, 1, 0, 0, 0), Some(EARLIEST_MS));
        assert_eq!(from_civil(2100, 2, 29, 0, 0, 0), None);
        assert_eq!(from_civil(2026, 2, 29, 0, 0, 0), None);
        assert!(from_civil(2024, 2, 29, 0, 0, 0).is_some());
    }

    #[test]
    fn the_first_moment_of_a_local_time_is_exact_under_drift() {
        for drift in [-1_000, -37, 0, 20, 999] {
            let clock = MeterClock::set(1_772_719_650_123, 1_772_719_650_000, drift);
            for ahead in [0, 1, 999, 60_000, 86_400_000, 31_536_000_000_i64] {
                let local = 1_772_719_650_000 + ahead;
                let world = clock.world_ms(local);
                assert!(clock.local_ms(world) >= local, "drift {drift}, ahead {ahead}");
                assert!(
                    world == 1_772_719_650_123 || clock.local_ms(world - 1) < local,
                    "drift {drift}, ahead {ahead}"
                );
            }
        }
    }
}
