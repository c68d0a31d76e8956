//! The low block from 0000H. On the three-phase meter only the energies are attested.

use super::energy;
use crate::map::Confidence::Confirmed;

fields! {
    ENERGY_TOTAL "Total active energy": u32 = energy("low_energy_total", 0x0000).known_from("S2;S3", Confirmed);
    ENERGY_SPIKE "Energy at the spike rate": u32 = energy("low_energy_spike", 0x0002).known_from("S2;S3", Confirmed);
    ENERGY_PEAK "Energy at the peak rate": u32 = energy("low_energy_peak", 0x0004).known_from("S2;S3", Confirmed);
    ENERGY_FLAT "Energy at the flat rate": u32 = energy("low_energy_flat", 0x0006).known_from("S2;S3", Confirmed);
    ENERGY_VALLEY "Energy at the valley rate": u32 = energy("low_energy_valley", 0x0008).known_from("S2;S3", Confirmed);
}
