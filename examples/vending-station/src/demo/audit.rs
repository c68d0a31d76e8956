//! The audit at the end: reads the file again from its first row and compares what it finds with the closing reading of each
//! meter.

use super::report::{Counts, FleetCounts, Report, Side, open_sales};
use crate::{
    amount::minor,
    local_time,
    pricing::Pricing,
    station::Station,
    store::{
        StoreError,
        books::{State, audit, each_event},
        read::{self, CurveRow},
    },
};
use prepay_core::{
    account::{Account, Event, Fact, Notice, Purse},
    id::MeterNumber,
    ledger::{AccountKey, AccountKind},
    money::Money,
    reading::Rates,
    settlement::{PriceRequest, Pricer, PricerState, Usage},
    status::Credit,
};
use std::{collections::BTreeMap, time::Duration};

/// Kept readings of one meter that the audit looks at.
const CURVE_ROWS: i64 = 100_000;

/// Audits the books after the closing readings.
///
/// # Errors
/// [`StoreError`] when the file can't be read at all; a journal or event that does not fit is a finding.
pub async fn make(station: &Station, fleet: FleetCounts, ran: Duration) -> Result<Report, StoreError> {
    let mut findings = Vec::new();
    let state = match audit(station.store.readers(), station.currency).await {
        Ok(state) => Some(state),
        Err(StoreError::Damaged { table, row, reason }) => {
            findings.push(format!("{table} row {row}: {reason}"));
            None
        }
        Err(error) => return Err(error),
    };
    let mut counts = tally(station).await?;
    let totals = station.totals.snapshot();
    (counts.reads, counts.lost_replies) = (totals.reads, totals.lost_replies);
    let mut report = Report {
        local_time: local_time::stamp(station.clock.utc_s(), station.site.settings.utc_offset_min),
        seconds: ran.as_secs(),
        counts,
        fleet,
        in_meter: Side::default(),
        at_station: Side::default(),
        energy_centi_kwh: 0,
        debits_minor: String::new(),
        credits_minor: String::new(),
        meter_rounding_minor: 0,
        price_lag_minor: 0,
        journal_lines: 0,
        journal_head: String::new(),
        findings,
        places: station.site.settings.currency_places,
    };
    if let Some(state) = state {
        check_memory(station, &state, &mut report).await;
        check_ledger(&state, &mut report);
        check_accounts(station, &state, &mut report).await?;
    }
    if report.counts.price_drift > 0 {
        report
            .findings
            .push(format!("{} readings drift from the tariff by more than rounding", report.counts.price_drift));
    }
    Ok(report)
}

/// Counts what happened from the stored events.
async fn tally(station: &Station) -> Result<Counts, StoreError> {
    let mut counts = Counts::default();
    let mut at_station: BTreeMap<u64, bool> = BTreeMap::new();
    each_event(station.store.readers(), |event: &Event| {
        if let Fact::Opened { terms, .. } = &event.fact {
            at_station.insert(event.account.0, terms.purse == Purse::AtStation);
        }
        let by_station = i64::from(at_station.get(&event.account.0).copied().unwrap_or_default());
        match (&event.fact, Notice::of(event)) {
            (Fact::SaleRequested { .. }, _) => counts.sales += 1,
            (Fact::StationSaleMade { .. }, _) => {
                counts.sales += 1;
                counts.sales_applied += 1;
            }
            (Fact::SaleApplied { .. }, _) => counts.sales_applied += 1,
            (Fact::SaleVoided { .. }, _) => counts.sales_voided += 1,
            (Fact::CutVerified { .. }, _) => {
                counts.cut_offs += 1;
                counts.cut_offs_by_station += by_station;
            }
            (Fact::RestoreVerified { .. }, _) => {
                counts.restorations += 1;
                counts.restorations_by_station += by_station;
            }
            (Fact::CreditChanged { to, .. }, Some(Notice::CreditFell { .. })) => match to {
                Credit::Alarm1 => counts.alarm_1 += 1,
                Credit::Alarm2 => counts.alarm_2 += 1,
                Credit::Arrears => counts.arrears += 1,
                _ => {}
            },
            (Fact::Settled(_), notice) => {
                counts.settlements += 1;
                counts.price_drift += i64::from(notice.is_some());
            }
            _ => {}
        }
    })
    .await?;
    (counts.unknown, counts.unknown_resolved) = read::unknown_sales(&station.store).await?;
    Ok(counts)
}

/// The file makes the same state as the one that the station works with.
async fn check_memory(station: &Station, stored: &State, report: &mut Report) {
    let Ok(mut live) = station.books.look().await else {
        report.findings.push("the books have stopped".into());
        return;
    };
    for account in live.accounts.values_mut() {
        account.restarted();
    }
    if live.ledger.head() != stored.ledger.head() {
        report.findings.push("the journal in the file is not the journal in memory".into());
    }
    for (id, account) in &live.accounts {
        if account.terms().is_some() && stored.accounts.get(id) != Some(account) {
            report
                .findings
                .push(format!("account {}: the events in the file make another state than the one in memory", id.0));
        }
    }
}

fn check_ledger(state: &State, report: &mut Report) {
    let trial = state.ledger.trial_balance();
    if !trial.balances() {
        report.findings.push(format!("debits {} and credits {} differ", trial.debits, trial.credits));
    }
    let head = state.ledger.head();
    (report.debits_minor, report.credits_minor) = (trial.debits.to_string(), trial.credits.to_string());
    (report.journal_lines, report.journal_head) = (head.seq, head.hash.to_string());
    report.meter_rounding_minor = posted(state, AccountKey::house(AccountKind::MeterRounding));
    report.price_lag_minor = posted(state, AccountKey::house(AccountKind::PriceLag));
    let open = open_sales(state);
    if open > 0 {
        report.findings.push(format!("{open} sales are not settled"));
    }
}

fn posted(state: &State, key: AccountKey) -> i64 {
    state.ledger.balance(key).posted().map_or(i64::MAX, Money::minor)
}

async fn check_accounts(station: &Station, state: &State, report: &mut Report) -> Result<(), StoreError> {
    let rows = read::meters(&station.store).await?;
    let shown: BTreeMap<&str, &read::LatestRow> =
        rows.iter().filter_map(|row| Some((row.number.as_str(), row.latest.as_ref()?))).collect();
    for tenant in &station.site.tenants {
        if !rows
            .iter()
            .any(|row| row.shop.as_ref().is_some_and(|shop| shop.code == tenant.code && shop.books.is_some()))
        {
            report.findings.push(format!("shop {} was never opened", tenant.code));
        }
    }
    for account in state.accounts.values() {
        let Some(terms) = account.terms() else { continue };
        for meter in account.meters() {
            let number = meter.number();
            let name = format!("account {} meter {number}", account.id().0);
            if meter.quarantine().is_some() {
                report.findings.push(format!("{name} is quarantined"));
            }
            let Some(shown) = shown.get(number.to_string().as_str()) else {
                report.findings.push(format!("{name} has no reading"));
                continue;
            };
            let booked = meter.settled().energy.total_centi_kwh;
            if i64::try_from(booked) != Ok(shown.energy_total) {
                report.findings.push(format!("{name} shows {} x 0.01 kWh, booked is {booked}", shown.energy_total));
            }
            let writes = meter.posted_writes().wrapping_add(meter.foreign_writes());
            let expected = u64::from(meter.opened().purchase_count).wrapping_add(writes) & 0xFFFF;
            if i64::try_from(expected) != Ok(shown.purchase_count) {
                report
                    .findings
                    .push(format!("{name} shows purchase count {}, the books {expected}", shown.purchase_count));
            }
            let energy = meter.settled().energy.total_centi_kwh.wrapping_sub(meter.opened().energy.total_centi_kwh);
            report.energy_centi_kwh = report.energy_centi_kwh.saturating_add(energy);
            match terms.purse {
                Purse::InMeter => {
                    let ledger = posted(state, AccountKey::new(AccountKind::MeterPurse, number.get()));
                    add(&mut report.in_meter, ledger, shown.balance_minor);
                    if ledger != shown.balance_minor {
                        let (ledger, shown) = (minor(ledger, report.places), minor(shown.balance_minor, report.places));
                        report.findings.push(format!("{name} shows {shown}, the ledger {ledger}"));
                    }
                }
                Purse::AtStation => {
                    let ledger = posted(state, AccountKey::new(AccountKind::CustomerPurse, account.id().0));
                    let charge = reprice(station, account, number).await?;
                    let sold = read::sold_minor(&station.store, account.id().0).await?;
                    let opening = opening_minor(station, account);
                    let left = opening + sold - charge;
                    add(&mut report.at_station, ledger, left);
                    if ledger != left {
                        let (ledger, left) = (minor(ledger, report.places), minor(left, report.places));
                        report
                            .findings
                            .push(format!("{name}: opening, sales and tariff leave {left}, the ledger {ledger}"));
                    }
                }
            }
        }
    }
    Ok(())
}

fn add(side: &mut Side, ledger: i64, evidence: i64) {
    side.accounts += 1;
    side.ledger_minor += ledger;
    side.evidence_minor += evidence;
    side.differing += i64::from(ledger != evidence);
}

/// Credit from earlier books, by the site file.
fn opening_minor(station: &Station, account: &Account) -> i64 {
    let code = station.pricing.tenant_of(account.id());
    code.and_then(|code| station.site.tenant(code)).map_or(0, |tenant| tenant.opening_minor)
}

/// Prices the whole time again from the kept readings, in as few steps as the calendar allows: one a month and one over
/// each turn of the month. The result must be what was booked in many small steps.
async fn reprice(station: &Station, account: &Account, meter: MeterNumber) -> Result<i64, StoreError> {
    let Some(known) = account.meter(meter) else { return Ok(0) };
    let opened = known.opened();
    let mut rates = [0; 4];
    for (slot, value) in rates.iter_mut().zip(opened.energy.rates.as_slice()) {
        *slot = *value;
    }
    let mut rows = vec![CurveRow { utc_s: opened.taken.utc_s, total: opened.energy.total_centi_kwh, rates }];
    rows.extend(read::curve(&station.store, &meter.to_string(), opened.taken.utc_s, CURVE_ROWS).await?);
    let offset = station.site.settings.utc_offset_min;
    let month = |row: &CurveRow| local_time::at(row.utc_s, offset).map(|time| time.format("%Y-%m").to_string());
    let last = rows.len() - 1;
    let turns = |index: usize| {
        index == 0
            || index == last
            || month(&rows[index]) != month(&rows[index + 1])
            || month(&rows[index]) != month(&rows[index - 1])
    };
    let kept: Vec<&CurveRow> = rows.iter().enumerate().filter(|(index, _)| turns(*index)).map(|(_, row)| row).collect();
    let mut state = PricerState::default();
    let mut cumulative = rust_decimal::Decimal::ZERO;
    for pair in kept.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let mut used = [0; 4];
        for ((used, before), after) in used.iter_mut().zip(from.rates).zip(to.rates) {
            *used = after.saturating_sub(before);
        }
        let usage = Usage {
            from_utc_s: from.utc_s,
            to_utc_s: to.utc_s,
            total_centi_kwh: to.total.saturating_sub(from.total),
            rates: Rates::new(&used).map_err(|error| StoreError::damaged("curve", meter, error))?,
        };
        let request = PriceRequest { account: account.id(), meter, state: &state, usage };
        let pricing: &Pricing = &station.pricing;
        let priced = pricing.price(&request).map_err(|error| StoreError::damaged("curve", meter, error))?;
        (state, cumulative) = (priced.state, priced.cumulative);
    }
    let amount =
        Money::quantise(cumulative, station.currency).map_err(|error| StoreError::damaged("curve", meter, error))?;
    Ok(amount.amount.minor())
}
