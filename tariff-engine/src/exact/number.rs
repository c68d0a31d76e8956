//! A number as a tariff document writes it.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A decimal number in a tariff document: a string such as `"0.8331"`, or a whole number.
///
/// A bare JSON or TOML float has already lost digits when it arrives here. It is kept as what it is, so that
/// [`Tariff::compile`](crate::Tariff::compile) can refuse it and name where it stands.
#[derive(Clone, PartialEq, Eq)]
pub struct Number {
    text: String,
    bare_float: bool,
}

impl Number {
    /// The digits as the document has them.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The exact decimal, or the rule that the text breaks.
    pub(crate) fn decimal(&self) -> Result<Decimal, &'static str> {
        if self.bare_float {
            return Err("a bare float has lost digits; write decimals as strings");
        }
        let rule = "a decimal number of at most 28 digits, such as \"0.8331\"";
        if !is_plain(&self.text) {
            return Err(rule);
        }
        Decimal::from_str_exact(&self.text).map_err(|_| rule)
    }
}

/// Whether a text is digits with a sign and a point at most, as the schema has it.
fn is_plain(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    digits(whole) && digits(fraction)
}

impl From<&str> for Number {
    fn from(text: &str) -> Self {
        Self { text: text.to_string(), bare_float: false }
    }
}

impl From<String> for Number {
    fn from(text: String) -> Self {
        Self { text, bare_float: false }
    }
}

impl From<i64> for Number {
    fn from(whole: i64) -> Self {
        Self { text: whole.to_string(), bare_float: false }
    }
}

impl From<Decimal> for Number {
    fn from(decimal: Decimal) -> Self {
        Self { text: decimal.to_string(), bare_float: false }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bare_float { write!(f, "{} (bare float)", self.text) } else { fmt::Debug::fmt(&self.text, f) }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl de::Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number as a string, or a whole number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
        Ok(Number::from(text))
    }

    fn visit_i64<E: de::Error>(self, whole: i64) -> Result<Number, E> {
        Ok(Number::from(whole))
    }

    fn visit_u64<E: de::Error>(self, whole: u64) -> Result<Number, E> {
        Ok(Number { text: whole.to_string(), bare_float: false })
    }

    fn visit_f64<E: de::Error>(self, float: f64) -> Result<Number, E> {
        Ok(Number { text: format!("{float}"), bare_float: true })
    }
}
