//! The realtime block from 0200H, without its clock.

use super::{MONEY, amount, energy, word};
use crate::map::Confidence::{Confirmed, VendorTool};
use crate::map::{Field, Unit};

const fn volt(name: &'static str, address: u16) -> Field<u16> {
    word(name, address).scale(-1).unit(Unit::Volt)
}

const fn ampere(name: &'static str, address: u16) -> Field<u16> {
    word(name, address).scale(-2).unit(Unit::Ampere)
}

const fn signed(name: &'static str, address: u16) -> Field<i16> {
    Field::i16(name, address).scale(-3).known_from("S1", VendorTool)
}

fields! {
    MODEL_CODE "Model: 5 DTSY1352, 7 DDSY1352, 10 ADF300": u16 = word("model_code", 0x0200);
    VOLTAGE_A "Voltage of phase A": u16 = volt("voltage_a", 0x0201);
    VOLTAGE_B "Voltage of phase B, 0 on a single-phase meter": u16 = volt("voltage_b", 0x0202);
    VOLTAGE_C "Voltage of phase C, 0 on a single-phase meter": u16 = volt("voltage_c", 0x0203);
    CURRENT_A "Current of phase A": u16 = ampere("current_a", 0x0204);
    CURRENT_B "Current of phase B, 0 on a single-phase meter": u16 = ampere("current_b", 0x0205);
    CURRENT_C "Current of phase C, 0 on a single-phase meter": u16 = ampere("current_c", 0x0206);
    ACTIVE_POWER_A "Active power of phase A": i16 = signed("active_power_a", 0x0207).unit(Unit::Kilowatt);
    ACTIVE_POWER_B "Active power of phase B": i16 = signed("active_power_b", 0x0208).unit(Unit::Kilowatt);
    ACTIVE_POWER_C "Active power of phase C": i16 = signed("active_power_c", 0x0209).unit(Unit::Kilowatt);
    ACTIVE_POWER_TOTAL "Total active power": i16 = signed("active_power_total", 0x020A).unit(Unit::Kilowatt);
    REACTIVE_POWER_A "Reactive power of phase A": i16 = signed("reactive_power_a", 0x020B).unit(Unit::Kilovar);
    REACTIVE_POWER_B "Reactive power of phase B": i16 = signed("reactive_power_b", 0x020C).unit(Unit::Kilovar);
    REACTIVE_POWER_C "Reactive power of phase C": i16 = signed("reactive_power_c", 0x020D).unit(Unit::Kilovar);
    REACTIVE_POWER_TOTAL "Total reactive power": i16 = signed("reactive_power_total", 0x020E).unit(Unit::Kilovar);
    POWER_FACTOR_A "Power factor of phase A": i16 = signed("power_factor_a", 0x020F);
    POWER_FACTOR_B "Power factor of phase B": i16 = signed("power_factor_b", 0x0210);
    POWER_FACTOR_C "Power factor of phase C": i16 = signed("power_factor_c", 0x0211);
    POWER_FACTOR_TOTAL "Total power factor": i16 = signed("power_factor_total", 0x0212);
    PT_RATIO "Voltage transformer ratio": u16 = word("pt_ratio", 0x0213);
    CT_RATIO "Current transformer ratio": u16 = word("ct_ratio", 0x0214);
    ENERGY_TOTAL "Total active energy": u32 = energy("energy_total", 0x0215).group(MONEY);
    ENERGY_SPIKE "Energy at the spike rate": u32 = energy("energy_spike", 0x0217).group(MONEY);
    ENERGY_PEAK "Energy at the peak rate": u32 = energy("energy_peak", 0x0219).group(MONEY);
    ENERGY_FLAT "Energy at the flat rate": u32 = energy("energy_flat", 0x021B).group(MONEY);
    ENERGY_VALLEY "Energy at the valley rate": u32 = energy("energy_valley", 0x021D).group(MONEY);
    REMAINING_AMOUNT "Remaining amount, negative when overdrawn": i32 =
        Field::i32("remaining_amount", 0x021F).scale(-2).unit(Unit::Account).group(MONEY).known_from("S1;S5", Confirmed);
    PURCHASE_COUNT "Purchase count": u16 =
        word("purchase_count", 0x0221).group(MONEY).known_from("S1;S6", VendorTool);
    LOAD_TRIP_COUNT "Trips by load control": u16 = word("load_trip_count", 0x0222).known_from("S1;S6", VendorTool);
    LOAD_TRIP_ALLOWED_COUNT "Trips by load control that are allowed": u16 =
        word("load_trip_allowed_count", 0x0223).known_from("S1;S6", VendorTool);
    STATUS_WORD_1 "Relays, force mode, alarms, arrears, fault": u16 =
        Field::bits("status_word_1", 0x0224).known_from("S1;S5", Confirmed);
    STATUS_WORD_2 "Load control, time control, prepaid state": u16 =
        Field::bits("status_word_2", 0x0225).known_from("S1;S6", VendorTool);
    BASE_FREE_AMOUNT "Base (free) amount": u32 = amount("base_free_amount", 0x0226);
}
