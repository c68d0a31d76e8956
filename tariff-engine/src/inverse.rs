//! How much energy does this money buy, and how long does it last?

use alloc::string::{String, ToString};
use core::borrow::Borrow;

use crate::bill::PeriodInputs;
use crate::calendar::date::DAY_S;
use crate::compile::{CompiledTariff, LadderKind};
use crate::exact::{Amount, AmountError, Energy};
use crate::running::RunningBill;
use crate::running::energy::MAX_ENERGY;
use crate::tariff::Scope;
use crate::usage::{Borders, DemandSource, Gaps, Interval, UsageError};

/// Most steps of a load profile that are looked ahead.
pub const MAX_STEPS_AHEAD: u32 = 200_000;
/// Seconds of a week.
const WEEK_S: i64 = 7 * DAY_S;
/// 1970-01-01 was a Thursday; Monday before it, seconds.
const MONDAY_S: i64 = 3 * DAY_S;

/// Why money can't be turned into energy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InverseError {
    /// A price is negative, or tiers are proportional over several rates: more energy may cost less.
    #[error("the cost of energy does not rise with it: {why}")]
    NotMonotone {
        /// What makes it so.
        why: &'static str,
    },
    /// The energy is free.
    #[error("energy at rate {rate:?} is free, so money sets no limit")]
    Free {
        /// The rate.
        rate: String,
    },
    /// Money below zero buys nothing.
    #[error("the money is negative")]
    NegativeMoney,
    /// The resolution must be above zero.
    #[error("the resolution must be above zero")]
    ZeroResolution,
    /// A load profile needs steps that divide a day, for a day or a week.
    #[error("a load profile has equal steps of whole seconds over a day or a week")]
    BadProfile,
    /// The position could not be found, or the load could not be priced.
    #[error(transparent)]
    Usage(#[from] UsageError),
}

impl From<AmountError> for InverseError {
    fn from(error: AmountError) -> Self {
        Self::Usage(error.into())
    }
}

/// What money buys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchase {
    /// The largest energy, in steps of the resolution, whose cost is within the money.
    pub energy: Energy,
    /// What it costs, exactly.
    pub cost: Amount,
    /// Money left over: less than the next step costs.
    pub residue: Amount,
    /// The energy is that of the largest bill; the money would buy more.
    pub at_limit: bool,
    /// Tiers hang on the period's end and were taken as they are now.
    pub provisional: bool,
}

/// How long money lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lasts {
    /// Seconds until the money is used up, rounded down.
    pub seconds: i64,
    /// Energy until then.
    pub energy: Energy,
    /// Whether it is used up within the steps looked ahead; otherwise it lasts longer.
    pub used_up: bool,
}

impl Lasts {
    /// Whole hours.
    pub const fn hours(&self) -> i64 {
        self.seconds.div_euclid(3_600)
    }
}

/// A load that repeats every day or every week, in local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadProfile<'a> {
    span_s: i64,
    step_s: i64,
    energies: &'a [Energy],
}

impl<'a> LoadProfile<'a> {
    /// The same every day: energies of equal steps from 00:00 on.
    ///
    /// # Errors
    /// [`InverseError::BadProfile`] unless the steps divide the day into whole seconds.
    pub fn daily(energies: &'a [Energy]) -> Result<Self, InverseError> {
        Self::new(DAY_S, energies)
    }

    /// The same every week: energies of equal steps from Monday 00:00 on.
    ///
    /// # Errors
    /// [`InverseError::BadProfile`] unless the steps divide the week into whole seconds.
    pub fn weekly(energies: &'a [Energy]) -> Result<Self, InverseError> {
        Self::new(WEEK_S, energies)
    }

    fn new(span_s: i64, energies: &'a [Energy]) -> Result<Self, InverseError> {
        let steps = i64::try_from(energies.len()).map_err(|_| InverseError::BadProfile)?;
        let step_s = span_s.checked_div(steps).ok_or(InverseError::BadProfile)?;
        let negative = energies.iter().any(|energy| *energy < Energy::ZERO);
        if span_s.checked_rem(steps) != Some(0) || negative {
            return Err(InverseError::BadProfile);
        }
        Ok(Self { span_s, step_s, energies })
    }

    /// Energy of the step at a local time, and seconds left of the step.
    fn at(&self, local_s: i64) -> (Energy, i64) {
        let since = local_s.saturating_add(MONDAY_S).rem_euclid(self.span_s.max(1));
        let step = usize::try_from(since.checked_div(self.step_s).unwrap_or(0)).unwrap_or(0);
        let past = since.checked_rem(self.step_s).unwrap_or(0);
        (self.energies.get(step).copied().unwrap_or_default(), self.step_s.saturating_sub(past))
    }
}

impl<T: Borrow<CompiledTariff>> RunningBill<T> {
    /// The largest energy at a rate that the money buys from the present position, in steps of a meter's resolution.
    ///
    /// It looks at the exact, unrounded energy cost. With `resolution` one step, `cost(k) ≤ money < cost(k + step)`.
    ///
    /// # Errors
    /// [`InverseError`]: non-monotone or free energy, negative money, an unknown rate, a missing input.
    pub fn energy_for(
        &self,
        money: &Amount,
        rate: &str,
        resolution: Energy,
        inputs: &PeriodInputs,
    ) -> Result<Purchase, InverseError> {
        if money.is_negative() {
            return Err(InverseError::NegativeMoney);
        }
        if resolution <= Energy::ZERO {
            return Err(InverseError::ZeroResolution);
        }
        let (prices, rooms, provisional) = self.ahead(rate, inputs)?;
        let most = MAX_ENERGY.saturating_sub(self.energy().micro_kwh());
        let mut left = money.whole_units();
        let mut energy = 0_i64;
        for (price, room) in prices.iter().zip(&rooms) {
            let room = room.unwrap_or(i64::MAX).min(most.saturating_sub(energy));
            // Units of an amount: a price in 10⁻¹⁸ times 10⁻⁶ kWh.
            let affordable = left.checked_div(*price).unwrap_or(i128::MAX);
            let taken = i64::try_from(affordable).unwrap_or(i64::MAX).min(room);
            left = left.saturating_sub(price.saturating_mul(i128::from(taken)));
            energy = energy.saturating_add(taken);
            if taken < room {
                break;
            }
        }
        let at_limit = energy == most;
        if at_limit && prices.last().is_some_and(|price| *price == 0) {
            return Err(InverseError::Free { rate: rate.to_string() });
        }
        let step = resolution.micro_kwh();
        let energy = energy.saturating_sub(energy.checked_rem(step).unwrap_or(0));
        let mut cost = Amount::ZERO;
        let mut rest = energy;
        for (price, room) in prices.iter().zip(&rooms) {
            let taken = rest.min(room.unwrap_or(i64::MAX));
            cost.add(&Amount::of_product(*price, i128::from(taken))?)?;
            rest = rest.saturating_sub(taken);
        }
        let residue = money.minus(&cost)?;
        Ok(Purchase { energy: Energy::from_micro_kwh(energy), cost, residue, at_limit, provisional })
    }

    /// Prices of the present and all higher tiers, and what each still takes (nothing for the last one).
    #[expect(clippy::type_complexity, reason = "three lists that only this file takes apart")]
    fn ahead(
        &self,
        rate: &str,
        inputs: &PeriodInputs,
    ) -> Result<(alloc::vec::Vec<i128>, alloc::vec::Vec<Option<i64>>, bool), InverseError> {
        let (place, energy) = self.present_rate(rate)?;
        let proportional = energy.ladder.kind == LadderKind::Deferred(Scope::SharedProportional);
        if proportional && energy.rates.len() > 1 {
            return Err(InverseError::NotMonotone { why: "proportional tiers over several rates" });
        }
        let (tier, position) = self.position_of(place, inputs)?;
        let limits = self.limits_ahead(inputs)?;
        let mut used = position.used.micro_kwh();
        let mut prices = alloc::vec::Vec::new();
        let mut rooms = alloc::vec::Vec::new();
        for tier in tier..energy.tiers {
            let cell = place.saturating_mul(energy.tiers).saturating_add(tier);
            let price = energy.prices.get(cell).copied().unwrap_or_default();
            if price < 0 {
                return Err(InverseError::NotMonotone { why: "a negative price" });
            }
            prices.push(price);
            let limit = limits.get(tier).copied();
            rooms.push(limit.map(|limit| limit.saturating_sub(used)));
            used = limit.unwrap_or(used).max(used);
        }
        Ok((prices, rooms, position.provisional))
    }

    /// How long money lasts from now on, with a load that repeats. Fixed and other charges of the period's end are not counted.
    ///
    /// Billing periods and ladder cycles begin again on their dates; versions of the tariff come into force on theirs.
    ///
    /// # Errors
    /// [`InverseError`]: negative money, or [`InverseError::Usage`] where the load can't be priced, such as beyond the versions.
    pub fn how_long(
        &self,
        money: &Amount,
        load: &LoadProfile<'_>,
        inputs: &PeriodInputs,
    ) -> Result<Lasts, InverseError> {
        if money.is_negative() {
            return Err(InverseError::NegativeMoney);
        }
        let mut ahead = self.looking_ahead();
        let start_utc_s = self.next_utc_s();
        let already = self.energy_amount(inputs)?;
        // What earlier billing periods of the look ahead cost, less what was used before it.
        let mut settled = already.negated();
        let mut spent = Amount::ZERO;
        let mut energy = 0_i64;
        for _ in 0..MAX_STEPS_AHEAD {
            let from_utc_s = ahead.next_utc_s();
            let (_, period_to_utc_s) = ahead.period_utc_s();
            if from_utc_s >= period_to_utc_s {
                settled.add(&ahead.energy_amount(inputs)?)?;
                ahead.begin_period()?;
                continue;
            }
            let (step_energy, left_s) = load.at(ahead.tariff().zone.local_s(from_utc_s));
            let to_utc_s = from_utc_s.saturating_add(left_s).min(period_to_utc_s);
            let length_s = to_utc_s.saturating_sub(from_utc_s);
            // A step that is cut short uses its share of the time, rounded down.
            let part = i128::from(step_energy.micro_kwh()).saturating_mul(i128::from(length_s));
            let part = i64::try_from(part.checked_div(i128::from(load.step_s)).unwrap_or(0)).unwrap_or(0);
            ahead.push(Interval::new(from_utc_s, to_utc_s, Energy::from_micro_kwh(part)))?;
            let now = settled.plus(&ahead.energy_amount(inputs)?)?;
            if now > *money {
                let step_cost = now.minus(&spent)?;
                let rest = money.minus(&spent)?;
                let seconds = share(&rest, &step_cost, length_s);
                let used = share(&rest, &step_cost, part);
                return Ok(Lasts {
                    seconds: from_utc_s.saturating_sub(start_utc_s).saturating_add(seconds),
                    energy: Energy::from_micro_kwh(energy.saturating_add(used)),
                    used_up: true,
                });
            }
            spent = now;
            energy = energy.saturating_add(part);
        }
        let seconds = ahead.next_utc_s().saturating_sub(start_utc_s);
        Ok(Lasts { seconds, energy: Energy::from_micro_kwh(energy), used_up: false })
    }
}

/// `count × part ÷ whole`, rounded down; found by halving, because amounts have no quotient.
fn share(part: &Amount, whole: &Amount, count: i64) -> i64 {
    let (mut low, mut high) = (0_i64, count);
    while low < high {
        let middle = low.saturating_add(high.saturating_sub(low).saturating_add(1).div_euclid(2));
        let fits =
            whole.times(i128::from(middle), u128::from(count.unsigned_abs().max(1))).is_ok_and(|cost| cost <= *part);
        if fits {
            low = middle;
        } else {
            high = middle.saturating_sub(1);
        }
    }
    low
}

impl<T: Borrow<CompiledTariff>> RunningBill<T> {
    /// A copy that takes any load: steps over borders are split, and peaks are measured only where tiers hang on them.
    fn looking_ahead(&self) -> RunningBill<&CompiledTariff> {
        let mut ahead = self.copy();
        let needs_peaks = self.tariff().versions.iter().any(|version| version.energy.ladder.demand.is_some());
        let policy = ahead.policy_mut();
        policy.borders = Borders::SplitProRata;
        policy.gaps = Gaps::Refuse;
        if !needs_peaks {
            policy.demand = DemandSource::Reported;
        }
        ahead
    }
}
