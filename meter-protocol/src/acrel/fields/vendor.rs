//! Windows of function 20H that both prepaid meters have. They are commands, not registers: they can't be read.

use super::window;
use crate::map::Confidence::Conflict;
use crate::map::{Raw, Unit};

fields! {
    PURCHASE "A sale: amount, new purchase count, zero": Raw =
        window("write_purchase", 0x0100, 4).scale(-2).unit(Unit::Account);
    PARAMETERS "Prepay parameters, flagged fields": Raw = window("write_parameters", 0x0200, 30).scale_unknown();
    CLOCK "The clock": Raw = window("write_clock", 0x0354, 5).scale_unknown();
    TRIP_COUNTERS "Trip counters of L1, L2, L3, all": Raw = window("write_trip_counters", 0x0410, 4).scale_unknown();
    FORCE_PER_LINE "Force of each line; the sense is not settled": Raw =
        window("write_force_per_line", 0x0500, 5).scale_unknown().known_from("S1", Conflict);
}
