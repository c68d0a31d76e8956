//! A master bill over sub-meters.

use alloc::string::String;
use alloc::vec::Vec;

use rust_decimal::Decimal;
use serde::Serialize;

use crate::decimal_text;
use crate::exact::{Amount, AmountError, Energy, Rounding};
use crate::running::largest_remainder;

/// Sub-meters of one allocation.
pub const MAX_SUB_METERS: usize = 10_000;

/// Who bears what the sub-meters don't show: losses and common parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Difference {
    /// The tenants, in proportion to their energy.
    #[default]
    Shared,
    /// The owner: the difference is a share of its own.
    Owner,
}

/// What is allocated.
#[derive(Debug, Clone, Copy)]
pub struct Master<'a> {
    /// Amount of the master bill; a credit is allocated as the exact negative.
    pub amount: &'a Amount,
    /// Energy of the master meter.
    pub energy: Energy,
    /// Sub-meters by name, with their energy.
    pub sub_meters: &'a [(&'a str, Energy)],
    /// Sub-meters of common parts among them, by name: lifts, corridors.
    pub common: &'a [&'a str],
    /// Who bears the difference between the master meter and the tenants' meters.
    pub difference: Difference,
}

/// The shares of a master bill. They sum to it, rounded once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Allocation {
    /// The master bill, rounded.
    #[serde(with = "decimal_text")]
    pub total: Decimal,
    /// Shares of the tenants, in their order.
    pub shares: Vec<Share>,
    /// Share of the owner for common parts and losses; none where tenants bear them.
    pub owner: Option<Share>,
    /// Energy of the tenants' meters.
    pub tenants_energy: Energy,
    /// Energy of the meters of common parts.
    pub common_energy: Energy,
    /// Energy of the master meter that no sub-meter shows.
    pub losses_energy: Energy,
}

/// One share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Name of the sub-meter.
    pub name: String,
    /// Its energy.
    pub energy: Energy,
    /// Its amount; less than one minor unit away from the exact share.
    #[serde(with = "decimal_text")]
    pub amount: Decimal,
}

/// Why nothing was allocated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AllocationError {
    /// A meter ran backwards.
    #[error("the energy of {name:?} is negative: {energy} kWh")]
    Negative {
        /// The meter.
        name: String,
        /// Its energy.
        energy: Energy,
    },
    /// The sub-meters show more than the master meter.
    #[error("sub-meters show {sub_meters} kWh, the master meter {master} kWh")]
    MoreThanMaster {
        /// Sum of the sub-meters.
        sub_meters: Energy,
        /// The master meter.
        master: Energy,
    },
    /// A common part that is no sub-meter, or a meter named twice.
    #[error("{name:?} is not the name of exactly one sub-meter")]
    Name {
        /// The name.
        name: String,
    },
    /// There is no energy to go by.
    #[error("no tenant used energy, so nobody can bear the bill")]
    NobodyUsed,
    /// Too many sub-meters.
    #[error("{count} sub-meters; at most {MAX_SUB_METERS}")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// The amount is beyond what minor units in 64 bits hold.
    #[error("the amount is out of range")]
    OutOfRange,
    /// The sub-tariff is above the ceiling.
    #[error("the price of {price} per kWh is above the ceiling of {ceiling}")]
    AboveCeiling {
        /// The price that would cover the bill.
        price: Decimal,
        /// The ceiling.
        ceiling: Decimal,
    },
}

impl From<AmountError> for AllocationError {
    fn from(_: AmountError) -> Self {
        Self::OutOfRange
    }
}

/// Shares a master bill out by energy, in minor units by largest remainder.
///
/// # Errors
/// [`AllocationError`]: negative energy, more energy below than above, unknown names, nobody who used any.
///
/// ```
/// use tariff_engine::allocate::{Master, allocate};
/// use tariff_engine::{Rounding, RoundingMode};
/// let fen = Rounding::new(2, RoundingMode::HalfAwayFromZero).unwrap();
/// let master = Master {
///     amount: &"100".parse().unwrap(),
///     energy: "110".parse().unwrap(),
///     sub_meters: &[("A", "30".parse().unwrap()), ("B", "30".parse().unwrap()), ("C", "30".parse().unwrap())],
///     common: &[],
///     difference: Default::default(),
/// };
/// let allocation = allocate(&master, fen).unwrap();
/// let amounts: Vec<_> = allocation.shares.iter().map(|share| share.amount.to_string()).collect();
/// assert_eq!(amounts, ["33.34", "33.33", "33.33"]);
/// assert_eq!(allocation.losses_energy, "20".parse().unwrap());
/// ```
pub fn allocate(master: &Master<'_>, rounding: Rounding) -> Result<Allocation, AllocationError> {
    check(master)?;
    let is_common = |name: &str| master.common.contains(&name);
    let sum = |common: bool| {
        let meters = master.sub_meters.iter().filter(|(name, _)| is_common(name) == common);
        meters.fold(0_i64, |sum, (_, energy)| sum.saturating_add(energy.micro_kwh()))
    };
    let (tenants, common) = (sum(false), sum(true));
    let sub_meters = tenants.saturating_add(common);
    let losses = master.energy.micro_kwh().saturating_sub(sub_meters);
    if losses < 0 {
        let sub_meters = Energy::from_micro_kwh(sub_meters);
        return Err(AllocationError::MoreThanMaster { sub_meters, master: master.energy });
    }
    let owned = common.saturating_add(losses);
    let owner_bears = master.difference == Difference::Owner;
    if tenants == 0 && !(owner_bears && owned > 0) {
        return Err(AllocationError::NobodyUsed);
    }
    let payers: Vec<&(&str, Energy)> = master.sub_meters.iter().filter(|(name, _)| !is_common(name)).collect();
    let mut weights: Vec<i64> = payers.iter().map(|(_, energy)| energy.micro_kwh()).collect();
    weights.push(if owner_bears { owned } else { 0 });
    let minor = i64::try_from(master.amount.minor_units(rounding)).map_err(|_| AllocationError::OutOfRange)?;
    let mut parts: Vec<i64> = largest_remainder(minor.saturating_abs(), &weights)
        .into_iter()
        .map(|part| if minor < 0 { part.saturating_neg() } else { part })
        .collect();
    let decimal = |minor: i64| Decimal::new(minor, u32::from(rounding.places()));
    let owner = parts.pop().filter(|_| owner_bears).map(|part| Share {
        name: String::new(),
        energy: Energy::from_micro_kwh(owned),
        amount: decimal(part),
    });
    let shares = payers
        .into_iter()
        .zip(parts)
        .map(|((name, energy), part)| Share { name: String::from(*name), energy: *energy, amount: decimal(part) })
        .collect();
    Ok(Allocation {
        total: decimal(minor),
        shares,
        owner,
        tenants_energy: Energy::from_micro_kwh(tenants),
        common_energy: Energy::from_micro_kwh(common),
        losses_energy: Energy::from_micro_kwh(losses),
    })
}

fn check(master: &Master<'_>) -> Result<(), AllocationError> {
    if master.sub_meters.len() > MAX_SUB_METERS {
        return Err(AllocationError::TooMany { count: master.sub_meters.len() });
    }
    let all = master.sub_meters.iter().copied().chain([("master", master.energy)]);
    for (name, energy) in all {
        if energy < Energy::ZERO {
            return Err(AllocationError::Negative { name: String::from(name), energy });
        }
    }
    let mut names: Vec<&str> = master.sub_meters.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    for pair in names.windows(2) {
        if let [first, second] = pair
            && first == second
        {
            return Err(AllocationError::Name { name: String::from(*first) });
        }
    }
    match master.common.iter().find(|name| names.binary_search(name).is_err()) {
        Some(name) => Err(AllocationError::Name { name: String::from(*name) }),
        None => Ok(()),
    }
}

/// The flat price at which tenants' energy covers a master bill, rounded down to `places`, with the legal ceiling as a check.
///
/// # Errors
/// [`AllocationError::NobodyUsed`] without energy, [`AllocationError::AboveCeiling`], or out of range.
pub fn sub_tariff_price(
    amount: &Amount,
    tenants_energy: Energy,
    places: u8,
    ceiling: Option<Decimal>,
) -> Result<Decimal, AllocationError> {
    if tenants_energy <= Energy::ZERO {
        return Err(AllocationError::NobodyUsed);
    }
    let places = Rounding::new(places, crate::RoundingMode::HalfEven).ok_or(AllocationError::OutOfRange)?;
    // Currency per kWh: 10⁶ × amount ÷ 10⁻⁶ kWh.
    let exact = amount.times(1_000_000, u128::from(tenants_energy.micro_kwh().unsigned_abs()))?;
    let rounded = exact.rounded(places);
    let step = Amount::from_minor_units(1, places.places())?;
    let price = if rounded > exact { rounded.minus(&step)? } else { rounded };
    let price = price.round(places);
    match ceiling {
        Some(ceiling) if price > ceiling => Err(AllocationError::AboveCeiling { price, ceiling }),
        _ => Ok(price),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RoundingMode;
    use alloc::string::ToString;
    use proptest::prelude::*;

    fn kwh(text: &str) -> Energy {
        text.parse().unwrap()
    }

    fn fen() -> Rounding {
        Rounding::new(2, RoundingMode::HalfAwayFromZero).unwrap()
    }

    #[test]
    fn common_parts_and_losses_are_shown_and_borne() {
        let amount: Amount = "-100.004".parse().unwrap();
        let meters = [("A", kwh("50")), ("lift", kwh("10")), ("B", kwh("25"))];
        let master = Master {
            amount: &amount,
            energy: kwh("100"),
            sub_meters: &meters,
            common: &["lift"],
            difference: Difference::Owner,
        };
        let allocation = allocate(&master, fen()).unwrap();
        assert_eq!(allocation.total.to_string(), "-100.00");
        let shares: Vec<_> = allocation.shares.iter().map(|share| share.amount.to_string()).collect();
        assert_eq!(shares, ["-50.00", "-25.00"]);
        assert_eq!(allocation.owner.unwrap().amount.to_string(), "-25.00");
        assert_eq!((allocation.common_energy, allocation.losses_energy), (kwh("10"), kwh("15")));
    }

    #[test]
    fn refuses_by_type() {
        let amount: Amount = "10".parse().unwrap();
        let of = |energy: &str, meters: &[(&str, Energy)], common: &[&str]| {
            let difference = Difference::Shared;
            allocate(&Master { amount: &amount, energy: kwh(energy), sub_meters: meters, common, difference }, fen())
        };
        assert!(matches!(of("1", &[("A", kwh("2"))], &[]), Err(AllocationError::MoreThanMaster { .. })));
        assert!(matches!(of("1", &[("A", kwh("-2"))], &[]), Err(AllocationError::Negative { .. })));
        assert!(matches!(of("1", &[("A", kwh("0"))], &[]), Err(AllocationError::NobodyUsed)));
        assert!(matches!(of("1", &[("A", kwh("1"))], &["B"]), Err(AllocationError::Name { .. })));
        assert!(matches!(of("1", &[("A", kwh("0")), ("A", kwh("1"))], &[]), Err(AllocationError::Name { .. })));
    }

    #[test]
    fn a_sub_tariff_stays_below_its_ceiling() {
        let amount: Amount = "100".parse().unwrap();
        assert_eq!(sub_tariff_price(&amount, kwh("150"), 4, None).unwrap().to_string(), "0.6666");
        let ceiling = Some(Decimal::new(66, 2));
        assert!(matches!(sub_tariff_price(&amount, kwh("150"), 4, ceiling), Err(AllocationError::AboveCeiling { .. })));
    }

    proptest! {
        #[test]
        fn shares_sum_and_each_is_less_than_a_cent_off(
            energies in prop::collection::vec(0_i64..1_000_000_000, 1..40), minor in -1_000_000_000_i64..1_000_000_000,
        ) {
            prop_assume!(energies.iter().sum::<i64>() > 0);
            let names: Vec<String> = (0..energies.len()).map(|index| alloc::format!("{index}")).collect();
            let meters: Vec<(&str, Energy)> =
                names.iter().zip(&energies).map(|(name, energy)| (name.as_str(), Energy::from_micro_kwh(*energy))).collect();
            let whole: i64 = energies.iter().sum();
            let amount = Amount::from_minor_units(minor, 2).unwrap();
            let master = Master {
                amount: &amount,
                energy: Energy::from_micro_kwh(whole + 5),
                sub_meters: &meters,
                common: &[],
                difference: Difference::Shared,
            };
            let allocation = allocate(&master, fen()).unwrap();
            prop_assert_eq!(allocation.shares.iter().map(|share| share.amount).sum::<Decimal>(), Decimal::new(minor, 2));
            for (share, energy) in allocation.shares.iter().zip(&energies) {
                let exact = amount.times(i128::from(*energy), u128::try_from(whole).unwrap()).unwrap();
                let off = exact.minus(&Amount::from_decimal(share.amount).unwrap()).unwrap();
                let cent = Amount::from_minor_units(1, 2).unwrap();
                prop_assert!(off < cent && off > cent.negated());
            }
        }
    }
}
