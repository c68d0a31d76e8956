//! A payment: what of it pays debts, and what becomes a sale.

use super::draft::Draft;
use super::effect::Effect;
use super::event::Fact;
use super::receipts::Payment;
use super::refusal::Refusal;
use super::terms::Purse;
use super::{debts, observe, refund_requests};
use crate::id::{ChannelId, MeterNumber, OperatorId, SaleId};
use crate::money::Money;

/// The most that a purchase frame may carry: the meter adds it to a balance that is a signed number of 32 bits.
pub(super) const MAX_FRAME_AMOUNT: Money = Money::from_minor(i32::MAX as i64);

pub(super) fn request(
    draft: &mut Draft<'_>,
    sale: SaleId,
    meter: Option<MeterNumber>,
    amount: Money,
    payment: Payment,
    operator: OperatorId,
) -> Result<(), Refusal> {
    check_new(draft, sale, amount)?;
    let terms = *draft.terms()?;
    if let Some(max) = terms.max_sale.filter(|max| amount > *max) {
        return Err(Refusal::AmountAboveSale { amount, max });
    }
    match (terms.purse, meter) {
        (Purse::InMeter, Some(meter)) => into_meter(draft, sale, meter, amount, payment, operator),
        (Purse::AtStation, None) => {
            let parts = debts::divide(draft, amount.minus(debts::emergency_used(draft)?.min(amount))?)?;
            let credit = amount.minus(Money::sum(parts.iter().map(|part| part.amount))?)?;
            check_stored(draft.account().purse, credit, terms.max_stored)?;
            let channel = paid_by_channel(payment)?;
            draft.push(Fact::StationSaleMade { sale, amount, channel, operator })?;
            if !parts.is_empty() {
                draft.push(Fact::DebtRecovered { sale: Some(sale), parts })?;
            }
            observe::assess_purse(draft)
        }
        (Purse::InMeter, None) => Err(Refusal::SaleMeter { given: "no meter", purse: "in the meter" }),
        (Purse::AtStation, Some(_)) => Err(Refusal::SaleMeter { given: "a meter", purse: "at the station" }),
    }
}

pub(super) fn check_new(draft: &Draft<'_>, sale: SaleId, amount: Money) -> Result<(), Refusal> {
    if let Some(latest) = draft.account().latest_sale.filter(|latest| sale <= *latest) {
        return Err(Refusal::SaleNotNew { sale, latest });
    }
    if amount.is_positive() { Ok(()) } else { Err(Refusal::AmountNotPositive { amount }) }
}

/// A purchase into a meter: debts first, by the account's policy. What they leave goes into the meter; a purchase that they
/// consume whole sends no frame.
fn into_meter(
    draft: &mut Draft<'_>,
    sale: SaleId,
    meter: MeterNumber,
    amount: Money,
    payment: Payment,
    operator: OperatorId,
) -> Result<(), Refusal> {
    // What a cleared or replaced meter was overdrawn by is owed at the station, and is paid first of all.
    let account = draft.account();
    let deficit = account.purse.minus(account.held)?.negated()?.max(Money::ZERO).min(amount);
    let parts = debts::divide(draft, amount.minus(deficit)?)?;
    let (Payment::Channel(channel), false) = (payment, parts.is_empty() && deficit.is_zero()) else {
        check_meter_can_take(draft, meter, amount, Some(payment))?;
        draft.push(Fact::SaleRequested { sale, meter, amount, payment, operator })?;
        draft.effect(Effect::StartSale { sale, meter });
        return Ok(());
    };
    let credit = amount.minus(deficit)?.minus(Money::sum(parts.iter().map(|part| part.amount))?)?;
    check_meter_can_take(draft, meter, credit, None)?;
    draft.push(Fact::PaymentReceived { sale, amount, channel, operator })?;
    if !parts.is_empty() {
        draft.push(Fact::DebtRecovered { sale: Some(sale), parts })?;
    }
    if credit.is_positive() {
        let (amount, payment) = (credit, Payment::Purse);
        draft.push(Fact::SaleRequested { sale, meter, amount, payment, operator })?;
        draft.effect(Effect::StartSale { sale, meter });
    }
    Ok(())
}

fn paid_by_channel(payment: Payment) -> Result<ChannelId, Refusal> {
    match payment {
        Payment::Channel(channel) => Ok(channel),
        Payment::Purse => Err(Refusal::SaleMeter { given: "payment from the purse", purse: "at the station" }),
    }
}

pub(super) fn check_meter_can_take(
    draft: &Draft<'_>,
    meter: MeterNumber,
    amount: Money,
    payment: Option<Payment>,
) -> Result<(), Refusal> {
    let terms = draft.terms()?;
    let state = draft.meter(meter)?;
    refund_requests::check_no_write_open(state)?;
    if amount > MAX_FRAME_AMOUNT {
        return Err(Refusal::AmountAboveFrame { amount, max: MAX_FRAME_AMOUNT });
    }
    check_stored(state.purse(), amount, terms.max_stored)?;
    let account = draft.account();
    let available = account.purse.minus(account.held)?;
    if payment == Some(Payment::Purse) && amount > available {
        return Err(Refusal::NotEnough { amount, available });
    }
    Ok(())
}

fn check_stored(stored: Money, amount: Money, max: Option<Money>) -> Result<(), Refusal> {
    let stored = stored.plus(amount)?;
    match max {
        Some(max) if stored > max => Err(Refusal::AmountAboveStored { stored, max }),
        _ => Ok(()),
    }
}
