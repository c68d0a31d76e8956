//! The rows of one transaction: events, journal, keys, readings, and the projections that follow from them.

use super::{Poll, State, writer::SellRecord};
use crate::store::{StoreError, from_json, json};
use prepay_core::{
    account::{Account, Event, Fact, Purse},
    finding::Finding,
    id::{AccountId, MeterNumber, SaleId},
    ledger::{Entry, Key},
    money::Currency,
    reading::MeterReading,
    sale::{Proof, SendOutcome},
    status::{DisplayState, LinkState, MoneyState, SupplyState},
};
use sqlx::{Row, Sqlite, SqlitePool, Transaction};
use std::collections::{BTreeMap, BTreeSet};

const SECONDS_A_DAY: i64 = 86_400;

/// What has come together for one transaction.
#[derive(Default)]
pub(super) struct Rows {
    events: Vec<(i64, Event)>,
    journal: Vec<Entry>,
    keys: BTreeMap<Key, (SellRecord, i64)>,
    latest: BTreeMap<MeterNumber, Poll>,
    curve: Vec<Poll>,
    links: BTreeMap<MeterNumber, Option<i64>>,
    misfit: Option<String>,
}

impl Rows {
    pub(super) fn event(&mut self, id: i64, event: &Event) {
        self.events.push((id, event.clone()));
    }

    /// The state in memory is not to be trusted any more: the whole batch fails, and the file is read again.
    pub(super) fn misfit(&mut self, reason: &impl ToString) {
        self.misfit.get_or_insert_with(|| reason.to_string());
    }

    pub(super) fn journal(&mut self, entries: Vec<Entry>) {
        self.journal.extend(entries);
    }

    pub(super) fn key(&mut self, record: SellRecord, utc_s: i64) {
        self.keys.insert(record.key, (record, utc_s));
    }

    pub(super) fn latest(&mut self, poll: &Poll) {
        self.latest.insert(poll.reading.meter, poll.clone());
        self.heard(poll.reading.meter);
    }

    pub(super) fn curve(&mut self, poll: &Poll) {
        self.curve.push(poll.clone());
    }

    pub(super) fn heard(&mut self, meter: MeterNumber) {
        self.links.insert(meter, None);
    }

    pub(super) fn silent(&mut self, meter: MeterNumber, utc_s: i64) {
        self.links.insert(meter, Some(utc_s));
    }

    /// What is known of a key, in this batch or in the file.
    pub(super) async fn prior(&self, pool: &SqlitePool, key: &Key) -> Result<Option<SellRecord>, StoreError> {
        if let Some((record, _)) = self.keys.get(key) {
            return Ok(Some(record.clone()));
        }
        let text = key.hash().to_string();
        let row = sqlx::query("SELECT record FROM idempotency WHERE key = $1").bind(&text).fetch_optional(pool).await?;
        row.map(|row| from_json("idempotency", &text, row.try_get("record")?)).transpose()
    }

    /// Writes everything in one transaction and waits until it is durable.
    pub(super) async fn write(self, pool: &SqlitePool, state: &State, currency: Currency) -> Result<(), StoreError> {
        if let Some(reason) = &self.misfit {
            return Err(StoreError::damaged("memory", "batch", reason));
        }
        let nothing = self.events.is_empty() && self.keys.is_empty() && self.latest.is_empty() && self.links.is_empty();
        if nothing {
            return Ok(());
        }
        let mut tx = pool.begin().await?;
        for (id, event) in &self.events {
            insert_event(&mut tx, *id, event).await?;
            project_sale(&mut tx, *id, event).await?;
            project_finding(&mut tx, *id, event).await?;
        }
        for entry in &self.journal {
            sqlx::query("INSERT INTO journal (seq, body) VALUES ($1, $2)")
                .bind(signed(entry.seq))
                .bind(json(entry)?)
                .execute(&mut *tx)
                .await?;
        }
        for (record, utc_s) in self.keys.values() {
            sqlx::query("INSERT INTO idempotency (key, record, utc_s) VALUES ($1, $2, $3)")
                .bind(record.key.hash().to_string())
                .bind(json(record)?)
                .bind(utc_s)
                .execute(&mut *tx)
                .await?;
        }
        let mut touched: BTreeSet<AccountId> = self.events.iter().map(|(_, event)| event.account).collect();
        for poll in self.latest.values() {
            insert_latest(&mut tx, poll).await?;
            touched.extend(poll.account);
        }
        for poll in &self.curve {
            insert_curve(&mut tx, poll).await?;
        }
        for (meter, since) in &self.links {
            let meter = meter.to_string();
            match since {
                None => sqlx::query("DELETE FROM silent WHERE meter = $1").bind(meter),
                Some(utc_s) => sqlx::query(
                    "INSERT INTO silent (meter, since_utc_s) VALUES ($1, $2) ON CONFLICT (meter) DO NOTHING",
                )
                .bind(meter)
                .bind(utc_s),
            }
            .execute(&mut *tx)
            .await?;
        }
        for account in touched.iter().filter_map(|id| state.accounts.get(id)) {
            let poll = account.meters().first().and_then(|meter| self.latest.get(&meter.number()));
            for (meter, sale) in account.meters().iter().filter_map(|meter| Some((meter, meter.sale()?))) {
                if meter.quarantine().is_some() {
                    sqlx::query("UPDATE sale SET state = 'quarantined' WHERE id = $1")
                        .bind(signed(sale.id.0))
                        .execute(&mut *tx)
                        .await?;
                }
            }
            project_account(&mut tx, account, poll.map(|poll| &poll.reading), currency).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

async fn insert_event(tx: &mut Transaction<'_, Sqlite>, id: i64, event: &Event) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO event (id, account, seq, utc_s, kind, body) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(id)
        .bind(signed(event.account.0))
        .bind(signed(event.seq))
        .bind(event.utc_s)
        .bind(kind_of(&event.fact)?)
        .bind(json(event)?)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The stable name of a fact: its tag.
fn kind_of(fact: &Fact) -> Result<String, StoreError> {
    let value = serde_json::to_value(fact).map_err(|error| StoreError::damaged("event", "new", error))?;
    match value {
        serde_json::Value::String(tag) => Ok(tag),
        serde_json::Value::Object(fields) if fields.len() == 1 => Ok(fields.keys().next().cloned().unwrap_or_default()),
        other => Err(StoreError::damaged("event", "new", format!("{other} is no tagged fact"))),
    }
}

/// Moves a sale's row along. The outbox row appears with the intent and is done with the verdict.
async fn project_sale(tx: &mut Transaction<'_, Sqlite>, id: i64, event: &Event) -> Result<(), StoreError> {
    let (sale, state, closed, unknown) = match &event.fact {
        Fact::SaleRequested { sale, amount, payment, .. } => {
            let channel = match payment {
                prepay_core::account::Payment::Channel(channel) => channel_word(channel.0),
                prepay_core::account::Payment::Purse => "purse",
            };
            return insert_sale(tx, event, *sale, amount.minor(), channel, "requested", false).await;
        }
        Fact::StationSaleMade { sale, amount, channel, .. } => {
            return insert_sale(tx, event, *sale, amount.minor(), channel_word(channel.0), "applied", true).await;
        }
        Fact::SaleBegun { sale, meter, amount, new_count, .. } => {
            sqlx::query(
                "INSERT INTO outbox (sale, event, meter, amount_minor, new_count, state) VALUES ($1, $2, $3, $4, $5, 'open')",
            )
            .bind(signed(sale.0))
            .bind(id)
            .bind(signed(meter.get()))
            .bind(amount.minor())
            .bind(i64::from(*new_count))
            .execute(&mut **tx)
            .await?;
            (*sale, "intended", false, false)
        }
        Fact::SaleSent { sale, outcome, .. } => match outcome {
            SendOutcome::NoReply => (*sale, "unknown", false, true),
            SendOutcome::ReplySeen | SendOutcome::NotTransmitted => (*sale, "intended", false, false),
        },
        Fact::SaleUnknown { sale, .. } => (*sale, "unknown", false, true),
        Fact::SaleNotApplied { sale, .. } => (*sale, "intended", false, false),
        Fact::SaleApplied { sale, proof, .. } => {
            let state = if matches!(proof, Proof::CountOnly) { "applied_by_count" } else { "applied" };
            (*sale, state, true, false)
        }
        Fact::SaleVoided { sale, .. } => (*sale, "voided", true, false),
        _ => return Ok(()),
    };
    sqlx::query(
        "UPDATE sale SET state = $2, closed_utc_s = CASE WHEN $3 THEN $4 ELSE closed_utc_s END,
             was_unknown = CASE WHEN $5 THEN 1 ELSE was_unknown END
         WHERE id = $1",
    )
    .bind(signed(sale.0))
    .bind(state)
    .bind(closed)
    .bind(event.utc_s)
    .bind(unknown)
    .execute(&mut **tx)
    .await?;
    if closed {
        sqlx::query("UPDATE outbox SET state = 'done' WHERE sale = $1").bind(signed(sale.0)).execute(&mut **tx).await?;
    }
    Ok(())
}

async fn insert_sale(
    tx: &mut Transaction<'_, Sqlite>,
    event: &Event,
    sale: SaleId,
    amount_minor: i64,
    channel: &str,
    state: &str,
    closed: bool,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sale (id, account, amount_minor, channel, requested_utc_s, state, closed_utc_s)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(signed(sale.0))
    .bind(signed(event.account.0))
    .bind(amount_minor)
    .bind(channel)
    .bind(event.utc_s)
    .bind(state)
    .bind(closed.then_some(event.utc_s))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn project_finding(tx: &mut Transaction<'_, Sqlite>, id: i64, event: &Event) -> Result<(), StoreError> {
    let finding = match prepay_core::account::Notice::of(event) {
        Some(prepay_core::account::Notice::Finding { finding, .. }) => (finding_word(&finding), json(&finding)?),
        Some(prepay_core::account::Notice::Quarantined { reason, .. }) => ("quarantined", json(&reason)?),
        _ => return Ok(()),
    };
    sqlx::query("INSERT INTO finding (event, account, utc_s, kind, body) VALUES ($1, $2, $3, $4, $5)")
        .bind(id)
        .bind(signed(event.account.0))
        .bind(event.utc_s)
        .bind(finding.0)
        .bind(finding.1)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

fn finding_word(finding: &Finding) -> &'static str {
    match finding {
        Finding::PriceDrift { .. } => "price_drift",
        Finding::NotCut => "not_cut",
        Finding::NotRestored => "not_restored",
        Finding::ArrearsFlag { .. } => "arrears_flag",
        Finding::Force { .. } => "force",
        Finding::Relay { .. } => "relay",
        Finding::PrepaidFunction { .. } => "prepaid_function",
        Finding::RatesAgainstTotal { .. } => "rates_against_total",
        Finding::NoPrice => "no_price",
        _ => "other",
    }
}

/// What the pages show of an account: with the purse in the meter the credit is what the meter showed last.
async fn project_account(
    tx: &mut Transaction<'_, Sqlite>,
    account: &Account,
    reading: Option<&MeterReading>,
    _currency: Currency,
) -> Result<(), StoreError> {
    let (Some(meter), Some(terms)) = (account.meters().first(), account.terms()) else { return Ok(()) };
    let Some(shown) = account.display_state(meter.number()) else { return Ok(()) };
    let balance = match (terms.purse, reading) {
        (Purse::InMeter, Some(reading)) => Some(reading.balance.minor()),
        (Purse::InMeter, None) => None,
        (Purse::AtStation, _) => Some(account.purse().minor() - account.held().minor()),
    };
    let updated = reading.map_or(meter.settled().taken.utc_s, |reading| reading.taken.utc_s);
    sqlx::query(
        "INSERT INTO account (id, money_state, supply_state, quarantined, balance_minor, available_minor, updated_utc_s)
         VALUES ($1, $2, $3, $4, coalesce($5, $6), coalesce($5, $6), $7)
         ON CONFLICT (id) DO UPDATE SET money_state = excluded.money_state, supply_state = excluded.supply_state,
             quarantined = excluded.quarantined, balance_minor = coalesce($5, account.balance_minor),
             available_minor = coalesce($5, account.available_minor), updated_utc_s = excluded.updated_utc_s",
    )
    .bind(signed(account.id().0))
    .bind(money_word(&shown))
    .bind(supply_word(&shown, meter.relay_closed()))
    .bind(i64::from(shown.link == LinkState::Quarantined))
    .bind(balance)
    .bind(meter.settled().balance.minor())
    .bind(updated)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn money_word(shown: &DisplayState) -> &'static str {
    match shown.money {
        MoneyState::NotOpened => "not_opened",
        MoneyState::Normal => "normal",
        MoneyState::Alarm1 => "alarm_1",
        MoneyState::Alarm2 => "alarm_2",
        MoneyState::Arrears => "arrears",
    }
}

fn supply_word(shown: &DisplayState, relay_closed: Option<bool>) -> &'static str {
    match shown.supply {
        SupplyState::Prepaid if relay_closed == Some(false) => "off",
        SupplyState::Prepaid => "prepaid",
        SupplyState::KeepPower => "keep_power",
        SupplyState::ForcedOff => "forced_off",
        SupplyState::Shed => "shed",
        SupplyState::OverloadTrip => "overload_trip",
        SupplyState::WorkTag => "work_tag",
    }
}

fn channel_word(id: u64) -> &'static str {
    super::CHANNELS.iter().find(|(_, channel)| *channel == id).map_or("other", |(word, _)| word)
}

async fn insert_latest(tx: &mut Transaction<'_, Sqlite>, poll: &Poll) -> Result<(), StoreError> {
    let reading = &poll.reading;
    let rates = four(reading);
    sqlx::query(
        "INSERT INTO latest (meter, read_utc_s, energy_total, energy_spike, energy_peak, energy_flat, energy_valley,
             balance_minor, purchase_count, power_w, voltage_dv, status_1, status_2, clock_drift_s)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         ON CONFLICT (meter) DO UPDATE SET read_utc_s = excluded.read_utc_s, energy_total = excluded.energy_total,
             energy_spike = excluded.energy_spike, energy_peak = excluded.energy_peak, energy_flat = excluded.energy_flat,
             energy_valley = excluded.energy_valley, balance_minor = excluded.balance_minor,
             purchase_count = excluded.purchase_count, power_w = excluded.power_w, voltage_dv = excluded.voltage_dv,
             status_1 = excluded.status_1, status_2 = excluded.status_2, clock_drift_s = excluded.clock_drift_s",
    )
    .bind(reading.meter.to_string())
    .bind(reading.taken.utc_s)
    .bind(signed(reading.energy.total_centi_kwh))
    .bind(rates[0])
    .bind(rates[1])
    .bind(rates[2])
    .bind(rates[3])
    .bind(reading.balance.minor())
    .bind(i64::from(reading.purchase_count))
    .bind(poll.power_w)
    .bind(poll.voltage_dv)
    .bind(i64::from(poll.status[0]))
    .bind(i64::from(poll.status[1]))
    .bind(poll.clock_drift_s)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn insert_curve(tx: &mut Transaction<'_, Sqlite>, poll: &Poll) -> Result<(), StoreError> {
    let reading = &poll.reading;
    let rates = four(reading);
    sqlx::query(
        "INSERT INTO curve (day, meter, utc_s, energy_total, energy_spike, energy_peak, energy_flat, energy_valley,
             balance_minor, purchase_count)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
    )
    .bind(reading.taken.utc_s.div_euclid(SECONDS_A_DAY))
    .bind(reading.meter.to_string())
    .bind(reading.taken.utc_s)
    .bind(signed(reading.energy.total_centi_kwh))
    .bind(rates[0])
    .bind(rates[1])
    .bind(rates[2])
    .bind(rates[3])
    .bind(reading.balance.minor())
    .bind(i64::from(reading.purchase_count))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The four rate columns; a meter with fewer rates leaves zeros.
fn four(reading: &MeterReading) -> [i64; 4] {
    let mut columns = [0; 4];
    for (column, value) in columns.iter_mut().zip(reading.energy.rates.as_slice()) {
        *column = signed(*value);
    }
    columns
}

/// Numbers of the core fit a column: counters from 1, meter numbers of 12 digits, registers of 8 digits.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
