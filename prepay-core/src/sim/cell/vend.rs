//! One sale from the till to its verdict.

use super::{Cell, OPERATOR, TROUBLE_MS, Told};
use crate::account::{Command, Payment};
use crate::id::{ChannelId, Reason, SaleId};
use crate::ledger::{BodyHash, Key, Keyed};
use crate::money::Money;
use crate::sale::Phase;
use crate::sim::report::Report;

impl Cell {
    pub(super) fn vend(&mut self, report: &mut Report) {
        let sale = SaleId(self.next_sale);
        self.next_sale += 2;
        let amount = u32::try_from(self.rng.between(1, 20_000)).unwrap_or(1);
        if !self.pay(sale, amount, report) {
            return;
        }
        if self.auditor.at_station {
            self.station_paid += i64::from(amount);
        }
        self.auditor.pays(sale.0, amount, report);
        if self.auditor.at_station {
            // Credit at the station is sold when it is stored; nothing is sent.
            self.auditor.sold_at_station(sale.0);
            self.run_todo(20, report);
            return;
        }
        self.follow_sale(sale, report);
    }

    /// Until the meter has told what became of it.
    pub(super) fn follow_sale(&mut self, sale: SaleId, report: &mut Report) {
        let before = self.meter.purchases;
        (self.first_sent_ms, self.read_backs) = (None, 0);
        let began_ms = self.now_ms;
        self.trouble_ms = began_ms;
        let mut steps = 0;
        while self.open_phase().is_some() && steps < 2_000 {
            steps += 1;
            if self.now_ms > began_ms + TROUBLE_MS {
                self.link.healed = true;
            }
            if self.rng.chance(8) {
                self.ask_void(sale, report);
            }
            if self.rng.chance(150) {
                self.stranger(report);
            }
            if self.quarantined() {
                self.explain(report);
            } else if !self.step(report) {
                self.wait(1_000);
                self.tell(&Command::ProbeDue { sale }, report);
            }
        }
        self.link.healed = false;
        if let Some(sent_ms) = self.first_sent_ms {
            report.times_ms.push(u32::try_from(self.now_ms - sent_ms).unwrap_or(u32::MAX));
            report.read_backs.push(self.read_backs);
            let after_outage_ms = self.now_ms.saturating_sub(self.trouble_ms.max(sent_ms));
            report.max_after_outage_ms = report.max_after_outage_ms.max(after_outage_ms);
        }
        report.faults.count_wraps += u64::from(self.meter.purchases < before && before > 0xFF00);
    }

    /// Takes the money over the counter, by a request with a key; clicks twice now and then.
    pub(super) fn pay(&mut self, sale: SaleId, amount: u32, report: &mut Report) -> bool {
        let meter = (!self.auditor.at_station).then_some(self.number);
        let (money, payment) = (Money::from_minor(i64::from(amount)), Payment::Channel(ChannelId(1)));
        let request = |sale| Command::RequestSale { sale, meter, amount: money, payment, operator: OPERATOR };
        for _ in 0..50 {
            match self.tell(&request(sale), report) {
                Told::Stored => break,
                Told::Lost => {}
                // Refused: quarantined since the last sale, which an operator explains first.
                Told::Refused if self.quarantined() => self.explain(report),
                Told::Refused => return false,
            }
        }
        let callbacks = if self.rng.chance(15) { 2 } else { 1 };
        for _ in 0..callbacks {
            let key = Key::new("payment", core::str::from_utf8(&digits(sale.0)).unwrap_or_default());
            let prior = self.keys.get(&key).cloned();
            match key.run(BodyHash::of(&amount.to_be_bytes()), prior.as_ref(), || Ok::<_, ()>(((), sale.0)), |()| 0) {
                Keyed::Created { record, .. } => drop(self.keys.insert(key, record)),
                Keyed::Replayed(_) => report.faults.duplicated_callbacks += 1,
                _ => {}
            }
        }
        if self.rng.chance(15) {
            report.faults.double_clicks += 1;
            let stored = self.stored.len();
            self.tell(&request(sale), report);
            report.double_credits += u64::from(self.stored.len() > stored);
        }
        if self.rng.chance(15) && self.open_phase().is_some() {
            report.faults.second_operators += 1;
            let stored = self.stored.len();
            self.tell(&request(SaleId(sale.0 + 1)), report);
            report.double_credits += u64::from(self.stored.len() > stored);
        }
        true
    }

    pub(super) fn ask_void(&mut self, sale: SaleId, report: &mut Report) {
        if let Ok(why) = Reason::new("the customer changed his mind") {
            self.tell(&Command::RequestVoid { sale, by: OPERATOR, why }, report);
        }
    }

    pub(super) fn open_phase(&self) -> Option<Phase> {
        self.account.meter(self.number)?.sale().map(|sale| sale.phase)
    }

    pub(super) fn quarantined(&self) -> bool {
        self.account.meter(self.number).is_some_and(|meter| meter.quarantine().is_some())
    }
}

/// A number as text, for a key.
fn digits(mut value: u64) -> [u8; 20] {
    let mut text = [b'0'; 20];
    for digit in text.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
    text
}
