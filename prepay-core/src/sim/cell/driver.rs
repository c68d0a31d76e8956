//! What the station's driver does with released effects, and what comes back from the wire.

use alloc::format;

use super::{Cell, Crashed, Told};
use crate::account::{Command, Effect, ReadBack};
use crate::id::{MeterNumber, RefundId, SaleId};
use crate::money::Money;
use crate::reading::{Force, MeterFlags, MeterReading, Rates, Registers};
use crate::refund::MoneyWrite;
use crate::sale::SendOutcome;
use crate::sim::link::{Answer, FRAME_LIFE_MS, Frame};
use crate::sim::meter::{Author, SimMeter};
use crate::sim::report::{Crash, Report};

impl Cell {
    pub(super) fn perform(&mut self, effect: Effect, report: &mut Report) {
        match effect {
            Effect::StartSale { sale, .. } => match self.read(report) {
                Ok(Some(evidence)) => drop(self.tell(&Command::BeginSale { sale, evidence }, report)),
                Ok(None) => self.todo.push((self.now_ms + 2_000, effect)),
                Err(Crashed) => {}
            },
            Effect::SendPurchase { sale, amount, new_count, frame, .. } if self.account.may_send(sale, frame) => {
                self.send(sale, amount, new_count, report);
            }
            Effect::ReadBack { sale, .. } => {
                self.read_backs += 1;
                let read_back = match self.read(report) {
                    Ok(Some(reading)) => ReadBack::Reading(reading),
                    Ok(None) => ReadBack::Unreadable,
                    Err(Crashed) => return,
                };
                self.tell(&Command::SaleReadBack { sale, read_back }, report);
            }
            Effect::Fence { sale, .. } => {
                self.tell(&Command::FenceClosed { sale }, report);
                // The longest life of a frame has to pass.
                self.trouble_ms = self.now_ms + FRAME_LIFE_MS;
            }
            Effect::StartRefund { refund, .. } => match self.read(report) {
                Ok(Some(evidence)) => drop(self.tell(&Command::BeginRefund { refund, evidence }, report)),
                Ok(None) => self.todo.push((self.now_ms + 2_000, effect)),
                Err(Crashed) => {}
            },
            Effect::OverwriteBalance { refund, write, frame, .. } if self.account.may_overwrite(refund, frame) => {
                self.overwrite(refund, &write, report);
            }
            Effect::ReadBackRefund { refund, .. } => {
                let read_back = match self.read(report) {
                    Ok(Some(reading)) => ReadBack::Reading(reading),
                    Ok(None) => ReadBack::Unreadable,
                    Err(Crashed) => return,
                };
                self.tell(&Command::RefundReadBack { refund, read_back }, report);
            }
            Effect::FenceRefund { refund, .. } => {
                self.tell(&Command::RefundFenceClosed { refund }, report);
            }
            Effect::WriteForce { meter, version, force, .. }
                if meter == self.number && self.account.may_write(meter, version) =>
            {
                self.auditor.order_written(meter.get(), version, report);
                self.write_force(version, force, report);
            }
            // Superseded writes are left alone, people are told by others, and this cell asks for nothing else.
            _ => {}
        }
    }

    pub(super) fn send(&mut self, sale: SaleId, amount: Money, count: u16, report: &mut Report) {
        self.first_sent_ms.get_or_insert(self.now_ms);
        self.transmissions += 1;
        let author = Author::Station { sale: sale.0, transmission: self.transmissions };
        let frame = Frame::Purchase { amount: u32::try_from(amount.minor()).unwrap_or(0), count, author };
        let answer = self.exchange(frame, report);
        if self.chaos(15) {
            report.faults.crashes_after_send += 1;
            report.crash("send a purchase", Crash::EffectDone);
            return self.crash();
        }
        self.tell(&Command::SaleSent { sale, outcome: outcome_of(answer) }, report);
    }

    /// Writes remaining amount and count in one frame.
    fn overwrite(&mut self, refund: RefundId, write: &MoneyWrite, report: &mut Report) {
        let remaining = u32::try_from(write.remaining().minor()).unwrap_or(0);
        let frame = Frame::Overwrite { remaining, count: write.purchase_count(), refund: refund.0 };
        let answer = self.exchange(frame, report);
        if self.chaos(30) {
            report.faults.crashes_after_send += 1;
            let carries = self.auditor.places.carries(refund.0);
            let step = if carries { "write a carry-over" } else { "overwrite a balance" };
            report.crash(step, Crash::EffectDone);
            return self.crash();
        }
        self.tell(&Command::RefundSent { refund, outcome: outcome_of(answer) }, report);
    }

    pub(super) fn write_force(&mut self, version: u32, force: Force, report: &mut Report) {
        let (mode, state) = match force {
            Force::Automatic => (0, 0),
            Force::On => (1, 0),
            Force::Off => (1, 1),
        };
        self.exchange(Frame::Force { mode, state }, report);
        if self.chaos(10) {
            report.crash("write a relay order", Crash::EffectDone);
            return self.crash();
        }
        let meter = self.number;
        self.tell(&Command::RelayOrdered { meter, version }, report);
        if let Ok(Some(reading)) = self.read(report) {
            let read_back = ReadBack::Reading(reading);
            self.tell(&Command::RelayReported { meter, version, read_back }, report);
        }
    }

    /// Reads the meter and tells the core; false when the core has not seen it.
    pub(super) fn poll(&mut self, settle: bool, report: &mut Report) -> bool {
        let meter = self.number;
        match self.read(report) {
            Ok(Some(reading)) if settle => self.tell(&Command::SettleNow { meter, reading }, report) == Told::Stored,
            Ok(Some(reading)) => self.tell(&Command::Observe { meter, reading }, report) == Told::Stored,
            Ok(None) => {
                self.tell(&Command::LinkLost { meter }, report);
                false
            }
            Err(Crashed) => false,
        }
    }

    pub(super) fn read(&mut self, report: &mut Report) -> Result<Option<MeterReading>, Crashed> {
        let answer = self.exchange(Frame::Read, report);
        if self.chaos(10) {
            report.faults.crashes_after_read += 1;
            report.crash("read a meter", Crash::EffectDone);
            self.crash();
            return Err(Crashed);
        }
        Ok((answer == Answer::Reply).then(|| self.show()))
    }

    pub(super) fn exchange(&mut self, frame: Frame, report: &mut Report) -> Answer {
        let answer = self.link.exchange(frame, &mut self.now_ms, &mut self.meter, &mut self.rng, &mut report.faults);
        self.auditor.watch(&self.meter, report);
        if answer != Answer::Reply {
            self.trouble_ms = self.now_ms;
        }
        report.mark();
        let (remaining, purchases) = (self.meter.remaining(), self.meter.purchases);
        self.note(|| format!("wire     {frame:?}: {answer:?}; the meter shows {remaining}, count {purchases}"));
        answer
    }

    /// The registers as the station's driver hands them on.
    pub(super) fn show(&self) -> MeterReading {
        self.show_of(&self.meter)
    }

    pub(super) fn show_of(&self, meter: &SimMeter) -> MeterReading {
        let [total, rates @ ..] = meter.energy;
        let force = match meter.force {
            (1, 0) => Force::On,
            (1, _) => Force::Off,
            _ => Force::Automatic,
        };
        let balance = meter.remaining();
        MeterReading {
            meter: MeterNumber::at_most(meter.number),
            purchase_count: meter.purchases,
            balance: Money::from_minor(balance),
            energy: Registers {
                total_centi_kwh: u64::from(total),
                rates: Rates::new(&rates.map(u64::from)).unwrap_or_default(),
            },
            relay_closed: meter.relay_closed(),
            force,
            flags: MeterFlags { arrears: balance <= 0, ..MeterFlags::default() },
            prepaid_enabled: meter.prepaid_on,
            taken: self.now(),
        }
    }
}

/// What the sender of a frame knows about it.
const fn outcome_of(answer: Answer) -> SendOutcome {
    match answer {
        Answer::Reply => SendOutcome::ReplySeen,
        Answer::Silence => SendOutcome::NoReply,
        Answer::NoConnection => SendOutcome::NotTransmitted,
    }
}
