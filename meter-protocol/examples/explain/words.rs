//! Registers and vendor frames in words.

use meter_protocol::acrel::fields::{
    clock_eight_rate, clock_four_rate, eight_rate, hidden_among, low_block, prepay, realtime, settings, wireless,
};
use meter_protocol::acrel::{FirmwareVersion, StatusWord1};
use meter_protocol::map::{FieldInfo, Number, Unit, Value};
use meter_protocol::wire::request::RegisterWrite;
use meter_protocol::wire::{Registers, Reply};

/// Registers of the realtime block of 8-rate firmware.
const EIGHT_RATE_REGISTERS: usize = 72;

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ")
}

/// One register as it is written.
pub(crate) fn word(address: u16, value: u16) -> String {
    match hidden_among(address, 1) {
        Some(field) => format!("a value that is not shown ({})", field.name),
        None => value.to_string(),
    }
}

/// The known fields of the registers, and how many there are in all.
pub(crate) fn registers(registers: &Registers<'_>) -> String {
    let (first, count) = (registers.address(), registers.count());
    let length = u16::try_from(count).unwrap_or(u16::MAX);
    let last = first.saturating_add(length.saturating_sub(1));
    let (clock, more): (&[FieldInfo], &[FieldInfo]) = match count {
        EIGHT_RATE_REGISTERS => (clock_eight_rate::ALL, eight_rate::ALL),
        _ => (clock_four_rate::ALL, &[]),
    };
    let tables = [low_block::ALL, realtime::ALL, clock, more, settings::ALL, prepay::ALL, wireless::ALL];
    let mut known = Vec::new();
    for field in tables.into_iter().flatten() {
        // Fields that were not read are not worth a word; what can't be read as its kind is.
        if field.address < first || field.last() > last {
            continue;
        }
        match field.value(registers) {
            Ok(Value::Hidden) => {}
            Ok(value) => known.push(field_words(field, &value)),
            Err(error) => known.push(error.to_string()),
        }
    }
    let mut words = format!("{count} registers from {first:04X}H");
    if let Some(field) = hidden_among(first, length) {
        words += &format!(", of which {} is not shown", field.name);
    } else if known.is_empty() {
        words += &format!(": {}", hex(registers.bytes()));
    }
    if !known.is_empty() {
        words += &format!(": {}", known.join(", "));
    }
    words
}

fn field_words(field: &FieldInfo, value: &Value<'_>) -> String {
    let name = field.name;
    match value {
        Value::Number(number) if field.scale.is_none() => format!("{name} {number} raw"),
        Value::Number(number) if field.unit == Unit::None => format!("{name} {number}"),
        Value::Number(number) => format!("{name} {number} {}", field.unit),
        Value::Bits(bits) if name == "status_word_1" => format!("{name} {bits:04X}H ({})", status(StatusWord1(*bits))),
        Value::Bits(bits) => format!("{name} {bits:04X}H"),
        Value::Digits(digits) => {
            let places = usize::from(field.registers()) * 4;
            format!("{name} {digits:0places$}")
        }
        Value::Text(text) => format!("{name} {text:?}"),
        Value::Raw(bytes) => format!("{name} {}", hex(bytes)),
        _ => name.to_owned(),
    }
}

fn status(word: StatusWord1) -> String {
    let flags = [
        (word.forced(), "forced"),
        (word.overload(), "overload"),
        (word.arrears(), "in arrears"),
        (word.alarm_1(), "alarm 1"),
        (word.alarm_2(), "alarm 2"),
        (word.fault(), "fault"),
    ];
    let supply = if word.relay_closed() { "supply on" } else { "supply off" };
    let set = flags.into_iter().filter(|(on, _)| *on).map(|(_, name)| name);
    std::iter::once(supply).chain(set).collect::<Vec<_>>().join(", ")
}

/// What function 10H writes.
pub(crate) fn write(address: u16, data: &[u8]) -> String {
    let registers = u16::try_from(data.len() / 2).unwrap_or(u16::MAX);
    if let Some(field) = hidden_among(address, registers) {
        return format!("contents not shown ({})", field.name);
    }
    match (address, data) {
        (0x0057, [0, 0, 0, _]) => "back to prepaid".to_owned(),
        (0x0057, [0, 1, 0, 0]) => "supply on whatever the balance".to_owned(),
        (0x0057, [0, 1, 0, 1]) => "supply off".to_owned(),
        _ => hex(data),
    }
}

/// What function 20H writes.
pub(crate) fn vendor(write: &RegisterWrite<'_>) -> String {
    match (write.address(), write.data()) {
        (0x0100, [a, b, c, d, e, f, ..]) => {
            let amount = hundredths(u32::from_be_bytes([*a, *b, *c, *d]));
            format!("sale of {amount}, purchase count {}", u16::from_be_bytes([*e, *f]))
        }
        (0x0200, data) => parameters(data),
        (0x0354, [second, minute, hour, weekday, day, month, year, ..]) => format!(
            "clock to 20{year:02}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}, weekday {weekday} (0 is Sunday)"
        ),
        (0x0300 | 0x031C | 0x0338, data) => format!("time control: {}", hex(data)),
        (0x0400 | 0x040D | 0x041A, data) => format!("load control: {}", hex(data)),
        (0x0410, data) => format!("trip counters, flag and count of L1, L2, L3 and all: {}", hex(data)),
        (0x0500, data) => format!("force per line: {}", hex(data)),
        (_, data) => hex(data),
    }
}

/// The fields of the parameter frame whose flag is set.
fn parameters(data: &[u8]) -> String {
    let flagged = |at: usize| data.get(at) == Some(&1);
    let long = |at: usize| data.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u32::from_be_bytes(*b));
    let mut words = Vec::new();
    if flagged(0) {
        words.push(if data.get(1) == Some(&0) { "prepaid off".to_owned() } else { "prepaid on".to_owned() });
    }
    if flagged(2) {
        words.push(format!("remaining amount to {}", Number::new(long(3).cast_signed().into(), -2)));
    }
    if flagged(7) {
        words.push(format!("purchase count to {}", long(6) & 0xFFFF));
    }
    if flagged(10) {
        words.push(format!("total to {} raw", long(11)));
    }
    if flagged(15) {
        words.push(format!("base amount to {}", hundredths(long(16))));
    }
    if flagged(20) {
        words.push(format!("alarms at {} and {}", hundredths(long(21)), hundredths(long(25))));
    }
    if flagged(29) {
        words.push(format!("raw prices {}, {}, {}, {}", long(30), long(34), long(38), long(42)));
    }
    if flagged(46) {
        words.push(format!("overdraft limit {}", hundredths(long(47))));
    }
    if flagged(51) {
        words.push(format!("unlabelled setting {}", data.get(52).copied().unwrap_or(0)));
    }
    if flagged(53) {
        words.push(format!("meter number {}", hex(data.get(54..60).unwrap_or_default()).replace(' ', "")));
    }
    if words.is_empty() { "parameters, none of them flagged".to_owned() } else { words.join(", ") }
}

fn hundredths(value: u32) -> String {
    Number::new(value.into(), -2).to_string()
}

/// The reply to function 11H.
pub(crate) fn version(reply: &Reply<'_>, data: &[u8]) -> String {
    FirmwareVersion::from_reply(reply).map_or_else(|_| hex(data), |version| version.to_string())
}
