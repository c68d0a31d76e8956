//! This crate's ledger behind the kit's trait, whole or with one fault.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use super::{Answer, Fault, PrepayLedger, Request, Rules, Told};
use crate::ledger::{
    AccountKey, AccountKind, Action, BodyHash, Entry, Fate, Key, KeyRecord, Keyed, Ledger, LedgerError, LimitRule,
    ShardId, Transfer, TransferId, verify,
};
use crate::money::{Currency, Money};
use crate::reading::Force;
use crate::relay::{Cutter, Standing, decide};

const TILL: AccountKey = AccountKey::new(AccountKind::Cash, 1);
/// The stream of the kit's transfers.
const ORIGIN: u64 = 1;
const UTC_S: i64 = 1_772_719_650;

/// This crate's ledger and idempotency contract, as a station uses them.
#[derive(Debug)]
pub struct Reference {
    fault: Option<Fault>,
    ledger: Ledger,
    journal: Vec<Entry>,
    keys: BTreeMap<Key, KeyRecord<Answer>>,
    /// The transfer behind each key.
    transfers: BTreeMap<u64, Transfer>,
    next_seq: u64,
    /// Credits without debits, of the fault that books one side.
    one_sided: i64,
}

impl Reference {
    /// Empty books, whole or with one fault.
    #[must_use]
    pub fn new(fault: Option<Fault>) -> Self {
        Self {
            fault,
            ledger: Ledger::new(Currency::CNY, ShardId(0)),
            journal: Vec::new(),
            keys: BTreeMap::new(),
            transfers: BTreeMap::new(),
            next_seq: 1,
            one_sided: 0,
        }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn posted(&self, key: AccountKey) -> i64 {
        self.ledger.balance(key).posted().map_or(0, Money::minor)
    }

    /// The transfer of a request.
    fn transfer(&self, request: Request) -> Option<Transfer> {
        let id = TransferId::new(ORIGIN, self.next_seq, 0);
        let limit = LimitRule::Enforce;
        let new = |action, debit, credit, amount| {
            Some(Transfer { id, action, debit, credit, amount: Money::from_minor(amount), limit })
        };
        let known = |key| self.transfers.get(&key).copied();
        match request {
            Request::Pay { customer, amount } => new(Action::Receipt, TILL, purse(customer), amount),
            Request::Hold { customer, meter, amount } => {
                let limit = if self.unlimited(customer, amount) { LimitRule::Record } else { limit };
                let hold = new(Action::Hold, purse(customer), meter_purse(meter), amount)?;
                Some(Transfer { limit, ..hold })
            }
            Request::Post { hold, amount } => {
                // The meter has been credited: no limit can undo that.
                let limit = LimitRule::Record;
                let new = |action, debit, credit, amount| {
                    Some(Transfer { id, action, debit, credit, amount: Money::from_minor(amount), limit })
                };
                let Transfer { id: hold_id, debit, credit, amount: held, .. } = known(hold)?;
                let ended = self.ledger.hold(hold_id).is_some_and(|hold| hold.state != crate::ledger::HoldState::Open);
                if (ended && self.is(Fault::PostedTwice)) || (amount > held.minor() && self.is(Fault::PostedAbove)) {
                    return new(Action::Move, debit, credit, amount);
                }
                new(Action::Post { hold: hold_id }, debit, credit, amount)
            }
            Request::Void { hold } => {
                let Transfer { id: hold_id, debit, credit, amount, .. } = known(hold)?;
                if self.is(Fault::VoidAfterPost) {
                    return new(Action::Move, credit, debit, amount.minor());
                }
                new(Action::Void { hold: hold_id }, debit, credit, amount.minor())
            }
            Request::Refund { receipt, amount } => {
                let Transfer { id: of, debit, credit, amount: paid, .. } = known(receipt)?;
                if self.is(Fault::RefundsNotSummed) && amount <= paid.minor() {
                    return new(Action::Move, credit, debit, amount);
                }
                new(Action::Refund { of }, credit, debit, amount)
            }
            Request::Reverse { receipt } => {
                let Transfer { id: of, debit, credit, amount, .. } = known(receipt)?;
                if self.is(Fault::ReversedTwice) {
                    return new(Action::Move, credit, debit, amount.minor());
                }
                new(Action::Reverse { of }, credit, debit, amount.minor())
            }
            Request::Replace { old, new: meter } => {
                let credit = self.posted(meter_purse(old));
                match self.fault {
                    Some(Fault::ReplacementLoses) => {
                        new(Action::Move, meter_purse(old), meter_purse(meter), credit - 1)
                    }
                    Some(Fault::ReplacementCopies) => new(Action::Move, TILL, meter_purse(meter), credit),
                    _ => new(Action::Move, meter_purse(old), meter_purse(meter), credit),
                }
            }
        }
    }

    /// Whether a fault lets a hold pass its limit.
    fn unlimited(&self, customer: u64, amount: i64) -> bool {
        match self.fault {
            Some(Fault::NoLimit) => true,
            Some(Fault::FirstHoldFree) => self.held(customer) == 0,
            Some(Fault::HoldsIgnored) => amount <= self.posted(purse(customer)),
            _ => false,
        }
    }

    fn judge(&mut self, request: Request) -> Option<(Transfer, Vec<Entry>)> {
        let transfer = self.transfer(request)?;
        // What a customer has not paid can't be used.
        if transfer.debit.kind == AccountKind::CustomerPurse {
            self.ledger.set_overdraft_limit(transfer.debit, Some(Money::ZERO)).ok()?;
        }
        let entries = self.ledger.decide(&[transfer], UTC_S).ok()?;
        Some((transfer, entries))
    }

    fn store(&mut self, key: u64, transfer: Transfer, entries: Vec<Entry>) -> Result<(), LedgerError> {
        for entry in entries {
            self.ledger.apply(&entry)?;
            self.journal.push(entry);
        }
        self.transfers.insert(key, transfer);
        self.next_seq += 1;
        if self.is(Fault::OneSided) && matches!(transfer.action, Action::Post { .. }) {
            self.one_sided += transfer.amount.minor();
        }
        Ok(())
    }

    /// A line that no request has asked for.
    fn leave_trace(&mut self) {
        let id = TransferId::new(ORIGIN, self.next_seq, 0);
        let (action, debit, credit) =
            (Action::Move, AccountKey::house(AccountKind::Goodwill), AccountKey::house(AccountKind::Suspense));
        let trace = Transfer { id, action, debit, credit, amount: Money::from_minor(1), limit: LimitRule::Record };
        if let Ok(entries) = self.ledger.decide(&[trace], UTC_S)
            && self.store(0, trace, entries).is_err()
        {
            self.one_sided += 1;
        }
    }
}

fn purse(customer: u64) -> AccountKey {
    AccountKey::new(AccountKind::CustomerPurse, customer)
}

fn meter_purse(meter: u64) -> AccountKey {
    AccountKey::new(AccountKind::MeterPurse, meter)
}

fn key_of(key: u64) -> Key {
    Key::new("kit", &format!("{key}"))
}

impl PrepayLedger for Reference {
    fn ask(&mut self, key: u64, request: Request) -> Answer {
        let (name, body) = (key_of(key), BodyHash::of(format!("{request:?}").as_bytes()));
        let pays = matches!(request, Request::Pay { .. });
        let prior = self.keys.get(&name).cloned().filter(|record| match self.fault {
            Some(Fault::KeyForgotten) => false,
            Some(Fault::PaymentRepeats) => !(pays && record.body == body),
            Some(Fault::RefusedRetried) => !matches!(record.fate, Fate::Burned(_)),
            _ => true,
        });
        let prior = prior
            .map(|record| KeyRecord { body: if self.is(Fault::BodyIgnored) { body } else { record.body }, ..record });
        let run = name.run(
            body,
            prior.as_ref(),
            || self.judge(request).map(|judged| (judged, Answer::Done)).ok_or(()),
            |()| Answer::Refused,
        );
        match run {
            Keyed::Created { changes: (transfer, entries), record } => {
                self.keys.insert(name, record);
                self.store(key, transfer, entries).map_or(Answer::Refused, |()| Answer::Done)
            }
            Keyed::Replayed(_) => Answer::Replayed,
            Keyed::OtherBody { .. } => Answer::OtherBody,
            Keyed::Refused { record, .. } => {
                self.keys.insert(name, record);
                if self.is(Fault::RefusalLeavesTrace) {
                    self.leave_trace();
                }
                Answer::Refused
            }
            Keyed::Burned(_) => Answer::Refused,
        }
    }

    fn race(&mut self, first: (u64, Request), second: (u64, Request)) -> [Answer; 2] {
        let judged = [self.judge(first.1), self.judge(second.1)];
        let [one, other] = judged;
        let stored = one.map_or(Answer::Refused, |(transfer, entries)| {
            self.store(first.0, transfer, entries).map_or(Answer::Refused, |()| Answer::Done)
        });
        let Some((transfer, entries)) = other else { return [stored, Answer::Refused] };
        // The journal has moved on: the second can't be appended and is judged again.
        let again = match self.store(second.0, transfer, entries) {
            Ok(()) => Answer::Done,
            Err(_) if self.is(Fault::RaceLost) => {
                let id = TransferId::new(ORIGIN, self.next_seq, 0);
                let blind = Transfer { id, action: Action::Move, ..transfer };
                let entries = self.ledger.decide(&[blind], UTC_S).unwrap_or_default();
                self.store(second.0, blind, entries).map_or(Answer::Refused, |()| Answer::Done)
            }
            Err(_) => self.ask(second.0, second.1),
        };
        [stored, again]
    }

    fn customer(&self, customer: u64) -> i64 {
        self.posted(purse(customer))
    }

    fn held(&self, customer: u64) -> i64 {
        self.ledger.balance(purse(customer)).debits_pending.minor()
    }

    fn meter(&self, meter: u64) -> i64 {
        self.posted(meter_purse(meter))
    }

    fn till(&self) -> i64 {
        -self.posted(TILL)
    }

    fn imbalance(&self) -> i64 {
        let trial = self.ledger.trial_balance();
        i64::try_from(trial.debits - trial.credits).unwrap_or(i64::MAX) - self.one_sided
    }

    fn lines(&self) -> u64 {
        u64::try_from(self.journal.len()).unwrap_or(u64::MAX)
    }

    fn audit(&self, changed: Option<u64>) -> bool {
        let mut journal = self.journal.clone();
        let line = changed.and_then(|line| usize::try_from(line).ok()).and_then(|line| journal.get_mut(line));
        if let Some(line) = line {
            line.transfer.amount = Money::from_minor(line.transfer.amount.minor() + 1);
        }
        self.is(Fault::AuditBlind)
            || verify(Currency::CNY, ShardId(0), &journal).is_ok_and(|head| head == self.ledger.head())
    }

    fn relay(&self, rules: Rules) -> Told {
        let mut standing = Standing {
            lock_out: rules.lock_out,
            keep_power: rules.keep_power,
            forced_off: rules.forced_off,
            load_limit: rules.load_limit,
            friendly_hours: rules.friendly_hours,
            arrears: rules.arrears,
            never_cut: rules.never_cut,
        };
        match self.fault {
            Some(Fault::LockOutYields) => standing.lock_out &= !rules.keep_power,
            Some(Fault::KeepPowerYields) => standing.keep_power &= !rules.forced_off,
            Some(Fault::FriendlyNotWritten) => standing.friendly_hours &= !(rules.in_meter && rules.arrears),
            Some(Fault::FriendlyYields) => standing.friendly_hours &= !rules.arrears,
            Some(Fault::NeverCutShed) => standing.never_cut &= !rules.load_limit,
            _ => {}
        }
        let cutter = if rules.in_meter { Cutter::Meter } else { Cutter::Station };
        match decide(&standing, cutter).force {
            Force::On => Told::On,
            Force::Off => Told::Off,
            Force::Automatic => Told::Automatic,
        }
    }
}
