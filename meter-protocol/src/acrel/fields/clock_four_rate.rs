//! Clock and maximum demand of the 48-register layout.

use super::{CLOCK, DEMAND, high, low, raw};
use crate::map::Confidence::Confirmed;
use crate::map::{Field, Raw};

const fn clock(field: Field<u8>) -> Field<u8> {
    field.group(CLOCK).known_from("S1;S3", Confirmed)
}

fields! {
    YEAR "Clock: year of the century": u8 = clock(high("clock_year", 0x0228));
    MONTH "Clock: month": u8 = clock(low("clock_month", 0x0228));
    DAY "Clock: day": u8 = clock(high("clock_day", 0x0229));
    WEEKDAY "Clock: weekday, Sunday 0": u8 = clock(low("clock_weekday", 0x0229));
    HOUR "Clock: hour": u8 = clock(high("clock_hour", 0x022A));
    MINUTE "Clock: minute": u8 = clock(low("clock_minute", 0x022A));
    SECOND "Clock: second": u8 = clock(high("clock_second", 0x022B));
    MAX_DEMAND_HIGH "Maximum demand, high byte": u8 = low("max_demand_high", 0x022B).scale_unknown().group(DEMAND);
    MAX_DEMAND_LOW "Maximum demand, low byte": u8 = high("max_demand_low", 0x022C).scale_unknown().group(DEMAND);
    DEMAND_MINUTE "Minute of the maximum demand": u8 = low("demand_minute", 0x022C).group(DEMAND);
    DEMAND_HOUR "Hour of the maximum demand": u8 = high("demand_hour", 0x022D).group(DEMAND);
    DEMAND_DAY "Day of the maximum demand": u8 = low("demand_day", 0x022D).group(DEMAND);
    DEMAND_MONTH "Month of the maximum demand": u8 = high("demand_month", 0x022E).group(DEMAND);
    UNKNOWN_022E "Unknown": u8 = low("unknown_022e", 0x022E).scale_unknown();
    UNKNOWN_022F "Unknown; the last register of the block": Raw = raw("unknown_022f", 0x022F, 1).scale_unknown();
}
