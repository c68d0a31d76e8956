//! 1700H: the radio's state. 1910H: the WiFi settings, which have no known layout.

use super::Secret;
use super::layout::wireless_block;

wireless_block! {
    /// The radio's state: 03H @1700H, 44 registers. Read only.
    ///
    /// Sources name the first registers of four parts. Where a text ends is not stated: it is taken up to the next part,
    /// and ends with its first zero byte.
    RadioStatus, "radio status", 0x1700, 44;
    /// 1700H to 1703H: id, software, link, signal and reset; which stands where is not stated.
    pub head_raw: [u8; 8],
    /// 1704H: number of the SIM card.
    pub ccid: Secret<28>,
    /// 1712H: messages sent.
    pub sent_count: u16,
    /// 1713H: messages received.
    pub received_count: u16,
    /// 1714H: number of the radio.
    pub imei: Secret<48>,
}

wireless_block! {
    /// The WiFi settings: 03H @1910H, 51 registers. No source tells the parts of it, so it is one secret, raw, and this
    /// crate does not write it: there is no `change_from`.
    ///
    /// ```compile_fail,E0599
    /// use meter_protocol::acrel::WifiSettings;
    /// fn change(shown: &WifiSettings, wanted: &WifiSettings) {
    ///     let _refused = wanted.change_from(shown);
    /// }
    /// ```
    WifiSettings, "WiFi settings", 0x1910, 51;
    /// All of it.
    pub all: Secret<102>,
}
