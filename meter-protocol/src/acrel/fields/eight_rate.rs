//! What only 8-rate firmware has.

use super::{MONEY, energy};
use crate::map::Confidence::Field;

fields! {
    ENERGY_DEEP_VALLEY "Energy at the deep-valley rate": u32 =
        energy("energy_deep_valley", 0x0230).group(MONEY).known_from("S3", Field);
    LOW_ENERGY_DEEP_VALLEY "Energy at the deep-valley rate; optional": u32 =
        energy("low_energy_deep_valley", 0x5030).known_from("S3", Field);
}
