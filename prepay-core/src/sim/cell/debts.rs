//! What customers owe at the station: charged, agreed in parts, paid, given up; emergency credit.

use super::{Cell, OPERATOR, Told};
use crate::account::{Command, DebtCharge};
use crate::debt::{DebtKind, Plan};
use crate::id::{ChannelId, DebtId, Reason, SaleId};
use crate::money::Money;
use crate::sim::prices::PRICES;
use crate::sim::report::Report;

/// Cents that a customer may borrow.
pub(super) const EMERGENCY: i64 = 1_000;

/// Cents that are left in a meter when its customer thinks of borrowing.
const ALMOST_NOTHING: i64 = 200;

/// 0.01 kWh that one meter counts in an hour: less than its registers allow.
const MOST_IN_AN_HOUR: u32 = 150_000;

impl Cell {
    /// A month ends, or somebody has been out for nothing; now and then it is agreed to be paid in parts.
    pub(super) fn charge_debt(&mut self, report: &mut Report) {
        let Ok(why) = Reason::new("charged") else { return };
        let kind = match self.rng.below(3) {
            0 => DebtKind::Arrears,
            1 => DebtKind::PeriodEnd,
            _ => DebtKind::Fee,
        };
        let cents = i64::try_from(self.rng.between(3, 6_000)).unwrap_or(3);
        let (amount, tax) =
            (Money::from_minor(cents), Money::from_minor(if kind == DebtKind::Arrears { 0 } else { cents / 10 }));
        let debt = DebtId(self.next_debt);
        self.next_debt += 1;
        self.auditor.debts.asked = (debt.0, cents);
        let told = self.insist(report, |cell| {
            let charge = DebtCharge { kind, amount, tax, notice_until_utc_s: cell.now().utc_s };
            Command::ChargeDebt { debt, charge, by: OPERATOR, why: why.clone() }
        });
        if told == Told::Stored && self.rng.chance(300) {
            let part = Money::from_minor(cents / 3);
            self.insist(report, |cell| {
                let first_due_utc_s = cell.now().utc_s + 1_000;
                let plan = Plan { agreed: amount, part, first_due_utc_s, every_s: 3_600 };
                Command::AgreeInstalments { debt, plan, by: OPERATOR, why: why.clone() }
            });
        }
        self.insist(report, |_| Command::Tick);
    }

    /// Somebody comes to pay what he owes, or some of it; or it is given up.
    pub(super) fn settle_debts(&mut self, report: &mut Report) {
        let (owed, Some(any)) = (self.auditor.debts.total(), self.auditor.debts.any()) else { return };
        let Ok(why) = Reason::new("will never be paid") else { return };
        if self.rng.chance(500) {
            self.insist(report, |_| Command::WriteOffDebt { debt: DebtId(any), by: OPERATOR, why: why.clone() });
            return;
        }
        let sale = SaleId(self.next_sale);
        self.next_sale += 2;
        let cents = owed - i64::try_from(self.rng.below(2)).unwrap_or(0) * (owed / 2);
        let amount = Money::from_minor(cents);
        let channel = ChannelId(1);
        let told = self.insist(report, |_| Command::PayDebts { sale, amount, channel, operator: OPERATOR });
        if told == Told::Stored {
            self.auditor.pays_debts(sale.0, cents, report);
            self.station_paid += cents;
        }
    }

    /// The meter is nearly empty and the shop is closed: credit until tomorrow.
    pub(super) fn borrow(&mut self, report: &mut Report) {
        // Who has borrowed asks again now and then, when that is used too.
        while !self.auditor.at_station && !self.quarantined() && self.put_aside.is_none() && self.meter.relay_closed() {
            self.use_nearly_all(report);
            if !self.lend(report) || self.rng.chance(500) {
                break;
            }
        }
    }

    /// Guests for an evening: little is left in the meter, and the station has seen it.
    fn use_nearly_all(&mut self, report: &mut Report) {
        let [peak, ..] = PRICES;
        let cents = u64::try_from(self.meter.remaining() - ALMOST_NOTHING).unwrap_or(0);
        let energy = u32::try_from(cents * 10_000 / u64::from(peak)).unwrap_or(0);
        self.wait(3_600_000);
        self.consume(0, energy.min(MOST_IN_AN_HOUR));
        self.poll(true, report);
    }

    /// Whether emergency credit was lent.
    fn lend(&mut self, report: &mut Report) -> bool {
        let Ok(why) = Reason::new("until tomorrow") else { return false };
        let (debt, sale) = (DebtId(self.next_debt), SaleId(self.next_sale));
        (self.next_debt, self.next_sale) = (self.next_debt + 1, self.next_sale + 2);
        self.auditor.debts.asked = (debt.0, EMERGENCY);
        let told = self.insist(report, |cell| {
            let sale = Some((sale, cell.number));
            Command::TakeEmergency { debt, sale, by: OPERATOR, why: why.clone() }
        });
        if told == Told::Stored {
            self.auditor.borrows(sale.0, EMERGENCY);
            self.follow_sale(sale, report);
        }
        told == Told::Stored
    }
}
