//! The books: what is durable before anything leaves, what a repeated request does, and what a failed commit leaves behind.
//!
//! Each test runs on SQLite, or on PostgreSQL with `scripts/with-postgres cargo test -p vending-station --test books`.

mod common;

use common::{ACCOUNT, Desk, Scratch, desk, number};
use prepay_core::{
    account::{Command, Effect, ReadBack},
    id::SaleId,
    money::{Currency, Money},
    sale::SendOutcome,
};
use std::time::Duration;
use vending_station::{
    api::views::Scale,
    control::{self, ControlError, Kind, Request, Selection},
    store::{
        Store, StoreError,
        books::{SellError, audit},
        commands, read, site,
    },
};

/// A journal that takes no rows, and how it takes them again.
const STUCK_SQLITE: (&str, &str) =
    ("CREATE TRIGGER stuck BEFORE INSERT ON journal BEGIN SELECT raise(ABORT, 'disk full'); END", "DROP TRIGGER stuck");
const STUCK_POSTGRES: (&str, &str) = (
    "CREATE FUNCTION stuck() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''disk full''; END';
     CREATE TRIGGER stuck BEFORE INSERT ON journal FOR EACH ROW EXECUTE FUNCTION stuck()",
    "DROP TRIGGER stuck ON journal; DROP FUNCTION stuck",
);

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_is_an_open_intent_until_the_meter_shows_it() {
    let scratch = Scratch::new().await;
    let mut desk = desk(&scratch.place).await;
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
    let scratch = Scratch::new().await;
    let mut first = desk(&scratch.place).await;
    first.open().await;
    let id = first.sell("k1", 10_000).await.expect("sold");
    assert!(matches!(first.effect().await, Effect::StartSale { .. }));
    let begin = Command::BeginSale { sale: SaleId(id.unsigned_abs()), evidence: first.reading(7, 20_000) };
    first.books.command(ACCOUNT, begin).await.expect("begun");
    first.stop().await;
    // Nobody knows whether the frame left. The next start must look, not send.
    let mut second = desk(&scratch.place).await;
    let effect = second.effect().await;
    assert!(matches!(effect, Effect::ReadBack { .. }), "{effect:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_store_is_free_though_somebody_still_holds_it() {
    let scratch = Scratch::new().await;
    let first = desk(&scratch.place).await;
    let held = first.store.clone();
    first.stop().await;
    desk(&scratch.place).await.stop().await;
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_sells_once_whatever_happens() {
    let scratch = Scratch::new().await;
    let first = desk(&scratch.place).await;
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
    let second = desk(&scratch.place).await;
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
    let scratch = Scratch::new().await;
    let desk = desk(&scratch.place).await;
    desk.open().await;
    let events = desk.count("event").await;
    let run = |sql: &'static str| sqlx::raw_sql(sql).execute(desk.store.writer());
    let (stuck, free) = if scratch.is_postgres() { STUCK_POSTGRES } else { STUCK_SQLITE };
    run(stuck).await.expect("made");
    let failed = desk.sell("k1", 10_000).await;
    assert!(matches!(&failed, Err(SellError::Store(error)) if error.to_string().contains("disk full")), "{failed:?}");
    assert_eq!((desk.count("event").await, desk.count("sale").await), (events, 0));
    run(free).await.expect("dropped");
    // The key is not burned and the state in memory is the file's.
    let id = desk.sell("k1", 10_000).await.expect("sold");
    assert_eq!((id, desk.count("sale").await), (1, 1));
    let (live, stored) = (desk.books.look().await.expect("running"), audit(desk.store.readers(), Currency::CNY).await);
    assert_eq!(live.accounts, stored.expect("whole").accounts);
}

/// Every statement of the pages, on whichever store this is.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_pages_look_at() {
    let scratch = Scratch::new().await;
    let desk = desk(&scratch.place).await;
    assert_eq!(read::latest_utc_s(&desk.store).await.expect("read"), 0);
    desk.open().await;
    let id = desk.sell("k1", 10_000).await.expect("sold");
    let reading = desk.reading(7, 20_000);
    desk.poll(reading).await;
    desk.books.silent(number(), Some(ACCOUNT)).await;
    desk.books.flush().await;
    let store = &desk.store;
    let meters = read::meters(store).await.expect("read");
    let meter = &meters[0];
    assert_eq!((meters.len(), meter.number.as_str(), meter.unit), (1, "202611000001", 1));
    assert_eq!(meter.latest.as_ref().map(|latest| (latest.power_w, latest.clock_drift_s)), Some((150, None)));
    assert!(meter.silent_since_utc_s.is_some());
    let books = meter.shop.as_ref().and_then(|shop| shop.books.as_ref()).expect("it is open");
    assert_eq!((books.money.as_str(), books.balance_minor), ("normal", 20_000));
    let sale = read::sale(store, id).await.expect("read").expect("there");
    assert_eq!((sale.amount_minor, sale.state.as_str(), sale.closed_utc_s), (10_000, "requested", None));
    assert_eq!(read::sales_of(store, 1).await.expect("read").len(), 1);
    assert_eq!(read::sales_count(store).await.expect("read"), 1);
    assert_eq!(read::unknown_sales(store).await.expect("read"), (0, 0));
    assert_eq!(read::sold_minor(store, 1).await.expect("read"), 0);
    assert!(!read::events_of(store, 1, &["sale_requested", "SaleRequested"]).await.expect("read").is_empty());
    let curve = read::curve(store, "202611000001", 0, 10).await.expect("read");
    assert_eq!(curve.iter().map(|row| row.total).collect::<Vec<_>>(), [reading.energy.total_centi_kwh]);
    assert!(read::latest_utc_s(store).await.expect("read") >= reading.taken.utc_s);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_at_a_time() {
    let scratch = Scratch::new().await;
    let first = desk(&scratch.place).await;
    let second = Store::open(scratch.place.clone(), Duration::ZERO).await.expect_err("in use");
    assert!(matches!(second, StoreError::InUse { .. }), "{second}");
    first.stop().await;
    desk(&scratch.place).await.stop().await;
}

/// A process that was taken for dead wakes up beside its successor.
#[tokio::test(flavor = "multi_thread")]
async fn who_lost_the_database_writes_no_more() {
    let scratch = Scratch::new().await;
    if !scratch.is_postgres() {
        return; // A file is locked by the operating system; nobody can take it from a living process.
    }
    let first = desk(&scratch.place).await;
    first.open().await;
    sqlx::query("UPDATE lease SET until_ms = 0").execute(first.store.writer()).await.expect("made to look dead");
    let second = desk(&scratch.place).await;
    let late = first.sell("k1", 10_000).await;
    assert!(matches!(late, Err(SellError::Store(_))), "{late:?}");
    assert!(!first.store.holds());
    let stopped = first.sell("k2", 10_000).await;
    assert!(matches!(stopped, Err(SellError::Store(_))), "{stopped:?}");
    assert_eq!(second.sell("k1", 10_000).await.expect("sold"), 1);
    assert!(second.store.holds());
    assert_eq!(second.count("sale").await, 1);
}

/// The answer to a key outlives the states that its request chose by.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_taken_once_though_its_choice_is_empty_later() {
    let scratch = Scratch::new().await;
    let desk = desk(&scratch.place).await;
    let site = site::load(&desk.store).await.expect("read").expect("a site");
    let select = Selection { money: Some("not_opened".into()), ..Selection::default() };
    let (kind, why) = (Kind::ForceOff, "test".to_owned());
    let request = Request { kind, select, operator: 1, administrator: false, why, until_utc_s: Some(2_000) };
    let scale = Scale { places: 2, utc_offset_min: 480, now_utc_s: 1_000, stale_after_s: 180 };
    let first = control::take(&desk.store, &site, "k1", &request, scale).await.expect("taken");
    desk.open().await;
    let later = Scale { now_utc_s: 3_000, ..scale };
    let again = control::take(&desk.store, &site, "k1", &request, later).await.expect("replayed");
    assert_eq!(again, first, "the shop is open now and the time is over, but the request was taken before both");
    let other = control::take(&desk.store, &site, "k1", &Request { operator: 2, ..request.clone() }, later).await;
    assert!(matches!(other, Err(ControlError::OtherRequest)), "{other:?}");
    // The same for a retry, whose meters were refused before and are not any more.
    let row = commands::targets(&desk.store, first, None, 9).await.expect("read").remove(0);
    let request = Request { until_utc_s: None, ..request };
    let fresh = Request { select: Selection { all: true, ..Selection::default() }, ..request };
    let batch = control::take(&desk.store, &site, "k2", &fresh, later).await.expect("taken");
    let move_on = |from, to| commands::advance(&desk.store, batch, &row.meter, from, to, "", 3_000);
    move_on("waiting", "refused").await.expect("stored");
    let retried = control::retry(&desk.store, "k3", batch, later).await.expect("taken");
    move_on("refused", "done").await.expect("stored");
    assert_eq!(control::retry(&desk.store, "k3", batch, later).await.expect("replayed"), retried);
}
