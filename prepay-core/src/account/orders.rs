//! Orders about supply: people's, and the relay orders that follow from all rules.

use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::effect::Effect;
use super::event::Fact;
use super::policies;
use super::refusal::Refusal;
use crate::bend;
use crate::bend::Bend;
use crate::id::{MeterNumber, OperatorId, Reason};
use crate::reading::{Force, MeterReading};
use crate::relay::{Decided, Order, StandingOrder};

/// An operator's order about supply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SupplyOrder {
    /// On, whatever the credit.
    KeepPower,
    /// Off, whatever the credit.
    ForcedOff,
    /// Back to the prepaid rules: lifts the two others.
    Prepaid,
}

/// How an order ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifted {
    /// Its time was over.
    Lapsed,
    /// Somebody ended it.
    By {
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
}

/// The longest wait between two writes of one relay order, in seconds.
pub(super) const RELAY_RETRY_MAX_S: i64 = 3600;

pub(super) fn order_supply(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    order: SupplyOrder,
    by: OperatorId,
    why: &Reason,
    until_utc_s: Option<i64>,
) -> Result<(), Refusal> {
    lapse(draft, meter)?;
    let state = draft.meter(meter)?;
    let stands = [
        (SupplyOrder::KeepPower, state.keep_power().is_some()),
        (SupplyOrder::ForcedOff, state.forced_off().is_some()),
    ];
    if order == SupplyOrder::ForcedOff && state.terms().never_cut {
        return Err(Refusal::NeverCut { meter, order: "force off" });
    }
    if let Some(until) = until_utc_s.filter(|until| order != SupplyOrder::Prepaid && *until <= draft.now.utc_s) {
        return Err(Refusal::UntilPast { until_utc_s: until, now_utc_s: draft.now.utc_s });
    }
    if order == SupplyOrder::Prepaid {
        for order in stands.into_iter().filter(|(_, stands)| *stands).map(|(order, _)| order) {
            let lifted = Lifted::By { by, why: why.clone() };
            draft.push(Fact::SupplyOrderLifted { meter, order, lifted })?;
        }
    } else {
        let standing = StandingOrder { by, why: why.clone(), until_utc_s };
        draft.push(Fact::SupplyOrdered { meter, order, standing })?;
    }
    refresh(draft, meter)
}

pub(super) fn place_lock_out(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    by: OperatorId,
    why: &Reason,
) -> Result<(), Refusal> {
    if draft.meter(meter)?.lock_out().is_some() {
        return Err(Refusal::OrderStands { meter, order: "lock-out" });
    }
    let standing = StandingOrder { by, why: why.clone(), until_utc_s: None };
    draft.push(Fact::LockOutPlaced { meter, standing })?;
    refresh(draft, meter)
}

pub(super) fn lift_lock_out(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    by: OperatorId,
    administrator: bool,
    why: &Reason,
) -> Result<(), Refusal> {
    let state = draft.meter(meter)?;
    let owner = state.lock_out().ok_or(Refusal::NoSuchOrder { meter, order: "lock-out" })?.by;
    if owner != by && !administrator {
        return Err(Refusal::NotOwner { meter, owner, by });
    }
    draft.push(Fact::LockOutLifted { meter, by, why: why.clone() })?;
    refresh(draft, meter)
}

pub(super) fn shed(draft: &mut Draft<'_>, meter: MeterNumber, shed: bool) -> Result<(), Refusal> {
    let state = draft.meter(meter)?;
    if shed && state.terms().never_cut {
        return Err(Refusal::NeverCut { meter, order: "shedding" });
    }
    if state.shed != shed {
        draft.push(Fact::ShedChanged { meter, shed })?;
        refresh(draft, meter)?;
    }
    Ok(())
}

pub(super) fn friendly_hours(draft: &mut Draft<'_>, meter: MeterNumber, on: bool) -> Result<(), Refusal> {
    if draft.meter(meter)?.friendly != on {
        draft.push(Fact::FriendlyHoursChanged { meter, on })?;
        refresh(draft, meter)?;
    }
    Ok(())
}

/// Ends the orders of one meter whose time is over.
pub(super) fn lapse(draft: &mut Draft<'_>, meter: MeterNumber) -> Result<(), Refusal> {
    let now_utc_s = draft.now.utc_s;
    let over = |order: Option<&StandingOrder>| {
        order.and_then(|order| order.until_utc_s).is_some_and(|until| until <= now_utc_s)
    };
    let state = draft.meter(meter)?;
    let lapsed =
        [(SupplyOrder::KeepPower, over(state.keep_power())), (SupplyOrder::ForcedOff, over(state.forced_off()))];
    for order in lapsed.into_iter().filter(|(_, over)| *over).map(|(order, _)| order) {
        draft.push(Fact::SupplyOrderLifted { meter, order, lifted: Lifted::Lapsed })?;
    }
    policies::friendly(draft, meter)?;
    policies::exposure(draft, meter)
}

pub(super) fn lapse_all(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let mut index = 0_usize;
    while let Some(meter) = draft.account().meters().get(index).map(super::MeterState::number) {
        lapse(draft, meter)?;
        refresh(draft, meter)?;
        index = index.saturating_add(1);
    }
    Ok(())
}

/// Orders what the rules want, if that is not ordered already.
pub(super) fn refresh(draft: &mut Draft<'_>, meter: MeterNumber) -> Result<(), Refusal> {
    let terms = *draft.terms()?;
    let state = draft.meter(meter)?;
    let account = draft.account();
    let decided = bend::decided(account, &account.standing(state), terms.purse.cutter());
    let order = *state.order();
    policies::await_restore(draft, meter, decided)?;
    if decided.force == order.decided.force {
        if decided != order.decided {
            let (version, retry_at_utc_s) = (order.version, order.retry_at_utc_s);
            draft.push(Fact::RelayDesired { meter, version, decided, retry_at_utc_s })?;
        }
        return Ok(());
    }
    desire(draft, meter, decided, order)
}

/// Writes the same order again under a new version, after somebody else has changed the force word.
pub(super) fn reassert(draft: &mut Draft<'_>, meter: MeterNumber) -> Result<(), Refusal> {
    let order = *draft.meter(meter)?.order();
    // What was never ordered is only reported: a meter that was taken over keeps its word until an order is given.
    if order.version == 0 { Ok(()) } else { desire(draft, meter, order.decided, order) }
}

fn desire(draft: &mut Draft<'_>, meter: MeterNumber, decided: Decided, order: Order) -> Result<(), Refusal> {
    let version = order.version.saturating_add(1);
    let retry_at_utc_s = retry_at(draft, 0)?;
    draft.push(Fact::RelayDesired { meter, version, decided, retry_at_utc_s })?;
    draft.effect(Effect::WriteForce { meter, version, force: decided.force, cause: decided.cause });
    Ok(())
}

fn retry_at(draft: &Draft<'_>, attempts: u16) -> Result<i64, Refusal> {
    let first_s = i64::from(draft.terms()?.relay_retry_s);
    let factor = 1_i64.checked_shl(u32::from(attempts.min(30))).unwrap_or(i64::MAX);
    let wait_s = first_s.saturating_mul(factor).min(RELAY_RETRY_MAX_S);
    Ok(draft.now.utc_s.saturating_add(wait_s))
}

pub(super) fn check_version(draft: &Draft<'_>, meter: MeterNumber, version: u32) -> Result<(), Refusal> {
    let current = draft.meter(meter)?.order().version;
    if version == current { Ok(()) } else { Err(Refusal::Superseded { meter, version, current }) }
}

pub(super) fn relay_ordered(draft: &mut Draft<'_>, meter: MeterNumber, version: u32) -> Result<(), Refusal> {
    check_version(draft, meter, version)?;
    if !draft.meter(meter)?.order_written() {
        draft.push(Fact::RelayWritten { meter, version })?;
    }
    Ok(())
}

/// Compares a reading with an order that is not confirmed: confirms it, or writes it again when its time has come.
pub(super) fn follow(draft: &mut Draft<'_>, meter: MeterNumber, reading: &MeterReading) -> Result<(), Refusal> {
    let state = draft.meter(meter)?;
    let order = *state.order();
    if order.confirmed {
        return Ok(());
    }
    let version = order.version;
    let obeyed = reading.force == order.decided.force
        && match reading.force {
            Force::Off => !reading.relay_closed,
            Force::On => reading.relay_closed || reading.flags.overload,
            Force::Automatic => true,
        };
    if obeyed || bend::is(draft.account(), Bend::ConfirmedUnseen) {
        draft.push(Fact::RelayConfirmed { meter, version })?;
    } else if draft.now.utc_s >= order.retry_at_utc_s {
        let attempts = order.attempts.saturating_add(1);
        let retry_at_utc_s = retry_at(draft, attempts)?;
        draft.push(Fact::RelayRetried { meter, version, attempts, retry_at_utc_s })?;
        let Decided { force, cause } = order.decided;
        draft.effect(Effect::WriteForce { meter, version, force, cause });
    }
    Ok(())
}
