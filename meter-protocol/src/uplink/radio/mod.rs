//! 4G meters that dial in over TCP: `7B 7B | command | body | CRC | 7D 7D`.

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
