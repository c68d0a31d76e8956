//! What a line is like: framing, speed, and how long to wait.

/// Characters of silence that end a frame, times two (t3.5).
const T35_HALF_CHARS: u64 = 7;
/// t3.5 above 19200 baud is fixed (Modbus over serial line, 2.5.1.1).
const T35_FAST_US: u64 = 1_750;
const FAST_BAUD: u32 = 19_200;
/// Default of [`LineConfig::response_timeout_us`]: the serial time-out of the vendor's tool.
const DEFAULT_RESPONSE_TIMEOUT_US: u32 = 1_000_000;
/// Default of [`LineConfig::longest_response_us`]: as long as the vendor's tool looks for a reply.
const DEFAULT_LONGEST_RESPONSE_US: u32 = 3_000_000;
/// Default of [`LineConfig::frame_end_us`]: adapters and gateways cut frames into pieces some tens of ms apart.
const DEFAULT_FRAME_END_US: u32 = 100_000;

/// Default response time-out through a tunnel. Ours.
const TUNNEL_RESPONSE_TIMEOUT_US: u32 = 10_000_000;
/// Default longest response time through a tunnel. Ours.
const TUNNEL_LONGEST_RESPONSE_US: u32 = 30_000_000;

/// How frames are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// RTU, on a serial line or through a gateway that passes its bytes.
    Rtu,
    /// Modbus/TCP.
    Tcp,
    /// RTU frames that something else carries whole, one at a time.
    Tunnel,
}

/// Bits of a character with start, parity and stop bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CharFormat {
    /// 8 data bits, no parity, 1 stop bit: 10 bits. The default of these meters.
    N8_1,
    /// 8 data bits, even or odd parity, 1 stop bit: 11 bits.
    Parity8_1,
    /// 8 data bits, no parity, 2 stop bits: 11 bits.
    N8_2,
}

impl CharFormat {
    /// Bits on the wire.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::N8_1 => 10,
            Self::Parity8_1 | Self::N8_2 => 11,
        }
    }
}

/// Speed of a serial line; `None` stands for a line that takes no time (a simulator, a gateway that paces by itself).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    baud: Option<core::num::NonZeroU32>,
    bits: u32,
}

impl Pace {
    /// A line without pace.
    pub const UNPACED: Self = Self { baud: None, bits: 10 };

    /// A serial line. A `baud` of 0 gives [`Pace::UNPACED`].
    #[must_use]
    pub const fn serial(baud: u32, format: CharFormat) -> Self {
        Self { baud: core::num::NonZeroU32::new(baud), bits: format.bits() }
    }

    /// Time that `count` characters take, in microseconds, rounded up.
    #[must_use]
    pub fn chars_us(&self, count: u64) -> u64 {
        self.half_chars_us(count.saturating_mul(2))
    }

    /// Silence between frames (t3.5), in microseconds: 1750 above 19200 baud, 0 on an unpaced line.
    #[must_use]
    pub fn t35_us(&self) -> u64 {
        match self.baud {
            None => 0,
            Some(baud) if baud.get() > FAST_BAUD => T35_FAST_US,
            Some(_) => self.half_chars_us(T35_HALF_CHARS),
        }
    }

    fn half_chars_us(&self, count: u64) -> u64 {
        match self.baud {
            None => 0,
            Some(baud) => {
                let half_bits = count.saturating_mul(self.bits.into());
                half_bits.saturating_mul(500_000).div_ceil(u64::from(baud.get()))
            }
        }
    }
}

/// A line as a session needs to know it. All times in microseconds.
///
/// ```
/// use meter_protocol::session::{CharFormat, LineConfig};
/// let line = LineConfig::rtu(9600, CharFormat::N8_1).with_response_timeout_us(500_000);
/// assert_eq!(line.pace.t35_us(), 3_646);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LineConfig {
    /// RTU, Modbus/TCP or a tunnel.
    pub framing: Framing,
    /// Speed of the line; the time of the reply's characters is added to every time-out.
    pub pace: Pace,
    /// How long to wait for a reply to start. Default 1 s.
    pub response_timeout_us: u32,
    /// How late a reply can still arrive. After a time-out the line is kept quiet and drained until then, so that
    /// a late reply is never taken for another's. At least the response time-out. Default 3 s.
    pub longest_response_us: u32,
    /// Silence to keep before a request beyond t3.5. Default 0.
    pub extra_gap_us: u32,
    /// Silence that ends a reply of unknown length (function 20H). Default 100 ms, never below t3.5.
    pub frame_end_us: u32,
    /// How often a read is sent before it is given up, 1 for no repetition. Writes are sent once. Default 1.
    pub read_attempts: u8,
    /// Whether the line returns what is sent (two-wire adapters without echo suppression). Default no.
    pub local_echo: bool,
}

impl LineConfig {
    /// An RTU line at its own pace.
    #[must_use]
    pub const fn rtu(baud: u32, format: CharFormat) -> Self {
        Self {
            framing: Framing::Rtu,
            pace: Pace::serial(baud, format),
            response_timeout_us: DEFAULT_RESPONSE_TIMEOUT_US,
            longest_response_us: DEFAULT_LONGEST_RESPONSE_US,
            extra_gap_us: 0,
            frame_end_us: DEFAULT_FRAME_END_US,
            read_attempts: 1,
            local_echo: false,
        }
    }

    /// RTU frames over something that takes no time: no gaps, and replies of unknown length end after 10 ms.
    #[must_use]
    pub const fn rtu_unpaced() -> Self {
        let mut line = Self::rtu(0, CharFormat::N8_1);
        line.frame_end_us = 10_000;
        line
    }

    /// RTU frames through a tunnel over a radio network. No source gives its times: the defaults are 10 s for a reply
    /// and 30 s for the latest one.
    #[must_use]
    pub const fn tunnel() -> Self {
        let mut line = Self::rtu(0, CharFormat::N8_1);
        line.framing = Framing::Tunnel;
        line.response_timeout_us = TUNNEL_RESPONSE_TIMEOUT_US;
        line.longest_response_us = TUNNEL_LONGEST_RESPONSE_US;
        line
    }

    /// Modbus/TCP.
    #[must_use]
    pub const fn tcp() -> Self {
        let mut line = Self::rtu(0, CharFormat::N8_1);
        line.framing = Framing::Tcp;
        line
    }

    /// Sets [`LineConfig::response_timeout_us`].
    #[must_use]
    pub const fn with_response_timeout_us(mut self, response_timeout_us: u32) -> Self {
        self.response_timeout_us = response_timeout_us;
        self
    }

    /// Sets [`LineConfig::longest_response_us`].
    #[must_use]
    pub const fn with_longest_response_us(mut self, longest_response_us: u32) -> Self {
        self.longest_response_us = longest_response_us;
        self
    }

    /// Sets [`LineConfig::extra_gap_us`].
    #[must_use]
    pub const fn with_extra_gap_us(mut self, extra_gap_us: u32) -> Self {
        self.extra_gap_us = extra_gap_us;
        self
    }

    /// Sets [`LineConfig::frame_end_us`].
    #[must_use]
    pub const fn with_frame_end_us(mut self, frame_end_us: u32) -> Self {
        self.frame_end_us = frame_end_us;
        self
    }

    /// Sets [`LineConfig::read_attempts`]; 0 counts as 1.
    #[must_use]
    pub const fn with_read_attempts(mut self, read_attempts: u8) -> Self {
        self.read_attempts = read_attempts;
        self
    }

    /// Sets [`LineConfig::local_echo`].
    #[must_use]
    pub const fn with_local_echo(mut self, local_echo: bool) -> Self {
        self.local_echo = local_echo;
        self
    }

    /// Silence before a request.
    pub(crate) fn quiet_us(&self) -> u64 {
        self.pace.t35_us().saturating_add(self.extra_gap_us.into())
    }

    /// Silence that ends a frame of unknown length.
    pub(crate) fn frame_end_quiet_us(&self) -> u64 {
        self.pace.t35_us().max(self.frame_end_us.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silent_intervals() {
        assert_eq!(Pace::serial(9600, CharFormat::N8_1).t35_us(), 3_646);
        assert_eq!(Pace::serial(19_200, CharFormat::Parity8_1).t35_us(), 2_006);
        assert_eq!(Pace::serial(38_400, CharFormat::N8_1).t35_us(), 1_750);
        assert_eq!(Pace::UNPACED.t35_us(), 0);
        assert_eq!(Pace::serial(9600, CharFormat::N8_1).chars_us(8), 8_334);
        assert_eq!(Pace::serial(0, CharFormat::N8_1), Pace::UNPACED);
    }
}
