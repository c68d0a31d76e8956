//! The metering-only sibling. Below 000AH it is like the prepaid meters, so a wrong model can look right.

use super::energy;
use crate::map::Confidence::Manual;
use crate::map::{Confidence, Field, Unit};

const fn volt(name: &'static str, address: u16) -> Field<u16> {
    Field::u16(name, address).scale(-1).unit(Unit::Volt).known_from("S8", Manual)
}

const fn ampere(name: &'static str, address: u16) -> Field<u16> {
    Field::u16(name, address).scale(-2).unit(Unit::Ampere).known_from("S8", Manual)
}

const fn kilowatt(name: &'static str, address: u16) -> Field<i16> {
    Field::i16(name, address).scale(-3).unit(Unit::Kilowatt).known_from("S8", Confidence::Field)
}

fields! {
    ENERGY_FORWARD "Energy taken": u32 = energy("energy_forward", 0x000A).known_from("S8", Manual);
    ENERGY_REVERSE "Energy returned": u32 = energy("energy_reverse", 0x0014).known_from("S8", Manual);
    VOLTAGE_A "Voltage of phase A": u16 = volt("voltage_a", 0x0061);
    VOLTAGE_B "Voltage of phase B": u16 = volt("voltage_b", 0x0062);
    VOLTAGE_C "Voltage of phase C": u16 = volt("voltage_c", 0x0063);
    CURRENT_A "Current of phase A": u16 = ampere("current_a", 0x0064);
    CURRENT_B "Current of phase B": u16 = ampere("current_b", 0x0065);
    CURRENT_C "Current of phase C": u16 = ampere("current_c", 0x0066);
    ACTIVE_POWER_A "Active power of phase A": i16 = kilowatt("active_power_a", 0x0067);
    ACTIVE_POWER_B "Active power of phase B": i16 = kilowatt("active_power_b", 0x0068);
    ACTIVE_POWER_C "Active power of phase C": i16 = kilowatt("active_power_c", 0x0069);
}
