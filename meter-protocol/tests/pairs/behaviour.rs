//! What the meter does by itself: sales, trips, power cuts.

use crate::rig::{Rig, START_MS};
use meter_protocol::acrel::*;
use meter_protocol::virtual_meter as vm;

#[test]
fn counts_limits_replies_rounding_and_relay_bits_never_mislead_a_sale() {
    let mut runs = 0;
    for (jump, lower) in vm::CountJump::ALL.iter().flat_map(|a| vm::CountJump::ALL.iter().map(move |b| (*a, *b))) {
        for (reply, refusal) in
            vm::VendorReply::ALL.iter().flat_map(|a| vm::VendorRefusal::ALL.iter().map(move |b| (*a, *b)))
        {
            for (rounding, bits, limit) in vm::DeductionRounding::ALL.iter().flat_map(|rounding| {
                vm::RelayBits::ALL.iter().flat_map(move |bits| [None, Some(55_000)].map(|l| (*rounding, *bits, l)))
            }) {
                let mut options = vm::MeterOptions::default();
                (options.count_jump, options.lower_count) = (jump, lower);
                (options.vendor_reply, options.vendor_refusal) = (reply, refusal);
                (options.rounding, options.relay_bits, options.hoarding_limit_cents) = (rounding, bits, limit);
                let mut rig = Rig::new(vm::Model::Dtsy1352, options);
                rig.prepared(&format!(
                    "01 20 02 00 00 1E 3C {} 01 {} {}",
                    "00 ".repeat(29),
                    "00 00 1F 40 ".repeat(4),
                    "00 ".repeat(14)
                ));
                rig.meter.set_load(vm::Load::new([3_000, 0, 0], 1_000));
                let now = rig.block::<Realtime>();
                assert!(now.status_1.relay_closed());
                let before = PurseReading::from(&now);
                let sale = Purchase::new(10_000, before.purchase_count).unwrap();
                rig.send(&sale.request());
                rig.meter.advance(START_MS + 60_000);
                let after = PurseReading::from(&rig.block::<Realtime>());
                let verdict = sale.verdict(&before, &after, 80);
                match limit {
                    None => assert!(matches!(verdict, SaleVerdict::Taken { used_minor: 3..=5 }), "{verdict:?}"),
                    Some(_) => assert_eq!(verdict, SaleVerdict::NotTaken),
                }
                assert_eq!(rig.writes, 1, "never a second frame");
                rig.send(&ForceMode::SupplyOff.request());
                assert!(!rig.block::<Realtime>().status_1.relay_closed());
                runs += 1;
            }
        }
    }
    assert_eq!(runs, 4 * 9 * 12);
}

#[test]
fn trip_and_restore_rules_are_seen_and_not_guessed() {
    for (trip, restore) in vm::TripRule::ALL.iter().flat_map(|a| vm::RestoreRule::ALL.iter().map(move |b| (*a, *b))) {
        let mut options = vm::MeterOptions::default();
        (options.trip, options.restore) = (trip, restore);
        let mut rig = Rig::new(vm::Model::Ddsy1352, options);
        rig.prepared(&format!("01 20 02 00 00 1E 3C 00 00 01 00 00 00 00 {}", "00 ".repeat(53)));
        let now = rig.block::<Realtime>();
        assert_eq!(now.remaining_minor, 0);
        assert_eq!(now.status_1.relay_closed(), rig.meter.relay_closed());
        assert_eq!(rig.meter.relay_closed(), trip == vm::TripRule::BelowLimit);
        rig.send(&Purchase::new(1, now.purchase_count).unwrap().request());
        assert_eq!(rig.block::<Realtime>().status_1.relay_closed(), rig.meter.relay_closed());
    }
}

#[test]
fn force_after_a_power_cut_is_read_back() {
    for survives in [true, false] {
        let mut options = vm::MeterOptions::default();
        options.force_survives_power_cut = survives;
        let mut rig = Rig::new(vm::Model::Ddsy1352, options);
        rig.send(&ForceMode::SupplyOff.request());
        rig.meter.power_cut(START_MS + 1_000);
        let expected = if survives { ForceMode::SupplyOff } else { ForceMode::Prepaid };
        assert_eq!(rig.block::<ForceState>().mode(), Some(expected));
    }
}
