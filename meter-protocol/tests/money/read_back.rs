//! Power cuts at every byte, and fields that read back otherwise.

use crate::rig::*;
use meter_protocol::acrel::*;
use meter_protocol::virtual_meter as vm;

/// Longest reply to function 20H that the virtual meter gives.
const REPLY_BYTES: usize = 15;

#[test]
fn a_power_cut_at_every_byte_of_a_sale() {
    const FRAME_BYTES: usize = 17;
    for (vendor_reply, vendor_refusal) in every_answer() {
        let mut taken = 0;
        for cut in 0..=FRAME_BYTES + REPLY_BYTES {
            let mut options = vm::MeterOptions::default();
            (options.vendor_reply, options.vendor_refusal) = (vendor_reply, vendor_refusal);
            let mut rig = Rig::new(vm::Model::Dtsy1352, options);
            rig.set_prices(10_000);
            rig.meter().set_load(vm::Load::new([5_000, 5_000, 5_000], 1_000));
            let before = PurseReading::from(&rig.realtime());
            let sale = Purchase::new(25_000, before.purchase_count).unwrap();
            rig.send(&sale.request(), Fate::PowerCut(cut));
            // The shop goes on using electricity while nobody can look: 0.83 kWh in 200 s.
            rig.wait(200_000);
            let verdict = sale.verdict(&before, &PurseReading::from(&rig.realtime()), 1_00);
            let truth = rig.meter().purchase_count() == 13;
            match verdict {
                SaleVerdict::Taken { used_minor } => assert!(truth && (80..=85).contains(&used_minor), "{cut}"),
                SaleVerdict::NotTaken => assert!(!truth, "{cut}"),
                SaleVerdict::Contradicted(what) => panic!("{cut}: {what}"),
            }
            assert_eq!(truth, cut >= FRAME_BYTES, "{cut}");
            taken += usize::from(truth);
        }
        assert_eq!(taken, REPLY_BYTES + 1);
    }
}

#[test]
fn a_power_cut_at_every_byte_of_a_parameter_frame() {
    const FRAME_BYTES: usize = 69;
    let mut profile = Profile::unsettled();
    profile.price_decimals = PriceDecimals::new(4);
    let prices = MicroPrices { spike: 1_200_000, peak: 1_000_000, flat: 700_000, valley: 400_000 };
    let settings =
        Settings::new().enable(false).base_free(7_00).alarms(20_00, 5_00).overdraft(3_00).prices(&profile, prices);
    let settings = settings.unwrap();
    let money = MoneyOverwrite::new().remaining(-1_23).purchase_count(77);
    for vendor_reply in vm::VendorReply::ALL {
        for cut in 0..=FRAME_BYTES + REPLY_BYTES {
            let mut options = vm::MeterOptions::default();
            options.vendor_reply = *vendor_reply;
            let mut rig = Rig::new(vm::Model::Ddsy1352, options);
            let untouched = rig.prepay();
            rig.send(&settings.request().unwrap(), Fate::PowerCut(cut));
            let shown = rig.prepay();
            assert_eq!(settings.shown_by(&shown).is_ok(), cut >= FRAME_BYTES, "{cut}");
            if cut < FRAME_BYTES {
                assert_eq!(shown, untouched, "{cut}");
            }
            assert_eq!((shown.remaining_minor, shown.purchase_count), (50_000, 12), "settings can't touch money");

            rig.send(&money.request().unwrap(), Fate::PowerCut(cut));
            let after = rig.prepay();
            assert_eq!(money.shown_by(&after).is_ok(), cut >= FRAME_BYTES, "{cut}");
            let truth = (rig.meter().remaining_cents(), rig.meter().purchase_count());
            assert_eq!((after.remaining_minor, after.purchase_count), truth);
            assert_eq!(truth, if cut >= FRAME_BYTES { (-123, 77) } else { (50_000, 12) }, "{cut}");
            assert_eq!(after.prices, shown.prices, "money can't touch settings");
        }
    }
}

#[test]
fn each_field_that_reads_back_otherwise_is_named() {
    let mut rig = Rig::new(vm::Model::Ddsy1352, vm::MeterOptions::default());
    let block = rig.prepay();
    let mut profile = Profile::unsettled();
    profile.price_decimals = PriceDecimals::new(4);
    profile.total_meaning = Some(TotalMeaning::Purchased);
    let price = |at: usize| {
        let mut raw = [0; 4];
        raw[at] = 5_000;
        let [spike, peak, flat, valley] = raw.map(|raw: u64| raw * 100);
        Settings::new().prices(&profile, MicroPrices { spike, peak, flat, valley }).unwrap()
    };
    let told = [
        (Settings::new().enable(false), "prepay enable shows 1, 0 was written"),
        (Settings::new().base_free(5), "base amount shows 0, 5 was written"),
        (Settings::new().alarms(6, 0), "alarm amount 1 shows 0, 6 was written"),
        (Settings::new().alarms(0, 7), "alarm amount 2 shows 0, 7 was written"),
        (Settings::new().overdraft(8), "overdraft limit shows 0, 8 was written"),
        (price(0), "price of the spike rate shows 0, 5000 was written"),
        (price(1), "price of the peak rate shows 0, 5000 was written"),
        (price(2), "price of the flat rate shows 0, 5000 was written"),
        (price(3), "price of the valley rate shows 0, 5000 was written"),
    ];
    for (settings, text) in told {
        assert_eq!(settings.shown_by(&block).unwrap_err().to_string(), text);
    }
    let told = [
        (MoneyOverwrite::new().remaining(-9), "remaining amount shows 50000, -9 was written"),
        (MoneyOverwrite::new().purchase_count(10), "purchase count shows 12, 10 was written"),
        (MoneyOverwrite::new().total(&profile, 11).unwrap(), "total shows 0, 11 was written"),
    ];
    for (money, text) in told {
        assert_eq!(money.shown_by(&block).unwrap_err().to_string(), text);
    }
}
