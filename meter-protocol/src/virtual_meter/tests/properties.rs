//! What holds for every load, request, switch and way of cutting time.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn options() -> impl Strategy<Value = MeterOptions> {
    let rules = (
        prop::sample::select(PriceScale::ALL),
        prop::sample::select(DeductionRounding::ALL),
        prop::sample::select(TripRule::ALL),
        prop::sample::select(RestoreRule::ALL),
        prop::sample::select(EqualCount::ALL),
        prop::sample::select(CountJump::ALL),
        prop::option::of(0_u32..1_000_000),
    );
    rules.prop_map(|(price_scale, rounding, trip, restore, equal_count, count_jump, hoarding_limit_cents)| {
        MeterOptions {
            price_scale,
            rounding,
            trip,
            restore,
            equal_count,
            count_jump,
            hoarding_limit_cents,
            ..MeterOptions::default()
        }
    })
}

/// What happens at one moment of a meter's life.
#[derive(Debug, Clone)]
enum Event {
    Load(u16),
    Sale(u32, u16),
    Force(u8, u8),
    Overdraft(u8),
    LoadLimit(u8, u8),
    PowerCut,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0_u16..30_000).prop_map(Event::Load),
        (0_u32..20_000, 0_u16..3).prop_map(|(cents, ahead)| Event::Sale(cents, ahead)),
        (0_u8..2, 0_u8..2).prop_map(|(mode, state)| Event::Force(mode, state)),
        any::<u8>().prop_map(Event::Overdraft),
        (any::<u8>(), 0_u8..60).prop_map(|(high, minutes)| Event::LoadLimit(high, minutes)),
        Just(Event::PowerCut),
    ]
}

/// A meter of four rates with a table, prices and a balance that can run out.
fn living(options: MeterOptions, model: Model, price: u32) -> VirtualMeter {
    let mut meter = meter(model, 1, options);
    let table = match model {
        Model::Dtsy1352 => [0x20, 0x00],
        Model::Ddsy1352 => [0x20, 0x06],
    };
    let mut slots = [[4, 0, 0], [1, 30, 6], [3, 0, 9], [2, 15, 18], [4, 0, 23]].concat();
    slots.resize(42, 0);
    assert_eq!(ask(&mut meter, &[&[1, 0x10], &table[..], &[0, 21, 42], &slots].concat()).unwrap().len(), 6);
    let scaled = price.saturating_mul(100) / options.price_scale.millionths();
    ask(&mut meter, &prices(1, [scaled * 2, scaled * 3 / 2, scaled, scaled / 2])).unwrap();
    meter
}

fn apply(meter: &mut VirtualMeter, event: &Event) {
    let now_ms = meter.time_ms();
    match event {
        Event::Load(watts) => meter.set_load(Load::new([*watts, *watts / 3, 7], 930)),
        Event::Sale(cents, ahead) => {
            let count = meter.purchase_count().wrapping_add(*ahead);
            ask(meter, &sale(1, *cents, count));
        }
        Event::Force(mode, state) => {
            ask(meter, &[1, 0x10, 0, 0x57, 0, 2, 4, 0, *mode, 0, *state]).unwrap();
        }
        Event::Overdraft(cents) => {
            ask(meter, &parameters(1, &[(46, &[0, 0, *cents, 0])])).unwrap();
        }
        Event::LoadLimit(high, minutes) => {
            let settings = load_settings(1, &[(0, &[0xFF, 1, 1, *high, 0]), (9, &[1, *minutes, 1, 0, 200])]);
            ask(meter, &settings).unwrap();
        }
        Event::PowerCut => meter.power_cut(now_ms),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// The state does not depend on how time was cut.
    #[test]
    fn any_partition_of_time_gives_the_same_state(
        options in options(),
        single in any::<bool>(),
        drift_ppm in -1_000_i32..=1_000,
        price in 0_u32..30_000,
        events in prop::collection::vec((event(), 0_i64..200_000_000), 1..12),
        cuts in prop::collection::vec(0_i64..100_000_000, 0..40),
    ) {
        let model = if single { Model::Ddsy1352 } else { Model::Dtsy1352 };
        let mut once = living(options, model, price);
        once.clock = clock::MeterClock::set(NOTED_MS, NOTED_MS, drift_ppm);
        let mut often = once;
        let mut cuts = cuts.iter().copied().cycle();
        for (event, wait_ms) in &events {
            let until_ms = once.time_ms() + wait_ms;
            once.advance(until_ms);
            while often.time_ms() < until_ms {
                let step_ms = cuts.next().unwrap_or(1_000_003).max(1_001);
                often.advance((often.time_ms() + step_ms).min(until_ms));
            }
            prop_assert_eq!(&once, &often);
            apply(&mut once, event);
            apply(&mut often, event);
            prop_assert_eq!(&once, &often);
        }
    }

    /// Remaining = start + accepted sales - deductions, with the deductions worked out from the energies.
    #[test]
    fn money_is_conserved(
        options in options(),
        price in 0_u32..30_000,
        events in prop::collection::vec((event(), 0_i64..100_000_000), 1..20),
    ) {
        let mut meter = living(options, Model::Dtsy1352, price);
        let raw_prices = [0x0402, 0x0404, 0x0406, 0x0408]
            .map(|at| u128::from(word(&meter, at)) << 16 | u128::from(word(&meter, at + 1)));
        let start_cents = i128::from(meter.remaining_cents());
        let mut sold_cents = 0_i128;
        for (event, wait_ms) in &events {
            let until_ms = meter.time_ms() + wait_ms;
            meter.advance(until_ms);
            let before = i128::from(meter.remaining_cents());
            apply(&mut meter, event);
            let change = i128::from(meter.remaining_cents()) - before;
            match event {
                Event::Sale(cents, _) => {
                    prop_assert!(change == 0 || change == i128::from(*cents));
                    sold_cents += change;
                }
                _ => prop_assert_eq!(change, 0),
            }
        }
        // In parts of 1e-6 units per kWh times mJ; 0.01 units are 3.6e13 of them.
        let used: u128 = meter.energies_mj().iter().zip(raw_prices).map(|(mj, price)| u128::from(*mj) * price).sum();
        let parts = used * u128::from(options.price_scale.millionths());
        let cents = match options.rounding {
            DeductionRounding::WhenComplete => parts / 36_000_000_000_000,
            DeductionRounding::WhenStarted => parts.div_ceil(36_000_000_000_000),
        };
        let expected = start_cents + sold_cents - i128::try_from(cents).unwrap();
        prop_assert_eq!(i128::from(meter.remaining_cents()), expected);
    }

    /// The total register is the sum of the rates, up to the digits that the four registers drop.
    #[test]
    fn total_is_the_sum_of_the_rates(loads in prop::collection::vec((0_u16..30_000, 0_i64..90_000_000), 1..20)) {
        let mut meter = living(MeterOptions::default(), Model::Dtsy1352, 0);
        for (watts, wait_ms) in loads {
            apply(&mut meter, &Event::Load(watts));
            meter.advance(meter.time_ms() + wait_ms);
            let [total, rates @ ..] = meter.energy_registers();
            let dropped = total - rates.iter().sum::<u32>();
            prop_assert!(dropped <= 3, "{dropped}");
        }
    }

    /// No bytes make the meter panic, and none without a good check sum change it.
    #[test]
    fn arbitrary_bytes_do_no_harm(frame in prop::collection::vec(any::<u8>(), 0..300), single in any::<bool>()) {
        let model = if single { Model::Ddsy1352 } else { Model::Dtsy1352 };
        let mut meter = meter(model, 1, MeterOptions::default());
        let before = meter;
        let reply = meter.serve(NOTED_MS, &frame);
        if !check_sum_is_good(&frame) {
            prop_assert_eq!(reply, None);
            prop_assert_eq!(meter, before);
        }
        let _ = cut_request(&frame);
    }

    /// Well-formed frames with arbitrary insides are answered in at most 256 bytes or not at all, and the meter
    /// goes on.
    #[test]
    fn arbitrary_requests_do_no_harm(
        function in prop::sample::select(&[0x03_u8, 0x10, 0x11, 0x20][..]),
        start in prop_oneof![Just(0x0100_u16), Just(0x0200), Just(0x0354), Just(0x2000), Just(0x0057), any::<u16>()],
        data in prop::collection::vec(any::<u8>(), 0..124),
        single in any::<bool>(),
        wait_ms in 0_i64..1_000_000_000,
    ) {
        let model = if single { Model::Ddsy1352 } else { Model::Dtsy1352 };
        let mut meter = living(MeterOptions::default(), model, 9_000);
        let [high, low] = start.to_be_bytes();
        let even = &data[..data.len() / 2 * 2];
        let registers = u8::try_from(even.len() / 2).unwrap();
        let body = match function {
            0x03 => [&[1, 3, high, low, 0, registers][..]].concat(),
            0x11 => [&[1, 0x11], even].concat(),
            _ => [&[1, function, high, low, 0, registers, registers * 2], even].concat(),
        };
        let reply = meter.serve(NOTED_MS, &frame::sealed(body));
        prop_assert!(reply.as_ref().is_none_or(|reply| check_sum_is_good(reply)));
        meter.set_load(Load::new([9_000; 3], 900));
        meter.advance(NOTED_MS + wait_ms);
        prop_assert_eq!(meter.time_ms(), NOTED_MS + wait_ms);
    }

    /// The same seed gives the same faults, and nothing arrives later than regular time plus the longest delay.
    #[test]
    fn faults_repeat_by_seed(seed in any::<u64>(), rate in 0_u16..1_000) {
        let faults = Faults {
            lost_request_per_mille: rate / 8,
            duplicated_request_per_mille: rate / 8,
            lost_reply_per_mille: rate / 8,
            late_reply_per_mille: rate,
            duplicated_reply_per_mille: rate / 4,
            truncated_reply_per_mille: rate / 4,
            corrupted_reply_per_mille: rate / 4,
            noise_before_per_mille: rate / 4,
            echo_per_mille: rate / 4,
            foreign_per_mille: rate / 4,
            late_us: (1_000, 9_000),
        };
        let run = || {
            let mut bus = VirtualBus::new(FaultInjector::new(faults, seed), Some(Line::new(9_600)));
            bus.add(meter(Model::Dtsy1352, 1, MeterOptions::default())).unwrap();
            let poll = frame::sealed([1, 3, 2, 0, 0, 48].to_vec());
            let exchanges: Vec<Exchange> = (0..40).map(|n| bus.request(NOTED_MS + n, &poll)).collect();
            (exchanges, *bus.fault_counts())
        };
        let (exchanges, counts) = run();
        prop_assert_eq!(&exchanges, &run().0);
        let mut arrived = 0_u64;
        for exchange in &exchanges {
            arrived += exchange.deliveries.len() as u64;
            for delivery in &exchange.deliveries {
                prop_assert!(delivery.delay_us <= exchange.line_us + 2 * 9_000);
                prop_assert!(!delivery.bytes.is_empty());
            }
        }
        let carried = 40 - counts.lost_requests + counts.duplicated_requests;
        prop_assert_eq!(arrived, carried - counts.lost_replies + counts.duplicated_replies);
    }
}

#[test]
fn every_fault_happens_and_a_perfect_line_has_none() {
    let poll = frame::sealed([2, 3, 2, 0, 0, 48].to_vec());
    let run = |faults| {
        let mut bus = VirtualBus::new(FaultInjector::new(faults, 20_260_305), None);
        for unit in 1..=3 {
            bus.add(meter(Model::Dtsy1352, unit, MeterOptions::default())).unwrap();
        }
        let exchanges: Vec<Exchange> = (0..2_000).map(|n| bus.request(NOTED_MS + n, &poll)).collect();
        (exchanges, *bus.fault_counts())
    };
    let (perfect, none) = run(Faults::NONE);
    assert_eq!(none, FaultCounts::default());
    assert!(perfect.iter().all(|e| e.served == [1] && e.deliveries.len() == 1 && e.deliveries[0].delay_us == 0));

    let faults = Faults {
        duplicated_request_per_mille: 5,
        duplicated_reply_per_mille: 5,
        echo_per_mille: 5,
        foreign_per_mille: 5,
        ..Faults::OLD_CABLE
    };
    let (worn, counts) = run(faults);
    let each = [
        counts.lost_requests,
        counts.duplicated_requests,
        counts.lost_replies,
        counts.late_replies,
        counts.duplicated_replies,
        counts.truncated_replies,
        counts.corrupted_replies,
        counts.noisy_replies,
        counts.echoes,
        counts.foreign_frames,
    ];
    assert!(each.iter().all(|count| *count > 0), "seed 20260305: {counts:?}");
    let whole = worn.iter().filter(|e| e.deliveries.iter().any(|d| check_sum_is_good(&d.bytes))).count();
    assert!((1_850..2_000).contains(&whole), "seed 20260305: {whole}");
    let silent = worn.iter().filter(|e| e.served.is_empty()).count();
    assert_eq!(u64::try_from(silent).unwrap(), counts.lost_requests);
}

#[test]
fn echoes_and_foreign_frames_stand_in_front_of_the_whole_reply() {
    let poll = frame::sealed([1, 3, 2, 0, 0, 48].to_vec());
    for (echo, foreign) in [(1_000, 0), (0, 1_000), (1_000, 1_000)] {
        let faults = Faults { echo_per_mille: echo, foreign_per_mille: foreign, ..Faults::NONE };
        let mut bus = VirtualBus::new(FaultInjector::new(faults, 3), None);
        bus.add(meter(Model::Dtsy1352, 1, MeterOptions::default())).unwrap();
        for n in 0..50 {
            let exchange = bus.request(NOTED_MS + n, &poll);
            let bytes = &exchange.deliveries[0].bytes;
            let (front, reply) = bytes.split_at_checked(bytes.len() - 101).unwrap();
            assert!(check_sum_is_good(reply) && reply[..3] == [1, 3, 96]);
            let (heard, other) = front.split_at_checked(front.len() - if foreign > 0 { 7 } else { 0 }).unwrap();
            assert!(poll.ends_with(heard) && (echo > 0) != heard.is_empty());
            assert!(other.is_empty() || (check_sum_is_good(other) && other[0] != 1));
        }
    }
}

#[test]
fn a_power_cut_at_any_byte_of_a_sale_leaves_it_done_or_not_done() {
    let request = frame::sealed(sale(1, 5_000, 13));
    for powered_bytes in 0..=request.len() + 15 {
        let mut bus = VirtualBus::new(FaultInjector::new(Faults::NONE, 1), None);
        bus.add(meter(Model::Ddsy1352, 1, MeterOptions::default())).unwrap();
        let exchange = bus.request_until_power_cut(NOTED_MS, &request, powered_bytes);
        let done = powered_bytes >= request.len();
        let expected = if done { (13, 13_875) } else { (12, 8_875) };
        let meter = &bus.meters()[0];
        assert_eq!((meter.purchase_count(), meter.remaining_cents()), expected, "{powered_bytes}");
        let heard: usize = exchange.deliveries.iter().map(|delivery| delivery.bytes.len()).sum();
        assert_eq!(heard, powered_bytes.saturating_sub(request.len()));
    }
}

#[test]
fn two_meters_of_one_unit_destroy_each_others_replies() {
    let mut bus = VirtualBus::new(FaultInjector::new(Faults::NONE, 1), None);
    for _ in 0..2 {
        let position = bus.add(meter(Model::Dtsy1352, 1, MeterOptions::default())).unwrap();
        bus.meter_mut(position).unwrap().number_bcd = [0x11 << position; 6];
    }
    let exchange = bus.request(NOTED_MS, &frame::sealed([1, 3, 0, 0x43, 0, 3].to_vec()));
    assert_eq!(exchange.served, [0, 1]);
    assert!(!check_sum_is_good(&exchange.deliveries[0].bytes));
    for unit in 2..=31 {
        bus.add(meter(Model::Dtsy1352, unit, MeterOptions::default())).unwrap();
    }
    assert_eq!(bus.add(meter(Model::Dtsy1352, 40, MeterOptions::default())), Err(BusError::Full));
}

#[test]
fn a_paced_exchange_takes_what_the_wire_takes() {
    let line = Line::new(9_600);
    // 3.5 + 8 + 101 characters of 10 bits at 9600 baud and 35 ms.
    assert_eq!(line.exchange_us(8, 101), 3_646 + 8_334 + 35_000 + 105_209);
    assert_eq!(Line::new(38_400).silence_us(), 1_750);
}

#[cfg(feature = "serde")]
#[test]
fn the_whole_state_survives_storing() {
    let mut meter = living(MeterOptions::default(), Model::Ddsy1352, 8_833);
    apply(&mut meter, &Event::Load(7_777));
    meter.advance(NOTED_MS + 12_345_678);
    let stored = serde_json::to_string(&meter).unwrap();
    let mut restored: VirtualMeter = serde_json::from_str(&stored).unwrap();
    assert_eq!(restored, meter);
    restored.advance(NOTED_MS + 99_999_999);
    meter.advance(NOTED_MS + 99_999_999);
    assert_eq!(restored, meter);
}
