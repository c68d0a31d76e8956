//! Settings of the radio, its access point, the cloud and the time zone, and the radio's state. They hold credentials and
//! identities, which are wiped when dropped and never shown.
//!
//! A block is read, changed, and written back as a [`WirelessChange`], which needs to know from the profile how the
//! meter takes such writes: no source states it. Then the block is read again and has to equal what was wanted.
//!
//! ```
//! use meter_protocol::acrel::{CloudSettings, Profile, Secret, WirelessWrites};
//! # use meter_protocol::wire::{Registers, RequestError};
//! # let reply = [0; 246];
//! # let registers = Registers::holding(0x1950, &reply)?;
//! let shown = CloudSettings::from_registers(&registers)?;
//! let mut wanted = shown.clone();
//! wanted.password = Secret::new("password", "correct horse")?;
//! let change = wanted.change_from(&shown);
//! assert!(change.requests(&Profile::unsettled()).map(|_| ()).unwrap_err().to_string().contains("bench test 17"));
//!
//! let mut profile = Profile::unsettled();
//! profile.wireless_writes = Some(WirelessWrites::PartByPart);
//! assert_eq!(change.requests(&profile)?.count(), 1);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! The WiFi settings have no known layout: they are read as one secret and not written.

mod access_point;
mod change;
mod cloud;
mod layout;
mod radio;
mod status;
mod text;

pub use access_point::AccessPoint;
pub use change::WirelessChange;
pub use cloud::{CloudSettings, CloudSites, TimeZone};
pub use radio::RadioSettings;
pub use status::{RadioStatus, WifiSettings};
pub use text::{Secret, WireText};
