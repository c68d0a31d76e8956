//! Books with a hash chain, and an account that is polled.

use prepay_core::account::{Account, Command, MeterTakeOver, MeterTerms, OpenMode, Purse, Terms};
use prepay_core::credit::Levels;
use prepay_core::id::{AccountId, MeterNumber};
use prepay_core::ledger::{
    AccountKey, AccountKind, Action, BodyHash, Entry, Fate, Key, KeyRecord, Keyed, Ledger, LimitRule, ShardId,
    Transfer, TransferId,
};
use prepay_core::money::{Currency, Money};
use prepay_core::reading::{Force, MeterFlags, MeterReading, Rates, Registers};
use prepay_core::settlement::{PriceRequest, Priced, Pricer, PricerRefusal, RegisterLimits};
use prepay_core::time::Now;
use std::collections::HashMap;

/// Lines that a journal has room for without growing.
const JOURNAL_LINES: usize = 65_536;
const UTC_S: i64 = 1_772_719_650;

/// A request as a till sends it: the text of its key, and a body.
#[derive(Debug)]
pub struct Request {
    /// The text of the key.
    pub key: [u8; 16],
    /// What the key stands for.
    pub body: [u8; 40],
    /// Of the amount.
    pub currency: Currency,
    /// What it asks for.
    pub transfer: Transfer,
}

/// The `n`-th request: one minor unit from a purse to the meter purse of some customer.
#[must_use]
pub fn request(n: u64, accounts: u64) -> Request {
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

/// A key as text.
///
/// # Panics
///
/// If it isn't text.
#[must_use]
fn text(key: &[u8; 16]) -> &str {
    core::str::from_utf8(key).expect("digits")
}

/// One store of keys and one ledger with 10⁶ customers each: key and body are hashed, the key is looked up, currency,
/// account state, identity and limit are checked, two balances move, the line is chained, appended, applied, and the
/// key's outcome is stored.
#[derive(Debug)]
pub struct Station {
    /// The books.
    pub ledger: Ledger,
    keys: HashMap<Key, KeyRecord<u64>>,
    journal: Vec<Entry>,
}

impl Station {
    /// `accounts` customers, each with a key and a balance.
    ///
    /// # Panics
    ///
    /// Never: all of it is within limits.
    #[must_use]
    pub fn new(accounts: u64) -> Self {
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
            let record = KeyRecord { key, body: BodyHash::of(&first.body), fate: Fate::Done(owner) };
            keys.insert(key, record);
        }
        Self { ledger, keys, journal: Vec::with_capacity(JOURNAL_LINES) }
    }

    /// One request, decided and applied.
    ///
    /// # Panics
    ///
    /// If the key is not new.
    pub fn take(&mut self, request: &Request) {
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

    /// The newest line of the journal.
    #[must_use]
    pub fn newest(&self) -> Option<&Entry> {
        self.journal.last()
    }

    /// Forgets the keys and lines of requests.
    pub fn tidy(&mut self, range: std::ops::Range<u64>, accounts: u64) {
        self.journal.clear();
        for n in range {
            self.keys.remove(&Key::new("till", text(&request(n, accounts).key)));
        }
    }
}

/// Reads that cross nothing need no price.
#[derive(Debug)]
pub struct NoPrice;

impl Pricer for NoPrice {
    fn price(&self, _: &PriceRequest<'_>) -> Result<Priced, PricerRefusal> {
        Err(PricerRefusal::NoTariff { reason: "not asked".to_owned() })
    }
}

/// A poll of a meter with its own purse that shows nothing new.
#[derive(Debug)]
pub struct Poll {
    /// Who is polled.
    pub account: Account,
    /// The reading.
    pub command: Command,
    /// When it is taken.
    pub now: Now,
}

impl Poll {
    /// An account that is open and settled in.
    ///
    /// # Panics
    ///
    /// If the reading is refused or crosses anything.
    #[must_use]
    pub fn new() -> Self {
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
        let command = Command::Observe { meter, reading: MeterReading { balance: minor(8_870), taken: now, ..shown } };
        assert!(account.decide(&command, now, &NoPrice).expect("it is taken").events.is_empty(), "it crosses nothing");
        Self { account, command, now }
    }
}

impl Default for Poll {
    fn default() -> Self {
        Self::new()
    }
}
