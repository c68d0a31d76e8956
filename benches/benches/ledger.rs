//! Books with a hash chain beside the least that any ledger does, and a reading that crosses nothing.

use benches::books::{NoPrice, Poll, Request, Station, request};
use benches::{criterion, is_trial};
use criterion::{Criterion, Throughput};
use prepay_core::ledger::{AccountKey, AccountKind, RECORD_BYTES, Transfer};
use sha2::{Digest as _, Sha256};
use std::cell::RefCell;
use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Transfers that are timed at a stretch; after them the keys and the journal go back to what they were, untimed.
const STRETCH: u64 = 65_536;
fn main() {
    let mut criterion = criterion();
    transfers(&mut criterion);
    reading(&mut criterion);
    criterion.final_summary();
}

fn live() -> u64 {
    if is_trial() { 1_000 } else { 1_000_000 }
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

/// A poll of a meter with its own purse that shows nothing new.
fn reading(criterion: &mut Criterion) {
    let Poll { account, command, now } = Poll::new();
    let mut group = criterion.benchmark_group("reading");
    group.bench_function("crosses nothing", |bencher| {
        bencher.iter(|| account.decide(black_box(&command), black_box(now), &NoPrice).expect("it is taken"));
    });
    group.finish();
}
