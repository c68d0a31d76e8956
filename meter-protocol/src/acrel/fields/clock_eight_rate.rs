//! Clock of the 72-register layout: no weekday. What follows it up to 022FH is not known.

use super::{CLOCK, high, low};
use crate::map::{Confidence, Field};

const fn clock(field: Field<u8>) -> Field<u8> {
    field.group(CLOCK).known_from("S3", Confidence::Field)
}

fields! {
    YEAR "Clock: year of the century": u8 = clock(high("clock_year", 0x0228));
    MONTH "Clock: month": u8 = clock(low("clock_month", 0x0228));
    DAY "Clock: day": u8 = clock(high("clock_day", 0x0229));
    HOUR "Clock: hour": u8 = clock(low("clock_hour", 0x0229));
    MINUTE "Clock: minute": u8 = clock(high("clock_minute", 0x022A));
    SECOND "Clock: second": u8 = clock(low("clock_second", 0x022A));
}
