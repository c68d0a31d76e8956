//! What shops use, and what becomes of their first balances.

use super::*;

/// The promise of the first day: within ten hours of 08:00 about a dozen of the shops run out of credit, a couple
/// of dozen fall below alarm 1, the rest have days.
#[tokio::test]
async fn the_first_day_is_eventful() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(8, 30);
    let fleet = opened(&folder.path().join("world"), plan.clone()).await;
    let (mut out, mut low) = (0, 0);
    for (planned, meter) in plan.meters.iter().zip(&fleet.meters) {
        let mut meter = *meter;
        let shop = creation::shop(&plan, plan.seed, planned).unwrap();
        let price = planned.price_hint_per_kwh.to_be_bytes();
        let mut body = vec![planned.unit, 0x20, 2, 0, 0, 30, 60];
        body.resize(7 + 60, 0);
        body[7 + 29] = 1;
        for rate in 0..4 {
            body[7 + 30 + 4 * rate..][..4].copy_from_slice(&price);
        }
        assert!(meter.serve(START_MS, &framed(&body)).is_some());
        line::follow(&mut meter, &shop, START_MS + 36_000_000);
        out += u32::from(!meter.relay_closed());
        low += u32::from(meter.remaining_cents() <= i32::try_from(planned.alarm_1_hint_cents).unwrap());
    }
    assert!((10..=20).contains(&out), "{out} ran out");
    assert!((24..=50).contains(&low), "{low} are below alarm 1");
}

/// A meter that is looked at often is the same as one that is looked at once.
#[tokio::test]
async fn consumption_does_not_depend_on_polling() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(1, 6);
    let fleet = opened(&folder.path().join("world"), plan.clone()).await;
    let end_ms = START_MS + 3 * 86_400_000 + 1_234_567;
    for (planned, meter) in plan.meters.iter().zip(&fleet.meters) {
        let shop = creation::shop(&plan, plan.seed, planned).unwrap();
        let (mut once, mut often) = (*meter, *meter);
        line::follow(&mut once, &shop, end_ms);
        let mut at_ms = START_MS;
        while at_ms < end_ms {
            at_ms = (at_ms + 777_777).min(end_ms);
            line::follow(&mut often, &shop, at_ms);
            // As the world file does.
            often = serde_json::from_str(&encoded("", &often).unwrap()).unwrap();
        }
        assert_eq!(once, often);
        let used: u64 = once.energies_mj().iter().sum::<u64>() - meter.energies_mj().iter().sum::<u64>();
        assert_eq!(used, shop.energy_mj(START_MS, end_ms));
    }
}
