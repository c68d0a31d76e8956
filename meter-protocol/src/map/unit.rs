//! Physical units.

use core::fmt;

/// The physical unit of a scaled value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// A count, a code, a ratio.
    None,
    /// V
    Volt,
    /// A
    Ampere,
    /// kW
    Kilowatt,
    /// kvar
    Kilovar,
    /// kVA
    KilovoltAmpere,
    /// kWh
    KilowattHour,
    /// The unit of the meter's account: currency, or kWh on meters that count energy.
    Account,
    /// Account units per kWh.
    AccountPerKilowattHour,
    /// ms
    Millisecond,
    /// s
    Second,
    /// min
    Minute,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "",
            Self::Volt => "V",
            Self::Ampere => "A",
            Self::Kilowatt => "kW",
            Self::Kilovar => "kvar",
            Self::KilovoltAmpere => "kVA",
            Self::KilowattHour => "kWh",
            Self::Account => "account unit",
            Self::AccountPerKilowattHour => "account unit/kWh",
            Self::Millisecond => "ms",
            Self::Second => "s",
            Self::Minute => "min",
        })
    }
}
