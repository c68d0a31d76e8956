//! Where a meter is reached.

use std::str::FromStr;
use std::time::Duration;

use meter_protocol::session::{CharFormat, LineConfig};
use serial2_tokio::{CharSize, Parity, SerialPort, Settings, StopBits};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The meters' own default.
const DEFAULT_BAUD: u32 = 9_600;

/// A serial port or a TCP connection.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// `tcp://HOST:PORT` or `serial:/dev/…`, the latter optionally with `@BAUD` and `,8N1`, `,8E1` or `,8O1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Tcp(String),
    Serial { path: String, baud: u32, parity: LineParity },
}

/// Parity of a serial line with 8 data bits and 1 stop bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineParity {
    None,
    Even,
    Odd,
}

impl LineParity {
    #[allow(dead_code, reason = "not every example needs it")]
    pub(crate) const ALL: [Self; 3] = [Self::None, Self::Even, Self::Odd];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "8N1",
            Self::Even => "8E1",
            Self::Odd => "8O1",
        }
    }

    pub(crate) const fn format(self) -> CharFormat {
        match self {
            Self::None => CharFormat::N8_1,
            Self::Even | Self::Odd => CharFormat::Parity8_1,
        }
    }
}

/// How frames travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Transport {
    /// RTU frames, on a serial line or through a gateway that passes them on.
    Rtu,
    /// Modbus/TCP.
    Tcp,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(address) = text.strip_prefix("tcp://") {
            return Ok(Self::Tcp(address.to_owned()));
        }
        let Some(port) = text.strip_prefix("serial:") else {
            return Err("expected tcp://HOST:PORT or serial:/dev/…".to_owned());
        };
        let (path, line) = port.split_once('@').unwrap_or((port, ""));
        let (baud, format) = line.split_once(',').unwrap_or((line, "8N1"));
        let baud = match baud {
            "" => DEFAULT_BAUD,
            _ => baud.parse().map_err(|_| format!("{baud:?} is no baud rate"))?,
        };
        let parity = [LineParity::None, LineParity::Even, LineParity::Odd].into_iter().find(|p| p.name() == format);
        let parity = parity.ok_or_else(|| format!("{format:?} is none of 8N1, 8E1, 8O1"))?;
        Ok(Self::Serial { path: path.to_owned(), baud, parity })
    }
}

impl Target {
    /// The line as a session needs to know it.
    pub(crate) fn line(&self, transport: Transport) -> Result<LineConfig, String> {
        match (transport, self) {
            (Transport::Tcp, Self::Serial { .. }) => Err("Modbus/TCP does not run over a serial port".to_owned()),
            (Transport::Tcp, Self::Tcp(_)) => Ok(LineConfig::tcp()),
            // Behind the gateway there is a line of the usual speed.
            (Transport::Rtu, Self::Tcp(_)) => Ok(LineConfig::rtu(DEFAULT_BAUD, CharFormat::N8_1)),
            (Transport::Rtu, Self::Serial { baud, parity, .. }) => Ok(LineConfig::rtu(*baud, parity.format())),
        }
    }

    /// Opens it.
    pub(crate) async fn open(&self) -> Result<Box<dyn Stream>, String> {
        match self {
            Self::Tcp(address) => {
                let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address.as_str()));
                let stream = match connecting.await {
                    Ok(connected) => connected.map_err(|error| format!("{address}: {error}"))?,
                    Err(_) => return Err(format!("{address}: no connection within {CONNECT_TIMEOUT:?}")),
                };
                stream.set_nodelay(true).map_err(|error| format!("{address}: {error}"))?;
                Ok(Box::new(stream))
            }
            Self::Serial { path, baud, parity } => {
                let set = |mut settings: Settings| {
                    settings.set_raw();
                    settings.set_baud_rate(*baud)?;
                    settings.set_char_size(CharSize::Bits8);
                    settings.set_stop_bits(StopBits::One);
                    settings.set_parity(match parity {
                        LineParity::None => Parity::None,
                        LineParity::Even => Parity::Even,
                        LineParity::Odd => Parity::Odd,
                    });
                    Ok(settings)
                };
                let port = SerialPort::open(path, set);
                Ok(Box::new(port.map_err(|error| format!("{path} at {baud} {}: {error}", parity.name()))?))
            }
        }
    }
}
