//! The sans-IO owner of one line: whose turn is it, who is silent, money first.
//!
//! The bus decides and the caller acts: [`Bus::next`] names a meter and a job, the caller runs the transaction with a
//! [`crate::session::Session`] or a client, and reports with [`Bus::finished`]. What a job consists of (which sale, which
//! switch) is the caller's; the bus only counts how many wait. Time is in microseconds from any origin.
//!
//! * **Order**: money, control, read-now, polling. After [`BusConfig::max_urgent_run`] urgent jobs in a row a poll that is
//!   due gets its turn, so that polling is never starved.
//! * **Polling**: each meter has up to [`MAX_CYCLES`] cycles with intervals of their own. The earliest due goes first;
//!   rounds that were missed are skipped, not made up for.
//! * **Silent meters**: after [`BusConfig::trip_after`] unanswered jobs in a row a meter gets nothing but probes, at
//!   growing intervals, and all probes together take at most [`BusConfig::probe_share_percent`] of a busy line. What was
//!   requested for it waits until a probe is answered.
//!
//! ```
//! use meter_protocol::bus::{Bus, BusConfig, Class, Job, JobOutcome, MeterSlot, Next};
//!
//! let meters = [MeterSlot::polled(180_000_000), MeterSlot::polled(180_000_000)];
//! let mut bus = Bus::new(meters, BusConfig::default())?;
//! bus.request(1, Class::Money)?;
//! assert_eq!(bus.next(0), Next::Run { slot: 1, job: Job::Money });
//! bus.finished(1, Job::Money, JobOutcome::Answered, 150_000)?;
//! assert_eq!(bus.next(150_000), Next::Run { slot: 0, job: Job::Poll { cycle: 0 } });
//! # Ok::<(), meter_protocol::bus::BusError>(())
//! ```
//!
//! Saturating arithmetic is of times, intervals and counters, which stay at their end; no value of a meter is among them.

mod config;
mod job;
mod meter;

pub use config::{BusConfig, BusError};
pub use job::{Class, Job, JobOutcome};
pub use meter::{LinkState, MAX_CYCLES, MeterCounters, MeterSlot};

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

/// One line and its meters. `S` holds the meters: an array, a `Vec`, a borrowed slice.
#[derive(Debug)]
pub struct Bus<S> {
    meters: S,
    config: BusConfig,
    running: Option<Running>,
    /// Last meter served in each class, so that the next one gets its turn.
    last_served: [usize; 3],
    urgent_run: u8,
    /// Before this time no probe is run while other work is due.
    probe_pause_until_us: u64,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    slot: usize,
    job: Job,
    since_us: u64,
}

impl<S: AsRef<[MeterSlot]> + AsMut<[MeterSlot]>> Bus<S> {
    /// A line with these meters, named by their index from now on.
    ///
    /// # Errors
    /// [`BusError::TooManyMeters`].
    pub fn new(meters: S, config: BusConfig) -> Result<Self, BusError> {
        let count = meters.as_ref().len();
        if count > MAX_METERS {
            return Err(BusError::TooManyMeters { count });
        }
        let last = count.saturating_sub(1);
        Ok(Self { meters, config, running: None, last_served: [last; 3], urgent_run: 0, probe_pause_until_us: 0 })
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

    /// Changes a poll cycle: `None` stops it, an interval makes it due at `first_due_us` and then every `interval_us`.
    ///
    /// # Errors
    /// [`BusError::NoSuchSlot`], [`BusError::NoSuchCycle`].
    pub fn set_cycle(
        &mut self,
        slot: usize,
        cycle: usize,
        interval_us: Option<u64>,
        first_due_us: u64,
    ) -> Result<(), BusError> {
        let meter = self.meter_mut(slot)?;
        if meter.set_cycle(cycle, interval_us, first_due_us) { Ok(()) } else { Err(BusError::NoSuchCycle { cycle }) }
    }

    /// Whose turn is it? A job that is handed out counts as under way until it is reported.
    pub fn next(&mut self, now_us: u64) -> Next {
        if let Some(Running { slot, job, .. }) = self.running {
            return Next::Running { slot, job };
        }
        let poll = self.due_poll(now_us);
        let urgent = self.waiting_urgent();
        let turn_of_poll = poll.is_some() && self.urgent_run >= self.config.max_urgent_run;
        let work = match (urgent, poll) {
            (Some(urgent), _) if !turn_of_poll => Some(urgent),
            (_, poll) => poll,
        };
        let may_probe = work.is_none() || now_us >= self.probe_pause_until_us;
        let urgent_first = work.is_some_and(|(_, job)| !matches!(job, Job::Poll { .. }));
        let probe = if may_probe && !urgent_first { self.due_probe(now_us) } else { None };
        match probe.or(work) {
            Some((slot, job)) => {
                self.start(slot, job, poll.is_some(), now_us);
                Next::Run { slot, job }
            }
            None => self.earliest().map_or(Next::Idle, Next::WaitUntil),
        }
    }

    fn start(&mut self, slot: usize, job: Job, poll_is_due: bool, now_us: u64) {
        self.running = Some(Running { slot, job, since_us: now_us });
        let class = match job {
            Job::Money => Class::Money,
            Job::Control => Class::Control,
            Job::ReadNow => Class::ReadNow,
            Job::Poll { .. } => {
                self.urgent_run = 0;
                return;
            }
            Job::Probe => return,
        };
        self.urgent_run = if poll_is_due { self.urgent_run.saturating_add(1) } else { 0 };
        if let Some(last) = self.last_served.get_mut(class.rank()) {
            *last = slot;
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
        let since_us = match self.running {
            Some(running) if running.slot == slot && running.job == job => running.since_us,
            _ => return Err(BusError::NotRunning { slot, job }),
        };
        self.running = None;
        if job == Job::Probe {
            self.pause_probes(since_us, now_us);
        }
        let config = self.config;
        self.meter_mut(slot)?.finished(job, outcome, &config, now_us);
        Ok(())
    }

    /// A probe that took `t` is followed by a pause that keeps probes within their share.
    fn pause_probes(&mut self, since_us: u64, now_us: u64) {
        let share = u64::from(self.config.probe_share_percent.clamp(1, 100));
        let took_us = now_us.saturating_sub(since_us);
        let others = 100_u64.saturating_sub(share);
        let pause_us = took_us.saturating_mul(others).checked_div(share).unwrap_or(0);
        self.probe_pause_until_us = now_us.saturating_add(pause_us);
    }

    /// What is known about a meter's link.
    ///
    /// # Errors
    /// [`BusError::NoSuchSlot`].
    pub fn link_state(&self, slot: usize) -> Result<LinkState, BusError> {
        Ok(self.meter(slot)?.link_state())
    }

    /// What happened with a meter so far.
    ///
    /// # Errors
    /// [`BusError::NoSuchSlot`].
    pub fn counters(&self, slot: usize) -> Result<MeterCounters, BusError> {
        Ok(self.meter(slot)?.counters())
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
            let meters = self.meters.as_ref();
            let after = meters.iter().enumerate().skip(last.saturating_add(1));
            let up_to = meters.iter().enumerate().take(last.saturating_add(1));
            after.chain(up_to).find(waiting).map(|(slot, _)| (slot, class.job()))
        })
    }

    /// The poll that has been due for longest.
    fn due_poll(&self, now_us: u64) -> Option<(usize, Job)> {
        let polls = self.meters.as_ref().iter().enumerate().filter(|(_, meter)| !meter.is_silent());
        let due = polls.filter_map(|(slot, meter)| meter.next_poll().map(|(cycle, due_us)| (due_us, slot, cycle)));
        let first = due.min()?;
        let (due_us, slot, cycle) = first;
        (due_us <= now_us).then_some((slot, Job::Poll { cycle }))
    }

    /// The probe that has been due for longest, meters for which something waits first.
    fn due_probe(&self, now_us: u64) -> Option<(usize, Job)> {
        let meters = self.meters.as_ref().iter().enumerate();
        let due = meters.filter_map(|(slot, meter)| {
            let due_us = meter.next_probe()?;
            (due_us <= now_us).then_some((!meter.waits_for_any(), due_us, slot))
        });
        due.min().map(|(_, _, slot)| (slot, Job::Probe))
    }

    /// When the next poll or probe is due.
    fn earliest(&self) -> Option<u64> {
        let meters = self.meters.as_ref().iter();
        meters
            .filter_map(|meter| if meter.is_silent() { meter.next_probe() } else { meter.next_poll().map(|p| p.1) })
            .min()
    }
}
