//! The owner of one line under any calls and times, beside a model that counts what waits.
//!
//! Input: the sharing rules, the number of meters and their cycles, then calls; see [`World::step`].
//!
//! It must hold that only a job that waits or is due is handed out, money before control before reading, and a poll
//! before them only when its turn has come; that a meter is silent exactly after its unanswered jobs in a row and then
//! gets nothing but probes; that whoever waits until the time that was named gets a job then; that a queue takes as
//! many jobs as its limit says; that a report of a job that is not under way is refused and changes nothing.
#![no_main]

use fuzz::Tape;
use libfuzzer_sys::fuzz_target;
use meter_protocol::bus::{
    Bus, BusConfig, BusError, Class, Job, JobOutcome, LinkState, MAX_CYCLES, MAX_WAITING, MeterCounters, MeterSlot,
    Next,
};

/// Most calls of one run.
const MAX_STEPS: usize = 400;
const CLASSES: [Class; 3] = [Class::Money, Class::Control, Class::ReadNow];

fuzz_target!(|bytes: &[u8]| {
    let mut tape = Tape::new(bytes);
    let mut world = World::new(&mut tape);
    for _ in 0..MAX_STEPS {
        if tape.is_over() {
            break;
        }
        world.step(&mut tape);
    }
    world.drain();
});

/// What the model knows of a meter.
#[derive(Clone, Copy, Default)]
struct Known {
    waiting: [u8; 3],
    /// Due times of the cycles.
    polls: [Option<u64>; MAX_CYCLES],
    failures: u32,
    silent: bool,
    answered: u32,
    unanswered: u32,
    probes: u32,
}

struct World {
    bus: Bus<Vec<MeterSlot>, Vec<MeterCounters>>,
    config: BusConfig,
    meters: Vec<Known>,
    now_us: u64,
    running: Option<(usize, Job)>,
    urgent_run: u32,
}

impl World {
    fn new(tape: &mut Tape<'_>) -> Self {
        let mut config = BusConfig::default();
        config.trip_after = tape.byte() % 4;
        // Whole milliseconds, as the bus keeps them.
        config.cycle_us = core::array::from_fn(|_| u64::from(tape.word()) * 1_000);
        config.retry_after_us = u64::from(tape.word() / 10) * 1_000;
        config.first_probe_us = u64::from(tape.word() / 10) * 1_000;
        config.longest_probe_us = u64::from(tape.word()) * 1_000;
        config.probe_share_percent = tape.byte();
        config.max_urgent_run = tape.byte() % 10;
        let count = usize::from(tape.byte()) % 6;
        let mut known = vec![Known::default(); count];
        let mut slots = vec![MeterSlot::unpolled(); count];
        for (slot, known) in slots.iter_mut().zip(&mut known) {
            if tape.flag() {
                let due_us = u64::from(tape.byte()) * 1_000;
                *slot = slot.with_cycle(0, due_us);
                known.polls[0] = Some(due_us);
            }
        }
        let counters = vec![MeterCounters::new(); count];
        let mut bus = Bus::with_counters(slots, counters, config).expect("few meters");
        // Times count from the first that the bus is told.
        assert_eq!(bus.set_cycle(0, 3, None, 0).is_ok(), count > 0);
        Self { bus, config, meters: known, now_us: 0, running: None, urgent_run: 0 }
    }

    fn step(&mut self, tape: &mut Tape<'_>) {
        match tape.byte() % 9 {
            0 | 1 => self.request(usize::from(tape.byte()) % 7, tape.pick(&CLASSES)),
            2 => self.withdraw(usize::from(tape.byte()) % 7, tape.pick(&CLASSES)),
            3 => self.set_cycle(tape),
            4 | 5 => self.next(),
            6 => {
                let outcome = tape.pick(&[JobOutcome::Answered, JobOutcome::NoReply, JobOutcome::NotTransmitted]);
                self.finish(outcome);
            }
            7 => self.now_us += u64::from(tape.word()) * 1_000,
            _ => self.misreport(tape),
        }
        self.agrees();
    }

    fn request(&mut self, slot: usize, class: Class) {
        let result = self.bus.request(slot, class);
        let count = self.meters.len();
        match self.meters.get_mut(slot).map(|meter| &mut meter.waiting[class as usize]) {
            None => assert_eq!(result, Err(BusError::NoSuchSlot { slot, count })),
            Some(waiting) if *waiting == MAX_WAITING => {
                assert_eq!(result, Err(BusError::Full { slot, class, limit: MAX_WAITING }));
            }
            Some(waiting) => {
                assert_eq!(result, Ok(()));
                *waiting += 1;
            }
        }
    }

    fn withdraw(&mut self, slot: usize, class: Class) {
        let count = self.meters.len();
        let known = self.meters.get_mut(slot).map(|meter| core::mem::take(&mut meter.waiting[class as usize]));
        assert_eq!(self.bus.withdraw(slot, class), known.ok_or(BusError::NoSuchSlot { slot, count }));
    }

    fn set_cycle(&mut self, tape: &mut Tape<'_>) {
        let (slot, cycle) = (usize::from(tape.byte()) % 7, tape.byte() % (MAX_CYCLES as u8 + 1));
        if tape.flag() {
            let interval_us = u64::from(tape.word()) * 1_000;
            let result = self.bus.set_interval(cycle, interval_us);
            match self.config.cycle_us.get_mut(usize::from(cycle)) {
                Some(place) => *place = interval_us,
                None => assert_eq!(result, Err(BusError::NoSuchCycle { cycle })),
            }
        }
        let after_us = tape.flag().then(|| u64::from(tape.byte()) * 1_000);
        let result = self.bus.set_cycle(slot, cycle, after_us, self.now_us);
        match self.meters.get_mut(slot) {
            None => assert!(matches!(result, Err(BusError::NoSuchSlot { .. }))),
            Some(_) if usize::from(cycle) == MAX_CYCLES => assert_eq!(result, Err(BusError::NoSuchCycle { cycle })),
            Some(meter) => {
                assert_eq!(result, Ok(()));
                meter.polls[usize::from(cycle)] = after_us.map(|after_us| self.now_us + after_us);
            }
        }
    }

    fn next(&mut self) {
        match (self.bus.next(self.now_us), self.running) {
            (Next::Running { slot, job }, running) => assert_eq!(running, Some((slot, job))),
            (_, Some(running)) => panic!("{running:?} is under way"),
            (Next::Run { slot, job }, None) => self.started(slot, job),
            (Next::WaitUntil(at_us), None) => {
                assert!(at_us > self.now_us && self.nothing_to_do());
                self.now_us = at_us;
                match self.bus.next(at_us) {
                    Next::Run { slot, job } => self.started(slot, job),
                    other => panic!("{other:?} at the time that was named"),
                }
            }
            (Next::Idle, None) => {
                assert!(self.nothing_to_do());
                assert!(self.meters.iter().all(|meter| !meter.silent && meter.polls == [None; MAX_CYCLES]));
            }
        }
    }

    fn waits(&self, class: Class) -> bool {
        self.meters.iter().any(|meter| !meter.silent && meter.waiting[class as usize] > 0)
    }

    fn poll_is_due(&self) -> bool {
        let awake = self.meters.iter().filter(|meter| !meter.silent);
        awake.flat_map(|meter| meter.polls).flatten().any(|due_us| due_us <= self.now_us)
    }

    fn nothing_to_do(&self) -> bool {
        !CLASSES.into_iter().any(|class| self.waits(class)) && !self.poll_is_due()
    }

    fn started(&mut self, slot: usize, job: Job) {
        self.running = Some((slot, job));
        let (urgent, due) = (CLASSES.map(|class| self.waits(class)), self.poll_is_due());
        let meter = &mut self.meters[slot];
        assert_eq!(meter.silent, job == Job::Probe, "{job:?}");
        let class = match job {
            Job::Poll { cycle } => {
                assert!(meter.polls[usize::from(cycle)].is_some_and(|due_us| due_us <= self.now_us));
                let is_turn = self.urgent_run >= u32::from(self.config.max_urgent_run);
                assert!(is_turn || urgent == [false; 3], "a poll before {urgent:?}");
                self.urgent_run = 0;
                return;
            }
            Job::Probe => return assert!(urgent == [false; 3] || due, "a probe before {urgent:?}"),
            Job::Money => Class::Money,
            Job::Control => Class::Control,
            Job::ReadNow => Class::ReadNow,
        };
        assert!(!urgent[..class as usize].contains(&true), "{job:?} before {urgent:?}");
        assert!(!due || self.urgent_run < u32::from(self.config.max_urgent_run), "polling is starved");
        assert!(meter.waiting[class as usize] > 0);
        meter.waiting[class as usize] -= 1;
        self.urgent_run = if due { self.urgent_run + 1 } else { 0 };
    }

    fn finish(&mut self, outcome: JobOutcome) {
        let Some((slot, job)) = self.running.take() else { return };
        assert_eq!(self.bus.finished(slot, job, outcome, self.now_us), Ok(()));
        let meter = &mut self.meters[slot];
        meter.probes += u32::from(job == Job::Probe);
        match outcome {
            JobOutcome::Answered => {
                meter.answered += 1;
                (meter.failures, meter.silent) = (0, false);
            }
            JobOutcome::NoReply => {
                meter.unanswered += 1;
                meter.failures += 1;
                meter.silent |= meter.failures >= u32::from(self.config.trip_after);
            }
            JobOutcome::NotTransmitted => {}
        }
        if let Job::Poll { cycle } = job
            && let Some(due_us) = &mut meter.polls[usize::from(cycle)]
        {
            let interval_us = self.config.cycle_us[usize::from(cycle)];
            *due_us = match outcome {
                JobOutcome::Answered => (*due_us + interval_us).max(self.now_us),
                _ => self.now_us + interval_us.min(self.config.retry_after_us),
            };
        }
    }

    fn misreport(&mut self, tape: &mut Tape<'_>) {
        let job = tape.pick(&[Job::Money, Job::Control, Job::ReadNow, Job::Probe, Job::Poll { cycle: 1 }]);
        let slot = usize::from(tape.byte()) % 7;
        if self.running != Some((slot, job)) {
            let refused = self.bus.finished(slot, job, JobOutcome::Answered, self.now_us);
            assert_eq!(refused, Err(BusError::NotRunning { slot, job }));
        }
    }

    fn agrees(&self) {
        for (slot, known) in self.meters.iter().enumerate() {
            let (counters, link) = (self.bus.counters(slot).unwrap(), self.bus.link_state(slot).unwrap());
            assert_eq!((counters.answered, counters.unanswered), (known.answered, known.unanswered));
            assert_eq!(counters.probes, known.probes);
            assert_eq!(matches!(link, LinkState::Silent { .. }), known.silent, "{link:?}");
        }
        assert!(self.bus.link_state(self.meters.len()).is_err());
    }

    /// When every meter answers, everything that waits is done within a bounded number of jobs.
    fn drain(&mut self) {
        self.finish(JobOutcome::Answered);
        for slot in 0..self.meters.len() {
            for cycle in 0..MAX_CYCLES {
                self.bus.set_cycle(slot, cycle as u8, None, self.now_us).unwrap();
                self.meters[slot].polls[cycle] = None;
            }
        }
        let most = self.meters.len() * (3 * usize::from(MAX_WAITING) + 1) + 1;
        for _ in 0..most {
            if !self.meters.iter().any(|meter| meter.silent || meter.waiting != [0; 3]) {
                break;
            }
            self.next();
            self.finish(JobOutcome::Answered);
        }
        assert_eq!(self.bus.next(self.now_us), Next::Idle);
    }
}
