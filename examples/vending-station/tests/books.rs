//! The books: what is durable before anything leaves, what a repeated request does, and what a failed commit leaves behind.

use prepay_core::{
    account::{Command, Effect, MeterTakeOver, MeterTerms, OpenMode, Purse, ReadBack, Terms},
    credit::Levels,
    id::{AccountId, MeterNumber, SaleId},
    money::{Currency, Money},
    reading::{Force, MeterFlags, MeterReading, Rates, Registers},
    sale::{EqualCountRule, SendOutcome},
    settlement::RegisterLimits,
};
use sqlx::Row;
use std::{collections::HashMap, path::Path, sync::Arc};
use tokio::sync::mpsc;
use vending_station::{
    clock::WorldClock,
    pricing::Pricing,
    site,
    store::{
        Store,
        books::{Books, SellError, audit},
        site as stored,
    },
};

const SITE: &str = r#"
site.name = "One shop"
site.currency = "CNY"
site.utc_offset_min = 480
building = [{ code = "A", name = "House A" }]
gateway = [{ code = "G1", building = "A", address = "127.0.0.1:15021" }]
bus = [{ code = "A1", gateway = "G1", baud = 9600 }]
tenant = [{ code = "A-101", name = "Noodles", trade = "restaurant", building = "A", floor = "1F", tariff = "flat", purse = "meter", alarm_1 = "50.00", alarm_2 = "10" }]
meter = [{ number = "202611000001", bus = "A1", unit = 1, model = "DTSY1352-NK", tenant = "A-101" }]
[[tariff]]
code = "flat"
[tariff.document]
schema = 1
name = "Flat"
zone = "+08:00"
[[tariff.document.versions]]
from = "2026-01-01"
energy.rates = [{ name = "flat", price = "0.8821" }]
"#;
const ACCOUNT: AccountId = AccountId(1);
/// Monday, 2 November 2026, 08:00 in the mall.
const MORNING_UTC_MS: i64 = 1_793_577_600_000;

struct Desk {
    store: Arc<Store>,
    books: Books,
    clock: WorldClock,
    effects: mpsc::Receiver<Vec<Effect>>,
}

fn number() -> MeterNumber {
    MeterNumber::new(202_611_000_001).expect("a number")
}

/// Opens the file as a start of the station does.
async fn desk(path: &Path) -> Desk {
    let store = Arc::new(Store::open(path).await.expect("opened"));
    let site = site::from_toml("s.toml", SITE).expect("good").site;
    stored::import(&store, &site).await.expect("imported");
    let accounts: HashMap<String, i64> = stored::account_ids(&store).await.expect("read").into_iter().collect();
    let pricing = Arc::new(Pricing::new(&site, &accounts).expect("priced"));
    let clock = WorldClock::starting_at(MORNING_UTC_MS, 1);
    let books = Books::start(store.clone(), clock, Currency::CNY, pricing).await.expect("started");
    let (sender, effects) = mpsc::channel(64);
    books.route([number()], &sender);
    Desk { store, books, clock, effects }
}

impl Desk {
    fn reading(&self, count: u16, balance_minor: i64) -> MeterReading {
        MeterReading {
            meter: number(),
            purchase_count: count,
            balance: Money::from_minor(balance_minor),
            energy: Registers { total_centi_kwh: 100, rates: Rates::new(&[0, 0, 100, 0]).expect("four") },
            relay_closed: true,
            force: Force::Automatic,
            flags: MeterFlags::default(),
            prepaid_enabled: true,
            taken: self.clock.now(),
        }
    }

    async fn open(&self) {
        let levels = Levels::new(Money::from_minor(5000), Money::from_minor(1000), Money::ZERO, Money::ZERO);
        let terms = Terms::new(Currency::CNY, Purse::InMeter, levels.expect("in order"));
        let mut meter = MeterTerms::new(number(), RegisterLimits::six_digits(100));
        meter.equal_count = EqualCountRule::EqualAcknowledged;
        let reading = self.reading(7, 20_000);
        let take_over = MeterTakeOver { terms: meter, mode: OpenMode::TakeOver, reading };
        let command = Command::Open { terms, meters: vec![take_over], station_credit: Money::ZERO };
        self.books.command(ACCOUNT, command).await.expect("opened");
    }

    async fn sell(&self, key: &str, amount: i64) -> Result<i64, SellError> {
        self.books.sell(key, format!("{amount}").as_bytes(), 1, amount, "cash").await
    }

    /// The next effect that the books hand to the line.
    async fn effect(&mut self) -> Effect {
        let wait = std::time::Duration::from_secs(20);
        tokio::time::timeout(wait, self.effects.recv()).await.expect("in time").expect("open").remove(0)
    }

    async fn count(&self, table: &'static str) -> i64 {
        let query = match table {
            "sale" => "SELECT count(*) AS n FROM sale",
            "event" => "SELECT count(*) AS n FROM event",
            "outbox" => "SELECT count(*) AS n FROM outbox WHERE state = 'open'",
            other => panic!("{other}"),
        };
        sqlx::query(query).fetch_one(self.store.readers()).await.expect("counted").try_get("n").expect("a number")
    }

    async fn stop(self) {
        let Self { store, books, .. } = self;
        books.flush().await;
        drop(books);
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_is_an_open_intent_until_the_meter_shows_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut desk = desk(&folder.path().join("s.sqlite")).await;
    desk.open().await;
    let id = desk.sell("k1", 10_000).await.expect("sold");
    assert!(matches!(desk.effect().await, Effect::StartSale { .. }));
    let sale = SaleId(id.unsigned_abs());
    let begin = Command::BeginSale { sale, evidence: desk.reading(7, 20_000) };
    let effects = desk.books.command(ACCOUNT, begin).await.expect("begun");
    assert!(matches!(effects[..], [Effect::SendPurchase { new_count: 8, frame: 1, .. }]), "{effects:?}");
    // The frame is in the caller's hands, so the intent must be in the file.
    assert_eq!(desk.count("outbox").await, 1);
    let sent = Command::SaleSent { sale, outcome: SendOutcome::NoReply };
    let effects = desk.books.command(ACCOUNT, sent).await.expect("sent");
    assert!(matches!(effects[..], [Effect::ReadBack { .. }]), "{effects:?}");
    let seen = Command::SaleReadBack { sale, read_back: ReadBack::Reading(desk.reading(8, 30_000)) };
    desk.books.command(ACCOUNT, seen).await.expect("seen");
    assert_eq!(desk.count("outbox").await, 0);
    let state = desk.books.look().await.expect("running");
    assert_eq!(state.accounts[&ACCOUNT].meters()[0].purse(), Money::from_minor(30_000));
    let stored = audit(desk.store.readers(), Currency::CNY).await.expect("whole");
    assert_eq!(stored.ledger.head(), state.ledger.head());
    assert!(stored.ledger.trial_balance().balances());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_after_the_intent_reads_the_meter_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s.sqlite");
    let mut first = desk(&path).await;
    first.open().await;
    let id = first.sell("k1", 10_000).await.expect("sold");
    assert!(matches!(first.effect().await, Effect::StartSale { .. }));
    let begin = Command::BeginSale { sale: SaleId(id.unsigned_abs()), evidence: first.reading(7, 20_000) };
    first.books.command(ACCOUNT, begin).await.expect("begun");
    first.stop().await;
    // Nobody knows whether the frame left. The next start must look, not send.
    let mut second = desk(&path).await;
    let effect = second.effect().await;
    assert!(matches!(effect, Effect::ReadBack { .. }), "{effect:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_sells_once_whatever_happens() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s.sqlite");
    let first = desk(&path).await;
    let early = first.sell("k0", 10_000).await;
    assert!(matches!(early, Err(SellError::Refused(_))), "{early:?}");
    first.open().await;
    let again = first.sell("k0", 10_000).await;
    assert!(matches!(again, Err(SellError::Refused(_))), "a refused key stays refused: {again:?}");
    let tries = futures(&first, 40).await;
    assert!(tries.iter().all(|id| *id == tries[0]), "{tries:?}");
    assert_eq!(first.count("sale").await, 1);
    let other = first.sell("k1", 10_001).await;
    assert!(matches!(other, Err(SellError::OtherBody)), "{other:?}");
    let busy = first.sell("k2", 5_000).await;
    assert!(matches!(busy, Err(SellError::Refused(_))), "one open sale a meter: {busy:?}");
    first.stop().await;
    let second = desk(&path).await;
    assert_eq!(second.sell("k1", 10_000).await.expect("replayed"), tries[0]);
    assert_eq!(second.count("sale").await, 1);
}

/// The same request many times at once.
async fn futures(desk: &Desk, times: usize) -> Vec<i64> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..times {
        let books = desk.books.clone();
        tasks.spawn(async move { books.sell("k1", b"10000", 1, 10_000, "cash").await.expect("sold") });
    }
    tasks.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_commit_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let desk = desk(&folder.path().join("s.sqlite")).await;
    desk.open().await;
    let events = desk.count("event").await;
    let run = |sql: &'static str| sqlx::query(sql).execute(desk.store.writer());
    run("CREATE TRIGGER stuck BEFORE INSERT ON journal BEGIN SELECT raise(ABORT, 'disk full'); END")
        .await
        .expect("made");
    let failed = desk.sell("k1", 10_000).await;
    assert!(matches!(&failed, Err(SellError::Store(error)) if error.to_string().contains("disk full")), "{failed:?}");
    assert_eq!((desk.count("event").await, desk.count("sale").await), (events, 0));
    run("DROP TRIGGER stuck").await.expect("dropped");
    // The key is not burned and the state in memory is the file's.
    let id = desk.sell("k1", 10_000).await.expect("sold");
    assert_eq!((id, desk.count("sale").await), (1, 1));
    let (live, stored) = (desk.books.look().await.expect("running"), audit(desk.store.readers(), Currency::CNY).await);
    assert_eq!(live.accounts, stored.expect("whole").accounts);
}
