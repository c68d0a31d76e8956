//! Each belief of a client beside each meter.

use crate::rig::*;
use meter_protocol::acrel::*;
use meter_protocol::virtual_meter as vm;

#[test]
fn every_belief_about_equal_counts_meets_every_meter() {
    const AMOUNT: u32 = 10_000;
    let beliefs =
        [None, Some(EqualCountRule::Acknowledges), Some(EqualCountRule::Refuses), Some(EqualCountRule::AddsAgain)];
    let (mut runs, mut doubled) = (0, 0);
    for belief in beliefs {
        for equal_count in vm::EqualCount::ALL {
            for (vendor_reply, vendor_refusal) in every_answer() {
                for fate in [Fate::Carried, Fate::RequestLost, Fate::ReplyLost, Fate::Held] {
                    let mut options = vm::MeterOptions::default();
                    options.equal_count = *equal_count;
                    (options.vendor_reply, options.vendor_refusal) = (vendor_reply, vendor_refusal);
                    let mut rig = Rig::new(vm::Model::Ddsy1352, options);
                    let mut profile = Profile::unsettled();
                    profile.equal_count = belief;

                    let before = PurseReading::from(&rig.realtime());
                    let sale = Purchase::new(AMOUNT, before.purchase_count).unwrap();
                    let came = rig.send(&sale.request(), fate);
                    let shown = PurseReading::from(&rig.realtime());
                    let verdict = sale.verdict(&before, &shown, 0);
                    let mut frames = 1;
                    if verdict == SaleVerdict::NotTaken && came == Came::Nothing {
                        match sale.repeat(&profile, shown.purchase_count) {
                            Ok(again) => {
                                frames += 1;
                                rig.send(&again, Fate::Carried);
                            }
                            Err(error) => {
                                assert!(matches!(belief, None | Some(EqualCountRule::AddsAgain)), "{error}");
                                assert!(error.to_string().contains("bench test 6"), "{error}");
                            }
                        }
                    }
                    // Whatever the line still held has arrived before the last look.
                    rig.release();
                    let after = PurseReading::from(&rig.realtime());
                    let last = sale.verdict(&before, &after, 0);

                    let credited = (rig.meter().remaining_cents() - 50_000) / i32::try_from(AMOUNT).unwrap();
                    let case = format!("{belief:?} {equal_count:?} {vendor_reply:?} {vendor_refusal:?} {fate:?}");
                    match credited {
                        0 => assert_eq!(last, SaleVerdict::NotTaken, "{case}"),
                        1 => assert_eq!(last, SaleVerdict::Taken { used_minor: 0 }, "{case}"),
                        2 => {
                            assert!(
                                matches!(last, SaleVerdict::Contradicted(SaleContradiction::TooMuch { .. })),
                                "{case}"
                            );
                            // Only a profile that is wrong about this meter gets here, and it is told.
                            assert_eq!(*equal_count, vm::EqualCount::AddAgain, "{case}");
                            assert!(!matches!(belief, None | Some(EqualCountRule::AddsAgain)), "{case}");
                            doubled += 1;
                        }
                        more => panic!("credited {more} times: {case}"),
                    }
                    if matches!(belief, None | Some(EqualCountRule::AddsAgain)) {
                        assert_eq!(frames, 1, "{case}");
                    }
                    runs += 1;
                }
            }
        }
    }
    assert_eq!(runs, 4 * 3 * 9 * 4);
    assert!(doubled > 0, "the dangerous pairs are among them");
}

#[test]
fn every_belief_about_the_price_scale_meets_every_meter() {
    let beliefs = (0..=PriceDecimals::MAX).map(PriceDecimals::new).chain([None]);
    let wanted = MicroPrices { spike: 1_200_000, peak: 1_000_000, flat: 700_000, valley: 400_000 };
    let mut written = 0;
    for belief in beliefs {
        for scale in vm::PriceScale::ALL {
            let mut options = vm::MeterOptions::default();
            options.price_scale = *scale;
            let mut rig = Rig::new(vm::Model::Dtsy1352, options);
            rig.set_prices(1_000_000 / scale.millionths());
            rig.meter().set_load(vm::Load::new([3_000, 4_000, 3_000], 1_000));
            let before = (rig.realtime(), rig.prepay());
            rig.wait(2 * HOUR_MS);
            let after = (rig.realtime(), rig.prepay());
            let evidence = PriceEvidence::between((&before.0, &before.1), (&after.0, &after.1)).unwrap();

            // The client's duty before it writes a price.
            let mut profile = Profile::unsettled();
            profile.price_decimals = belief;
            let settings = match evidence.check(&profile) {
                Ok(()) => Settings::new().prices(&profile, wanted).map_err(|error| error.to_string()),
                Err(contradiction) => Err(contradiction.to_string()),
            };
            let truth = 10_u32.pow(evidence.decimals().unwrap().get().into());
            assert_eq!(truth * scale.millionths(), 1_000_000, "the meter's figures give its scale away");
            let agrees = belief == evidence.decimals();
            match settings {
                Ok(settings) => {
                    assert!(agrees, "{belief:?} {scale:?}");
                    rig.send(&settings.request().unwrap(), Fate::Carried);
                    let shown = rig.prepay();
                    assert_eq!(settings.shown_by(&shown), Ok(()));
                    assert_eq!(
                        shown.prices.micro(&profile).unwrap(),
                        [wanted.spike, wanted.peak, wanted.flat, wanted.valley]
                    );
                    // What an hour at 10 kW costs now, by the meter's own purse: 7.00 in the flat rate.
                    let start = rig.meter().remaining_cents();
                    rig.wait(HOUR_MS);
                    assert_eq!(start - rig.meter().remaining_cents(), 700, "{scale:?}");
                    written += 1;
                }
                Err(told) => {
                    assert!(!agrees && told.contains("bench test 4"), "{belief:?} {scale:?}: {told}");
                    assert_eq!(rig.writes, 0, "{belief:?} {scale:?}");
                }
            }
        }
    }
    assert_eq!(written, vm::PriceScale::ALL.len());
}

#[test]
fn every_belief_about_rate_codes_meets_every_meter() {
    let mut written = 0;
    for belief in [None, Some(RateCodes::FromOne), Some(RateCodes::FromZero)] {
        for codes in vm::RateCodes::ALL {
            for (model, table_1) in [(vm::Model::Dtsy1352, [0x20, 0x00]), (vm::Model::Ddsy1352, [0x20, 0x06])] {
                let mut options = vm::MeterOptions::default();
                options.rate_codes = *codes;
                let mut rig = Rig::new(model, options);
                // What the meter had: peak from 00:05, valley from 23:00, in its own codes.
                let shift = u8::from(*codes == vm::RateCodes::FromOne);
                let mut table = [&[UNIT, 0x10][..], &table_1, &[0, 21, 42, 1 + shift, 5, 0, 3 + shift, 0, 23]].concat();
                table.resize(49, 0);
                rig.prepared(&table);
                rig.meter().set_load(vm::Load::new([2_000, 0, 0], 1_000));

                let confirmed = rig.model();
                let request = DayTableReading::read(&confirmed, DayTableNumber::First).unwrap();
                let reading = rig.read(&request, DayTableReading::from_registers);
                let before = rig.realtime();
                rig.wait(HOUR_MS);
                let evidence = RateEvidence::between(&reading, &before, &rig.realtime()).unwrap();

                let mut profile = Profile::unsettled();
                profile.rate_codes = belief;
                let slots = [
                    Slot { hour: 0, minute: 0, rate: Rate::Valley },
                    Slot { hour: 11, minute: 0, rate: Rate::Spike },
                    Slot { hour: 12, minute: 0, rate: Rate::Flat },
                ];
                let table = match evidence.check(&profile) {
                    Ok(()) => DayTable::new(&profile, &slots).map_err(|error| error.to_string()),
                    Err(contradiction) => Err(contradiction.to_string()),
                };
                let agrees = belief.is_some() && belief == evidence.codes();
                match table {
                    Ok(table) => {
                        assert!(agrees, "{belief:?} {codes:?}");
                        let came = rig.send(&table.request(&confirmed, DayTableNumber::First).unwrap(), Fate::Carried);
                        assert_eq!(came, Came::Confirmed);
                        let spike = rig.realtime().energy.spike_centikwh;
                        rig.wait(HOUR_MS / 2);
                        assert_eq!(rig.realtime().energy.spike_centikwh - spike, 100, "{codes:?}: 11:00 is spike now");
                        written += 1;
                    }
                    Err(told) => {
                        assert!(!agrees && told.contains("bench test 2"), "{belief:?} {codes:?}: {told}");
                        assert_eq!(rig.writes, 0, "{belief:?} {codes:?}");
                    }
                }
            }
        }
    }
    assert_eq!(written, 4, "two codes on two models");
}
