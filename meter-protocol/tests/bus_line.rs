//! Bus, session and 32 independent virtual meters on one line at 9600 8N1 with 35 ms turnaround, in virtual time: each
//! round is made of real frames. With `-- --nocapture` the figures are shown.
#![cfg(feature = "virtual-meter")]

mod common;

use common::virtual_line::{Asked, Taken, VirtualLine};
use meter_protocol::bus::{Bus, BusConfig, JobOutcome, MeterSlot, Next};
use meter_protocol::session::{CharFormat, LineConfig};
use meter_protocol::virtual_meter::Faults;

const SECOND: u64 = 1_000_000;
const METERS: u8 = 32;
/// The span over which rounds are counted.
const SPAN_US: u64 = 180 * SECOND;

/// Meters polled as often as the line allows; `is_dead(slot, now)` says who does not answer.
struct Line<F> {
    line: VirtualLine,
    bus: Bus<Vec<MeterSlot>>,
    is_dead: F,
    /// When which meter was read.
    readings: Vec<(u64, usize)>,
}

impl<F: Fn(usize, u64) -> bool> Line<F> {
    fn new(is_dead: F) -> Self {
        let silent = Faults { lost_reply_per_mille: 1_000, ..Faults::NONE };
        // 1 s to answer, and no reply is later.
        let config = LineConfig::rtu(9600, CharFormat::N8_1).with_longest_response_us(1_000_000);
        let line = VirtualLine::new(config, METERS, 1, silent);
        let meters = vec![MeterSlot::polled(); METERS.into()];
        Self { line, bus: Bus::new(meters, BusConfig::every(0)).unwrap(), is_dead, readings: Vec::new() }
    }

    fn run_until(&mut self, end_us: u64) {
        while self.line.now_us() < end_us {
            match self.bus.next(self.line.now_us()) {
                Next::Run { slot, job } => {
                    let is_dead = (self.is_dead)(slot, self.line.now_us());
                    let unit = u8::try_from(slot).unwrap() + 1;
                    let taken = self.line.transaction_with(unit, &Asked::Read(0x0200, 48), is_dead, |_, _| {});
                    assert_eq!(taken, if is_dead { Taken::Nothing } else { Taken::Right });
                    let outcome = if is_dead { JobOutcome::NoReply } else { JobOutcome::Answered };
                    self.bus.finished(slot, job, outcome, self.line.now_us()).unwrap();
                    if !is_dead {
                        self.readings.push((self.line.now_us(), slot));
                    }
                }
                Next::WaitUntil(until_us) => self.line.wait_until(until_us),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Readings of the meter that was read least, of those that `counts`.
    fn fewest(&self, from_us: u64, counts: impl Fn(usize) -> bool) -> usize {
        let mut of_each = [0; METERS as usize];
        for (_, slot) in self.readings.iter().filter(|(time, _)| (from_us..from_us + SPAN_US).contains(time)) {
            of_each[*slot] += 1;
        }
        (0..of_each.len()).filter(|slot| counts(*slot)).map(|slot| of_each[slot]).min().unwrap()
    }
}

#[test]
fn a_full_line_reaches_the_rounds_that_the_wire_allows() {
    let mut line = Line::new(|_, _| false);
    line.run_until(SPAN_US + 10 * SECOND);
    let allowed = SPAN_US as usize / (usize::from(METERS) * line.line.realtime_us() as usize);
    let fewest = line.fewest(SECOND, |_| true);
    println!("32 meters, 180 s: {fewest} rounds with frames, bus and session; the wire allows {allowed}");
    assert!(fewest * 100 >= allowed * 97, "{fewest} of {allowed}");
}

#[test]
fn two_dead_meters_leave_the_others_their_rounds() {
    let (died_us, returned_us) = (20 * SECOND, 420 * SECOND);
    let among_the_dead = |slot: usize| slot == 3 || slot == 17;
    let mut line =
        Line::new(move |slot: usize, now: u64| among_the_dead(slot) && (died_us..returned_us).contains(&now));
    line.run_until(returned_us + 60 * SECOND);
    let allowed = SPAN_US as usize / (usize::from(METERS) * line.line.realtime_us() as usize);
    let starts = (died_us + 30 * SECOND..=returned_us - SPAN_US).step_by(SECOND as usize);
    let fewest = starts.map(|from_us| line.fewest(from_us, |slot| !among_the_dead(slot))).min().unwrap();
    println!("2 of 32 dead: {fewest} of {allowed} rounds in any 180 s from 30 s after");
    assert!(fewest * 100 >= allowed * 99, "{fewest} of {allowed}");
    for dead in [3, 17] {
        let first = line.readings.iter().find(|(time, slot)| *slot == dead && *time > returned_us);
        let (time, _) = first.unwrap_or_else(|| panic!("meter {dead} was not found again"));
        println!("meter {dead} is read {} s after it returned", (time - returned_us) / SECOND);
    }
}
