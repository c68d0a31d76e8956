//! Amounts as people write them.

/// `100`, `100.5` or `-3.20` as hundredths.
pub(crate) fn hundredths(text: &str) -> Result<i32, String> {
    let wrong = || format!("{text:?} is no amount with at most two decimals");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "00"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(fraction) || fraction.len() > 2 {
        return Err(wrong());
    }
    let padded = format!("{whole}{fraction:0<2}");
    let value: i32 = padded.parse().map_err(|_| format!("{text:?} is beyond what a meter can hold"))?;
    Ok(sign * value)
}
