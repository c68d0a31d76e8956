//! The largest bill that a version could bring, so that nothing overflows later.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::Shared;
use super::compiled::{Base, CompiledVersion, TaxKind};
use super::error::{CompileError, Path};
use super::values::SHARE_ONE;
use crate::limits::{MAX_BILL, MAX_DEMAND_KW, MAX_PERIOD_KWH};
use crate::tariff::FixedPer;

/// 10⁻¹⁸, the unit of prices.
const PRICE_ONE: u128 = 10_u128.pow(18);
/// Days that a daily price can count in one bill.
const MAX_DAYS: u128 = 366;

/// Refuses a version whose prices, at the limits of usage, bring more than [`MAX_BILL`].
pub(super) fn check(path: &Path<'_>, shared: &Shared<'_>, version: &CompiledVersion) -> Result<(), CompileError> {
    let largest = largest_bill(shared, version);
    if largest > u128::from(MAX_BILL.unsigned_abs()) {
        let rule = format!("at the limits of usage the bill may not exceed {MAX_BILL}; lower the largest price");
        return Err(path.error(format!("prices that can bring {largest}"), rule));
    }
    Ok(())
}

/// In whole units of the currency, rounded up at every step.
fn largest_bill(shared: &Shared<'_>, version: &CompiledVersion) -> u128 {
    let months = u128::from(shared.billing.months);
    let mut subtotals: Vec<u128> = vec![0; version.subtotals()];
    let mut put = |place: usize, amount: u128| {
        if let Some(subtotal) = subtotals.get_mut(place) {
            *subtotal = subtotal.saturating_add(amount);
        }
    };
    let kwh = u128::from(MAX_PERIOD_KWH.unsigned_abs());
    let kw = u128::from(MAX_DEMAND_KW.unsigned_abs());
    let largest = |prices: &mut dyn Iterator<Item = i128>| prices.map(i128::unsigned_abs).max().unwrap_or(0);
    // The prices of components are bounded on their own, because they can be taken out of a base.
    let parts = version.energy.components.iter().flat_map(|(_, cells)| cells.iter().copied());
    let energy = largest(&mut version.energy.prices.iter().copied().chain(parts));
    put(0, times(energy, kwh));
    for (index, charge) in version.demand.iter().enumerate() {
        for rate in &charge.rates {
            let price = largest(&mut rate.tiers.iter().map(|(_, price)| *price));
            put(CompiledVersion::FIRST_DEMAND.saturating_add(index), times(price, kw));
        }
    }
    for (index, contract) in version.contract.iter().enumerate() {
        let over = largest(&mut contract.over.iter().map(|(_, price)| *price));
        let price = contract.price.unsigned_abs().saturating_add(over);
        put(version.first_contract().saturating_add(index), times(price, kw));
    }
    for (index, fixed) in version.fixed.iter().enumerate() {
        let count = if fixed.per == FixedPer::Day { MAX_DAYS } else { months };
        put(version.first_fixed().saturating_add(index), times(fixed.price.unsigned_abs(), count));
    }
    let sum_of = |subtotals: &[u128], base: &Base| {
        base.iter().filter_map(|place| subtotals.get(*place)).fold(0_u128, |sum, part| sum.saturating_add(*part))
    };
    let share_of = |sum: u128, percent: i64| {
        let hundred = SHARE_ONE.unsigned_abs().saturating_mul(100);
        sum.saturating_mul(u128::from(percent.unsigned_abs())).div_ceil(hundred)
    };
    if let Some(entry) = &version.power_factor {
        let percent = entry.table.iter().map(|(_, percent)| percent.saturating_abs()).max().unwrap_or(0);
        // What is taken out of the base may weigh as much as the base.
        let amount = share_of(sum_of(&subtotals, &entry.base).saturating_mul(2), percent);
        if let Some(subtotal) = subtotals.get_mut(version.power_factor_place()) {
            *subtotal = amount;
        }
    }
    if let Some(entry) = &version.minimum {
        let prices = [entry.monthly, entry.annual].into_iter().flatten();
        let amount = prices.fold(sum_of(&subtotals, &entry.base), |sum, price| {
            sum.saturating_add(times(price.unsigned_abs(), months))
        });
        if let Some(subtotal) = subtotals.get_mut(version.minimum_place()) {
            *subtotal = amount;
        }
    }
    for (index, tax) in version.taxes.iter().enumerate() {
        let amount = match &tax.kind {
            TaxKind::Added { percent, base } | TaxKind::Included { percent, base } => {
                share_of(sum_of(&subtotals, base), *percent)
            }
            TaxKind::PerKwh { price } => times(price.unsigned_abs(), kwh),
        };
        if let Some(subtotal) = subtotals.get_mut(version.first_tax().saturating_add(index)) {
            *subtotal = amount;
        }
    }
    subtotals.iter().fold(0_u128, |sum, part| sum.saturating_add(*part))
}

/// A price in 10⁻¹⁸ times a count, in whole units of the currency, rounded up.
fn times(price: u128, count: u128) -> u128 {
    price.saturating_mul(count).div_ceil(PRICE_ONE)
}
