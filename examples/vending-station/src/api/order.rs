//! What a sale that is asked for over the API says. Nothing of the network or the books is known here.

use crate::amount;
use serde::Deserialize;

/// The longest idempotency key, characters.
pub const KEY_CHARS_MAX: usize = 64;

/// The body of `POST /api/sales`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    account: i64,
    amount: String,
    channel: String,
}

/// A sale that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleOrder {
    /// Names the order: the same one is sold once.
    pub key: String,
    /// Whose.
    pub account: i64,
    /// How much, minor units of the currency.
    pub amount_minor: i64,
    /// How it was paid.
    pub channel: String,
}

/// Why a request is no sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoOrder {
    /// It can't be understood.
    Bad(String),
    /// It is understood and refused.
    Refused(String),
}

/// Reads a request: its `Content-Type`, its `Idempotency-Key` and its body, for a currency of `places` decimal places.
///
/// # Errors
/// [`NoOrder`] names the header or field, what it says and what is expected.
pub fn read(kind: Option<&str>, key: Option<&str>, body: &[u8], places: u8) -> Result<SaleOrder, NoOrder> {
    if kind.unwrap_or_default().split(';').next().unwrap_or_default().trim() != "application/json" {
        return Err(NoOrder::Bad("`Content-Type` must be application/json".into()));
    }
    let key = named(key)?;
    let Body { account, amount, channel } =
        serde_json::from_slice(body).map_err(|error| NoOrder::Bad(error.to_string()))?;
    let amount_minor = amount::parse_minor(&amount, places).ok_or_else(|| {
        NoOrder::Refused(format!("`amount` is `{amount}`; expected a decimal with at most {places} places"))
    })?;
    Ok(SaleOrder { key: key.to_owned(), account, amount_minor, channel })
}

/// The name of a request that must not be carried out twice.
///
/// # Errors
/// [`NoOrder::Bad`] without one.
pub fn named(key: Option<&str>) -> Result<&str, NoOrder> {
    let is_key =
        |key: &&str| (1..=KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    key.filter(is_key).ok_or_else(|| {
        NoOrder::Bad(format!(
            "the header `Idempotency-Key` is missing or not 1 to {KEY_CHARS_MAX} visible ASCII characters"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"account":7,"amount":"100.5","channel":"cash"}"#;

    #[test]
    fn an_order_says_what_its_request_says() {
        let order = read(Some("application/json; charset=utf-8"), Some("k-1"), BODY, 2);
        let expected = SaleOrder { key: "k-1".into(), account: 7, amount_minor: 10_050, channel: "cash".into() };
        assert_eq!(order, Ok(expected));
    }

    #[test]
    fn what_is_no_order_says_why() {
        let json = Some("application/json");
        let long = "k".repeat(KEY_CHARS_MAX + 1);
        let bad = [
            read(None, Some("k"), BODY, 2),
            read(Some("text/plain"), Some("k"), BODY, 2),
            read(json, None, BODY, 2),
            read(json, Some("two words"), BODY, 2),
            read(json, Some(&long), BODY, 2),
            read(json, Some("k"), b"{}", 2),
            read(json, Some("k"), br#"{"account":7,"amount":"1","channel":"cash","more":1}"#, 2),
        ];
        assert!(bad.iter().all(|order| matches!(order, Err(NoOrder::Bad(reason)) if !reason.is_empty())), "{bad:?}");
        assert!(matches!(read(json, Some("k"), BODY, 0), Err(NoOrder::Refused(reason)) if reason.contains("100.5")));
    }
}
