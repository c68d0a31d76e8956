//! The many-circuit meter. Each circuit answers on a unit number of its own.

use super::{high, low, raw, word};
use crate::map::Access::Guarded;
use crate::map::Raw;

fields! {
    LOOP_COUNT_TYPE "Type of the loop count": u8 = high("loop_count_type", 0x022F);
    PHASE_TYPE "Type of the phases": u8 = low("phase_type", 0x022F);
    PREPAY "Prepay block: enable, prices at +1, alarms at +9 and +11, purchase count at +15": Raw =
        raw("prepay", 0x0500, 18).scale_unknown();
    TIME_CONTROL "Time control of one circuit": Raw = raw("time_control", 0x0600, 27).scale_unknown();
    LOAD_CONTROL "Load control of one circuit": Raw = raw("load_control", 0x0700, 8).scale_unknown();
    PORT_1_ADDRESS "Port 1: first unit number": u16 = word("port_1_address", 0x0900).access(Guarded);
    PORT_1_BAUD "Port 1: index of the baud rate": u16 = word("port_1_baud_index", 0x0901).access(Guarded);
    THREE_PHASE_LOOPS "Three-phase circuits": u16 = word("three_phase_loop_count", 0x0903).access(Guarded);
    SINGLE_PHASE_LOOPS "Single-phase circuits": u16 = word("single_phase_loop_count", 0x0904).access(Guarded);
    METER_NUMBER "Meter number, five BCD bytes and a pad": Raw =
        raw("meter_number", 0x0905, 3).scale_unknown().access(Guarded);
    KIND "0 prepaid, 1 metering only": u8 = high("kind", 0x0908).access(Guarded);
    DLT645_ENABLE "Whether it speaks DL/T 645": u8 = low("dlt645_enable", 0x0908).access(Guarded);
    IC_CARD_ENABLE "Whether it takes cards": u8 = low("ic_card_enable", 0x090A).access(Guarded);
    PORT_2_ADDRESS "Port 2: first unit number": u16 = word("port_2_address", 0x0911).access(Guarded);
    PORT_2_BAUD "Port 2: index of the baud rate": u16 = word("port_2_baud_index", 0x0912).access(Guarded);
    DAY_TABLE_1 "Day table 1, 14 slots": Raw = raw("day_table_1", 0x0914, 21).scale_unknown().access(Guarded);
    DAY_TABLE_2 "Day table 2, 14 slots": Raw = raw("day_table_2", 0x0929, 21).scale_unknown().access(Guarded);
    DATE_TABLE "Date table, 4 entries": Raw = raw("date_table", 0x093E, 6).scale_unknown().access(Guarded);
}
