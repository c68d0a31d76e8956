//! Events → ledger transfers: the table of `docs/postings.md` as code.

use alloc::vec::Vec;

use super::event::{Event, Fact};
use super::life::FinalSettlement;
use super::opening::MeterOpening;
use super::receipts::{Payback, Payment};
use super::replacing::Carry;
use super::settled::{DifferenceKind, Settled};
use super::terms::Purse;
use crate::debt::DebtKind;
use crate::id::{AccountId, MeterNumber};
use crate::ledger::{AccountKey, AccountKind, Action, LimitRule, Transfer, TransferId};
use crate::money::{Money, MoneyError};

/// The transfers of one event, in order: a pure function of it. Facts that move no money give none.
///
/// # Errors
/// [`MoneyError`] when an amount is out of range.
pub fn postings(event: &Event) -> Result<Vec<Transfer>, MoneyError> {
    let mut post = Poster { event, transfers: Vec::new() };
    let purse = customer_purse(event.account);
    match &event.fact {
        Fact::Opened { terms, meters, station_credit } => {
            post.signed(AccountKey::house(AccountKind::TakeOver), purse, *station_credit)?;
            for MeterOpening { shown, terms: meter, .. } in meters {
                let credit = if terms.purse == Purse::InMeter { shown.balance } else { Money::ZERO };
                post.signed(AccountKey::house(AccountKind::TakeOver), meter_purse(meter.meter), credit)?;
            }
        }
        Fact::Settled(settled) => post.settled(settled, purse)?,
        Fact::ChargeCorrected { meter, in_meter: true, charge, tax, .. } => {
            // The meter took what it took: what the tariff charges more was taken too little, and the other way round.
            post.charge(meter_purse(*meter), *charge, *tax, charge.negated()?, DifferenceKind::PriceLag)?;
        }
        Fact::ChargeCorrected { charge, tax, .. } => {
            post.charge(purse, *charge, *tax, Money::ZERO, DifferenceKind::Rounding)?;
        }
        Fact::SaleRequested { amount, payment: Payment::Channel(channel), .. }
        | Fact::StationSaleMade { amount, channel, .. } => {
            post.push(
                Action::Receipt,
                AccountKey::new(AccountKind::Cash, channel.0),
                purse,
                *amount,
                LimitRule::Enforce,
            );
        }
        Fact::SaleBegun { meter, amount, .. } => {
            post.push(Action::Hold, purse, meter_purse(*meter), *amount, LimitRule::Enforce);
        }
        Fact::SaleApplied { meter, amount, hold, .. } => {
            post.push(Action::Post { hold: *hold }, purse, meter_purse(*meter), *amount, LimitRule::Record);
        }
        Fact::SaleVoided { meter, amount, hold: Some(hold), .. } => {
            post.push(Action::Void { hold: *hold }, purse, meter_purse(*meter), *amount, LimitRule::Record);
        }
        Fact::RefundRequested { meter, held, .. } if held.is_positive() => {
            post.push(Action::Hold, meter_purse(*meter), purse, *held, LimitRule::Enforce);
        }
        Fact::RefundApplied { meter, amount, hold, payback, .. } => {
            if amount.is_positive() {
                post.push(Action::Post { hold: *hold }, meter_purse(*meter), purse, *amount, LimitRule::Record);
            } else {
                post.signed(meter_purse(*meter), purse, *amount)?;
            }
            post.paid_back(payback, purse);
        }
        Fact::RefundVoided { meter, held, hold, .. } if held.is_positive() => {
            post.push(Action::Void { hold: *hold }, meter_purse(*meter), purse, *held, LimitRule::Record);
        }
        Fact::PaidBack { payback, .. } => post.paid_back(payback, purse),
        Fact::MeterAttached { opening, credit } => {
            post.signed(AccountKey::house(AccountKind::TakeOver), meter_purse(opening.terms.meter), *credit)?;
        }
        Fact::Closed { settlement, payback, paid, collected, written_off, .. } => {
            post.paid_back(payback, purse);
            if let FinalSettlement::Refund { channel } | FinalSettlement::Collect { channel } = settlement {
                let cash = AccountKey::new(AccountKind::Cash, channel.0);
                post.signed(purse, cash, *paid)?;
                post.signed(cash, purse, *collected)?;
            }
            post.signed(purse, AccountKey::house(AccountKind::WriteOff), *written_off)?;
        }
        Fact::ReplacementRequested { old, opening, carry, .. } => {
            post.estimate(*old, carry, purse, true)?;
            if carry.credit.is_positive() {
                let new = meter_purse(opening.terms.meter);
                post.push(Action::Hold, meter_purse(*old), new, carry.credit, LimitRule::Record);
            }
        }
        Fact::ReplacementDone { old, new, carry, .. } if carry.credit.is_positive() => {
            let hold = Action::Post { hold: carry.hold };
            post.push(hold, meter_purse(*old), meter_purse(*new), carry.credit, LimitRule::Record);
        }
        Fact::ReplacementRolledBack { old, new, carry, .. } => {
            post.estimate(*old, carry, purse, false)?;
            if carry.credit.is_positive() {
                let hold = Action::Void { hold: carry.hold };
                post.push(hold, meter_purse(*old), meter_purse(*new), carry.credit, LimitRule::Record);
            }
        }
        Fact::BenchRead { meter, estimated, charge, tax, booked, difference, .. } => {
            let from = AccountKey::new(AccountKind::Suspense, meter.get());
            post.charge(from, *charge, *tax, booked.minus(*charge)?, *difference)?;
            post.signed(from, purse, estimated.minus(*booked)?)?;
        }
        Fact::PaymentReceived { .. }
        | Fact::DebtIncurred { .. }
        | Fact::DebtRecovered { .. }
        | Fact::InstalmentsAgreed { .. }
        | Fact::DebtWrittenOff { .. }
        | Fact::DepositTaken { .. }
        | Fact::DepositReturned { .. }
        | Fact::GoodwillGiven { .. } => post.debts(purse)?,
        Fact::QuarantineReleased { meter, to_suspense, .. } => {
            post.signed(AccountKey::new(AccountKind::Suspense, meter.get()), meter_purse(*meter), *to_suspense)?;
        }
        _ => {}
    }
    Ok(post.transfers)
}

/// The ledger account of a customer's money at the station.
pub(crate) const fn customer_purse(account: AccountId) -> AccountKey {
    AccountKey::new(AccountKind::CustomerPurse, account.0)
}

/// The ledger account of the credit in a meter.
pub(crate) const fn meter_purse(meter: MeterNumber) -> AccountKey {
    AccountKey::new(AccountKind::MeterPurse, meter.get())
}

/// The identity of the first transfer of the event `seq` of an account.
pub(super) const fn first_transfer(account: AccountId, seq: u64) -> TransferId {
    TransferId::new(account.0, seq, 0)
}

struct Poster<'a> {
    event: &'a Event,
    transfers: Vec<Transfer>,
}

impl Poster<'_> {
    fn push(&mut self, action: Action, debit: AccountKey, credit: AccountKey, amount: Money, limit: LimitRule) {
        // An event has a handful of transfers and an opening at most one for each of 64 meters.
        let part = u16::try_from(self.transfers.len()).unwrap_or(u16::MAX);
        let id = TransferId { part, ..first_transfer(self.event.account, self.event.seq) };
        self.transfers.push(Transfer { id, action, debit, credit, amount, limit });
    }

    /// What has already happened: recorded whatever the limit, the other way round when negative, left out when zero.
    fn signed(&mut self, debit: AccountKey, credit: AccountKey, amount: Money) -> Result<(), MoneyError> {
        if amount.is_positive() {
            self.push(Action::Move, debit, credit, amount, LimitRule::Record);
        } else if amount.is_negative() {
            self.push(Action::Move, credit, debit, amount.negated()?, LimitRule::Record);
        }
        Ok(())
    }

    /// Money goes back the way it came.
    fn paid_back(&mut self, parts: &[Payback], customer: AccountKey) {
        for Payback { receipt: of, channel, amount, whole, .. } in parts {
            let action = if *whole { Action::Reverse { of: *of } } else { Action::Refund { of: *of } };
            self.push(action, customer, AccountKey::new(AccountKind::Cash, channel.0), *amount, LimitRule::Record);
        }
    }

    fn debts(&mut self, purse: AccountKey) -> Result<(), MoneyError> {
        let customer = self.event.account;
        let of = |kind| AccountKey::new(kind, customer.0);
        let house = AccountKey::house;
        let owing = |instalment| of(if instalment { AccountKind::Instalments } else { AccountKind::Arrears });
        match &self.event.fact {
            Fact::PaymentReceived { amount, channel, .. } => {
                let cash = AccountKey::new(AccountKind::Cash, channel.0);
                self.push(Action::Receipt, cash, purse, *amount, LimitRule::Enforce);
            }
            Fact::DebtIncurred { kind, amount, tax, .. } => {
                let income = match kind {
                    DebtKind::Emergency | DebtKind::Bill => purse,
                    DebtKind::Arrears => house(AccountKind::TakeOver),
                    DebtKind::PeriodEnd => house(AccountKind::Revenue),
                    DebtKind::Fee => house(AccountKind::Fees),
                };
                self.signed(owing(false), income, amount.minus(*tax)?)?;
                self.signed(owing(false), house(AccountKind::Tax), *tax)?;
            }
            Fact::DebtRecovered { parts, .. } => {
                for part in parts {
                    self.signed(purse, owing(part.instalment), part.amount)?;
                }
            }
            Fact::InstalmentsAgreed { plan, .. } => self.signed(owing(true), owing(false), plan.agreed)?,
            Fact::DebtWrittenOff { part, .. } => {
                self.signed(house(AccountKind::WriteOff), owing(part.instalment), part.amount)?;
            }
            Fact::DepositTaken { amount, channel, .. } => {
                let cash = AccountKey::new(AccountKind::Cash, channel.0);
                self.signed(cash, of(AccountKind::Deposits), *amount)?;
            }
            Fact::DepositReturned { amount } => self.signed(of(AccountKind::Deposits), purse, *amount)?,
            Fact::GoodwillGiven { amount, .. } => self.signed(house(AccountKind::Goodwill), purse, *amount)?,
            _ => {}
        }
        Ok(())
    }

    fn settled(&mut self, settled: &Settled, customer: AccountKey) -> Result<(), MoneyError> {
        let from = if settled.in_meter { meter_purse(settled.meter) } else { customer };
        self.charge(from, settled.charge, settled.tax, settled.difference_amount()?, settled.difference)
    }

    /// What an estimate sets aside and an overdraft leaves behind, or the same back again.
    fn estimate(
        &mut self,
        old: MeterNumber,
        carry: &Carry,
        customer: AccountKey,
        there: bool,
    ) -> Result<(), MoneyError> {
        let from = if carry.in_meter { meter_purse(old) } else { customer };
        let suspense = AccountKey::new(AccountKind::Suspense, old.get());
        let turned = |amount: Money| if there { Ok(amount) } else { amount.negated() };
        let charge = carry.estimate.as_ref().map_or(Money::ZERO, |estimate| estimate.charge);
        self.signed(from, suspense, turned(charge)?)?;
        self.signed(meter_purse(old), customer, turned(carry.overdrawn)?)
    }

    fn charge(
        &mut self,
        from: AccountKey,
        charge: Money,
        tax: Money,
        off: Money,
        difference: DifferenceKind,
    ) -> Result<(), MoneyError> {
        let difference = match difference {
            DifferenceKind::Rounding => AccountKind::MeterRounding,
            DifferenceKind::PriceLag => AccountKind::PriceLag,
            DifferenceKind::Overwrite => AccountKind::OverwriteDrift,
        };
        self.signed(from, AccountKey::house(AccountKind::Revenue), charge.minus(tax)?)?;
        self.signed(from, AccountKey::house(AccountKind::Tax), tax)?;
        self.signed(from, AccountKey::house(difference), off)
    }
}
