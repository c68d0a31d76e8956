//! One cell: a station with a store that dies and comes back, driven by the effects of the core.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use rust_decimal::Decimal;

use super::auditor::Auditor;
use super::link::{Answer, FRAME_LIFE_MS, Frame, Link};
use super::meter::{Author, CountRule, SimMeter};
use super::report::Report;
use super::rng::Rng;
use super::{Bend, Config};
use crate::account::{
    Account, Command, Effect, Event, MeterTakeOver, MeterTerms, OpenMode, Payment, Purse, ReadBack, Refusal,
    SaleResolution, SupplyOrder, Terms,
};
use crate::credit::Levels;
use crate::id::{AccountId, ChannelId, MeterNumber, OperatorId, Reason, SaleId};
use crate::ledger::{BodyHash, Entry, Key, KeyRecord, Keyed, Ledger, ShardId};
use crate::money::{Currency, Money};
use crate::persist::Persisted;
use crate::reading::{Force, MeterFlags, MeterReading, Rates, Registers};
use crate::sale::{EqualCountRule, Phase, SalePolicy, SendOutcome};
use crate::settlement::{MeterPrices, PriceRequest, Priced, Pricer, PricerRefusal, PricerState, RegisterLimits};
use crate::time::Now;

const OPERATOR: OperatorId = OperatorId(1);
const ACCOUNT: AccountId = AccountId(1);
const PRICES: [u32; 4] = [12_345, 10_001, 7_777, 3_883];
const UTC_ORIGIN_S: i64 = 1_772_719_650;
/// After this long in trouble the line heals, so that what is unresolved then has no excuse.
const TROUBLE_MS: u64 = 300_000;

pub(super) struct Cell {
    rng: Rng,
    now_ms: u64,
    boot_ms: u64,
    mono_base_ms: u64,
    utc_shift_s: i64,
    number: MeterNumber,
    meter: SimMeter,
    /// The right meter, while a wrong one hangs in its place.
    put_aside: Option<SimMeter>,
    link: Link,
    account: Account,
    ledger: Ledger,
    stored: Vec<Event>,
    journal: Vec<Entry>,
    keys: BTreeMap<Key, KeyRecord<u64>>,
    todo: Vec<(u64, Effect)>,
    auditor: Auditor,
    bend: Option<Bend>,
    next_sale: u64,
    transmissions: u64,
    first_sent_ms: Option<u64>,
    read_backs: u32,
    priced_micro: u64,
    station_paid: i64,
    started: bool,
    /// What happened, a line each, when somebody wants to read it.
    pub(super) story: Option<Vec<String>>,
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Stored,
    Refused,
    Lost,
}

struct Prices;

impl Pricer for Prices {
    fn price(&self, request: &PriceRequest<'_>) -> Result<Priced, PricerRefusal> {
        let bad = |_| PricerRefusal::BadState { reason: "not eight bytes".into() };
        let before = match request.state.as_bytes() {
            [] => 0,
            bytes => u64::from_be_bytes(bytes.try_into().map_err(bad)?),
        };
        let rates = request.usage.rates.as_slice().iter().zip(PRICES);
        let micro = before + rates.map(|(energy, price)| energy * u64::from(price)).sum::<u64>();
        Ok(Priced {
            cumulative: Decimal::from_i128_with_scale(i128::from(micro), 6),
            cumulative_tax: Decimal::ZERO,
            tariff_version: 1,
            state: PricerState::new(micro.to_be_bytes().to_vec())?,
        })
    }
}

impl Cell {
    pub(super) fn new(config: &Config, cell: u64) -> Self {
        let mut rng = Rng::new(config.seed, cell + 1);
        let rule = match rng.below(3) {
            0 => CountRule::Acknowledges,
            1 => CountRule::Refuses,
            _ => CountRule::Adds,
        };
        // A third of the meters are about to wrap their purchase count.
        let count = if rng.chance(333) { u16::MAX - small(rng.below(16)) } else { small(rng.below(60_000)) };
        let raw = rng.between(1, MeterNumber::MAX - 1);
        let cents = i64::try_from(rng.below(20_000)).unwrap_or(0) - 500;
        let account = Account::new(ACCOUNT);
        let mono_base_ms = rng.below(1 << 40);
        Self {
            now_ms: 0,
            boot_ms: 0,
            mono_base_ms,
            utc_shift_s: 0,
            number: MeterNumber::at_most(raw),
            meter: SimMeter::new(raw, cents, count, PRICES, rule),
            put_aside: None,
            link: Link::new(),
            account,
            ledger: Ledger::new(Currency::CNY, ShardId(0)),
            stored: Vec::new(),
            journal: Vec::new(),
            keys: BTreeMap::new(),
            todo: Vec::new(),
            auditor: Auditor::new(rng.chance(200)),
            bend: config.bend,
            next_sale: 1,
            transmissions: 0,
            first_sent_ms: None,
            read_backs: 0,
            priced_micro: 0,
            station_paid: 0,
            started: false,
            story: None,
            rng,
        }
    }

    pub(super) fn run(mut self, vends: u64, report: &mut Report) -> Vec<String> {
        self.open(report);
        for _ in 0..vends {
            report.vends += 1;
            self.trouble(report);
            self.vend(report);
            if self.rng.chance(300) {
                self.settle_down(report);
            }
        }
        self.settle_down(report);
        self.link.healed = true;
        self.poll(true, report);
        self.auditor.close(&self.account, &self.ledger, &self.journal, &self.meter, report);
        self.story.unwrap_or_default()
    }

    fn note(&mut self, what: impl FnOnce() -> String) {
        let at_ms = self.now_ms;
        if let Some(story) = &mut self.story {
            story.push(format!("{at_ms:>10} ms  {}", what()));
        }
    }

    fn open(&mut self, report: &mut Report) {
        let fen = Money::from_minor;
        let Ok(levels) = Levels::new(fen(2_000), fen(500), fen(0), fen(100)) else { return };
        let purse = if self.auditor.at_station { Purse::AtStation } else { Purse::InMeter };
        let sale = SalePolicy { frame_life_ms: FRAME_LIFE_MS, max_frames: 4, ..SalePolicy::DEFAULT };
        let terms = Terms { sale, ..Terms::new(Currency::CNY, purse, levels) };
        self.auditor.wanted.never_cut = self.rng.chance(100);
        self.meter.prepaid_on = !self.auditor.at_station;
        let equal_count = match self.meter.rule {
            CountRule::Acknowledges => EqualCountRule::EqualAcknowledged,
            CountRule::Refuses => EqualCountRule::EqualRefused,
            CountRule::Adds => EqualCountRule::AnyCountAdds,
        };
        let raw = Rates::new(&PRICES.map(u64::from)).unwrap_or_default();
        let meter = MeterTerms {
            never_cut: self.auditor.wanted.never_cut,
            equal_count,
            tolerance: fen(4),
            confirmed_prices: Some(MeterPrices { decimals: 4, raw }),
            ..MeterTerms::new(self.number, RegisterLimits::six_digits(2_000))
        };
        let reading = self.show();
        let meters = [MeterTakeOver { terms: meter, mode: OpenMode::TakeOver, reading }].to_vec();
        self.link.healed = true;
        self.tell(&Command::Open { terms, meters, station_credit: Money::ZERO }, report);
        self.link.healed = false;
        self.started = true;
        self.account.set_bend(self.bend);
    }

    /// What happens between two sales.
    fn trouble(&mut self, report: &mut Report) {
        let busy = usize::try_from(self.rng.below(4)).unwrap_or(0);
        // Credit at the station is used up now and then, so that arrears meet every other rule.
        let most = if self.auditor.at_station { 30_000 } else { 3_000 };
        let energy = u32::try_from(self.rng.below(most)).unwrap_or(0);
        self.consume(busy, energy);
        self.wait(self.rng.clone().between(1_000, 1_800_000));
        self.rng.next();
        if self.rng.chance(20) {
            report.faults.clock_jumps += 1;
            self.utc_shift_s += i64::try_from(self.rng.below(7_200)).unwrap_or(0) - 3_600;
        }
        if self.rng.chance(300) {
            self.order(report);
        }
        if self.rng.chance(200) {
            self.poll(true, report);
        }
        if !self.auditor.at_station {
            self.stranger(report);
        }
    }

    fn stranger(&mut self, report: &mut Report) {
        if self.rng.chance(12) {
            report.faults.foreign_writes += 1;
            self.auditor.disturbed = true;
            let amount = u32::try_from(self.rng.between(100, 20_000)).unwrap_or(100);
            let writes = self.rng.between(1, 3);
            for _ in 0..writes {
                self.meter.purchase(amount, self.meter.purchases.wrapping_add(1), Author::Stranger);
            }
        } else if self.rng.chance(4) {
            report.faults.foreign_writes += 1;
            self.auditor.disturbed = true;
            let cents = i64::try_from(self.rng.between(1, 5_000)).unwrap_or(1);
            self.auditor.overwritten += cents;
            self.meter.overwrite(cents);
        } else if self.rng.chance(4) {
            report.faults.foreign_writes += 1;
            self.auditor.disturbed = true;
            self.auditor.count_lowered = true;
            self.meter.purchases = self.meter.purchases.wrapping_sub(small(self.rng.between(1, 5)));
        } else if self.put_aside.is_none() && self.rng.chance(15) {
            report.faults.swapped += 1;
            self.auditor.disturbed = true;
            let mut other = self.meter.clone();
            other.number = self.meter.number % MeterNumber::MAX + 1;
            other.taken.clear();
            other.purchases = other.purchases.wrapping_add(small(self.rng.below(2)));
            self.put_aside = Some(core::mem::replace(&mut self.meter, other));
        }
    }

    fn order(&mut self, report: &mut Report) {
        let Ok(why) = Reason::new("simulated") else { return };
        let (meter, by) = (self.number, OPERATOR);
        let mut wanted = self.auditor.wanted;
        let supply = |order| Command::OrderSupply { meter, order, by, why: why.clone(), until_utc_s: None };
        let command = match self.rng.below(6) {
            0 => {
                (wanted.keep, wanted.off) = (true, false);
                supply(SupplyOrder::KeepPower)
            }
            1 => {
                (wanted.keep, wanted.off) = (false, true);
                supply(SupplyOrder::ForcedOff)
            }
            2 => {
                (wanted.keep, wanted.off) = (false, false);
                supply(SupplyOrder::Prepaid)
            }
            3 if wanted.locked_out => {
                wanted.locked_out = false;
                Command::LiftLockOut { meter, by, administrator: false, why }
            }
            3 => {
                wanted.locked_out = true;
                Command::PlaceLockOut { meter, by, why }
            }
            4 => {
                wanted.shed = !wanted.shed;
                Command::Shed { meter, shed: wanted.shed }
            }
            _ => {
                wanted.friendly = !wanted.friendly;
                Command::FriendlyHours { meter, on: wanted.friendly }
            }
        };
        if self.tell(&command, report) == Told::Stored {
            self.auditor.wanted = wanted;
        }
    }

    fn vend(&mut self, report: &mut Report) {
        let sale = SaleId(self.next_sale);
        self.next_sale += 2;
        let amount = u32::try_from(self.rng.between(1, 20_000)).unwrap_or(1);
        if !self.pay(sale, amount, report) {
            return;
        }
        if self.auditor.at_station {
            self.station_paid += i64::from(amount);
        }
        self.auditor.pays(sale.0, amount);
        if self.auditor.at_station {
            // Credit at the station is sold when it is stored; nothing is sent.
            self.auditor.sold_at_station(sale.0);
            self.run_todo(20, report);
            return;
        }
        let before = self.meter.purchases;
        (self.first_sent_ms, self.read_backs) = (None, 0);
        let began_ms = self.now_ms;
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
        }
        report.faults.count_wraps += u64::from(self.meter.purchases < before && before > 0xFF00);
    }

    /// Takes the money over the counter, by a request with a key; clicks twice now and then.
    fn pay(&mut self, sale: SaleId, amount: u32, report: &mut Report) -> bool {
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

    fn ask_void(&mut self, sale: SaleId, report: &mut Report) {
        if let Ok(why) = Reason::new("the customer changed his mind") {
            self.tell(&Command::RequestVoid { sale, by: OPERATOR, why }, report);
        }
    }

    fn open_phase(&self) -> Option<Phase> {
        self.account.meter(self.number)?.sale().map(|sale| sale.phase)
    }

    fn quarantined(&self) -> bool {
        self.account.meter(self.number).is_some_and(|meter| meter.quarantine().is_some())
    }

    /// An operator goes there, puts the right meter back, and looks into its records.
    fn explain(&mut self, report: &mut Report) {
        if let Some(right) = self.put_aside.take() {
            self.meter = right;
        }
        self.wait(10_000);
        let healed = core::mem::replace(&mut self.link.healed, true);
        let open = self.account.meter(self.number).and_then(|meter| meter.sale()).cloned();
        let sale = open.filter(|open| open.phase == Phase::Quarantined).map(|open| {
            let ours = |author| matches!(author, Author::Station { sale, .. } if sale == open.id.0);
            if self.meter.taken.iter().any(|taken| ours(taken.author)) {
                SaleResolution::Applied
            } else {
                SaleResolution::NotApplied
            }
        });
        let Ok(why) = Reason::new("looked at the meter") else { return };
        let (meter, by, reading) = (self.number, OPERATOR, self.show());
        if self.tell(&Command::ReleaseQuarantine { meter, by, why, reading, sale }, report) == Told::Stored {
            self.auditor.disturbed = false;
        }
        self.link.healed = healed;
    }

    /// Everything heals; polls until nothing is open; then the auditor looks at the supply.
    fn settle_down(&mut self, report: &mut Report) {
        self.link.healed = true;
        self.wait(2 * FRAME_LIFE_MS);
        for _ in 0..40 {
            if self.quarantined() || self.put_aside.is_some() {
                self.explain(report);
            }
            self.run_todo(50, report);
            self.poll(true, report);
            self.run_todo(50, report);
            let Some(state) = self.account.meter(self.number) else { break };
            if state.order().confirmed && state.suspicions().is_empty() && !self.quarantined() {
                break;
            }
            self.wait(200_000);
        }
        let credit = if self.auditor.at_station {
            self.station_paid - i64::try_from((self.priced_micro + 5_000) / 10_000).unwrap_or(0)
        } else {
            self.meter.remaining()
        };
        self.auditor.check_supply(&self.meter, credit, report);
        self.link.healed = false;
    }

    fn run_todo(&mut self, limit: usize, report: &mut Report) {
        for _ in 0..limit {
            if !self.step(report) {
                return;
            }
        }
    }

    /// The next effect that is due first; false when there is none.
    fn step(&mut self, report: &mut Report) -> bool {
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

    fn perform(&mut self, effect: Effect, report: &mut Report) {
        match effect {
            Effect::StartSale { sale, .. } => match self.read(report) {
                Ok(Some(evidence)) => drop(self.tell(&Command::BeginSale { sale, evidence }, report)),
                Ok(None) => self.todo.push((self.now_ms + 2_000, effect)),
                Err(Crashed) => {}
            },
            Effect::SendPurchase { sale, amount, new_count, frame, .. } => {
                if self.account.may_send(sale, frame) {
                    self.send(sale, amount, new_count, report);
                }
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
            Effect::Fence { sale, .. } => drop(self.tell(&Command::FenceClosed { sale }, report)),
            Effect::WriteForce { meter, version, force, .. } => {
                if self.account.may_write(meter, version) {
                    self.auditor.order_written(version, report);
                    self.write_force(version, force, report);
                }
            }
            Effect::Notify(_) => {}
        }
    }

    fn send(&mut self, sale: SaleId, amount: Money, count: u16, report: &mut Report) {
        self.first_sent_ms.get_or_insert(self.now_ms);
        self.transmissions += 1;
        let author = Author::Station { sale: sale.0, transmission: self.transmissions };
        let frame = Frame::Purchase { amount: u32::try_from(amount.minor()).unwrap_or(0), count, author };
        let answer = self.exchange(frame, report);
        if self.chaos(10) {
            report.faults.crashes_after_send += 1;
            return self.crash();
        }
        let outcome = match answer {
            Answer::Reply => SendOutcome::ReplySeen,
            Answer::Silence => SendOutcome::NoReply,
            Answer::NoConnection => SendOutcome::NotTransmitted,
        };
        self.tell(&Command::SaleSent { sale, outcome }, report);
    }

    fn write_force(&mut self, version: u32, force: Force, report: &mut Report) {
        let (mode, state) = match force {
            Force::Automatic => (0, 0),
            Force::On => (1, 0),
            Force::Off => (1, 1),
        };
        self.exchange(Frame::Force { mode, state }, report);
        let meter = self.number;
        self.tell(&Command::RelayOrdered { meter, version }, report);
        if let Ok(Some(reading)) = self.read(report) {
            let read_back = ReadBack::Reading(reading);
            self.tell(&Command::RelayReported { meter, version, read_back }, report);
        }
    }

    fn poll(&mut self, settle: bool, report: &mut Report) {
        let meter = self.number;
        match self.read(report) {
            Ok(Some(reading)) if settle => drop(self.tell(&Command::SettleNow { meter, reading }, report)),
            Ok(Some(reading)) => drop(self.tell(&Command::Observe { meter, reading }, report)),
            Ok(None) => drop(self.tell(&Command::LinkLost { meter }, report)),
            Err(Crashed) => {}
        }
    }

    fn read(&mut self, report: &mut Report) -> Result<Option<MeterReading>, Crashed> {
        let answer = self.exchange(Frame::Read, report);
        if self.chaos(5) {
            report.faults.crashes_after_read += 1;
            self.crash();
            return Err(Crashed);
        }
        Ok((answer == Answer::Reply).then(|| self.show()))
    }

    fn exchange(&mut self, frame: Frame, report: &mut Report) -> Answer {
        let answer = self.link.exchange(frame, &mut self.now_ms, &mut self.meter, &mut self.rng, &mut report.faults);
        let (remaining, purchases) = (self.meter.remaining(), self.meter.purchases);
        self.note(|| format!("wire     {frame:?}: {answer:?}; the meter shows {remaining}, count {purchases}"));
        answer
    }

    /// Decide, store, apply, release; with a death at each of them.
    fn tell(&mut self, command: &Command, report: &mut Report) -> Told {
        let decision = match self.account.decide(command, self.now(), &Prices) {
            Ok(decision) => decision,
            Err(Refusal::SaleNotNew { .. }) if !self.latest_is(command) => return Told::Refused,
            Err(Refusal::SaleNotNew { .. }) => return Told::Stored,
            Err(_) => return Told::Refused,
        };
        self.note(|| format!("told     {command:?}"));
        for event in &decision.events {
            self.note(|| format!("decided  {:?}", event.fact));
        }
        let Ok(transfers) = decision.transfers() else { return Told::Refused };
        let events = decision.events;
        let through = events.last().map_or(self.account.seq(), |event| event.seq);
        let effects = decision.effects.release(&Persisted::attest(ACCOUNT, through)).unwrap_or_default();
        if self.bend == Some(Bend::EffectsLeaveEarly) {
            self.leave_early(&effects, report);
        }
        if self.chaos(5) {
            report.faults.crashes_before_commit += 1;
            self.crash();
            return Told::Lost;
        }
        if self.chaos(4) {
            self.note(|| "commit failed".into());
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
        if self.chaos(5) {
            report.faults.crashes_after_commit += 1;
            self.crash();
            return Told::Stored;
        }
        for event in self.stored.iter().skip(seen) {
            if self.account.apply(event).is_err() {
                report.ledger_imbalance += 1;
            }
        }
        self.schedule(effects);
        Told::Stored
    }

    /// The till's retry of a request that was stored before the answer got lost.
    fn latest_is(&self, command: &Command) -> bool {
        let Command::RequestSale { sale, .. } = command else { return false };
        !self.auditor.knows(sale.0)
    }

    fn forgets(&self, transfer: &crate::ledger::Transfer) -> bool {
        use crate::ledger::{AccountKind, Action};
        match self.bend {
            Some(Bend::PaymentNotBooked) => transfer.action == Action::Receipt,
            Some(Bend::ChargeNotBooked) => transfer.credit.kind == AccountKind::Revenue,
            _ => false,
        }
    }

    fn leave_early(&mut self, effects: &[Effect], report: &mut Report) {
        for effect in effects {
            if let Effect::SendPurchase { sale, amount, new_count, .. } = *effect {
                self.transmissions += 1;
                let author = Author::Station { sale: sale.0, transmission: self.transmissions };
                let amount = u32::try_from(amount.minor()).unwrap_or(0);
                self.exchange(Frame::Purchase { amount, count: new_count, author }, report);
            }
        }
    }

    fn schedule(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let due_ms = match effect {
                Effect::ReadBack { not_before_mono_ms, .. } => {
                    self.boot_ms + not_before_mono_ms.saturating_sub(self.mono_base_ms)
                }
                _ => self.now_ms,
            };
            self.todo.push((due_ms, effect));
        }
    }

    fn resume(&mut self) -> Vec<(u64, Effect)> {
        let effects = self.account.resume(self.now());
        let receipt = Persisted::attest(ACCOUNT, self.account.seq());
        self.todo.clear();
        self.schedule(effects.release(&receipt).unwrap_or_default());
        core::mem::take(&mut self.todo)
    }

    /// The process dies and comes back with another monotonic origin; the world goes on meanwhile.
    fn crash(&mut self) {
        self.note(|| "the station dies".into());
        self.wait(self.rng.clone().between(200, 20_000));
        self.mono_base_ms = self.rng.below(1 << 40);
        self.boot_ms = self.now_ms;
        if let Ok(account) = Account::rebuild(ACCOUNT, &self.stored) {
            self.account = account;
        }
        self.account.set_bend(self.bend.filter(|_| self.started));
        self.todo = self.resume();
        if self.bend == Some(Bend::RestartSendsBlindly) {
            self.send_blindly();
        }
    }

    fn send_blindly(&mut self) {
        let Some(open) = self.account.meter(self.number).and_then(|meter| meter.sale()) else { return };
        if let (Phase::Sending, Some(begun)) = (open.phase, open.begun) {
            let (sale, meter, amount) = (open.id, self.number, open.amount);
            let (new_count, frame) = (begun.new_count, open.frames);
            self.todo = [(self.now_ms, Effect::SendPurchase { sale, meter, amount, new_count, frame })].to_vec();
        }
    }

    fn chaos(&mut self, per_mille: u64) -> bool {
        !self.link.healed && self.started && self.rng.chance(per_mille)
    }

    fn wait(&mut self, ms: u64) {
        self.now_ms += ms;
        self.link.advance(self.now_ms, &mut self.meter);
    }

    fn now(&self) -> Now {
        let utc_s = UTC_ORIGIN_S + i64::try_from(self.now_ms / 1_000).unwrap_or(0) + self.utc_shift_s;
        Now::new(self.mono_base_ms + (self.now_ms - self.boot_ms), utc_s)
    }

    fn consume(&mut self, rate: usize, centi_kwh: u32) {
        if self.meter.relay_closed() {
            let price = PRICES.get(rate).copied().unwrap_or(0);
            self.priced_micro += u64::from(centi_kwh) * u64::from(price);
        }
        self.meter.consume(rate, centi_kwh);
    }

    /// The registers as the station's driver hands them on.
    fn show(&self) -> MeterReading {
        let [total, rates @ ..] = self.meter.energy;
        let force = match self.meter.force {
            (1, 0) => Force::On,
            (1, _) => Force::Off,
            _ => Force::Automatic,
        };
        let balance = self.meter.remaining();
        MeterReading {
            meter: MeterNumber::at_most(self.meter.number),
            purchase_count: self.meter.purchases,
            balance: Money::from_minor(balance),
            energy: Registers {
                total_centi_kwh: u64::from(total),
                rates: Rates::new(&rates.map(u64::from)).unwrap_or_default(),
            },
            relay_closed: self.meter.relay_closed(),
            force,
            flags: MeterFlags { arrears: balance <= 0, ..MeterFlags::default() },
            prepaid_enabled: self.meter.prepaid_on,
            taken: self.now(),
        }
    }
}

struct Crashed;

fn small(value: u64) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
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
