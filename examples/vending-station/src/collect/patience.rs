//! How long the collector waits and how often it asks. Intervals are world time; what a computer and a socket need has a
//! floor in real time, so that a world whose days pass in minutes is polled as fast as it can be and not faster.

use crate::{clock::WorldClock, site::model::STATUS_EVERY_S};
use meter_protocol::session::{CharFormat, LineConfig};
use prepay_core::sale::SalePolicy;
use std::time::Duration;

/// No meter is asked more often than this for real.
const STATUS_FLOOR: Duration = Duration::from_millis(500);
/// A reply is waited for this long.
const RESPONSE: Duration = Duration::from_secs(1);
/// Below this a time-out would measure this computer.
const RESPONSE_FLOOR: Duration = Duration::from_millis(80);
/// A reply may still come this late, on top of the time-out.
const LATE: Duration = Duration::from_secs(2);
/// Below this a late reply of a loaded computer would be taken for another one's.
const LATE_FLOOR: Duration = Duration::from_millis(40);
/// The longest life of a frame between the station and a meter.
const FRAME_LIFE: Duration = Duration::from_secs(5);
/// Below this the gateways can't promise it.
const FRAME_LIFE_FLOOR: Duration = Duration::from_millis(200);
/// A meter that is silent for longer has lost contact.
const LOST_AFTER: Duration = Duration::from_secs(600);
/// For real, at least this.
const LOST_FLOOR: Duration = Duration::from_secs(5);
/// A connection that failed is tried again after this.
const RECONNECT: Duration = Duration::from_secs(2);
const RECONNECT_FLOOR: Duration = Duration::from_millis(100);

/// A disagreement between meter and books is a finding when it lasts this long.
const GRACE: Duration = Duration::from_secs(180);
const GRACE_FLOOR: Duration = Duration::from_secs(3);
/// A relay order that the meter does not show is written again after this.
const RELAY_RETRY: Duration = Duration::from_secs(60);
const RELAY_RETRY_FLOOR: Duration = Duration::from_millis(500);

/// A read is sent this often before it counts as unanswered. Writes are sent once.
const READ_ATTEMPTS: u8 = 2;

/// All waiting times of the collector at one world speed.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    clock: WorldClock,
    paced: bool,
    status_every: Duration,
}

impl Patience {
    /// Waiting times for this clock. `paced`: the lines take the time that their baud rate needs.
    pub fn new(clock: WorldClock, paced: bool) -> Self {
        Self { clock, paced, status_every: Duration::from_secs(STATUS_EVERY_S.into()) }
    }

    /// The same with the site's interval of polls.
    #[must_use]
    pub fn with_status_every_s(self, status_every_s: u16) -> Self {
        Self { status_every: Duration::from_secs(status_every_s.into()), ..self }
    }

    /// World time between two polls of a meter, µs.
    pub fn status_every_us(&self) -> u64 {
        self.world_us(self.clock.real(self.status_every, STATUS_FLOOR))
    }

    /// World seconds after which a status is stale: a poll and its repetition, both late.
    pub fn stale_after_s(&self) -> i64 {
        let polls = i64::try_from(self.status_every_us().saturating_mul(4) / 1_000_000).unwrap_or(i64::MAX);
        if self.clock.speed() == 1 && self.status_every <= Duration::from_secs(STATUS_EVERY_S.into()) {
            crate::store::read::STALE_AFTER_S
        } else {
            polls.max(crate::store::read::STALE_AFTER_S)
        }
    }

    /// World time after which a silent meter has lost contact, µs.
    pub fn lost_after_us(&self) -> u64 {
        self.world_us(self.clock.real(LOST_AFTER, LOST_FLOOR))
    }

    /// Real time before a failed connection is tried again.
    pub fn reconnect(&self) -> Duration {
        self.clock.real(RECONNECT, RECONNECT_FLOOR)
    }

    /// How long a frame can live, for real: what the virtual gateways promise.
    pub fn frame_life(&self) -> Duration {
        self.clock.real(FRAME_LIFE, FRAME_LIFE_FLOOR)
    }

    /// The session's times, which are real.
    pub fn line(&self, baud: u32) -> LineConfig {
        let response = self.clock.real(RESPONSE, RESPONSE_FLOOR);
        let late = self.clock.real(LATE, LATE_FLOOR);
        let line = if self.paced { LineConfig::rtu(baud, CharFormat::N8_1) } else { LineConfig::rtu_unpaced() };
        line.with_response_timeout_us(micros(response))
            .with_longest_response_us(micros(response + late))
            .with_read_attempts(READ_ATTEMPTS)
    }

    /// How sales wait and repeat. The core counts world milliseconds.
    pub fn sale(&self) -> SalePolicy {
        let world_ms = |world, floor| self.world_us(self.clock.real(world, floor)) / 1000;
        SalePolicy {
            frame_life_ms: world_ms(FRAME_LIFE, FRAME_LIFE_FLOOR),
            probe_first_ms: world_ms(Duration::from_secs(1), Duration::from_millis(50)),
            probe_max_ms: world_ms(Duration::from_secs(60), Duration::from_secs(1)),
            ..SalePolicy::DEFAULT
        }
    }

    /// World seconds that a disagreement has to last before it is a finding.
    pub fn grace_s(&self) -> u32 {
        self.world_s(GRACE, GRACE_FLOOR)
    }

    /// World seconds before a relay order is written again.
    pub fn relay_retry_s(&self) -> u32 {
        self.world_s(RELAY_RETRY, RELAY_RETRY_FLOOR)
    }

    fn world_s(&self, world: Duration, floor: Duration) -> u32 {
        u32::try_from(self.world_us(self.clock.real(world, floor)) / 1_000_000).unwrap_or(u32::MAX)
    }

    fn world_us(&self, real: Duration) -> u64 {
        u64::try_from(real.as_micros()).unwrap_or(u64::MAX).saturating_mul(self.clock.speed().into())
    }
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}
