//! Between the seam and the messages. Evidence travels as the registers that were read; the station interprets them.

use super::keys::{self, KeysError};
use crate::collect::{
    commission::{PREPAY, Wanted},
    line::LineSetup,
    order::{Done, LineCounters, LineState, Task, Written},
    reading::{ReadingError, Shown, Spectacles},
};
use meter_protocol::{
    acrel::{self, ForceMode},
    bus::Class,
    plan::Read,
    seal::{
        MAX_PAYLOAD_LEN,
        message::{
            Command, CommandResult, Envelope, LineStatus, Message, MessageError, MessageId, MeterLink, MeterRef,
            MeterStatus, Order as Wish, Outcome, RefusalReason, RegisterBlock, SettingsOrder, Snapshot,
        },
    },
    wire::Registers,
};
use prepay_core::{id::MeterNumber, reading::Force, time::Now};

/// Where the meter number stands.
const NUMBER_ADDRESS: u16 = 0x0043;

/// Gives messages their ids: never twice, also over restarts.
#[derive(Debug)]
pub(super) struct Ids {
    run: [u8; 8],
    next: u64,
}

impl Ids {
    pub(super) fn new() -> Result<Self, KeysError> {
        Ok(Self { run: keys::random()?, next: 0 })
    }

    pub(super) fn next(&mut self) -> MessageId {
        self.next += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.run);
        id[8..].copy_from_slice(&self.next.to_be_bytes());
        MessageId(id)
    }
}

/// A meter of a collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The collector's line, in the order of the site file.
    pub(super) line: u8,
    pub(super) unit: u8,
    pub(super) number: MeterNumber,
}

/// The meters of a collector's lines. Both ends make the list from the same site.
pub(super) fn places(lines: &[LineSetup]) -> Vec<Place> {
    let on = |(line, setup): (u8, &LineSetup)| -> Vec<Place> {
        setup.meters.iter().map(|(number, unit)| Place { line, unit: *unit, number: *number }).collect()
    };
    (0..=u8::MAX).zip(lines).flat_map(on).collect()
}

pub(super) fn meter_ref(place: Place) -> Option<MeterRef> {
    Some(MeterRef { line: place.line, unit: place.unit, number: place.number.to_string().parse().ok()? })
}

/// A meter number as the core has it.
pub(super) fn number(number: acrel::MeterNumber) -> Option<MeterNumber> {
    MeterNumber::new(number.to_string().parse().ok()?).ok()
}

pub(super) fn emit(id: MessageId, message: Message<'_>) -> Result<Vec<u8>, MessageError> {
    let mut buffer = [0; MAX_PAYLOAD_LEN];
    Ok(Envelope { id, message }.emit(&mut buffer)?.to_vec())
}

/// The order of the message for a task.
pub(super) fn wish(task: &Task, status: Read) -> Wish {
    match task {
        Task::Read { .. } => {
            Wish::Read { address: status.address, count: u8::try_from(status.count).unwrap_or(u8::MAX) }
        }
        Task::Sell { amount_minor, count } => Wish::Sale { amount_minor: *amount_minor, count_before: *count },
        Task::Switch { force } => Wish::Force(match force {
            Force::Automatic => ForceMode::Prepaid,
            Force::On => ForceMode::SupplyOn,
            Force::Off => ForceMode::SupplyOff,
        }),
        Task::Commission(wanted) => Wish::Settings(SettingsOrder {
            enable: Some(wanted.prepaid),
            base_free_minor: None,
            alarms_minor: wanted.prepaid.then(|| wanted.alarms_minor.into()),
            overdraft_minor: wanted.prepaid.then_some(0),
            prices: wanted.prices.filter(|_| wanted.prepaid),
        }),
    }
}

/// The task of a message's order. `own` is what the collector's own site file says about the meter: its model and its days.
pub(super) fn task(wish: &Wish, status: Read, own: Option<&Wanted>) -> Result<Task, RefusalReason> {
    match wish {
        Wish::Read { address, count } if (*address, u16::from(*count)) == (status.address, status.count) => {
            Ok(Task::Read { class: Class::Money })
        }
        Wish::Sale { amount_minor, count_before } => {
            Ok(Task::Sell { amount_minor: *amount_minor, count: *count_before })
        }
        Wish::Force(mode) => Ok(Task::Switch {
            force: match mode {
                ForceMode::Prepaid => Force::Automatic,
                ForceMode::SupplyOn => Force::On,
                ForceMode::SupplyOff => Force::Off,
            },
        }),
        Wish::Settings(SettingsOrder {
            enable: Some(prepaid), base_free_minor: None, alarms_minor, prices, ..
        }) => {
            let own = own.ok_or(RefusalReason::Unsupported)?;
            let alarms_minor = alarms_minor.unwrap_or_default().into();
            let wanted = Wanted { prepaid: *prepaid, alarms_minor, prices: *prices, ..own.clone() };
            Ok(Task::Commission(Box::new(wanted)))
        }
        _ => Err(RefusalReason::Unsupported),
    }
}

/// A poll as a message.
pub(super) fn snapshot(id: MessageId, place: Place, shown: &Shown, status: Read) -> Option<Vec<u8>> {
    // The number that answered, which may be another one than expected.
    let meter = meter_ref(Place { number: shown.reading.meter, ..place })?;
    let snapshot = Snapshot { meter, response_ms: shown.response_ms, block: block(shown, status) };
    emit(id, Message::Snapshot(snapshot)).ok()
}

fn block(shown: &Shown, status: Read) -> RegisterBlock<'_> {
    RegisterBlock { read_at_utc_s: shown.reading.taken.utc_s, address: status.address, data: &shown.registers }
}

/// What became of a command, as a message.
pub(super) fn result(
    ids: [MessageId; 2],
    place: Place,
    done: &Done,
    sold: Option<u16>,
    now_utc_s: i64,
    status: Read,
) -> Option<Vec<u8>> {
    let [id, command] = ids;
    let meter = meter_ref(place)?;
    let bcd;
    let own = |shown: &Shown| shown.reading.meter == place.number;
    let (outcome, before, after) = match done {
        Done::Read(None) => (Outcome::NoReply, None, None),
        Done::Read(Some(shown)) => {
            bcd = meter_ref(Place { number: shown.reading.meter, ..place })?.number.to_bcd();
            let read_at_utc_s = shown.reading.taken.utc_s;
            let number = RegisterBlock { read_at_utc_s, address: NUMBER_ADDRESS, data: &bcd };
            let outcome = if own(shown) { Outcome::Answered } else { Outcome::Refused(RefusalReason::OtherMeter) };
            (outcome, Some(number), Some(block(shown, status)))
        }
        Done::Written { written, before, after } => {
            let outcome = match (written, before) {
                (Written::Confirmed, _) => Outcome::Answered,
                (Written::Refused { code }, _) => Outcome::Exception { code: *code },
                (Written::NoReply, _) => Outcome::NoReply,
                (Written::NotTransmitted, Some(before)) if !own(before) => Outcome::Refused(RefusalReason::OtherMeter),
                (Written::NotTransmitted, Some(before))
                    if sold.is_some_and(|count| before.reading.purchase_count != count) =>
                {
                    Outcome::Refused(RefusalReason::OtherCount)
                }
                (Written::NotTransmitted, _) => Outcome::NotTransmitted,
            };
            let part = |shown: &'_ Option<Shown>| shown.as_ref().filter(|shown| own(shown)).is_some();
            let (before, after) = (before.as_ref().filter(|_| part(before)), after.as_ref().filter(|_| part(after)));
            (outcome, before.map(|shown| block(shown, status)), after.map(|shown| block(shown, status)))
        }
        Done::Ready { shown, settings } => {
            let read_at_utc_s = shown.reading.taken.utc_s;
            let settings = RegisterBlock { read_at_utc_s, address: PREPAY.0, data: settings };
            (Outcome::Answered, Some(settings), Some(block(shown, status)))
        }
        Done::NotReady { .. } => (Outcome::NoReply, None, None),
    };
    let result = CommandResult { command, meter, ended_at_utc_s: now_utc_s, outcome, before, after };
    emit(id, Message::Result(result)).ok()
}

/// What became of a command that was under way at a crash: the meter may have acted, and shows this now.
pub(super) fn interrupted(
    ids: [MessageId; 2],
    place: Place,
    shown: Option<&Shown>,
    now_utc_s: i64,
    status: Read,
) -> Option<Vec<u8>> {
    let [id, command] = ids;
    let after = shown.filter(|shown| shown.reading.meter == place.number).map(|shown| block(shown, status));
    let (meter, outcome) = (meter_ref(place)?, Outcome::NoReply);
    let result = CommandResult { command, meter, ended_at_utc_s: now_utc_s, outcome, before: None, after };
    emit(id, Message::Result(result)).ok()
}

/// Whether a meter answers, as a message.
pub(super) fn meter_status(id: MessageId, place: Place, link: MeterLink, since_utc_s: i64) -> Option<Vec<u8>> {
    let status = MeterStatus { meter: meter_ref(place)?, link, since_utc_s, missed: 0 };
    emit(id, Message::MeterStatus(status)).ok()
}

/// How a line is, as a message.
pub(super) fn line_status(id: MessageId, line: u8, state: &LineState) -> Option<Vec<u8>> {
    let LineState { up, since_utc_s, counters, .. } = *state;
    let LineCounters { transmitted, replies, timeouts, broken_frames } = counters;
    let status = LineStatus { line, up, since_utc_s, transmitted, replies, timeouts, broken_frames };
    emit(id, Message::LineStatus(status)).ok()
}

/// A result that shows no registers.
pub(super) fn plain(ids: [MessageId; 2], meter: MeterRef, outcome: Outcome, now_utc_s: i64) -> Option<Vec<u8>> {
    let [id, command] = ids;
    let result = CommandResult { command, meter, ended_at_utc_s: now_utc_s, outcome, before: None, after: None };
    emit(id, Message::Result(result)).ok()
}

/// How the station takes a result. `sent_before`: the command was on its way on an earlier connection too, so that a refusal
/// says nothing about the copy of then.
pub(super) fn done(
    task: &Task,
    expected: MeterNumber,
    result: &CommandResult<'_>,
    sent_before: bool,
    eyes: &impl Fn(&RegisterBlock<'_>, MeterNumber) -> Option<Shown>,
) -> Done {
    let shown = |block: Option<RegisterBlock<'_>>, number| block.and_then(|block| eyes(&block, number));
    match task {
        Task::Read { .. } => {
            let answered = result.before.filter(|block| block.address == NUMBER_ADDRESS);
            let answered = answered.and_then(|block| acrel::MeterNumber::from_bcd(block.data.try_into().ok()?).ok());
            Done::Read(answered.and_then(number).and_then(|number| shown(result.after, number)))
        }
        Task::Sell { .. } | Task::Switch { .. } => {
            let written = match result.outcome {
                Outcome::Answered => Written::Confirmed,
                Outcome::Exception { code } => Written::Refused { code },
                Outcome::NotTransmitted => Written::NotTransmitted,
                // Whoever has moved the count may have been an earlier copy of this frame.
                Outcome::Refused(RefusalReason::OtherCount) => Written::NoReply,
                Outcome::Refused(_) if !sent_before => Written::NotTransmitted,
                _ => Written::NoReply,
            };
            Done::Written { written, before: shown(result.before, expected), after: shown(result.after, expected) }
        }
        Task::Commission(_) => {
            let settings = result.before.filter(|block| block.address == PREPAY.0);
            match (settings, shown(result.after, expected)) {
                (Some(settings), Some(shown)) => Done::Ready { shown, settings: settings.data.into() },
                _ => Done::NotReady { reason: format!("the collector says: {:?}", result.outcome) },
            }
        }
    }
}

/// Reads a status block; others are none.
pub(super) fn shown(
    block: &RegisterBlock<'_>,
    status: Read,
    meter: MeterNumber,
    taken: Now,
    spectacles: &Spectacles,
) -> Result<Shown, ReadingError> {
    let whole = block.address == status.address && block.registers() == usize::from(status.count);
    let registers = Registers::holding(block.address, if whole { block.data } else { &[] });
    let registers =
        registers.map_err(|_| ReadingError::NoStatus { address: block.address, registers: block.registers() })?;
    spectacles.read(&registers, meter, taken)
}

/// A command as a message.
pub(super) fn command(id: MessageId, place: Place, wish: Wish, not_after_utc_s: i64) -> Option<Vec<u8>> {
    let command = Command { meter: meter_ref(place)?, not_after_utc_s, order: wish };
    emit(id, Message::Command(command)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use meter_protocol::map::Table;
    use prepay_core::{
        money::Money,
        reading::{MeterFlags, MeterReading, Rates, Registers as Energies},
    };

    const STATUS: Read = Read { table: Table::Holding, address: 0, count: 4 };
    const SELL: Task = Task::Sell { amount_minor: 10_000, count: 7 };

    fn place() -> Place {
        Place { line: 1, unit: 9, number: MeterNumber::new(202_611_000_301).unwrap() }
    }

    fn seen(meter: u64, count: u16) -> Shown {
        let energy = Energies { total_centi_kwh: 100, rates: Rates::new(&[0, 0, 100, 0]).unwrap() };
        Shown {
            reading: MeterReading {
                meter: MeterNumber::new(meter).unwrap(),
                purchase_count: count,
                balance: Money::from_minor(500),
                energy,
                relay_closed: true,
                force: Force::Automatic,
                flags: MeterFlags::default(),
                prepaid_enabled: true,
                taken: Now { mono_ms: 0, utc_s: 1_793_577_600 },
            },
            power_w: 0,
            voltage_dv: 0,
            status: [0; 2],
            clock_drift_s: None,
            registers: count.to_be_bytes().repeat(4).into(),
            response_ms: 3,
        }
    }

    /// Over the wire and back.
    fn there(task: &Task, done: &Done, sent_before: bool) -> Done {
        let ids = [MessageId([1; 16]), MessageId([2; 16])];
        let payload = result(ids, place(), done, Some(7), 1_793_577_601, STATUS).unwrap();
        let Envelope { message: Message::Result(result), .. } = Envelope::parse(&payload).unwrap() else {
            panic!("a result")
        };
        assert_eq!(result.command, MessageId([2; 16]));
        let eyes = |block: &RegisterBlock<'_>, meter: MeterNumber| {
            let count = u16::from_be_bytes([block.data[0], block.data[1]]);
            Some(Shown { response_ms: 0, ..seen(meter.get(), count) })
        };
        super::done(task, place().number, &result, sent_before, &eyes)
    }

    fn unmeasured(shown: &Shown) -> Shown {
        Shown { response_ms: 0, ..shown.clone() }
    }

    #[test]
    fn a_sale_comes_back_with_what_the_meter_showed_around_it() {
        let (before, after) = (seen(202_611_000_301, 7), seen(202_611_000_301, 8));
        for written in [Written::Confirmed, Written::NoReply, Written::Refused { code: 4 }] {
            let sold = Done::Written { written, before: Some(before.clone()), after: Some(after.clone()) };
            let expected =
                Done::Written { written, before: Some(unmeasured(&before)), after: Some(unmeasured(&after)) };
            assert_eq!(there(&SELL, &sold, false), expected);
        }
        assert_eq!(there(&SELL, &Done::unwritten(), false), Done::unwritten());
    }

    #[test]
    fn a_count_that_has_moved_is_not_taken_for_a_sale_that_never_left() {
        let other =
            Done::Written { written: Written::NotTransmitted, before: Some(seen(202_611_000_301, 8)), after: None };
        for sent_before in [false, true] {
            let Done::Written { written, .. } = there(&SELL, &other, sent_before) else { panic!("a write") };
            assert_eq!(written, Written::NoReply, "an earlier copy may have moved it");
        }
    }

    #[test]
    fn a_refusal_says_nothing_about_a_copy_of_an_earlier_connection() {
        let ids = [MessageId([1; 16]), MessageId([2; 16])];
        let refused = Outcome::Refused(RefusalReason::Expired);
        let payload = plain(ids, meter_ref(place()).unwrap(), refused, 0).unwrap();
        let Envelope { message: Message::Result(result), .. } = Envelope::parse(&payload).unwrap() else {
            panic!("a result")
        };
        for (sent_before, expected) in [(false, Written::NotTransmitted), (true, Written::NoReply)] {
            let done = done(&SELL, place().number, &result, sent_before, &|_, _| None);
            assert_eq!(done, Done::Written { written: expected, before: None, after: None });
        }
    }

    #[test]
    fn another_meter_is_told_by_its_number_and_was_not_written() {
        let other = seen(202_611_000_999, 7);
        let read = Task::Read { class: Class::Money };
        assert_eq!(there(&read, &Done::Read(Some(other.clone())), false), Done::Read(Some(unmeasured(&other))));
        let sold = Done::Written { written: Written::NotTransmitted, before: Some(other), after: None };
        assert_eq!(there(&SELL, &sold, false), Done::unwritten());
    }
}
