//! Where the poll image tells its rounds: in clear text, or sealed where the image is built with the seal. The two differ by
//! what the sealed link costs.

use crate::{
    board::{Timer, Uart},
    text::Part,
};

/// The station's port.
pub struct Station {
    #[cfg(not(feature = "seal"))]
    port: Uart,
    #[cfg(feature = "seal")]
    uplink: crate::uplink::Uplink,
}

#[cfg(not(feature = "seal"))]
impl Station {
    /// Nothing is needed for clear text.
    pub fn open() -> Option<Self> {
        Some(Self { port: Uart::station() })
    }

    /// Clear text hears nothing.
    pub fn listen(&mut self, _timer: Timer) {}

    /// Tells a line.
    pub fn tell(&mut self, parts: &[Part<'_>]) {
        crate::text::line(&mut self.port, parts);
    }
}

/// The longest line.
#[cfg(feature = "seal")]
const LINE_MAX: usize = 80;

#[cfg(feature = "seal")]
impl Station {
    /// Nothing when the image was given no key.
    pub fn open() -> Option<Self> {
        let provision = crate::provision::Provision::read()?;
        crate::uplink::Uplink::new(Uart::station(), &provision).map(|uplink| Self { uplink })
    }

    /// Keeps the session up; what the station says is heard and not obeyed.
    pub fn listen(&mut self, timer: Timer) {
        let mut payload = [0; meter_protocol::seal::MAX_PAYLOAD_LEN];
        while self.uplink.poll(timer.now_us(), &mut payload) != crate::uplink::Arrived::Nothing {}
    }

    /// Seals a line. Without a session it is dropped.
    pub fn tell(&mut self, parts: &[Part<'_>]) {
        let mut text = [0; LINE_MAX];
        let mut rest = text.as_mut_slice();
        crate::text::line(&mut rest, parts);
        let left = rest.len();
        self.uplink.send(text.get(..LINE_MAX.saturating_sub(left)).unwrap_or_default());
    }
}
