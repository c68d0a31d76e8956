//! A tariff, checked and ready to price.

use alloc::string::String;
use alloc::vec::Vec;

use crate::calendar::cycle::Cycle;
use crate::calendar::date::{date_of, day_number, parse_date};
use crate::calendar::day::Days;
use crate::calendar::schedule::Schedule;
use crate::calendar::zone::Zone;
use crate::exact::Rounding;
use crate::tariff::{ContractUnit, FixedDays, FixedPer, Scope};

/// A tariff that was checked once, by [`Tariff::compile`](crate::Tariff::compile). From here on no error comes from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompiledTariff {
    pub(crate) name: String,
    pub(crate) currency: String,
    pub(crate) zone: Zone,
    pub(crate) billing: Cycle,
    pub(crate) days: Days,
    pub(crate) line_rounding: Option<Rounding>,
    pub(crate) total_rounding: Option<Rounding>,
    pub(crate) versions: Vec<CompiledVersion>,
    /// Names of the energy rates of all versions.
    pub(crate) rate_names: Vec<String>,
    /// Names of the demand charges of all versions.
    pub(crate) demand_names: Vec<String>,
    /// Demand registers of all versions.
    pub(crate) registers: Vec<Register>,
    /// Names of the allowances of all versions.
    pub(crate) allowances: Vec<String>,
}

/// A demand register: the highest mean power while one rate of one demand charge holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Register {
    /// Number of the demand charge's name.
    pub(crate) charge: u16,
    pub(crate) rate: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompiledVersion {
    pub(crate) from_day: i64,
    pub(crate) from_utc_s: i64,
    /// First instant at which it is no longer in force.
    pub(crate) until_utc_s: i64,
    /// Hash of all that stored states depend on, of this and all earlier versions.
    pub(crate) fingerprint: u64,
    pub(crate) energy: CompiledEnergy,
    pub(crate) schedule: Schedule,
    /// Length of the demand window, seconds; none where demand is not measured.
    pub(crate) window_s: Option<i64>,
    pub(crate) demand: Vec<CompiledDemand>,
    pub(crate) contract: Vec<CompiledContract>,
    pub(crate) fixed: Vec<CompiledFixed>,
    pub(crate) power_factor: Option<CompiledPowerFactor>,
    pub(crate) minimum: Option<CompiledMinimum>,
    pub(crate) taxes: Vec<CompiledTax>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompiledEnergy {
    /// Numbers of the rates' names.
    pub(crate) rates: Vec<u16>,
    pub(crate) tiers: usize,
    /// Price of each cell (rate × tiers + tier), 10⁻¹⁸ per kWh.
    pub(crate) prices: Vec<i128>,
    /// What each component adds to each cell.
    pub(crate) components: Vec<(String, Vec<i128>)>,
    pub(crate) ladder: CompiledLadder,
}

/// How energy finds its tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompiledLadder {
    pub(crate) kind: LadderKind,
    /// Spans after which the energy counts from zero again.
    pub(crate) cycle: Cycle,
    /// Sets of limits, and the set of each month of the bill's last day.
    pub(crate) sets: Vec<Vec<CompiledLimit>>,
    pub(crate) set_of_month: [u8; 12],
    /// Shifts of the limits in 10⁻⁶ kWh, by number of the allowance's name.
    pub(crate) allowances: Vec<(u16, Vec<i64>)>,
    /// Demand charge (its place in the version) that multiplies limits per kW.
    pub(crate) demand: Option<usize>,
}

/// When the tier of a kWh is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LadderKind {
    /// There is one tier.
    None,
    /// At once.
    Streamed(Scope),
    /// At the end of the billing period.
    Deferred(Scope),
}

/// Upper end of a tier, 10⁻⁶ kWh, per day or per kW; the smallest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CompiledLimit {
    pub(crate) fixed: Option<i64>,
    pub(crate) per_day: Option<i64>,
    pub(crate) per_kw: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompiledDemand {
    /// Number of the name.
    pub(crate) name: u16,
    pub(crate) rates: Vec<CompiledDemandRate>,
    /// Bit of each month of the bill's last day in which it is charged, January is bit 0.
    pub(crate) months: u32,
    /// 10⁻⁶ kW.
    pub(crate) minimum: i64,
    pub(crate) ratchet: Option<CompiledRatchet>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompiledDemandRate {
    /// Number of the register.
    pub(crate) register: u16,
    /// Upper end in 10⁻⁶ kW (none in the last tier) and price in 10⁻¹⁸ per kW. Empty where it is only measured.
    pub(crate) tiers: Vec<(Option<i64>, i128)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompiledRatchet {
    pub(crate) lookback: u32,
    /// Share of an earlier peak by its month, 10⁻⁶.
    pub(crate) share: [i64; 12],
    /// Share of the own peak by month, 10⁻⁶.
    pub(crate) own_share: [i64; 12],
    /// Registers whose peaks count later.
    pub(crate) sources: Vec<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompiledContract {
    pub(crate) name: String,
    pub(crate) unit: ContractUnit,
    pub(crate) price: i128,
    /// Demand charge (its place in the version) whose peak is compared.
    pub(crate) demand: Option<usize>,
    /// Share of the contract in 10⁻⁶ and price above it in 10⁻¹⁸.
    pub(crate) over: Vec<(i64, i128)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompiledFixed {
    pub(crate) name: String,
    pub(crate) price: i128,
    pub(crate) per: FixedPer,
    pub(crate) days: FixedDays,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompiledPowerFactor {
    /// Lowest power factor of the step in hundredths, and per cent in 10⁻⁶, falling.
    pub(crate) table: Vec<(i64, i64)>,
    pub(crate) base: Base,
    /// Names of components that the base is without.
    pub(crate) without: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompiledMinimum {
    /// 10⁻¹⁸.
    pub(crate) monthly: Option<i128>,
    pub(crate) annual: Option<i128>,
    pub(crate) base: Base,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompiledTax {
    pub(crate) name: String,
    pub(crate) kind: TaxKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TaxKind {
    /// Per cent in 10⁻⁶, added to the base.
    Added { percent: i64, base: Base },
    /// Per cent in 10⁻⁶, part of the base already.
    Included { percent: i64, base: Base },
    /// Price in 10⁻¹⁸ per kWh.
    PerKwh { price: i128 },
}

/// Places in the list of a bill's subtotals: energy, demand charges, contracts, fixed charges, other fixed charges, power
/// factor, minimum, taxes, in this order.
pub(crate) type Base = Vec<usize>;

impl CompiledVersion {
    /// Place of the first demand charge among the subtotals.
    pub(crate) const FIRST_DEMAND: usize = 1;

    pub(crate) fn first_contract(&self) -> usize {
        self.demand.len().saturating_add(Self::FIRST_DEMAND)
    }

    pub(crate) fn first_fixed(&self) -> usize {
        self.first_contract().saturating_add(self.contract.len())
    }

    /// Place of fixed charges that only earlier versions of the same bill have.
    pub(crate) fn other_fixed(&self) -> usize {
        self.first_fixed().saturating_add(self.fixed.len())
    }

    pub(crate) fn power_factor_place(&self) -> usize {
        self.other_fixed().saturating_add(1)
    }

    pub(crate) fn minimum_place(&self) -> usize {
        self.power_factor_place().saturating_add(1)
    }

    pub(crate) fn first_tax(&self) -> usize {
        self.minimum_place().saturating_add(1)
    }

    pub(crate) fn subtotals(&self) -> usize {
        self.first_tax().saturating_add(self.taxes.len())
    }
}

impl CompiledLadder {
    /// One tier.
    pub(crate) const fn none() -> Self {
        let kind = LadderKind::None;
        Self {
            kind,
            cycle: Cycle::MONTHLY,
            sets: Vec::new(),
            set_of_month: [0; 12],
            allowances: Vec::new(),
            demand: None,
        }
    }

    /// Limits in the months (0 is January) of a bill's last day.
    pub(crate) fn limits(&self, month: u8) -> &[CompiledLimit] {
        let set = self.set_of_month.get(usize::from(month)).copied().unwrap_or(0);
        self.sets.get(usize::from(set)).map_or(&[], Vec::as_slice)
    }
}

impl CompiledEnergy {
    /// Energy registers that an open bill keeps of this version.
    pub(crate) fn cells(&self) -> usize {
        match self.ladder.kind {
            LadderKind::None | LadderKind::Streamed(_) => self.prices.len(),
            LadderKind::Deferred(_) => self.rates.len(),
        }
    }
}

impl CompiledTariff {
    /// Name of the tariff.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Currency of all amounts.
    pub fn currency(&self) -> &str {
        &self.currency
    }

    /// Names of the rates in force at an instant, in the order of the document; empty outside all versions.
    pub fn rate_names(&self, utc_s: i64) -> Vec<&str> {
        let numbers = self.version_at(utc_s).map_or(&[][..], |version| &version.energy.rates);
        numbers.iter().filter_map(|number| self.rate_names.get(usize::from(*number)).map(String::as_str)).collect()
    }

    /// The billing period in which an instant lies: its first instant and the first one after it. `None` beyond the calendar.
    pub fn billing_period(&self, utc_s: i64) -> Option<(i64, i64)> {
        let (from, to) = self.billing.span(self.zone.day(utc_s))?;
        Some((self.zone.day_start(from), self.zone.day_start(to)))
    }

    /// The first instant of a local date such as `"2025-01-31"`, seconds since 1970-01-01T00:00:00Z; `None` if it is no date.
    pub fn day_start_utc_s(&self, date: &str) -> Option<i64> {
        parse_date(date).map(|date| self.zone.day_start(day_number(date)))
    }

    /// The local date of an instant; `None` beyond the calendar.
    pub fn date_of_utc_s(&self, utc_s: i64) -> Option<chrono::NaiveDate> {
        date_of(self.zone.day(utc_s))
    }

    pub(crate) fn version_at(&self, utc_s: i64) -> Option<&CompiledVersion> {
        self.version_index(utc_s).and_then(|index| self.versions.get(index))
    }

    pub(crate) fn version_index(&self, utc_s: i64) -> Option<usize> {
        let after = self.versions.partition_point(|version| version.from_utc_s <= utc_s);
        let index = after.checked_sub(1)?;
        self.versions.get(index).filter(|version| utc_s < version.until_utc_s).map(|_| index)
    }

    pub(crate) fn rate_name(&self, number: u16) -> &str {
        self.rate_names.get(usize::from(number)).map_or("", String::as_str)
    }

    pub(crate) fn demand_name(&self, number: u16) -> &str {
        self.demand_names.get(usize::from(number)).map_or("", String::as_str)
    }
}
