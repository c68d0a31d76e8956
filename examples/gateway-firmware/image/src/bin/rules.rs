//! Polls the meters of one line and judges what they show by the rules of `prepay-core`: how far the credit has fallen, who decides
//! on the supply, and the three words that operators see. Each change is told. With an allocator, as the rules' crate has one.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::collections::BTreeMap;
use core::mem::MaybeUninit;
use cortex_m_rt::entry;
use embedded_alloc::LlffHeap;
use gateway_firmware::{
    board::{Direction, Timer, Uart},
    round::Round,
    station::Station,
    text::Part,
};
use meter_protocol::{
    acrel::Realtime,
    bus::{Bus, BusConfig, JobOutcome, LinkState, MeterSlot},
    client::{Turn, embedded::Client},
    session::LineConfig,
};
use prepay_core::{
    credit::Levels,
    money::Money,
    relay::{Cutter, Standing, decide},
    status::{Credit, DisplayState, Link, Load, Service, Status, Supply, Trust},
};

const LINE: LineConfig = LineConfig::rtu_unpaced().with_response_timeout_us(200_000).with_longest_response_us(250_000);
/// Meters on the line, units 1 to 32.
const METERS: usize = 32;
/// Memory for what is known of the meters.
const HEAP_LEN: usize = 8 * 1024;

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

/// One core, and no interrupt is ever enabled.
struct Alone;
critical_section::set_impl!(Alone);
// SAFETY: nothing runs beside the caller.
unsafe impl critical_section::Impl for Alone {
    unsafe fn acquire() {}

    unsafe fn release((): ()) {}
}

#[entry]
fn main() -> ! {
    static mut MEMORY: [MaybeUninit<u8>; HEAP_LEN] = [MaybeUninit::uninit(); HEAP_LEN];
    let begin = MEMORY.as_mut_ptr().expose_provenance();
    // SAFETY: the memory is nobody else's, and this is the only call.
    unsafe { HEAP.init(begin, HEAP_LEN) };
    run();
    loop {
        core::hint::spin_loop();
    }
}

/// Ends only when the set-up is refused.
fn run() -> Option<()> {
    let timer = Timer::start();
    let mut client = Client::new(Uart::meters(), Direction::pin(), timer, timer, LINE);
    let mut bus = Bus::new([MeterSlot::polled(); METERS], BusConfig::every(0)).ok()?;
    let mut station = Station::open()?;
    let yuan = |yuan: i64| Money::from_minor(yuan * 100);
    let levels = Levels::new(yuan(100), yuan(20), yuan(0), yuan(5)).ok()?;
    let mut round = Round::default();
    let mut known = BTreeMap::new();
    loop {
        let mut shown = None;
        let turn = client.run_next(&mut bus, |client, slot, _| {
            let read = client.read_block::<Realtime>(slot as u8 + 1);
            round.count(read.as_ref().ok());
            let outcome = read.as_ref().map_or_else(|error| error.job_outcome(), |_| JobOutcome::Answered);
            shown = read.ok();
            outcome
        });
        match turn {
            Ok(Turn::Ran { slot, .. }) => {
                let known: &mut Known = known.entry(slot).or_default();
                known.lost = matches!(bus.link_state(slot), Ok(LinkState::Silent { .. }));
                if let Some(now) = &shown {
                    known.judge(now, &levels);
                }
                if let Some(display) = known.change() {
                    tell(&mut station, slot, &display);
                }
                if round.is_over(METERS) {
                    round.tell(&mut station);
                }
            }
            Ok(Turn::WaitUntil(until_us)) => {
                // A UART never ends.
                let _ = client.wait_until(until_us);
            }
            _ => {}
        }
    }
}

/// What is known of a meter.
#[derive(Default)]
struct Known {
    credit: Credit,
    load: Load,
    closed: Option<bool>,
    lost: bool,
    told: Option<DisplayState>,
}

impl Known {
    fn judge(&mut self, now: &Realtime, levels: &Levels) {
        self.credit = levels.level(self.credit, Money::from_minor(now.remaining_minor.into()));
        self.load = if now.status_1.overload() { Load::Tripped } else { Load::Normal };
        self.closed = Some(now.status_1.relay_closed());
    }

    fn status(&self) -> Status {
        let standing = Standing { arrears: self.credit >= Credit::Arrears, ..Standing::default() };
        let cause = decide(&standing, Cutter::Meter).cause;
        Status {
            service: Service::Open,
            credit: self.credit,
            load: self.load,
            link: if self.lost { Link::Lost } else { Link::Fresh },
            trust: Trust::Trusted,
            supply: Supply { closed: self.closed, cause },
        }
    }

    /// The three words, if they are others than were told.
    fn change(&mut self) -> Option<DisplayState> {
        let display = self.status().display_state();
        (self.told.replace(display) != Some(display)).then_some(display)
    }
}

/// The words by their place in their order.
fn tell(station: &mut Station, slot: usize, display: &DisplayState) {
    station.tell(&[
        Part::Word("unit "),
        Part::Number(slot as u64 + 1),
        Part::Word(" money "),
        Part::Number(display.money as u64),
        Part::Word(" supply "),
        Part::Number(display.supply as u64),
        Part::Word(" link "),
        Part::Number(display.link as u64),
    ]);
}
