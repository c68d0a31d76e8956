//! Which lines and units are tried, and for how long.

use std::error::Error;
use std::str::FromStr;

use meter_protocol::acrel::Model;
use meter_protocol::client::tokio::{Client, ReplyBuffer, TransactError};
use meter_protocol::session::LineConfig;
use meter_protocol::wire::Reply;

use crate::connect::{LineParity, Target, Transport};

/// Speeds of these meters, the commonest first.
const BAUDS: [u32; 6] = [9_600, 4_800, 2_400, 19_200, 38_400, 1_200];
/// Characters of the read and of its reply.
const REQUEST_CHARS: u64 = 8;
const REPLY_CHARS: u64 = 7;
/// Longest address of a unit.
const UNIT_MAX: u8 = 247;

/// A list of units without repetition, in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Units(Vec<u8>);

impl FromStr for Units {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unit = |text: &str| match text.trim().parse() {
            Ok(unit @ 1..=UNIT_MAX) => Ok(unit),
            _ => Err(format!("{text:?} is no unit from 1 to {UNIT_MAX}")),
        };
        let mut units = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (u8, u8) = (unit(first)?, unit(last)?);
            if first > last {
                return Err(format!("{part:?} runs backwards"));
            }
            units.extend(first..=last);
        }
        units.sort_unstable();
        units.dedup();
        Ok(Self(units))
    }
}

/// A scan that has been planned.
pub(crate) struct Scan {
    lines: Vec<(Target, LineConfig)>,
    units: Units,
}

impl Scan {
    pub(crate) fn new(target: &Target, transport: Transport, units: Units, timeout_ms: u32) -> Result<Self, String> {
        let patient = |line: LineConfig| {
            // A meter that answers later than this is not waited for, here or before the next read.
            let timeout_us = timeout_ms.saturating_mul(1_000);
            line.with_response_timeout_us(timeout_us).with_longest_response_us(timeout_us)
        };
        let mut lines = Vec::new();
        for target in targets(target) {
            let line = patient(target.line(transport)?);
            lines.push((target, line));
        }
        Ok(Self { lines, units })
    }

    /// When nobody answers: every read costs its time-out.
    pub(crate) fn worst_case(&self) -> String {
        let reads = self.lines.len() * self.units.0.len();
        let units = u64::try_from(self.units.0.len()).unwrap_or(u64::MAX);
        let cost_us = |line: &LineConfig| {
            let chars_us = line.pace.chars_us(REQUEST_CHARS + REPLY_CHARS);
            // Silence in front of the request, and once more behind the time-out.
            chars_us + 2 * line.pace.t35_us() + u64::from(line.response_timeout_us)
        };
        let total_us: u64 = self.lines.iter().map(|(_, line)| cost_us(line) * units).sum();
        let seconds = total_us.div_ceil(1_000_000);
        format!("{reads} reads, {} min {} s", seconds / 60, seconds % 60)
    }

    /// Reads the model code of every unit on every line and prints who answers.
    pub(crate) async fn run(&self) -> Result<usize, Box<dyn Error>> {
        let mut found = 0;
        for (target, line) in &self.lines {
            let stream = match target.open().await {
                Ok(stream) => stream,
                // Not every port can do every speed and format; the others are still worth trying.
                Err(error) if self.lines.len() > 1 => {
                    eprintln!("skipped: {error}");
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let mut client = Client::new(stream, *line);
            for unit in &self.units.0 {
                let mut buffer = ReplyBuffer::new();
                let answer = match client.transact(*unit, &Model::READ, &mut buffer).await {
                    Ok(Reply::Registers(registers)) => registers.word(0x0200).map(Model::from_code),
                    Ok(_) => None,
                    Err(TransactError::NoReply { source: None, .. }) => continue,
                    Err(TransactError::Exception(exception)) if exception.is_of_gateway() => continue,
                    Err(TransactError::Exception(_)) => None,
                    Err(error) => return Err(error.into()),
                };
                found += 1;
                let name = answer.map_or_else(|| "not an Acrel prepaid meter".to_owned(), |model| model.to_string());
                println!("unit {unit} {}: {name}", place(target));
            }
        }
        Ok(found)
    }
}

fn place(target: &Target) -> String {
    match target {
        Target::Tcp(address) => format!("at {address}"),
        Target::Serial { baud, parity, .. } => format!("at {baud} {}", parity.name()),
    }
}

/// Every speed and format of a serial port, the one given first; a TCP address once.
fn targets(target: &Target) -> Vec<Target> {
    let Target::Serial { path, .. } = target else { return vec![target.clone()] };
    let mut all = vec![target.clone()];
    for parity in LineParity::ALL {
        for baud in BAUDS {
            let candidate = Target::Serial { path: path.clone(), baud, parity };
            if candidate != *target {
                all.push(candidate);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_speed_with_each_parity_is_tried_once_and_the_given_one_first() {
        let given: Target = "serial:/dev/ttyUSB0@2400,8E1".parse().unwrap();
        let tried = targets(&given);
        assert_eq!(tried.first(), Some(&given));
        for parity in LineParity::ALL {
            for baud in BAUDS {
                let place = format!("at {baud} {}", parity.name());
                assert_eq!(tried.iter().filter(|target| super::place(target) == place).count(), 1, "{place}");
            }
        }
        assert_eq!(tried.len(), 18);
        let network: Target = "tcp://192.0.2.10:8899".parse().unwrap();
        assert_eq!(targets(&network), [network]);
    }

    #[test]
    fn the_worst_case_counts_every_unit_on_every_line() {
        let given: Target = "serial:/dev/ttyUSB0".parse().unwrap();
        let scan = Scan::new(&given, Transport::Rtu, "1-10,5,12".parse().unwrap(), 300).unwrap();
        // 18 lines of 11 units, each at least its time-out.
        assert!(scan.worst_case().starts_with("198 reads, 1 min "), "{}", scan.worst_case());
    }

    #[test]
    fn units_that_do_not_exist_are_refused() {
        for text in ["0", "248", "5-1", "", "1-", "one"] {
            assert!(text.parse::<Units>().is_err(), "{text:?}");
        }
    }
}
