//! The rows of one transaction: events, journal, keys, readings, and the projections that follow from them.

use super::{Poll, State, projection, sell::SellRecord, signed};
use crate::store::{Store, StoreError, from_json, json};
use prepay_core::{
    account::{Event, Fact},
    id::{AccountId, MeterNumber},
    ledger::{Entry, Key},
    reading::MeterReading,
};
use sqlx::{Any, AnyPool, Row, Transaction};
use std::collections::{BTreeMap, BTreeSet};

const SECONDS_A_DAY: i64 = 86_400;

/// What has come together for one transaction.
#[derive(Default)]
pub(super) struct Rows {
    events: Vec<(i64, Event)>,
    journal: Vec<Entry>,
    keys: BTreeMap<Key, (SellRecord, i64)>,
    latest: BTreeMap<MeterNumber, Poll>,
    status: Vec<Poll>,
    curve: Vec<Poll>,
    links: BTreeMap<MeterNumber, Option<i64>>,
    proved: Vec<AccountId>,
    ordered: Vec<OrderedRow>,
    outcomes: Vec<OutcomeRow>,
    misfit: Option<String>,
}

/// The row of a batch whose order was given or refused.
pub(super) struct OrderedRow {
    pub(super) batch: i64,
    pub(super) meter: MeterNumber,
    pub(super) state: &'static str,
    pub(super) version: u32,
    pub(super) reason: String,
    pub(super) utc_s: i64,
}

/// What a line knows about an order.
struct OutcomeRow {
    meter: MeterNumber,
    version: u32,
    state: &'static str,
    reason: String,
    utc_s: i64,
}

impl Rows {
    pub(super) fn ordered(&mut self, row: OrderedRow) {
        self.ordered.push(row);
    }

    pub(super) fn outcome(
        &mut self,
        meter: MeterNumber,
        version: u32,
        state: &'static str,
        reason: String,
        utc_s: i64,
    ) {
        self.outcomes.push(OutcomeRow { meter, version, state, reason, utc_s });
    }

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
        self.status.push(poll.clone());
        self.heard(poll.reading.meter);
    }

    pub(super) fn curve(&mut self, poll: &Poll) {
        self.curve.push(poll.clone());
    }

    pub(super) fn heard(&mut self, meter: MeterNumber) {
        self.links.insert(meter, None);
    }

    /// The meter of a restored account was read.
    pub(super) fn proved(&mut self, account: AccountId) {
        self.proved.push(account);
    }

    pub(super) fn silent(&mut self, meter: MeterNumber, utc_s: i64) {
        self.links.insert(meter, Some(utc_s));
    }

    /// What is known of a key, in this batch or in the file.
    pub(super) async fn prior(&self, pool: &AnyPool, key: &Key) -> Result<Option<SellRecord>, StoreError> {
        if let Some((record, _)) = self.keys.get(key) {
            return Ok(Some(record.clone()));
        }
        let text = key.hash().to_string();
        let row = sqlx::query("SELECT record FROM idempotency WHERE key = $1").bind(&text).fetch_optional(pool).await?;
        row.map(|row| from_json("idempotency", &text, row.try_get("record")?)).transpose()
    }

    /// Writes everything in one transaction and waits until it is durable.
    pub(super) async fn write(self, store: &Store, state: &State) -> Result<(), StoreError> {
        if let Some(reason) = &self.misfit {
            return Err(StoreError::damaged("memory", "batch", reason));
        }
        let nothing = self.events.is_empty()
            && self.keys.is_empty()
            && self.latest.is_empty()
            && self.links.is_empty()
            && self.ordered.is_empty()
            && self.outcomes.is_empty();
        if nothing {
            return Ok(());
        }
        let mut tx = store.begin().await?;
        // Before the events, which move these rows on.
        for row in &self.ordered {
            update_ordered(&mut tx, row).await?;
        }
        for (id, event) in &self.events {
            insert_event(&mut tx, *id, event).await?;
            projection::event(&mut tx, *id, event).await?;
        }
        for row in &self.outcomes {
            update_outcome(&mut tx, row).await?;
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
        for account in &self.proved {
            sqlx::query("DELETE FROM unproved WHERE account = $1").bind(signed(account.0)).execute(&mut *tx).await?;
        }
        let mut touched: BTreeSet<AccountId> = self.events.iter().map(|(_, event)| event.account).collect();
        for poll in self.latest.values() {
            insert_latest(&mut tx, poll).await?;
            touched.extend(poll.account);
        }
        for poll in &self.status {
            insert_status(&mut tx, poll).await?;
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
            projection::account(&mut tx, account, poll.map(|poll| &poll.reading)).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

async fn update_ordered(tx: &mut Transaction<'_, Any>, row: &OrderedRow) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE batch_meter SET state = $3, version = $4, reason = $5, changed_utc_s = $6
         WHERE batch = $1 AND meter = $2",
    )
    .bind(row.batch)
    .bind(row.meter.to_string())
    .bind(row.state)
    .bind(i64::from(row.version))
    .bind(&row.reason)
    .bind(row.utc_s)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A row that a read-back has closed stays closed.
async fn update_outcome(tx: &mut Transaction<'_, Any>, row: &OutcomeRow) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE batch_meter SET state = $3, reason = $4, changed_utc_s = $5
         WHERE meter = $1 AND version = $2 AND version > 0 AND state IN ('sent', 'not_reached', 'unknown', 'refused')",
    )
    .bind(row.meter.to_string())
    .bind(i64::from(row.version))
    .bind(row.state)
    .bind(&row.reason)
    .bind(row.utc_s)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn insert_event(tx: &mut Transaction<'_, Any>, id: i64, event: &Event) -> Result<(), StoreError> {
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

async fn insert_latest(tx: &mut Transaction<'_, Any>, poll: &Poll) -> Result<(), StoreError> {
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

async fn insert_status(tx: &mut Transaction<'_, Any>, poll: &Poll) -> Result<(), StoreError> {
    let reading = &poll.reading;
    sqlx::query(
        "INSERT INTO status (day, meter, utc_s, energy_total, balance_minor, purchase_count, power_w, voltage_dv,
             status_1, status_2)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
    )
    .bind(reading.taken.utc_s.div_euclid(SECONDS_A_DAY))
    .bind(reading.meter.to_string())
    .bind(reading.taken.utc_s)
    .bind(signed(reading.energy.total_centi_kwh))
    .bind(reading.balance.minor())
    .bind(i64::from(reading.purchase_count))
    .bind(poll.power_w)
    .bind(poll.voltage_dv)
    .bind(i64::from(poll.status[0]))
    .bind(i64::from(poll.status[1]))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn insert_curve(tx: &mut Transaction<'_, Any>, poll: &Poll) -> Result<(), StoreError> {
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
