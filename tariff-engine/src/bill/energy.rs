//! Energy by version, rate and tier, priced exactly.

use alloc::vec;
use alloc::vec::Vec;

use rust_decimal::Decimal;

use super::demand::Peaks;
use crate::calendar::date::DAY_S;
use crate::compile::{CompiledLadder, CompiledTariff, CompiledVersion, LadderKind};
use crate::exact::Amount;
use crate::running::energy::{Terms, allowance, known_limit};
use crate::running::state::Book;
use crate::tariff::Scope;
use crate::usage::UsageError;

/// 10⁻¹⁸ kWh in 10⁻⁶ kWh: limits per kW have 12 more places than energy.
const FINE: i128 = 1_000_000_000_000;

/// Energy of one version, rate and tier.
pub(crate) struct EnergyPart<'a> {
    pub(crate) version: &'a CompiledVersion,
    /// Number of the rate's name.
    pub(crate) rate: u16,
    pub(crate) cell: usize,
    pub(crate) tier: usize,
    /// Ends of the tier in 10⁻⁶ kWh, rounded down where they are finer.
    pub(crate) ends: (i64, Option<i64>),
    pub(crate) energy: PartEnergy,
    pub(crate) price: i128,
    pub(crate) from_utc_s: i64,
    pub(crate) to_utc_s: i64,
}

/// An exact energy.
#[derive(Clone, Copy)]
pub(crate) enum PartEnergy {
    /// 10⁻⁶ kWh.
    Micro(i64),
    /// 10⁻¹⁸ kWh.
    Fine(i128),
    /// `tier × own ÷ whole`: 10⁻¹⁸ kWh of the tier times the share of the rate.
    Share { tier: i128, own: i64, whole: i64 },
}

impl PartEnergy {
    /// Price (10⁻¹⁸) times energy.
    pub(crate) fn times(self, price: i128) -> Result<Amount, UsageError> {
        let amount = match self {
            Self::Micro(micro) => Amount::of_product(price, i128::from(micro)),
            Self::Fine(fine) => Amount::of_fraction(price, fine, 1, FINE.unsigned_abs()),
            Self::Share { tier, own, whole } => {
                // Without digits below 10⁻⁶ kWh the division stays short.
                let (tier, divisor) = match tier.checked_rem(FINE) {
                    Some(0) => (tier.div_euclid(FINE), 1),
                    _ => (tier, FINE.unsigned_abs()),
                };
                let whole = u128::from(whole.unsigned_abs()).saturating_mul(divisor);
                Amount::of_fraction(price, tier, u128::from(own.unsigned_abs()), whole)
            }
        };
        Ok(amount?)
    }

    /// As a decimal of kWh; a share that is no decimal of 6 places is rounded to them.
    pub(crate) fn to_decimal(self) -> Decimal {
        let decimal = match self {
            Self::Micro(micro) => Decimal::new(micro, 6),
            Self::Fine(fine) => Decimal::try_from_i128_with_scale(fine, 18).unwrap_or(Decimal::MAX),
            Self::Share { tier, own, whole } => {
                // Amounts are exact to 24 places, which is more than is shown.
                let share = Amount::of_fraction(tier, i128::from(own), 1_000_000, u128::from(whole.unsigned_abs()));
                let places = crate::exact::Rounding::new(6, crate::exact::RoundingMode::HalfEven);
                match (share, places) {
                    (Ok(share), Some(places)) => share.round(places),
                    _ => Decimal::MAX,
                }
            }
        };
        decimal.normalize()
    }
}

/// All energy of the present bill. `end_utc_s` is the instant up to which days are counted.
pub(crate) fn priced_energy<'a>(peaks: Peaks<'a>, end_utc_s: i64) -> Result<Vec<EnergyPart<'a>>, UsageError> {
    let (tariff, state) = (peaks.tariff, peaks.state);
    let mut parts = Vec::new();
    for (place, book) in state.books.iter().enumerate() {
        let Some(version) = tariff.versions.get(usize::from(book.version)) else { continue };
        let to_utc_s = state.books.get(place.saturating_add(1)).map_or(end_utc_s, |next: &Book| next.from_utc_s);
        let mut cells = Cells { version, from_utc_s: book.from_utc_s, to_utc_s, parts: &mut parts };
        match (&version.energy.ladder.kind, &book.start) {
            (LadderKind::Deferred(scope), Some(start)) => {
                let limits = limits(peaks, version, end_utc_s)?;
                match scope {
                    Scope::SharedChronological if !book.segments.is_empty() => cells.listed(book, &limits, start.total),
                    Scope::SharedChronological => {}
                    Scope::PerPeriod => cells.own_ladders(book, &limits, &start.by_rate),
                    Scope::SharedProportional => cells.proportional(book, &limits, start.total),
                }
            }
            _ => cells.known(book, state.terms()),
        }
    }
    Ok(parts)
}

/// The limits of a ladder that is known at the end, in 10⁻¹⁸ kWh, never falling.
fn limits(peaks: Peaks<'_>, version: &CompiledVersion, end_utc_s: i64) -> Result<Vec<i128>, UsageError> {
    let ladder: &CompiledLadder = &version.energy.ladder;
    let days = i128::from(days_between(peaks.tariff, peaks.state.bill_from_utc_s, end_utc_s));
    let power = match ladder.demand.and_then(|place| version.demand.get(place)) {
        Some(charge) => peaks.highest(charge)?,
        None => 0,
    };
    let mut highest = 0_i128;
    let entries = ladder.limits(peaks.state.month_of_year);
    let mut limits = Vec::with_capacity(entries.len());
    for (tier, limit) in entries.iter().enumerate() {
        let candidates = [
            limit.fixed.map(|kwh| i128::from(kwh).saturating_mul(FINE)),
            limit.per_day.map(|kwh| i128::from(kwh).saturating_mul(days).saturating_mul(FINE)),
            limit.per_kw.map(|kwh| i128::from(kwh).saturating_mul(power)),
        ];
        let smallest = candidates.into_iter().flatten().min().unwrap_or(0);
        let shift = i128::from(allowance(ladder, &peaks.state.ladder.allowances, tier)).saturating_mul(FINE);
        highest = highest.max(smallest.saturating_add(shift));
        limits.push(highest);
    }
    Ok(limits)
}

/// The limits as they are now, in 10⁻⁶ kWh, rounded down where they are finer.
pub(crate) fn limits_now(peaks: Peaks<'_>, version: &CompiledVersion, end_utc_s: i64) -> Result<Vec<i64>, UsageError> {
    let limits = limits(peaks, version, end_utc_s)?;
    Ok(limits.into_iter().map(|limit| i64::try_from(limit.div_euclid(FINE)).unwrap_or(i64::MAX)).collect())
}

/// Local dates that a span touches.
pub(crate) fn days_between(tariff: &CompiledTariff, from_utc_s: i64, to_utc_s: i64) -> i64 {
    if to_utc_s <= from_utc_s {
        return 0;
    }
    let local = |utc_s: i64| tariff.zone.local_s(utc_s).div_euclid(DAY_S);
    local(to_utc_s.saturating_sub(1)).saturating_sub(local(from_utc_s)).saturating_add(1)
}

/// Collects the parts of one book.
struct Cells<'a, 'p> {
    version: &'a CompiledVersion,
    from_utc_s: i64,
    to_utc_s: i64,
    parts: &'p mut Vec<EnergyPart<'a>>,
}

impl Cells<'_, '_> {
    fn put(&mut self, rate: usize, tier: usize, ends: (i64, Option<i64>), energy: PartEnergy) {
        let version = self.version;
        let cell = rate.saturating_mul(version.energy.tiers).saturating_add(tier);
        self.parts.push(EnergyPart {
            version,
            rate: version.energy.rates.get(rate).copied().unwrap_or_default(),
            cell,
            tier,
            ends,
            energy,
            price: version.energy.prices.get(cell).copied().unwrap_or_default(),
            from_utc_s: self.from_utc_s,
            to_utc_s: self.to_utc_s,
        });
    }

    /// Tiers that were known at once.
    fn known(&mut self, book: &Book, terms: Terms<'_>) {
        let ladder = &self.version.energy.ladder;
        let tiers = self.version.energy.tiers;
        for (cell, energy) in book.cells.iter().enumerate().filter(|(_, energy)| **energy != 0) {
            let (rate, tier) = (cell.checked_div(tiers).unwrap_or(0), cell.checked_rem(tiers).unwrap_or(0));
            let below = tier.checked_sub(1).and_then(|below| known_limit(ladder, terms, below)).unwrap_or(0);
            let ends = (below, known_limit(ladder, terms, tier));
            self.put(rate, tier, ends, PartEnergy::Micro(*energy));
        }
    }

    /// A shared ladder, climbed in order of time.
    fn listed(&mut self, book: &Book, limits: &[i128], start: i64) {
        let tiers = self.version.energy.tiers;
        let mut sums = vec![0_i128; self.version.energy.prices.len()];
        let mut position = i128::from(start).saturating_mul(FINE);
        for (rate, energy) in &book.segments {
            let end = position.saturating_add(i128::from(*energy).saturating_mul(FINE));
            for (tier, from, to) in tiers_of(limits, position, end) {
                let cell = usize::from(*rate).saturating_mul(tiers).saturating_add(tier);
                if let Some(sum) = sums.get_mut(cell) {
                    *sum = sum.saturating_add(to.saturating_sub(from));
                }
            }
            position = end;
        }
        for (cell, sum) in sums.into_iter().enumerate().filter(|(_, sum)| *sum != 0) {
            let (rate, tier) = (cell.checked_div(tiers).unwrap_or(0), cell.checked_rem(tiers).unwrap_or(0));
            self.put(rate, tier, ends(limits, tier), PartEnergy::Fine(sum));
        }
    }

    /// Each rate climbs a ladder of its own.
    fn own_ladders(&mut self, book: &Book, limits: &[i128], start: &[i64]) {
        for (rate, energy) in book.cells.iter().enumerate() {
            let number = self.version.energy.rates.get(rate).copied().unwrap_or_default();
            let from = start.get(usize::from(number)).copied().unwrap_or(0);
            let from = i128::from(from).saturating_mul(FINE);
            let to = from.saturating_add(i128::from(*energy).saturating_mul(FINE));
            for (tier, from, to) in tiers_of(limits, from, to) {
                self.put(rate, tier, ends(limits, tier), PartEnergy::Fine(to.saturating_sub(from)));
            }
        }
    }

    /// The energy of each tier is split by the rates' shares of the whole.
    fn proportional(&mut self, book: &Book, limits: &[i128], start: i64) {
        let whole = book.cells.iter().fold(0_i64, |sum, energy| sum.saturating_add(*energy));
        let from = i128::from(start).saturating_mul(FINE);
        let to = from.saturating_add(i128::from(whole).saturating_mul(FINE));
        for (tier, from, to) in tiers_of(limits, from, to) {
            for (rate, own) in book.cells.iter().enumerate().filter(|(_, own)| **own != 0) {
                let energy = PartEnergy::Share { tier: to.saturating_sub(from), own: *own, whole };
                self.put(rate, tier, ends(limits, tier), energy);
            }
        }
    }
}

/// Ends of a tier in 10⁻⁶ kWh.
fn ends(limits: &[i128], tier: usize) -> (i64, Option<i64>) {
    let micro = |fine: &i128| i64::try_from(fine.div_euclid(FINE)).unwrap_or(i64::MAX);
    let below = tier.checked_sub(1).and_then(|below| limits.get(below)).map_or(0, micro);
    (below, limits.get(tier).map(micro))
}

/// The parts of a span in each tier, without empty ones: tier, from, to.
fn tiers_of(limits: &[i128], from: i128, to: i128) -> impl Iterator<Item = (usize, i128, i128)> {
    let lower = core::iter::once(0).chain(limits.iter().copied());
    let upper = limits.iter().copied().chain(core::iter::once(i128::MAX));
    lower
        .zip(upper)
        .enumerate()
        .map(move |(tier, (below, limit))| (tier, below.max(from), limit.min(to)))
        .filter(|(_, from, to)| from < to)
}
