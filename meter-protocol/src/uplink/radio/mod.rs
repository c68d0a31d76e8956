//! 4G meters that dial in over TCP: `7B 7B | command | body | CRC | 7D 7D`.

mod error;
mod frame;
mod message;
mod registration;
mod text;
mod upload;

pub use error::RadioError;
pub use frame::{Command, Frame, MAX_BODY_LEN, MAX_FRAME_LEN};
pub use message::{Down, Up};
pub use registration::Registration;
pub use text::{Iccid, PaddedText, Serial};
pub use upload::{MAX_ADDRESS_LEN, Upload, UploadContent};
