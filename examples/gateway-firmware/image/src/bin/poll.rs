//! Polls the meters of one line, round after round, and tells each round's figures on the station's UART: in clear text, or
//! sealed if built so. No allocator; in clear text, no path to a panic.
#![no_std]
#![no_main]

use core::mem::MaybeUninit;
use cortex_m_rt::entry;
use gateway_firmware::{
    board::{Direction, Timer, Uart},
    station::Station,
    text::{Part, number_or},
};
use meter_protocol::{
    acrel::Realtime,
    bus::{Bus, BusConfig, JobOutcome, MeterSlot},
    client::{Turn, embedded::Client},
    session::LineConfig,
};

/// An emulated line takes no time; its meters answer within a tenth of a second or not at all. A real one is
/// `LineConfig::rtu(9600, CharFormat::N8_1)`.
const LINE: LineConfig = LineConfig::rtu_unpaced().with_response_timeout_us(200_000).with_longest_response_us(250_000);
/// Meters on the line, units 1 to 32 unless the build says otherwise.
const METERS: usize = number_or(option_env!("GATEWAY_METERS"), 32);

type Line = Client<Uart, Direction, Timer, Timer>;
type Slots = [MeterSlot; METERS];

#[entry]
fn main() -> ! {
    // What lives as long as the image has its own place, and the stack has none of it.
    static mut CLIENT: MaybeUninit<Line> = MaybeUninit::uninit();
    static mut SLOTS: MaybeUninit<Slots> = MaybeUninit::uninit();
    static mut BUS: MaybeUninit<Bus<&'static mut Slots>> = MaybeUninit::uninit();
    let timer = Timer::start();
    let client = open(CLIENT, timer);
    let Ok(bus) = Bus::new(SLOTS.write([MeterSlot::polled(); METERS]), BusConfig::every(0)) else { halt() };
    let bus = BUS.write(bus);
    let Some(mut station) = Station::open() else { halt() };
    let mut round = Round::default();
    loop {
        station.listen(timer);
        let turn = client.run_next(bus, |client, slot, _| poll(client, slot, &mut round));
        match turn {
            Ok(Turn::Ran { .. }) if round.asked == METERS as u32 => round.tell(&mut station),
            Ok(Turn::WaitUntil(until_us)) => {
                // A UART never ends.
                let _ = client.wait_until(until_us);
            }
            _ => {}
        }
    }
}

/// Apart from the loop, so that the stack holds no second copy while it runs.
#[inline(never)]
fn open(place: &'static mut MaybeUninit<Line>, timer: Timer) -> &'static mut Line {
    place.write(Client::new(Uart::meters(), Direction::pin(), timer, timer, LINE))
}

/// What happened since the last line.
#[derive(Default)]
struct Round {
    number: u64,
    asked: u32,
    answered: u32,
    /// Sum of the totals, 0.01 kWh.
    energy: u64,
}

fn poll(client: &mut Line, slot: usize, round: &mut Round) -> JobOutcome {
    round.asked += 1;
    let unit = slot as u8 + 1;
    match client.read_block::<Realtime>(unit) {
        Ok(now) => {
            round.answered += 1;
            round.energy = round.energy.wrapping_add(u64::from(now.energy.total_centikwh));
            JobOutcome::Answered
        }
        Err(error) => error.job_outcome(),
    }
}

impl Round {
    fn tell(&mut self, station: &mut Station) {
        self.number += 1;
        let parts = [
            Part::Word("round "),
            Part::Number(self.number),
            Part::Word(" answered "),
            Part::Number(self.answered.into()),
            Part::Word(" energy "),
            Part::Number(self.energy),
        ];
        station.tell(&parts);
        (self.asked, self.answered, self.energy) = (0, 0, 0);
    }
}

fn halt() -> ! {
    loop {
        core::hint::spin_loop();
    }
}
