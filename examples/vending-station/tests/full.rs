//! A store that takes nothing for a while: whoever asked is told, what lines told is kept, and afterwards nothing is missing.

mod common;

use common::{Desk, Scratch, desk};
use prepay_core::reading::MeterReading;
use sqlx::Row;
use std::time::Duration;
use vending_station::store::{Store, books::SellError, check};

/// Seconds for which the disk is full, each with a reading and a sale.
const SECONDS: u16 = 40;

/// What a full disk does: the database ends the transaction by itself, whatever the driver believes.
const FULL: &str = "
    CREATE TRIGGER full_1 BEFORE INSERT ON status BEGIN SELECT RAISE(ROLLBACK, 'the disk is full'); END;
    CREATE TRIGGER full_2 BEFORE INSERT ON idempotency BEGIN SELECT RAISE(ROLLBACK, 'the disk is full'); END;
";
const ROOM: &str = "DROP TRIGGER full_1; DROP TRIGGER full_2;";

async fn set(store: &Store, sql: &'static str) {
    sqlx::raw_sql(sql).execute(store.writer()).await.expect("set");
}

/// A reading of its own second.
fn later(desk: &Desk, second: u16) -> MeterReading {
    let mut reading = desk.reading(7, 20_000);
    reading.taken.utc_s += i64::from(second);
    reading.taken.mono_ms += u64::from(second) * 1000;
    reading
}

async fn stored_polls(desk: &Desk) -> i64 {
    sqlx::query("SELECT count(*) AS n FROM status").fetch_one(desk.store.readers()).await.expect("counted").get("n")
}

#[tokio::test]
async fn a_full_disk_is_told_and_no_reading_is_lost() {
    let scratch = Scratch::new().await;
    if scratch.is_postgres() {
        // There a full disk is the server's matter, and looks to the station like any other refusal.
        return;
    }
    let desk = desk(&scratch.place).await;
    desk.open().await;
    desk.sell("before", 1_000).await.expect("sold");
    let before = stored_polls(&desk).await;
    set(&desk.store, FULL).await;

    let mut told = 0;
    let mut refused = None;
    for second in 1..=SECONDS {
        desk.poll(later(&desk, second)).await;
        told += 1;
        let key = format!("full-{second}");
        match desk.sell(&key, 1_000).await {
            Err(SellError::Store(error)) => refused = Some((key, error.to_string())),
            other => panic!("{other:?}"),
        }
    }
    let missing = before + told - stored_polls(&desk).await;
    let (key, reason) = refused.expect("the store was never full");
    println!("{told} readings, {missing} of them wait, refused with: {reason}");
    assert!(reason.contains("full"), "{reason}");
    assert_eq!(missing, told, "everything has to wait for room");

    set(&desk.store, ROOM).await;
    let mut second = 1_000;
    while stored_polls(&desk).await < before + told {
        // Nobody has to ask: any sign of life is behind what was kept.
        tokio::time::sleep(Duration::from_millis(100)).await;
        desk.books.flush().await;
        second += 1;
        assert!(second < 1_300, "what was kept is not stored");
    }
    println!("{missing} readings were kept and stored afterwards");
    // The key was not burned by an answer that was none.
    let again = desk.sell(&key, 1_000).await;
    assert!(matches!(&again, Err(SellError::Refused(reason)) if !reason.contains("full")), "{again:?}");
    assert_eq!(desk.count("sale").await, 1);
    let checked = check::check(&desk.store, prepay_core::money::Currency::CNY, true).await.expect("checked");
    assert!(checked.is_whole(), "{checked:?}");
    desk.stop().await;
}
