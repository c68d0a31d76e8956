//! Area gateways that dial in over TCP and carry XML: `1F 1F | type | length | data`.
//!
//! | Type | Direction | Data |
//! |---|---|---|
//! | 01H | both | authentication, plain XML: request, sequence, md5(secret + sequence), result |
//! | 02H | both | heartbeat, plain XML; the answer carries the time |
//! | 03H | up | report, enciphered |
//! | 04H | up | report, compressed and then enciphered |
//! | F1H | down | `PPAAA\|hex of an RTU frame`, enciphered |
//! | F2H | up | the reply to F1H, in the same form |
//!
//! One implementation is the only source. The cipher is AES-128-CBC whose key **and** first block are the device secret:
//! equal documents give equal ciphertexts, nothing authenticates them and nothing stops a replay. It hides, it does not
//! protect: run it inside a private network.

mod cipher;
mod document;
mod error;
mod forwarding;
mod frame;
mod report;
mod station;
mod tree;

#[cfg(test)]
mod tests;

pub use cipher::GatewaySecret;
pub use document::{Content, Document, Validation};
pub use error::GatewayError;
pub use forwarding::{GatewayMeter, encode_forwarding, parse_forwarding};
pub use frame::{GatewayCutter, GatewayFrame, MAX_DATA_LEN, PacketType};
pub use report::{Energies, EnergyNames, MeterReport, Report, ReportValue};
pub use station::{GatewayConfig, GatewayEvent, GatewayStation};
