//! The bus in virtual time. With `-- --nocapture` the figures are shown.

use meter_protocol::bus::{
    Bus, BusConfig, BusError, Class, Job, JobOutcome, LinkState, MAX_AHEAD_US, MAX_WAITING, MeterCounters, MeterSlot,
    Next,
};
use meter_protocol::session::{CharFormat, Pace};

const SECOND: u64 = 1_000_000;

/// What the wire needs for one read of 48 registers at 9600 8N1 with 35 ms turnaround.
fn transaction_us() -> u64 {
    let pace = Pace::serial(9600, CharFormat::N8_1);
    pace.t35_us() + pace.chars_us(8) + 35_000 + pace.chars_us(101)
}

/// What an unanswered read costs: the request, 1 s, and the silence.
fn lost_us() -> u64 {
    let pace = Pace::serial(9600, CharFormat::N8_1);
    pace.t35_us() + pace.chars_us(8) + SECOND + pace.chars_us(101)
}

/// A line of meters; `answers(slot, now)` says who is alive.
struct Line<F> {
    bus: Bus<Vec<MeterSlot>, Vec<MeterCounters>>,
    now_us: u64,
    answers: F,
    log: Vec<(u64, usize, Job, JobOutcome)>,
}

impl<F: Fn(usize, u64) -> bool> Line<F> {
    fn new(meters: Vec<MeterSlot>, interval_us: u64, answers: F) -> Self {
        let counters = vec![MeterCounters::new(); meters.len()];
        let bus = Bus::with_counters(meters, counters, BusConfig::every(interval_us)).unwrap();
        Self { bus, now_us: 0, answers, log: Vec::new() }
    }

    fn run_until(&mut self, end_us: u64) {
        while self.now_us < end_us {
            match self.bus.next(self.now_us) {
                Next::Run { slot, job } => {
                    let answered = (self.answers)(slot, self.now_us);
                    self.now_us += if answered { transaction_us() } else { lost_us() };
                    let outcome = if answered { JobOutcome::Answered } else { JobOutcome::NoReply };
                    self.bus.finished(slot, job, outcome, self.now_us).unwrap();
                    self.log.push((self.now_us, slot, job, outcome));
                }
                Next::WaitUntil(until_us) => self.now_us = until_us.max(self.now_us + 1),
                Next::Idle => self.now_us = end_us,
                Next::Running { .. } => panic!("a job was not reported"),
            }
        }
    }

    /// Readings of a meter in a window.
    fn readings(&self, slot: usize, from_us: u64, to_us: u64) -> usize {
        let in_window = |time: u64| (from_us..to_us).contains(&time);
        self.log
            .iter()
            .filter(|(time, s, _, outcome)| in_window(*time) && *s == slot && *outcome == JobOutcome::Answered)
            .count()
    }
}

#[test]
fn a_full_line_reaches_the_rounds_that_the_wire_allows() {
    let mut line = Line::new(vec![MeterSlot::polled(); 32], 0, |_, _| true);
    line.run_until(180 * SECOND);
    let allowed = (180 * SECOND / (32 * transaction_us())) as usize;
    let fewest = (0..32).map(|slot| line.readings(slot, 0, 180 * SECOND)).min().unwrap();
    println!("32 meters, 180 s: each is read at least {fewest} times, the wire allows {allowed}");
    assert!(fewest * 100 >= allowed * 97, "{fewest} of {allowed}");
    assert!(allowed >= 36, "150 ms a reading: {allowed}");
}

#[test]
fn dead_meters_cost_a_bounded_slice_and_are_found_when_they_return() {
    let dead = |slot: usize| slot == 3 || slot == 17;
    let died_us = 60 * SECOND;
    let returned_us = 900 * SECOND;
    let mut line = Line::new(vec![MeterSlot::polled(); 32], 0, move |slot, now| {
        !dead(slot) || !(died_us..returned_us).contains(&now)
    });
    line.run_until(1000 * SECOND);
    let rounds = 180 * SECOND / (32 * transaction_us());
    let mut from_us = died_us + 30 * SECOND;
    let mut fewest = usize::MAX;
    while from_us + 180 * SECOND <= returned_us {
        for slot in (0..32).filter(|slot| !dead(*slot)) {
            let kept = line.readings(slot, from_us, from_us + 180 * SECOND);
            fewest = fewest.min(kept);
            assert!(kept as u64 * 100 >= rounds * 99, "meter {slot} from {from_us}: {kept} of {rounds}");
        }
        from_us += SECOND;
    }
    println!("2 of 32 dead: the others keep at least {fewest} of {rounds} rounds in any 180 s");
    for slot in [3, 17] {
        let first = line.log.iter().find(|(time, s, ..)| *s == slot && *time > returned_us).map(|(time, ..)| *time);
        println!("meter {slot} is read {} s after it returned", (first.unwrap() - returned_us) / SECOND);
        assert!(line.readings(slot, returned_us, returned_us + 60 * SECOND) > 0, "meter {slot} was not found again");
        assert!(matches!(line.bus.link_state(slot), Ok(LinkState::Fresh { .. })));
    }
}

/// Wherever in the pause between two probes the meters return.
#[test]
fn a_meter_that_returns_is_read_within_a_minute() {
    let mut longest_us = 0;
    for returned_us in (300..360).step_by(3).map(|seconds| seconds * SECOND) {
        let mut line = Line::new(vec![MeterSlot::polled(); 32], 0, move |slot, now| {
            !(slot == 3 || slot == 17) || !(60 * SECOND..returned_us).contains(&now)
        });
        line.run_until(returned_us + 60 * SECOND);
        for slot in [3, 17] {
            let read = |(time, s, _, outcome): &&(u64, usize, Job, JobOutcome)| {
                *time > returned_us && *s == slot && *outcome == JobOutcome::Answered
            };
            let (time, ..) =
                line.log.iter().find(read).unwrap_or_else(|| panic!("meter {slot}, back at {returned_us}"));
            longest_us = longest_us.max(time - returned_us);
        }
    }
    println!("a meter that returns is read after {} s at most", longest_us / SECOND);
    assert!(longest_us < 60 * SECOND);
}

#[test]
fn a_line_of_mostly_dead_meters_still_serves_the_living() {
    let mut line = Line::new(vec![MeterSlot::polled(); 32], 5 * SECOND, |slot, _| slot == 0);
    line.run_until(600 * SECOND);
    // Probes share a tenth of the line when it is busy; here one meter wants it every 5 s.
    assert!(line.readings(0, 120 * SECOND, 600 * SECOND) >= 480 / 5 * 9 / 10);
}

#[test]
fn money_before_control_before_read_now_before_polling() {
    let mut bus = Bus::new([MeterSlot::polled(); 3], BusConfig::every(0)).unwrap();
    bus.request(2, Class::ReadNow).unwrap();
    bus.request(1, Class::Control).unwrap();
    bus.request(0, Class::Money).unwrap();
    bus.request(2, Class::Money).unwrap();
    let mut order = Vec::new();
    for now_us in 0..5 {
        let Next::Run { slot, job } = bus.next(now_us) else { panic!() };
        assert_eq!(bus.next(now_us), Next::Running { slot, job });
        bus.finished(slot, job, JobOutcome::Answered, now_us).unwrap();
        order.push((slot, job));
    }
    let expected =
        [(0, Job::Money), (2, Job::Money), (1, Job::Control), (2, Job::ReadNow), (0, Job::Poll { cycle: 0 })];
    assert_eq!(order, expected);
}

#[test]
fn polling_is_never_starved() {
    let config = BusConfig::every(0);
    let mut bus = Bus::new([MeterSlot::polled(); 2], config).unwrap();
    let mut polls = 0;
    for now_us in 0..1000 {
        // Somebody always wants something.
        bus.request(now_us as usize % 2, Class::Money).unwrap_or_default();
        let Next::Run { slot, job } = bus.next(now_us) else { panic!() };
        polls += usize::from(matches!(job, Job::Poll { .. }));
        bus.finished(slot, job, JobOutcome::Answered, now_us).unwrap();
    }
    assert_eq!(polls, 1000 / (usize::from(config.max_urgent_run) + 1));
}

#[test]
fn meters_of_one_class_take_turns() {
    let mut bus = Bus::new([MeterSlot::unpolled(); 3], BusConfig::default()).unwrap();
    for slot in 0..3 {
        bus.request(slot, Class::ReadNow).unwrap();
        bus.request(slot, Class::ReadNow).unwrap();
    }
    let mut order = Vec::new();
    while let Next::Run { slot, job } = bus.next(0) {
        order.push(slot);
        bus.finished(slot, job, JobOutcome::Answered, 0).unwrap();
    }
    assert_eq!(order, [0, 1, 2, 0, 1, 2]);
    assert_eq!(bus.next(0), Next::Idle);
}

#[test]
fn several_cycles_keep_their_own_time() {
    let meter = MeterSlot::polled().with_cycle(1, 7 * SECOND);
    let mut line = Line::new(vec![meter], 180 * SECOND, |_, _| true);
    line.run_until(3600 * SECOND);
    let polls = |wanted| line.log.iter().filter(|(_, _, job, _)| *job == Job::Poll { cycle: wanted }).count();
    assert_eq!((polls(0), polls(1)), (20, 2));
}

#[test]
fn work_for_a_silent_meter_waits_for_a_probe() {
    let mut line = Line::new(vec![MeterSlot::polled()], 10 * SECOND, |_, now| now > 100 * SECOND);
    line.run_until(50 * SECOND);
    let LinkState::Silent { since_us } = line.bus.link_state(0).unwrap() else { panic!() };
    assert!(since_us < 5 * SECOND);
    line.bus.request(0, Class::Money).unwrap();
    line.run_until(200 * SECOND);
    let money: Vec<_> = line.log.iter().filter(|(_, _, job, _)| *job == Job::Money).collect();
    let [(time, _, _, outcome)] = money[..] else { panic!("{money:?}") };
    assert!(*time > 100 * SECOND && *outcome == JobOutcome::Answered, "no sale was risked on a silent meter");
    let counters = line.bus.counters(0).unwrap();
    assert_eq!(counters.silences, 1);
    assert!(counters.probes >= 4 && counters.unanswered >= 5);
}

#[test]
fn one_lost_reply_is_no_silence() {
    let mut bus = Bus::new([MeterSlot::polled()], BusConfig::every(60 * SECOND)).unwrap();
    let poll = Job::Poll { cycle: 0 };
    assert_eq!(bus.next(0), Next::Run { slot: 0, job: poll });
    bus.finished(0, poll, JobOutcome::NoReply, SECOND).unwrap();
    assert_eq!(bus.link_state(0), Ok(LinkState::Unknown));
    assert_eq!(bus.next(SECOND), Next::WaitUntil(3 * SECOND));
    assert_eq!(bus.next(3 * SECOND), Next::Run { slot: 0, job: poll });
    bus.finished(0, poll, JobOutcome::NotTransmitted, 4 * SECOND).unwrap();
    assert_eq!(bus.link_state(0), Ok(LinkState::Unknown), "what was not sent says nothing about the meter");
}

#[test]
fn misuse_is_refused() {
    let mut bus = Bus::new([MeterSlot::unpolled()], BusConfig::default()).unwrap();
    assert_eq!(bus.request(1, Class::Money), Err(BusError::NoSuchSlot { slot: 1, count: 1 }));
    assert_eq!(bus.set_cycle(0, 4, Some(1), 0), Err(BusError::NoSuchCycle { cycle: 4 }));
    assert_eq!(bus.set_interval(4, 1), Err(BusError::NoSuchCycle { cycle: 4 }));
    let long = MAX_AHEAD_US + 1;
    let limit_us = MAX_AHEAD_US;
    let what = "time until a cycle begins";
    assert_eq!(bus.set_cycle(0, 0, Some(long), 0), Err(BusError::TooLong { what, span_us: long, limit_us }));
    let what = "interval of a cycle";
    assert_eq!(bus.set_interval(0, long), Err(BusError::TooLong { what, span_us: long, limit_us }));
    let refused = |change: fn(&mut BusConfig)| {
        let mut config = BusConfig::default();
        change(&mut config);
        matches!(Bus::new([MeterSlot::unpolled()], config), Err(BusError::TooLong { .. }))
    };
    assert!(refused(|config| config.cycle_us[3] = MAX_AHEAD_US + 1));
    assert!(refused(|config| config.retry_after_us = u64::MAX));
    assert!(refused(|config| config.first_probe_us = u64::MAX));
    assert!(refused(|config| config.longest_probe_us = u64::MAX));
    for _ in 0..MAX_WAITING {
        bus.request(0, Class::Control).unwrap();
    }
    let full = BusError::Full { slot: 0, class: Class::Control, limit: MAX_WAITING };
    assert_eq!(bus.request(0, Class::Control), Err(full));
    assert_eq!(bus.withdraw(0, Class::Control), Ok(MAX_WAITING));
    assert_eq!(bus.next(0), Next::Idle);
    let not_running = BusError::NotRunning { slot: 0, job: Job::Money };
    assert_eq!(bus.finished(0, Job::Money, JobOutcome::Answered, 0), Err(not_running));
    assert!(matches!(
        Bus::new(vec![MeterSlot::unpolled(); 248], BusConfig::default()),
        Err(BusError::TooManyMeters { count: 248 })
    ));
}

/// A microcontroller has 32 bytes for each meter.
#[test]
fn a_meter_takes_28_bytes() {
    assert_eq!(size_of::<MeterSlot>(), 28);
    let plain = Bus::new([MeterSlot::polled(); 32], BusConfig::default()).unwrap();
    assert_eq!(size_of_val(&plain), 32 * 28 + 64);
    assert_eq!(plain.counters(0), None);
}

/// Four bytes of milliseconds are 49.7 days. This bus runs for a year, from a time that is anything but 0.
#[test]
fn a_bus_runs_for_ever() {
    const DAY: u64 = 86_400 * SECOND;
    let start_us = 1_795_000_000 * SECOND;
    // The second meter dies for good on day 100, the third is read once and then left alone.
    let meters = [MeterSlot::polled().with_cycle(1, 10 * DAY), MeterSlot::polled(), MeterSlot::unpolled()];
    let mut config = BusConfig::every(1_800 * SECOND);
    config.cycle_us[1] = 10 * DAY;
    config.longest_probe_us = 3_600 * SECOND;
    let mut bus = Bus::with_counters(meters, [MeterCounters::new(); 3], config).unwrap();
    bus.request(2, Class::ReadNow).unwrap();
    let (mut now_us, mut ten_days) = (start_us, Vec::new());
    let (mut last_us, mut died_us) = ([0; 3], None);
    while now_us < start_us + 365 * DAY {
        match bus.next(now_us) {
            Next::Run { slot, job } => {
                if job == (Job::Poll { cycle: 1 }) {
                    ten_days.push((now_us - start_us) / DAY);
                }
                let is_poll = job == Job::Poll { cycle: 0 };
                if is_poll && slot == 0 && last_us[0] != 0 {
                    assert!(now_us - last_us[0] <= 1_802 * SECOND, "a round was left out");
                }
                let dead = slot == 1 && now_us >= start_us + 100 * DAY;
                now_us += SECOND;
                if dead {
                    died_us.get_or_insert(now_us);
                } else {
                    last_us[slot] = now_us;
                }
                let outcome = if dead { JobOutcome::NoReply } else { JobOutcome::Answered };
                bus.finished(slot, job, outcome, now_us).unwrap();
                if last_us[0] != 0 {
                    assert_eq!(bus.link_state(0), Ok(LinkState::Fresh { last_answer_us: last_us[0] }));
                }
            }
            Next::WaitUntil(until_us) => {
                assert!(until_us > now_us && until_us <= now_us + 1_800 * SECOND);
                now_us = until_us;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ten_days, (1..=36).map(|turn| turn * 10).collect::<Vec<_>>());
    let rounds = bus.counters(0).unwrap().answered;
    assert!((365 * 48..=365 * 48 + 40).contains(&rounds), "{rounds} rounds of {}", 365 * 48);
    assert!(bus.counters(1).unwrap().probes >= 265 * 23, "{:?}", bus.counters(1));
    // Exact for 24 days; after that they count as that old at least.
    let LinkState::Silent { since_us } = bus.link_state(1).unwrap() else { panic!() };
    let LinkState::Fresh { last_answer_us } = bus.link_state(2).unwrap() else { panic!() };
    assert!(since_us >= died_us.unwrap() && now_us - since_us >= 24 * DAY);
    assert!(last_answer_us >= last_us[2] && now_us - last_answer_us >= 24 * DAY);
}

/// Several meters within one millisecond, as on an emulated line or over TCP.
#[test]
fn meters_take_turns_within_a_millisecond() {
    let mut bus = Bus::new([MeterSlot::polled(); 5], BusConfig::every(0)).unwrap();
    for now_us in 0..5_000 {
        let job = Job::Poll { cycle: 0 };
        let slot = now_us as usize % 5;
        assert_eq!(bus.next(now_us), Next::Run { slot, job });
        bus.finished(slot, job, JobOutcome::Answered, now_us).unwrap();
    }
}

#[test]
fn a_meter_joins_and_leaves_a_cycle_and_the_interval_changes() {
    let mut bus = Bus::new([MeterSlot::unpolled(); 2], BusConfig::every(60 * SECOND)).unwrap();
    assert_eq!(bus.next(5 * SECOND), Next::Idle);
    bus.set_cycle(1, 2, Some(3 * SECOND), 6 * SECOND).unwrap();
    bus.set_interval(2, 20 * SECOND).unwrap();
    assert_eq!(bus.next(6 * SECOND), Next::WaitUntil(9 * SECOND));
    let job = Job::Poll { cycle: 2 };
    assert_eq!(bus.next(9 * SECOND), Next::Run { slot: 1, job });
    bus.finished(1, job, JobOutcome::Answered, 10 * SECOND).unwrap();
    assert_eq!(bus.next(10 * SECOND), Next::WaitUntil(29 * SECOND));
    bus.set_cycle(1, 2, None, 11 * SECOND).unwrap();
    assert_eq!(bus.next(29 * SECOND), Next::Idle);
}
