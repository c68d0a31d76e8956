//! An account that is told anything: true evidence, lies, orders and sales in any order, with restarts.
//!
//! Input: the purse and the rule of equal counts, then steps, each an operation byte and its arguments; see
//! [`World::step`].
//!
//! It must hold that nothing panics; that a decision changes nothing and a refused command has no trace; that the events
//! of a decision apply, and that the ledger takes their transfers (limits included); that the trial balance balances
//! and agrees with the account; that replaying the events gives the same state; that after a restart no purchase frame
//! and no overwrite of money is among the things to do; that one sale never has two different frames.
#![no_main]

use fuzz::{Meter, Tape};
use libfuzzer_sys::fuzz_target;
use prepay_core::account::{
    Account, Command, Effect, Event, Fact, MeterTakeOver, MeterTerms, OpenMode, Payment, Purse, ReadBack, RefundTo,
    SaleResolution, SupplyOrder, Terms,
};
use prepay_core::credit::Levels;
use prepay_core::id::{AccountId, ChannelId, MeterNumber, OperatorId, Reason, RefundId, SaleId};
use prepay_core::ledger::{AccountKey, AccountKind, Entry, Ledger, LedgerError, ShardId, verify};
use prepay_core::money::{Currency, Money};
use prepay_core::persist::Persisted;
use prepay_core::reading::{Force, MeterReading, Rates};
use prepay_core::reconcile;
use prepay_core::refund::RefundTake;
use prepay_core::sale::{EqualCountRule, SendOutcome};
use prepay_core::settlement::{MeterPrices, PriceRequest, Priced, Pricer, PricerRefusal, PricerState, RegisterLimits};
use prepay_core::time::Now;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Most commands of one run.
const MAX_STEPS: usize = 160;
const ACCOUNT: AccountId = AccountId(7);
const CLERK: OperatorId = OperatorId(3);

fuzz_target!(|bytes: &[u8]| {
    let mut tape = Tape::new(bytes);
    let mut world = World::open(&mut tape);
    for _ in 0..MAX_STEPS {
        if tape.is_over() {
            break;
        }
        world.step(&mut tape);
    }
    world.audit();
});

struct World {
    account: Account,
    ledger: Ledger,
    events: Vec<Event>,
    journal: Vec<Entry>,
    meters: [Meter; 2],
    now: Now,
    next_sale: u64,
    /// Amount and count of each sale's frame.
    frames: BTreeMap<SaleId, (Money, u16)>,
    /// Remaining amount and count of each refund's last frame.
    overwrites: BTreeMap<RefundId, (Money, u16)>,
}

fn meter_number(place: usize) -> MeterNumber {
    MeterNumber::new([202_603_050_012, 42][place]).expect("twelve digits")
}

impl World {
    fn open(tape: &mut Tape<'_>) -> Self {
        let purse = tape.pick(&[Purse::InMeter, Purse::AtStation]);
        let rules = [EqualCountRule::AnyCountAdds, EqualCountRule::EqualAcknowledged, EqualCountRule::EqualRefused];
        let equal_count = tape.pick(&rules);
        let credit = i64::from(tape.word().cast_signed());
        let levels = Levels::new(minor(2_000), minor(500), minor(100), minor(100)).expect("in order");
        let mut terms = Terms::new(Currency::CNY, purse, levels);
        if tape.flag() {
            terms.max_stored = Some(minor(5_000_000));
            terms.sale.max_frames = 2;
        }
        let in_meter = purse == Purse::InMeter;
        let meters = [0, 1].map(|place| Meter::new(meter_number(place), if in_meter { credit } else { 0 }, in_meter));
        let mut ledger = Ledger::new(Currency::CNY, ShardId(0));
        let purse_key = AccountKey::new(AccountKind::CustomerPurse, ACCOUNT.0);
        ledger.set_overdraft_limit(purse_key, Some(Money::ZERO)).expect("not negative");
        let mut world = Self {
            account: Account::new(ACCOUNT),
            ledger,
            events: Vec::new(),
            journal: Vec::new(),
            meters,
            now: Now::new(1_000_000, 1_772_719_650),
            next_sale: 1,
            frames: BTreeMap::new(),
            overwrites: BTreeMap::new(),
        };
        let prices = MeterPrices { decimals: 4, raw: Rates::new(&[12_000, 4_000]).expect("two rates") };
        let taken_over = world.meters.map(|meter| MeterTakeOver {
            terms: MeterTerms {
                equal_count,
                tolerance: minor(4),
                confirmed_prices: Some(prices),
                ..MeterTerms::new(meter.number, RegisterLimits::six_digits(200))
            },
            mode: OpenMode::TakeOver,
            reading: meter.reading(world.now),
        });
        let station_credit = if in_meter { Money::ZERO } else { minor(credit) };
        world.tell(&Command::Open { terms, meters: taken_over.to_vec(), station_credit });
        assert!(!world.events.is_empty());
        world
    }

    fn step(&mut self, tape: &mut Tape<'_>) {
        let (operation, place) = (tape.byte() % 32, usize::from(tape.byte() & 1));
        let meter = meter_number(place);
        let sale = self.a_sale(place, tape);
        let why = || Reason::new("told so").expect("it says something");
        let command = match operation {
            0 => {
                self.wait(u64::from(tape.word()));
                Command::Tick
            }
            1 => {
                self.wait(u64::from(tape.word()) * 1_000);
                Command::Tick
            }
            2 => return self.meters[place].use_energy(usize::from(tape.byte()), tape.word()),
            3 => Command::Observe { meter, reading: self.reading(place) },
            4 => Command::SettleNow { meter, reading: self.reading(place) },
            5 => {
                let sale = SaleId(self.next_sale);
                self.next_sale += 1;
                let in_meter = self.account.terms().is_some_and(|terms| terms.purse == Purse::InMeter);
                let payment = tape.pick(&[Payment::Channel(ChannelId(1)), Payment::Purse]);
                let amount = minor(i64::from(tape.word()) * 100);
                let operator = CLERK;
                Command::RequestSale { sale, meter: in_meter.then_some(meter), amount, payment, operator }
            }
            6 => Command::BeginSale { sale, evidence: self.reading(place) },
            7 => return self.deliver(place),
            8 => {
                let outcome = tape.pick(&[SendOutcome::ReplySeen, SendOutcome::NoReply, SendOutcome::NotTransmitted]);
                Command::SaleSent { sale, outcome }
            }
            9 => Command::SaleReadBack { sale, read_back: ReadBack::Reading(self.reading(place)) },
            10 => Command::SaleReadBack { sale, read_back: ReadBack::Unreadable },
            11 => Command::ProbeDue { sale },
            12 => Command::FenceClosed { sale },
            13 => Command::RequestVoid { sale, by: CLERK, why: why() },
            14 => {
                let resolutions = [None, Some(SaleResolution::Applied), Some(SaleResolution::NotApplied)];
                let (reading, sale) = (self.reading(place), tape.pick(&resolutions));
                Command::ReleaseQuarantine { meter, by: CLERK, why: why(), reading, sale }
            }
            15 => {
                let order = tape.pick(&[SupplyOrder::KeepPower, SupplyOrder::ForcedOff, SupplyOrder::Prepaid]);
                let until_utc_s = tape.flag().then_some(self.now.utc_s + 3_600);
                Command::OrderSupply { meter, order, by: CLERK, why: why(), until_utc_s }
            }
            16 => Command::PlaceLockOut { meter, by: OperatorId(tape.byte().into()), why: why() },
            17 => {
                let (by, administrator) = (OperatorId(tape.byte().into()), tape.flag());
                Command::LiftLockOut { meter, by, administrator, why: why() }
            }
            18 => match tape.byte() % 4 {
                0 => Command::Shed { meter, shed: tape.flag() },
                1 => Command::FriendlyHours { meter, on: tape.flag() },
                2 => Command::LinkStale { meter },
                _ => Command::LinkLost { meter },
            },
            19 => return self.write_order(place, tape),
            20 => {
                let reading = self.lie(place, tape);
                match tape.byte() % 4 {
                    0 => Command::Observe { meter, reading },
                    1 => Command::SettleNow { meter, reading },
                    2 => Command::BeginSale { sale, evidence: reading },
                    _ => Command::SaleReadBack { sale, read_back: ReadBack::Reading(reading) },
                }
            }
            21 => return self.tamper(place, tape),
            22 => return self.restart(),
            24..=31 => return self.refund_step(operation, place, tape),
            _ => {
                let amount = minor(i64::from_be_bytes(tape.array()));
                let sale = SaleId(tape.long().into());
                Command::RequestSale {
                    sale,
                    meter: Some(meter),
                    amount,
                    payment: Payment::Channel(ChannelId(1)),
                    operator: CLERK,
                }
            }
        };
        self.tell(&command);
    }

    /// One step of a refund or reversal.
    fn refund_step(&mut self, operation: u8, place: usize, tape: &mut Tape<'_>) {
        let (meter, operator) = (meter_number(place), CLERK);
        let why = Reason::new("told so").expect("it says something");
        let open = self.account.meter(meter).and_then(|state| state.refund().map(|refund| refund.id));
        let refund = open.unwrap_or_else(|| RefundId(tape.byte().into()));
        let command = match operation {
            24 => {
                let refund = RefundId(self.next_sale);
                self.next_sale += 1;
                let take =
                    if tape.flag() { RefundTake::Everything } else { RefundTake::Exactly(minor(tape.word().into())) };
                let to = tape.pick(&[RefundTo::OriginalChannel, RefundTo::Purse]);
                Command::RequestRefund { refund, from: tape.flag().then_some(meter), take, to, operator, why }
            }
            25 => {
                let refund = RefundId(self.next_sale);
                self.next_sale += 1;
                Command::RequestReversal { refund, sale: SaleId(tape.byte().into()), operator, why }
            }
            26 => Command::BeginRefund { refund, evidence: self.evidence(place, tape) },
            27 => {
                // The frame of the open refund arrives, perhaps again, perhaps half.
                if let Some((remaining, count)) = self.overwrites.get(&refund) {
                    self.meters[place].overwrite(*remaining, *count, tape.byte() % 8 == 7);
                }
                return;
            }
            28 => {
                let outcome = tape.pick(&[SendOutcome::ReplySeen, SendOutcome::NoReply, SendOutcome::NotTransmitted]);
                Command::RefundSent { refund, outcome }
            }
            29 => {
                let read_back = match tape.flag() {
                    true => ReadBack::Unreadable,
                    false => ReadBack::Reading(self.evidence(place, tape)),
                };
                Command::RefundReadBack { refund, read_back }
            }
            30 => Command::RefundFenceClosed { refund },
            _ if tape.flag() => Command::RefundProbeDue { refund },
            _ => Command::RequestRefundVoid { refund, by: CLERK, why },
        };
        self.tell(&command);
    }

    /// A true reading, or one with something wrong.
    fn evidence(&mut self, place: usize, tape: &mut Tape<'_>) -> MeterReading {
        if tape.byte() % 4 == 3 { self.lie(place, tape) } else { self.reading(place) }
    }

    /// The open sale of a meter, or any.
    fn a_sale(&self, place: usize, tape: &mut Tape<'_>) -> SaleId {
        let open = self.account.meter(meter_number(place)).and_then(|state| state.sale().map(|sale| sale.id));
        open.unwrap_or_else(|| SaleId(tape.byte().into()))
    }

    fn wait(&mut self, ms: u64) {
        let seconds = i64::try_from(ms / 1_000).expect("less than a day");
        self.now = Now::new(self.now.mono_ms + ms, self.now.utc_s + seconds);
    }

    fn reading(&mut self, place: usize) -> MeterReading {
        self.wait(1_000);
        self.meters[place].reading(self.now)
    }

    /// The frame of the open sale arrives.
    fn deliver(&mut self, place: usize) {
        let sale = self.account.meter(meter_number(place)).and_then(|state| state.sale().map(|sale| sale.id));
        if let Some((amount, count)) = sale.and_then(|sale| self.frames.get(&sale)) {
            self.meters[place].purchase(*amount, *count);
        }
    }

    /// A relay order is written, and perhaps obeyed.
    fn write_order(&mut self, place: usize, tape: &mut Tape<'_>) {
        let meter = meter_number(place);
        let order = *self.account.meter(meter).expect("it was opened").order();
        let version = order.version.wrapping_add(u32::from(tape.byte() & 1));
        self.tell(&Command::RelayOrdered { meter, version });
        if tape.flag() {
            self.meters[place].force = order.decided.force;
        }
        let read_back = if tape.flag() { ReadBack::Reading(self.reading(place)) } else { ReadBack::Unreadable };
        self.tell(&Command::RelayReported { meter, version, read_back });
    }

    /// A reading with one thing wrong.
    fn lie(&mut self, place: usize, tape: &mut Tape<'_>) -> MeterReading {
        let mut reading = self.reading(place);
        match tape.byte() % 8 {
            0 => reading.purchase_count = tape.word(),
            1 => reading.balance = minor(i64::from_be_bytes(tape.array())),
            2 => reading.energy.total_centi_kwh = u64::from_be_bytes(tape.array()),
            3 => reading.energy.rates = Rates::new(&[tape.long().into()]).expect("one rate"),
            4 => reading.meter = meter_number(1 - place),
            5 => reading.taken.mono_ms = u64::from_be_bytes(tape.array()),
            6 => reading.taken.utc_s = i64::from_be_bytes(tape.array()),
            _ => {
                reading.force = tape.pick(&[Force::Automatic, Force::On, Force::Off]);
                reading.relay_closed = tape.flag();
                reading.flags.overload = tape.flag();
            }
        }
        reading
    }

    /// Somebody else writes into the meter.
    fn tamper(&mut self, place: usize, tape: &mut Tape<'_>) {
        let meter = &mut self.meters[place];
        meter.count = meter.count.wrapping_add(u16::from(tape.byte() % 3));
        meter.balance_fine += i64::from(tape.word().cast_signed()) * 100;
    }

    /// Decides, books, applies, releases.
    fn tell(&mut self, command: &Command) {
        let before = self.account.clone();
        let decided = self.account.decide(command, self.now, &TwoPrices);
        assert_eq!(self.account, before, "a decision changes nothing");
        let Ok(decision) = decided else { return };
        let Ok(transfers) = decision.transfers() else { return };
        let entries = match self.ledger.decide(&transfers, self.now.utc_s) {
            Ok(entries) => entries,
            // Sums beyond 64 bits: the transaction is given up.
            Err(LedgerError::Money(_)) => return,
            Err(error) => panic!("{error} in {command:?}"),
        };
        for event in &decision.events {
            self.account.apply(event).expect("a decided event applies");
            self.note(event);
        }
        for entry in &entries {
            self.ledger.apply(entry).expect("a decided entry applies");
        }
        self.events.extend(decision.events);
        self.journal.extend(entries);
        let receipt = Persisted::attest(ACCOUNT, self.account.seq());
        for effect in decision.effects.release(&receipt).expect("all events are stored") {
            match effect {
                Effect::SendPurchase { sale, amount, new_count, frame, .. } => {
                    assert_eq!(self.frames.get(&sale), Some(&(amount, new_count)), "another frame of one sale");
                    assert!(self.account.may_send(sale, frame));
                }
                Effect::OverwriteBalance { refund, write, frame, .. } => {
                    assert!(self.account.may_overwrite(refund, frame));
                    self.overwrites.insert(refund, (write.remaining(), write.purchase_count()));
                }
                _ => {}
            }
        }
        assert!(self.ledger.trial_balance().balances());
        assert_eq!(reconcile::with_ledger(&self.account, &self.ledger).expect("in range"), []);
    }

    fn note(&mut self, event: &Event) {
        if let Fact::SaleBegun { sale, amount, new_count, .. } = event.fact {
            let earlier = self.frames.insert(sale, (amount, new_count));
            assert!(earlier.is_none_or(|frame| frame == (amount, new_count)), "another frame of one sale");
        }
    }

    /// The process dies: what is stored is the state, and what was under way is looked at first.
    fn restart(&mut self) {
        let mut alive = self.account.clone();
        alive.restarted();
        self.account = Account::rebuild(ACCOUNT, &self.events).expect("stored events apply");
        assert_eq!(self.account, alive);
        self.now = Now::new(5, self.now.utc_s + 60);
        let receipt = Persisted::attest(ACCOUNT, self.account.seq());
        let effects = self.account.resume(self.now).release(&receipt).expect("all events are stored");
        let is_money =
            |effect: &Effect| matches!(effect, Effect::SendPurchase { .. } | Effect::OverwriteBalance { .. });
        assert!(!effects.iter().any(is_money), "{effects:?}");
    }

    fn audit(&mut self) {
        self.restart();
        let text = serde_json::to_string(&self.events).expect("events are data");
        assert_eq!(serde_json::from_str::<Vec<Event>>(&text).expect("events are data"), self.events);
        assert_eq!(verify(Currency::CNY, ShardId(0), &self.journal).expect("an honest journal"), self.ledger.head());
        let rebuilt = Ledger::rebuild(Currency::CNY, ShardId(0), &self.journal).expect("an honest journal");
        assert_eq!(rebuilt.trial_balance(), self.ledger.trial_balance());
    }
}

const fn minor(minor: i64) -> Money {
    Money::from_minor(minor)
}

/// 1.2 and 0.4 a kWh; a seventh is tax.
struct TwoPrices;

impl Pricer for TwoPrices {
    fn price(&self, request: &PriceRequest<'_>) -> Result<Priced, PricerRefusal> {
        let bad = || PricerRefusal::BadState { reason: "not sixteen bytes".to_owned() };
        let before = match request.state.as_bytes() {
            [] => 0,
            bytes => i128::from_be_bytes(bytes.try_into().map_err(|_| bad())?),
        };
        let rates = request.usage.rates.as_slice().iter().zip([12_000_i128, 4_000]);
        let cumulative = before + rates.map(|(energy, price)| i128::from(*energy) * price).sum::<i128>();
        let charge = Decimal::try_from_i128_with_scale(cumulative, 6).map_err(|_| bad())?;
        Ok(Priced {
            cumulative: charge,
            cumulative_tax: charge / Decimal::from(7),
            tariff_version: 1,
            state: PricerState::new(cumulative.to_be_bytes().to_vec())?,
        })
    }
}
