//! Polls the meters of one line, round after round, and tells each round's figures on the station's UART: in clear text, or
//! sealed if built so. No allocator; in clear text, no path to a panic.
#![no_std]
#![no_main]

use core::mem::MaybeUninit;
use cortex_m_rt::entry;
use gateway_firmware::{
    board::{Direction, Timer, Uart},
    round::Round,
    station::Station,
    text::number_or,
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
            Ok(Turn::Ran { .. }) if round.is_over(METERS) => round.tell(&mut station),
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

fn poll(client: &mut Line, slot: usize, round: &mut Round) -> JobOutcome {
    let read = client.read_block::<Realtime>(slot as u8 + 1);
    round.count(read.as_ref().ok());
    read.map_or_else(|error| error.job_outcome(), |_| JobOutcome::Answered)
}

fn halt() -> ! {
    loop {
        core::hint::spin_loop();
    }
}
