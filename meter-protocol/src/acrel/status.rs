//! The two status words of the realtime block.

use core::fmt;

/// One of the three relay lines. A single-relay meter moves all three together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Line {
    /// L1.
    L1,
    /// L2.
    L2,
    /// L3.
    L3,
}

impl Line {
    /// All three, in order.
    pub const ALL: [Self; 3] = [Self::L1, Self::L2, Self::L3];

    const fn mask(self, first: u16) -> u16 {
        match self {
            Self::L1 => first,
            Self::L2 => first.rotate_left(1),
            Self::L3 => first.rotate_left(2),
        }
    }
}

/// Status word 1, register 0224H.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct StatusWord1(pub u16);

impl StatusWord1 {
    /// Bits 13 to 15: relays of the lines.
    const RELAYS: u16 = 0xE000;

    /// Whether supply is on: any relay bit. On a meter with one relay the three bits move together.
    #[must_use]
    pub const fn relay_closed(self) -> bool {
        self.0 & Self::RELAYS != 0
    }

    /// Whether the relay of one line is closed, bits 13 to 15 taken in the order L1, L2, L3 (the vendor's tool; on a
    /// meter with a relay per line bench test 13 settles the order).
    #[must_use]
    pub const fn line_closed(self, line: Line) -> bool {
        self.0 & line.mask(1 << 13) != 0
    }

    /// Bit 3: force mode is active.
    #[must_use]
    pub const fn forced(self) -> bool {
        self.0 & 1 << 3 != 0
    }

    /// Bits 0 to 2: the forced state of one line is closed.
    #[must_use]
    pub const fn forced_closed(self, line: Line) -> bool {
        self.0 & line.mask(1) != 0
    }

    /// Bit 4: overload, over the power limit.
    #[must_use]
    pub const fn overload(self) -> bool {
        self.0 & 1 << 4 != 0
    }

    /// Bit 5: in arrears.
    #[must_use]
    pub const fn arrears(self) -> bool {
        self.0 & 1 << 5 != 0
    }

    /// Bit 6: alarm 1 is active.
    #[must_use]
    pub const fn alarm_1(self) -> bool {
        self.0 & 1 << 6 != 0
    }

    /// Bit 7: alarm 2 is active.
    #[must_use]
    pub const fn alarm_2(self) -> bool {
        self.0 & 1 << 7 != 0
    }

    /// Bit 8: fault.
    #[must_use]
    pub const fn fault(self) -> bool {
        self.0 & 1 << 8 != 0
    }
}

impl fmt::Debug for StatusWord1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StatusWord1({:04X}H)", self.0)
    }
}

/// Status word 2, register 0225H.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct StatusWord2(pub u16);

impl StatusWord2 {
    /// Bits 0 to 2: load control lets this line closed.
    #[must_use]
    pub const fn load_closed(self, line: Line) -> bool {
        self.0 & line.mask(1) != 0
    }

    /// Bit 3: load control is enabled.
    #[must_use]
    pub const fn load_enabled(self) -> bool {
        self.0 & 1 << 3 != 0
    }

    /// Bits 4 to 6: time control lets this line closed.
    #[must_use]
    pub const fn time_closed(self, line: Line) -> bool {
        self.0 & line.mask(1 << 4) != 0
    }

    /// Bit 7: time control is enabled.
    #[must_use]
    pub const fn time_enabled(self) -> bool {
        self.0 & 1 << 7 != 0
    }

    /// Bits 8 to 10: the prepaid function lets this line closed.
    #[must_use]
    pub const fn prepaid_closed(self, line: Line) -> bool {
        self.0 & line.mask(1 << 8) != 0
    }

    /// Bit 11: the prepaid function is enabled.
    #[must_use]
    pub const fn prepaid_enabled(self) -> bool {
        self.0 & 1 << 11 != 0
    }
}

impl fmt::Debug for StatusWord2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StatusWord2({:04X}H)", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of a live single-phase meter, with what its platform showed.
    #[test]
    fn live_values() {
        let off = StatusWord1(488);
        assert!(!off.relay_closed() && off.forced() && off.arrears() && off.alarm_1() && off.alarm_2() && off.fault());
        let on = StatusWord1(57583);
        assert!(on.relay_closed() && on.forced() && on.arrears() && !on.fault());
        assert!(Line::ALL.into_iter().all(|line| on.forced_closed(line) && on.line_closed(line)));
        assert!(!StatusWord1(232).relay_closed());
        assert!(StatusWord1(57839).relay_closed());
    }

    #[test]
    fn each_bit_has_one_meaning() {
        let flags = |word: StatusWord2| {
            let mut flags = [false; 12];
            let lines = Line::ALL.iter().enumerate();
            for (index, &line) in lines {
                flags[index] = word.load_closed(line);
                flags[4 + index] = word.time_closed(line);
                flags[8 + index] = word.prepaid_closed(line);
            }
            flags[3] = word.load_enabled();
            flags[7] = word.time_enabled();
            flags[11] = word.prepaid_enabled();
            flags
        };
        for bit in 0..16 {
            let set = flags(StatusWord2(1 << bit));
            for (index, flag) in set.into_iter().enumerate() {
                assert_eq!(flag, index == bit, "bit {bit}");
            }
        }
    }
}
