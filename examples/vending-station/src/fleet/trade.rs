//! What shops draw: load shapes by trade, hour and weekday, with noise that follows from a seed.

use meter_protocol::virtual_meter::{Load, Model};
use serde::{Deserialize, Serialize};

/// The load of a shop changes at the borders of these slots, counted from 1970-01-01 UTC.
pub(crate) const SLOT_MS: i64 = 900_000;

/// What is behind a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Trade {
    /// Two peaks, at noon and in the evening.
    Restaurant,
    /// Cold stores through the night, busy all day.
    Supermarket,
    /// Lights and air conditioning during opening hours.
    Clothes,
    /// Evenings and weekends.
    Cinema,
    /// Working hours on working days.
    Office,
    /// Morning to late afternoon, closed machines stay warm.
    Cafe,
    /// Mornings and evenings.
    Gym,
    /// Lifts, corridors, garage: never off.
    CommonServices,
}

impl Trade {
    /// Every trade.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 8] = [
        Self::Restaurant,
        Self::Supermarket,
        Self::Clothes,
        Self::Cinema,
        Self::Office,
        Self::Cafe,
        Self::Gym,
        Self::CommonServices,
    ];

    /// Power at each full hour in 0.001 of the rated power: Monday to Friday, then Saturday and Sunday.
    #[rustfmt::skip]
    const fn shapes(self) -> [[u16; 24]; 2] {
        match self {
            Self::Restaurant => [
                [120, 110, 110, 110, 110, 120, 150, 220, 320, 420, 620, 900, 980, 760, 480, 400, 520, 820, 1000, 960, 780, 520, 260, 150],
                [130, 110, 110, 110, 110, 120, 150, 220, 340, 480, 700, 960, 1000, 860, 600, 520, 640, 880, 1000, 1000, 860, 600, 320, 170],
            ],
            Self::Supermarket => [
                [420, 410, 400, 400, 410, 430, 520, 680, 820, 880, 900, 920, 920, 910, 900, 910, 940, 980, 1000, 980, 900, 740, 520, 440],
                [420, 410, 400, 400, 410, 430, 520, 700, 860, 940, 960, 980, 980, 970, 960, 970, 980, 1000, 1000, 990, 920, 760, 540, 440],
            ],
            Self::Clothes => [
                [40, 40, 40, 40, 40, 40, 40, 60, 120, 420, 820, 880, 900, 900, 880, 880, 900, 940, 980, 1000, 980, 620, 80, 40],
                [40, 40, 40, 40, 40, 40, 40, 60, 140, 480, 880, 940, 980, 980, 960, 960, 980, 1000, 1000, 1000, 980, 680, 90, 40],
            ],
            Self::Cinema => [
                [240, 90, 80, 80, 80, 80, 80, 90, 110, 220, 460, 560, 600, 620, 640, 660, 700, 780, 900, 1000, 1000, 920, 720, 480],
                [320, 120, 80, 80, 80, 80, 80, 100, 180, 480, 720, 820, 880, 920, 940, 940, 960, 980, 1000, 1000, 1000, 980, 860, 600],
            ],
            Self::Office => [
                [80, 80, 80, 80, 80, 80, 100, 260, 680, 940, 1000, 980, 820, 900, 1000, 980, 940, 720, 420, 280, 200, 140, 100, 80],
                [80, 80, 80, 80, 80, 80, 80, 90, 120, 160, 180, 180, 170, 170, 180, 170, 160, 130, 110, 90, 80, 80, 80, 80],
            ],
            Self::Cafe => [
                [90, 90, 90, 90, 90, 110, 320, 760, 980, 900, 820, 860, 920, 940, 900, 860, 780, 680, 560, 460, 320, 180, 110, 90],
                [90, 90, 90, 90, 90, 100, 220, 520, 820, 960, 1000, 980, 980, 980, 980, 940, 880, 760, 620, 520, 380, 220, 120, 90],
            ],
            Self::Gym => [
                [90, 90, 90, 90, 100, 240, 620, 780, 640, 480, 420, 460, 580, 520, 440, 460, 580, 820, 1000, 1000, 900, 640, 240, 110],
                [90, 90, 90, 90, 90, 140, 320, 560, 760, 860, 900, 860, 780, 740, 760, 800, 820, 780, 720, 640, 520, 340, 160, 100],
            ],
            Self::CommonServices => [
                [480, 460, 450, 450, 460, 500, 600, 780, 900, 940, 960, 980, 980, 960, 960, 960, 980, 1000, 1000, 980, 920, 800, 640, 540],
                [480, 460, 450, 450, 450, 480, 560, 700, 840, 940, 980, 1000, 1000, 1000, 980, 980, 1000, 1000, 1000, 980, 920, 800, 640, 540],
            ],
        }
    }

    /// Typical power factor in 0.001.
    const fn power_factor_milli(self) -> u16 {
        match self {
            Self::Restaurant | Self::Cafe => 960,
            Self::Supermarket | Self::Gym => 910,
            Self::Clothes | Self::Office => 950,
            Self::Cinema => 930,
            Self::CommonServices => 890,
        }
    }
}

/// One shop's consumers. The load in a slot is a pure function of this and the slot, so that a fleet that was
/// stopped goes on as if it had not been.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shop {
    pub(crate) seed: u64,
    pub(crate) trade: Trade,
    pub(crate) model: Model,
    pub(crate) rated_w: u16,
    pub(crate) utc_offset_min: i32,
}

impl Shop {
    /// The load in the slot that begins at `slot` * [`SLOT_MS`].
    pub(crate) fn load_in(&self, slot: i64) -> Load {
        let local_quarter = slot + i64::from(self.utc_offset_min).div_euclid(15);
        let quarter = local_quarter.rem_euclid(96);
        // 1970-01-01 was a Thursday; 5 and 6 are Saturday and Sunday.
        let weekday = (local_quarter.div_euclid(96) + 3).rem_euclid(7);
        let [working, weekend] = self.trade.shapes();
        let shape = if weekday >= 5 { weekend } else { working };
        let at = |hour: i64| shape.iter().cycle().nth(usize::try_from(hour).unwrap_or(0)).map_or(0, |m| i64::from(*m));
        let (hour, part) = (quarter / 4, quarter % 4);
        let per_mille = (at(hour) * (4 - part) + at(hour + 1) * part) / 4;

        let mut noise = Noise::of(self.seed, slot);
        let total = i64::from(self.rated_w) * per_mille / 1_000 * (1_000 + noise.within(-80, 80)) / 1_000;
        let power_factor = i64::from(self.trade.power_factor_milli()) + noise.within(-15, 15);
        let watts = match self.model {
            Model::Ddsy1352 => [total, 0, 0],
            Model::Dtsy1352 => {
                let a = total * (333 + noise.within(-40, 40)) / 1_000;
                let b = total * (333 + noise.within(-40, 40)) / 1_000;
                [a, b, total - a - b]
            }
        };
        let narrow = |value: i64| u16::try_from(value.max(0)).unwrap_or(u16::MAX);
        let mut load = Load::new(watts.map(narrow), narrow(power_factor));
        load.decivolts = [0; 3].map(|_: u16| narrow(2_310 + noise.within(-45, 45)));
        load
    }

    /// What the shop will use from one time to another, in mJ.
    pub(crate) fn energy_mj(&self, from_ms: i64, to_ms: i64) -> u64 {
        let mut sum = 0_u64;
        let mut at_ms = from_ms;
        while at_ms < to_ms {
            let slot = at_ms.div_euclid(SLOT_MS);
            let until_ms = ((slot + 1) * SLOT_MS).min(to_ms);
            let watts: u64 = self.load_in(slot).watts.iter().map(|w| u64::from(*w)).sum();
            sum += watts * (until_ms - at_ms).unsigned_abs();
            at_ms = until_ms;
        }
        sum
    }
}

/// Numbers that follow from two others and nothing else (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Noise {
    state: u64,
}

impl Noise {
    /// The sequence of a seed and a place in it.
    pub(crate) fn of(seed: u64, place: i64) -> Self {
        let mut noise = Self { state: seed ^ place.cast_unsigned().wrapping_mul(0xD6E8_FEB8_6659_FD93) };
        noise.next();
        noise
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn within(&mut self, low: i64, high: i64) -> i64 {
        let width = high.saturating_sub(low).max(0).unsigned_abs() + 1;
        low + i64::try_from(self.next() % width).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-05 00:00 UTC, a Thursday.
    const THURSDAY_MS: i64 = 1_772_668_800_000;

    fn shop(trade: Trade) -> Shop {
        Shop { seed: 7, trade, model: Model::Dtsy1352, rated_w: 12_000, utc_offset_min: 480 }
    }

    fn watts_at_local(shop: &Shop, day_ms: i64, hour: i64) -> i64 {
        let utc_ms = day_ms + hour * 3_600_000 - i64::from(shop.utc_offset_min) * 60_000;
        shop.load_in(utc_ms.div_euclid(SLOT_MS)).watts.iter().map(|w| i64::from(*w)).sum()
    }

    #[test]
    fn shops_keep_their_hours() {
        let day = 86_400_000;
        let restaurant = shop(Trade::Restaurant);
        assert!(watts_at_local(&restaurant, THURSDAY_MS, 18) > 5 * watts_at_local(&restaurant, THURSDAY_MS, 3));
        let office = shop(Trade::Office);
        assert!(watts_at_local(&office, THURSDAY_MS, 10) > 4 * watts_at_local(&office, THURSDAY_MS + 2 * day, 10));
        let cinema = shop(Trade::Cinema);
        assert!(watts_at_local(&cinema, THURSDAY_MS + 2 * day, 14) > watts_at_local(&cinema, THURSDAY_MS, 14));
    }

    #[test]
    fn no_shape_exceeds_the_rated_power_and_the_load_is_a_pure_function() {
        for trade in Trade::ALL {
            assert!(trade.shapes().iter().flatten().all(|per_mille| *per_mille <= 1_000), "{trade:?}");
            let shop = shop(trade);
            for slot in 1_969_632..1_969_632 + 96 * 7 {
                let load = shop.load_in(slot);
                assert_eq!(load, shop.load_in(slot));
                assert!(load.watts.iter().map(|w| u32::from(*w)).sum::<u32>() <= 12_000 * 108 / 100);
            }
        }
    }

    #[test]
    fn energy_adds_up_over_any_split() {
        let shop = shop(Trade::Cafe);
        let (a, b, c) = (THURSDAY_MS + 1_234, THURSDAY_MS + 7_654_321, THURSDAY_MS + 40_000_001);
        assert_eq!(shop.energy_mj(a, c), shop.energy_mj(a, b) + shop.energy_mj(b, c));
    }
}
