//! Every pair of what a client believes and what a meter does, for each open point that `tests/money.rs` and
//! `tests/load_control.rs` do not run: a client that disagrees with the meter reports it and never writes.
#![cfg(feature = "virtual-meter")]

mod common;

use common::hex;
use meter_protocol::acrel::*;
use meter_protocol::plan::{Limits, LineTiming, Scratch, plan};
use meter_protocol::session::Pace;
use meter_protocol::virtual_meter as vm;
use meter_protocol::wire::{Answer, ExceptionCode, MAX_ADU_LEN, Registers, Reply, Request, rtu};

/// 2026-03-05 10:00, a Thursday.
const START_MS: i64 = 1_772_704_800_000;

/// A meter, and how many frames other than reads have been sent to it by the client.
struct Rig {
    meter: vm::VirtualMeter,
    writes: usize,
}

enum Came {
    Registers(u16, Vec<u8>),
    Done,
    Refused(ExceptionCode),
    Nothing,
}

impl Rig {
    fn new(model: vm::Model, options: vm::MeterOptions) -> Self {
        Self::with_key(model, options, None)
    }

    fn with_key(model: vm::Model, options: vm::MeterOptions, cipher_key: Option<[u16; 4]>) -> Self {
        let mut setup = vm::MeterSetup::new(model, 1, [2, 0, 2, 6, 0, 3, 0, 5, 0, 0, 1, 2], START_MS);
        (setup.prepay_enabled, setup.remaining_cents, setup.purchase_count) = (true, 50_000, 12);
        setup.cipher_key = cipher_key;
        Self { meter: vm::VirtualMeter::new(&setup, options).unwrap(), writes: 0 }
    }

    fn send(&mut self, request: &Request<'_>) -> Came {
        let mut buf = [0; MAX_ADU_LEN];
        let frame = rtu::encode_request(1, request, &mut buf).unwrap();
        self.writes += usize::from(!request.is_read());
        self.exchange(frame, request)
    }

    fn exchange(&mut self, frame: &[u8], request: &Request<'_>) -> Came {
        let now_ms = self.meter.time_ms();
        let Some(reply) = self.meter.serve(now_ms, frame) else { return Came::Nothing };
        match rtu::decode_answer(&reply, 1, &request.expectation()).unwrap() {
            Answer::Reply(Reply::Registers(r)) => Came::Registers(r.address(), r.bytes().to_vec()),
            Answer::Reply(_) => Came::Done,
            Answer::Exception(exception) => Came::Refused(exception.code),
        }
    }

    fn read<T>(&mut self, request: &Request<'_>, parse: impl FnOnce(&Registers<'_>) -> Result<T, BlockError>) -> T {
        match self.send(request) {
            Came::Registers(address, bytes) => parse(&Registers::holding(address, &bytes).unwrap()).unwrap(),
            _ => panic!("{request:?} was not answered"),
        }
    }

    fn block<B: Block>(&mut self) -> B {
        self.read(&B::READ, B::from_registers)
    }

    fn model(&mut self) -> Confirmed<Model> {
        self.read(&Model::READ, |registers| Confirmed::from_reply(1, LinkId::first(0), registers))
    }

    /// Something that somebody else did, on the menu or with another tool.
    fn prepared(&mut self, text: &str) {
        let body = hex(text);
        let mut frame = body.clone();
        frame.extend(meter_protocol::wire::crc::crc16(&frame).to_le_bytes());
        let now_ms = self.meter.time_ms();
        let reply = self.meter.serve(now_ms, &frame);
        assert!(reply.is_none_or(|reply| reply[1] == body[1]), "{text}");
    }
}

const MODELS: [vm::Model; 2] = [vm::Model::Ddsy1352, vm::Model::Dtsy1352];

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

#[test]
fn longest_read_layout_low_block_and_broadcasts() {
    for (limit, firmware, low) in [40_u16, 48, 72, 125].into_iter().flat_map(|limit| {
        vm::Firmware::ALL.iter().flat_map(move |firmware| [true, false].map(|low| (limit, *firmware, low)))
    }) {
        let mut options = vm::MeterOptions::default();
        (options.read_max_registers, options.firmware, options.low_block_on_dtsy) = (limit, firmware, low);
        let mut rig = Rig::new(vm::Model::Dtsy1352, options);
        let layout = match rig.send(&RealtimeLayout::DETECT) {
            Came::Registers(..) => RealtimeLayout::detected(Ok(())),
            Came::Refused(code) => {
                let exception = meter_protocol::wire::Exception { function: 3, code };
                RealtimeLayout::detected(Err(exception))
            }
            _ => None,
        };
        let layout = layout.unwrap();
        let eight = firmware == vm::Firmware::EightRate && limit >= 72;
        assert_eq!(layout == RealtimeLayout::EightRate, eight);
        if limit >= layout.registers() {
            let now = rig.read(&layout.request(), |registers| Realtime::from_registers(layout, registers));
            assert_eq!(now.energy.deep_valley_centikwh.is_some(), eight);
            // A meter of 8 rates that only takes short reads has a clock without weekday all the same: it is refused or
            // wrong in its own field, so clocks are set and compared by `detect` alone.
            if eight || firmware == vm::Firmware::FourRate {
                assert_eq!(now.clock.unwrap(), Clock::new(2026, 3, 5, 10, 0, 0).unwrap());
            }
        }
        // A plan within the limit of the profile is answered; one beyond it is refused, not cut.
        for believed in [40_u16, 48, 72, 123] {
            let tables = [fields::realtime::ALL];
            let mut scratch = Scratch::new();
            let line = LineTiming::new(Pace::UNPACED, 1_000);
            let Ok(reads) = plan(tables[0], &line, &Limits::new(believed, &tables), &mut scratch) else { continue };
            let longest = reads.reads().iter().map(|read| read.count).max().unwrap();
            let refused = reads
                .reads()
                .iter()
                .any(|read| matches!(rig.send(&read.request().unwrap()), Came::Refused(ExceptionCode::ILLEGAL_VALUE)));
            assert_eq!(refused, longest > limit);
        }
        let low_read = rig.send(&Request::read_holding(0x000B, 6).unwrap());
        assert_eq!(matches!(low_read, Came::Registers(..)), low);
    }
    for broadcast in vm::Broadcast::ALL {
        let mut options = vm::MeterOptions::default();
        options.broadcast = *broadcast;
        let _either = Rig::new(vm::Model::Ddsy1352, options);
        assert!(rtu::encode_request(0, &ForceMode::SupplyOff.request(), &mut [0; 256]).is_err());
    }
}

#[cfg(feature = "frame-cipher")]
#[test]
fn encrypted_mode_with_no_key_a_wrong_one_and_the_right_one() {
    let (right, wrong) = ([0x1111, 0x2222, 0x3333, 0x4444], [0x1111, 0x2222, 0x3333, 0x4445]);
    for meter_key in [None, Some(right)] {
        for clear_frames in vm::ClearFrames::ALL {
            for belief in [None, Some(right), Some(wrong)] {
                let mut options = vm::MeterOptions::default();
                options.clear_frames = *clear_frames;
                let mut rig = Rig::with_key(vm::Model::Ddsy1352, options, meter_key);
                let run_state = rig.read(&Request::read_holding(0x0022, 1).unwrap(), |r| Ok(r.word(0x22)));
                let encrypted = run_state.unwrap() & 0x20 != 0;
                assert_eq!(encrypted, meter_key.is_some());
                let before = PurseReading::from(&rig.block::<Realtime>());
                let sale = Purchase::new(10_000, before.purchase_count).unwrap();
                let mut buf = [0; MAX_ADU_LEN];
                let request = sale.request();
                let frame = match belief {
                    Some(key) => FrameKey::new(key).encode_request(1, &request, &mut buf).unwrap().to_vec(),
                    None => rtu::encode_request(1, &request, &mut buf).unwrap().to_vec(),
                };
                rig.exchange(&frame, &request);
                let after = PurseReading::from(&rig.block::<Realtime>());
                let takes_clear = !encrypted || *clear_frames == vm::ClearFrames::Take;
                let taken = match belief {
                    None => takes_clear,
                    Some(key) => meter_key == Some(key),
                };
                let expected = if taken { SaleVerdict::Taken { used_minor: 0 } } else { SaleVerdict::NotTaken };
                assert_eq!(sale.verdict(&before, &after, 0), expected, "{meter_key:?} {belief:?}");
            }
        }
    }
}
