//! Integers with an implied decimal point, to and from text.

/// `value` with `places` decimals: `minor(12345, 2)` is `123.45`.
pub fn minor(value: i64, places: u8) -> String {
    rust_decimal::Decimal::from_i128_with_scale(i128::from(value), u32::from(places)).to_string()
}

/// 0.01 kWh as kWh.
pub fn centi(value: i64) -> String {
    minor(value, 2)
}

/// W as kW.
pub fn milli(value: i64) -> String {
    minor(value, 3)
}

/// Text as minor units, exact; none if it has more places, is not a plain decimal, or doesn't fit.
pub fn parse_minor(text: &str, places: u8) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let mut amount = rust_decimal::Decimal::from_str_exact(text).ok()?;
    if amount.normalize().scale() > u32::from(places) {
        return None;
    }
    amount.rescale(u32::from(places));
    (amount.scale() == u32::from(places)).then(|| i64::try_from(amount.mantissa()).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_integers_agree_exactly() {
        assert_eq!(minor(-5, 2), "-0.05");
        assert_eq!(minor(12_345, 2), "123.45");
        assert_eq!(minor(7, 0), "7");
        assert_eq!(parse_minor("123.4", 2), Some(12_340));
        assert_eq!(parse_minor("123.450", 2), Some(12_345));
        for bad in ["", "-", ".", "1e3", "0.001", "1,5", " 1", "+1", "1_0", "99999999999999999999", "NaN"] {
            assert_eq!(parse_minor(bad, 2), None, "{bad}");
        }
    }
}
