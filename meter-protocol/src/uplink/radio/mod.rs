//! 4G meters that dial in over TCP: `7B 7B | command | body | CRC | 7D 7D`.
//!
//! [`Station`] is the station's side of a connection. [`Cutter`], [`Frame`], [`Up`] and [`Down`] are its parts, for both
//! directions, so that a device that dials in can use them too.
//!
//! # What is known, and how well
//! "Two" means that two implementations agree, "one" that a single one says so, and nothing here was tried on a meter.
//!
//! | Command | Use | Known from |
//! |---|---|---|
//! | 82H, 88H | set parameters, set server: body not laid out anywhere; never built | names only |
//! | 84H | registration of 58 bytes, answered by 84H without body | two |
//! | 89H | alarm: body and answer not laid out; handed on raw, not answered | names only |
//! | 90H | a whole RTU frame; up also behind the serial, or the serial alone for a write | two for the frame, one for the rest |
//! | 91H | `[serial] [[ address (( RTU reply )) ]]`, answered by 91H without body; `un` is a read error | two; `un` one |
//! | 92H | seen, meaning not known; handed on raw | one |
//! | 93H | time: year, month, day, weekday (Sunday 0), hour, minute, second | one |
//! | 94H | heartbeat; whether it is answered is not stated: [`HeartbeatAnswer`] | one |
//! | 97H | a Modbus frame with an identifier of unknown layout; handed on raw | one |
//!
//! # Security
//! The serial is the only identity and proves nothing; nothing is enciphered or authenticated. Take these connections
//! through a private network only.
//!
//! # How a driver uses it
//! ```
//! use meter_protocol::acrel::{LinkId, MeterNumber};
//! use meter_protocol::uplink::radio::*;
//! let mut station = Station::new(0, StationConfig::DEFAULT, LinkId::first(7));
//! // The meter dials in: its registration arrives.
//! let mut buf = [0; MAX_FRAME_LEN];
//! let hello = Up::Register(Registration::new(Serial::new("00000000000001")?, Iccid::new("8986")?));
//! station.receive(1_000, hello.encode(&mut buf)?);
//! assert!(matches!(station.poll_event(), Some(StationEvent::Registering(_))));
//! station.admit();
//! assert_eq!(station.poll_transmit(1_000, &mut buf), Some(&[0x7B, 0x7B, 0x84, 0xBF, 0x23, 0x7D, 0x7D][..]));
//! station.transmitted(1_200);
//! // Now requests go through the tunnel.
//! station.submit(2_000, 1, &MeterNumber::READ)?;
//! assert_eq!(station.poll_transmit(2_000, &mut buf).map(|frame| frame[2]), Some(0x90));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod cutter;
mod error;
mod event;
mod frame;
mod message;
mod registration;
mod station;
mod text;
mod upload;

pub use config::{HeartbeatAnswer, OddUpload, StationConfig};
pub use cutter::Cutter;
pub use error::RadioError;
pub use event::{CloseReason, StationError, StationEvent};
pub use frame::{Command, Frame, MAX_BODY_LEN, MAX_FRAME_LEN};
pub use message::{Down, Up};
pub use registration::Registration;
pub use station::Station;
pub use text::{Iccid, PaddedText, Serial};
pub use upload::{MAX_ADDRESS_LEN, Upload, UploadContent};
