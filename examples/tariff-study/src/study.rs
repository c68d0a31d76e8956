//! Bills of every tenant under every tariff.

use rust_decimal::Decimal;
use tariff_engine::{
    Amount, AmountError, CompiledTariff, Energy, Opening, PeakHistory, PeriodInputs, Rounding, RoundingMode,
    RunningBill, Series, UsageError,
};

use crate::load::Tenant;

/// Places to which sums are rounded for the tables.
const PLACES: u8 = 2;

/// All bills of a study.
pub(crate) struct Study {
    /// Names of the tariffs; the first is the one that the others are compared with.
    pub(crate) tariffs: Vec<String>,
    pub(crate) currency: String,
    pub(crate) year: i32,
    pub(crate) outcomes: Vec<Outcome>,
}

/// The year of one tenant.
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) energy: Energy,
    /// Bills of each tariff: last day of the bill and total.
    pub(crate) bills: Vec<Vec<(String, Amount)>>,
    /// The year under each tariff.
    pub(crate) totals: Vec<Decimal>,
    /// The same, with each tariff's prices scaled so that all tenants together pay what they pay under the first one.
    pub(crate) scaled: Vec<Decimal>,
}

/// Why a study has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StudyError {
    #[error("{tenant} under {tariff:?}: {error}")]
    Usage { tenant: String, tariff: String, error: UsageError },
    #[error("the year {year} does not exist in the tariff {tariff:?}")]
    Year { tariff: String, year: i32 },
    #[error("{tenant} under {tariff:?}: {error}")]
    Amount { tenant: String, tariff: String, error: AmountError },
    #[error("the sum of all bills under {tariff:?} is nothing, so its prices can't be scaled")]
    Nothing { tariff: String },
    #[error("two tenants are called {name:?}")]
    Twice { name: String },
}

impl Study {
    /// Bills a year of each tenant; `done` hears of each one that is finished.
    pub(crate) fn run(
        tariffs: &[CompiledTariff],
        tenants: &[Tenant],
        year: i32,
        mut done: impl FnMut(&Tenant),
    ) -> Result<Self, StudyError> {
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(tenants.len());
        for tenant in tenants {
            if outcomes.iter().any(|other| other.name == tenant.name) {
                return Err(StudyError::Twice { name: tenant.name.clone() });
            }
            outcomes.push(outcome(tariffs, tenant, year)?);
            done(tenant);
        }
        let mut study = Self {
            tariffs: tariffs.iter().map(|tariff| tariff.name().to_string()).collect(),
            currency: tariffs.first().map_or_else(String::new, |tariff| tariff.currency().to_string()),
            year,
            outcomes,
        };
        study.scale()?;
        Ok(study)
    }

    /// What all tenants pay under a tariff.
    pub(crate) fn revenue(&self, tariff: usize) -> Decimal {
        self.outcomes.iter().filter_map(|outcome| outcome.totals.get(tariff)).sum()
    }

    fn scale(&mut self) -> Result<(), StudyError> {
        let base = self.revenue(0);
        for (place, name) in self.tariffs.clone().into_iter().enumerate() {
            let nothing = || StudyError::Nothing { tariff: name.clone() };
            let revenue = self.revenue(place);
            for outcome in &mut self.outcomes {
                let total = outcome.totals.get(place).copied().unwrap_or_default();
                let share = total.checked_div(revenue).ok_or_else(nothing)?;
                outcome.scaled.push(share.checked_mul(base).ok_or_else(nothing)?.round_dp(u32::from(PLACES)));
            }
        }
        Ok(())
    }
}

impl Outcome {
    /// What the tenant pays more than under the first tariff at equal revenue; negative is a gain.
    pub(crate) fn change(&self, tariff: usize) -> Decimal {
        let of = |tariff: usize| self.scaled.get(tariff).copied().unwrap_or_default();
        of(tariff) - of(0)
    }

    /// The same in per cent of the first tariff's bill.
    pub(crate) fn change_percent(&self, tariff: usize) -> Decimal {
        let base = self.scaled.first().copied().unwrap_or_default();
        (self.change(tariff) * Decimal::ONE_HUNDRED).checked_div(base).unwrap_or_default().round_dp(2)
    }

    /// Mean price of a kWh.
    pub(crate) fn mean_price(&self, tariff: usize) -> Decimal {
        let total = self.totals.get(tariff).copied().unwrap_or_default();
        total.checked_div(self.energy.to_decimal()).unwrap_or_default().round_dp(4)
    }
}

fn outcome(tariffs: &[CompiledTariff], tenant: &Tenant, year: i32) -> Result<Outcome, StudyError> {
    let mut outcome = Outcome {
        name: tenant.name.clone(),
        kind: tenant.kind.clone(),
        energy: Energy::ZERO,
        bills: Vec::new(),
        totals: Vec::new(),
        scaled: Vec::new(),
    };
    for tariff in tariffs {
        let usage = |error| StudyError::Usage { tenant: tenant.name.clone(), tariff: tariff.name().into(), error };
        let amount = |error| StudyError::Amount { tenant: tenant.name.clone(), tariff: tariff.name().into(), error };
        let start_utc_s = tariff.day_start_utc_s(&format!("{year:04}-01-01"));
        let start_utc_s = start_utc_s.ok_or_else(|| StudyError::Year { tariff: tariff.name().into(), year })?;
        let opening = Opening { from_utc_s: start_utc_s, history: PeakHistory::NewSupply, ..Opening::default() };
        let mut running = RunningBill::open(tariff, &opening).map_err(usage)?;
        let series = Series { start_utc_s, step_s: tenant.step_s, energies: &tenant.energies };
        let mut bills = Vec::new();
        let mut energy = Energy::ZERO;
        running
            .run_series(&series, &PeriodInputs::default(), |bill| {
                energy = energy.checked_add(bill.energy).unwrap_or(energy);
                bills.push((bill.to_date, bill.total));
            })
            .map_err(usage)?;
        let total = Amount::sum(bills.iter().map(|(_, total)| total)).map_err(amount)?;
        let cents = Rounding::new(PLACES, RoundingMode::HalfEven);
        outcome.totals.push(cents.map_or(Decimal::ZERO, |cents| total.round(cents)));
        outcome.bills.push(bills);
        outcome.energy = energy;
    }
    Ok(outcome)
}
