//! What waits for a line: effects that the books hand out, in the order of the bus.

use super::{Line, Work};
use meter_protocol::bus::{Class, Job};
use prepay_core::account::Effect;

impl Line {
    pub(super) fn take_inbox(&mut self) {
        while let Ok(effects) = self.inbox.try_recv() {
            self.accept(effects);
        }
    }

    pub(super) fn take_due(&mut self) {
        let now_ms = self.shared.clock.mono_ms();
        let due: Vec<(u64, usize, Effect)> = self.later.extract_if(.., |(due_ms, _, _)| *due_ms <= now_ms).collect();
        for (_, slot, effect) in due {
            self.queue(slot, effect);
        }
    }

    pub(super) fn accept(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let meter = match &effect {
                Effect::StartSale { meter, .. }
                | Effect::ReadBack { meter, .. }
                | Effect::Fence { meter, .. }
                | Effect::WriteForce { meter, .. } => *meter,
                // A purchase frame only ever leaves in the slot whose reading allowed it.
                _ => continue,
            };
            let Some(slot) = self.meters.iter().position(|known| known.setup.number == meter) else { continue };
            match effect {
                Effect::ReadBack { not_before_mono_ms, .. } if not_before_mono_ms > self.shared.clock.mono_ms() => {
                    if !self.later.iter().any(|(_, at, _)| *at == slot) {
                        self.later.push((not_before_mono_ms, slot, effect));
                    }
                }
                effect => self.queue(slot, effect),
            }
        }
    }

    /// Puts an effect into its queue. The books hand out again what is still open, so what waits already is left out.
    pub(super) fn queue(&mut self, slot: usize, effect: Effect) {
        let meter = &mut self.meters[slot];
        let class = if let Effect::WriteForce { .. } = effect {
            let work = Work::Effect(effect);
            if meter.control.contains(&work) {
                return;
            }
            meter.control.push_back(work);
            Class::Control
        } else {
            if !meter.money.is_empty() {
                return;
            }
            meter.money.push_back(effect);
            Class::Money
        };
        if let Err(error) = self.bus.request(slot, class) {
            tracing::warn!(line = self.code, %error, "not queued; the next sweep tries again");
            match class {
                Class::Money => drop(self.meters[slot].money.pop_back()),
                _ => drop(self.meters[slot].control.pop_back()),
            }
        }
    }

    /// A job that was not run because the line was down keeps its place.
    pub(super) fn requeue(&mut self, slot: usize, job: Job) {
        let class = match job {
            Job::Money => Class::Money,
            Job::Control => Class::Control,
            _ => return,
        };
        if let Err(error) = self.bus.request(slot, class) {
            tracing::error!(line = self.code, %error, "a place in the queue was lost");
        }
    }
}
