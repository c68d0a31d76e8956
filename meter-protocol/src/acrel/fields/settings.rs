//! Configuration registers of both prepaid meters.

use super::{FORCE, amount, ascii, high, low, price, raw, word};
use crate::map::Access::{Guarded, ReadWrite};
use crate::map::Confidence::{Confirmed, Conflict, Inferred, VendorTool};
use crate::map::{Digits, Field, Raw, Text, Unit};

fields! {
    RUN_STATE "Run state: rates, NK or external relay, frame encryption": u16 =
        Field::bits("run_state", 0x0022).access(Guarded).known_from("S1", VendorTool);
    PT_RATIO "Voltage transformer ratio; may be swapped with the next": u16 =
        word("setting_pt_ratio", 0x0037).access(Guarded).known_from("S1;S3", Conflict);
    CT_RATIO "Current transformer ratio; may be swapped with the one before": u16 =
        word("setting_ct_ratio", 0x0038).access(Guarded).known_from("S1;S3", Conflict);
    METER_NUMBER "Meter number, 12 digits": Digits =
        Field::bcd("meter_number", 0x0043, 3).access(Guarded).known_from("S1", VendorTool);
    ALARM_1 "Alarm amount 1": u32 = amount("setting_alarm_1", 0x0046);
    ALARM_2 "Alarm amount 2": u32 = amount("setting_alarm_2", 0x0048);
    OVERDRAFT "Credit (overdraft) amount": u32 = amount("setting_overdraft", 0x004A);
    UNKNOWN_004C "Unknown, written as 0 by the vendor's tool": Raw =
        raw("unknown_004c", 0x004C, 2).scale_unknown().known_from("S1", Inferred);
    PURCHASE_COUNT "Purchase count": u16 = word("setting_purchase_count", 0x004E);
    REMAINING_AMOUNT "Remaining amount, negative when overdrawn": i32 =
        Field::i32("setting_remaining_amount", 0x004F).scale(-2).unit(Unit::Account).known_from("S1", VendorTool);
    UNKNOWN_0051 "Unknown": Raw = raw("unknown_0051", 0x0051, 4).scale_unknown().known_from("S1", Inferred);
    PREPAY_STATE "Prepaid state": u8 = high("prepay_state", 0x0055);
    UNKNOWN_0055 "Unknown": u8 = low("unknown_0055", 0x0055);
    UNKNOWN_0056 "Unknown": Raw = raw("unknown_0056", 0x0056, 1).scale_unknown().known_from("S1", Inferred);
    FORCE_MODE "Force mode: 0 prepaid, 1 forced": u16 =
        word("force_mode", 0x0057).access(Guarded).group(FORCE).known_from("S1;S3;S4", Confirmed);
    FORCE_STATE "Forced state: 0 supply on, 1 supply off": u16 =
        word("force_state", 0x0058).access(Guarded).group(FORCE).known_from("S1;S3;S4", Confirmed);
    PRICE_SPIKE "Price of the spike rate": u32 = price("setting_price_spike", 0x0059);
    PRICE_PEAK "Price of the peak rate": u32 = price("setting_price_peak", 0x005B);
    PRICE_FLAT "Price of the flat rate": u32 = price("setting_price_flat", 0x005D);
    PRICE_VALLEY "Price of the valley rate": u32 = price("setting_price_valley", 0x005F);
    MAX_POWER "Power limit, probably in W": u16 = word("setting_max_power", 0x0061).scale_unknown();
    RELAY_OUTPUT_MODE "Relay output: 0 level, 1 pulse": u16 =
        word("relay_output_mode", 0x0063).access(Guarded).known_from("S1 (meaning also S2)", VendorTool);
    PORT_1_ADDRESS "Port 1: unit number": u8 = high("port_1_address", 0x0360).access(Guarded);
    PORT_1_BAUD "Port 1: index of the baud rate": u8 = low("port_1_baud_index", 0x0360).access(Guarded);
    PORT_1_PARITY "Port 1: index of the parity": u8 = high("port_1_parity_index", 0x0361).access(Guarded);
    PORT_1_STOP "Port 1: index of the stop bits": u8 = low("port_1_stop_index", 0x0361).access(Guarded);
    PORT_1_METER_NUMBER "Port 1: meter number": Digits =
        Field::bcd("port_1_meter_number", 0x0362, 3).access(Guarded).known_from("S1", VendorTool);
    PORT_2 "Port 2: as port 1": Raw = raw("port_2", 0x0365, 5).scale_unknown().access(Guarded);
    RELAY_PULSE_WIDTH "Width of a relay pulse": u16 =
        word("relay_pulse_width", 0x0399).unit(Unit::Millisecond).access(ReadWrite);
    RELAY_PULSE_INTERVAL "Interval of relay pulses": u16 =
        word("relay_pulse_interval", 0x039A).unit(Unit::Second).access(ReadWrite);
    SERIAL_NUMBER "Serial number": Text = ascii("serial_number", 0x03A0, 7);
}
