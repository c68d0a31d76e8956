//! One frame after the other: which way it goes and what it says.

use meter_protocol::wire::factory::FactoryFunction;
use meter_protocol::wire::sniff::{Sniffed, decode_rtu, decode_tcp};
use meter_protocol::wire::{Answer, Exception, Expectation, Incoming, Reply, ReplyError, Request, rtu, tcp};

use crate::Transport;
use crate::words;

/// What is said about one line.
pub(crate) struct Explained {
    pub(crate) meaning: String,
    /// What is wrong with it; `None` for a valid frame.
    pub(crate) error: Option<String>,
}

/// A request that was heard and not yet answered.
#[derive(Clone, Copy)]
struct Asked {
    transaction: u16,
    unit: u8,
    expected: Expectation,
}

/// Follows a line.
pub(crate) struct Listener {
    transport: Transport,
    asked: Option<Asked>,
}

impl Listener {
    pub(crate) const fn new(transport: Transport) -> Self {
        Self { transport, asked: None }
    }

    pub(crate) fn explain(&mut self, frame: &[u8]) -> Explained {
        let decoded = match self.transport {
            Transport::Rtu => decode_rtu(frame).map(|sniffed| (0, sniffed)),
            Transport::Tcp => decode_tcp(frame).map(|(header, sniffed)| (header.transaction, sniffed)),
        };
        match decoded {
            Ok((transaction, sniffed)) => {
                let meaning = self.valid(frame, transaction, &sniffed);
                Explained { meaning, error: None }
            }
            Err(error) => Explained { meaning: self.guess(frame), error: Some(error.to_string()) },
        }
    }

    /// What a broken frame was perhaps meant to be.
    fn guess(&self, frame: &[u8]) -> String {
        let (start, length) = match self.transport {
            Transport::Rtu => (frame, frame.len()),
            Transport::Tcp => (frame.get(6..).unwrap_or_default(), frame.len()),
        };
        match start {
            [unit, function, ..] => {
                format!("{length} bytes that start like unit {unit}, function {function:02X}H")
            }
            _ => format!("{length} bytes"),
        }
    }

    fn valid(&mut self, frame: &[u8], transaction: u16, sniffed: &Sniffed<'_>) -> String {
        let unit = sniffed.unit;
        let mut misfit = String::new();
        if let Some(asked) = self.asked {
            match self.answer(frame, &asked) {
                Ok(Answer::Reply(reply)) => {
                    self.asked = None;
                    return reply_words(unit, &reply);
                }
                Ok(Answer::Exception(exception)) => {
                    self.asked = None;
                    return exception_words(unit, exception);
                }
                Err(error) if sniffed.as_request.is_none() => {
                    misfit = format!("; it does not answer the request before it: {error}");
                }
                Err(_) => {}
            }
        }
        match (&sniffed.as_request, sniffed.as_exception) {
            (Some(Incoming::Factory(factory)), exception) => {
                self.asked = None;
                factory_words(unit, *factory, exception)
            }
            (Some(Incoming::Request(request)), _) => {
                self.asked = Some(Asked { transaction, unit, expected: request.expectation() });
                request_words(unit, request)
            }
            (_, Some(exception)) => exception_words(unit, exception) + &misfit,
            _ => unpaired_words(sniffed) + &misfit,
        }
    }

    fn answer<'a>(&self, frame: &'a [u8], asked: &Asked) -> Result<Answer<'a>, ReplyError> {
        match self.transport {
            Transport::Rtu => rtu::decode_answer(frame, asked.unit, &asked.expected),
            Transport::Tcp => tcp::decode_answer(frame, asked.transaction, asked.unit, &asked.expected),
        }
    }
}

fn request_words(unit: u8, request: &Request<'_>) -> String {
    match request {
        Request::ReadHolding(span) => {
            format!("unit {unit} is asked for {} holding registers from {:04X}H", span.count(), span.address())
        }
        Request::ReadInput(span) => {
            format!("unit {unit} is asked for {} input registers from {:04X}H", span.count(), span.address())
        }
        Request::WriteSingle { address, value } => {
            format!("unit {unit} is to write {} into {address:04X}H", words::word(*address, *value))
        }
        Request::WriteMultiple(write) => {
            let what = words::write(write.address(), write.data());
            format!("unit {unit} is to write {} registers from {:04X}H: {what}", write.count(), write.address())
        }
        Request::Vendor(write) => {
            format!("unit {unit}, function 20H @{:04X}H: {}", write.address(), words::vendor(write))
        }
        _ => format!("unit {unit} is asked who it is (function 11H)"),
    }
}

fn reply_words(unit: u8, reply: &Reply<'_>) -> String {
    match reply {
        Reply::Registers(registers) => format!("unit {unit} answers: {}", words::registers(registers)),
        Reply::Written { function: 0x06, address, value } => {
            format!("unit {unit} confirms {} in {address:04X}H", words::word(*address, *value))
        }
        Reply::Written { address, value, .. } => {
            format!("unit {unit} confirms the write of {value} registers from {address:04X}H")
        }
        Reply::Id(data) => format!("unit {unit} says who it is: {}", words::version(reply, data)),
        Reply::Vendor(answer) => format!(
            "unit {unit} answers function {}: {}; only a read-back tells whether it acted",
            if answer.is_marked_as_exception() { "A0H (perhaps a refusal)" } else { "20H" },
            words::hex(answer.bytes())
        ),
        _ => format!("unit {unit} answers"),
    }
}

fn exception_words(unit: u8, exception: Exception) -> String {
    format!("unit {unit}: {exception}")
}

fn factory_words(unit: u8, factory: FactoryFunction, exception: Option<Exception>) -> String {
    let words = format!("unit {unit}: factory {factory}, which this crate never builds; its data is not shown");
    match exception {
        Some(exception) => format!("{words} (or, if {:02X}H was asked, an exception: {exception})", exception.function),
        None => words,
    }
}

/// A frame that is neither a request of this crate nor an answer to the one before it.
fn unpaired_words(sniffed: &Sniffed<'_>) -> String {
    let Sniffed { unit, function, data, .. } = sniffed;
    let hidden = "contents not shown, since no request before it tells what they are";
    match sniffed.name {
        Some(name) if sniffed.fits_reply => {
            format!("unit {unit} answers function {function:02X}H ({name}) with {} bytes; {hidden}", data.len())
        }
        Some(name) => format!("unit {unit}, function {function:02X}H ({name}), {} bytes", data.len()),
        None => format!("unit {unit}, function {function:02X}H, which is not a known one, {} bytes", data.len()),
    }
}
