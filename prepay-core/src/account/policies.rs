//! Policies of supply: friendly hours written ahead, how supply comes back, what may be used unseen.

use super::draft::Draft;
use super::event::Fact;
use super::orders;
use super::refund_requests::Ordered;
use super::refusal::Refusal;
use super::state::Account;
use super::terms::{Purse, Restore};
use crate::id::MeterNumber;
use crate::money::{Money, MoneyError};
use crate::relay::{Cause, Decided};
use crate::status::{Credit, Link};

pub(super) fn plan_friendly(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    from_utc_s: i64,
    to_utc_s: i64,
) -> Result<(), Refusal> {
    let now_utc_s = draft.now.utc_s;
    if to_utc_s <= from_utc_s || to_utc_s <= now_utc_s {
        return Err(Refusal::FriendlySpan { from_utc_s, to_utc_s, now_utc_s });
    }
    let plan = Some((from_utc_s, to_utc_s));
    let state = draft.meter(meter)?;
    if state.friendly_plan != plan && state.friendly_next != plan {
        draft.push(Fact::FriendlyHoursPlanned { meter, from_utc_s, to_utc_s })?;
    }
    friendly(draft, meter)?;
    orders::refresh(draft, meter)
}

/// Ends friendly hours that are over, and begins the next ones ahead of their time.
pub(super) fn friendly(draft: &mut Draft<'_>, meter: MeterNumber) -> Result<(), Refusal> {
    let ahead_s = i64::from(draft.terms()?.friendly_ahead_s);
    let now_utc_s = draft.now.utc_s;
    let state = draft.meter(meter)?;
    if state.friendly && state.friendly_plan.is_some_and(|(_, to_utc_s)| now_utc_s >= to_utc_s) {
        draft.push(Fact::FriendlyHoursChanged { meter, on: false })?;
    }
    let state = draft.meter(meter)?;
    let begins =
        |(from_utc_s, to_utc_s): (i64, i64)| now_utc_s >= from_utc_s.saturating_sub(ahead_s) && now_utc_s < to_utc_s;
    if !state.friendly && state.friendly_plan.is_some_and(begins) {
        draft.push(Fact::FriendlyHoursChanged { meter, on: true })?;
    }
    Ok(())
}

/// A cut for lack of credit under another policy than automatic waits for somebody.
pub(super) fn await_restore(draft: &mut Draft<'_>, meter: MeterNumber, decided: Decided) -> Result<(), Refusal> {
    let cut = decided.cause == Cause::Arrears && draft.terms()?.restore != Restore::Automatic;
    let state = draft.meter(meter)?;
    // What is cut because it may have used too much unseen comes back by itself when its reading shows credit.
    let waits = cut && draft.account().credit_of(state) == Credit::Arrears;
    if waits && !state.restore_awaited {
        draft.push(Fact::RestoreAwaited { meter })?;
    }
    Ok(())
}

pub(super) fn restore(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    on_site: bool,
    by: Ordered<'_>,
) -> Result<(), Refusal> {
    let policy = draft.terms()?.restore;
    let state = draft.meter(meter)?;
    if !state.restore_awaited {
        return Err(Refusal::NothingToRestore { meter });
    }
    if draft.account().credit_of(state) == Credit::Arrears {
        return Err(Refusal::StillInArrears { meter });
    }
    if policy == Restore::OnSite && !on_site {
        return Err(Refusal::NotOnSite { meter });
    }
    draft.push(Fact::RestoreAllowed { meter, on_site, by: by.operator, why: by.why.clone() })?;
    orders::refresh(draft, meter)
}

/// Notes, once, that more than the bound may have been used unseen, and that it is over.
pub(super) fn exposure(draft: &mut Draft<'_>, meter: MeterNumber) -> Result<(), Refusal> {
    let Some(bound) = draft.terms()?.lost_contact.bound else { return Ok(()) };
    let state = draft.meter(meter)?;
    let exposure = draft.account().exposure(meter, draft.now.utc_s)?;
    if state.link == Link::Fresh && state.exposed {
        draft.push(Fact::ExposureChanged { meter, exposure: Money::ZERO })?;
    } else if state.link != Link::Fresh && !state.exposed && exposure > bound {
        draft.push(Fact::ExposureChanged { meter, exposure })?;
    }
    Ok(())
}

impl Account {
    /// What may have been used beyond the credit since the meter was heard last, at the most, minor units. 0 while it is
    /// heard, with supply off, and with the purse in the meter, which cuts by itself. All meters of the account that are
    /// not heard draw on the one purse, so each of them shows what they may have used together.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] outside the range.
    pub fn exposure(&self, meter: MeterNumber, now_utc_s: i64) -> Result<Money, MoneyError> {
        let (Some(terms), Some(state)) = (self.terms(), self.meter(meter)) else { return Ok(Money::ZERO) };
        if terms.purse == Purse::InMeter || state.unseen_s(now_utc_s).is_none() {
            return Ok(Money::ZERO);
        }
        // A started hour counts whole.
        let hours = |unseen_s: u64| i64::try_from(unseen_s.div_ceil(3600)).unwrap_or(i64::MAX);
        let per_hour = terms.lost_contact.per_hour.minor();
        let unseen = self.meters().iter().filter_map(|meter| meter.unseen_s(now_utc_s));
        let used = Money::sum(unseen.map(|seconds| Money::from_minor(per_hour.saturating_mul(hours(seconds)))))?;
        let accrued = Money::sum(self.meters().iter().map(|meter| meter.accrued))?;
        let credit = self.purse().minus(self.debts.billed()?)?.minus(accrued)?;
        Ok(used.minus(credit)?.max(Money::ZERO))
    }
}

impl super::MeterState {
    /// How long it may have used energy that nobody has seen, in seconds.
    fn unseen_s(&self, now_utc_s: i64) -> Option<u64> {
        let since = self.unheard_since_utc_s.filter(|_| self.relay_closed != Some(false))?;
        Some(u64::try_from(now_utc_s.saturating_sub(since)).unwrap_or(0))
    }

    /// Supply was cut for lack of credit and waits for somebody.
    #[must_use]
    pub const fn restore_awaited(&self) -> bool {
        self.restore_awaited
    }
}
