//! Debts at the station: charged, agreed in parts, paid back, given up; deposits, goodwill, emergency credit.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::effect::Effect;
use super::event::Fact;
use super::receipts::Payment;
use super::refund_requests::Ordered;
use super::refusal::Refusal;
use super::terms::Purse;
use super::{observe, sale_requests};
use crate::bend::{self, Bend};
use crate::debt::{DebtError, DebtKind, Plan, Recovered};
use crate::id::{ChannelId, DebtId, MeterNumber, OperatorId, SaleId};
use crate::money::Money;
use crate::status::Credit;

/// A debt that is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DebtCharge {
    /// What for: arrears, period end or fee.
    pub kind: DebtKind,
    /// How much, tax included, minor units.
    pub amount: Money,
    /// The tax in it, minor units.
    pub tax: Money,
    /// The debt has no effect on supply before this time (UTC seconds).
    pub notice_until_utc_s: i64,
}

pub(super) fn charge(draft: &mut Draft<'_>, debt: DebtId, charge: &DebtCharge, by: Ordered<'_>) -> Result<(), Refusal> {
    let DebtCharge { kind, amount, tax, notice_until_utc_s } = *charge;
    if matches!(kind, DebtKind::Emergency | DebtKind::Bill) {
        return Err(Refusal::DebtKind { kind });
    }
    if tax.is_negative() || tax > amount {
        return Err(Refusal::NotEnough { amount: tax, available: amount });
    }
    incur(draft, debt, kind, amount, tax, notice_until_utc_s, by)
}

/// Turns what a postpaid account has used on credit into a bill with a due date.
pub(super) fn bill(draft: &mut Draft<'_>, debt: DebtId, by: Ordered<'_>) -> Result<(), Refusal> {
    let terms = *draft.terms()?;
    let due_s = terms.bill_due_s.ok_or(Refusal::NotAgreed { what: "bills" })?;
    let owed = draft.account().purse().negated()?;
    let due = draft.now.utc_s.saturating_add(i64::from(due_s));
    incur(draft, debt, DebtKind::Bill, owed, Money::ZERO, due, by)
}

fn incur(
    draft: &mut Draft<'_>,
    debt: DebtId,
    kind: DebtKind,
    amount: Money,
    tax: Money,
    notice_until_utc_s: i64,
    by: Ordered<'_>,
) -> Result<(), Refusal> {
    if let Some(latest) = draft.account().latest_debt.filter(|latest| debt <= *latest) {
        return Err(Refusal::DebtNotNew { debt, latest });
    }
    if !amount.is_positive() {
        return Err(Refusal::AmountNotPositive { amount });
    }
    draft.account().debts.check_room()?;
    let (by, why) = (by.operator, by.why.clone());
    draft.push(Fact::DebtIncurred { debt, kind, amount, tax, notice_until_utc_s, by, why })?;
    Ok(())
}

pub(super) fn agree(draft: &mut Draft<'_>, debt: DebtId, plan: Plan, by: Ordered<'_>) -> Result<(), Refusal> {
    let known = draft.account().debts.get(debt).ok_or(DebtError::NoSuchDebt { debt })?;
    let plan = Plan { agreed: known.rest, ..plan };
    draft.account().debts.check_plan(debt, &plan)?;
    draft.push(Fact::InstalmentsAgreed { debt, plan, by: by.operator, why: by.why.clone() })?;
    Ok(())
}

pub(super) fn write_off(draft: &mut Draft<'_>, debt: DebtId, by: Ordered<'_>) -> Result<(), Refusal> {
    let known = draft.account().debts.get(debt).ok_or(DebtError::NoSuchDebt { debt })?;
    let part = Recovered { debt, amount: known.rest, instalment: known.plan.is_some() };
    draft.push(Fact::DebtWrittenOff { part, by: by.operator, why: by.why.clone() })?;
    assess_station(draft)
}

/// Somebody pays debts and nothing else: no meter is involved.
pub(super) fn pay(
    draft: &mut Draft<'_>,
    sale: SaleId,
    amount: Money,
    channel: ChannelId,
    operator: OperatorId,
) -> Result<(), Refusal> {
    sale_requests::check_new(draft, sale, amount)?;
    let owed = draft.account().debts.total()?;
    if amount > owed {
        return Err(Refusal::NotEnough { amount, available: owed });
    }
    draft.push(Fact::PaymentReceived { sale, amount, channel, operator })?;
    let mut rest = amount;
    let mut parts = Vec::new();
    for part in draft.account().debts.all() {
        let amount = part.amount.min(rest);
        if amount.is_positive() {
            rest = rest.minus(amount)?;
            parts.push(Recovered { amount, ..part });
        }
    }
    draft.push(Fact::DebtRecovered { sale: Some(sale), parts })?;
    assess_station(draft)
}

/// What of a purchase pays debts, by the account's policy.
pub(super) fn divide(draft: &Draft<'_>, amount: Money) -> Result<Vec<Recovered>, Refusal> {
    let (account, policy) = (draft.account(), draft.terms()?.recovery);
    if bend::is(account, Bend::DebtsNotRecovered) {
        return Ok(Vec::new());
    }
    let utc_s = if bend::is(account, Bend::InstalmentsAllDue) { i64::MAX } else { draft.now.utc_s };
    Ok(account.debts.divide(amount, policy, utc_s)?)
}

/// What of emergency credit at the station is used, minor units: a payment fills it up before it pays anything else.
pub(super) fn emergency_used(draft: &Draft<'_>) -> Result<Money, Refusal> {
    if draft.account().emergency.is_none() {
        return Ok(Money::ZERO);
    }
    let available = observe::station_credit(draft)?;
    Ok(draft.terms()?.levels.cut_at().minus(available)?.max(Money::ZERO))
}

/// With the purse at the station, debts are paid from it once their notice has passed; not before.
pub(super) fn after_notice(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    if draft.terms()?.purse == Purse::AtStation {
        let parts = draft.account().debts.after_notice(draft.now.utc_s)?;
        if !parts.is_empty() {
            draft.push(Fact::DebtRecovered { sale: None, parts })?;
        }
        observe::assess_purse(draft)?;
    }
    Ok(())
}

pub(super) fn settle_at_closing(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let deposit = draft.account().deposit;
    if deposit.is_positive() {
        draft.push(Fact::DepositReturned { amount: deposit })?;
    }
    let parts = draft.account().debts.all();
    if !parts.is_empty() {
        draft.push(Fact::DebtRecovered { sale: None, parts })?;
    }
    Ok(())
}

pub(super) fn take_deposit(
    draft: &mut Draft<'_>,
    amount: Money,
    channel: ChannelId,
    operator: OperatorId,
) -> Result<(), Refusal> {
    if !amount.is_positive() {
        return Err(Refusal::AmountNotPositive { amount });
    }
    draft.push(Fact::DepositTaken { amount, channel, operator })?;
    Ok(())
}

pub(super) fn goodwill(draft: &mut Draft<'_>, amount: Money, by: Ordered<'_>) -> Result<(), Refusal> {
    if !amount.is_positive() {
        return Err(Refusal::AmountNotPositive { amount });
    }
    draft.push(Fact::GoodwillGiven { amount, period: None, by: by.operator, why: by.why.clone() })?;
    assess_station(draft)
}

/// The base free amount of a period, at most once.
pub(super) fn free_amount(draft: &mut Draft<'_>, period: u32, by: Ordered<'_>) -> Result<(), Refusal> {
    let amount = draft.terms()?.free_amount.ok_or(Refusal::NotAgreed { what: "a free amount" })?;
    if let Some(latest) = draft.account().free_period.filter(|latest| period <= *latest) {
        return Err(Refusal::PeriodNotNew { period, latest });
    }
    let period = Some(period);
    draft.push(Fact::GoodwillGiven { amount, period, by: by.operator, why: by.why.clone() })?;
    assess_station(draft)
}

/// Emergency credit is taken. At the station it lowers the limit until credit is above it again; into a meter it is sold
/// on credit, and the next purchase pays it back first.
pub(super) fn take_emergency(
    draft: &mut Draft<'_>,
    debt: DebtId,
    sale: Option<(SaleId, MeterNumber)>,
    by: Ordered<'_>,
) -> Result<(), Refusal> {
    let terms = *draft.terms()?;
    let amount = terms.emergency.ok_or(Refusal::NotAgreed { what: "emergency credit" })?;
    let account = draft.account();
    if account.emergency_taken() && !bend::is(account, Bend::EmergencyTwice) {
        return Err(Refusal::EmergencyTaken);
    }
    let worst = account.meters().iter().map(|meter| account.credit_of(meter)).max().unwrap_or(Credit::Normal);
    if worst < Credit::Alarm2 {
        return Err(Refusal::EmergencyNotOffered { credit: worst });
    }
    match (terms.purse, sale) {
        (Purse::AtStation, None) => {
            let (by, why) = (by.operator, by.why.clone());
            draft.push(Fact::EmergencyTaken { amount, by, why })?;
            observe::assess_purse(draft)
        }
        (Purse::InMeter, Some((sale, meter))) => {
            sale_requests::check_new(draft, sale, amount)?;
            let operator = by.operator;
            incur(draft, debt, DebtKind::Emergency, amount, Money::ZERO, i64::MAX, by)?;
            // What a cleared or replaced meter was overdrawn by comes first: the books would never let the sale begin.
            sale_requests::check_meter_can_take(draft, meter, amount, Some(Payment::Purse))?;
            draft.push(Fact::SaleRequested { sale, meter, amount, payment: Payment::Purse, operator })?;
            draft.effect(Effect::StartSale { sale, meter });
            Ok(())
        }
        (Purse::AtStation, Some(_)) => Err(Refusal::SaleMeter { given: "a meter", purse: "at the station" }),
        (Purse::InMeter, None) => Err(Refusal::SaleMeter { given: "no meter", purse: "in the meter" }),
    }
}

fn assess_station(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    if draft.terms()?.purse == Purse::AtStation { observe::assess_purse(draft) } else { Ok(()) }
}
