//! Books with a hash chain beside the least that any ledger does, and a reading that crosses nothing.

use benches::{criterion, is_trial};
use criterion::{Criterion, Throughput};
use prepay_core::account::{Account, Command, MeterTakeOver, MeterTerms, OpenMode, Purse, Terms};
use prepay_core::credit::Levels;
use prepay_core::id::{AccountId, MeterNumber};
use prepay_core::ledger::{AccountKey, AccountKind, Action, Ledger, LimitRule, ShardId, Transfer, TransferId};
use prepay_core::money::{Currency, Money};
use prepay_core::reading::{Force, MeterFlags, MeterReading, Rates, Registers};
use prepay_core::settlement::{PriceRequest, Priced, Pricer, PricerRefusal, RegisterLimits};
use prepay_core::time::Now;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::hint::black_box;

/// Journal lines that are kept before they count as stored.
const JOURNAL: usize = 65_536;
const UTC_S: i64 = 1_772_719_650;

fn main() {
    let mut criterion = criterion();
    transfers(&mut criterion);
    reading(&mut criterion);
    criterion.final_summary();
}

fn live_accounts() -> u64 {
    if is_trial() { 1_000 } else { 1_000_000 }
}

/// The `n`-th transfer: one minor unit from a purse to the meter purse of some customer.
fn transfer(n: u64, accounts: u64) -> Transfer {
    // A multiplicative step visits the accounts out of order.
    let owner = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % accounts;
    Transfer {
        id: TransferId::new(owner, n + 1, 0),
        action: Action::Move,
        debit: AccountKey::new(AccountKind::CustomerPurse, owner),
        credit: AccountKey::new(AccountKind::MeterPurse, owner),
        amount: Money::from_minor(1),
        limit: LimitRule::Enforce,
    }
}

fn transfers(criterion: &mut Criterion) {
    let accounts = live_accounts();
    let mut group = criterion.benchmark_group("transfer_among_a_million_accounts");
    group.throughput(Throughput::Elements(1));
    {
        let mut ledger = Ledger::new(Currency::CNY, ShardId(0));
        for owner in 0..accounts {
            let purse = AccountKey::new(AccountKind::CustomerPurse, owner);
            ledger.set_overdraft_limit(purse, Some(Money::from_minor(1 << 40))).expect("not negative");
            let opening = Transfer { id: TransferId::new(owner, 0, 0), ..transfer(owner, accounts) };
            let opening = Transfer { debit: purse, credit: AccountKey::new(AccountKind::MeterPurse, owner), ..opening };
            ledger.decide(&[opening], UTC_S).expect("within limits").iter().for_each(|entry| {
                ledger.apply(entry).expect("decided");
            });
        }
        let (mut n, mut journal) = (accounts, Vec::with_capacity(JOURNAL));
        group.bench_function("prepay-core with chain", |bencher| {
            bencher.iter(|| {
                n += 1;
                let entries = ledger.decide(&[transfer(n, accounts)], UTC_S).expect("within limits");
                for entry in entries {
                    ledger.apply(&entry).expect("decided");
                    journal.push(entry);
                }
                if journal.len() == JOURNAL {
                    journal.clear();
                }
            });
        });
        assert!(ledger.trial_balance().balances());
    }
    let mut balances: HashMap<AccountKey, i64> = HashMap::new();
    for owner in 0..accounts {
        balances.insert(AccountKey::new(AccountKind::CustomerPurse, owner), 0);
        balances.insert(AccountKey::new(AccountKind::MeterPurse, owner), 0);
    }
    let (mut n, mut head, mut journal) = (accounts, [0_u8; 32], Vec::with_capacity(JOURNAL));
    group.bench_function("bare HashMap and SHA-256", |bencher| {
        bencher.iter(|| {
            n += 1;
            let transfer = transfer(n, accounts);
            let amount = transfer.amount.minor();
            *balances.entry(transfer.debit).or_insert(0) -= amount;
            *balances.entry(transfer.credit).or_insert(0) += amount;
            let mut hasher = Sha256::new();
            hasher.update(head);
            for number in [n, transfer.id.origin, transfer.debit.owner, transfer.credit.owner, amount.unsigned_abs()] {
                hasher.update(number.to_be_bytes());
            }
            hasher.update([transfer.debit.kind.code(), transfer.credit.kind.code()]);
            head = hasher.finalize().into();
            journal.push((transfer, head));
            if journal.len() == JOURNAL {
                journal.clear();
            }
        });
    });
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
