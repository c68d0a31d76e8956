//! One shop's books in a store of its own: a SQLite file, or a database on the server that `TEST_POSTGRES` names.
#![allow(dead_code, unreachable_pub, reason = "each file of tests uses its part")]

use prepay_core::{
    account::{Command, Effect, MeterTakeOver, MeterTerms, OpenMode, Purse, Terms},
    credit::Levels,
    id::{AccountId, MeterNumber},
    money::{Currency, Money},
    reading::{Force, MeterFlags, MeterReading, Rates, Registers},
    sale::EqualCountRule,
    settlement::RegisterLimits,
};
use sqlx::{Connection, PgConnection, Row};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::sync::mpsc;
use vending_station::{
    clock::WorldClock,
    pricing::Pricing,
    site,
    store::{
        Place, Store,
        books::{Books, Poll, SellError},
        site as stored,
    },
};

/// Goes with its store when it is dropped.
pub struct Scratch {
    _folder: TempDir,
    pub place: Place,
}

impl Scratch {
    pub async fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let folder = tempfile::tempdir().expect("a folder");
        let place = match std::env::var("TEST_POSTGRES") {
            Err(_) => Place::File(folder.path().join("s.sqlite")),
            Ok(server) => {
                let name = format!("t{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
                let mut admin = PgConnection::connect(&server).await.expect("the server of the tests");
                let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
                sqlx::raw_sql(create).execute(&mut admin).await.expect("created");
                let mut url = url::Url::parse(&server).expect("an address");
                url.set_path(&name);
                Place::Postgres(url)
            }
        };
        Self { _folder: folder, place }
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.place, Place::Postgres(_))
    }
}

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
pub const ACCOUNT: AccountId = AccountId(1);
/// Monday, 2 November 2026, 08:00 in the mall.
const MORNING_UTC_MS: i64 = 1_793_577_600_000;

/// An open shop's books.
pub struct Desk {
    pub store: Arc<Store>,
    pub books: Books,
    clock: WorldClock,
    effects: mpsc::Receiver<Vec<Effect>>,
}

pub fn number() -> MeterNumber {
    MeterNumber::new(202_611_000_001).expect("a number")
}

/// Opens the file as a start of the station does.
pub async fn desk(place: &Place) -> Desk {
    let store = Arc::new(Store::open(place.clone(), Duration::ZERO).await.expect("opened"));
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
    pub fn reading(&self, count: u16, balance_minor: i64) -> MeterReading {
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

    pub async fn open(&self) {
        let levels = Levels::new(Money::from_minor(5000), Money::from_minor(1000), Money::ZERO, Money::ZERO);
        let terms = Terms::new(Currency::CNY, Purse::InMeter, levels.expect("in order"));
        let mut meter = MeterTerms::new(number(), RegisterLimits::six_digits(100));
        meter.equal_count = EqualCountRule::EqualAcknowledged;
        let reading = self.reading(7, 20_000);
        let take_over = MeterTakeOver { terms: meter, mode: OpenMode::TakeOver, reading };
        let command = Command::Open { terms, meters: vec![take_over], station_credit: Money::ZERO };
        self.books.command(ACCOUNT, command).await.expect("opened");
    }

    pub async fn sell(&self, key: &str, amount: i64) -> Result<i64, SellError> {
        self.books.sell(key, format!("{amount}").as_bytes(), 1, amount, "cash").await
    }

    /// The meter is read.
    pub async fn poll(&self, reading: MeterReading) {
        let poll = Poll {
            account: Some(ACCOUNT),
            reading,
            power_w: 150,
            voltage_dv: 2_301,
            status: [0, 0],
            clock_drift_s: None,
            settle: true,
        };
        self.books.poll(poll, None).await;
        self.books.flush().await;
    }

    /// The next effect that the books hand to the line.
    pub async fn effect(&mut self) -> Effect {
        let wait = Duration::from_secs(20);
        tokio::time::timeout(wait, self.effects.recv()).await.expect("in time").expect("open").remove(0)
    }

    pub async fn count(&self, table: &'static str) -> i64 {
        let query = match table {
            "sale" => "SELECT count(*) AS n FROM sale",
            "event" => "SELECT count(*) AS n FROM event",
            "outbox" => "SELECT count(*) AS n FROM outbox WHERE state = 'open'",
            other => panic!("{other}"),
        };
        sqlx::query(query).fetch_one(self.store.readers()).await.expect("counted").try_get("n").expect("a number")
    }

    pub async fn stop(self) {
        let Self { store, books, .. } = self;
        books.flush().await;
        drop(books);
        store.close().await;
    }
}
