//! The tables that the pages look at, as they follow from the events. The station writes them with each transaction; a check
//! writes them again from the first event on and compares.

use super::{CHANNELS, signed};
use crate::store::{StoreError, json};
use prepay_core::{
    account::{Account, Event, Fact, Notice, Payment, Purse},
    finding::Finding,
    id::SaleId,
    reading::MeterReading,
    sale::{Proof, SendOutcome},
    status::{DisplayState, LinkState, MoneyState, SupplyState},
};
use sqlx::{Any, Transaction};

/// What an event changes.
pub(in crate::store) async fn event(tx: &mut Transaction<'_, Any>, id: i64, event: &Event) -> Result<(), StoreError> {
    sale(tx, id, event).await?;
    relay_order(tx, event).await?;
    finding(tx, id, event).await
}

/// What an account's state changes: its row, and the sale that waits behind a quarantine.
pub(in crate::store) async fn account(
    tx: &mut Transaction<'_, Any>,
    account: &Account,
    reading: Option<&MeterReading>,
) -> Result<(), StoreError> {
    for (meter, sale) in account.meters().iter().filter_map(|meter| Some((meter, meter.sale()?))) {
        if meter.quarantine().is_some() {
            sqlx::query("UPDATE sale SET state = 'quarantined' WHERE id = $1")
                .bind(signed(sale.id.0))
                .execute(&mut **tx)
                .await?;
        }
    }
    shown(tx, account, reading).await
}

/// Moves the rows of batches along: a read-back closes what follows its version, a newer version what follows older ones.
async fn relay_order(tx: &mut Transaction<'_, Any>, event: &Event) -> Result<(), StoreError> {
    let (statement, meter, version) = match &event.fact {
        Fact::RelayConfirmed { meter, version } => (
            "UPDATE batch_meter SET state = 'done', reason = '', changed_utc_s = $3
             WHERE meter = $1 AND version = $2 AND version > 0
                 AND state IN ('sent', 'not_reached', 'unknown', 'refused')",
            meter,
            version,
        ),
        Fact::RelayDesired { meter, version, .. } => (
            "UPDATE batch_meter SET state = 'superseded', reason = 'a newer order', changed_utc_s = $3
             WHERE meter = $1 AND version < $2 AND version > 0 AND state IN ('sent', 'not_reached', 'unknown')",
            meter,
            version,
        ),
        _ => return Ok(()),
    };
    sqlx::query(statement)
        .bind(meter.to_string())
        .bind(i64::from(*version))
        .bind(event.utc_s)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Moves a sale's row along. The outbox row appears with the intent and is done with the verdict.
async fn sale(tx: &mut Transaction<'_, Any>, id: i64, event: &Event) -> Result<(), StoreError> {
    let (sale, state, closed, unknown) = match &event.fact {
        Fact::SaleRequested { sale, amount, payment, .. } => {
            let channel = match payment {
                Payment::Channel(channel) => channel_word(channel.0),
                Payment::Purse => "purse",
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
    tx: &mut Transaction<'_, Any>,
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

async fn finding(tx: &mut Transaction<'_, Any>, id: i64, event: &Event) -> Result<(), StoreError> {
    let found = match Notice::of(event) {
        Some(Notice::Finding { finding, .. }) => (finding_word(&finding), json(&finding)?),
        Some(Notice::Quarantined { reason, .. }) => ("quarantined", json(&reason)?),
        _ => return Ok(()),
    };
    sqlx::query("INSERT INTO finding (event, account, utc_s, kind, body) VALUES ($1, $2, $3, $4, $5)")
        .bind(id)
        .bind(signed(event.account.0))
        .bind(event.utc_s)
        .bind(found.0)
        .bind(found.1)
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
async fn shown(
    tx: &mut Transaction<'_, Any>,
    account: &Account,
    reading: Option<&MeterReading>,
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
    CHANNELS.iter().find(|(_, channel)| *channel == id).map_or("other", |(word, _)| word)
}
