//! Rounding by name.

use serde::{Deserialize, Serialize};

/// The most decimal places an amount can be rounded to.
pub const MAX_PLACES: u8 = 10;

/// What happens to the digits behind the last place. Both rules treat a credit as the exact negative of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RoundingMode {
    /// To the nearest; a tie goes to the even digit (银行家舍入).
    HalfEven,
    /// To the nearest; a tie goes away from zero (四舍五入).
    #[default]
    HalfAwayFromZero,
}

/// A rule of rounding: how many decimal places, and which way a tie goes.
///
/// ```
/// use tariff_engine::{Amount, Rounding, RoundingMode};
/// let fen = Rounding::new(2, RoundingMode::HalfAwayFromZero).unwrap();
/// let amount: Amount = "0.125".parse().unwrap();
/// assert_eq!(amount.round(fen).to_string(), "0.13");
/// assert!(Rounding::new(11, RoundingMode::HalfEven).is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rounding {
    places: u8,
    mode: RoundingMode,
}

impl Rounding {
    /// A rule with `places` decimal places; `None` above [`MAX_PLACES`].
    pub const fn new(places: u8, mode: RoundingMode) -> Option<Self> {
        if places > MAX_PLACES { None } else { Some(Self { places, mode }) }
    }

    /// Decimal places, at most [`MAX_PLACES`].
    pub const fn places(self) -> u8 {
        self.places
    }

    /// Which way a tie goes.
    pub const fn mode(self) -> RoundingMode {
        self.mode
    }
}
