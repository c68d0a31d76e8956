//! The station: decide, store, apply, release, and a death at each of them.

use alloc::format;
use alloc::vec::Vec;

use super::{Cell, Told};
use crate::account::{Account, Command, Effect, Refusal};
use crate::bend::Bend;
use crate::id::RefundId;
use crate::ledger::{AccountKind, Action, Transfer};
use crate::persist::Persisted;
use crate::sale::Phase;
use crate::sim::link::Frame;
use crate::sim::meter::Author;
use crate::sim::prices::Prices;
use crate::sim::report::{Crash, Report};

impl Cell {
    pub(super) fn run_todo(&mut self, limit: usize, report: &mut Report) {
        for _ in 0..limit {
            if !self.step(report) {
                return;
            }
        }
    }

    /// The next effect that is due first; false when there is none.
    pub(super) fn step(&mut self, report: &mut Report) -> bool {
        let next = self.todo.iter().enumerate().min_by_key(|(_, (due, _))| *due).map(|(index, _)| index);
        let Some(index) = next else { return false };
        let (due_ms, effect) = self.todo.remove(index);
        if due_ms > self.now_ms {
            self.wait(due_ms - self.now_ms);
        }
        let busy = usize::try_from(self.rng.below(4)).unwrap_or(0);
        let energy = u32::try_from(self.rng.below(6)).unwrap_or(0);
        self.consume(busy, energy);
        self.perform(effect, report);
        true
    }

    /// Decide, store, apply, release; with a death at each of them.
    pub(super) fn tell(&mut self, command: &Command, report: &mut Report) -> Told {
        let decision = match self.account.decide(command, self.now(), &Prices) {
            Ok(decision) => decision,
            Err(Refusal::SaleNotNew { .. }) if !self.latest_is(command) => return Told::Refused,
            Err(Refusal::SaleNotNew { .. }) => return Told::Stored,
            Err(refusal) => {
                self.note(|| format!("refused  {command:?}: {refusal}"));
                return Told::Refused;
            }
        };
        self.note(|| format!("told     {command:?}"));
        for event in &decision.events {
            self.note(|| format!("decided  {:?}", event.fact));
        }
        let Ok(transfers) = decision.transfers() else { return Told::Refused };
        let events = decision.events;
        let through = events.last().map_or(self.account.seq(), |event| event.seq);
        let effects = decision.effects.release(&Persisted::attest(self.account.id(), through)).unwrap_or_default();
        if self.bend == Some(Bend::EffectsLeaveEarly) {
            self.leave_early(&effects, report);
        }
        if self.chaos(10) {
            report.faults.crashes_before_commit += 1;
            report.crash(self.step_of(command), Crash::WriteLost);
            self.crash();
            return Told::Lost;
        }
        if self.chaos(4) {
            self.note(|| "commit failed".into());
            self.trouble_ms = self.now_ms;
            report.faults.failed_commits += 1;
            self.todo = self.resume();
            return Told::Lost;
        }
        let kept: Vec<_> = transfers.into_iter().filter(|transfer| !self.forgets(transfer)).collect();
        let Ok(entries) = self.ledger.decide(&kept, self.now().utc_s) else {
            report.ledger_imbalance += 1;
            return Told::Lost;
        };
        for entry in entries {
            if self.ledger.apply(&entry).is_err() {
                report.ledger_imbalance += 1;
            }
            self.journal.push(entry);
        }
        self.auditor.hear(&events, &self.meter, report);
        let seen = self.stored.len();
        self.stored.extend(events);
        if self.chaos(10) {
            report.faults.crashes_after_commit += 1;
            report.crash(self.step_of(command), Crash::WriteKept);
            report.mark();
            self.crash();
            return Told::Stored;
        }
        for event in self.stored.iter().skip(seen) {
            if self.account.apply(event).is_err() {
                report.ledger_imbalance += 1;
            }
        }
        self.schedule(effects);
        report.mark();
        Told::Stored
    }

    /// Asks until the station lives long enough to answer.
    pub(super) fn insist(&mut self, report: &mut Report, command: impl Fn(&Self) -> Command) -> Told {
        let mut told = Told::Lost;
        for _ in 0..50 {
            told = self.tell(&command(self), report);
            if told != Told::Lost {
                break;
            }
        }
        told
    }

    /// What the station was doing, in words; what a replacement does has words of its own.
    fn step_of(&self, command: &Command) -> &'static str {
        match command {
            Command::BeginRefund { refund, .. } if self.carries(*refund) => "begin a carry-over",
            Command::RefundSent { refund, .. } if self.carries(*refund) => "note what was carried over",
            Command::RefundReadBack { refund, .. } if self.carries(*refund) => "judge a carry-over",
            Command::RefundFenceClosed { refund } if self.carries(*refund) => "close the fence of a carry-over",
            Command::RequestRefundVoid { refund, .. } if self.carries(*refund) => "give a replacement up",
            other => step_of(other),
        }
    }

    fn carries(&self, refund: RefundId) -> bool {
        self.auditor.places.carries(refund.0)
    }

    /// The till's retry of a request that was stored before the answer got lost.
    pub(super) fn latest_is(&self, command: &Command) -> bool {
        let Command::RequestSale { sale, .. } = command else { return false };
        !self.auditor.knows(sale.0)
    }

    pub(super) fn forgets(&self, transfer: &Transfer) -> bool {
        match self.bend {
            Some(Bend::PaymentNotBooked) => transfer.action == Action::Receipt,
            Some(Bend::ChargeNotBooked) => transfer.credit.kind == AccountKind::Revenue,
            Some(Bend::DebtNotBooked) => transfer.debit.kind == AccountKind::Arrears,
            Some(Bend::WriteOffNotBooked) => transfer.debit.kind == AccountKind::WriteOff,
            _ => false,
        }
    }

    pub(super) fn leave_early(&mut self, effects: &[Effect], report: &mut Report) {
        for effect in effects {
            if let Effect::SendPurchase { sale, amount, new_count, .. } = *effect {
                self.transmissions += 1;
                let author = Author::Station { sale: sale.0, transmission: self.transmissions };
                let amount = u32::try_from(amount.minor()).unwrap_or(0);
                self.exchange(Frame::Purchase { amount, count: new_count, author }, report);
            }
        }
    }

    pub(super) fn schedule(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let due_ms = match effect {
                Effect::ReadBack { not_before_mono_ms, .. }
                | Effect::StartRefund { not_before_mono_ms, .. }
                | Effect::ReadBackRefund { not_before_mono_ms, .. } => {
                    self.boot_ms + not_before_mono_ms.saturating_sub(self.mono_base_ms)
                }
                _ => self.now_ms,
            };
            self.todo.push((due_ms, effect));
        }
    }

    pub(super) fn resume(&mut self) -> Vec<(u64, Effect)> {
        let effects = self.account.resume(self.now());
        let receipt = Persisted::attest(self.account.id(), self.account.seq());
        self.todo.clear();
        self.schedule(effects.release(&receipt).unwrap_or_default());
        core::mem::take(&mut self.todo)
    }

    /// The process dies and comes back with another monotonic origin; the world goes on meanwhile.
    pub(super) fn crash(&mut self) {
        self.note(|| "the station dies".into());
        self.wait(self.rng.clone().between(200, 20_000));
        self.mono_base_ms = self.rng.below(1 << 40);
        self.boot_ms = self.now_ms;
        if let Ok(account) = Account::rebuild(self.account.id(), &self.stored) {
            self.account = account;
        }
        self.account.set_bend(self.bend.filter(|_| self.started));
        self.todo = self.resume();
        self.trouble_ms = self.now_ms;
        if self.bend == Some(Bend::RestartSendsBlindly) {
            self.send_blindly();
        }
    }

    pub(super) fn send_blindly(&mut self) {
        let Some(open) = self.account.meter(self.number).and_then(|meter| meter.sale()) else { return };
        if let (Phase::Sending, Some(begun)) = (open.phase, open.begun) {
            let (sale, meter, amount) = (open.id, self.number, open.amount);
            let (new_count, frame) = (begun.new_count, open.frames);
            self.todo = [(self.now_ms, Effect::SendPurchase { sale, meter, amount, new_count, frame })].to_vec();
        }
    }
}

/// What the station was doing, in words.
const fn step_of(command: &Command) -> &'static str {
    match command {
        Command::RequestSale { .. } => "request a sale",
        Command::BeginSale { .. } => "begin a sale",
        Command::SaleSent { .. } => "note what was sent",
        Command::SaleReadBack { .. } => "judge a read-back",
        Command::ProbeDue { .. } => "probe",
        Command::FenceClosed { .. } => "close the fence",
        Command::RequestVoid { .. } => "ask for a void",
        Command::RequestRefund { from: None, .. } => "pay out",
        Command::RequestRefund { .. } => "request a refund",
        Command::RequestReversal { .. } => "request a reversal",
        Command::BeginRefund { .. } => "begin a refund",
        Command::RefundSent { .. } => "note what was overwritten",
        Command::RefundReadBack { .. } => "judge an overwrite",
        Command::RefundProbeDue { .. } => "probe a refund",
        Command::RefundFenceClosed { .. } => "close the fence of a refund",
        Command::RequestRefundVoid { .. } => "give a refund up",
        Command::ReplaceMeter { .. } => "replace a meter",
        Command::ReadOnBench { .. } => "read on the bench",
        Command::ChargeDebt { .. } => "charge a debt",
        Command::AgreeInstalments { .. } => "agree on instalments",
        Command::PayDebts { .. } => "pay debts",
        Command::WriteOffDebt { .. } => "write a debt off",
        Command::TakeEmergency { .. } => "lend emergency credit",
        Command::ReleaseQuarantine { .. } => "release a quarantine",
        Command::OrderSupply { .. } => "order supply",
        Command::PlaceLockOut { .. } => "place a lock-out",
        Command::LiftLockOut { .. } => "lift a lock-out",
        Command::Shed { .. } => "shed or restore",
        Command::FriendlyHours { .. } => "begin or end friendly hours",
        Command::RelayOrdered { .. } => "note a relay order",
        Command::RelayReported { .. } => "judge a relay",
        Command::SettleNow { .. } => "settle",
        Command::LinkLost { .. } => "lose contact",
        _ => "another command",
    }
}
