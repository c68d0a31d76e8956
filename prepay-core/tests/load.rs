//! Load limiting: who is shed under which limit, who comes back when, and who is left alone.

use prepay_core::id::{MeterNumber, OperatorId, Reason};
use prepay_core::load::{GroupError, GroupSettings, LimitRequest, LoadGroup, Member, Spared, Switch};
use prepay_core::time::Now;
use proptest::prelude::*;

const MINUTE_MS: u64 = 60_000;
const SPARED: [Option<Spared>; 4] = [None, Some(Spared::NeverCut), Some(Spared::LockedOut), Some(Spared::KeptOn)];

fn meter(number: u64) -> MeterNumber {
    MeterNumber::new(number).unwrap()
}

fn at(mono_ms: u64) -> Now {
    Now::new(mono_ms, 1_772_719_650 + (mono_ms / 1_000).cast_signed())
}

fn ask(group: &mut LoadGroup, limit_w: u64) {
    let why = Reason::new("the grid asks").unwrap();
    let request = LimitRequest { by: OperatorId(3), why, limit_w, until_utc_s: None };
    group.limits.request(request, at(0).utc_s).unwrap();
}

/// Members 1, 2, … with priorities 10, 20, …
fn group(loads: &[u64], spared: &[Option<Spared>]) -> LoadGroup {
    let mut group = LoadGroup::new(GroupSettings::new(500));
    for ((number, load), spared) in (1..).zip(loads).zip(spared) {
        group.add(Member::new(meter(number), u16::try_from(number).unwrap() * 10, *spared)).unwrap();
        group.measured(meter(number), *load).unwrap();
    }
    group
}

fn shed(group: &LoadGroup) -> Vec<u64> {
    group.members().iter().filter(|member| member.is_shed()).map(|member| member.meter.get()).collect()
}

/// Every group of three with loads of 0, 1 or 2 kW, every mix of spared members, every limit: exactly those are shed
/// whom a plain walk from the lowest priority takes.
#[test]
fn every_small_group_sheds_in_priority_order_and_no_more_than_it_has_to() {
    for case in 0..27 * 64 * 8 {
        let loads = [case % 3, case / 3 % 3, case / 9 % 3].map(|kw: u64| kw * 1_000);
        let spared =
            [case / 27 % 4, case / 108 % 4, case / 432 % 4].map(|index| SPARED[usize::try_from(index).unwrap()]);
        let limit_w = case / 1_728 * 1_000;
        let mut group = group(&loads, &spared);
        ask(&mut group, limit_w);
        let step = group.step(at(0));
        let (mut load_w, mut expected) = (loads.iter().sum::<u64>(), vec![]);
        for ((number, load), spared) in (1..).zip(loads).zip(spared) {
            if load_w > limit_w && spared.is_none() && load > 0 {
                load_w -= load;
                expected.push(number);
            }
        }
        assert_eq!(shed(&group), expected, "{loads:?} {spared:?} {limit_w}");
        assert_eq!(
            (step.load_w, step.over_w),
            (load_w, load_w.saturating_sub(limit_w)),
            "{loads:?} {spared:?} {limit_w}"
        );
        assert_eq!(step.switches.len(), expected.len());
    }
}

#[test]
fn a_meter_comes_back_when_it_has_fitted_for_the_delay_one_in_each_interval_highest_first() {
    let mut group = group(&[3_000, 2_000, 1_000], &[None; 3]);
    ask(&mut group, 800);
    assert_eq!(group.step(at(0)).switches.len(), 3);
    assert_eq!(group.step(at(MINUTE_MS)).switches, vec![]);
    group.limits.lift();
    let mut restored = vec![];
    for minute in 2..40 {
        restored.extend(group.step(at(minute * MINUTE_MS)).switches.into_iter().map(|switch| (minute, switch)));
    }
    // Ten minutes off at least; then one a minute, the most important first.
    let on = |number| Switch { meter: meter(number), shed: false };
    assert_eq!(restored, vec![(10, on(3)), (11, on(2)), (12, on(1))]);
}

#[test]
fn a_restore_leaves_room_below_the_limit_and_small_ones_do_not_overtake() {
    let mut group = group(&[100, 2_000, 1_000], &[None; 3]);
    ask(&mut group, 1_050);
    group.step(at(0));
    assert_eq!(shed(&group), vec![1, 2]);
    // 3 000 W hold members 2 and 3, but not with 500 W to spare; member 1 would fit and waits behind member 2.
    ask(&mut group, 3_000);
    for minute in 1..60 {
        assert_eq!(group.step(at(minute * MINUTE_MS)).switches, vec![], "minute {minute}");
    }
    ask(&mut group, 3_500);
    let first = (60..80).find(|minute| !group.step(at(minute * MINUTE_MS)).switches.is_empty());
    assert_eq!((first, shed(&group)), (Some(65), vec![1]));
}

#[test]
fn a_meter_that_is_shed_again_soon_stays_off_longer_each_time() {
    let mut group = group(&[1_000], &[None]);
    let (mut minute, mut off) = (0, vec![]);
    for _ in 0..7 {
        ask(&mut group, 500);
        assert!(group.step(at(minute * MINUTE_MS)).switches[0].shed);
        group.limits.lift();
        let since = minute;
        while shed(&group) == [1] {
            minute += 1;
            group.step(at(minute * MINUTE_MS));
        }
        off.push(minute - since);
    }
    assert_eq!(off, vec![10, 20, 40, 80, 160, 240, 240]);
    minute += 30;
    ask(&mut group, 500);
    group.step(at(minute * MINUTE_MS));
    group.limits.lift();
    for later in 1..10 {
        assert!(group.step(at((minute + later) * MINUTE_MS)).switches.is_empty());
    }
    assert!(!group.step(at((minute + 10) * MINUTE_MS)).switches.is_empty());
}

#[test]
fn a_meter_that_does_not_obey_still_counts_and_the_next_one_is_shed() {
    let mut group = group(&[1_000, 1_000, 1_000], &[None; 3]);
    ask(&mut group, 2_000);
    group.step(at(0));
    assert_eq!(shed(&group), vec![1]);
    group.measured(meter(1), 1_000).unwrap();
    let step = group.step(at(MINUTE_MS));
    assert_eq!((shed(&group), step.load_w), (vec![1, 2], 2_000));
}

#[test]
fn a_meter_that_may_not_be_cut_any_more_comes_back_at_once_and_a_tagged_one_not_at_all() {
    let mut group = group(&[1_000, 1_000], &[None; 2]);
    ask(&mut group, 0);
    group.step(at(0));
    assert_eq!(shed(&group), vec![1, 2]);
    group.spare(meter(1), Some(Spared::NeverCut)).unwrap();
    group.spare(meter(2), Some(Spared::LockedOut)).unwrap();
    let step = group.step(at(1));
    assert_eq!(step.switches, vec![Switch { meter: meter(1), shed: false }]);
    assert_eq!(step.over_w, 1_000);
    group.limits.lift();
    for minute in 1..100 {
        assert!(group.step(at(minute * MINUTE_MS)).switches.is_empty());
    }
    group.spare(meter(2), None).unwrap();
    assert!((100..110).any(|minute| !group.step(at(minute * MINUTE_MS)).switches.is_empty()));
}

#[test]
fn a_restart_begins_every_wait_anew_and_the_stored_state_is_the_same() {
    let mut group = group(&[1_000], &[None]);
    ask(&mut group, 0);
    group.step(at(0));
    group.limits.lift();
    let text = serde_json::to_string(&group).unwrap();
    let mut back: LoadGroup = serde_json::from_str(&text).unwrap();
    assert_eq!(back, group);
    back.restarted(7);
    let restored = (1..60).find(|minute| !back.step(at(7 + minute * MINUTE_MS)).switches.is_empty());
    assert_eq!(restored, Some(10));
}

#[test]
fn groups_refuse_strangers_doubles_and_crowds() {
    let mut group = group(&[1], &[None]);
    let stranger = GroupError::UnknownMeter { meter: meter(9) };
    assert_eq!(group.measured(meter(9), 1), Err(stranger));
    assert_eq!(group.spare(meter(9), None), Err(stranger));
    assert_eq!(group.remove(meter(9)), Err(stranger));
    assert_eq!(group.add(Member::new(meter(1), 1, None)), Err(GroupError::Twice { meter: meter(1) }));
    (2..=1_000).for_each(|number| group.add(Member::new(meter(number), 1, None)).unwrap());
    assert_eq!(group.add(Member::new(meter(1_001), 1, None)), Err(GroupError::Full { max: 1_000 }));
    assert_eq!(group.remove(meter(1)).map(|member| member.meter), Ok(meter(1)));
}

proptest! {
    /// A world whose loads and limits change: the limit holds after each step or nobody is left to shed, spared meters
    /// are left alone, and with steady loads and limits everything comes to rest.
    #[test]
    fn the_limit_holds_and_everything_comes_to_rest(
        loads in prop::collection::vec(0_u64..5_000, 1..12),
        spared in prop::collection::vec(0_usize..8, 12),
        limits in prop::collection::vec(prop::option::of(0_u64..30_000), 1..6),
        changes in prop::collection::vec((0_usize..12, 0_u64..5_000), 0..20),
    ) {
        let spared: Vec<_> = spared.iter().map(|index| SPARED.get(*index).copied().flatten()).collect();
        let mut demand = loads.clone();
        let mut group = group(&loads, &spared);
        let (mut minute, mut changes) = (0, changes.into_iter());
        for limit in limits {
            match limit {
                Some(limit_w) => ask(&mut group, limit_w),
                None => drop(group.limits.lift()),
            }
            let mut switches_at = vec![];
            for step in 0..1_500_u64 {
                if step < 10 && let Some((index, load)) = changes.next() && let Some(demand) = demand.get_mut(index) {
                    *demand = load;
                }
                // The meters obey, and are measured.
                for (member, demand) in group.members().to_vec().iter().zip(&demand) {
                    group.measured(member.meter, if member.is_shed() { 0 } else { *demand }).unwrap();
                }
                minute += 1;
                let outcome = group.step(at(minute * MINUTE_MS));
                if !outcome.switches.is_empty() {
                    switches_at.push(step);
                }
                let supplied = group.members().iter().zip(&demand).filter(|(member, _)| !member.is_shed());
                let load_w: u64 = supplied.clone().map(|(_, demand)| *demand).sum();
                let sheddable = supplied.clone().any(|(member, demand)| member.spared.is_none() && *demand > 0);
                let restored = outcome.switches.iter().any(|switch| !switch.shed);
                prop_assert!(restored || limit.is_none_or(|limit_w| load_w <= limit_w) || !sheddable);
                for member in group.members() {
                    prop_assert!(member.spared.is_none() || !member.is_shed());
                }
            }
            // 1 500 minutes: the loads are steady after ten, so nothing moves in the last 900.
            prop_assert!(switches_at.iter().all(|step| *step < 600), "{switches_at:?}");
            if limit.is_none() {
                prop_assert_eq!(shed(&group), Vec::<u64>::new());
            }
        }
    }
}
