//! Facts about replacements, into state.

use alloc::vec::Vec;

use super::apply::find;
use super::apply_error::ApplyError;
use super::event::Fact;
use super::meter_state::{Marks, MeterState, opened_meter};
use super::replacing::{Carry, OnBench, kind};
use super::state::Account;
use crate::money::Money;
use crate::refund::{OpenRefund, RefundPhase};
use crate::series::Series;
use crate::settlement::advance;

pub(super) fn take(account: &mut Account, fact: &Fact, seq: u64) -> Result<(), ApplyError> {
    let impossible = |fact| ApplyError::Impossible { seq, fact };
    match fact {
        Fact::ReplacementRequested { refund, old, opening, carry, count, operator, .. } => {
            let mut new = opened_meter(opening, false);
            let charge = carry.estimate.as_ref().map_or(Money::ZERO, |estimate| estimate.charge);
            let (charged, overdrawn) =
                if carry.in_meter { (Money::ZERO, carry.overdrawn) } else { (charge, Money::ZERO) };
            let purse = account.purse.minus(charged)?.plus(overdrawn)?;
            let state = find(account, *old).ok_or(impossible("replacement_requested"))?;
            if carry.in_meter {
                state.purse = state.purse.minus(charge)?.minus(carry.overdrawn)?;
                let (kind, take) = kind(*old, carry.credit);
                new.refund = Some(OpenRefund {
                    id: *refund,
                    kind,
                    take,
                    held: carry.credit,
                    hold: carry.hold,
                    payback: Vec::new(),
                    operator: *operator,
                    phase: RefundPhase::Requested,
                    begun: None,
                    frames: 0,
                    failures: 0,
                    proof: None,
                    void: None,
                });
            }
            state.replaced_by = Some(opening.terms.meter);
            // Who works at this place is safe from the moment that another meter hangs there.
            new.lock_out.clone_from(&state.lock_out);
            new.carry = Some(carry.clone());
            new.carried_count = *count;
            account.meters.push(new);
            account.purse = purse;
            account.latest_refund = Some(*refund);
        }
        Fact::ReplacementDone { old, new, carry, count, .. } => {
            let place = account.meters.iter().position(|state| state.terms.meter == *old);
            let place = place.ok_or(impossible("replacement_done"))?;
            let gone = account.meters.get(place).cloned().ok_or(impossible("replacement_done"))?;
            let waits = match carry.estimate.clone() {
                Some(estimate) => {
                    let mut meter = gone.clone();
                    // As it was before the estimate, so that the bench can tell the difference.
                    if carry.in_meter {
                        meter.purse = carry.credit.plus(carry.overdrawn)?.plus(estimate.charge)?;
                    }
                    meter.marks = Marks::default();
                    Some(OnBench { meter, estimate })
                }
                None => None,
            };
            let state = find(account, *new).ok_or(impossible("replacement_done"))?;
            take_over(state, &gone, carry, *count)?;
            account.meters.remove(place);
            account.on_bench.extend(waits);
        }
        Fact::ReplacementRolledBack { old, new, carry, .. } => {
            let charge = carry.estimate.as_ref().map_or(Money::ZERO, |estimate| estimate.charge);
            let purse = account.purse.minus(carry.overdrawn)?;
            let state = find(account, *old).ok_or(impossible("replacement_rolled_back"))?;
            state.purse = state.purse.plus(charge)?.plus(carry.overdrawn)?;
            state.replaced_by = None;
            account.purse = purse;
            account.meters.retain(|state| state.terms.meter != *new);
        }
        Fact::BenchRead { meter, estimated, booked, .. } => {
            account.purse = account.purse.plus(estimated.minus(*booked)?)?;
            account.on_bench.retain(|waiting| waiting.meter.terms.meter != *meter);
        }
        _ => {}
    }
    Ok(())
}

/// What moves with the tenant: credit, count, where pricing stands, energy, and the orders of people.
fn take_over(new: &mut MeterState, old: &MeterState, carry: &Carry, count: u16) -> Result<(), ApplyError> {
    let estimate = carry.estimate.as_ref();
    let (charge, tax) = estimate.map_or((Money::ZERO, Money::ZERO), |estimate| (estimate.charge, estimate.tax));
    let (charged, taxed) = (old.charged.plus(charge)?, old.taxed.plus(tax)?);
    new.purse = carry.credit;
    new.refund = None;
    new.carry = None;
    new.marks.fence_closed_ms = None;
    if carry.in_meter {
        new.count = count;
        new.opened.purchase_count = count;
        new.overwritten = true;
    }
    new.pricer = estimate.map_or_else(|| old.pricer.clone(), |estimate| estimate.pricer.clone());
    new.series = Series::new(*new.series.base(), new.pricer.clone());
    new.charged = charged;
    new.taxed = taxed;
    let estimated = estimate.map_or(0, |estimate| estimate.usage.total_centi_kwh);
    new.carried_centi_kwh = old.energy_centi_kwh().saturating_add(estimated);
    new.drift = old.drift;
    new.credit = old.credit;
    new.keep_power.clone_from(&old.keep_power);
    new.forced_off.clone_from(&old.forced_off);
    if new.lock_out.is_none() {
        new.lock_out.clone_from(&old.lock_out);
    }
    new.shed = old.shed;
    new.friendly = old.friendly;
    Ok(())
}

impl MeterState {
    /// Energy booked at this place since the opening, through every replacement, 0.01 kWh.
    #[must_use]
    pub fn energy_centi_kwh(&self) -> u64 {
        let (from, to) = (self.opened.energy.total_centi_kwh, self.settled.energy.total_centi_kwh);
        let modulus = self.terms.registers.modulus_centi_kwh;
        self.carried_centi_kwh.saturating_add(advance(0, from, to, modulus, u64::MAX).unwrap_or(0))
    }
}
