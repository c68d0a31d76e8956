//! The JSON documents of the -IOT meters, which go over MQTT. The broker's client is the caller's.
//!
//! A meter logs in (the station must answer with result 1), asks for the time, tells its topology, and then sends updates
//! whose values are texts. Two implementations are the sources; they agree on names, not on every detail. Values are kept
//! as the text that came and read exactly; no float is used. Some meters are on line only for moments after a log-in:
//! keep commands until the next one.

mod error;
mod fields;
mod operate;
mod topic;
mod update;

pub use error::CloudError;
pub use fields::{CloudField, FIELDS};
pub use operate::{ForceSwitch, OperateKeys};
pub use topic::{MAX_NAME_LEN, Topic, TopicKind};
pub use update::{MAX_DOCUMENT_LEN, MAX_VALUES, Update};
