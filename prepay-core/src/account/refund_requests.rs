//! Refunds and reversals as they are ordered: what is held, and where the money goes back to.

use alloc::vec::Vec;

use super::draft::Draft;
use super::event::Fact;
use super::meter_state::MeterState;
use super::posting::first_transfer;
use super::receipts::{Payback, RefundTo};
use super::refusal::Refusal;
use super::terms::Purse;
use super::{observe, orders, receipts, refunds};
use crate::id::{MeterNumber, OperatorId, Reason, RefundId, SaleId};
use crate::money::Money;
use crate::refund::{RefundKind, RefundTake};

/// Who orders a refund, and why.
#[derive(Clone, Copy)]
pub(super) struct Ordered<'a> {
    pub(super) operator: OperatorId,
    pub(super) why: &'a Reason,
}

pub(super) fn request(
    draft: &mut Draft<'_>,
    refund: RefundId,
    from: Option<MeterNumber>,
    take: RefundTake,
    to: RefundTo,
    by: Ordered<'_>,
) -> Result<(), Refusal> {
    check_new(draft, refund)?;
    let Some(meter) = from else { return pay_out(draft, refund, take, to, by) };
    check_meter(draft, meter)?;
    let stored = draft.meter(meter)?.purse();
    let held = match take {
        RefundTake::Exactly(amount) => {
            check_amount(amount, stored)?;
            amount
        }
        RefundTake::Everything if stored.is_zero() => return Err(Refusal::AmountNotPositive { amount: stored }),
        // An overdrawn meter is cleared: the customer then owes it at the station, and nothing is held.
        RefundTake::Everything => stored.max(Money::ZERO),
    };
    let payback = match to {
        RefundTo::Purse => Vec::new(),
        RefundTo::OriginalChannel => draft.account().receipts.spread(held)?,
    };
    if to == RefundTo::OriginalChannel && matches!(take, RefundTake::Exactly(_)) {
        check_refundable(held, &payback)?;
    }
    hold(draft, refund, meter, RefundKind::Refund, take, held, payback, by)
}

pub(super) fn reverse(draft: &mut Draft<'_>, refund: RefundId, sale: SaleId, by: Ordered<'_>) -> Result<(), Refusal> {
    check_new(draft, refund)?;
    let kind = RefundKind::Reversal { sale };
    if draft.terms()?.purse == Purse::AtStation {
        let part = draft.account().receipts.whole(sale)?.ok_or(Refusal::NotReversible { sale })?;
        check_amount(part.amount, at_station(draft)?)?;
        return paid_back(draft, refund, kind, alloc::vec![part], by);
    }
    let of = |state: &&MeterState| state.last_sale.is_some_and(|last| last.sale == sale);
    let state = draft.account().meters().iter().find(of);
    let last = state.and_then(|state| state.last_sale.map(|last| (state.number(), last.amount, state.purse())));
    let part = draft.account().receipts.whole(sale)?;
    let (meter, amount, stored) = last.ok_or(Refusal::NotReversible { sale })?;
    if let Some(part) = part.filter(|part| part.amount != amount) {
        return Err(Refusal::PaidDebts { sale, recovered: part.amount.minus(amount)? });
    }
    check_meter(draft, meter)?;
    check_amount(amount, stored)?;
    let payback = part.into_iter().collect();
    hold(draft, refund, meter, kind, RefundTake::Exactly(amount), amount, payback, by)
}

/// Money that the station holds goes back at once: no meter is involved.
fn pay_out(
    draft: &mut Draft<'_>,
    refund: RefundId,
    take: RefundTake,
    to: RefundTo,
    by: Ordered<'_>,
) -> Result<(), Refusal> {
    if to == RefundTo::Purse {
        return Err(Refusal::RefundPlace { problem: "money of the purse can't be refunded into the purse" });
    }
    let available = at_station(draft)?;
    let payback = match take {
        RefundTake::Exactly(amount) => {
            check_amount(amount, available)?;
            let payback = draft.account().receipts.spread(amount)?;
            check_refundable(amount, &payback)?;
            payback
        }
        RefundTake::Everything => draft.account().receipts.spread(available)?,
    };
    check_amount(receipts::sum(&payback)?, available)?;
    paid_back(draft, refund, RefundKind::Refund, payback, by)
}

fn paid_back(
    draft: &mut Draft<'_>,
    refund: RefundId,
    kind: RefundKind,
    payback: Vec<Payback>,
    by: Ordered<'_>,
) -> Result<(), Refusal> {
    let (operator, why) = (by.operator, by.why.clone());
    draft.push(Fact::PaidBack { refund, kind, payback, operator, why })?;
    if draft.terms()?.purse == Purse::AtStation { observe::assess_purse(draft) } else { Ok(()) }
}

/// What of the customer's money at the station nobody else waits for, minor units.
pub(super) fn at_station(draft: &Draft<'_>) -> Result<Money, Refusal> {
    let account = draft.account();
    let accrued = Money::sum(account.meters().iter().map(|meter| meter.accrued))?;
    Ok(account.purse().minus(account.held())?.minus(accrued)?)
}

#[expect(clippy::too_many_arguments, reason = "the fields of one fact, each with a type of its own")]
fn hold(
    draft: &mut Draft<'_>,
    refund: RefundId,
    meter: MeterNumber,
    kind: RefundKind,
    take: RefundTake,
    held: Money,
    payback: Vec<Payback>,
    by: Ordered<'_>,
) -> Result<(), Refusal> {
    let hold = first_transfer(draft.id(), draft.next_seq());
    let (operator, why) = (by.operator, by.why.clone());
    draft.push(Fact::RefundRequested { refund, meter, kind, take, held, hold, payback, operator, why })?;
    orders::refresh(draft, meter)?;
    refunds::hand_out(draft, meter)
}

pub(super) fn check_new(draft: &Draft<'_>, refund: RefundId) -> Result<(), Refusal> {
    match draft.account().latest_refund.filter(|latest| refund <= *latest) {
        Some(latest) => Err(Refusal::RefundNotNew { refund, latest }),
        None => Ok(()),
    }
}

fn check_meter(draft: &Draft<'_>, meter: MeterNumber) -> Result<(), Refusal> {
    if draft.terms()?.purse == Purse::AtStation {
        return Err(Refusal::RefundPlace { problem: "the credit is at the station, not in a meter" });
    }
    check_no_write_open(draft.meter(meter)?)
}

/// One money-relevant write at a time, and none while nobody can say what the meter holds.
pub(super) fn check_no_write_open(state: &MeterState) -> Result<(), Refusal> {
    let meter = state.number();
    if state.quarantine().is_some() {
        return Err(Refusal::Quarantined { meter });
    }
    if let Some(open) = state.sale() {
        return Err(Refusal::SaleOpen { meter, open: open.id });
    }
    check_not_replaced(state)?;
    match state.refund() {
        Some(open) => Err(Refusal::RefundOpen { meter, open: open.id }),
        None => Ok(()),
    }
}

/// Neither being replaced nor taking another one's place.
pub(super) const fn check_not_replaced(state: &MeterState) -> Result<(), Refusal> {
    let meter = state.number();
    match (state.replaced_by(), state.refund()) {
        (Some(new), _) => Err(Refusal::BeingReplaced { meter, new }),
        (None, Some(open)) if matches!(open.kind, RefundKind::CarryOver { .. }) => {
            Err(Refusal::RefundOpen { meter, open: open.id })
        }
        (None, _) => Ok(()),
    }
}

fn check_amount(amount: Money, available: Money) -> Result<(), Refusal> {
    if !amount.is_positive() {
        return Err(Refusal::AmountNotPositive { amount });
    }
    if amount > available { Err(Refusal::NotEnough { amount, available }) } else { Ok(()) }
}

fn check_refundable(amount: Money, payback: &[Payback]) -> Result<(), Refusal> {
    let refundable = receipts::sum(payback)?;
    if refundable < amount { Err(Refusal::AboveRefundable { amount, refundable }) } else { Ok(()) }
}
