//! The gateway: polls the meters of one line, seals what they show, executes sealed commands once each, and sends every message
//! until it is acknowledged. No allocator, no path to a panic.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use gateway_firmware::{
    board::{Direction, Timer, Uart},
    execute::{Done, Line, Shown, execute},
    journal::{Arrived as Entered, Journal, is_money},
    outbox::Outbox,
    provision::{self, Provision},
    uplink::{Arrived, Uplink},
};
use meter_protocol::{
    acrel::{MeterNumber, Realtime},
    bus::{Bus, BusConfig, Class, Job, JobOutcome, MeterSlot},
    client::{ReplyBuffer, Turn, embedded::Client},
    seal::{
        MAX_PAYLOAD_LEN,
        message::{
            Command, CommandResult, Envelope, Message, MessageId, MeterRef, Online, Outcome, RefusalReason,
            RegisterBlock, Snapshot,
        },
    },
    session::LineConfig,
};

/// An emulated line takes no time; its meters answer within a tenth of a second or not at all. A real one is
/// `LineConfig::rtu(9600, CharFormat::N8_1)`.
const LINE: LineConfig = LineConfig::rtu_unpaced().with_response_timeout_us(200_000).with_longest_response_us(250_000);
/// Meters on the line, units 1 to 32.
const METERS: usize = 32;
/// 0200H: the realtime block.
const REALTIME: u16 = 0x0200;
/// Messages that one turn of the loop can make.
const TURN_MESSAGES: usize = 2;

#[entry]
fn main() -> ! {
    let timer = Timer::start();
    let Some(provision) = Provision::read() else { halt() };
    let Some(uplink) = Uplink::new(Uart::station(), &provision) else { halt() };
    let Ok(bus) = Bus::new([MeterSlot::polled(); METERS], BusConfig::every(0)) else { halt() };
    let mut line = Client::new(Uart::meters(), Direction::pin(), timer, timer, LINE);
    let mut gateway = Gateway {
        timer,
        started_utc_s: provision::utc_s(),
        boot: provision.boot,
        uplink,
        bus,
        outbox: Outbox::new(provision.boot),
        journal: Journal::new(),
        numbers: [None; METERS],
    };
    loop {
        gateway.receive();
        gateway.work(&mut line);
        gateway.send();
    }
}

struct Gateway {
    timer: Timer,
    started_utc_s: i64,
    boot: u32,
    uplink: Uplink,
    bus: Bus<[MeterSlot; METERS]>,
    outbox: Outbox,
    journal: Journal,
    /// Meter numbers, once they were read.
    numbers: [Option<MeterNumber>; METERS],
}

impl Gateway {
    fn utc_s(&self) -> i64 {
        self.started_utc_s.saturating_add_unsigned(self.timer.now_us() / 1_000_000)
    }

    /// Everything that has come from the station.
    fn receive(&mut self) {
        let mut payload = [0; MAX_PAYLOAD_LEN];
        loop {
            let now_us = self.timer.now_us();
            match self.uplink.poll(now_us, &mut payload) {
                Arrived::Nothing => return,
                Arrived::Session => {
                    self.outbox.all_due(now_us);
                    self.say_online();
                }
                Arrived::Message(len) => {
                    // What can't be parsed was authentic all the same: a newer station.
                    if let Ok(envelope) = Envelope::parse(payload.get(..len).unwrap_or_default()) {
                        self.take(envelope);
                    }
                }
            }
        }
    }

    fn say_online(&mut self) {
        let online = Online {
            boot_count: self.boot,
            now_utc_s: self.utc_s(),
            lines: 1,
            meters: METERS as u16,
            backlog: self.outbox.backlog() as u32,
            software: "gateway-firmware",
        };
        let mut buffer = [0; 96];
        let envelope = Envelope { id: self.outbox.fresh_id(), message: Message::Online(online) };
        if let Ok(payload) = envelope.emit(&mut buffer) {
            self.uplink.send(payload);
        }
    }

    fn take(&mut self, envelope: Envelope<'_>) {
        match envelope.message {
            Message::Ack(ack) => ack.iter().for_each(|id| self.outbox.acknowledged(id)),
            Message::Command(command) => self.command(envelope.id, &command),
            _ => {}
        }
    }

    fn command(&mut self, id: MessageId, command: &Command) {
        let slot = usize::from(command.meter.unit).wrapping_sub(1);
        let class = if is_money(command) { Class::Money } else { Class::Control };
        if slot >= METERS || command.meter.line != 1 {
            return self.refuse(id, command.meter, RefusalReason::UnknownMeter);
        }
        match self.journal.arrive(id, command) {
            Entered::Again => self.outbox.result_again(id, self.timer.now_us()),
            Entered::Full => self.refuse(id, command.meter, RefusalReason::Busy),
            // The journal has less room than the bus.
            Entered::Taken => drop(self.bus.request(slot, class)),
        }
    }

    /// Says so once; the station asks again if it is lost.
    fn refuse(&mut self, command: MessageId, meter: MeterRef, reason: RefusalReason) {
        let ended_at_utc_s = self.utc_s();
        let outcome = Outcome::Refused(reason);
        let result = CommandResult { command, meter, ended_at_utc_s, outcome, before: None, after: None };
        let mut buffer = [0; 96];
        let envelope = Envelope { id: self.outbox.fresh_id(), message: Message::Result(result) };
        if let Ok(payload) = envelope.emit(&mut buffer) {
            self.uplink.send(payload);
        }
    }

    /// One turn of the line, if there is room for what it gives.
    fn work(&mut self, line: &mut Line) {
        if self.outbox.room() < TURN_MESSAGES {
            return;
        }
        let now_utc_s = self.utc_s();
        let (timer, outbox, journal, numbers) = (self.timer, &mut self.outbox, &mut self.journal, &mut self.numbers);
        let turn = line.run_next(&mut self.bus, |line, slot, job| {
            let unit = slot as u8 + 1;
            match job {
                Job::Money | Job::Control => match journal.take(unit, job == Job::Money) {
                    Some((id, command)) => {
                        let done = execute(line, &command, now_utc_s);
                        tell(outbox, id, &command, &done, now_utc_s, timer.now_us());
                        answered(&done)
                    }
                    None => JobOutcome::NotTransmitted,
                },
                Job::ReadNow | Job::Poll { .. } | Job::Probe => {
                    let Some(number) = numbers.get_mut(slot) else { return JobOutcome::NotTransmitted };
                    poll(line, unit, number, outbox, now_utc_s, timer)
                }
            }
        });
        if let Ok(Turn::WaitUntil(until_us)) = turn {
            // Not beyond the next look at the station's port.
            let _ = line.wait_until(until_us.min(self.timer.now_us().saturating_add(1_000)));
        }
    }

    /// What is due, as long as the link is up.
    fn send(&mut self) {
        while self.uplink.is_up() {
            let Some(payload) = self.outbox.due(self.timer.now_us()) else { return };
            self.uplink.send(payload);
        }
    }
}

/// A round's reading of one meter.
fn poll(
    line: &mut Line,
    unit: u8,
    number: &mut Option<MeterNumber>,
    outbox: &mut Outbox,
    read_at_utc_s: i64,
    timer: Timer,
) -> JobOutcome {
    if number.is_none() {
        match line.read_block::<MeterNumber>(unit) {
            Ok(read) => *number = Some(read),
            Err(error) => return error.job_outcome(),
        }
    }
    let Some(number) = *number else { return JobOutcome::NoReply };
    let mut buffer = ReplyBuffer::new();
    let begun_us = timer.now_us();
    match line.read(unit, &Realtime::READ, &mut buffer) {
        Ok(registers) => {
            let block = RegisterBlock { read_at_utc_s, address: REALTIME, data: registers.bytes() };
            let response_ms = (timer.now_us().saturating_sub(begun_us) / 1_000).min(u64::from(u16::MAX)) as u16;
            let meter = MeterRef { line: 1, unit, number };
            outbox.push(Message::Snapshot(Snapshot { meter, response_ms, block }), timer.now_us());
            JobOutcome::Answered
        }
        Err(error) => error.job_outcome(),
    }
}

fn tell(outbox: &mut Outbox, id: MessageId, command: &Command, done: &Done, ended_at_utc_s: i64, now_us: u64) {
    let result = CommandResult {
        command: id,
        meter: command.meter,
        ended_at_utc_s,
        outcome: done.outcome,
        before: done.before.as_ref().map(|shown| of(shown, ended_at_utc_s)),
        after: done.after.as_ref().map(|shown| of(shown, ended_at_utc_s)),
    };
    outbox.push(Message::Result(result), now_us);
}

fn of(shown: &Shown, read_at_utc_s: i64) -> RegisterBlock<'_> {
    RegisterBlock { read_at_utc_s, address: shown.address, data: shown.data() }
}

fn answered(done: &Done) -> JobOutcome {
    match done.outcome {
        Outcome::Answered | Outcome::Exception { .. } => JobOutcome::Answered,
        Outcome::NoReply => JobOutcome::NoReply,
        _ => JobOutcome::NotTransmitted,
    }
}

fn halt() -> ! {
    loop {
        core::hint::spin_loop();
    }
}
