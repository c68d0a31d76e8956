//! Backup, restore and check, on whichever store `common` gives.

mod common;

use common::{ACCOUNT, Desk, Scratch, desk};
use prepay_core::{account::Command, money::Currency};
use std::path::Path;
use vending_station::store::{
    Place, StoreError,
    backup::{BackupError, backup, restore},
    books::{SellError, audit},
    check::check,
};

async fn alter(desk: &Desk, sql: &'static str) {
    sqlx::query(sql).execute(desk.store.writer()).await.expect("altered");
}

async fn observe(desk: &Desk, count: u16, balance_minor: i64) {
    let reading = desk.reading(count, balance_minor);
    desk.poll(reading).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_running_books_restores_into_either_store() {
    let (scratch, target) = (Scratch::new().await, Scratch::new().await);
    let desk_1 = desk(&scratch.place).await;
    desk_1.open().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("b.sqlite");
    let copied = backup(&scratch.place, &file).await.expect("backed up while it runs");
    assert!(copied.rows > 8, "{copied:?}");
    let names = std::fs::read_dir(folder.path()).expect("read").map(|entry| entry.expect("read").file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["b.sqlite"], "nothing is left beside it");
    // Sold after the backup: the restored books will not know of it.
    let id = desk_1.sell("k1", 10_000).await.expect("sold");
    let restored = restore(&file, &target.place).await.expect("restored");
    assert_eq!((restored.rows, restored.unproved), (copied.rows, 1));
    let desk_2 = desk(&target.place).await;
    assert_eq!(desk_2.count("sale").await, 0);
    let early = desk_2.sell("k2", 10_000).await;
    assert!(matches!(&early, Err(SellError::Refused(why)) if why.contains("restored from a backup")), "{early:?}");
    // The meter shows what the books say: sales go on.
    observe(&desk_2, 7, 20_000).await;
    assert_eq!(desk_2.sell("k3", 10_000).await.expect("proved"), id);
    desk_2.stop().await;
    let again = restore(&file, &target.place).await;
    assert!(matches!(again, Err(BackupError::NotEmpty { .. })), "{again:?}");
    let twice = backup(&scratch.place, &file).await;
    assert!(matches!(twice, Err(BackupError::Exists { .. })), "{twice:?}");
    let none = restore(Path::new("no/such/file"), &target.place).await;
    assert!(matches!(none, Err(BackupError::Missing { .. })), "{none:?}");
}

/// The meter was sold to after the backup.
#[tokio::test(flavor = "multi_thread")]
async fn a_meter_with_credit_that_the_backup_lacks_stays_locked() {
    let (scratch, target) = (Scratch::new().await, Scratch::new().await);
    let desk_1 = desk(&scratch.place).await;
    desk_1.open().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("b.sqlite");
    backup(&scratch.place, &file).await.expect("backed up");
    restore(&file, &target.place).await.expect("restored");
    let desk_2 = desk(&target.place).await;
    observe(&desk_2, 8, 30_000).await;
    let locked = desk_2.sell("k1", 10_000).await;
    assert!(matches!(&locked, Err(SellError::Refused(_))), "{locked:?}");
    let state = desk_2.books.look().await.expect("running");
    assert!(state.accounts[&ACCOUNT].meters()[0].quarantine().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_tells_what_was_altered() {
    let scratch = Scratch::new().await;
    let desk = desk(&scratch.place).await;
    desk.open().await;
    desk.sell("k1", 10_000).await.expect("sold");
    desk.books.command(ACCOUNT, Command::Tick).await.expect("told");
    let whole = check(&desk.store, Currency::CNY, true).await.expect("whole");
    assert!(whole.is_whole(), "{whole:?}");
    alter(&desk, "UPDATE sale SET amount_minor = 99").await;
    alter(&desk, "UPDATE account SET money_state = 'arrears'").await;
    let altered = check(&desk.store, Currency::CNY, true).await.expect("read");
    assert_eq!(altered.differing, 2, "{altered:?}");
    assert!(altered.differences[0].starts_with("account: row 1 is (1, arrears, "), "{altered:?}");
    assert!(altered.differences[1].contains("the events say (1, 1, 10000, cash"), "{altered:?}");
    alter(&desk, "DELETE FROM sale").await;
    let missing = check(&desk.store, Currency::CNY, true).await.expect("read");
    assert!(missing.differences.iter().any(|told| told == "sale: row 1 is missing"), "{missing:?}");
    alter(&desk, "UPDATE journal SET body = replace(body, '10000', '10001') WHERE seq = 1").await;
    alter(&desk, "UPDATE journal SET body = replace(body, '20000', '20001') WHERE seq = 1").await;
    let broken = audit(desk.store.readers(), Currency::CNY).await;
    assert!(matches!(broken, Err(StoreError::Damaged { table: "journal", .. })), "{broken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_never_writes() {
    let scratch = Scratch::new().await;
    desk(&scratch.place).await.stop().await;
    let store = vending_station::store::Store::open_to_read(scratch.place.clone()).await.expect("opened");
    assert!(matches!(store.begin().await, Err(StoreError::ReadOnly)) && !store.holds());
    let refused = sqlx::query("DELETE FROM site").execute(store.readers()).await;
    assert!(refused.is_err());
    let missing = Place::File("no/such/folder/s.sqlite".into());
    assert!(vending_station::store::Store::open_to_read(missing).await.is_err());
}
