//! Frames as messages, in both directions.
//!
//! Both directions can be read and written, so that the same types serve a station and a device that dials in.

use super::registration::{REGISTRATION_LEN, non_empty};
use super::{Command, Frame, RadioError, Registration, Serial, Upload, frame};
use crate::acrel::Clock;
use crate::uplink::{ForwardError, forwardable};
use crate::wire::{Incoming, MAX_ADU_LEN, Request, rtu};

/// Bytes of a time.
const TIME_LEN: usize = 7;
const SERIAL_LEN: usize = 20;
const CENTURY: u16 = 2000;

/// What a meter sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Up<'a> {
    /// 84H: who dials in.
    Register(Registration),
    /// 94H. Some send their serial with it.
    Heartbeat {
        /// Serial, if it is sent.
        serial: Option<Serial>,
    },
    /// 93H: what time is it? Some send their serial with it.
    TimeAsked {
        /// Serial, if it is sent.
        serial: Option<Serial>,
    },
    /// 91H.
    Upload(Upload<'a>),
    /// 90H: an RTU frame.
    Reply {
        /// Serial in front, if it is sent.
        serial: Option<Serial>,
        /// The whole RTU frame; its CRC is right.
        frame: &'a [u8],
    },
    /// 90H with the serial alone: a write has been taken.
    Acknowledged(Serial),
    /// Any other command, with its body.
    Other {
        /// The command.
        command: Command,
        /// The body, raw.
        body: &'a [u8],
    },
}

impl<'a> Up<'a> {
    /// Reads a frame of a meter.
    ///
    /// # Errors
    /// [`RadioError`].
    pub fn parse(frame: Frame<'a>) -> Result<Self, RadioError> {
        let body = frame.body();
        match frame.command() {
            Command::Register => Registration::parse(body).map(Self::Register),
            Command::Heartbeat => Ok(Self::Heartbeat { serial: optional_serial(body)? }),
            Command::Time => Ok(Self::TimeAsked { serial: optional_serial(body)? }),
            Command::Upload => Upload::parse(body).map(Self::Upload),
            Command::Transparent => transparent(body),
            command => Ok(Self::Other { command, body }),
        }
    }

    /// Writes a frame, as a meter does. Commands of unknown layout are not written.
    ///
    /// # Errors
    /// [`RadioError::BufferTooSmall`]; [`RadioError::Inner`] for a reply that is no frame, [`RadioError::Forward`] for
    /// one that reads as a factory function and for commands of unknown layout.
    pub fn encode<'b>(&self, buf: &'b mut [u8]) -> Result<&'b [u8], RadioError> {
        match self {
            Self::Register(registration) => {
                let parts: [&[u8]; 3] =
                    [registration.serial.as_bytes(), registration.iccid.as_bytes(), &registration.tail()];
                frame::encode(Command::Register, &parts, buf)
            }
            Self::Heartbeat { serial } => frame::encode(Command::Heartbeat, &[serial_bytes(serial)], buf),
            Self::TimeAsked { serial } => frame::encode(Command::Time, &[serial_bytes(serial)], buf),
            Self::Upload(upload) => frame::encode(Command::Upload, &upload.checked()?.parts(), buf),
            Self::Acknowledged(serial) => frame::encode(Command::Transparent, &[serial.as_bytes()], buf),
            Self::Reply { serial, frame } => {
                let (_, pdu) = rtu::open(frame)?;
                // The same bytes sent the other way would be a request.
                if let Ok(Incoming::Factory(factory)) = Request::parse(pdu) {
                    return Err(ForwardError::Factory(factory).into());
                }
                frame::encode(Command::Transparent, &[serial_bytes(serial), frame], buf)
            }
            Self::Other { command, .. } => Err(ForwardError::Unknown { function: command.byte() }.into()),
        }
    }
}

/// What a station sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Down<'a> {
    /// 84H without body: the registration was taken.
    RegisterTaken,
    /// 91H without body: the upload was taken.
    UploadTaken,
    /// 94H without body: an answer to a heartbeat.
    HeartbeatTaken,
    /// 93H: the time, local to the meter.
    Time(Clock),
    /// 90H: a request to a meter behind the radio.
    Request {
        /// Unit asked, not 0.
        unit: u8,
        /// The request; it can't be a factory function.
        request: Request<'a>,
    },
}

impl<'a> Down<'a> {
    /// Reads a frame of a station, as a meter does.
    ///
    /// # Errors
    /// [`RadioError`]; [`RadioError::Forward`] for a request that is not passed on, and for unknown commands.
    pub fn parse(frame: Frame<'a>) -> Result<Self, RadioError> {
        let body = frame.body();
        let empty = |message| match body.len() {
            0 => Ok(message),
            actual => Err(RadioError::BodyLength { command: frame.command().byte(), expected: 0, actual }),
        };
        match frame.command() {
            Command::Register => empty(Self::RegisterTaken),
            Command::Upload => empty(Self::UploadTaken),
            Command::Heartbeat => empty(Self::HeartbeatTaken),
            Command::Time => parse_time(body).map(Self::Time),
            Command::Transparent => {
                let (unit, request) = forwardable(body)?;
                Ok(Self::Request { unit, request })
            }
            command => Err(ForwardError::Unknown { function: command.byte() }.into()),
        }
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// [`RadioError::BufferTooSmall`]; [`RadioError::Encode`] for unit 0.
    pub fn encode<'b>(&self, buf: &'b mut [u8]) -> Result<&'b [u8], RadioError> {
        match self {
            Self::RegisterTaken => frame::encode(Command::Register, &[], buf),
            Self::UploadTaken => frame::encode(Command::Upload, &[], buf),
            Self::HeartbeatTaken => frame::encode(Command::Heartbeat, &[], buf),
            Self::Time(clock) => frame::encode(Command::Time, &[&time_body(clock)], buf),
            Self::Request { unit, request } => {
                let mut inner = [0; MAX_ADU_LEN];
                let inner = rtu::encode_request(*unit, request, &mut inner)?;
                frame::encode(Command::Transparent, &[inner], buf)
            }
        }
    }
}

/// Whether the body of a frame from a meter can't be complete yet, although the bytes behind it look like the end of a
/// frame: those bytes are then part of the body.
pub(super) fn expects_more(command: Command, body: &[u8]) -> bool {
    match command {
        Command::Register => !body.is_empty() && body.len() < REGISTRATION_LEN,
        Command::Upload => super::upload::expects_more(body),
        Command::Transparent => !body.is_empty() && transparent(body).is_err(),
        _ => false,
    }
}

fn transparent(body: &[u8]) -> Result<Up<'_>, RadioError> {
    let bare = rtu::open(body);
    if bare.is_ok() {
        return Ok(Up::Reply { serial: None, frame: body });
    }
    match body.split_first_chunk::<SERIAL_LEN>() {
        Some((serial, [])) => non_empty(*serial).map(Up::Acknowledged),
        Some((serial, frame)) => {
            rtu::open(frame)?;
            Ok(Up::Reply { serial: Some(non_empty(*serial)?), frame })
        }
        None => Ok(bare.map(|_| Up::Reply { serial: None, frame: body })?),
    }
}

fn optional_serial(body: &[u8]) -> Result<Option<Serial>, RadioError> {
    body.first_chunk::<SERIAL_LEN>().map(|serial| non_empty(*serial)).transpose()
}

fn serial_bytes(serial: &Option<Serial>) -> &[u8] {
    serial.as_ref().map_or(&[], |serial| serial.as_bytes())
}

/// Year from 2000, month, day, weekday (Sunday 0), hour, minute, second.
fn time_body(clock: &Clock) -> [u8; TIME_LEN] {
    // A clock's year is 2000 to 2099.
    let [_, year] = clock.year().saturating_sub(CENTURY).to_be_bytes();
    [year, clock.month(), clock.day(), clock.weekday(), clock.hour(), clock.minute(), clock.second()]
}

fn parse_time(body: &[u8]) -> Result<Clock, RadioError> {
    let &[year, month, day, weekday, hour, minute, second] = body else {
        return Err(RadioError::BodyLength { command: 0x93, expected: TIME_LEN, actual: body.len() });
    };
    // One byte on top of 2000 fits; the clock refuses what is above 2099.
    let clock = Clock::new(CENTURY.saturating_add(year.into()), month, day, hour, minute, second)?;
    if clock.weekday() != weekday {
        return Err(RadioError::Weekday { expected: clock.weekday(), actual: weekday });
    }
    Ok(clock)
}
