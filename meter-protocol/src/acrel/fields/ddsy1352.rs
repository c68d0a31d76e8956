//! What only the single-phase meter has, or has elsewhere.

use super::{high, low, raw, window, word};
use crate::map::Access::Guarded;
use crate::map::Confidence::{Confirmed, Conflict, Inferred, Manual, VendorTool};
use crate::map::{Field, Raw, Unit};

const fn manual(field: Field<u16>) -> Field<u16> {
    field.known_from("S2", Manual)
}

fields! {
    CODE "Code 0 to 9999, probably the menu password": u16 = manual(word("code", 0x000A)).access(Guarded).hidden();
    VOLTAGE "Voltage": u16 = manual(word("low_voltage", 0x000B)).scale(-1).unit(Unit::Volt);
    CURRENT "Current": u16 = manual(word("low_current", 0x000C)).scale(-2).unit(Unit::Ampere);
    ACTIVE_POWER "Active power": i16 =
        Field::i16("low_active_power", 0x000D).scale(-3).unit(Unit::Kilowatt).known_from("S2", Manual);
    REACTIVE_POWER "Reactive power": i16 =
        Field::i16("low_reactive_power", 0x000E).scale(-3).unit(Unit::Kilovar).known_from("S2", Inferred);
    APPARENT_POWER "Apparent power": u16 =
        manual(word("low_apparent_power", 0x000F)).scale(-3).unit(Unit::KilovoltAmpere);
    POWER_FACTOR "Power factor": i16 =
        Field::i16("low_power_factor", 0x0010).scale(-3).known_from("S2", Manual);
    DATE_TABLE "Date table, 4 entries": Raw =
        raw("date_table", 0x2000, 6).scale_unknown().access(Guarded).known_from("S1;S3", Conflict);
    DAY_TABLE_1 "Day table 1, 14 slots": Raw =
        raw("day_table_1", 0x2006, 21).scale_unknown().access(Guarded).known_from("S1;S3", Confirmed);
    DAY_TABLE_2 "Day table 2, 14 slots": Raw =
        raw("day_table_2", 0x201B, 21).scale_unknown().access(Guarded).known_from("S1;S3", Confirmed);
    TIME_CONTROL "Time control: enable word and 26 words": Raw = raw("time_control", 0x0420, 27).scale_unknown();
    LOAD_CONTROL_ENABLE "Load control: enable": u16 =
        word("load_control_enable", 0x0480).known_from("S1", Conflict);
    MAX_POWER "Power limit, probably in W": u16 = word("max_power", 0x0481).scale_unknown();
    MAX_POWER_STEP "Power step of a malignant load, probably in W": u16 =
        word("max_power_step", 0x0482).scale_unknown();
    STEP_POWER_FACTOR "Power factor of that step": u16 = word("step_power_factor", 0x0483).scale_unknown();
    UNLABELLED_0484 "Unlabelled": u16 = word("unlabelled_0484", 0x0484).scale_unknown().known_from("S1", Inferred);
    ALLOWED_TRIPS "Trips that are allowed": u16 = word("allowed_trips", 0x0485);
    RECOVER_TIME "Time until supply is restored, probably in minutes": u8 =
        high("recover_time", 0x0486).known_from("S1", VendorTool);
    UNLABELLED_0486 "Unlabelled": u8 = low("unlabelled_0486", 0x0486);
    WRITE_TIME_CONTROL "Sets time control": Raw = window("write_time_control", 0x0300, 28).scale_unknown();
    WRITE_LOAD_CONTROL "Sets load control": Raw = window("write_load_control", 0x0400, 13).scale_unknown();
}
