//! The planner against an exhaustive search, and the search for forbidden ranges.

use meter_protocol::acrel::RealtimeLayout;
use meter_protocol::acrel::fields::{MeterMap, prepay, realtime, vendor};
use meter_protocol::map::{Field, FieldInfo, Group, Table};
use meter_protocol::plan::*;
use meter_protocol::session::{CharFormat, Pace};
use proptest::prelude::*;

fn lines() -> [LineTiming; 7] {
    let serial = |baud, format, turnaround| LineTiming::new(Pace::serial(baud, format), turnaround);
    [
        serial(1200, CharFormat::N8_1, 100_000),
        serial(2400, CharFormat::Parity8_1, 20_000),
        serial(9600, CharFormat::N8_1, 0),
        serial(9600, CharFormat::N8_1, 35_000),
        serial(19_200, CharFormat::N8_2, 10_000),
        serial(38_400, CharFormat::N8_1, 200_000),
        LineTiming::new(Pace::UNPACED, 5_000),
    ]
}

/// The least cost over all ways to divide the fields into reads, by subsets: no order, no runs, no spans. On each line,
/// from one look at what may be read together.
fn exhaustive(due: &[FieldInfo], lines: &[LineTiming; 7], limits: &Limits<'_>) -> [Option<u64>; 7] {
    let sets = 1_usize << due.len();
    let counts: Vec<Option<u16>> = (0..sets).map(|set| registers_of(due, set, limits)).collect();
    lines.map(|line| {
        let costs: Vec<Option<u64>> = counts.iter().map(|count| count.map(|count| line.read_us(count))).collect();
        cheapest(&costs)
    })
}

/// The least sum of costs over all partitions of the whole set; `costs` holds that of each subset as one read.
fn cheapest(costs: &[Option<u64>]) -> Option<u64> {
    let mut best = vec![None; costs.len()];
    best[0] = Some(0);
    for set in 1..costs.len() {
        // The read that holds the lowest field: some part of the others goes with it.
        let lowest = set & set.wrapping_neg();
        let others = set & !lowest;
        let mut part = others;
        loop {
            if let (Some(one), Some(rest)) = (costs[part | lowest], best[others & !part]) {
                let sum: u64 = one + rest;
                best[set] = Some(best[set].map_or(sum, |known: u64| known.min(sum)));
            }
            if part == 0 {
                break;
            }
            part = (part - 1) & others;
        }
    }
    best[costs.len() - 1]
}

/// How many registers one read of these fields has, if it may be made.
fn registers_of(due: &[FieldInfo], set: usize, limits: &Limits<'_>) -> Option<u16> {
    let chosen = |index: usize| set & (1 << index) != 0;
    let fields: Vec<_> = (0..due.len()).filter(|index| chosen(*index)).map(|index| due[index]).collect();
    let first = fields.iter().map(|field| field.address).min()?;
    let last = fields.iter().map(|field| field.last()).max()?;
    let table = fields[0].table;
    let registers: Vec<u16> = (first..=last).collect();
    let holds = |field: &FieldInfo, register: u16| field.address <= register && register <= field.last();
    let in_group = |group: Group, register: u16| {
        let members = due.iter().filter(|field| field.group == Some(group));
        let (low, high) = members.fold((u16::MAX, 0), |(low, high), f| (low.min(f.address), high.max(f.last())));
        low <= register && register <= high
    };
    let known = |register: u16| {
        limits.read_unknown
            || limits.known.iter().copied().flatten().any(|field| field.table == table && holds(field, register))
            || fields.iter().any(|field| holds(field, register))
            || fields.iter().filter_map(|field| field.group).any(|group| in_group(group, register))
    };
    let whole_groups = (0..due.len()).all(|index| {
        let group = due[index].group;
        chosen(index) || group.is_none() || !fields.iter().any(|field| field.group == group)
    });
    let allowed = whole_groups
        && registers.len() <= limits.max_registers.into()
        && fields.iter().all(|field| field.table == table)
        && registers.iter().all(|register| known(*register))
        && !limits.forbidden.iter().any(|range| {
            range.table == table && registers.iter().any(|register| (range.first..=range.last).contains(register))
        });
    allowed.then_some(registers.len() as u16)
}

fn field(address: u16, kind: u8, group: Option<u8>, input: bool) -> FieldInfo {
    let mut info = match kind {
        0 => Field::u16("word", address).info(),
        1 => Field::u32("long", address).info(),
        2 => Field::high_byte("half", address).info(),
        _ => Field::raw("block", address, 5).info(),
    };
    info.group = group.map(Group);
    // A group stands in one table.
    info.table = if input && group.is_none() { Table::Input } else { Table::Holding };
    info
}

fn fields(most: usize) -> impl Strategy<Value = Vec<FieldInfo>> {
    let one = (0..120_u16, 0..4_u8, proptest::option::weighted(0.3, 0..3_u8), proptest::bool::weighted(0.1));
    proptest::collection::vec(one.prop_map(|(a, k, g, i)| field(a, k, g, i)), 1..=most)
}

fn ranges() -> impl Strategy<Value = Vec<RegisterRange>> {
    let one = (0..130_u16, 0..4_u16);
    let range = one.prop_map(|(first, more)| RegisterRange { table: Table::Holding, first, last: first + more });
    proptest::collection::vec(range, 0..3)
}

fn compare(
    due: &[FieldInfo],
    known: &[FieldInfo],
    forbidden: &[RegisterRange],
    max: u16,
    read_unknown: bool,
) -> Result<(), TestCaseError> {
    let tables = [known];
    let limits = Limits::new(max, &tables).with_forbidden(forbidden).with_read_unknown(read_unknown);
    let mut scratch = Scratch::new();
    for (line, expected) in lines().into_iter().zip(exhaustive(due, &lines(), &limits)) {
        match plan(due, &line, &limits, &mut scratch) {
            Ok(plan) => {
                prop_assert_eq!(Some(plan.cost_us()), expected);
                let sum: u64 = plan.reads().iter().map(|read| line.read_us(read.count)).sum();
                prop_assert_eq!(plan.cost_us(), sum);
                for field in due {
                    let covers = |read: &Read| {
                        read.table == field.table
                            && read.address <= field.address
                            && field.last() < read.address + read.count
                    };
                    prop_assert!(plan.reads().iter().any(covers), "{:?}", field);
                }
            }
            Err(error) => prop_assert!(expected.is_none(), "{}", error),
        }
    }
    Ok(())
}

/// `PLAN_CASES=100000` runs the long form, in release some minutes.
fn cases() -> u32 {
    std::env::var("PLAN_CASES").map_or(100, |cases| cases.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn equals_exhaustive_search(due in fields(12), known in fields(30), forbidden in ranges(), max in 4..=125_u16, read_unknown in any::<bool>()) {
        compare(&due, &known, &forbidden, max, read_unknown)?;
    }
}

proptest! {
    #[test]
    fn a_forbidden_range_is_found_within_the_bound(address in 0..1000_u16, count in 1..=125_u16, at in any::<prop::sample::Index>(), len in 1..10_u16) {
        let first = address + at.index(count.into()) as u16;
        let last = (first + len - 1).min(address + count - 1);
        let mut search = ForbiddenSearch::new(Read { table: Table::Input, address, count });
        let mut reads = 0;
        while let Some(probe) = search.probe() {
            let touches = probe.address <= last && first < probe.address + probe.count;
            search.answered(!touches);
            reads += 1;
        }
        prop_assert_eq!(search.found(), Some(RegisterRange { table: Table::Input, first, last }));
        prop_assert!(reads <= 2 * count.ilog2() + 2, "{} reads for {} registers", reads, count);
    }
}

#[test]
fn the_realtime_block_is_one_read() {
    for map in [MeterMap::Dtsy1352(RealtimeLayout::FourRate), MeterMap::Ddsy1352(RealtimeLayout::FourRate)] {
        let limits = Limits::new(123, map.tables());
        let block =
            map.fields().filter(|field| field.table == Table::Holding && (0x0200..0x0230).contains(&field.address));
        for line in &lines()[..6] {
            let mut scratch = Scratch::new();
            let plan = plan(block.clone(), line, &limits, &mut scratch).unwrap();
            assert_eq!(plan.reads(), [Read { table: Table::Holding, address: 0x0200, count: 48 }]);
        }
    }
}

#[test]
fn balance_and_count_stay_together() {
    let due = [realtime::PURCHASE_COUNT.info(), realtime::REMAINING_AMOUNT.info(), prepay::ENABLE.info()];
    let tables = [realtime::ALL, prepay::ALL];
    let mut scratch = Scratch::new();
    let plan = plan(&due, &lines()[3], &Limits::new(123, &tables), &mut scratch).unwrap();
    let reads = [(0x021F, 3), (0x0400, 1)].map(|(address, count)| Read { table: Table::Holding, address, count });
    assert_eq!(plan.reads(), reads);
    assert_eq!(plan.reads()[0].request(), meter_protocol::wire::Request::read_holding(0x021F, 3));
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    let mut scratch = Scratch::new();
    let line = lines()[0];
    let limits = Limits::new(10, &[]);
    let refused = |due: &[FieldInfo], limits: &Limits<'_>, scratch: &mut Scratch| {
        plan(due, &line, limits, scratch).map(|_| ()).unwrap_err()
    };
    let window = refused(&[vendor::PURCHASE.info()], &limits, &mut scratch);
    assert_eq!(window, PlanError::NotReadable { name: "write_purchase" });
    let apart = [field(0, 0, Some(1), false), field(20, 0, Some(1), false)];
    let too_long = PlanError::TooLong { name: "word", count: 21, max: 10 };
    assert_eq!(refused(&apart, &limits, &mut scratch), too_long);
    let forbidden = [RegisterRange { table: Table::Holding, first: 1, last: 1 }];
    let limits = limits.with_forbidden(&forbidden);
    assert_eq!(refused(&[field(0, 1, None, false)], &limits, &mut scratch), PlanError::Forbidden { name: "long" });
    let many: Vec<_> = (0..129).map(|address| field(address * 2, 0, None, false)).collect();
    assert_eq!(refused(&many, &limits.with_forbidden(&[]), &mut scratch), PlanError::TooManyFields);
    assert!(plan(&[], &line, &limits, &mut scratch).unwrap().reads().is_empty());
}
