//! The bridge from `tariff-engine` to `prepay-core`: what energy costs, and what a meter needs to know of it.

use crate::site::{Site, model::TariffEntry};
use meter_protocol::acrel::{MicroPrices, Rate, Slot};
use prepay_core::{
    id::AccountId,
    settlement::{PriceRequest, Priced, Pricer, PricerRefusal, PricerState},
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use tariff_engine::on_meter::{MeterShape, MeterSlot};
use tariff_engine::{
    Amount, Borders, CompiledTariff, Direction, Energy, Opening, PeriodInputs, RateUsage, RunningBill, RunningState,
    Tariff, UsagePolicy,
};

/// The rates of a meter in the order of its registers, by the names that tariffs give them.
const METER_RATES: [&str; 4] = ["spike", "peak", "flat", "valley"];
/// A price in the protocol is a whole number of 10⁻⁶.
const MICRO_PLACES: u32 = 6;

/// A tariff that this station can't work with.
#[derive(Debug, thiserror::Error)]
#[error("tariff `{tariff}`: {reason}")]
pub struct PricingError {
    /// Its code.
    pub tariff: String,
    /// Why.
    pub reason: String,
}

/// What of a tariff stands in a meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnMeter {
    /// Prices by rate; none where the station does the pricing.
    pub prices: Option<MicroPrices>,
    /// When which rate applies; none where the rate does not matter.
    pub day: Option<Vec<Slot>>,
}

/// All tariffs of the site, and which account pays which.
#[derive(Debug)]
pub struct Pricing {
    tariffs: BTreeMap<String, Arc<Compiled>>,
    accounts: HashMap<AccountId, (String, Arc<Compiled>)>,
}

#[derive(Debug)]
struct Compiled {
    document: Tariff,
    tariff: CompiledTariff,
}

/// Where pricing of one meter stands: the bills that are closed, and the one that runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct State {
    /// Exact sum of the closed billing periods.
    closed: Amount,
    running: RunningState,
}

impl Pricing {
    /// Compiles the site's tariffs. `accounts` are the account numbers by tenant.
    ///
    /// # Errors
    /// [`PricingError`] for a tariff with charges that only a bill at the end of a period can make.
    pub fn new(site: &Site, accounts: &HashMap<String, i64>) -> Result<Self, PricingError> {
        let mut tariffs = BTreeMap::new();
        for TariffEntry { code, document } in &site.tariffs {
            let refuse = |reason: String| PricingError { tariff: code.clone(), reason };
            for (index, version) in document.versions.iter().enumerate() {
                let charges = [
                    ("demand", version.demand.is_empty()),
                    ("contract", version.contract.is_empty()),
                    ("fixed", version.fixed.is_empty()),
                    ("minimum", version.minimum.is_none()),
                    ("power_factor", version.power_factor.is_none()),
                    ("taxes", version.taxes.is_empty()),
                ];
                if let Some((field, _)) = charges.iter().find(|(_, absent)| !absent) {
                    return Err(refuse(format!("versions[{index}].{field}: a prepaid balance pays for energy only")));
                }
            }
            let tariff = document.compile().map_err(|error| refuse(error.to_string()))?;
            tariffs.insert(code.clone(), Arc::new(Compiled { document: document.clone(), tariff }));
        }
        let mut by_account = HashMap::new();
        for tenant in &site.tenants {
            let compiled = tariffs.get(&tenant.tariff).ok_or_else(|| missing(&tenant.tariff))?;
            if let Some(id) = accounts.get(&tenant.code) {
                by_account.insert(AccountId(id.unsigned_abs()), (tenant.code.clone(), compiled.clone()));
            }
        }
        Ok(Self { tariffs, accounts: by_account })
    }

    /// The tenant of an account.
    pub fn tenant_of(&self, account: AccountId) -> Option<&str> {
        self.accounts.get(&account).map(|(tenant, _)| tenant.as_str())
    }

    /// What a meter has to hold of a tariff at `now_utc_s`. With the purse at the station that is at most when to count by
    /// which rate.
    ///
    /// # Errors
    /// [`PricingError`] for what the meter can't carry: prices that climb with use, days that differ, or more digits than its
    /// registers have.
    pub fn on_meter(
        &self,
        code: &str,
        price_places: Option<u8>,
        in_meter: bool,
        now_utc_s: i64,
    ) -> Result<OnMeter, PricingError> {
        let compiled = self.tariffs.get(code).ok_or_else(|| missing(code))?;
        let refuse = |reason: String| PricingError { tariff: code.into(), reason };
        let single_rate = compiled.tariff.rate_names(now_utc_s).len() == 1;
        if !in_meter && single_rate {
            return Ok(OnMeter { prices: None, day: None });
        }
        // One day for the whole year: both day tables then hold the same, and the date table does not matter.
        let shape = MeterShape {
            price_places: price_places.unwrap_or(MeterShape::FOUR_RATES.price_places),
            day_tables: 1,
            date_entries: 1,
            ..MeterShape::FOUR_RATES
        };
        let held = compiled.tariff.on_meter(now_utc_s, &shape).map_err(|error| refuse(error.to_string()))?;
        let mut micro = [0; METER_RATES.len()];
        for ((slot, price), rate) in micro.iter_mut().zip(&held.prices).zip(METER_RATES) {
            let price = price.ok_or_else(|| refuse(format!("it has no rate `{rate}`, the meter has")))?;
            let mut exact = price.exact_per_kwh;
            if !price.error_per_kwh.is_zero() {
                return Err(refuse(format!(
                    "the price of `{rate}` is {exact}, the meter holds {} places",
                    shape.price_places
                )));
            }
            exact.rescale(MICRO_PLACES);
            *slot =
                u64::try_from(exact.mantissa()).map_err(|_| refuse(format!("the price of `{rate}` is negative")))?;
        }
        let [spike, peak, flat, valley] = micro;
        let day = held.day_tables.first().filter(|_| !single_rate).map(|day| day.iter().map(slot).collect());
        Ok(OnMeter { prices: in_meter.then_some(MicroPrices { spike, peak, flat, valley }), day })
    }

    /// Roughly what a kWh costs at its dearest, in 0.0001 of the currency: for whoever makes up a world.
    ///
    /// # Errors
    /// [`PricingError`] for a tariff without a price.
    pub fn hint(&self, code: &str, now_utc_s: i64) -> Result<u32, PricingError> {
        let refuse = |reason: String| PricingError { tariff: code.into(), reason };
        let tariff = &self.tariffs.get(code).ok_or_else(|| missing(code))?.tariff;
        let opening = Opening { from_utc_s: now_utc_s, ..Opening::default() };
        let bill = RunningBill::open(tariff, &opening).map_err(|error| refuse(error.to_string()))?;
        let mut dearest = Decimal::ZERO;
        for rate in tariff.rate_names(now_utc_s) {
            let price =
                bill.marginal_price(rate, &PeriodInputs::default()).map_err(|error| refuse(error.to_string()))?;
            dearest = dearest.max(price.price_per_kwh);
        }
        u32::try_from((dearest * Decimal::from(10_000)).trunc())
            .map_err(|_| refuse(format!("a price of {dearest} is out of range")))
    }
}

/// A switching time in the words of the protocol; the rates of the shape are the meter's own four.
fn slot(slot: &MeterSlot) -> Slot {
    let rate = match slot.rate {
        1 => Rate::Spike,
        2 => Rate::Peak,
        3 => Rate::Flat,
        _ => Rate::Valley,
    };
    Slot { hour: slot.hour, minute: slot.minute, rate }
}

fn missing(code: &str) -> PricingError {
    PricingError { tariff: code.into(), reason: "it does not exist".into() }
}

impl Compiled {
    /// The version in force, counted from 1.
    fn version_at(&self, utc_s: i64) -> u32 {
        // Dates in this form sort as text.
        let date = self.tariff.date_of_utc_s(utc_s).map(|date| date.to_string()).unwrap_or_default();
        let begun = self.document.versions.iter().filter(|version| version.from <= date).count();
        u32::try_from(begun).unwrap_or(u32::MAX)
    }

    /// Prices what was used, billing period by billing period. A reading over the end of a period is shared out by time.
    fn advance(&self, state: &PricerState, request: &PriceRequest<'_>) -> Result<(State, Decimal), PricerRefusal> {
        let usage = &request.usage;
        let refuse = |error: &dyn std::fmt::Display| PricerRefusal::BadUsage { reason: error.to_string() };
        let (mut closed, mut bill) = if state.as_bytes().is_empty() {
            let policy = UsagePolicy { borders: Borders::SplitProRata, ..UsagePolicy::default() };
            let opening = Opening { from_utc_s: usage.from_utc_s, policy, ..Opening::default() };
            let bill = RunningBill::open(&self.tariff, &opening).map_err(|error| refuse(&error))?;
            (Amount::ZERO, bill)
        } else {
            let damaged = |reason: String| PricerRefusal::BadState { reason };
            let stored: State = postcard::from_bytes(state.as_bytes()).map_err(|error| damaged(error.to_string()))?;
            let bill = RunningBill::resume(&self.tariff, stored.running).map_err(|error| damaged(error.to_string()))?;
            (stored.closed, bill)
        };
        let inputs = PeriodInputs::default();
        let mut from_utc_s = usage.from_utc_s;
        let mut energies = self.energies(request)?;
        while from_utc_s < usage.to_utc_s {
            let (_, period_end) = bill.period_utc_s();
            let whole =
                RateUsage { from_utc_s, to_utc_s: usage.to_utc_s, energies: &energies, direction: Direction::Import };
            let split = whole.split_pro_rata(period_end);
            let part = match &split {
                None => whole,
                Some(split) => RateUsage { to_utc_s: period_end, energies: &split.before, ..whole },
            };
            bill.push_registers(&part).map_err(|error| refuse(&error))?;
            from_utc_s = part.to_utc_s;
            let rest: Vec<Energy> = split.iter().flat_map(|split| &split.after).map(|(_, energy)| *energy).collect();
            if from_utc_s == period_end {
                let whole = bill.energy_amount(&inputs).map_err(|error| refuse(&error))?;
                closed = closed.plus(&whole).map_err(|error| refuse(&error))?;
                bill.settle(&inputs).map_err(|error| refuse(&error))?;
            }
            for ((_, energy), rest) in energies.iter_mut().zip(rest) {
                *energy = rest;
            }
        }
        let running = bill.energy_amount(&inputs).map_err(|error| refuse(&error))?;
        let cumulative = closed.plus(&running).map_err(|error| refuse(&error))?;
        let cumulative =
            cumulative.to_decimal().ok_or_else(|| refuse(&"the charge has more digits than a decimal holds"))?;
        Ok((State { closed, running: bill.into_state() }, cumulative))
    }

    /// The energies by the tariff's rates: all of it where there is one rate, by register where there are four.
    fn energies(&self, request: &PriceRequest<'_>) -> Result<Vec<(&str, Energy)>, PricerRefusal> {
        let usage = &request.usage;
        let energy = |centi_kwh: u64| {
            i64::try_from(centi_kwh)
                .ok()
                .and_then(Energy::from_centi_kwh)
                .ok_or_else(|| PricerRefusal::BadUsage { reason: format!("{centi_kwh} x 0.01 kWh is out of range") })
        };
        let names = self.tariff.rate_names(usage.from_utc_s);
        if usage.from_utc_s == usage.to_utc_s && !usage.is_zero() {
            return Err(PricerRefusal::BadUsage { reason: "energy in no time; the next reading prices it".into() });
        }
        match names.as_slice() {
            [only] => Ok(vec![(*only, energy(usage.total_centi_kwh)?)]),
            _ => {
                METER_RATES.iter().zip(usage.rates.as_slice()).map(|(name, used)| Ok((*name, energy(*used)?))).collect()
            }
        }
    }
}

impl Pricer for Pricing {
    fn price(&self, request: &PriceRequest<'_>) -> Result<Priced, PricerRefusal> {
        let (_, compiled) = self.accounts.get(&request.account).ok_or_else(|| PricerRefusal::NoTariff {
            reason: format!("account {} has no tariff", request.account.0),
        })?;
        let (state, cumulative) = compiled.advance(request.state, request)?;
        let bytes =
            postcard::to_allocvec(&state).map_err(|error| PricerRefusal::BadState { reason: error.to_string() })?;
        Ok(Priced {
            cumulative,
            // Prices of the site file include their taxes; a split comes with invoices.
            cumulative_tax: Decimal::ZERO,
            tariff_version: compiled.version_at(request.usage.to_utc_s),
            state: PricerState::new(bytes)?,
        })
    }
}
