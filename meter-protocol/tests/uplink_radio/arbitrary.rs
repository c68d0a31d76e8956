//! Arbitrary bytes, pieces, times and calls.

use crate::common::{REALTIME_REPLY, hex};
use crate::driver::{Decision, Driver, calm};
use crate::{SERIAL, framed, upload_body};
use meter_protocol::acrel::{Clock, ForceMode, LinkId, Realtime};
use meter_protocol::uplink::radio::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Action {
    Bytes(Vec<u8>),
    Wait(u64),
    Read,
    Write,
    Frame(Vec<u8>),
    Cancel,
    Time,
    Decide(Decision),
    Stuck(bool),
    LinkDown,
}

fn registration(text: &str) -> Vec<u8> {
    let up = Up::Register(Registration::new(Serial::new(text).unwrap(), Iccid::new("89").unwrap()));
    up.encode(&mut [0; MAX_FRAME_LEN]).unwrap().to_vec()
}

/// A frame that a meter could send, or nearly.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let reply = hex(REALTIME_REPLY);
    let upload = upload_body(Some(crate::serial()), &reply);
    let named = |text: &str| Serial::new(text).unwrap().as_bytes().to_vec();
    let known = prop_oneof![
        4 => Just(registration(SERIAL)),
        1 => Just(registration("99")),
        2 => Just(framed(0x94, &[])),
        1 => Just(framed(0x93, &named(SERIAL))),
        2 => Just(framed(0x91, &upload)),
        1 => Just(framed(0x91, b"[[1-1((un))]]")),
        1 => Just(framed(0x91, b"[[1-1((zz))]]")),
        2 => Just(framed(0x90, &reply)),
        1 => Just(framed(0x90, &named(SERIAL))),
        1 => Just(framed(0x90, &named("99"))),
        1 => Just(framed(0x90, &[1, 3, 8, 0])),
        1 => Just(framed(0x84, &[])),
        2 => (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..330)).prop_map(|(command, body)| framed(command, &body)),
    ];
    (known, proptest::option::weighted(0.2, (any::<proptest::sample::Index>(), 1_u8..)), any::<bool>()).prop_map(
        |(mut frame, flip, cut)| {
            if let Some((at, bits)) = flip {
                let at = at.index(frame.len());
                frame[at] ^= bits;
                if cut {
                    frame.truncate(at);
                }
            }
            frame
        },
    )
}

fn action() -> impl Strategy<Value = Action> {
    let noise = proptest::collection::vec(prop_oneof![Just(0x7B_u8), Just(0x7D), any::<u8>()], 0..700);
    prop_oneof![
        8 => frame().prop_map(Action::Bytes),
        3 => noise.prop_map(Action::Bytes),
        4 => prop_oneof![0_u64..100, 0_u64..6_000_000, 0_u64..1_000_000_000].prop_map(Action::Wait),
        2 => Just(Action::Read),
        1 => Just(Action::Write),
        1 => proptest::collection::vec(any::<u8>(), 0..300).prop_map(Action::Frame),
        1 => Just(Action::Frame(vec![1, 0x99, 0, 0, 0x8B, 0xC0])),
        1 => Just(Action::Cancel),
        1 => Just(Action::Time),
        2 => prop_oneof![Just(Decision::Admit), Just(Decision::Admit), Just(Decision::Later), Just(Decision::Refuse)].prop_map(Action::Decide),
        1 => any::<bool>().prop_map(Action::Stuck),
        1 => proptest::bool::weighted(0.1).prop_map(|down| if down { Action::LinkDown } else { Action::Wait(0) }),
    ]
}

fn config() -> impl Strategy<Value = StationConfig> {
    (any::<bool>(), any::<bool>(), 1_u8..3).prop_map(|(answer, acknowledge, attempts)| {
        let mut config = StationConfig::DEFAULT;
        config.line = config.line.with_read_attempts(attempts);
        if answer {
            config.heartbeat_answer = HeartbeatAnswer::Empty;
        }
        if acknowledge {
            config.odd_upload = OddUpload::Acknowledge;
        }
        config
    })
}

#[test]
fn a_station_is_of_one_small_size() {
    assert!(size_of::<Station>() <= 2_048, "{} bytes", size_of::<Station>());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_station_ends_each_step_and_sends_only_what_it_owes(
        config in config(),
        actions in proptest::collection::vec((action(), 1_usize..400), 1..60),
    ) {
        let mut now_us = 1_000_000;
        let mut driver = Driver::new(Station::new(now_us, config, LinkId::first(0)), Decision::Admit);
        let (mut submitted, mut times, mut arrived) = (0, 0, 0_usize);
        for (action, piece) in actions {
            match action {
                Action::Bytes(bytes) => {
                    arrived += bytes.len();
                    for piece in bytes.chunks(piece) {
                        now_us += 7;
                        driver.take(now_us, piece);
                    }
                }
                Action::Wait(us) => now_us += us,
                Action::Read => {
                    submitted += usize::from(calm(|| driver.station.submit(now_us, 1, &Realtime::READ)).is_ok());
                }
                Action::Write => {
                    let request = ForceMode::SupplyOff.request();
                    submitted += usize::from(calm(|| driver.station.submit(now_us, 1, &request)).is_ok());
                }
                Action::Frame(frame) => {
                    submitted += usize::from(calm(|| driver.station.submit_frame(now_us, &frame)).is_ok());
                }
                Action::Cancel => calm(|| driver.station.cancel(now_us)),
                Action::Time => {
                    let clock = Clock::new(2026, 3, 5, 14, 7, 30).unwrap();
                    times += usize::from(calm(|| driver.station.answer_time(clock)).is_ok());
                }
                Action::Decide(decision) => {
                    driver.decision = decision;
                    if driver.is_undecided() {
                        driver.decide(now_us);
                    }
                }
                Action::Stuck(stuck) => driver.stuck = stuck,
                Action::LinkDown => calm(|| driver.station.link_down(now_us)),
            }
            driver.run(now_us);

            let (told, sent) = (&driver.told, &driver.sent);
            // Each registration that was taken is answered once, and so on; nothing is sent that nobody asked for.
            prop_assert_eq!(sent.registrations, driver.admitted);
            let odd_acknowledged = sent.uploads.checked_sub(told.uploads).expect("each upload is acknowledged once");
            match config.odd_upload {
                OddUpload::Keep => prop_assert_eq!(odd_acknowledged, 0),
                OddUpload::Acknowledge => prop_assert!(odd_acknowledged <= told.odd),
            }
            let answered = if config.heartbeat_answer == HeartbeatAnswer::Empty { told.heartbeats } else { 0 };
            prop_assert_eq!(sent.heartbeats, answered);
            prop_assert!(sent.times <= times);
            prop_assert!(sent.requests <= submitted * usize::from(config.line.read_attempts));
            prop_assert!(told.ended.len() <= submitted);
            if driver.admitted == 0 {
                prop_assert_eq!(told.heartbeats + told.uploads + told.time_asked + submitted + times, 0);
            }
            // A frame has at least seven bytes.
            let frames = told.heartbeats + told.uploads + told.time_asked + told.odd + told.foreign + told.others;
            prop_assert!(frames * 7 <= arrived);
            // A reading is what a meter sent, whatever else came.
            for data in told.ended.iter().flatten() {
                prop_assert_eq!(data, &hex(REALTIME_REPLY)[3..99]);
            }
            if told.closed.is_some() {
                prop_assert_eq!(told.ended.len(), submitted, "each request has its end");
                prop_assert_eq!(driver.station.poll_timeout(), None);
                prop_assert_eq!(driver.station.serial(), None);
            } else if !driver.is_undecided() {
                prop_assert!(driver.station.poll_timeout().is_some_and(|at_us| at_us > now_us), "it waits for a time");
            }
        }
    }
}
