//! What is connected to the meter, and what the meter measures of it.

use super::model::Model;

/// Highest active power of one phase in W: what the signed power register can show.
pub const PHASE_MAX_W: u16 = 32_767;

/// The consumers behind the relay. They draw this while the relay is closed and nothing while it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Load {
    /// Active power per phase in W, 0 to [`PHASE_MAX_W`]. A DDSY1352 takes the first one only.
    pub watts: [u16; 3],
    /// Reactive power per phase in var, 0 to [`PHASE_MAX_W`].
    pub vars: [u16; 3],
    /// Power factor in 0.001, 1 to 1000.
    pub power_factor_milli: u16,
    /// Voltage per phase in 0.1 V.
    pub decivolts: [u16; 3],
}

impl Load {
    /// No consumers, 230.0 V on each phase.
    pub const NONE: Self = Self { watts: [0; 3], vars: [0; 3], power_factor_milli: 1_000, decivolts: [2_300; 3] };

    /// Active power per phase in W at a power factor in 0.001, inductive; the reactive power follows from the two.
    #[must_use]
    pub fn new(watts: [u16; 3], power_factor_milli: u16) -> Self {
        let power_factor_milli = power_factor_milli.clamp(1, 1_000);
        let watts = watts.map(|w| w.min(PHASE_MAX_W));
        let vars = watts.map(|w| {
            let active = u64::from(w);
            let apparent = u64::from(apparent_va(w, power_factor_milli));
            let squares = apparent.saturating_mul(apparent).saturating_sub(active.saturating_mul(active));
            u16::try_from(squares.isqrt()).unwrap_or(PHASE_MAX_W).min(PHASE_MAX_W)
        });
        Self { watts, vars, power_factor_milli, decivolts: [2_300; 3] }
    }

    /// The load as a meter of this model can see it: phases that it lacks are dropped, values clamped to the
    /// registers' ranges.
    pub(super) fn seen_by(mut self, model: Model) -> Self {
        for phases in [&mut self.watts, &mut self.vars, &mut self.decivolts] {
            for absent in phases.iter_mut().skip(model.phases()) {
                *absent = 0;
            }
        }
        for power in self.watts.iter_mut().chain(&mut self.vars) {
            *power = (*power).min(PHASE_MAX_W);
        }
        self.power_factor_milli = self.power_factor_milli.clamp(1, 1_000);
        self
    }

    /// Sum of the active powers in W.
    pub(super) fn total_w(&self) -> u64 {
        self.watts.iter().map(|w| u64::from(*w)).sum()
    }
}

/// Apparent power in VA.
pub(super) fn apparent_va(watts: u16, power_factor_milli: u16) -> u32 {
    let factor = u32::from(power_factor_milli).max(1);
    u32::from(watts).saturating_mul(1_000).saturating_add(factor / 2).checked_div(factor).unwrap_or(0)
}

/// The electrical registers at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measured {
    /// 0.1 V
    pub(super) voltage: [u16; 3],
    /// 0.01 A
    pub(super) current: [u16; 3],
    /// 0.001 kW, phases and sum.
    pub(super) active: [u16; 4],
    /// 0.001 kvar, phases and sum.
    pub(super) reactive: [u16; 4],
    /// 0.001, phases and sum.
    pub(super) factor: [u16; 4],
    /// 0.001 kVA, sum.
    pub(super) apparent: u16,
}

impl Measured {
    /// What the meter shows for this load, which is `Load::NONE` with the same voltages while the relay is open.
    pub(super) fn of(load: &Load, model: Model) -> Self {
        let [va, vb, vc] = load.decivolts;
        let [wa, wb, wc] = load.watts;
        let present = |phase: usize| if phase < model.phases() { load.power_factor_milli } else { 0 };
        let apparent: u32 = load.watts.iter().map(|w| apparent_va(*w, load.power_factor_milli)).sum();
        Self {
            voltage: load.decivolts,
            current: [(wa, va), (wb, vb), (wc, vc)].map(|(w, v)| centiamperes(w, v, load.power_factor_milli)),
            active: with_sum(load.watts),
            reactive: with_sum(load.vars),
            factor: [present(0), present(1), present(2), load.power_factor_milli],
            apparent: u16::try_from(apparent).unwrap_or(u16::MAX),
        }
    }
}

/// The three phases and their sum. The sum stops at the end of the signed register: a real shop of more than
/// 32.767 kW would have a meter with current transformers.
fn with_sum([a, b, c]: [u16; 3]) -> [u16; 4] {
    let sum = a.saturating_add(b).saturating_add(c).min(PHASE_MAX_W);
    [a, b, c, sum]
}

/// I = P / (U * pf), in 0.01 A, rounded half up.
fn centiamperes(watts: u16, decivolts: u16, power_factor_milli: u16) -> u16 {
    let divisor = u64::from(decivolts).saturating_mul(u64::from(power_factor_milli));
    let scaled = u64::from(watts).saturating_mul(1_000_000).saturating_add(divisor / 2);
    scaled.checked_div(divisor).map_or(0, |current| u16::try_from(current).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn current_follows_from_power_voltage_and_factor() {
        let load = Load { decivolts: [2_301; 3], ..Load::new([1_187, 0, 0], 987) };
        let measured = Measured::of(&load.seen_by(Model::Ddsy1352), Model::Ddsy1352);
        assert_eq!(measured.current, [523, 0, 0]);
        assert_eq!(measured.voltage, [2_301, 0, 0]);
        assert_eq!(measured.factor, [987, 0, 0, 987]);
        assert_eq!(measured.apparent, 1_203);
    }

    #[test]
    fn reactive_power_closes_the_triangle() {
        assert_eq!(Load::new([3_000, 0, 0], 600).vars, [4_000, 0, 0]);
        assert_eq!(Load::new([3_000, 0, 0], 1_000).vars, [0, 0, 0]);
    }
}
