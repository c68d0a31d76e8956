//! Limits of reads, layouts, broadcasts and the frame cipher.

use crate::rig::{Came, Rig};
use meter_protocol::acrel::*;
use meter_protocol::plan::{Limits, LineTiming, Scratch, plan};
use meter_protocol::session::Pace;
use meter_protocol::virtual_meter as vm;
use meter_protocol::wire::{ExceptionCode, MAX_ADU_LEN, Request, rtu};

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
