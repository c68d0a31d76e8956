//! Local time of a site with a fixed offset, for people and for meters' clocks.

use chrono::{DateTime, FixedOffset, NaiveDateTime, TimeZone, Utc};

/// Local time as `2026-11-02 08:00:00`; the number itself beyond the calendar.
pub fn stamp(utc_s: i64, offset_min: i32) -> String {
    at(utc_s, offset_min).map_or_else(|| utc_s.to_string(), |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// The local wall clock at an instant.
pub fn at(utc_s: i64, offset_min: i32) -> Option<DateTime<FixedOffset>> {
    let offset = FixedOffset::east_opt(offset_min.checked_mul(60)?)?;
    Some(Utc.timestamp_opt(utc_s, 0).single()?.with_timezone(&offset))
}

/// The instant at which the local wall clock shows `local`.
pub fn to_utc_s(local: NaiveDateTime, offset_min: i32) -> Option<i64> {
    let offset = FixedOffset::east_opt(offset_min.checked_mul(60)?)?;
    Some(offset.from_local_datetime(&local).single()?.timestamp())
}
