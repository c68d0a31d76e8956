//! Documents of a meter: method, result, and reported values.

use super::CloudError;
use crate::acrel::{StatusWord1, StatusWord2};
use crate::map::Number;
use crate::uplink::parse_exact;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::string::String;

/// Longest document, in bytes. Ours.
pub const MAX_DOCUMENT_LEN: usize = 65_536;
/// Most values of a document. Ours.
pub const MAX_VALUES: usize = 256;

/// A document as a meter sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Update {
    /// What it is: `update`, `login`, `operate`…
    pub method: Option<String>,
    /// `res`, as text: 1 is success.
    pub result: Option<String>,
    values: BTreeMap<String, String>,
}

/// A document before its values are looked at. Numbers stay the text that came, so that no float is made of them.
#[derive(Deserialize)]
struct Raw {
    method: Option<String>,
    res: Option<Box<RawValue>>,
    reported: Option<BTreeMap<String, Box<RawValue>>>,
}

impl Update {
    /// Reads a document. The reported values may stand in an object named by the meter's serial; those of other serials
    /// are not taken.
    ///
    /// ```
    /// use meter_protocol::map::Number;
    /// use meter_protocol::uplink::cloud::Update;
    /// let text = br#"{"method":"update","reported":{"20260305":{"EPI":"12345.67","SwitchSta1":"1"}}}"#;
    /// let update = Update::parse(text, "20260305")?;
    /// assert_eq!(update.number("EPI")?, Some(Number::new(1_234_567, -2)));
    /// assert_eq!(update.relay_closed()?, Some(true));
    /// # Ok::<(), meter_protocol::uplink::cloud::CloudError>(())
    /// ```
    ///
    /// # Errors
    /// [`CloudError::TooLong`], [`CloudError::Json`], [`CloudError::TooMany`].
    pub fn parse(json: &[u8], serial: &str) -> Result<Self, CloudError> {
        if json.len() > MAX_DOCUMENT_LEN {
            return Err(CloudError::TooLong { len: json.len() });
        }
        let raw: Raw = serde_json::from_slice(json).map_err(|_| CloudError::Json)?;
        let mut reported = raw.reported.unwrap_or_default();
        if let Some(nested) = reported.remove(serial) {
            reported = serde_json::from_str(nested.get()).map_err(|_| CloudError::Json)?;
        }
        if reported.len() > MAX_VALUES {
            return Err(CloudError::TooMany);
        }
        // Objects and lists are no values: those of other serials, for instance.
        let values = reported.into_iter().filter_map(|(name, value)| Some((name, scalar(&value)?))).collect();
        Ok(Self { method: raw.method, result: raw.res.as_deref().and_then(scalar), values })
    }

    /// Whether the document says that a command was done: result 1.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.result.as_deref() == Some("1")
    }

    /// A value as the text that came.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// A value as an exact number, if it is there and not empty.
    ///
    /// # Errors
    /// [`CloudError::Number`].
    pub fn number(&self, name: &str) -> Result<Option<Number>, CloudError> {
        match self.text(name) {
            None | Some("") => Ok(None),
            Some(text) => parse_exact(text).map(Some).map_err(|error| CloudError::Number { field: name.into(), error }),
        }
    }

    /// Status word 1, if it is there.
    ///
    /// # Errors
    /// [`CloudError::Range`].
    pub fn status_1(&self) -> Result<Option<StatusWord1>, CloudError> {
        Ok(self.whole("AdfState1", u16::MAX)?.map(StatusWord1))
    }

    /// Status word 2, if it is there.
    ///
    /// # Errors
    /// [`CloudError::Range`].
    pub fn status_2(&self) -> Result<Option<StatusWord2>, CloudError> {
        Ok(self.whole("AdfState2", u16::MAX)?.map(StatusWord2))
    }

    /// The purchase count, if it is there.
    ///
    /// # Errors
    /// [`CloudError::Range`].
    pub fn purchase_count(&self) -> Result<Option<u16>, CloudError> {
        self.whole("BuyTimes", u16::MAX)
    }

    /// Whether a relay is closed: by `SwitchSta1` to `3`, or by status word 1 where the meter leaves those out.
    ///
    /// # Errors
    /// [`CloudError::Range`].
    pub fn relay_closed(&self) -> Result<Option<bool>, CloudError> {
        let mut shown = None;
        for name in ["SwitchSta1", "SwitchSta2", "SwitchSta3"] {
            if let Some(state) = self.whole(name, 1)? {
                shown = Some(shown.unwrap_or(false) || state == 1);
            }
        }
        match shown {
            Some(closed) => Ok(Some(closed)),
            // Bits 13 to 15 are the relays.
            None => Ok(self.status_1()?.map(|word| word.0 & 0xE000 != 0)),
        }
    }

    fn whole(&self, name: &str, max: u16) -> Result<Option<u16>, CloudError> {
        let range = || CloudError::Range { field: name.into(), max };
        match self.text(name) {
            None | Some("") => Ok(None),
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                let value = text.parse().ok().filter(|value| *value <= max);
                value.map(Some).ok_or_else(range)
            }
            Some(_) => Err(range()),
        }
    }
}

/// The text of a string, number or truth value.
fn scalar(value: &RawValue) -> Option<String> {
    let text = value.get();
    match text.bytes().next()? {
        b'"' => serde_json::from_str(text).ok(),
        b'{' | b'[' | b'n' => None,
        _ => Some(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::format;

    fn reported(values: &str) -> Update {
        Update::parse(format!("{{\"reported\":{{{values}}}}}").as_bytes(), "S").unwrap()
    }

    /// Live values that the sources show.
    #[test]
    fn relays_by_switch_or_status_word() {
        for (word, closed) in [("488", false), ("57583", true)] {
            let update = reported(&format!("\"AdfState1\":\"{word}\",\"Balance\":\"-84.01\""));
            assert_eq!(update.relay_closed(), Ok(Some(closed)));
            assert_eq!(update.number("Balance"), Ok(Some(Number::new(-8401, -2))));
        }
        assert_eq!(
            reported("\"SwitchSta1\":0,\"SwitchSta2\":\"1\",\"AdfState1\":\"0\"").relay_closed(),
            Ok(Some(true))
        );
        assert_eq!(reported("").relay_closed(), Ok(None));
        let odd = reported("\"SwitchSta1\":\"2\",\"AdfState1\":\"65536\"");
        assert_eq!(odd.relay_closed(), Err(CloudError::Range { field: "SwitchSta1".into(), max: 1 }));
        assert_eq!(odd.status_1(), Err(CloudError::Range { field: "AdfState1".into(), max: 65_535 }));
    }

    #[test]
    fn numbers_stay_exact() {
        // As a float this would end with 8.
        let update = reported("\"EPI\":90071992547409.93,\"P\":\"1e3\",\"PF\":\"\"");
        assert_eq!(update.number("EPI").unwrap().unwrap().to_string(), "90071992547409.93");
        assert!(matches!(update.number("P"), Err(CloudError::Number { field, .. }) if field == "P"));
        assert_eq!((update.number("PF"), update.number("Q")), (Ok(None), Ok(None)));
    }

    #[test]
    fn results_and_other_meters() {
        let done = Update::parse(br#"{"method":"operate","res":1}"#, "S").unwrap();
        assert!(done.is_success());
        assert!(!Update::parse(br#"{"res":"0"}"#, "S").unwrap().is_success());
        let foreign = Update::parse(br#"{"reported":{"T":{"EPI":"1"}}}"#, "S").unwrap();
        assert_eq!(foreign.text("EPI"), None);
        assert_eq!(Update::parse(b"[1]", "S"), Err(CloudError::Json));
        assert_eq!(Update::parse(&[b' '; MAX_DOCUMENT_LEN + 1], "S"), Err(CloudError::TooLong { len: 65_537 }));
    }

    proptest! {
        #[test]
        fn arbitrary_documents_never_panic(text in "[\\[\\]{}\":,a-zE0-9. -]{0,120}") {
            let _ = Update::parse(text.as_bytes(), "S");
        }
    }

    use std::string::ToString;
}
