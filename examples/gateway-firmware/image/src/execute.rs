//! One command, done once: who answers there, what the meter shows before, the write, what it shows after.

use crate::board::{Direction, Timer, Uart};
use meter_protocol::{
    acrel::{MeterNumber, Purchase},
    client::{MeterError, ReplyBuffer, TransactError, embedded::Client},
    seal::message::{Command, Order, Outcome, RefusalReason},
    wire::Request,
};

/// The master of the meters' line.
pub type Line = Client<Uart, Direction, Timer, Timer>;

/// 021FH to 0221H: the remaining amount and the purchase count.
const PURSE: u16 = 0x021F;
const PURSE_REGISTERS: u16 = 3;
/// 0057H and 0058H: the relay control.
const FORCE: u16 = 0x0057;
const FORCE_REGISTERS: u16 = 2;
/// Registers of one answer to a read: what fits a message.
const READ_MAX: usize = 60;

/// Registers as they came.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// The first.
    pub address: u16,
    len: usize,
    data: [u8; 2 * READ_MAX],
}

impl Shown {
    /// The bytes.
    pub fn data(&self) -> &[u8] {
        self.data.get(..self.len).unwrap_or_default()
    }
}

/// What became of a command.
#[derive(Debug)]
pub struct Done {
    /// How it ended.
    pub outcome: Outcome,
    /// Before.
    pub before: Option<Shown>,
    /// After.
    pub after: Option<Shown>,
}

impl Done {
    const fn without_registers(outcome: Outcome) -> Self {
        Self { outcome, before: None, after: None }
    }
}

/// Does a command. Its id is known by now.
pub fn execute(line: &mut Line, command: &Command, now_utc_s: i64) -> Done {
    let unit = command.meter.unit;
    if command.not_after_utc_s < now_utc_s {
        return Done::without_registers(Outcome::Refused(RefusalReason::Expired));
    }
    match line.read_block::<MeterNumber>(unit) {
        Ok(number) if number == command.meter.number => {}
        Ok(_) => return Done::without_registers(Outcome::Refused(RefusalReason::OtherMeter)),
        Err(_) => return Done::without_registers(Outcome::NotTransmitted),
    }
    match command.order {
        Order::Read { address, count } => match read(line, unit, address, count.into()) {
            Some(shown) => Done { outcome: Outcome::Answered, before: None, after: Some(shown) },
            None => Done::without_registers(Outcome::NotTransmitted),
        },
        Order::Sale { amount_minor, count_before } => sell(line, unit, amount_minor, count_before),
        Order::Force(mode) => {
            let outcome = write(line, unit, &mode.request());
            Done { outcome, before: None, after: read(line, unit, FORCE, FORCE_REGISTERS) }
        }
        _ => Done::without_registers(Outcome::Refused(RefusalReason::Unsupported)),
    }
}

fn sell(line: &mut Line, unit: u8, amount_minor: u32, count_before: u16) -> Done {
    let before = read(line, unit, PURSE, PURSE_REGISTERS);
    let count =
        before.as_ref().and_then(|shown| shown.data().last_chunk::<2>()).map(|bytes| u16::from_be_bytes(*bytes));
    let Some(count) = count else { return Done::without_registers(Outcome::NotTransmitted) };
    if count != count_before {
        return Done { outcome: Outcome::Refused(RefusalReason::OtherCount), before, after: None };
    }
    let Ok(purchase) = Purchase::new(amount_minor, count_before) else {
        return Done { outcome: Outcome::Refused(RefusalReason::Unsupported), before, after: None };
    };
    let outcome = write(line, unit, &purchase.request());
    // Whatever the answer was: what the meter shows is the evidence.
    Done { outcome, before, after: read(line, unit, PURSE, PURSE_REGISTERS) }
}

fn write(line: &mut Line, unit: u8, request: &Request<'_>) -> Outcome {
    match line.write(unit, request) {
        Ok(()) => Outcome::Answered,
        Err(TransactError::Exception(exception)) => Outcome::Exception { code: exception.code.get() },
        Err(TransactError::NotTransmitted { .. } | TransactError::Encode(_)) => Outcome::NotTransmitted,
        Err(_) => Outcome::NoReply,
    }
}

/// Reads, once more if noise was in the way.
fn read(line: &mut Line, unit: u8, address: u16, count: u16) -> Option<Shown> {
    let request = Request::read_holding(address, count).ok().filter(|_| usize::from(count) <= READ_MAX)?;
    let mut buffer = ReplyBuffer::new();
    let mut shown = Shown { address, len: 0, data: [0; 2 * READ_MAX] };
    for _ in 0..3 {
        match line.read(unit, &request, &mut buffer) {
            Ok(registers) => {
                shown.len = registers.bytes().len();
                shown.data.iter_mut().zip(registers.bytes()).for_each(|(to, from)| *to = *from);
                return Some(shown);
            }
            Err(MeterError::Transact(TransactError::NoReply { .. })) => {}
            Err(_) => return None,
        }
    }
    None
}
