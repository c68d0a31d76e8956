//! The double-entry books beside a model in plain maps.
//!
//! Input: steps, each an operation byte and its arguments; see [`World::step`].
//!
//! It must hold that the books take a transfer exactly when the model does, alone and in batches; that their balances,
//! holds and limits are those of the model; that a refused batch changes nothing; that debits equal credits; that the
//! journal verifies, rebuilds to the same books, and does neither when any of its records was changed.
#![no_main]

use fuzz::Tape;
use libfuzzer_sys::fuzz_target;
use prepay_core::ledger::{
    AccountKey, AccountKind, Action, Entry, Hash, HoldState, Ledger, LedgerError, LimitRule, ShardId, Transfer,
    TransferId, verify,
};
use prepay_core::money::{Currency, Money};
use std::collections::{BTreeMap, BTreeSet};

/// Most steps of one run.
const MAX_STEPS: usize = 120;
/// Most transfers of a batch.
const MAX_BATCH: u8 = 4;
const KINDS: [AccountKind; 4] =
    [AccountKind::Cash, AccountKind::CustomerPurse, AccountKind::MeterPurse, AccountKind::Revenue];

fuzz_target!(|bytes: &[u8]| {
    let mut tape = Tape::new(bytes);
    let ledger = Ledger::new(Currency::CNY, ShardId(3));
    let mut world = World { ledger, model: Model::default(), journal: Vec::new(), next_seq: 1 };
    for _ in 0..MAX_STEPS {
        if tape.is_over() {
            break;
        }
        world.step(&mut tape);
    }
    world.audit(&mut tape);
});

/// The books once more, slowly: sums in wide numbers.
#[derive(Clone, Default, PartialEq)]
struct Model {
    posted: BTreeMap<AccountKey, [i128; 2]>,
    pending: BTreeMap<AccountKey, [i128; 2]>,
    overdraft: BTreeMap<AccountKey, i128>,
    closed: BTreeMap<AccountKey, bool>,
    holds: BTreeMap<TransferId, (Transfer, HoldState)>,
    /// Receipts with what was refunded, or none when reversed.
    receipts: BTreeMap<TransferId, (Transfer, Option<i128>)>,
    latest: BTreeMap<u64, TransferId>,
}

impl Model {
    /// Takes a transfer, or leaves everything as it is.
    fn take(&mut self, transfer: &Transfer) -> bool {
        let mut after = self.clone();
        let taken = after.try_take(transfer).is_some();
        if taken {
            *self = after;
        }
        taken
    }

    fn try_take(&mut self, transfer: &Transfer) -> Option<()> {
        let Transfer { id, action, debit, credit, amount, limit } = *transfer;
        let amount = i128::from(amount.minor());
        let is_new = self.latest.get(&id.origin).is_none_or(|latest| *latest < id);
        (is_new && amount > 0 && debit != credit).then_some(())?;
        match action {
            Action::Move => self.post(transfer)?,
            Action::Receipt => {
                self.post(transfer)?;
                self.receipts.insert(id, (*transfer, Some(0)));
            }
            Action::Hold => {
                self.pend(transfer, amount)?;
                self.holds.insert(id, (*transfer, HoldState::Open));
            }
            Action::Post { hold } => {
                let held = self.end(transfer, hold, HoldState::Posted)?;
                (amount <= held).then_some(())?;
                self.post(transfer)?;
            }
            Action::Void { hold } => {
                let held = self.end(transfer, hold, HoldState::Voided)?;
                (amount == held).then_some(())?;
            }
            Action::Refund { of } => {
                let (receipt, refunded) = self.given_back(transfer, of)?;
                (amount <= receipt - refunded).then_some(())?;
                self.receipts.get_mut(&of)?.1 = Some(refunded + amount);
                self.post(transfer)?;
            }
            Action::Reverse { of } => {
                let (receipt, refunded) = self.given_back(transfer, of)?;
                (amount == receipt && refunded == 0).then_some(())?;
                self.receipts.get_mut(&of)?.1 = None;
                self.post(transfer)?;
            }
        }
        if limit == LimitRule::Enforce && !matches!(action, Action::Void { .. }) {
            if let Some(overdraft) = self.overdraft.get(&debit) {
                (self.available(debit) >= -overdraft).then_some(())?;
            }
            let is_closed = |key| self.closed.get(&key).copied().unwrap_or_default();
            (!is_closed(debit) && !is_closed(credit)).then_some(())?;
        }
        self.latest.insert(id.origin, id);
        Some(())
    }

    fn available(&self, key: AccountKey) -> i128 {
        let [debits, credits] = self.posted.get(&key).copied().unwrap_or_default();
        credits - debits - self.pending.get(&key).copied().unwrap_or_default()[0]
    }

    fn post(&mut self, transfer: &Transfer) -> Option<()> {
        let amount = i128::from(transfer.amount.minor());
        for (key, side) in [(transfer.debit, 0), (transfer.credit, 1)] {
            let sums = self.posted.entry(key).or_default();
            sums[side] += amount;
            fits(sums[side])?;
            fits(sums[1] - sums[0])?;
        }
        Some(())
    }

    fn pend(&mut self, transfer: &Transfer, amount: i128) -> Option<()> {
        for (key, side) in [(transfer.debit, 0), (transfer.credit, 1)] {
            let sums = self.pending.entry(key).or_default();
            sums[side] += amount;
            fits(sums[side])?;
        }
        fits(self.available(transfer.debit))
    }

    fn end(&mut self, transfer: &Transfer, id: TransferId, end: HoldState) -> Option<i128> {
        let (hold, state) = self.holds.get_mut(&id)?;
        let same = (hold.debit, hold.credit) == (transfer.debit, transfer.credit);
        (same && *state == HoldState::Open).then_some(())?;
        *state = end;
        let held = i128::from(hold.amount.minor());
        self.pend(transfer, -held)?;
        Some(held)
    }

    /// What was received, and what of it was given back.
    fn given_back(&self, transfer: &Transfer, of: TransferId) -> Option<(i128, i128)> {
        let (receipt, refunded) = self.receipts.get(&of)?;
        let way_back = (receipt.debit, receipt.credit) == (transfer.credit, transfer.debit);
        way_back.then_some((i128::from(receipt.amount.minor()), (*refunded)?))
    }
}

fn fits(amount: i128) -> Option<()> {
    i64::try_from(amount).is_ok().then_some(())
}

struct World {
    ledger: Ledger,
    model: Model,
    journal: Vec<Entry>,
    next_seq: u64,
}

impl World {
    fn step(&mut self, tape: &mut Tape<'_>) {
        match tape.byte() % 8 {
            0 => {
                let (key, limit) = (key(tape), tape.flag().then(|| amount(tape)));
                let taken = self.ledger.set_overdraft_limit(key, limit).is_ok();
                assert_eq!(taken, limit.is_none_or(|limit| limit.minor() >= 0));
                if taken {
                    self.model.overdraft.remove(&key);
                    self.model.overdraft.extend(limit.map(|limit| (key, i128::from(limit.minor()))));
                }
            }
            1 => {
                let (key, closed) = (key(tape), tape.flag());
                self.ledger.set_closed(key, closed);
                self.model.closed.insert(key, closed);
            }
            2 => {
                let count = 1 + tape.byte() % MAX_BATCH;
                let batch: Vec<_> = (0..count).map(|_| self.transfer(tape)).collect();
                self.post(&batch);
            }
            _ => {
                let transfer = self.transfer(tape);
                self.post(&[transfer]);
            }
        }
    }

    fn transfer(&mut self, tape: &mut Tape<'_>) -> Transfer {
        let id = match tape.byte() {
            0 => TransferId::new(tape.byte().into(), tape.byte().into(), 0),
            _ => TransferId::new(7, self.next_seq, 0),
        };
        self.next_seq += 1;
        let other = TransferId::new(7, tape.byte().into(), 0);
        let action = tape.pick(&[
            Action::Move,
            Action::Receipt,
            Action::Hold,
            Action::Post { hold: other },
            Action::Void { hold: other },
            Action::Refund { of: other },
            Action::Reverse { of: other },
        ]);
        let limit = tape.pick(&[LimitRule::Enforce, LimitRule::Record]);
        // What a transfer refers to often fits it.
        let named = match action {
            Action::Post { .. } | Action::Void { .. } => self.model.holds.get(&other).map(|(hold, _)| *hold),
            Action::Refund { .. } | Action::Reverse { .. } => self
                .model
                .receipts
                .get(&other)
                .map(|(receipt, _)| Transfer { debit: receipt.credit, credit: receipt.debit, ..*receipt }),
            _ => None,
        };
        match named.filter(|_| tape.flag()) {
            Some(named) => {
                let amount = if tape.flag() { named.amount } else { amount(tape) };
                Transfer { id, action, limit, amount, ..named }
            }
            None => Transfer { id, action, debit: key(tape), credit: key(tape), amount: amount(tape), limit },
        }
    }

    /// A batch is taken as a whole or not at all.
    fn post(&mut self, batch: &[Transfer]) {
        let before = self.ledger.clone();
        let mut model = self.model.clone();
        let expected = batch.iter().all(|transfer| model.take(transfer));
        let decided = self.ledger.decide(batch, 1_772_719_650);
        assert_eq!(self.ledger, before, "a decision changes nothing");
        assert_eq!(decided.is_ok(), expected, "{decided:?} of {batch:?}");
        match decided {
            Ok(entries) => {
                for entry in entries {
                    self.ledger.apply(&entry).expect("what was decided applies");
                    self.journal.push(entry);
                }
                self.model = model;
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }

    fn audit(&self, tape: &mut Tape<'_>) {
        let trial = self.ledger.trial_balance();
        assert!(trial.balances());
        for kind in KINDS {
            for owner in 0..3 {
                self.account(AccountKey::new(kind, owner));
            }
        }
        for (id, (hold, state)) in &self.model.holds {
            let shown = self.ledger.hold(*id).expect("it was held");
            assert_eq!(
                (shown.debit, shown.credit, shown.amount, shown.state),
                (hold.debit, hold.credit, hold.amount, *state)
            );
        }
        let head = verify(Currency::CNY, ShardId(3), &self.journal).expect("our own journal");
        assert_eq!(head, self.ledger.head());
        assert_eq!((self.ledger.currency(), self.ledger.shard()), (Currency::CNY, ShardId(3)));
        let names: BTreeSet<_> = AccountKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), AccountKind::ALL.len());
        if let [.., last] = &self.journal[..] {
            let text = String::from(last.hash);
            assert_eq!(Hash::try_from(text.clone()), Ok(last.hash));
            assert!(Hash::try_from(text[1..].to_owned()).is_err());
            assert_eq!(Hash::from_bytes(*last.hash.as_bytes()), last.hash);
            assert!(last.record().len() > 32);
        }
        let rebuilt = Ledger::rebuild(Currency::CNY, ShardId(3), &self.journal).expect("our own journal");
        assert_eq!(rebuilt.trial_balance(), trial);
        self.tamper(tape);
    }

    fn account(&self, key: AccountKey) {
        let (balance, none) = (self.ledger.balance(key), [0; 2]);
        let posted = [balance.debits_posted, balance.credits_posted].map(|sum| i128::from(sum.minor()));
        let pending = [balance.debits_pending, balance.credits_pending].map(|sum| i128::from(sum.minor()));
        assert_eq!(posted, *self.model.posted.get(&key).unwrap_or(&none));
        assert_eq!(pending, *self.model.pending.get(&key).unwrap_or(&none));
        let limit = self.ledger.overdraft_limit(key).map(|limit| i128::from(limit.minor()));
        assert_eq!(limit, self.model.overdraft.get(&key).copied());
        assert_eq!(self.ledger.is_closed(key), self.model.closed.get(&key).copied().unwrap_or_default());
    }

    /// One record changed or left out: the chain says so.
    fn tamper(&self, tape: &mut Tape<'_>) {
        if self.journal.is_empty() {
            return;
        }
        let place = usize::from(tape.byte()) % self.journal.len();
        let mut journal = self.journal.clone();
        match tape.byte() % 4 {
            0 => {
                let changed = journal[place].transfer.amount.minor() ^ 1;
                journal[place].transfer.amount = Money::from_minor(changed);
            }
            1 => journal[place].utc_s += 1,
            2 => journal[place].transfer.limit = LimitRule::Record,
            // The last record may be missing without a trace in the chain itself.
            _ if place + 1 < journal.len() => drop(journal.remove(place)),
            _ => return,
        }
        if journal != self.journal {
            assert!(verify(Currency::CNY, ShardId(3), &journal).is_err());
            let rebuilt = Ledger::rebuild(Currency::CNY, ShardId(3), &journal);
            assert!(matches!(rebuilt, Err(LedgerError::Chain(_))), "{rebuilt:?}");
        }
    }
}

fn key(tape: &mut Tape<'_>) -> AccountKey {
    AccountKey::new(tape.pick(&KINDS), u64::from(tape.byte() % 3))
}

/// Mostly small; sometimes at the ends of what fits.
fn amount(tape: &mut Tape<'_>) -> Money {
    Money::from_minor(match tape.byte() {
        0 => i64::from_be_bytes(tape.array()),
        1 => i64::MAX,
        2 => -i64::from(tape.byte()),
        _ => tape.word().into(),
    })
}
