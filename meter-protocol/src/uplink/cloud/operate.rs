//! Commands to a meter over the broker.

use super::CloudError;
use crate::acrel::ForceMode;
use serde_json::{Value, json};
use std::string::String;

/// Keys of an `operate` document that the sources do not settle. There is no default: record a command of the maker's
/// platform first. A document that a meter does not understand leaves the supply as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperateKeys {
    /// Key of the inner command.
    pub command: String,
    /// Key of the values in it.
    pub value: String,
}

/// `FORCESWITCH` and `REFRESH`. In this dialect 1 is **on**, the opposite of register 0058H.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForceSwitch {
    /// Supply on whatever the balance.
    On,
    /// Supply off.
    Off,
    /// Send an update now.
    Refresh,
}

impl ForceSwitch {
    /// The command for a force mode. Prepaid operation can't be restored in this dialect, as far as is known.
    #[must_use]
    pub const fn of_mode(mode: ForceMode) -> Option<Self> {
        match mode {
            ForceMode::SupplyOn => Some(Self::On),
            ForceMode::SupplyOff => Some(Self::Off),
            _ => None,
        }
    }

    /// The document, with method `operate`. Success is shown by a later update, not by the answer.
    ///
    /// ```
    /// use meter_protocol::uplink::cloud::{ForceSwitch, OperateKeys};
    /// let keys = OperateKeys { command: "command".into(), value: "value".into() };
    /// let text = ForceSwitch::Off.to_json(&keys)?;
    /// assert!(text.contains(r#""ForceSwitch":"0""#) && text.contains(r#""method":"operate""#));
    /// # Ok::<(), meter_protocol::uplink::cloud::CloudError>(())
    /// ```
    ///
    /// # Errors
    /// [`CloudError::Name`] when a key is empty or `method`.
    pub fn to_json(self, keys: &OperateKeys) -> Result<String, CloudError> {
        let (command, value) = (keys.command.as_str(), keys.value.as_str());
        if [command, value].iter().any(|key| key.is_empty() || *key == "method") {
            return Err(CloudError::Name);
        }
        let inner: Value = match self {
            Self::On => json!({ "method": "FORCESWITCH", value: { "ForceSwitch": "1" } }),
            Self::Off => json!({ "method": "FORCESWITCH", value: { "ForceSwitch": "0" } }),
            Self::Refresh => json!({ "method": "REFRESH" }),
        };
        Ok(std::format!("{}", json!({ "method": "operate", command: inner })))
    }
}
