//! Keeps its own accounts of what was paid, what the meter took and what stands, and compares.

mod debts;
mod places;
mod refunds;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use debts::Debts;
use places::Places;
use refunds::Refunds;
pub(super) use refunds::{Ask, was_taken_out};

use super::meter::{Author, CountRule, SimMeter};
use super::report::Report;
use crate::account::{Account, Event, Fact};
use crate::ledger::{AccountKind, Entry, Ledger, ShardId, verify};
use crate::money::Currency;
use crate::reconcile;
use crate::status::{DisplayState, SupplyState};

/// Cents by which the meter's rounding may blur what a stranger has hidden.
const ROUNDING: i64 = 16;
/// Cents within which two amounts can't be told apart: the stated tolerance of a sale's evidence and the rounding of two
/// readings.
const ALIKE: u32 = 6;
/// Cents that may be used between the last poll and the look at the relay.
const BETWEEN_POLLS: u64 = 50;

/// What the station has said about a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Applied,
    Voided,
}

#[derive(Debug, Clone, Copy)]
struct Sale {
    amount: u32,
    said: Option<Said>,
    /// Already counted, or a stranger's twin.
    flagged: bool,
    /// The transmission that has credited it.
    by: Option<u64>,
    /// Credited by a second transmission.
    doubled: bool,
}

/// Rules that stand, as people have set them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted {
    pub(super) locked_out: bool,
    pub(super) keep: bool,
    pub(super) off: bool,
    pub(super) shed: bool,
    pub(super) friendly: bool,
    pub(super) never_cut: bool,
}

#[derive(Debug, Default)]
pub(super) struct Auditor {
    sales: BTreeMap<u64, Sale>,
    /// Cents received over the counter.
    paid: i64,
    /// Somebody or something has written what the station did not mean.
    pub(super) disturbed: bool,
    pub(super) wanted: Wanted,
    pub(super) at_station: bool,
    /// The newest order for each meter.
    newest_order: BTreeMap<u64, u32>,
    /// Cents that a stranger has written over the remaining amount: they may hide behind consumption.
    pub(super) overwritten: i64,
    /// A stranger has set the purchase count back: no register shows any more whether a sale arrived.
    pub(super) count_lowered: bool,
    /// The right meter.
    number: u64,
    /// Purchases of the meter that were looked at, and the transmissions among them.
    looked_at: usize,
    transmissions: BTreeSet<u64>,
    /// Frames that the line has doubled and a meter that adds any count has added twice, and their cents.
    duplicates: u64,
    duplicated: i64,
    /// Doubled frames that were there when somebody looked at the meter last.
    explained_duplicates: u64,
    /// Cents of sales that were credited twice behind a count that a stranger had set back.
    hidden_doubles: i64,
    /// What was asked to be taken out of the meter, and what became of it.
    pub(super) refunds: Refunds,
    /// What is owed at the station.
    pub(super) debts: Debts,
    /// Meters that were replaced.
    pub(super) places: Places,
    /// What was wrong with the books at the end, for the story.
    pub(super) complaints: Vec<String>,
}

impl Auditor {
    pub(super) fn new(number: u64, at_station: bool) -> Self {
        Self { number, at_station, ..Self::default() }
    }

    /// Cents of a sale.
    pub(super) fn amount_of(&self, sale: u64) -> Option<u32> {
        self.sales.get(&sale).map(|known| known.amount)
    }

    pub(super) fn knows(&self, sale: u64) -> bool {
        self.sales.contains_key(&sale)
    }

    /// Credit at the station is sold when it is paid.
    pub(super) fn sold_at_station(&mut self, sale: u64) {
        if let Some(known) = self.sales.get_mut(&sale) {
            known.said = Some(Said::Applied);
        }
    }

    /// Reads the stored events as they are committed.
    pub(super) fn hear(&mut self, events: &[Event], meter: &SimMeter, report: &mut Report) {
        self.watch(meter, report);
        for event in events {
            self.hear_refund(&event.fact, meter, report);
            self.hear_debt(event, report);
            self.hear_move(&event.fact, meter, report);
            match event.fact {
                Fact::SaleApplied { sale, count, .. } => self.say(sale.0, Said::Applied, count, meter, report),
                Fact::SaleVoided { sale, .. } => self.say(sale.0, Said::Voided, 0, meter, report),
                Fact::MeterQuarantined { .. } => {
                    report.quarantined += 1;
                    if !self.disturbed && self.duplicates <= self.explained_duplicates && !self.refunds.torn {
                        report.false_quarantines += 1;
                    }
                }
                // A meter's purse only ever rises by a sale; the few cents are the tolerance of a sale's evidence.
                Fact::Settled(ref settled) if settled.in_meter && settled.booked.minor() < -4 => {
                    report.ledger_imbalance += 1;
                }
                Fact::RelayDesired { meter, version, .. } => {
                    self.newest_order.insert(meter.get(), version);
                }
                Fact::CutVerified { autonomous: true, .. } => report.autonomous_cuts += 1,
                _ => {}
            }
        }
    }

    fn say(&mut self, sale: u64, said: Said, count: u16, meter: &SimMeter, report: &mut Report) {
        let Some(known) = self.sales.get_mut(&sale) else { return };
        if known.said.is_some() {
            report.wrong_verdicts += 1;
        }
        known.said = Some(said);
        let amount = known.amount;
        if said == Said::Voided && known.by.is_some() {
            known.flagged = true;
            report.wrong_verdicts += 1;
        }
        if said == Said::Applied && known.by.is_none() {
            known.flagged = true;
            // The frame says nothing about its author: an equal write of a stranger looks like ours.
            let twin = |taken: &super::meter::Taken| {
                let alike = taken.amount.abs_diff(amount) <= ALIKE;
                taken.author == Author::Stranger && alike && taken.count == count
            };
            if meter.taken.iter().any(twin) {
                report.indistinguishable += 1;
            } else {
                report.wrong_verdicts += 1;
                report.lost_credits += 1;
            }
        }
    }

    /// Looks at every purchase that the meter has taken since the last look.
    pub(super) fn watch(&mut self, meter: &SimMeter, report: &mut Report) {
        if meter.number != self.number {
            // What another meter has taken is not this customer's credit.
            return;
        }
        for taken in meter.taken.iter().skip(self.looked_at) {
            let Author::Station { sale, transmission } = taken.author else { continue };
            if !self.transmissions.insert(transmission) {
                // One frame, added twice. Only a meter that adds any count does that, or one whose count was set back.
                let fault = u64::from(meter.rule != CountRule::Adds && !self.count_lowered);
                report.double_credits += fault;
                report.wire_duplicates += 1 - fault;
                self.duplicates += 1;
                self.duplicated += i64::from(taken.amount);
                continue;
            }
            let Some(known) = self.sales.get_mut(&sale) else { continue };
            if known.by.is_some() && !known.doubled {
                known.doubled = true;
                if self.count_lowered {
                    // Behind a count that was set back the station can't see its own first frame.
                    report.indistinguishable += 1;
                    self.hidden_doubles += i64::from(known.amount);
                } else {
                    report.double_credits += 1;
                }
            }
            known.by = Some(transmission);
            if known.said == Some(Said::Voided) && !known.flagged {
                known.flagged = true;
                report.wrong_verdicts += 1;
            }
        }
        self.looked_at = meter.taken.len();
        self.watch_overwrites(meter, report);
    }

    /// Somebody has looked at the meter and taken what it shows for granted.
    pub(super) fn explained(&mut self) {
        self.disturbed = false;
        self.explained_duplicates = self.duplicates;
        self.refunds.torn = false;
    }

    /// A relay order goes out: only the newest may.
    pub(super) fn order_written(&self, meter: u64, version: u32, report: &mut Report) {
        report.supply_errors += u64::from(self.newest_order.get(&meter) != Some(&version));
    }

    /// After everything has healed and every frame is dead.
    pub(super) fn close(
        &mut self,
        account: &Account,
        ledger: &Ledger,
        journal: &[Entry],
        meter: &SimMeter,
        report: &mut Report,
    ) {
        for known in self.sales.values() {
            match known.said {
                Some(Said::Voided) if known.by.is_some() && !known.flagged => report.wrong_verdicts += 1,
                Some(Said::Applied) if known.by.is_none() && !known.flagged && !self.at_station => {
                    report.wrong_verdicts += 1;
                    report.lost_credits += 1;
                }
                None => report.unresolved += 1,
                _ => {}
            }
        }
        report.unresolved += self.refunds.unresolved() + self.places.unresolved();
        self.check_books(account, ledger, journal, meter, report);
    }

    fn check_books(
        &mut self,
        account: &Account,
        ledger: &Ledger,
        journal: &[Entry],
        meter: &SimMeter,
        report: &mut Report,
    ) {
        // The auditor's own sums, straight from the journal's lines.
        let mut sums: BTreeMap<(AccountKind, u64), i64> = BTreeMap::new();
        for entry in journal.iter().filter(|entry| !matches!(entry.transfer.action.code(), 3 | 5)) {
            let transfer = entry.transfer;
            let minor = transfer.amount.minor();
            *sums.entry((transfer.debit.kind, transfer.debit.owner)).or_default() -= minor;
            *sums.entry((transfer.credit.kind, transfer.credit.owner)).or_default() += minor;
        }
        let sum = |kind, owner| sums.get(&(kind, owner)).copied().unwrap_or(0);
        // What a replaced meter held went with the tenant.
        let left_behind =
            |(kind, owner): &(AccountKind, u64)| *kind == AccountKind::MeterPurse && *owner != self.number;
        let owner = account.id().0;
        let owed = -sum(AccountKind::Arrears, owner) - sum(AccountKind::Instalments, owner);
        // This meter and the tariff have the same prices: nothing lags, but for credit from nowhere that hid behind
        // consumption before anybody looked: a stranger's, a doubled frame's on a meter that adds any count, or a second
        // frame's behind a count that was set back. No more than what was hidden can lag.
        let lag = sum(AccountKind::PriceLag, 0);
        let hidden = self.overwritten + self.duplicated + self.hidden_doubles;
        let explained_lag = lag == 0 || (hidden > 0 && (-ROUNDING..=hidden + ROUNDING).contains(&-lag));
        let drift = sum(AccountKind::OverwriteDrift, 0);
        let (purse, held) = (sum(AccountKind::CustomerPurse, owner), sum(AccountKind::MeterPurse, self.number));
        let cash = sum(AccountKind::Cash, 1);
        let checks = [
            ("customer's purse", self.at_station || purse == self.purse(), purse, self.purse()),
            ("meter's purse", self.at_station || held == meter.remaining(), held, meter.remaining()),
            ("left in old meters", sums.iter().all(|(account, sum)| !left_behind(account) || *sum == 0), 1, 0),
            ("owed", owed == self.debts.total(), owed, self.debts.total()),
            ("price lag", explained_lag, lag, -hidden),
            ("drift of overwrites", self.refunds.explains_drift(drift, hidden), drift, 0),
            ("cash", cash == self.refunds.paid_back - self.paid, cash, self.refunds.paid_back - self.paid),
            ("trial balance", ledger.trial_balance().balances(), 1, 0),
            ("account and ledger", reconcile::with_ledger(account, ledger).is_ok_and(|found| found.is_empty()), 1, 0),
            ("chain", verify(Currency::CNY, ShardId(0), journal).is_ok_and(|head| head == ledger.head()), 1, 0),
        ];
        let complaints = checks.into_iter().filter(|(_, right, ..)| !right);
        self.complaints = complaints
            .map(|(name, _, books, own)| format!("{name}: {books} in the books, {own} by the auditor"))
            .collect();
        report.ledger_imbalance += u64::from(!self.complaints.is_empty());
    }

    /// What has to be in the customer's purse at the station when the credit is in the meter, in cents.
    pub(super) fn purse(&self) -> i64 {
        let applied = self.sales.values().filter(|sale| sale.said == Some(Said::Applied));
        let applied: i64 = applied.map(|sale| i64::from(sale.amount)).sum();
        let taken_out = self.refunds.taken_out - self.refunds.paid_back;
        self.paid - applied + taken_out + self.places.moved - self.debts.recovered + self.debts.lent
    }

    /// Whether operators see the strongest rule that stands.
    pub(super) fn check_display(&self, shown: Option<DisplayState>, report: &mut Report) {
        let Wanted { locked_out, keep, off, shed, friendly, .. } = self.wanted;
        let strongest = [
            (locked_out, SupplyState::WorkTag),
            (keep, SupplyState::KeepPower),
            (off, SupplyState::ForcedOff),
            (shed, SupplyState::Shed),
            (friendly, SupplyState::KeepPower),
            (true, SupplyState::Prepaid),
        ];
        let expected = strongest.into_iter().find(|(stands, _)| *stands).map(|(_, word)| word);
        report.wrong_displays += u64::from(shown.map(|shown| shown.supply) != expected);
    }

    /// Whether the relay is what people and credit want; `credit` in cents as the auditor knows it.
    pub(super) fn check_supply(&self, meter: &SimMeter, credit: i64, report: &mut Report) {
        if self.at_station && credit.unsigned_abs() <= BETWEEN_POLLS {
            return;
        }
        let Wanted { locked_out, keep, off, shed, friendly, never_cut } = self.wanted;
        let may_cut = !never_cut;
        let without = credit <= 0;
        // Who must be dark, who must be lit; the rest is the meter's own business.
        let dark = locked_out
            || (!keep && may_cut && (off || shed))
            || (!keep && may_cut && !friendly && self.at_station && without);
        let lit = !dark && (keep || friendly || self.at_station || (never_cut && without));
        let closed = meter.relay_closed();
        let wrong = (dark && closed) || (lit && !closed) || (!dark && !lit && meter.force != (0, 0));
        report.supply_errors += u64::from(wrong);
    }
}
