//! Force of single lines: each belief about sense and length beside each meter.

use crate::rig::{Came, Rig};
use meter_protocol::acrel::*;
use meter_protocol::virtual_meter as vm;

const SENSES: [Option<LineForceSense>; 3] = [None, Some(LineForceSense::OneIsOn), Some(LineForceSense::OneIsOff)];
const LENGTHS: [Option<LineForceLength>; 3] = [None, Some(LineForceLength::Ten), Some(LineForceLength::Eleven)];

/// A meter as its switches say, on which somebody has forced L1 with state 1 on the bench, in the length it takes.
fn after_the_bench_test(force_per_line: vm::ForcePerLine, force_frame: vm::ForceFrame) -> Rig {
    let mut options = vm::MeterOptions::default();
    (options.force_per_line, options.force_frame) = (force_per_line, force_frame);
    let mut rig = Rig::new(vm::Model::Dtsy1352, options);
    let pad = match force_frame {
        vm::ForceFrame::TenBytes => "",
        vm::ForceFrame::ElevenBytes => "00",
    };
    rig.prepared_or_refused(&format!("01 20 05 00 00 05 0A 01 01 01 00 00 00 00 00 00 00 {pad}"));
    rig
}

#[test]
fn only_the_client_that_knows_the_meter_writes() {
    let mut written = 0;
    for (sense, length, per_line, frame) in SENSES.into_iter().flat_map(|sense| {
        LENGTHS.into_iter().flat_map(move |length| {
            vm::ForcePerLine::ALL.iter().flat_map(move |per_line| {
                vm::ForceFrame::ALL.iter().map(move |frame| (sense, length, *per_line, *frame))
            })
        })
    }) {
        let mut rig = after_the_bench_test(per_line, frame);
        let fits = Fits::of_line_force(true, Line::L1, rig.block::<Realtime>().status_1);
        let truth = match per_line {
            vm::ForcePerLine::Refuse => None,
            vm::ForcePerLine::OneIsOn => Some(LineForceSense::OneIsOn),
            vm::ForcePerLine::OneIsOff => Some(LineForceSense::OneIsOff),
        };
        assert_eq!(fits.only(), truth);
        let mut profile = Profile::unsettled();
        (profile.line_force_sense, profile.line_force_length) = (sense, length);
        let told = format!("{sense:?} {length:?} {per_line:?} {frame:?}");
        for mode in [ForceMode::SupplyOff, ForceMode::SupplyOn, ForceMode::Prepaid] {
            let force = LineForce::new().line(Line::L1, mode);
            let before = (rig.writes, rig.meter.relay_closed());
            let state = rig.block::<ForceState>();
            match (fits.check(sense), force.frame(&profile, &rig.model())) {
                (Err(contradiction), _) => {
                    assert!(sense.is_some() && sense != truth, "{told}");
                    assert!(contradiction.to_string().contains("bench test 10"), "{contradiction}");
                }
                (Ok(()), Err(BuildError::ByteCount { .. })) => assert_eq!(length, Some(LineForceLength::Eleven)),
                (Ok(()), Err(error)) => {
                    assert!(sense.is_none() || length.is_none(), "{told}");
                    assert!(error.to_string().contains("bench test 10"), "{error}");
                }
                (Ok(()), Ok(built)) => {
                    assert_eq!((sense, length), (truth, Some(LineForceLength::Ten)));
                    let came = rig.send(&built.request());
                    let shown = force.shown_by(rig.block::<Realtime>().status_1);
                    if frame == vm::ForceFrame::TenBytes {
                        assert!(matches!(came, Came::Done) && shown.is_ok(), "{told} {shown:?}");
                        assert_eq!(rig.block::<ForceState>().mode(), Some(mode), "{told}");
                        let closed = mode != ForceMode::SupplyOff;
                        assert_eq!(rig.meter.relay_closed(), closed, "{told}");
                        written += 1;
                    } else {
                        // Only the length was wrong: the meter does nothing, and the read-back tells.
                        assert_eq!(rig.block::<ForceState>(), state, "{told}");
                        let already = state.mode() == Some(mode) || mode == ForceMode::Prepaid;
                        assert_eq!(shown.is_ok(), already, "{told}");
                        assert_eq!(rig.meter.relay_closed(), before.1, "{told}");
                    }
                    continue;
                }
            }
            assert_eq!((rig.writes, rig.meter.relay_closed()), before, "{told}");
        }
    }
    assert_eq!(written, 2 * 3, "each sense by the client that knows it, in each mode");
}

#[test]
fn what_a_wrong_sense_does_is_seen_afterwards() {
    let mut rig = after_the_bench_test(vm::ForcePerLine::OneIsOn, vm::ForceFrame::TenBytes);
    let mut profile = Profile::unsettled();
    profile.line_force_sense = Some(LineForceSense::OneIsOff);
    profile.line_force_length = Some(LineForceLength::Ten);
    for mode in [ForceMode::SupplyOff, ForceMode::SupplyOn] {
        let force = LineForce::new().line(Line::L1, mode);
        let model = rig.model();
        rig.send(&force.frame(&profile, &model).unwrap().request());
        let difference = force.shown_by(rig.block::<Realtime>().status_1).unwrap_err();
        assert_eq!(difference.field, "forced state");
    }
}

#[test]
fn lines_that_the_model_does_not_have_are_refused() {
    let mut profile = Profile::unsettled();
    profile.line_force_sense = Some(LineForceSense::OneIsOn);
    profile.line_force_length = Some(LineForceLength::Ten);
    let mut rig = Rig::new(vm::Model::Ddsy1352, vm::MeterOptions::default());
    let model = rig.model();
    assert!(LineForce::new().line(Line::L1, ForceMode::SupplyOff).frame(&profile, &model).is_ok());
    let second = LineForce::new().line(Line::L2, ForceMode::SupplyOff).frame(&profile, &model);
    assert!(matches!(second, Err(BuildError::Model { model: Model::Ddsy1352, .. })), "{second:?}");
    assert!(matches!(LineForce::new().frame(&profile, &model), Err(BuildError::Empty { .. })));
}
