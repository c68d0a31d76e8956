//! A desk with books, a store and a meter: every step is stored as JSON, booked, rebuilt and reconciled.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of the desk")]

pub mod refunds;

use prepay_core::account::{
    Account, Command, Effect, Event, Fact, MeterState, MeterTakeOver, MeterTerms, OpenMode, Payment, Purse, ReadBack,
    Refusal, Terms,
};
use prepay_core::credit::Levels;
use prepay_core::id::{AccountId, ChannelId, MeterNumber, OperatorId, Reason, SaleId};
use prepay_core::ledger::{AccountKey, AccountKind, Entry, Ledger, ShardId};
use prepay_core::money::{Currency, Money};
use prepay_core::persist::Persisted;
use prepay_core::reading::{Force, MeterFlags, MeterReading, Rates, Registers};
use prepay_core::reconcile;
use prepay_core::sale::{EqualCountRule, SendOutcome};
use prepay_core::settlement::{MeterPrices, PriceRequest, Priced, Pricer, PricerRefusal, PricerState, RegisterLimits};
use prepay_core::time::Now;
use rust_decimal::Decimal;

pub const METER: u64 = 202_603_050_012;
pub const OPERATOR: OperatorId = OperatorId(3);
pub const TILL: Payment = Payment::Channel(ChannelId(1));
/// Spike, peak, flat, valley in 0.0001 yuan a kWh.
pub const PRICES: [u64; 4] = [12_000, 10_000, 7_000, 4_000];
pub const LIMITS: RegisterLimits = RegisterLimits::six_digits(200);

pub fn number(meter: u64) -> MeterNumber {
    MeterNumber::new(meter).unwrap()
}

pub fn why(text: &str) -> Reason {
    Reason::new(text).unwrap()
}

pub fn fen(minor: i64) -> Money {
    Money::from_minor(minor)
}

/// Alarms at 20.00 and 5.00, no overdraft, 1.00 of hysteresis.
pub fn levels() -> Levels {
    Levels::new(fen(2_000), fen(500), fen(0), fen(100)).unwrap()
}

pub fn terms(purse: Purse) -> Terms {
    Terms::new(Currency::CNY, purse, levels())
}

pub fn meter_terms(meter: u64) -> MeterTerms {
    MeterTerms {
        equal_count: EqualCountRule::EqualAcknowledged,
        tolerance: fen(4),
        confirmed_prices: Some(MeterPrices { decimals: 4, raw: Rates::new(&PRICES).unwrap() }),
        ..MeterTerms::new(number(meter), LIMITS)
    }
}

/// Prices each rate at a fixed price; a seventh of the charge is tax.
pub struct FixedPrices(pub [u64; 4]);

impl Pricer for FixedPrices {
    fn price(&self, request: &PriceRequest<'_>) -> Result<Priced, PricerRefusal> {
        let text = core::str::from_utf8(request.state.as_bytes()).unwrap();
        let before: i128 = if text.is_empty() { 0 } else { text.parse().unwrap() };
        let rates = request.usage.rates.as_slice();
        // 0.01 kWh × 0.0001 yuan = 10⁻⁶ yuan.
        let step: i128 = rates.iter().zip(self.0).map(|(energy, price)| i128::from(*energy) * i128::from(price)).sum();
        let cumulative = before + step;
        Ok(Priced {
            cumulative: Decimal::from_i128_with_scale(cumulative, 6),
            cumulative_tax: Decimal::from_i128_with_scale(cumulative, 6) / Decimal::from(7),
            tariff_version: 1,
            state: PricerState::new(cumulative.to_string().into_bytes())?,
        })
    }
}

/// A meter in a few lines, typed from the register documents: it rounds its balance down and keeps the rest.
#[derive(Debug, Clone)]
pub struct Meter {
    pub number: u64,
    pub count: u16,
    pub micro_yuan: i128,
    pub rates: [u64; 4],
    pub prices: [u64; 4],
    pub prepaid: bool,
    pub force: Force,
    pub relay_stuck: Option<bool>,
    pub overload: bool,
    pub rule: EqualCountRule,
}

impl Meter {
    pub fn new(number: u64, balance_minor: i64, count: u16) -> Self {
        Self {
            number,
            count,
            micro_yuan: i128::from(balance_minor) * 10_000,
            rates: [0; 4],
            prices: PRICES,
            prepaid: true,
            force: Force::Automatic,
            relay_stuck: None,
            overload: false,
            rule: EqualCountRule::EqualAcknowledged,
        }
    }

    pub fn relay_closed(&self) -> bool {
        self.relay_stuck.unwrap_or(match self.force {
            Force::On => true,
            Force::Off => false,
            Force::Automatic => !self.overload && (!self.prepaid || self.balance() > 0),
        })
    }

    pub fn balance(&self) -> i64 {
        i64::try_from(self.micro_yuan.div_euclid(10_000)).unwrap()
    }

    /// Uses 0.01 kWh × `centi_kwh` in a rate, if there is supply.
    pub fn use_energy(&mut self, rate: usize, centi_kwh: u64) {
        self.rates[rate] += centi_kwh;
        if self.prepaid {
            self.micro_yuan -= i128::from(centi_kwh) * i128::from(self.prices[rate]);
        }
    }

    /// Takes a purchase frame; answers whether it acknowledged.
    pub fn purchase(&mut self, amount: Money, count: u16) -> bool {
        let new = count == self.count.wrapping_add(1);
        if new || self.rule == EqualCountRule::AnyCountAdds {
            self.micro_yuan += i128::from(amount.minor()) * 10_000;
            self.count = count;
            return true;
        }
        count == self.count && self.rule == EqualCountRule::EqualAcknowledged
    }

    /// Takes a frame that overwrites remaining amount and count.
    pub fn overwrite(&mut self, remaining: Money, count: u16) {
        self.micro_yuan = i128::from(remaining.minor()) * 10_000;
        self.count = count;
    }

    pub fn reading(&self, taken: Now) -> MeterReading {
        let balance = Money::from_minor(self.balance());
        MeterReading {
            meter: number(self.number),
            purchase_count: self.count,
            balance,
            energy: Registers { total_centi_kwh: self.rates.iter().sum(), rates: Rates::new(&self.rates).unwrap() },
            relay_closed: self.relay_closed(),
            force: self.force,
            flags: MeterFlags {
                arrears: self.balance() <= 0,
                alarm_1: self.balance() <= 2_000,
                alarm_2: self.balance() <= 500,
                overload: self.overload,
                fault: false,
            },
            prepaid_enabled: self.prepaid,
            taken,
        }
    }
}

pub struct Desk {
    pub account: Account,
    pub ledger: Ledger,
    pub journal: Vec<Entry>,
    pub stored: Vec<String>,
    pub pricer: FixedPrices,
    pub meter: Meter,
    pub now: Now,
    pub next_sale: u64,
}

impl Desk {
    /// An account with one running meter that is taken over.
    pub fn open(purse: Purse, balance_minor: i64) -> Self {
        Self::open_with(terms(purse), meter_terms(METER), balance_minor)
    }

    pub fn open_with(terms: Terms, meter_terms: MeterTerms, balance_minor: i64) -> Self {
        let mut meter = Meter::new(METER, balance_minor, 41);
        meter.rates = [100_000, 400_000, 434_567, 300_000];
        meter.prepaid = terms.purse == Purse::InMeter;
        meter.rule = meter_terms.equal_count;
        let mut desk = Self::new(meter);
        let reading = desk.meter.reading(desk.now);
        let meters = vec![MeterTakeOver { terms: meter_terms, mode: OpenMode::TakeOver, reading }];
        let station_credit = if terms.purse == Purse::AtStation { fen(balance_minor) } else { fen(0) };
        desk.tell(Command::Open { terms, meters, station_credit }).unwrap();
        desk
    }

    pub fn new(meter: Meter) -> Self {
        let mut ledger = Ledger::new(Currency::CNY, ShardId(0));
        ledger.set_overdraft_limit(AccountKey::new(AccountKind::CustomerPurse, 7), Some(Money::ZERO)).unwrap();
        Self {
            account: Account::new(AccountId(7)),
            ledger,
            journal: Vec::new(),
            stored: Vec::new(),
            pricer: FixedPrices(PRICES),
            meter,
            now: Now::new(1_000_000, 1_772_719_650),
            next_sale: 1,
        }
    }

    /// Decides, stores, books, applies, releases; then checks everything that must hold at every moment.
    pub fn tell(&mut self, command: Command) -> Result<Vec<Effect>, Refusal> {
        let before = self.account.clone();
        let text = serde_json::to_string(&command).unwrap();
        assert_eq!(serde_json::from_str::<Command>(&text).unwrap(), command);
        let decision = self.account.decide(&command, self.now, &self.pricer)?;
        assert_eq!(self.account, before, "a decision changes nothing");

        let transfers = decision.transfers().unwrap();
        let entries =
            self.ledger.decide(&transfers, self.now.utc_s).unwrap_or_else(|error| panic!("{error}: {command:?}"));
        for event in &decision.events {
            let text = serde_json::to_string(event).unwrap();
            assert_eq!(&serde_json::from_str::<Event>(&text).unwrap(), event, "{text}");
            self.account.apply(event).unwrap();
            self.stored.push(text);
        }
        for entry in &entries {
            self.ledger.apply(entry).unwrap();
            self.journal.push(*entry);
        }
        self.check();
        Ok(decision.effects.release(&Persisted::attest(self.account.id(), self.account.seq())).unwrap())
    }

    pub fn events(&self) -> Vec<Event> {
        self.stored.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    pub fn facts(&self) -> Vec<Fact> {
        self.events().into_iter().map(|event| event.fact).collect()
    }

    pub fn count_facts(&self, matches: impl Fn(&Fact) -> bool) -> usize {
        self.facts().iter().filter(|fact| matches(fact)).count()
    }

    /// What a restart would make of the stored events is what is in memory, and everything balances.
    pub fn check(&self) {
        let rebuilt = Account::rebuild(self.account.id(), &self.events()).unwrap();
        let json = |account: &Account| serde_json::to_string(account).unwrap();
        assert_eq!(json(&rebuilt), json(&self.account));
        assert_eq!(serde_json::from_str::<Account>(&json(&rebuilt)).unwrap(), rebuilt);
        assert!(self.ledger.trial_balance().balances());
        assert_eq!(reconcile::with_ledger(&self.account, &self.ledger).unwrap(), vec![]);
    }

    /// The process dies and starts again: monotonic time starts anew.
    pub fn restart(&mut self) -> Vec<Effect> {
        self.account = Account::rebuild(self.account.id(), &self.events()).unwrap();
        self.now = Now::new(5, self.now.utc_s + 60);
        let effects = self.account.resume(self.now);
        effects.release(&Persisted::attest(self.account.id(), self.account.seq())).unwrap()
    }

    pub fn wait_s(&mut self, seconds: u64) {
        self.now = Now::new(self.now.mono_ms + seconds * 1000, self.now.utc_s + i64::try_from(seconds).unwrap());
    }

    pub fn reading(&self) -> MeterReading {
        self.meter.reading(self.now)
    }

    pub fn observe(&mut self) -> Vec<Effect> {
        self.wait_s(1);
        let (meter, reading) = (number(METER), self.reading());
        self.tell(Command::Observe { meter, reading }).unwrap()
    }

    pub fn settle(&mut self) -> Vec<Effect> {
        self.wait_s(1);
        let (meter, reading) = (number(METER), self.reading());
        self.tell(Command::SettleNow { meter, reading }).unwrap()
    }

    /// Pays and begins: returns the sale; the purchase frame is released but not sent.
    pub fn begin(&mut self, minor: i64) -> SaleId {
        let sale = self.request(minor).unwrap();
        self.wait_s(1);
        let effects = self.tell(Command::BeginSale { sale, evidence: self.reading() }).unwrap();
        assert!(effects.iter().any(|effect| matches!(effect, Effect::SendPurchase { .. })), "{effects:?}");
        sale
    }

    pub fn request(&mut self, minor: i64) -> Result<SaleId, Refusal> {
        let sale = SaleId(self.next_sale);
        self.next_sale += 1;
        let in_meter = self.account.terms().unwrap().purse == Purse::InMeter;
        let meter = in_meter.then(|| number(METER));
        let (amount, payment, operator) = (fen(minor), TILL, OPERATOR);
        self.tell(Command::RequestSale { sale, meter, amount, payment, operator }).map(|_| sale)
    }

    /// The frame of the open sale arrives at the meter.
    pub fn deliver(&mut self) {
        let open = self.state().sale().unwrap().clone();
        self.meter.purchase(open.amount, open.begun.unwrap().new_count);
    }

    pub fn sent(&mut self, sale: SaleId, outcome: SendOutcome) -> Vec<Effect> {
        self.wait_s(1);
        self.tell(Command::SaleSent { sale, outcome }).unwrap()
    }

    pub fn read_back(&mut self, sale: SaleId) -> Vec<Effect> {
        self.wait_s(1);
        let read_back = ReadBack::Reading(self.reading());
        self.tell(Command::SaleReadBack { sale, read_back }).unwrap()
    }

    /// A whole sale without trouble.
    pub fn sell(&mut self, minor: i64) -> SaleId {
        let sale = self.begin(minor);
        self.deliver();
        self.sent(sale, SendOutcome::ReplySeen);
        self.read_back(sale);
        assert!(self.state().sale().is_none());
        sale
    }

    /// Carries relay orders to the meter and reads them back; answers the other effects.
    pub fn obey(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        let mut rest = Vec::new();
        let mut work = std::collections::VecDeque::from(effects);
        while let Some(effect) = work.pop_front() {
            let Effect::WriteForce { meter, version, force, .. } = effect else {
                rest.push(effect);
                continue;
            };
            if !self.account.may_write(meter, version) {
                continue;
            }
            self.meter.force = force;
            work.extend(self.tell(Command::RelayOrdered { meter, version }).unwrap());
            self.wait_s(1);
            let read_back = ReadBack::Reading(self.reading());
            work.extend(self.tell(Command::RelayReported { meter, version, read_back }).unwrap());
        }
        rest
    }

    pub fn state(&self) -> &MeterState {
        self.account.meter(number(METER)).unwrap()
    }

    pub fn posted(&self, kind: AccountKind, owner: u64) -> i64 {
        self.ledger.balance(AccountKey::new(kind, owner)).posted().unwrap().minor()
    }
}
