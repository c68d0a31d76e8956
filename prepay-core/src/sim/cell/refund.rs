//! Refunds and reversals: credit is taken out of the meter again, or out of the money that the station holds.

use super::{Cell, OPERATOR, TROUBLE_MS, Told};
use crate::account::{Command, RefundTo, SaleResolution};
use crate::id::{Reason, RefundId, SaleId};
use crate::money::Money;
use crate::refund::{RefundPhase, RefundTake};
use crate::sim::auditor::Ask;
use crate::sim::report::Report;

impl Cell {
    /// A customer wants credit back, some of it or all.
    pub(super) fn refund(&mut self, report: &mut Report) {
        if self.auditor.at_station {
            return;
        }
        // Some are so small that no register can tell them from what is used meanwhile.
        let most = if self.rng.chance(100) { 8 } else { 8_000 };
        let cents = self.rng.below(most) + 1;
        // An overdrawn meter that is cleared makes a debt: that is another story.
        let everything = self.rng.chance(200) && self.meter.remaining() > 1_000;
        let amount = (!everything).then(|| i64::try_from(cents).unwrap_or(1));
        let to = if self.rng.chance(500) { RefundTo::Purse } else { RefundTo::OriginalChannel };
        let ask = Ask { amount, to_channel: to == RefundTo::OriginalChannel, reverses: None };
        let take = amount.map_or(RefundTake::Everything, |cents| RefundTake::Exactly(Money::from_minor(cents)));
        self.take_out(ask, report, |cell, refund, why| {
            let from = Some(cell.number);
            Command::RequestRefund { refund, from, take, to, operator: OPERATOR, why }
        });
    }

    /// The last sale was a mistake.
    pub(super) fn reverse(&mut self, report: &mut Report) {
        let Some(sale) = self.next_sale.checked_sub(2) else { return };
        let Some(amount) = self.auditor.amount_of(sale) else { return };
        let ask = Ask { amount: Some(i64::from(amount)), to_channel: true, reverses: Some(sale) };
        self.take_out(ask, report, |_, refund, why| Command::RequestReversal {
            refund,
            sale: SaleId(sale),
            operator: OPERATOR,
            why,
        });
    }

    /// Money that the station holds goes back over the counter.
    pub(super) fn pay_out(&mut self, report: &mut Report) {
        let cents = i64::try_from(self.rng.between(1, 5_000)).unwrap_or(1);
        let ask = Ask { amount: Some(cents), to_channel: true, reverses: None };
        let take = RefundTake::Exactly(Money::from_minor(cents));
        self.take_out(ask, report, |_, refund, why| {
            let to = RefundTo::OriginalChannel;
            Command::RequestRefund { refund, from: None, take, to, operator: OPERATOR, why }
        });
    }

    fn take_out(&mut self, ask: Ask, report: &mut Report, command: impl Fn(&Self, RefundId, Reason) -> Command) {
        let Ok(why) = Reason::new("the customer asks for it") else { return };
        let refund = RefundId(self.next_refund);
        self.next_refund += 2;
        self.auditor.refunds.asked(refund.0, ask);
        if self.insist(report, |cell| command(cell, refund, why.clone())) != Told::Stored {
            return self.auditor.refunds.refused(refund.0);
        }
        if self.rng.chance(30) && self.open_refund().is_some() {
            // A second operator at the same meter.
            report.faults.second_operators += 1;
            let stored = self.stored.len();
            self.tell(&command(self, RefundId(refund.0 + 1), why), report);
            report.double_credits += u64::from(self.stored.len() > stored);
        }
        self.follow_refund(refund, report);
    }

    /// Until the meter has told what became of it.
    pub(super) fn follow_refund(&mut self, refund: RefundId, report: &mut Report) {
        let began_ms = self.now_ms;
        let mut steps = 0;
        while self.open_refund().is_some() && steps < 2_000 {
            steps += 1;
            if self.now_ms > began_ms + TROUBLE_MS {
                self.link.healed = true;
            }
            if self.rng.chance(60) {
                self.give_up(refund, report);
            }
            if self.rng.chance(60) {
                self.stranger(report);
            }
            // Somebody is cooking: if the supply is on, this is seen.
            let energy = u32::try_from(self.rng.between(50, 200)).unwrap_or(50);
            self.consume(0, energy);
            if self.quarantined() {
                self.explain(report);
            } else if !self.step(report) {
                self.wait(1_000);
                self.tell(&Command::RefundProbeDue { refund }, report);
            }
        }
        self.link.healed = false;
        self.auditor.watch(&self.meter, report);
        report.mark();
    }

    fn give_up(&mut self, refund: RefundId, report: &mut Report) {
        if let Ok(why) = Reason::new("the customer changed his mind") {
            self.tell(&Command::RequestRefundVoid { refund, by: OPERATOR, why }, report);
        }
    }

    fn open_refund(&self) -> Option<(RefundId, RefundPhase)> {
        self.account.meter(self.number)?.refund().map(|open| (open.id, open.phase))
    }

    /// What the records of the meter say about a refund that nobody can explain: whether its money was taken out.
    pub(super) fn fate_of_the_refund(&self) -> Option<SaleResolution> {
        let (refund, _) = self.open_refund().filter(|(_, phase)| *phase == RefundPhase::Quarantined)?;
        let taken = crate::sim::auditor::was_taken_out(&self.meter, refund.0);
        Some(if taken { SaleResolution::Applied } else { SaleResolution::NotApplied })
    }
}
