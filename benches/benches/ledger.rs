//! Books with a hash chain beside the least that any ledger does, and a reading that crosses nothing.

use benches::{criterion, is_trial};
use criterion::{Criterion, Throughput};
use prepay_core::account::{Account, Command, MeterTakeOver, MeterTerms, OpenMode, Purse, Terms};
use prepay_core::credit::Levels;
use prepay_core::id::{AccountId, MeterNumber};
use prepay_core::ledger::{
    AccountKey, AccountKind, Action, BodyHash, Key, KeyRecord, Keyed, Ledger, LimitRule, RECORD_BYTES, ShardId,
    Transfer, TransferId,
};
use prepay_core::money::{Currency, Money};
use prepay_core::reading::{Force, MeterFlags, MeterReading, Rates, Registers};
use prepay_core::settlement::{PriceRequest, Priced, Pricer, PricerRefusal, RegisterLimits};
use prepay_core::time::Now;
use sha2::{Digest as _, Sha256};
use std::cell::RefCell;
use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Transfers that are timed at a stretch; after them the keys and the journal go back to what they were, untimed.
const STRETCH: u64 = 65_536;
const UTC_S: i64 = 1_772_719_650;

fn main() {
    let mut criterion = criterion();
    transfers(&mut criterion);
    reading(&mut criterion);
    criterion.final_summary();
}

fn live() -> u64 {
    if is_trial() { 1_000 } else { 1_000_000 }
}

/// A request as a till sends it: the text of its key, and a body.
struct Request {
    key: [u8; 16],
    body: [u8; 40],
    currency: Currency,
    transfer: Transfer,
}

/// The `n`-th request: one minor unit from a purse to the meter purse of some customer.
fn request(n: u64, accounts: u64) -> Request {
    // A multiplicative step visits the accounts out of order.
    let owner = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % accounts;
    let transfer = Transfer {
        id: TransferId::new(owner, n + 1, 0),
        action: Action::Move,
        debit: AccountKey::new(AccountKind::CustomerPurse, owner),
        credit: AccountKey::new(AccountKind::MeterPurse, owner),
        amount: Money::from_minor(1),
        limit: LimitRule::Enforce,
    };
    let mut key = *b"till-0000000000-";
    key[5..].iter_mut().zip(0..10_u32).for_each(|(digit, at)| *digit = b'0' + ((n / 10_u64.pow(at)) % 10) as u8);
    let mut body = [0; 40];
    body.iter_mut().zip(owner.to_be_bytes().into_iter().chain(n.to_be_bytes())).for_each(|(to, from)| *to = from);
    Request { key, body, currency: Currency::CNY, transfer }
}

fn text(key: &[u8; 16]) -> &str {
    core::str::from_utf8(key).expect("digits")
}

/// Times `iterations` calls of `one`, in stretches with `tidy` between them.
fn timed(
    iterations: u64,
    n: &mut u64,
    mut one: impl FnMut(u64),
    mut tidy: impl FnMut(std::ops::Range<u64>),
) -> Duration {
    let mut spent = Duration::ZERO;
    let mut left = iterations;
    while left > 0 {
        let stretch = left.min(STRETCH);
        let from = *n;
        let begun = Instant::now();
        for at in from..from + stretch {
            one(at);
        }
        spent += begun.elapsed();
        *n += stretch;
        left -= stretch;
        tidy(from..*n);
    }
    spent
}

/// One store of keys and one ledger with 10⁶ customers each: key and body are hashed, the key is looked up, currency,
/// account state, identity and limit are checked, two balances move, the line is chained, appended, applied, and the
/// key's outcome is stored.
struct Station {
    ledger: Ledger,
    keys: HashMap<Key, KeyRecord<u64>>,
    journal: Vec<prepay_core::ledger::Entry>,
}

impl Station {
    fn new(accounts: u64) -> Self {
        let mut ledger = Ledger::new(Currency::CNY, ShardId(0));
        let mut keys = HashMap::new();
        for owner in 0..accounts {
            let purse = AccountKey::new(AccountKind::CustomerPurse, owner);
            ledger.set_overdraft_limit(purse, Some(Money::from_minor(1 << 40))).expect("not negative");
            let credit = AccountKey::new(AccountKind::MeterPurse, owner);
            let first = request(owner, accounts);
            let opening = Transfer { id: TransferId::new(owner, 0, 0), debit: purse, credit, ..first.transfer };
            ledger.decide(&[opening], UTC_S).expect("within limits").iter().for_each(|entry| {
                ledger.apply(entry).expect("decided");
            });
            let key = Key::new("till", text(&first.key));
            let record =
                KeyRecord { key, body: BodyHash::of(&first.body), fate: prepay_core::ledger::Fate::Done(owner) };
            keys.insert(key, record);
        }
        Self { ledger, keys, journal: Vec::with_capacity(STRETCH as usize) }
    }

    fn take(&mut self, request: &Request) {
        let key = Key::new("till", text(&request.key));
        let ledger = &self.ledger;
        let outcome = key.run(
            BodyHash::of(&request.body),
            self.keys.get(&key),
            || {
                assert_eq!(request.currency, ledger.currency());
                ledger.decide(&[request.transfer], UTC_S).map(|entries| (entries, request.transfer.id.seq))
            },
            |_| 0,
        );
        let Keyed::Created { changes, record } = outcome else { panic!("a new key within limits") };
        for entry in changes {
            self.journal.push(entry);
            self.ledger.apply(&entry).expect("decided");
        }
        self.keys.insert(key, record);
    }

    fn tidy(&mut self, range: std::ops::Range<u64>, accounts: u64) {
        self.journal.clear();
        for n in range {
            self.keys.remove(&Key::new("till", text(&request(n, accounts).key)));
        }
    }
}

/// The least that does the same work: the same keys, the same bytes through SHA-256, two balances, one line.
struct Bare {
    balances: HashMap<AccountKey, i64>,
    keys: HashMap<[u8; 32], ([u8; 32], u64)>,
    journal: Vec<(Transfer, [u8; 32])>,
    head: [u8; 32],
}

impl Bare {
    fn new(accounts: u64) -> Self {
        let mut bare = Self { balances: HashMap::new(), keys: HashMap::new(), journal: Vec::new(), head: [0; 32] };
        bare.journal.reserve(STRETCH as usize);
        for n in 0..accounts {
            bare.balances.insert(AccountKey::new(AccountKind::CustomerPurse, n), 0);
            bare.balances.insert(AccountKey::new(AccountKind::MeterPurse, n), 0);
            bare.keys.insert(Self::key(&request(n, accounts)), ([0; 32], n));
        }
        bare
    }

    fn key(request: &Request) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(4_u64.to_be_bytes());
        hasher.update(b"till");
        hasher.update(request.key);
        hasher.finalize().into()
    }

    fn take(&mut self, request: &Request, chain: bool) {
        let (key, body) = (Self::key(request), Sha256::digest(request.body).into());
        if self.keys.insert(key, (body, request.transfer.id.seq)).is_some() {
            return;
        }
        let transfer = request.transfer;
        let amount = transfer.amount.minor();
        *self.balances.entry(transfer.debit).or_insert(0) -= amount;
        *self.balances.entry(transfer.credit).or_insert(0) += amount;
        if chain {
            let mut line = [0; 32 + RECORD_BYTES];
            let numbers = [transfer.id.origin, transfer.id.seq, transfer.debit.owner, transfer.credit.owner];
            let numbers = numbers.into_iter().chain([amount.unsigned_abs()]).flat_map(u64::to_be_bytes);
            line.iter_mut().zip(self.head.into_iter().chain(numbers)).for_each(|(to, from)| *to = from);
            self.head = Sha256::digest(line).into();
        }
        self.journal.push((transfer, self.head));
    }

    fn tidy(&mut self, range: std::ops::Range<u64>, accounts: u64) {
        self.journal.clear();
        for n in range {
            self.keys.remove(&Self::key(&request(n, accounts)));
        }
    }
}

fn transfers(criterion: &mut Criterion) {
    let accounts = live();
    let mut group = criterion.benchmark_group("transfer_among_a_million_accounts");
    group.throughput(Throughput::Elements(1));
    {
        let station = RefCell::new(Station::new(accounts));
        let mut n = accounts;
        group.bench_function("prepay-core with chain", |bencher| {
            bencher.iter_custom(|iterations| {
                let one = |at| station.borrow_mut().take(&request(at, accounts));
                timed(iterations, &mut n, one, |range| station.borrow_mut().tidy(range, accounts))
            });
        });
        assert!(station.borrow().ledger.trial_balance().balances());
    }
    let bare = RefCell::new(Bare::new(accounts));
    let mut n = accounts;
    for (name, chain) in [("bare HashMap and SHA-256", true), ("bare HashMap and SHA-256, no chain", false)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let one = |at| bare.borrow_mut().take(&request(at, accounts), chain);
                timed(iterations, &mut n, one, |range| bare.borrow_mut().tidy(range, accounts))
            });
        });
    }
    group.finish();
}

struct NoPrice;

impl Pricer for NoPrice {
    fn price(&self, _: &PriceRequest<'_>) -> Result<Priced, PricerRefusal> {
        Err(PricerRefusal::NoTariff { reason: "not asked".to_owned() })
    }
}

/// A poll of a meter with its own purse that shows nothing new.
fn reading(criterion: &mut Criterion) {
    let meter = MeterNumber::new(202_603_050_012).expect("twelve digits");
    let minor = Money::from_minor;
    let levels = Levels::new(minor(2_000), minor(500), minor(0), minor(100)).expect("in order");
    let now = Now::new(1_000_000, UTC_S);
    let shown = MeterReading {
        meter,
        purchase_count: 41,
        balance: minor(8_875),
        energy: Registers {
            total_centi_kwh: 1_234_567,
            rates: Rates::new(&[100_000, 400_000, 434_567, 300_000]).expect("four rates"),
        },
        relay_closed: true,
        force: Force::Automatic,
        flags: MeterFlags::default(),
        prepaid_enabled: true,
        taken: now,
    };
    let meter_terms = MeterTerms::new(meter, RegisterLimits::six_digits(200));
    let open = Command::Open {
        terms: Terms::new(Currency::CNY, Purse::InMeter, levels),
        meters: vec![MeterTakeOver { terms: meter_terms, mode: OpenMode::TakeOver, reading: shown }],
        station_credit: Money::ZERO,
    };
    let mut account = Account::new(AccountId(7));
    let opened = account.decide(&open, now, &NoPrice).expect("it opens");
    opened.events.iter().for_each(|event| account.apply(event).expect("decided"));
    let later = Now::new(1_180_000, UTC_S + 180);
    let first = Command::Observe { meter, reading: MeterReading { taken: later, ..shown } };
    let settled_in = account.decide(&first, later, &NoPrice).expect("it is taken");
    settled_in.events.iter().for_each(|event| account.apply(event).expect("decided"));

    let now = Now::new(1_360_000, UTC_S + 360);
    let poll = Command::Observe { meter, reading: MeterReading { balance: minor(8_870), taken: now, ..shown } };
    assert!(account.decide(&poll, now, &NoPrice).expect("it is taken").events.is_empty(), "it crosses nothing");
    let mut group = criterion.benchmark_group("reading");
    group.bench_function("crosses nothing", |bencher| {
        bencher.iter(|| account.decide(black_box(&poll), black_box(now), &NoPrice).expect("it is taken"));
    });
    group.finish();
}
