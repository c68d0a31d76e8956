//! What only the three-phase meter has, or has elsewhere.

use super::{raw, window};
use crate::map::Access::Guarded;
use crate::map::Confidence::{Confirmed, Conflict};
use crate::map::{Field, Raw};

fields! {
    DATE_TABLE "Date table, 4 entries": Raw =
        raw("date_table", 0x0028, 6).scale_unknown().access(Guarded).known_from("S1;S3", Conflict);
    DAY_TABLE_1 "Day table 1, 14 slots": Raw =
        raw("day_table_1", 0x2000, 21).scale_unknown().access(Guarded).known_from("S1;S3", Confirmed);
    DAY_TABLE_2 "Day table 2, 14 slots": Raw =
        raw("day_table_2", 0x2015, 21).scale_unknown().access(Guarded).known_from("S1;S3", Confirmed);
    TIME_CONTROL "Time control: flag word and 26 words for each line": Raw =
        raw("time_control", 0x0420, 79).scale_unknown();
    LOAD_CONTROL_FLAGS "Load control: bit 3 all, 2 L1, 1 L2, 0 L3": u16 =
        Field::bits("load_control_flags", 0x0480).known_from("S1", Conflict);
    LOAD_CONTROL_L1 "Load control of L1, six words": Raw = raw("load_control_l1", 0x0481, 6).scale_unknown();
    LOAD_CONTROL_L2 "Load control of L2, six words": Raw = raw("load_control_l2", 0x0487, 6).scale_unknown();
    LOAD_CONTROL_L3 "Load control of L3, six words": Raw = raw("load_control_l3", 0x048D, 6).scale_unknown();
    WRITE_TIME_CONTROL_L1 "Sets time control of L1, or of all lines": Raw =
        window("write_time_control_l1", 0x0300, 28).scale_unknown();
    WRITE_TIME_CONTROL_L2 "Sets time control of L2": Raw = window("write_time_control_l2", 0x031C, 28).scale_unknown();
    WRITE_TIME_CONTROL_L3 "Sets time control of L3": Raw = window("write_time_control_l3", 0x0338, 28).scale_unknown();
    WRITE_LOAD_CONTROL_L1 "Sets load control of L1, or of all lines": Raw =
        window("write_load_control_l1", 0x0400, 13).scale_unknown();
    WRITE_LOAD_CONTROL_L2 "Sets load control of L2": Raw = window("write_load_control_l2", 0x040D, 13).scale_unknown();
    WRITE_LOAD_CONTROL_L3 "Sets load control of L3": Raw = window("write_load_control_l3", 0x041A, 13).scale_unknown();
}
