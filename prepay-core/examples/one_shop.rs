//! The story of one shop: a sale with a lost reply, an alarm, a cut, a restore, and a crash in the middle of a sale.
//!
//! `cargo run -p prepay-core --example one_shop`
//!
//! The meter, the link and the store are a few lines each here. What matters is the order of steps in [`Station::tell`]:
//! decide, store, apply, release.

use prepay_core::account::{
    Account, Command, Effect, Event, Fact, MeterTakeOver, MeterTerms, OpenMode, Payment, Purse, ReadBack, Terms,
};
use prepay_core::credit::Levels;
use prepay_core::id::{AccountId, ChannelId, MeterNumber, OperatorId, SaleId};
use prepay_core::ledger::{AccountKey, AccountKind, Entry, Ledger, ShardId, verify};
use prepay_core::money::{Currency, Money};
use prepay_core::persist::Persisted;
use prepay_core::reading::{Force, MeterFlags, MeterReading, Rates, Registers};
use prepay_core::reconcile;
use prepay_core::sale::{EqualCountRule, SendOutcome};
use prepay_core::settlement::{MeterPrices, PriceRequest, Priced, Pricer, PricerRefusal, PricerState, RegisterLimits};
use prepay_core::time::Now;
use rust_decimal::Decimal;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// 0.8833 yuan a kWh, in the meter and in the tariff.
const PRICE: u64 = 8_833;

fn main() -> Outcome {
    let mut station = Station::open()?;
    println!("A shop with 30.00 in its meter is taken over.\n");

    println!("The shop buys 100.00. The meter takes it, but the reply is lost:");
    let sale = station.request(10_000)?;
    station.begin(sale)?;
    station.meter.purchase(10_000, 13);
    station.tell(Command::SaleSent { sale, outcome: SendOutcome::NoReply })?;
    println!("Nobody knows yet. The read-back decides:");
    station.read_back(sale)?;

    println!("\nThe shop uses energy, read every half hour:");
    for centi_kwh in [1_700, 1_700, 1_700, 1_700, 1_700, 1_700, 1_700, 800, 1_500, 1_700] {
        station.run_half_hour(centi_kwh)?;
    }

    println!("\nIt pays 50.00; this time the station dies right after the frame has left:");
    let sale = station.request(5_000)?;
    station.begin(sale)?;
    station.meter.purchase(5_000, 14);
    for effect in station.restart()? {
        println!("   after the restart: {effect:?}");
    }
    station.read_back(sale)?;
    station.run_half_hour(100)?;

    station.close_the_day()
}

/// A store that keeps everything as text, the books, and the account that is folded from the store.
struct Station {
    account: Account,
    ledger: Ledger,
    events: Vec<String>,
    journal: Vec<Entry>,
    meter: Meter,
    now: Now,
}

impl Station {
    fn open() -> Outcome<Self> {
        let currency = Currency::CNY;
        let mut station = Self {
            account: Account::new(AccountId(7)),
            ledger: Ledger::new(currency, ShardId(0)),
            events: Vec::new(),
            journal: Vec::new(),
            meter: Meter { number: MeterNumber::new(202_603_050_012)?, count: 12, centi_kwh: 0, micro: 30_000_000 },
            now: Now::new(0, 1_772_719_200),
        };
        let yuan = |yuan: i64| Money::from_minor(yuan * 100);
        let levels = Levels::new(yuan(20), yuan(5), yuan(0), yuan(1))?;
        let prices = MeterPrices { decimals: 4, raw: Rates::new(&[PRICE])? };
        let meter = MeterTerms {
            equal_count: EqualCountRule::EqualAcknowledged,
            confirmed_prices: Some(prices),
            ..MeterTerms::new(station.meter.number, RegisterLimits::six_digits(100))
        };
        let reading = station.meter.read(station.now);
        station.tell(Command::Open {
            terms: Terms::new(currency, Purse::InMeter, levels),
            meters: vec![MeterTakeOver { terms: meter, mode: OpenMode::TakeOver, reading }],
            station_credit: Money::ZERO,
        })?;
        Ok(station)
    }

    /// The one way in which anything happens.
    fn tell(&mut self, command: Command) -> Outcome<Vec<Effect>> {
        let decision = self.account.decide(&command, self.now, &OnePrice)?;
        let entries = self.ledger.decide(&decision.transfers()?, self.now.utc_s)?;
        // One transaction: the events and the journal lines. Only then are they true.
        for event in &decision.events {
            self.events.push(serde_json::to_string(event)?);
            self.account.apply(event)?;
        }
        for entry in entries {
            self.ledger.apply(&entry)?;
            self.journal.push(entry);
        }
        for event in &decision.events {
            println!("   {}", tale(&event.fact));
        }
        Ok(decision.effects.release(&Persisted::attest(self.account.id(), self.account.seq()))?)
    }

    fn request(&mut self, minor: i64) -> Outcome<SaleId> {
        let sale = SaleId(self.account.seq() + 1);
        self.tell(Command::RequestSale {
            sale,
            meter: Some(self.meter.number),
            amount: Money::from_minor(minor),
            payment: Payment::Channel(ChannelId(1)),
            operator: OperatorId(3),
        })?;
        Ok(sale)
    }

    fn begin(&mut self, sale: SaleId) -> Outcome {
        let evidence = self.meter.read(self.now);
        self.tell(Command::BeginSale { sale, evidence })?;
        Ok(())
    }

    fn read_back(&mut self, sale: SaleId) -> Outcome {
        let read_back = ReadBack::Reading(self.meter.read(self.now));
        self.tell(Command::SaleReadBack { sale, read_back })?;
        Ok(())
    }

    fn run_half_hour(&mut self, centi_kwh: u64) -> Outcome {
        self.now = Now::new(self.now.mono_ms + 1_800_000, self.now.utc_s + 1_800);
        self.meter.run(centi_kwh);
        let (meter, reading) = (self.meter.number, self.meter.read(self.now));
        self.tell(Command::SettleNow { meter, reading })?;
        Ok(())
    }

    /// The process is gone; what is left is what was stored.
    fn restart(&mut self) -> Outcome<Vec<Effect>> {
        let events: Vec<Event> = self.events.iter().map(|text| serde_json::from_str(text)).collect::<Result<_, _>>()?;
        self.account = Account::rebuild(self.account.id(), &events)?;
        self.ledger = Ledger::rebuild(Currency::CNY, ShardId(0), &self.journal)?;
        let effects = self.account.resume(self.now);
        Ok(effects.release(&Persisted::attest(self.account.id(), self.account.seq()))?)
    }

    fn close_the_day(&mut self) -> Outcome {
        println!("\nThe books:");
        for (key, balance) in self.ledger.trial_balance().lines {
            println!("   {key:<30} {:>10}", balance.posted()?.display(Currency::CNY).to_string());
        }
        let reading = self.meter.read(self.now);
        let mut open_points = reconcile::with_ledger(&self.account, &self.ledger)?;
        open_points.extend(reconcile::with_meter(&self.account, self.meter.number, &reading, &OnePrice)?);
        let head = verify(Currency::CNY, ShardId(0), &self.journal)?;
        let purse = self.ledger.balance(AccountKey::new(AccountKind::MeterPurse, self.meter.number.get())).posted()?;
        println!("   the meter shows {}, {} discrepancies", reading.balance.display(Currency::CNY), open_points.len());
        println!("   journal line {} ends in {}", head.seq, head.hash);
        let balanced = self.ledger.trial_balance().balances() && open_points.is_empty() && purse == reading.balance;
        if balanced { Ok(()) } else { Err("the books do not balance".into()) }
    }
}

/// What an event is in a few words.
fn tale(fact: &Fact) -> String {
    let yuan = |money: &Money| money.display(Currency::CNY).to_string();
    match fact {
        Fact::Opened { meters, .. } => format!("opened with {} meter", meters.len()),
        Fact::SaleRequested { amount, .. } => format!("paid {}", yuan(amount)),
        Fact::SaleBegun { amount, new_count, .. } => format!("intent stored: {} as purchase {new_count}", yuan(amount)),
        Fact::SaleSent { outcome, .. } => format!("frame: {outcome:?}"),
        Fact::SaleApplied { amount, proof, .. } => format!("the meter has {}, proven by {proof:?}", yuan(amount)),
        Fact::Settled(settled) => format!(
            "used {}.{:02} kWh, the meter took {}, the tariff says {}",
            settled.usage.total_centi_kwh / 100,
            settled.usage.total_centi_kwh % 100,
            yuan(&settled.booked),
            yuan(&settled.charge)
        ),
        Fact::CreditChanged { from, to, available, .. } => {
            format!("credit {from:?} -> {to:?} at {}", yuan(available))
        }
        Fact::CutVerified { .. } => "the meter has cut the supply".into(),
        Fact::RestoreVerified { .. } => "the meter has restored the supply".into(),
        Fact::RelayDesired { decided, .. } => format!("on the relay decides: {:?}", decided.cause),
        Fact::RelayMoved { closed, .. } => format!("relay {}", if *closed { "closed" } else { "open" }),
        other => format!("{other:?}"),
    }
}

/// One price for every kWh.
struct OnePrice;

impl Pricer for OnePrice {
    fn price(&self, request: &PriceRequest<'_>) -> Result<Priced, PricerRefusal> {
        let bad = |_| PricerRefusal::BadState { reason: "not eight bytes".into() };
        let before = match request.state.as_bytes() {
            [] => 0,
            bytes => u64::from_be_bytes(bytes.try_into().map_err(bad)?),
        };
        let centi_kwh = before + request.usage.total_centi_kwh;
        let price = Decimal::from_i128_with_scale(i128::from(PRICE), 4);
        Ok(Priced {
            cumulative: Decimal::from_i128_with_scale(i128::from(centi_kwh), 2) * price,
            cumulative_tax: Decimal::ZERO,
            tariff_version: 1,
            state: PricerState::new(centi_kwh.to_be_bytes().to_vec())?,
        })
    }
}

/// A meter that deducts by its own rounding (down), cuts at zero and restores above it.
struct Meter {
    number: MeterNumber,
    count: u16,
    centi_kwh: u64,
    /// Credit in 10⁻⁶ yuan.
    micro: i64,
}

impl Meter {
    fn purchase(&mut self, minor: i64, count: u16) {
        if count == self.count + 1 {
            self.count = count;
            self.micro += minor * 10_000;
        }
    }

    fn run(&mut self, centi_kwh: u64) {
        let price = i64::try_from(PRICE).unwrap_or(i64::MAX);
        for _ in 0..centi_kwh {
            if self.micro > 0 {
                self.centi_kwh += 1;
                self.micro -= price;
            }
        }
    }

    fn read(&self, taken: Now) -> MeterReading {
        let minor = self.micro.div_euclid(10_000);
        MeterReading {
            meter: self.number,
            purchase_count: self.count,
            balance: Money::from_minor(minor),
            energy: Registers { total_centi_kwh: self.centi_kwh, rates: Rates::default() },
            relay_closed: minor > 0,
            force: Force::Automatic,
            flags: MeterFlags { arrears: minor <= 0, ..MeterFlags::default() },
            prepaid_enabled: true,
            taken,
        }
    }
}
