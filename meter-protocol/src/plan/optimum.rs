//! The dynamic programme. Fields and groups become spans of registers; spans inside another are read with it; what is
//! left ascends by first and by last register alike, so that an optimal plan cuts the sorted spans into runs.

use super::{Limits, LineTiming, MAX_FIELDS, PlanError, Read};
use crate::map::{FieldInfo, Table};

/// Registers that must be read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    table: Table,
    first: u16,
    last: u16,
    /// A field of it, for messages.
    name: &'static str,
}

impl Span {
    const EMPTY: Self = Self { table: Table::Holding, first: 0, last: 0, name: "" };

    fn contains(&self, other: &Self) -> bool {
        self.table == other.table && self.first <= other.first && other.last <= self.last
    }
}

/// The best way to read the spans before an index.
#[derive(Clone, Copy, Debug)]
struct Best {
    cost_us: u64,
    reads: u16,
    /// Index of the first span of the last read.
    from: usize,
}

impl Best {
    const START: Self = Self { cost_us: 0, reads: 0, from: 0 };
    const NONE: Self = Self { cost_us: u64::MAX, reads: u16::MAX, from: 0 };
}

/// The planner's memory, lent by the caller and used again for each plan.
#[derive(Clone, Debug)]
pub struct Scratch {
    spans: [Span; MAX_FIELDS],
    best: [Best; MAX_FIELDS + 1],
    reads: [Read; MAX_FIELDS],
}

impl Scratch {
    /// Memory for any plan.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            spans: [Span::EMPTY; MAX_FIELDS],
            best: [Best::NONE; MAX_FIELDS + 1],
            reads: [Read { table: Table::Holding, address: 0, count: 0 }; MAX_FIELDS],
        }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads that cover the due fields at the least cost.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'s> {
    reads: &'s [Read],
    cost_us: u64,
}

impl Plan<'_> {
    /// The reads, by table and address.
    #[must_use]
    pub const fn reads(&self) -> &[Read] {
        self.reads
    }

    /// Bus time of all of them, in microseconds.
    #[must_use]
    pub const fn cost_us(&self) -> u64 {
        self.cost_us
    }
}

/// Plans the reads of `due`. Of plans with equal cost the one with fewer reads is taken.
///
/// # Errors
/// [`PlanError`].
pub fn plan<'s, 'f>(
    due: impl IntoIterator<Item = &'f FieldInfo>,
    line: &LineTiming,
    limits: &Limits<'_>,
    scratch: &'s mut Scratch,
) -> Result<Plan<'s>, PlanError> {
    let Scratch { spans, best, reads } = scratch;
    let spans = collect(due, spans)?;
    for span in &*spans {
        check(span, limits)?;
    }
    let spans = keep_outermost(spans);
    search(spans, line, limits, best);
    let (reads, cost_us) = trace(spans, best, reads);
    Ok(Plan { reads, cost_us })
}

/// One span for each group and for each field without one.
fn collect<'a, 'f>(
    due: impl IntoIterator<Item = &'f FieldInfo>,
    spans: &'a mut [Span; MAX_FIELDS],
) -> Result<&'a mut [Span], PlanError> {
    let mut groups = [None; MAX_FIELDS];
    let mut count = 0_usize;
    for field in due {
        let name = field.name;
        if field.table == Table::Vendor {
            return Err(PlanError::NotReadable { name });
        }
        let of_group = |group: &Option<_>| group.is_some() && *group == field.group;
        let index = groups.iter().take(count).position(of_group).unwrap_or(count);
        let (Some(group), Some(span)) = (groups.get_mut(index), spans.get_mut(index)) else {
            return Err(PlanError::TooManyFields);
        };
        if index < count {
            if span.table != field.table {
                return Err(PlanError::GroupApart { name });
            }
            span.first = span.first.min(field.address);
            span.last = span.last.max(field.last());
        } else {
            *group = field.group;
            *span = Span { table: field.table, first: field.address, last: field.last(), name };
            count = count.saturating_add(1);
        }
    }
    Ok(spans.get_mut(..count).unwrap_or_default())
}

fn check(span: &Span, limits: &Limits<'_>) -> Result<(), PlanError> {
    let Span { table, first, last, name } = *span;
    let count = u32::from(last.saturating_sub(first)).saturating_add(1);
    let max = limits.longest();
    if count > u32::from(max) {
        return Err(PlanError::TooLong { name, count, max });
    }
    if limits.forbids(table, first, last) {
        return Err(PlanError::Forbidden { name });
    }
    Ok(())
}

/// Sorts the spans and drops those that lie inside another.
fn keep_outermost(spans: &mut [Span]) -> &[Span] {
    // Of spans with one start the longest comes first, so that the others are dropped after it.
    spans.sort_unstable_by_key(|span| (span.table, span.first, core::cmp::Reverse(span.last)));
    let mut kept = 0_usize;
    for index in 0..spans.len() {
        let Some(span) = spans.get(index).copied() else { break };
        let before = kept.checked_sub(1).and_then(|before| spans.get(before));
        if before.is_some_and(|before| before.contains(&span)) {
            continue;
        }
        if let Some(place) = spans.get_mut(kept) {
            *place = span;
            kept = kept.saturating_add(1);
        }
    }
    spans.get(..kept).unwrap_or_default()
}

/// Fills `best` for every number of leading spans.
fn search(spans: &[Span], line: &LineTiming, limits: &Limits<'_>, best: &mut [Best; MAX_FIELDS + 1]) {
    *best = [Best::NONE; MAX_FIELDS + 1];
    best[0] = Best::START;
    for (from, start) in spans.iter().enumerate() {
        let Some(before) = best.get(from).copied() else { return };
        let mut end = start;
        for (index, span) in spans.iter().enumerate().skip(from) {
            if index > from && !joins(end, span, start, limits) {
                break;
            }
            end = span;
            let count = span.last.saturating_sub(start.first).saturating_add(1);
            let candidate = Best {
                cost_us: before.cost_us.saturating_add(line.read_us(count)),
                reads: before.reads.saturating_add(1),
                from,
            };
            if let Some(place) = best.get_mut(index.saturating_add(1))
                && (candidate.cost_us, candidate.reads) < (place.cost_us, place.reads)
            {
                *place = candidate;
            }
        }
    }
}

/// Whether a read from `start` that reaches `end` can go on to `next`.
fn joins(end: &Span, next: &Span, start: &Span, limits: &Limits<'_>) -> bool {
    let last = next.last.max(end.last);
    next.table == start.table
        && last.saturating_sub(start.first) < limits.longest()
        && !limits.forbids(next.table, start.first, last)
        && (next.first <= end.last
            || limits.knows(next.table, end.last.saturating_add(1), next.first.saturating_sub(1)))
}

/// Follows the best cuts back from the end and puts the reads in order.
fn trace<'r>(spans: &[Span], best: &[Best], reads: &'r mut [Read; MAX_FIELDS]) -> (&'r [Read], u64) {
    let total = best.get(spans.len()).copied().unwrap_or(Best::START);
    let count = usize::from(total.reads);
    let reads = reads.get_mut(..count).unwrap_or_default();
    let mut end = spans.len();
    for place in reads.iter_mut().rev() {
        let from = best.get(end).map_or(0, |cut| cut.from);
        let run = spans.get(from..end).unwrap_or_default();
        if let (Some(first), Some(last)) = (run.first(), run.last()) {
            let registers = last.last.saturating_sub(first.first).saturating_add(1);
            *place = Read { table: first.table, address: first.first, count: registers };
        }
        end = from;
    }
    (reads, total.cost_us)
}
