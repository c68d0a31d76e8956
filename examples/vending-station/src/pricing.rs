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

#[cfg(test)]
mod tests {
    use super::*;
    use prepay_core::{id::MeterNumber, reading::Rates, settlement::Usage};

    const MALL: &str = include_str!("../demo/mall.toml");
    /// 2026-12-01 00:00 in the mall.
    const DECEMBER_UTC_S: i64 = 1_796_054_400;
    const HALF_HOUR: i64 = 1_800;

    fn mall() -> (Pricing, AccountId, AccountId) {
        let site = crate::site::from_toml("mall.toml", MALL).expect("good").site;
        let of = |tariff: &str| site.tenants.iter().find(|tenant| tenant.tariff == tariff).expect("there").code.clone();
        let accounts = HashMap::from([(of("ladder"), 1), (of("tou"), 2)]);
        (Pricing::new(&site, &accounts).expect("compiled"), AccountId(1), AccountId(2))
    }

    /// Prices a run of readings: (time, total, rates) in 0.01 kWh.
    fn run(pricing: &Pricing, account: AccountId, readings: &[(i64, u64, [u64; 4])]) -> Decimal {
        let meter = MeterNumber::new(1).expect("a number");
        let mut state = PricerState::default();
        let mut cumulative = Decimal::ZERO;
        for pair in readings.windows(2) {
            let ((from_utc_s, before, before_rates), (to_utc_s, after, after_rates)) = (pair[0], pair[1]);
            let mut used = [0; 4];
            for (index, slot) in used.iter_mut().enumerate() {
                *slot = after_rates[index] - before_rates[index];
            }
            let rates = Rates::new(&used).expect("four");
            let usage = Usage { from_utc_s, to_utc_s, total_centi_kwh: after - before, rates };
            let priced = pricing.price(&PriceRequest { account, meter, state: &state, usage }).expect("priced");
            (state, cumulative) = (priced.state, priced.cumulative);
        }
        cumulative
    }

    #[test]
    fn small_steps_cost_what_one_step_costs() {
        let (pricing, ladder, tou) = mall();
        let start = DECEMBER_UTC_S;
        let readings: Vec<_> = (0..=200_u64)
            .map(|n| (start + 60 * i64::try_from(n).unwrap(), n * 437, [n * 7, n * 130, n * 200, n * 100]))
            .collect();
        let ends = [readings[0], readings[200]];
        assert_eq!(run(&pricing, ladder, &readings), run(&pricing, ladder, &ends));
        assert_eq!(run(&pricing, tou, &readings), run(&pricing, tou, &ends));
        // 874 kWh: 200 at 0.6250, 400 at 0.7750, 274 at 0.9875.
        assert_eq!(run(&pricing, ladder, &ends), "705.575".parse().unwrap());
        // 14 kWh spike, 260 peak, 400 flat, 200 valley.
        assert_eq!(run(&pricing, tou, &ends), "607.1316".parse().unwrap());
    }

    #[test]
    fn the_ladder_begins_again_with_the_month() {
        let (pricing, ladder, _) = mall();
        let before = DECEMBER_UTC_S - HALF_HOUR;
        // 900 kWh in November, then 20 kWh over midnight, half of them in December.
        let readings =
            [(before - HALF_HOUR, 0, [0; 4]), (before, 90_000, [0; 4]), (DECEMBER_UTC_S + HALF_HOUR, 92_000, [0; 4])];
        // 200 x 0.6250 + 400 x 0.7750 + 310 x 0.9875, and 10 x 0.6250 in the new month.
        assert_eq!(run(&pricing, ladder, &readings), "747.375".parse().unwrap());
        // A reading that falls on midnight itself needs no split.
        let exact = [(before, 0, [0; 4]), (DECEMBER_UTC_S, 1_000, [0; 4]), (DECEMBER_UTC_S + HALF_HOUR, 2_000, [0; 4])];
        assert_eq!(run(&pricing, ladder, &exact), "12.50".parse().unwrap());
    }

    #[test]
    fn what_a_meter_can_not_carry_is_refused_by_name() {
        let (pricing, ..) = mall();
        let error = pricing.on_meter("ladder", Some(4), true, DECEMBER_UTC_S).expect_err("a ladder");
        assert!(error.to_string().contains("ladder of 3 tiers"), "{error}");
        let error = pricing.on_meter("tou", Some(3), true, DECEMBER_UTC_S).expect_err("too few places");
        assert!(error.to_string().contains("1.2764"), "{error}");
        let held = pricing.on_meter("tou", Some(4), true, DECEMBER_UTC_S).expect("carried");
        let prices = MicroPrices { spike: 1_276_400, peak: 1_063_700, flat: 638_200, valley: 287_100 };
        assert_eq!(held.prices, Some(prices));
        let day = held.day.expect("a day");
        assert_eq!(day[0], Slot { hour: 0, minute: 0, rate: Rate::Valley });
        assert_eq!(day[2], Slot { hour: 10, minute: 0, rate: Rate::Spike });
        assert_eq!(day.len(), 7);
    }
}
