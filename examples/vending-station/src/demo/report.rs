//! The table at the end: what happened, and whether the books and the meters agree to the last minor unit.

use crate::{
    amount::minor,
    local_time,
    station::Station,
    store::{StoreError, books::State, read},
};
use prepay_core::account::Account;
use serde::Serialize;
use std::fmt;

/// What the fleet counted by itself.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct FleetCounts {
    /// Frames that reached a line.
    pub requests: u64,
    /// Deliveries of bytes to the station.
    pub replies: u64,
    /// Meter states that were stored before a reply left.
    pub states_stored: u64,
}

/// What happened. Reads and lost replies are of this run, the rest since the books began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Good replies to reads.
    pub reads: i64,
    /// Requests whose reply did not come, or not whole.
    pub lost_replies: i64,
    /// Readings that were booked.
    pub settlements: i64,
    /// Sales that customers paid for.
    pub sales: i64,
    /// Sales that are closed by evidence, or credited at the station.
    pub sales_applied: i64,
    /// Sales that went back to the customer.
    pub sales_voided: i64,
    /// Sales whose outcome was unknown for a time.
    pub unknown: i64,
    /// Of those, settled by reading the meter.
    pub unknown_resolved: i64,
    /// Falls to the first alarm.
    pub alarm_1: i64,
    /// Falls to the second alarm.
    pub alarm_2: i64,
    /// Credit used up.
    pub arrears: i64,
    /// Supply cut for lack of credit, seen on the meter.
    pub cut_offs: i64,
    /// Of those, ordered by the station.
    pub cut_offs_by_station: i64,
    /// Supply restored, seen on the meter.
    pub restorations: i64,
    /// Of those, ordered by the station.
    pub restorations_by_station: i64,
    /// Readings where a meter took more or less than the tariff by more than rounding.
    pub price_drift: i64,
}

/// One kind of purse against its meters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Accounts.
    pub accounts: i64,
    /// Sum of the ledger's purses, minor units.
    pub ledger_minor: i64,
    /// Sum of what the meters show, or of what the tariff says is left, minor units.
    pub evidence_minor: i64,
    /// Accounts that differ.
    pub differing: i64,
}

/// The whole report.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// World time at the end.
    pub local_time: String,
    /// Length of this run in seconds of real time.
    pub seconds: u64,
    /// What happened.
    pub counts: Counts,
    /// What the fleet counted by itself.
    pub fleet: FleetCounts,
    /// Credit in meters.
    pub in_meter: Side,
    /// Credit at the station.
    pub at_station: Side,
    /// Energy that was booked, 0.01 kWh.
    pub energy_centi_kwh: u64,
    /// All posted debits, minor units.
    pub debits_minor: String,
    /// All posted credits, minor units.
    pub credits_minor: String,
    /// What meters rounded differently from the tariff, minor units.
    pub meter_rounding_minor: i64,
    /// What meters deducted by another price, minor units.
    pub price_lag_minor: i64,
    /// Lines of the journal, all with the right hash.
    pub journal_lines: u64,
    /// Hash of the last line.
    pub journal_head: String,
    /// What does not balance. Empty if all is well.
    pub findings: Vec<String>,
    /// Decimal places of the currency.
    #[serde(skip)]
    pub places: u8,
}

impl Report {
    /// Everything balances to the last minor unit.
    pub fn balances(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Sales that wait for evidence.
pub fn open_sales(state: &State) -> usize {
    state.accounts.values().flat_map(Account::meters).filter(|meter| meter.sale().is_some()).count()
}

/// One line while the demonstration runs.
///
/// # Errors
/// [`StoreError`].
pub async fn progress(station: &Station) -> Result<String, StoreError> {
    let rows = read::meters(&station.store).await?;
    let scale = station.scale();
    let lost = rows.iter().filter(|row| row.link(scale.now_utc_s, scale.stale_after_s) == "lost").count();
    let books = || rows.iter().filter_map(|row| row.shop.as_ref()?.books.as_ref());
    let money = |state: &str| books().filter(|books| books.money == state).count();
    let off = books().filter(|books| books.supply == "off").count();
    let totals = station.totals.snapshot();
    Ok(format!(
        "{}  open {}/{}  reads {}  lost replies {}  purchase frames {}  alarm 1 {}  alarm 2 {}  arrears {}  cut off {}  lost contact {}",
        local_time::stamp(scale.now_utc_s, scale.utc_offset_min),
        books().count(),
        station.site.tenants.len(),
        totals.reads,
        totals.lost_replies,
        totals.purchase_frames,
        money("alarm_1"),
        money("alarm_2"),
        money("arrears"),
        off,
        lost,
    ))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        let amount = |value: i64| minor(value, self.places);
        writeln!(f, "\n{:=^78}", format!(" {} after {} s ", self.local_time, self.seconds))?;
        let lines: [(&str, String); 11] = [
            (
                "reads",
                format!("{}  (fleet: {} requests, {} replies)", counts.reads, self.fleet.requests, self.fleet.replies),
            ),
            ("lost replies", counts.lost_replies.to_string()),
            ("booked readings", counts.settlements.to_string()),
            (
                "sales",
                format!("{} paid, {} credited, {} voided", counts.sales, counts.sales_applied, counts.sales_voided),
            ),
            (
                "unknown outcomes",
                format!("{}, {} resolved by reading the meter", counts.unknown, counts.unknown_resolved),
            ),
            ("alarm 1 / alarm 2", format!("{} / {}", counts.alarm_1, counts.alarm_2)),
            ("arrears", counts.arrears.to_string()),
            ("cut-offs", format!("{}, {} of them ordered by the station", counts.cut_offs, counts.cut_offs_by_station)),
            (
                "restorations",
                format!("{}, {} of them ordered by the station", counts.restorations, counts.restorations_by_station),
            ),
            ("price drift", format!("{} readings, {} in the ledger", counts.price_drift, amount(self.price_lag_minor))),
            ("meter rounding", amount(self.meter_rounding_minor)),
        ];
        for (name, value) in lines {
            writeln!(f, "  {name:<20}{value}")?;
        }
        writeln!(f, "{:-^78}", " ledger against meters ")?;
        writeln!(f, "  {:<20}{:>9}{:>17}{:>17}{:>11}", "", "accounts", "ledger", "evidence", "differing")?;
        for (name, side) in [("credit in meters", &self.in_meter), ("credit at station", &self.at_station)] {
            let (ledger, evidence) = (amount(side.ledger_minor), amount(side.evidence_minor));
            writeln!(f, "  {name:<20}{:>9}{ledger:>17}{evidence:>17}{:>11}", side.accounts, side.differing)?;
        }
        writeln!(
            f,
            "  energy booked       {} kWh",
            minor(i64::try_from(self.energy_centi_kwh).unwrap_or(i64::MAX), 2)
        )?;
        writeln!(f, "  debits = credits    {} = {} minor units", self.debits_minor, self.credits_minor)?;
        writeln!(
            f,
            "  journal             {} lines, head {}",
            self.journal_lines,
            self.journal_head.get(..16).unwrap_or_default()
        )?;
        if self.findings.is_empty() {
            write!(f, "{:=^78}", " everything balances to the last minor unit ")
        } else {
            for finding in &self.findings {
                writeln!(f, "  NOT BALANCED: {finding}")?;
            }
            write!(f, "{:=^78}", format!(" {} findings ", self.findings.len()))
        }
    }
}
