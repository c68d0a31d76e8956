//! What goes out over the connection: acknowledgements first, then a request through the tunnel.

use super::super::{Command, Down, MAX_FRAME_LEN, frame};
use super::Station;
use crate::acrel::Clock;
use crate::wire::MAX_ADU_LEN;

/// A frame that the station owes the meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Registration,
    Upload,
    Heartbeat,
    Time(Clock),
}

/// What was given to the driver and has not left yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    Answer,
    Request,
}

impl Station {
    /// The frame to send now.
    pub fn poll_transmit<'b>(&mut self, now_us: u64, buf: &'b mut [u8; MAX_FRAME_LEN]) -> Option<&'b [u8]> {
        if self.sending.is_some() {
            return None;
        }
        if let Some(answer) = self.answer.take() {
            self.sending = Some(Sending::Answer);
            let down = match answer {
                Answer::Registration => Down::RegisterTaken,
                Answer::Upload => Down::UploadTaken,
                Answer::Heartbeat => Down::HeartbeatTaken,
                Answer::Time(clock) => Down::Time(clock),
            };
            return down.encode(buf).ok();
        }
        self.serial()?;
        let mut inner = [0; MAX_ADU_LEN];
        let inner = self.session.poll_transmit(now_us, &mut inner)?;
        self.sending = Some(Sending::Request);
        // The session only holds frames of this crate's requests.
        frame::encode(Command::Transparent, &[inner], buf).ok()
    }

    /// The last byte of what [`Station::poll_transmit`] gave has left.
    pub fn transmitted(&mut self, now_us: u64) {
        if self.sending.take() == Some(Sending::Request) {
            self.session.transmitted(now_us);
        }
    }

    /// Nothing of the frame that [`Station::poll_transmit`] gave has left, and nothing will.
    pub fn not_transmitted(&mut self) {
        if self.sending.take() == Some(Sending::Request) {
            self.session.not_transmitted();
        }
    }
}
