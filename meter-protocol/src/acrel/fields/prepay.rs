//! The prepay block from 0400H, written by function 20H @0200H.

use super::{amount, price, raw, word};
use crate::map::Confidence::{Inferred, VendorTool};
use crate::map::{Field, Group, Raw, Unit};

/// Count and amount are only true together.
const PURSE: Group = Group(5);

fields! {
    ENABLE "Prepaid function: 0 off, else on": u16 = word("prepay_enable", 0x0400);
    PURCHASE_COUNT "Purchase count": u16 = word("prepay_purchase_count", 0x0401).group(PURSE);
    PRICE_SPIKE "Price of the spike rate": u32 = price("prepay_price_spike", 0x0402);
    PRICE_PEAK "Price of the peak rate": u32 = price("prepay_price_peak", 0x0404);
    PRICE_FLAT "Price of the flat rate": u32 = price("prepay_price_flat", 0x0406);
    PRICE_VALLEY "Price of the valley rate": u32 = price("prepay_price_valley", 0x0408);
    ALARM_1 "Alarm amount 1": u32 = amount("prepay_alarm_1", 0x040A);
    ALARM_2 "Alarm amount 2": u32 = amount("prepay_alarm_2", 0x040C);
    OVERDRAFT "Overdraft limit": u32 = amount("prepay_overdraft", 0x040E);
    UNKNOWN_0410 "Unknown": Raw = raw("unknown_0410", 0x0410, 2).scale_unknown().known_from("S1", Inferred);
    TOTAL "Total energy or total purchased": u32 =
        Field::u32("prepay_total", 0x0412).scale(-2).known_from("S1", Inferred);
    REMAINING_AMOUNT "Remaining amount, negative when overdrawn": i32 =
        Field::i32("prepay_remaining_amount", 0x0414).scale(-2).unit(Unit::Account).group(PURSE)
            .known_from("S1", VendorTool);
    BASE_FREE_AMOUNT "Base (free) amount": u32 = amount("prepay_base_free_amount", 0x0416);
    UNLABELLED_0418 "Unlabelled, probably the action at the warning level": u16 =
        word("unlabelled_0418", 0x0418).known_from("S1", Inferred);
}
