//! A reading that crosses nothing allocates nothing.

mod common;

use allocation_counter::measure;
use common::{FixedPrices, METER, Meter, PRICES, fen, levels, meter_terms, number};
use prepay_core::account::{Account, Command, MeterTakeOver, OpenMode, Purse, Terms};
use prepay_core::id::AccountId;
use prepay_core::money::{Currency, Money};
use prepay_core::time::Now;

fn apply(account: &mut Account, command: &Command, now: Now) {
    let decision = account.decide(command, now, &FixedPrices(PRICES)).unwrap();
    decision.events.iter().for_each(|event| account.apply(event).unwrap());
}

#[test]
fn a_reading_that_crosses_nothing_is_decided_without_allocation() {
    let (at, meter) = (|ms: u64| Now::new(ms, 1_772_719_650 + (ms / 1_000).cast_signed()), number(METER));
    let mut device = Meter::new(METER, 10_000, 41);
    let open = Command::Open {
        terms: Terms::new(Currency::CNY, Purse::InMeter, levels()),
        meters: vec![MeterTakeOver {
            terms: meter_terms(METER),
            mode: OpenMode::TakeOver,
            reading: device.reading(at(0)),
        }],
        station_credit: Money::ZERO,
    };
    let mut account = Account::new(AccountId(7));
    apply(&mut account, &open, at(0));
    apply(&mut account, &Command::Observe { meter, reading: device.reading(at(180_000)) }, at(180_000));
    device.use_energy(1, 40);
    assert_eq!(device.balance(), fen(9_960).minor());
    let poll = Command::Observe { meter, reading: device.reading(at(360_000)) };
    let mut events = 0;
    let used = measure(|| {
        let decision = account.decide(&poll, at(360_000), &FixedPrices(PRICES)).unwrap();
        events = decision.events.len();
    });
    assert_eq!(events, 0, "it crosses something");
    assert_eq!(used.count_total, 0, "{used:?}");
}
