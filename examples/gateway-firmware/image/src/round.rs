//! The figures of one round over all meters.

use crate::{station::Station, text::Part};
use meter_protocol::acrel::Realtime;

/// What happened since the last line.
#[derive(Debug, Default)]
pub struct Round {
    number: u64,
    asked: u32,
    answered: u32,
    /// Sum of the totals, 0.01 kWh.
    energy: u64,
}

impl Round {
    /// A meter was asked, and showed this if it answered.
    pub fn count(&mut self, shown: Option<&Realtime>) {
        self.asked += 1;
        if let Some(now) = shown {
            self.answered += 1;
            self.energy = self.energy.wrapping_add(u64::from(now.energy.total_centikwh));
        }
    }

    /// So many were asked.
    pub fn is_over(&self, meters: usize) -> bool {
        self.asked as usize >= meters
    }

    /// Tells the round and begins the next.
    pub fn tell(&mut self, station: &mut Station) {
        self.number += 1;
        let parts = [
            Part::Word("round "),
            Part::Number(self.number),
            Part::Word(" answered "),
            Part::Number(self.answered.into()),
            Part::Word(" energy "),
            Part::Number(self.energy),
        ];
        station.tell(&parts);
        (self.asked, self.answered, self.energy) = (0, 0, 0);
    }
}
