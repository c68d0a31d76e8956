//! A group of meters under one limit: the lowest priority is shed first and restored last.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Limits, Stagger};
use crate::id::MeterNumber;
use crate::time::Now;

/// How a group sheds and restores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSettings {
    /// Watts that have to stay free below the limit after a restore. Without them a load at the limit goes on and off.
    pub margin_w: u64,
    /// How long the next meter has to fit before it is restored, in ms.
    pub restore_delay_ms: u64,
    /// One restore in each such interval, in ms.
    pub restore_interval_ms: u64,
    /// The shortest time off, in ms.
    pub min_off_ms: u64,
    /// A meter that is shed again so soon after its restore stays off twice as long as before, in ms.
    pub flap_window_ms: u64,
    /// The longest that the shortest time off grows to, in ms.
    pub max_off_ms: u64,
}

impl GroupSettings {
    /// 5 minutes of room before a restore, one a minute, off for 10 minutes at least; doubled up to 4 hours when it is
    /// shed again within half an hour.
    #[must_use]
    pub const fn new(margin_w: u64) -> Self {
        Self {
            margin_w,
            restore_delay_ms: 300_000,
            restore_interval_ms: 60_000,
            min_off_ms: 600_000,
            flap_window_ms: 1_800_000,
            max_off_ms: 14_400_000,
        }
    }
}

/// Why a meter is not shed, whatever its priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spared {
    /// A fire pump, a lift.
    NeverCut,
    /// A work tag stands: it is off already, and only its owner brings it back.
    LockedOut,
    /// An operator keeps its power on.
    KeptOn,
}

/// A meter of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its number.
    pub meter: MeterNumber,
    /// The higher, the longer it keeps its supply; equal ones go by their numbers.
    pub priority: u16,
    /// Why it is not shed.
    pub spared: Option<Spared>,
    /// Its load as measured last, in watts.
    pub power_w: u64,
    shed: Option<Shed>,
    /// Its shortest time off, in ms.
    off_ms: u64,
    restored_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Shed {
    since_ms: u64,
    /// What it used before, which it may use again.
    power_w: u64,
}

impl Member {
    /// A meter that is supplied and has not been measured.
    #[must_use]
    pub const fn new(meter: MeterNumber, priority: u16, spared: Option<Spared>) -> Self {
        Self { meter, priority, spared, power_w: 0, shed: None, off_ms: 0, restored_ms: None }
    }

    /// Whether the group has shed it.
    #[must_use]
    pub const fn is_shed(&self) -> bool {
        self.shed.is_some()
    }
}

/// A change for one meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Switch {
    /// Which.
    pub meter: MeterNumber,
    /// Shed, or restored.
    pub shed: bool,
}

/// What a step has decided.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Step {
    /// Meters to switch, in this order.
    pub switches: Vec<Switch>,
    /// The limit in force, in watts.
    pub limit_w: Option<u64>,
    /// The load expected after the switches, in watts.
    pub load_w: u64,
    /// By how much that is above the limit: nobody is left who may be shed. For people to look at.
    pub over_w: u64,
}

/// A group of meters under one limit. Stored whole; monotonic times are set anew by [`LoadGroup::restarted`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadGroup {
    settings: GroupSettings,
    /// In the order in which they are shed.
    members: Vec<Member>,
    /// The limits, by schedule and request.
    pub limits: Limits,
    stagger: Stagger,
    /// The next meter fits since then.
    fits_since_ms: Option<u64>,
}

/// A group that can't be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GroupError {
    /// More meters than one group takes.
    #[error("a group takes at most {max} meters")]
    Full {
        /// The most.
        max: usize,
    },
    /// The meter is in the group already.
    #[error("meter {meter} is in the group already")]
    Twice {
        /// The meter.
        meter: MeterNumber,
    },
    /// The meter is not in the group.
    #[error("meter {meter} is not in the group")]
    UnknownMeter {
        /// The meter.
        meter: MeterNumber,
    },
}

impl LoadGroup {
    /// The most meters of one group.
    pub const MAX_MEMBERS: usize = 1_000;

    /// A group without meters and limits.
    #[must_use]
    pub fn new(settings: GroupSettings) -> Self {
        let stagger = Stagger::new(settings.restore_interval_ms);
        Self { settings, members: Vec::new(), limits: Limits::default(), stagger, fits_since_ms: None }
    }

    /// Takes a meter into the group.
    ///
    /// # Errors
    /// [`GroupError::Full`] and [`GroupError::Twice`].
    pub fn add(&mut self, member: Member) -> Result<(), GroupError> {
        let meter = member.meter;
        if self.members.len() >= Self::MAX_MEMBERS {
            return Err(GroupError::Full { max: Self::MAX_MEMBERS });
        }
        if self.members.iter().any(|known| known.meter == meter) {
            return Err(GroupError::Twice { meter });
        }
        self.members.push(member);
        self.members.sort_unstable_by_key(|member| (member.priority, member.meter));
        Ok(())
    }

    /// Takes a meter out of the group. One that was shed has to be restored by the caller.
    ///
    /// # Errors
    /// [`GroupError::UnknownMeter`].
    pub fn remove(&mut self, meter: MeterNumber) -> Result<Member, GroupError> {
        let index = self.members.iter().position(|member| member.meter == meter);
        index.map(|index| self.members.remove(index)).ok_or(GroupError::UnknownMeter { meter })
    }

    /// The meters, in the order in which they are shed.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// A meter was measured.
    ///
    /// # Errors
    /// [`GroupError::UnknownMeter`].
    pub fn measured(&mut self, meter: MeterNumber, power_w: u64) -> Result<(), GroupError> {
        self.member(meter).map(|member| member.power_w = power_w)
    }

    /// A meter is spared from now on, or not any more.
    ///
    /// # Errors
    /// [`GroupError::UnknownMeter`].
    pub fn spare(&mut self, meter: MeterNumber, spared: Option<Spared>) -> Result<(), GroupError> {
        self.member(meter).map(|member| member.spared = spared)
    }

    /// After a restart monotonic times mean nothing: every wait begins anew.
    pub fn restarted(&mut self, mono_ms: u64) {
        self.fits_since_ms = None;
        self.stagger.restarted(mono_ms);
        for member in &mut self.members {
            member.restored_ms = member.restored_ms.map(|_| mono_ms);
            if let Some(shed) = &mut member.shed {
                shed.since_ms = mono_ms;
            }
        }
    }

    /// Sheds what is too much, at once; restores one meter when it fits and has waited.
    pub fn step(&mut self, now: Now) -> Step {
        let limit_w = self.limits.in_force(now.utc_s);
        let mut switches = Vec::new();
        self.release_spared(now, &mut switches);
        if let Some(limit_w) = limit_w {
            self.shed_above(limit_w, now, &mut switches);
        }
        if !switches.iter().any(|switch| switch.shed) {
            self.restore_one(limit_w, now, &mut switches);
        }
        let load_w = self.load_w();
        Step { switches, limit_w, load_w, over_w: limit_w.map_or(0, |limit_w| load_w.saturating_sub(limit_w)) }
    }

    /// A meter that must never be cut since it was shed comes back at once.
    fn release_spared(&mut self, now: Now, switches: &mut Vec<Switch>) {
        for member in self.members.iter_mut().filter(|member| member.spared == Some(Spared::NeverCut)) {
            switches.extend(member.restore(now.mono_ms));
        }
    }

    fn shed_above(&mut self, limit_w: u64, now: Now, switches: &mut Vec<Switch>) {
        let mut load_w = self.load_w();
        let settings = self.settings;
        // A meter that uses nothing is left alone: shedding it helps nobody.
        let useful = |member: &&mut Member| !member.is_shed() && member.spared.is_none() && member.power_w > 0;
        for member in self.members.iter_mut().filter(useful) {
            if load_w <= limit_w {
                return;
            }
            load_w = load_w.saturating_sub(member.power_w);
            switches.push(member.shed(now.mono_ms, &settings));
            self.fits_since_ms = None;
        }
    }

    /// The highest priority comes back first; a lower one does not overtake it because it is smaller.
    fn restore_one(&mut self, limit_w: Option<u64>, now: Now, switches: &mut Vec<Switch>) {
        let load_w = self.load_w();
        let waits = |member: &&mut Member| member.is_shed() && member.spared != Some(Spared::LockedOut);
        let Some(next) = self.members.iter_mut().rev().find(waits) else {
            self.fits_since_ms = None;
            return;
        };
        let Some(shed) = next.shed else { return };
        let needed_w = load_w.saturating_add(shed.power_w).saturating_add(self.settings.margin_w);
        if limit_w.is_some_and(|limit_w| needed_w > limit_w) {
            self.fits_since_ms = None;
            return;
        }
        let since_ms = *self.fits_since_ms.get_or_insert(now.mono_ms);
        let waited = now.mono_ms.saturating_sub(since_ms) >= self.settings.restore_delay_ms;
        let rested = now.mono_ms.saturating_sub(shed.since_ms) >= next.off_ms;
        if waited && rested && self.stagger.admit(now.mono_ms) {
            switches.extend(next.restore(now.mono_ms));
        }
    }

    fn load_w(&self) -> u64 {
        self.members.iter().fold(0, |sum: u64, member| sum.saturating_add(member.power_w))
    }

    fn member(&mut self, meter: MeterNumber) -> Result<&mut Member, GroupError> {
        let member = self.members.iter_mut().find(|member| member.meter == meter);
        member.ok_or(GroupError::UnknownMeter { meter })
    }
}

impl Member {
    /// From now on it counts as off; a later measurement says if it is not.
    fn shed(&mut self, mono_ms: u64, settings: &GroupSettings) -> Switch {
        let soon = |restored: u64| mono_ms.saturating_sub(restored) < settings.flap_window_ms;
        self.off_ms = if self.restored_ms.is_some_and(soon) {
            self.off_ms.saturating_mul(2).min(settings.max_off_ms).max(settings.min_off_ms)
        } else {
            settings.min_off_ms
        };
        self.shed = Some(Shed { since_ms: mono_ms, power_w: self.power_w });
        self.power_w = 0;
        Switch { meter: self.meter, shed: true }
    }

    /// From now on it counts with what it used before.
    fn restore(&mut self, mono_ms: u64) -> Option<Switch> {
        let shed = self.shed.take()?;
        self.power_w = self.power_w.max(shed.power_w);
        self.restored_ms = Some(mono_ms);
        Some(Switch { meter: self.meter, shed: false })
    }
}
