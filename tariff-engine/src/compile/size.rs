//! What a running bill of a tariff has to remember, bounded before there is one.
//!
//! The same on every machine: each thing counts as many bytes as it takes on one of 64 bits.

use alloc::format;

use super::compiled::{CompiledVersion, LadderKind};
use super::error::{CompileError, Path};
use super::{CompiledTariff, Shared};
use crate::exact::Amount;
use crate::limits::{MAX_FLAGGED_DAYS, MAX_LOOKBACK, MAX_OPEN_CELLS, MAX_RUNNING_BYTES};
use crate::running::RunningBill;
use crate::running::state::{Book, Flagged, Peak, PeriodPeak};
use crate::tariff::Scope;

/// A running bill itself, with a pointer to its tariff.
const RUNNING_BYTES: usize = 640;
const BOOK_BYTES: usize = 128;
const REGISTER_BYTES: usize = 8;
const NUMBER_BYTES: usize = 2;
const PEAK_BYTES: usize = 16;
const FLAGGED_BYTES: usize = 8;
/// Fractions of the sum of a year's bills: their small denominators come together in a few.
const FEW_PARTS: usize = 4;

const _: () = assert!(
    size_of::<RunningBill<&CompiledTariff>>() <= RUNNING_BYTES
        && size_of::<Book>() <= BOOK_BYTES
        && size_of::<Peak>() <= PEAK_BYTES
        && size_of::<PeriodPeak>() <= PEAK_BYTES
        && size_of::<Flagged>() <= FLAGGED_BYTES,
    "the bound counts less than there is"
);

/// Refuses a tariff under which a billing period would need too many registers or too much memory.
pub(super) fn check(path: &Path<'_>, shared: &Shared<'_>, versions: &[CompiledVersion]) -> Result<(), CompileError> {
    let always = always(shared, versions);
    for (index, version) in versions.iter().enumerate() {
        let Some((from_day, _)) = shared.billing.span(version.from_day) else { continue };
        let period_from_utc_s = shared.zone.day_start(from_day);
        // The versions that the billing period has seen when this one begins.
        let seen = || {
            let until_here = versions.iter().take(index.saturating_add(1)).rev();
            until_here.take_while(|earlier| earlier.until_utc_s > period_from_utc_s)
        };
        let cells = seen().fold(0_usize, |sum, version| sum.saturating_add(version.energy.cells()));
        if cells > MAX_OPEN_CELLS {
            let rule = format!("at most {MAX_OPEN_CELLS} rates × tiers in all versions of one billing period");
            return Err(path.index(index).key("energy").error(format!("{cells} rates × tiers"), rule));
        }
        let bytes = seen().fold(always, |sum, version| sum.saturating_add(book_bytes(shared, version)));
        if bytes > MAX_RUNNING_BYTES {
            let rule = format!(
                "rates, tiers, demand registers and ratchets that a running bill holds in {MAX_RUNNING_BYTES} bytes"
            );
            return Err(path.index(index).error(format!("{bytes} bytes"), rule));
        }
    }
    Ok(())
}

/// Everything but the books.
fn always(shared: &Shared<'_>, versions: &[CompiledVersion]) -> usize {
    let ratchets = (0..shared.demand_names.len()).filter(|name| has_ratchet(versions, *name)).count();
    let past_peaks = ratchets.saturating_mul(usize::try_from(MAX_LOOKBACK).unwrap_or(usize::MAX));
    let flagged = if shared.days.flags.is_empty() { 0 } else { MAX_FLAGGED_DAYS };
    [
        RUNNING_BYTES,
        ladder_bytes(shared),
        shared.registers.len().saturating_mul(PEAK_BYTES),
        past_peaks.saturating_mul(PEAK_BYTES),
        flagged.saturating_mul(FLAGGED_BYTES),
        year_parts(shared, versions).saturating_mul(Amount::PART_BYTES),
    ]
    .into_iter()
    .fold(0, usize::saturating_add)
}

/// A position in the ladder.
fn ladder_bytes(shared: &Shared<'_>) -> usize {
    let registers = shared.rate_names.len().saturating_mul(REGISTER_BYTES);
    registers.saturating_add(shared.allowances.len().saturating_mul(NUMBER_BYTES))
}

fn book_bytes(shared: &Shared<'_>, version: &CompiledVersion) -> usize {
    let cells = version.energy.cells().saturating_mul(REGISTER_BYTES);
    let start = if matches!(version.energy.ladder.kind, LadderKind::Deferred(_)) { ladder_bytes(shared) } else { 0 };
    BOOK_BYTES.saturating_add(cells).saturating_add(start)
}

/// Fractions that the sum of a year's bills may have: with shares of a month's energy in it, as many as an amount holds.
fn year_parts(shared: &Shared<'_>, versions: &[CompiledVersion]) -> usize {
    let annual = |version: &CompiledVersion| version.minimum.as_ref().is_some_and(|minimum| minimum.annual.is_some());
    let shares =
        |version: &CompiledVersion| version.energy.ladder.kind == LadderKind::Deferred(Scope::SharedProportional);
    let exact = shared.tariff.rounding.lines.is_none();
    if exact && versions.iter().any(annual) && versions.iter().any(shares) { Amount::MAX_PARTS } else { FEW_PARTS }
}

/// Whether peaks of a demand charge are kept for later.
pub(crate) fn has_ratchet(versions: &[CompiledVersion], name: usize) -> bool {
    let of_name = |number: u16| usize::from(number) == name;
    versions.iter().flat_map(|version| &version.demand).any(|charge| of_name(charge.name) && charge.ratchet.is_some())
}
