//! What stays of readings: polls for hours, the curve for months, the ends of days and months for ever.
//!
//! Each test runs on SQLite, or on PostgreSQL with `scripts/with-postgres cargo test -p vending-station --test history`.

mod common;

use common::{Desk, Scratch, desk, number};
use prepay_core::{
    reading::{MeterReading, Rates, Registers},
    time::Now,
};
use vending_station::{
    site::model::Keep,
    store::{
        books::Poll,
        history::{By, Kept, ROWS_MAX, of_meter},
        keep::{Tidied, tidy},
    },
};

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 24 * HOUR_S;
/// The site is 8 hours before UTC.
const OFFSET_MIN: i32 = 480;
/// Wednesday, 30 September 2026, 00:00 on the site.
const MIDNIGHT_UTC_S: i64 = 1_790_697_600;

/// A poll that shows `centi_kwh` in all.
async fn read_at(desk: &Desk, utc_s: i64, centi_kwh: u64, settle: bool) {
    let reading = MeterReading {
        energy: Registers {
            total_centi_kwh: centi_kwh,
            rates: Rates::new(&[1, 2, centi_kwh - 6, 3]).expect("four rates"),
        },
        taken: Now { mono_ms: 0, utc_s },
        ..desk.reading(7, 20_000)
    };
    let poll = Poll {
        account: None,
        reading,
        power_w: 150,
        voltage_dv: 2_301,
        status: [0x2000, 0x0001],
        clock_drift_s: None,
        settle,
    };
    desk.books.poll(poll, None).await;
}

async fn tidied(desk: &Desk, keep: Keep, now_utc_s: i64) -> Tidied {
    desk.books.flush().await;
    tidy(&desk.store, keep, OFFSET_MIN, now_utc_s).await.expect("tidied")
}

async fn kept(desk: &Desk, by: By, after: i64) -> Vec<Kept> {
    of_meter(&desk.store, &number().to_string(), by, after).await.expect("read")
}

fn totals(rows: &[Kept]) -> Vec<(i64, i64, Option<i64>)> {
    rows.iter().map(|row| (row.at, row.total, row.used)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn days_and_months_end_with_the_sites_midnight() {
    let scratch = Scratch::new().await;
    let desk = desk(&scratch.place).await;
    // Half past eleven and half past midnight, three nights long: 30 September to 3 October.
    for (at, total) in [(-HOUR_S / 2, 1_000), (HOUR_S / 2, 1_010), (DAY_S - HOUR_S / 2, 1_200)] {
        read_at(&desk, MIDNIGHT_UTC_S + at, total, true).await;
    }
    read_at(&desk, MIDNIGHT_UTC_S + 2 * DAY_S - HOUR_S / 2, 1_500, true).await;
    read_at(&desk, MIDNIGHT_UTC_S + 2 * DAY_S + HOUR_S, 1_600, true).await;
    let done = tidied(&desk, Keep::default(), MIDNIGHT_UTC_S + 2 * DAY_S + 2 * HOUR_S).await;
    assert!(!done.more);
    let september_29 = (MIDNIGHT_UTC_S + i64::from(OFFSET_MIN) * 60) / DAY_S - 1;
    assert_eq!(
        totals(&kept(&desk, By::Day, -1).await),
        [(september_29, 1_000, None), (september_29 + 1, 1_200, Some(200)), (september_29 + 2, 1_500, Some(300))],
        "today is not over"
    );
    let september = 2026 * 12 + 8;
    assert_eq!(totals(&kept(&desk, By::Month, -1).await), [(september, 1_200, None)], "October is not over");
    let last = &kept(&desk, By::Day, september_29 + 1).await[0];
    assert_eq!((last.used, last.rates), (Some(300), Some([1, 2, 1_494, 3])), "the use counts from the row before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_comes_late_still_ends_its_day() {
    let scratch = Scratch::new().await;
    let desk = desk(&scratch.place).await;
    for day in 0..3 {
        read_at(&desk, MIDNIGHT_UTC_S + day * DAY_S + HOUR_S, 1_000 + 100 * day.unsigned_abs(), true).await;
    }
    tidied(&desk, Keep::default(), MIDNIGHT_UTC_S + 3 * DAY_S).await;
    assert_eq!(kept(&desk, By::Day, -1).await[1].total, 1_100);
    // A collector had kept it back; the next day's turn takes it in.
    read_at(&desk, MIDNIGHT_UTC_S + 2 * DAY_S - 60, 1_190, true).await;
    let same_day = tidied(&desk, Keep::default(), MIDNIGHT_UTC_S + 3 * DAY_S + HOUR_S).await;
    assert_eq!(same_day.days, 0, "days are written once a day");
    tidied(&desk, Keep::default(), MIDNIGHT_UTC_S + 4 * DAY_S).await;
    let days = kept(&desk, By::Day, -1).await;
    assert_eq!((days[1].total, days[2].used), (1_190, Some(10)));
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_and_curve_go_when_their_time_is_over_and_their_ends_stay() {
    let scratch = Scratch::new().await;
    let desk = desk(&scratch.place).await;
    let days: i64 = 150;
    for day in 0..days {
        let total = 1_000 + 100 * day.unsigned_abs();
        read_at(&desk, MIDNIGHT_UTC_S + day * DAY_S + 8 * HOUR_S, total, true).await;
        read_at(&desk, MIDNIGHT_UTC_S + day * DAY_S + 9 * HOUR_S, total + 10, false).await;
    }
    let now = MIDNIGHT_UTC_S + days * DAY_S;
    let keep = Keep { curve_months: 2, ..Keep::default() };
    let first = tidied(&desk, keep, now).await;
    assert_eq!((first.days, first.more), (62, true), "a long stop is caught up in parts");
    assert_eq!(kept(&desk, By::Curve, -1).await.len(), 95, "nothing goes whose day may be written again");
    assert!(tidied(&desk, keep, now).await.more);
    assert!(!tidied(&desk, keep, now).await.more);
    // 27 February less two months is 27 December, day 88 of the readings.
    let curve = kept(&desk, By::Curve, -1).await;
    assert_eq!((curve.len(), curve[0].utc_s), (62, MIDNIGHT_UTC_S + 88 * DAY_S + 8 * HOUR_S));
    let polls = kept(&desk, By::Poll, -1).await;
    assert_eq!(polls.len(), 4, "two days of two polls");
    assert_eq!(polls[3].status, Some((150, [0x2000, 0x0001])));
    assert_eq!(kept(&desk, By::Day, -1).await.len(), 150);
    assert_eq!(kept(&desk, By::Month, -1).await.len(), 5, "September to January");
    // The ends of days too, if the site wants it so; whole months of them stay.
    let last = tidied(&desk, Keep { days_months: Some(2), ..keep }, now).await;
    assert_eq!(last.deleted, 62, "30 September to 30 November");
    assert_eq!(kept(&desk, By::Month, -1).await.len(), 5);
    assert_eq!(tidied(&desk, keep, now).await, Tidied::default(), "nothing is left to do");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_comes_in_parts() {
    let scratch = Scratch::new().await;
    let desk = desk(&scratch.place).await;
    let rows = u64::try_from(ROWS_MAX).expect("few") + 5;
    for n in 0..rows {
        read_at(&desk, MIDNIGHT_UTC_S + 60 * n.cast_signed(), 1_000 + n, false).await;
    }
    desk.books.flush().await;
    let first = kept(&desk, By::Poll, -1).await;
    let rest = kept(&desk, By::Poll, first.last().expect("rows").at).await;
    assert_eq!((first.len(), rest.len()), (1_000, 5));
    let used: Vec<Option<i64>> = first.iter().chain(&rest).map(|row| row.used).collect();
    assert_eq!(
        (used[0], used[1..].iter().all(|used| *used == Some(1))),
        (None, true),
        "no step is lost between the parts"
    );
}
