//! Tables, polarities, ratios and the total.

use crate::rig::{Came, MODELS, Rig, START_MS};
use meter_protocol::acrel::*;
use meter_protocol::virtual_meter as vm;
use meter_protocol::wire::Request;

#[test]
fn date_table_order() {
    let mut written = 0;
    for belief in [None, Some(DateTableOrder::TableDayMonth), Some(DateTableOrder::MonthDayTable)] {
        for order in vm::DateTableOrder::ALL {
            for model in MODELS {
                let mut options = vm::MeterOptions::default();
                options.date_table = *order;
                let mut rig = Rig::new(model, options);
                let address = if model == vm::Model::Ddsy1352 { "20 00" } else { "00 28" };
                // On the menu: the second table from 15 October on.
                let (entry, truth) = match order {
                    vm::DateTableOrder::TableDayMonth => ("01 0F 0A", DateTableOrder::TableDayMonth),
                    vm::DateTableOrder::MonthDayTable => ("0A 0F 02", DateTableOrder::MonthDayTable),
                };
                rig.prepared(&format!("01 10 {address} 00 06 0C {entry} 00 00 00 00 00 00 00 00 00"));

                let mut profile = Profile::unsettled();
                profile.date_table_order = belief;
                let confirmed = rig.model();
                let read = DateTable::read(&confirmed).unwrap();
                let shown = rig.read(&read, DateTable::from_registers);
                let fits = Fits::of_date_table(&shown, DateEntry { month: 10, day: 15, table: 1 });
                assert_eq!(fits.only(), Some(truth));
                let told = fits.check(profile.date_table_order);
                let wanted = [DateEntry { month: 7, day: 1, table: 1 }];
                match (told, DateTable::new(&profile, &wanted)) {
                    (Err(contradiction), _) => {
                        assert_ne!(belief, Some(truth));
                        assert!(contradiction.to_string().contains("bench test 1"), "{contradiction}");
                    }
                    (Ok(()), Err(error)) => {
                        assert!(belief.is_none() && error.to_string().contains("bench test 1"), "{error}");
                    }
                    (Ok(()), Ok(table)) => {
                        assert_eq!(belief, Some(truth));
                        assert!(matches!(rig.send(&table.request(&confirmed).unwrap()), Came::Done));
                        let shown = rig.read(&read, DateTable::from_registers);
                        assert!(shown.entries(truth).eq(wanted));
                        written += 1;
                    }
                }
                assert_eq!(rig.writes > 0, belief == Some(truth), "{belief:?} {order:?}");
            }
        }
    }
    assert_eq!(written, 4, "each meter by the client that knows it");
}

#[test]
fn polarity_of_time_control_and_load_control() {
    for belief in [None, Some(EnablePolarity::OneIsOn), Some(EnablePolarity::OneIsOff)] {
        for polarity in vm::EnablePolarity::ALL {
            for (model, on) in MODELS.iter().flat_map(|model| [(*model, true), (*model, false)]) {
                let mut options = vm::MeterOptions::default();
                (options.time_enable, options.load_enable) = (*polarity, *polarity);
                let mut rig = Rig::new(model, options);
                if on {
                    rig.prepared(&format!("01 20 03 00 00 1C 38 FF 01 {}", "00 ".repeat(54)));
                    rig.prepared(&format!("01 20 04 00 00 0D 1A FF 01 {}", "00 ".repeat(24)));
                }
                let mut profile = Profile::unsettled();
                (profile.time_polarity, profile.enable_polarity) = (belief, belief);
                let truth = match polarity {
                    vm::EnablePolarity::OneIsOn => EnablePolarity::OneIsOn,
                    vm::EnablePolarity::OneIsOff => EnablePolarity::OneIsOff,
                };
                let model = rig.model();
                let time = rig.read(&TimeControlBlock::read(&model).unwrap(), |registers| {
                    TimeControlBlock::from_registers(&model, registers)
                });
                let load = rig.read(&LoadControlBlock::read(&model).unwrap(), |registers| {
                    LoadControlBlock::from_registers(&model, registers)
                });
                let status = rig.block::<Realtime>().status_2;
                for fits in [Fits::of_time_control(&time, status), Fits::of_load_control(&load, status)] {
                    assert_eq!(fits.only(), Some(truth));
                    match fits.check(belief) {
                        Ok(()) => assert!(belief.is_none_or(|belief| belief == truth)),
                        Err(error) => {
                            assert_ne!(belief, Some(truth));
                            assert!(error.to_string().contains("bench test 9"), "{error}");
                        }
                    }
                }
                match time.enabled(&profile) {
                    Ok(told) => assert_eq!(told == on, belief == Some(truth)),
                    Err(error) => assert!(belief.is_none() && error.to_string().contains("bench test 9")),
                }
                assert_eq!(rig.writes, 0);
            }
        }
    }
}

#[test]
fn order_of_the_ratios_and_side_of_the_energies() {
    let sides = [None, Some(EnergySide::Primary), Some(EnergySide::Secondary)];
    for belief in [None, Some(RatioOrder::PtFirst), Some(RatioOrder::CtFirst)] {
        for (order, values, side) in vm::RatioOrder::ALL.iter().flat_map(|order| {
            vm::EnergyValues::ALL.iter().flat_map(move |values| sides.map(|side| (*order, *values, side)))
        }) {
            let mut options = vm::MeterOptions::default();
            (options.ratio_order, options.energy_values) = (order, values);
            let mut rig = Rig::new(vm::Model::Dtsy1352, options);
            let (settings, truth) = match order {
                vm::RatioOrder::PtFirst => ("00 01 00 28", RatioOrder::PtFirst),
                vm::RatioOrder::CtFirst => ("00 28 00 01", RatioOrder::CtFirst),
            };
            rig.prepared(&format!("01 10 00 37 00 02 04 {settings}"));
            rig.meter.set_load(vm::Load::new([20_000, 20_000, 20_000], 1_000));
            rig.meter.advance(START_MS + 10 * 3_600_000);
            // 600 kWh went through the shop, which is what a display shows.
            let display_centikwh = u32::try_from(rig.meter.energies_mj().iter().sum::<u64>() / 36_000_000).unwrap();

            let now = rig.block::<Realtime>();
            let words = rig.read(&Request::read_holding(0x0037, 2).unwrap(), |r| Ok([r.word(0x37), r.word(0x38)]));
            let fits = Fits::of_ratios(words.map(Option::unwrap), (now.pt_ratio, now.ct_ratio));
            assert_eq!(fits.only(), Some(truth));
            let wrong = belief.is_some_and(|belief| belief != truth);
            assert_eq!(fits.check(belief).is_err(), wrong);

            let truth = match values {
                vm::EnergyValues::Primary => EnergySide::Primary,
                vm::EnergyValues::Secondary => EnergySide::Secondary,
            };
            let fits = Fits::of_display(display_centikwh, &now);
            assert_eq!(fits.only(), Some(truth), "{display_centikwh} {now:?}");
            assert_eq!(fits.check(side).is_err(), side.is_some_and(|side| side != truth));
            let mut profile = Profile::unsettled();
            profile.energy_side = side;
            match now.energy_factor(&profile) {
                Err(error) => assert!(side.is_none() && error.to_string().contains("bench test 16")),
                Ok(factor) => {
                    let billed = u64::from(now.energy.total_centikwh) * u64::from(factor);
                    let right = billed.abs_diff(display_centikwh.into()) <= 40;
                    assert_eq!(right, side == Some(truth), "{billed} {display_centikwh}");
                }
            }
            assert_eq!(rig.writes, 0);
        }
    }
}

#[test]
fn meaning_of_the_total() {
    for belief in [None, Some(TotalMeaning::Purchased), Some(TotalMeaning::Energy)] {
        for total in vm::TotalMeaning::ALL {
            let mut options = vm::MeterOptions::default();
            options.total = *total;
            let mut rig = Rig::new(vm::Model::Ddsy1352, options);
            let truth = match total {
                vm::TotalMeaning::Purchased => TotalMeaning::Purchased,
                vm::TotalMeaning::Energy => TotalMeaning::Energy,
            };
            let before = (rig.block::<Realtime>(), rig.block::<PrepayBlock>());
            let sale = Purchase::new(10_000, before.0.purchase_count).unwrap();
            rig.send(&sale.request());
            rig.meter.set_load(vm::Load::new([5_000, 0, 0], 1_000));
            rig.meter.advance(START_MS + 3_600_000);
            let after = (rig.block::<Realtime>(), rig.block::<PrepayBlock>());
            let fits = Fits::of_total((&before.0, &before.1), (&after.0, &after.1), 10_000);
            assert_eq!(fits.only(), Some(truth));
            let mut profile = Profile::unsettled();
            profile.total_meaning = belief;
            let writes = rig.writes;
            if fits.check(belief).is_err() {
                assert!(belief.is_some_and(|belief| belief != truth));
            } else {
                match MoneyOverwrite::new().total(&profile, 77) {
                    Err(error) => assert!(belief.is_none() && error.to_string().contains("bench test 5"), "{error}"),
                    Ok(money) => {
                        assert_eq!(belief, Some(truth));
                        rig.send(&money.request().unwrap());
                        // Total energy is no sum that can be set: this meter refuses it, and the read-back tells.
                        let taken = truth == TotalMeaning::Purchased;
                        assert_eq!(money.shown_by(&rig.block::<PrepayBlock>()).is_ok(), taken);
                    }
                }
            }
            assert_eq!(rig.writes > writes, belief == Some(truth), "{belief:?} {total:?}");
        }
    }
}
