//! 1338H: the access point of the mobile network.

use super::Secret;
use super::change::Part;
use super::layout::wireless_block;

const PARTS: &[Part] = &[(0x1338, 15), (0x1347, 1), (0x1348, 1)];

wireless_block! {
    /// The access point and the heartbeat: 03H @1338H, 17 registers. That one read gives the three rows together is
    /// inferred from their addresses.
    AccessPoint, "access point", 0x1338, 17, parts: PARTS;
    /// 1338H: the access point's name. Private ones open a private network, so it is hidden.
    pub name: Secret<30>,
    /// 1347H: interval of heartbeats; no source states the unit.
    pub heartbeat_interval_raw: u16,
    /// 1348H: whether the name is used; no source states the codes.
    pub enable_raw: u16,
}
