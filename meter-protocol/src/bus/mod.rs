//! The sans-IO owner of one line: whose turn is it, who is silent, money first.
//!
//! The bus decides and the caller acts: [`Bus::next`] names a meter and a job, the caller runs the transaction with a
//! [`crate::session::Session`] or a client, and reports with [`Bus::finished`]. What a job consists of (which sale, which
//! switch) is the caller's; the bus only counts how many wait. Time is in microseconds from any origin, told with each call;
//! the bus works in whole milliseconds.
//!
//! * **Order**: money, control, read-now, polling. After [`BusConfig::max_urgent_run`] urgent jobs in a row a poll that is
//!   due gets its turn, so that polling is never starved.
//! * **Polling**: a line has [`MAX_CYCLES`] cycles with intervals of their own, and each meter takes part in those that it is
//!   to. The earliest due goes first; rounds that were missed are skipped, not made up for.
//! * **Silent meters**: after [`BusConfig::trip_after`] unanswered jobs in a row a meter gets nothing but probes, at
//!   growing intervals, and all probes together take at most [`BusConfig::probe_share_percent`] of a busy line. What was
//!   requested for it waits until a probe is answered.
//! * **Memory**: 28 bytes a meter, for microcontrollers. [`Bus::with_counters`] takes room to count what happens.
//!
//! ```
//! use meter_protocol::bus::{Bus, BusConfig, Class, Job, JobOutcome, MeterSlot, Next};
//!
//! let mut bus = Bus::new([MeterSlot::polled(); 2], BusConfig::every(180_000_000))?;
//! bus.request(1, Class::Money)?;
//! assert_eq!(bus.next(0), Next::Run { slot: 1, job: Job::Money });
//! bus.finished(1, Job::Money, JobOutcome::Answered, 150_000)?;
//! assert_eq!(bus.next(150_000), Next::Run { slot: 0, job: Job::Poll { cycle: 0 } });
//! # Ok::<(), meter_protocol::bus::BusError>(())
//! ```
//!
//! Saturating arithmetic is of times, intervals and counters, which stay at their end; no value of a meter is among them.

mod config;
mod counters;
mod job;
mod meter;
mod time;

pub use config::{BusConfig, BusError};
pub use counters::MeterCounters;
pub use job::{Class, Job, JobOutcome};
pub use meter::{LinkState, MAX_CYCLES, MeterSlot};
pub use time::MAX_AHEAD_US;

use config::{CYCLE, Rules};
use time::{Epoch, Millis, Moment};

/// Most meters on one line: the unit numbers of Modbus.
pub const MAX_METERS: usize = 247;
/// Most jobs of one class that wait for one meter.
pub const MAX_WAITING: u8 = 32;

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Run this job and report it with [`Bus::finished`].
    Run {
        /// Index of the meter.
        slot: usize,
        /// What to do.
        job: Job,
    },
    /// Nothing before this time, unless something is requested.
    WaitUntil(u64),
    /// Nothing at all, unless something is requested.
    Idle,
    /// A job is under way; report it first.
    Running {
        /// Index of its meter.
        slot: usize,
        /// The job.
        job: Job,
    },
}

/// One line and its meters. `S` holds the meters: an array, a `Vec`, a borrowed slice. `C` holds what is counted of each, and
/// is empty unless asked for.
#[derive(Debug)]
pub struct Bus<S, C = [MeterCounters; 0]> {
    meters: S,
    counters: C,
    epoch: Epoch,
    rules: Rules,
    running: Option<Running>,
    /// Before this time no probe is run while other work is due.
    probe_pause_until: Moment,
    /// Last meter served in each class, so that the next one gets its turn.
    last_served: [u8; 3],
    last_polled: u8,
    urgent_run: u8,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    slot: u8,
    job: Job,
    since: Moment,
}

impl<S: AsRef<[MeterSlot]> + AsMut<[MeterSlot]>> Bus<S> {
    /// A line with these meters, named by their index from now on.
    ///
    /// # Errors
    /// [`BusError::TooManyMeters`], [`BusError::TooLong`].
    pub fn new(meters: S, config: BusConfig) -> Result<Self, BusError> {
        Self::with_counters(meters, [], config)
    }
}

impl<S, C> Bus<S, C>
where
    S: AsRef<[MeterSlot]> + AsMut<[MeterSlot]>,
    C: AsRef<[MeterCounters]> + AsMut<[MeterCounters]>,
{
    /// A line that counts what happens with each meter that there is a place for in `counters`.
    ///
    /// # Errors
    /// As [`Bus::new`].
    pub fn with_counters(meters: S, counters: C, config: BusConfig) -> Result<Self, BusError> {
        let count = meters.as_ref().len();
        if count > MAX_METERS {
            return Err(BusError::TooManyMeters { count });
        }
        let rules = Rules::new(&config)?;
        let last = narrow(count.saturating_sub(1));
        Ok(Self {
            meters,
            counters,
            epoch: Epoch::new(),
            rules,
            running: None,
            probe_pause_until: Moment::START,
            last_served: [last; 3],
            last_polled: last,
            urgent_run: 0,
        })
    }

    /// Queues one job of this class for a meter. For a silent meter it waits until a probe is answered, which comes as
    /// soon as probing allows.
    ///
    /// # Errors
    /// [`BusError::NoSuchSlot`], [`BusError::Full`].
    pub fn request(&mut self, slot: usize, class: Class) -> Result<(), BusError> {
        let meter = self.meter_mut(slot)?;
        if meter.add(class) { Ok(()) } else { Err(BusError::Full { slot, class, limit: MAX_WAITING }) }
    }

    /// Takes back the waiting jobs of this class and returns how many there were.
    ///
    /// # Errors
    /// [`BusError::NoSuchSlot`].
    pub fn withdraw(&mut self, slot: usize, class: Class) -> Result<u8, BusError> {
        Ok(self.meter_mut(slot)?.withdraw(class))
    }

    /// Lets a meter take part in a cycle, for the first time after `after_us`, or with `None` no longer.
    ///
    /// # Errors
    /// [`BusError::NoSuchSlot`], [`BusError::NoSuchCycle`], [`BusError::TooLong`].
    pub fn set_cycle(&mut self, slot: usize, cycle: u8, after_us: Option<u64>, now_us: u64) -> Result<(), BusError> {
        let after = after_us.map(|after_us| Millis::new("time until a cycle begins", after_us)).transpose()?;
        let now = self.advance(now_us);
        let due = after.map_or(Moment::NEVER, |after| now.plus(after));
        if self.meter_mut(slot)?.set_cycle(cycle, due) { Ok(()) } else { Err(BusError::NoSuchCycle { cycle }) }
    }

    /// Changes the interval of a cycle. It holds from each meter's next turn on.
    ///
    /// # Errors
    /// [`BusError::NoSuchCycle`], [`BusError::TooLong`].
    pub fn set_interval(&mut self, cycle: u8, interval_us: u64) -> Result<(), BusError> {
        let interval = self.rules.cycles.get_mut(usize::from(cycle)).ok_or(BusError::NoSuchCycle { cycle })?;
        *interval = Millis::new(CYCLE, interval_us)?;
        Ok(())
    }

    /// Whose turn is it? A job that is handed out counts as under way until it is reported.
    pub fn next(&mut self, now_us: u64) -> Next {
        if let Some(Running { slot, job, .. }) = self.running {
            return Next::Running { slot: slot.into(), job };
        }
        let now = self.advance(now_us);
        let poll = self.due_poll(now);
        let urgent = self.waiting_urgent();
        let turn_of_poll = poll.is_some() && self.urgent_run >= self.rules.max_urgent_run;
        let work = match (urgent, poll) {
            (Some(urgent), _) if !turn_of_poll => Some(urgent),
            (_, poll) => poll,
        };
        let may_probe = work.is_none() || now >= self.probe_pause_until;
        let urgent_first = work.is_some_and(|(_, job)| !matches!(job, Job::Poll { .. }));
        let probe = if may_probe && !urgent_first { self.due_probe(now) } else { None };
        match probe.or(work) {
            Some((slot, job)) => {
                self.start(slot, job, poll.is_some(), now);
                Next::Run { slot, job }
            }
            None => self.earliest().map_or(Next::Idle, |moment| Next::WaitUntil(self.epoch.us(moment))),
        }
    }

    /// Now, after the stored times were moved if the epoch was.
    fn advance(&mut self, now_us: u64) -> Moment {
        let (now, moved) = self.epoch.advance(now_us);
        if let Some(by_ms) = moved {
            self.meters.as_mut().iter_mut().for_each(|meter| meter.moved(by_ms));
            self.probe_pause_until = self.probe_pause_until.moved(by_ms);
            if let Some(running) = &mut self.running {
                running.since = running.since.moved(by_ms);
            }
        }
        now
    }

    fn start(&mut self, slot: usize, job: Job, poll_is_due: bool, now: Moment) {
        self.running = Some(Running { slot: narrow(slot), job, since: now });
        let class = match job {
            Job::Money => Class::Money,
            Job::Control => Class::Control,
            Job::ReadNow => Class::ReadNow,
            Job::Poll { .. } => {
                (self.urgent_run, self.last_polled) = (0, narrow(slot));
                return;
            }
            Job::Probe => return,
        };
        self.urgent_run = if poll_is_due { self.urgent_run.saturating_add(1) } else { 0 };
        if let Some(last) = self.last_served.get_mut(class.rank()) {
            *last = narrow(slot);
        }
        if let Ok(meter) = self.meter_mut(slot) {
            meter.take(class);
        }
    }

    /// Reports the job under way. A job of a class is done with, however it ended: request again what is to be tried
    /// again (money only after reading back).
    ///
    /// # Errors
    /// [`BusError::NotRunning`].
    pub fn finished(&mut self, slot: usize, job: Job, outcome: JobOutcome, now_us: u64) -> Result<(), BusError> {
        let now = self.advance(now_us);
        let since = match self.running {
            Some(running) if usize::from(running.slot) == slot && running.job == job => running.since,
            _ => return Err(BusError::NotRunning { slot, job }),
        };
        self.running = None;
        let rules = self.rules;
        if job == Job::Probe {
            // A probe that took so long is followed by a pause that keeps probes within their share.
            self.probe_pause_until = now.plus(now.since(since).pause(rules.probe_share_percent));
        }
        let fell_silent = self.meter_mut(slot)?.finished(job, outcome, &rules, now);
        if let Some(counters) = self.counters.as_mut().get_mut(slot) {
            counters.count(job, outcome, fell_silent);
        }
        Ok(())
    }

    /// What is known about a meter's link.
    ///
    /// # Errors
    /// [`BusError::NoSuchSlot`].
    pub fn link_state(&self, slot: usize) -> Result<LinkState, BusError> {
        Ok(self.meter(slot)?.link_state(&self.epoch))
    }

    /// What happened with a meter so far, if it is counted.
    pub fn counters(&self, slot: usize) -> Option<&MeterCounters> {
        self.counters.as_ref().get(slot)
    }

    /// The meters, in order.
    pub fn meters(&self) -> &[MeterSlot] {
        self.meters.as_ref()
    }

    fn meter(&self, slot: usize) -> Result<&MeterSlot, BusError> {
        let meters = self.meters.as_ref();
        meters.get(slot).ok_or(BusError::NoSuchSlot { slot, count: meters.len() })
    }

    fn meter_mut(&mut self, slot: usize) -> Result<&mut MeterSlot, BusError> {
        let meters = self.meters.as_mut();
        let count = meters.len();
        meters.get_mut(slot).ok_or(BusError::NoSuchSlot { slot, count })
    }

    /// The first class with something waiting for a meter that answers, and in it the meter after the last one served.
    fn waiting_urgent(&self) -> Option<(usize, Job)> {
        Class::BY_RANK.into_iter().zip(self.last_served).find_map(|(class, last)| {
            let waiting = |(_, meter): &(usize, &MeterSlot)| !meter.is_silent() && meter.waits(class);
            self.after(last).find(waiting).map(|(slot, _)| (slot, class.job()))
        })
    }

    /// All meters, beginning with the one after `last`.
    fn after(&self, last: u8) -> impl Iterator<Item = (usize, &MeterSlot)> {
        let meters = self.meters.as_ref().iter().enumerate();
        let first = usize::from(last).saturating_add(1);
        meters.clone().skip(first).chain(meters.take(first))
    }

    /// The poll that has been due for longest. Of several it is the turn of the meter after the last one polled.
    fn due_poll(&self, now: Moment) -> Option<(usize, Job)> {
        let polls = self.after(self.last_polled).filter(|(_, meter)| !meter.is_silent());
        let due = polls.filter_map(|(slot, meter)| meter.next_poll().map(|(cycle, due)| (due, slot, cycle)));
        let (due, slot, cycle) = due.min_by_key(|(due, ..)| *due)?;
        (due <= now).then_some((slot, Job::Poll { cycle }))
    }

    /// The probe that has been due for longest, meters for which something waits first.
    fn due_probe(&self, now: Moment) -> Option<(usize, Job)> {
        let meters = self.meters.as_ref().iter().enumerate();
        let due = meters.filter_map(|(slot, meter)| {
            let due = meter.next_probe()?;
            (due <= now).then_some((!meter.waits_for_any(), due, slot))
        });
        due.min().map(|(_, _, slot)| (slot, Job::Probe))
    }

    /// When the next poll or probe is due.
    fn earliest(&self) -> Option<Moment> {
        let meters = self.meters.as_ref().iter();
        meters
            .filter_map(|meter| if meter.is_silent() { meter.next_probe() } else { meter.next_poll().map(|p| p.1) })
            .min()
    }
}

/// No line has more meters than [`MAX_METERS`].
fn narrow(slot: usize) -> u8 {
    u8::try_from(slot).unwrap_or(u8::MAX)
}
