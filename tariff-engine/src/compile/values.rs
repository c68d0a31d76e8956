//! Single values of a document: numbers within their range and digits, names, lengths.

use alloc::format;
use alloc::string::ToString;

use super::error::{CompileError, Path};
use crate::exact::Number;
use crate::limits::{MAX_CHARGE, MAX_NAME_CHARS, MAX_PRICE, MAX_PRICE_PLACES};

/// Decimal places of a price inside.
pub(crate) const PRICE_PLACES: u32 = MAX_PRICE_PLACES;
/// Decimal places of shares, ratios and factors inside.
pub(crate) const SHARE_PLACES: u32 = 6;
/// One, as a share.
pub(crate) const SHARE_ONE: i128 = 1_000_000;
/// Decimal places of kWh and kW inside.
pub(crate) const QUANTITY_PLACES: u32 = 6;
/// One kWh or kW.
pub(crate) const QUANTITY_ONE: i128 = 1_000_000;

/// A decimal as a whole number of 10⁻ᵖˡᵃᶜᵉˢ, within a range given in whole ones.
pub(super) fn scaled(
    path: &Path<'_>,
    number: &Number,
    places: u32,
    least: i64,
    most: i64,
) -> Result<i128, CompileError> {
    let decimal = number.decimal().map_err(|rule| path.error(number, rule))?.normalize();
    let too_fine = || path.error(number, format!("at most {places} decimal places"));
    let missing = places.checked_sub(decimal.scale()).ok_or_else(too_fine)?;
    let one = 10_i128.checked_pow(places).unwrap_or(i128::MAX);
    let bound = |limit: i64| i128::from(limit).saturating_mul(one);
    10_i128
        .checked_pow(missing)
        .and_then(|factor| decimal.mantissa().checked_mul(factor))
        .filter(|value| (bound(least)..=bound(most)).contains(value))
        .ok_or_else(|| path.error(number, format!("from {least} to {most}")))
}

/// A price per kWh or kW, in 10⁻¹⁸.
pub(super) fn price(path: &Path<'_>, number: &Number) -> Result<i128, CompileError> {
    scaled(path, number, PRICE_PLACES, MAX_PRICE.saturating_neg(), MAX_PRICE)
}

/// A fixed amount of money, in 10⁻¹⁸.
pub(super) fn charge(path: &Path<'_>, number: &Number) -> Result<i128, CompileError> {
    scaled(path, number, PRICE_PLACES, MAX_CHARGE.saturating_neg(), MAX_CHARGE)
}

/// A name: not empty, not too long, no control characters.
pub(super) fn name(path: &Path<'_>, text: &str) -> Result<(), CompileError> {
    if text.is_empty() || text.chars().count() > MAX_NAME_CHARS || text.chars().any(char::is_control) {
        let rule = format!("a name of 1 to {MAX_NAME_CHARS} characters without control characters");
        return Err(path.error(format!("{text:?}"), rule));
    }
    Ok(())
}

/// A list of at most so many entries.
pub(super) fn at_most<T>(path: &Path<'_>, list: &[T], most: usize) -> Result<(), CompileError> {
    if list.len() > most {
        return Err(path.error(format!("{} entries", list.len()), format!("at most {most} entries")));
    }
    Ok(())
}

/// A name that must be in a list; gives its place.
pub(super) fn one_of<'a>(
    path: &Path<'_>,
    name: &str,
    what: &str,
    mut names: impl Iterator<Item = &'a str>,
) -> Result<usize, CompileError> {
    names.position(|known| known == name).ok_or_else(|| path.error(format!("{name:?}"), format!("the name of {what}")))
}

/// Two entries of a list must not share a name.
pub(super) fn unique<'a>(path: &Path<'_>, names: impl Iterator<Item = &'a str> + Clone) -> Result<(), CompileError> {
    for (index, name) in names.clone().enumerate() {
        self::name(&path.index(index).key("name"), name)?;
        if names.clone().take(index).any(|earlier| earlier == name) {
            return Err(path.index(index).key("name").error(format!("{name:?}"), "a name that no other entry has"));
        }
    }
    Ok(())
}

/// A place in a list as a small number; the lists are bounded far below.
pub(super) fn small(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX)
}

/// The text of an optional value.
pub(super) fn shown(number: Option<&Number>) -> alloc::string::String {
    number.map_or_else(|| "nothing".to_string(), ToString::to_string)
}
