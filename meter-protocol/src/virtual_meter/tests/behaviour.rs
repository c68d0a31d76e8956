//! What the meter does, and what the switches change.

use super::*;

#[test]
fn the_low_prepay_block_shows_what_the_parameter_frame_set() {
    let mut meter = ddsy();
    ask(&mut meter, &prices(1, [12_000, 70_000, 7_000, 4_000])).unwrap();
    ask(&mut meter, &parameters(1, &[(20, &[0, 1, 7, 0xD0, 0, 2, 1, 0xF4]), (46, &[0, 3, 0, 9])])).unwrap();
    ask(&mut meter, &bytes("01 10 00 57 00 02 04 00 01 00 01")).unwrap();
    let reply = meter.serve(NOTED_MS, &bytes("01 03 00 46 00 1C A5 D6")).unwrap();
    let expected = bytes(
        "01 03 38 00 01 07 D0 00 02 01 F4 00 03 00 09 00 00 00 00 00 0C 00 00 22 AB 00 00 00 00 00 00 00 00 01 00
         00 00 00 01 00 01 00 00 2E E0 00 01 11 70 00 00 1B 58 00 00 0F A0 00 00",
    );
    assert_eq!(reply[..59], expected);
}

#[test]
fn energy_goes_to_the_rate_of_the_table_and_the_table_of_the_date() {
    let mut meter = ddsy();
    // Table 1: flat from 00:00, peak from 14:30, valley from 15:00. Table 2 from 6 March: spike all day.
    let table = |slots: &[[u8; 3]]| {
        let mut data = slots.concat();
        data.resize(42, 0);
        [vec![0x15, 0x2A], data].concat()
    };
    ask(&mut meter, &[vec![1, 0x10, 0x20, 0x06, 0], table(&[[3, 0, 0], [2, 30, 14], [4, 0, 15]])].concat()).unwrap();
    ask(&mut meter, &[vec![1, 0x10, 0x20, 0x1B, 0], table(&[[1, 0, 0]])].concat()).unwrap();
    ask(&mut meter, &[vec![1, 0x10, 0x20, 0x00, 0, 6, 12, 0, 1, 1, 1, 6, 3], vec![0; 6]].concat()).unwrap();
    meter.set_load(Load::new([1_000, 0, 0], 1_000));
    meter.advance(NOTED_MS + 12 * HOUR_MS);
    // 14:07:30 to 14:30, to 15:00, to midnight, and 2:07:30 of the next day, at 1 kW.
    let seconds = [7_650, 1_800, 1_350, 9 * 3_600];
    assert_eq!(meter.energies_mj(), seconds.map(|s| s * 1_000_000));
}

#[test]
fn a_clock_that_was_set_counts_on_from_there() {
    let mut meter = ddsy();
    ask(&mut meter, &bytes("01 20 03 54 00 05 0A 3B 3B 17 04 1F 0C 1A 00 00 00")).unwrap();
    let later_ms = meter.time_ms() + 2_000;
    meter.advance(later_ms);
    // 2026-12-31 23:59:59 + 2 s; a Friday by the calendar, whatever the frame said.
    let shown: Vec<u16> = (0x0228..0x022C).map(|address| word(&meter, address)).collect();
    assert_eq!((shown[0], shown[1], shown[2], shown[3] >> 8), (0x1B01, 0x0105, 0x0000, 1));
    for bad in [
        "3C 00 00 00 01 01 1A",
        "00 3C 00 00 01 01 1A",
        "00 00 18 00 01 01 1A",
        "00 00 00 00 1E 02 1A",
        "00 00 00 07 01 01 1A",
    ] {
        let body = [bytes("01 20 03 54 00 05 0A"), bytes(bad), vec![0; 3]].concat();
        assert_eq!(ask(&mut meter, &body).unwrap(), [1, 0xA0, 3], "{bad}");
    }
}

#[test]
fn arrears_cut_and_a_sale_restores() {
    let mut meter = ddsy();
    ask(&mut meter, &prices(1, [10_000; 4])).unwrap();
    ask(&mut meter, &parameters(1, &[(20, &[0, 0, 0x13, 0x88, 0, 0, 3, 0xE8]), (46, &[0, 0, 1, 0xF4])])).unwrap();
    meter.set_load(Load::new([10_000, 0, 0], 1_000));
    // 10 units an hour: 88.75 left, alarm 1 at 50.00, alarm 2 at 10.00, end at -5.00 after 9.375 hours.
    let status = |meter: &mut VirtualMeter, milli_hours: i64| {
        meter.advance(NOTED_MS + milli_hours * HOUR_MS / 1_000);
        (word(meter, 0x0224), meter.remaining_cents())
    };
    assert_eq!(status(&mut meter, 3_874), (0xE000, 5_001));
    assert_eq!(status(&mut meter, 3_875), (0xE040, 5_000));
    assert_eq!(status(&mut meter, 7_875), (0xE0C0, 1_000));
    assert_eq!(status(&mut meter, 8_876), (0xE0E0, -1));
    assert_eq!(word(&meter, 0x0225), 0x0F00);
    assert_eq!(status(&mut meter, 9_374), (0xE0E0, -499));
    assert_eq!(status(&mut meter, 9_375), (0x00E0, -500));
    assert_eq!(word(&meter, 0x0225), 0x0800);
    let energies = meter.energies_mj();
    assert_eq!(status(&mut meter, 20_000), (0x00E0, -500));
    assert_eq!(meter.energies_mj(), energies, "nothing flows through an open relay");
    assert_eq!([word(&meter, 0x0204), word(&meter, 0x020A)], [0, 0]);
    assert!(word(&meter, 0x0201) > 0, "voltage is measured in front of the relay");

    // Forced on: supply and deduction go on below the limit.
    ask(&mut meter, &bytes("01 10 00 57 00 02 04 00 01 00 00")).unwrap();
    assert_eq!(status(&mut meter, 21_000), (0xE0EF, -1_500));
    ask(&mut meter, &bytes("01 10 00 57 00 02 04 00 00 00 00")).unwrap();
    assert!(!meter.relay_closed());
    ask(&mut meter, &sale(1, 5_000, 13)).unwrap();
    assert_eq!((word(&meter, 0x0224), meter.remaining_cents()), (0xE040, 3_500));
    // Forced off: no credit brings supply back.
    ask(&mut meter, &bytes("01 10 00 57 00 02 04 00 01 00 01")).unwrap();
    ask(&mut meter, &sale(1, 10_000, 14)).unwrap();
    assert_eq!(word(&meter, 0x0224), 0x0008);
    assert!(!meter.relay_closed());
}

#[test]
fn too_much_load_trips_until_the_allowed_trips_are_used_up() {
    let mut meter = meter(Model::Dtsy1352, 1, MeterOptions::default());
    // The frame of the documents: all lines on, 3000 W, step 800, 3 trips allowed; then 10 minutes of recovery.
    let all_lines = bytes(
        "01 20 04 00 00 0D 1A FF 01 01 0B B8 03 20 00 00 00 00 01 00 03 00 00 00 00 00 00 00 00 00 00 00 00 96 9C",
    );
    assert_eq!(meter.serve(NOTED_MS, &all_lines).unwrap().len(), 15);
    ask(&mut meter, &load_settings(1, &[(0, &[0xFF, 1]), (9, &[1, 10])])).unwrap();
    let shown: Vec<u16> = (0x0480..0x0493).map(|address| word(&meter, address)).collect();
    assert_eq!(shown[..7], [0x000F, 3_000, 800, 0, 0, 3, 0x0A00]);
    assert_eq!(shown[7..13], shown[13..19]);
    assert_eq!(word(&meter, 0x0225) & 0x000F, 0x000F);

    meter.set_load(Load::new([3_000; 3], 1_000));
    assert!(meter.relay_closed(), "the limit itself is allowed");
    meter.set_load(Load::new([2_000, 3_001, 0], 1_000));
    assert!(!meter.relay_closed());
    assert_eq!((word(&meter, 0x0222), word(&meter, 0x0224), word(&meter, 0x0225) & 0x000F), (1, 0x0010, 0x0008));
    // The load stays too high: three more trips at the moments of closing, then the relay stays open.
    for (minutes, trips) in [(9, 1), (10, 2), (20, 3), (30, 4), (600, 4)] {
        meter.advance(NOTED_MS + minutes * 60_000);
        assert_eq!((word(&meter, 0x0222), meter.relay_closed()), (trips, false), "after {minutes} min");
    }
    assert_eq!(meter.energies_mj(), [0; 4]);
    meter.set_load(Load::new([1_000, 0, 0], 1_000));
    assert!(!meter.relay_closed());
    // The documents' frame that sets the common counter back.
    let now_ms = meter.time_ms();
    meter.serve(now_ms, &bytes("01 20 04 10 00 04 08 00 00 00 00 00 00 01 00 48 A1")).unwrap();
    assert_eq!((word(&meter, 0x0222), meter.relay_closed()), (0, true));

    // Forced supply is not limited; leaving force mode is.
    ask(&mut meter, &bytes("01 10 00 57 00 02 04 00 01 00 00")).unwrap();
    meter.set_load(Load::new([9_000; 3], 1_000));
    assert!(meter.relay_closed());
    ask(&mut meter, &bytes("01 10 00 57 00 02 04 00 00 00 00")).unwrap();
    assert!(!meter.relay_closed());
    ask(&mut meter, &load_settings(1, &[(0, &[0xFF, 0])])).unwrap();
    assert!(meter.relay_closed(), "switched off");
}

#[test]
fn load_control_of_one_line_and_its_refusals() {
    let options = MeterOptions { load_enable: EnablePolarity::OneIsOff, ..MeterOptions::default() };
    let mut single = meter(Model::Ddsy1352, 1, options);
    ask(&mut single, &load_settings(1, &[(0, &[1, 1, 1, 0x03, 0xE8])])).unwrap();
    assert_eq!((word(&single, 0x0480), word(&single, 0x0061)), (0, 1_000), "1 reads as off on this meter");
    single.set_load(Load::new([1_001, 0, 0], 1_000));
    assert!(!single.relay_closed());
    single.advance(NOTED_MS + 100 * HOUR_MS);
    assert!(!single.relay_closed(), "no recover time: it stays open");
    let second_line = [&[1, 0x20, 4, 0x0D, 0, 13, 26][..], &[0; 26]].concat();
    assert_eq!(ask(&mut single, &second_line).unwrap(), [1, 0xA0, 2]);
    assert_eq!(ask(&mut single, &load_settings(1, &[(0, &[7])])).unwrap(), [1, 0xA0, 3]);

    let mut three = meter(Model::Dtsy1352, 1, MeterOptions::default());
    let mut third_line = load_settings(1, &[(0, &[1, 1, 1, 0x03, 0xE8])]);
    (third_line[2], third_line[3]) = (4, 0x1A);
    ask(&mut three, &third_line).unwrap();
    assert_eq!((word(&three, 0x0480), word(&three, 0x048D)), (0x0001, 1_000));
    three.set_load(Load::new([5_000, 5_000, 999], 1_000));
    assert!(three.relay_closed());
    three.set_load(Load::new([0, 0, 1_001], 1_000));
    assert!(!three.relay_closed());
}

#[test]
fn an_unused_purse_neither_pays_nor_cuts() {
    let mut setup = setup(Model::Dtsy1352, 1);
    (setup.prepay_enabled, setup.remaining_cents) = (false, 0);
    let mut meter = VirtualMeter::new(&setup, MeterOptions::default()).unwrap();
    ask(&mut meter, &prices(1, [10_000; 4])).unwrap();
    meter.set_load(Load::new([3_000; 3], 950));
    meter.advance(NOTED_MS + 100 * HOUR_MS);
    assert_eq!((meter.remaining_cents(), word(&meter, 0x0224)), (0, 0xE000));
    assert_eq!(double(&meter, 0x0215), 90_000);
    ask(&mut meter, &parameters(1, &[(0, &[1])])).unwrap();
    assert!(!meter.relay_closed(), "switched on, an empty purse cuts at once");
}

#[test]
fn the_base_amount_is_used_first() {
    let mut meter = ddsy();
    ask(&mut meter, &prices(1, [10_000; 4])).unwrap();
    ask(&mut meter, &parameters(1, &[(15, &[0, 0, 0, 250])])).unwrap();
    meter.set_load(Load::new([1_000, 0, 0], 1_000));
    meter.advance(NOTED_MS + 2 * HOUR_MS);
    assert_eq!((double(&meter, 0x0226), meter.remaining_cents()), (50, 8_875));
    meter.advance(NOTED_MS + 4 * HOUR_MS);
    assert_eq!((double(&meter, 0x0226), meter.remaining_cents()), (0, 8_875 - 150));
}

#[test]
fn a_parameter_frame_is_taken_whole_or_not_at_all() {
    let mut meter = ddsy();
    let before = meter;
    // A new balance beside a meter number that is no BCD, and beside a total that has no meaning here.
    for bad in [(53_usize, &[0x1A, 0, 0, 0, 0, 0][..]), (10, &[0, 0, 0, 1][..]), (0, &[2][..])] {
        assert_eq!(ask(&mut meter, &parameters(1, &[(2, &[0, 0, 0, 99]), bad])).unwrap(), [1, 0xA0, 3]);
        assert_eq!(meter, before);
    }
    ask(&mut meter, &parameters(1, &[(2, &[0xFF, 0xFF, 0xFF, 0x9C]), (7, &[0, 77]), (51, &[3]), (53, &[0x99; 6])]))
        .unwrap();
    assert_eq!((meter.remaining_cents(), meter.purchase_count(), word(&meter, 0x0418)), (-100, 77, 3));
    assert_eq!(word(&meter, 0x0045), 0x9999);
    assert!(!meter.relay_closed());
}

#[test]
fn refused_and_silent_replies_are_switches() {
    for vendor_reply in VendorReply::ALL {
        for vendor_refusal in VendorRefusal::ALL {
            let options = MeterOptions {
                vendor_reply: *vendor_reply,
                vendor_refusal: *vendor_refusal,
                ..MeterOptions::default()
            };
            let mut meter = meter(Model::Ddsy1352, 1, options);
            let taken = ask(&mut meter, &sale(1, 100, 13)).map(|reply| reply.len());
            assert_eq!(meter.remaining_cents(), 8_975);
            let refused = ask(&mut meter, &sale(1, 100, 99)).map(|reply| reply.len());
            assert_eq!(meter.remaining_cents(), 8_975);
            let success = match vendor_reply {
                VendorReply::FifteenBytes => Some(13),
                VendorReply::WriteEcho => Some(6),
                VendorReply::Silent => None,
            };
            assert_eq!(taken, success);
            let refusal = match vendor_refusal {
                VendorRefusal::Exception => Some(3),
                VendorRefusal::AsSuccess => success,
                VendorRefusal::Silent => None,
            };
            assert_eq!(refused, refusal);
        }
    }
}

#[test]
fn ratios_ports_and_switches_that_change_registers() {
    let ct_first = MeterOptions {
        ratio_order: RatioOrder::CtFirst,
        energy_values: EnergyValues::Secondary,
        relay_bits: RelayBits::Bit15,
        low_block_on_dtsy: true,
        total: TotalMeaning::Purchased,
        read_max_registers: 10,
        ..MeterOptions::default()
    };
    let mut meter =
        VirtualMeter::new(&MeterSetup { energies_centi_kwh: [1_000; 4], ..setup(Model::Dtsy1352, 1) }, ct_first)
            .unwrap();
    ask(&mut meter, &bytes("01 10 00 37 00 02 04 00 14 00 01")).unwrap();
    assert_eq!([word(&meter, 0x0213), word(&meter, 0x0214)], [1, 20]);
    assert_eq!(double(&meter, 0x0215), 200);
    assert_eq!(word(&meter, 0x0224), 0x8000);
    assert!(meter.register(0x000B).is_some());
    ask(&mut meter, &sale(1, 300, 13)).unwrap();
    assert_eq!(double(&meter, 0x0412), 300);
    assert_eq!(ask(&mut meter, &[1, 3, 2, 0, 0, 11]).unwrap(), [1, 0x83, 3]);
    // A new address: the answer still comes from the old one, then only the new one answers.
    assert_eq!(ask(&mut meter, &bytes("01 10 03 60 00 01 02 21 03")).unwrap()[..2], [1, 0x10]);
    assert_eq!(meter.unit(), 0x21);
    assert_eq!(ask(&mut meter, &[1, 3, 0, 0, 0, 1]), None);
    assert!(ask(&mut meter, &[0x21, 3, 0, 0, 0, 1]).is_some());
    for bad in ["21 10 03 60 00 01 02 F8 03", "21 10 03 60 00 01 02 01 06", "21 10 00 57 00 02 04 00 02 00 00"] {
        assert_eq!(ask(&mut meter, &bytes(bad)).unwrap(), [0x21, 0x90, 3], "{bad}");
    }
}

#[test]
fn factory_functions_and_what_is_not_there_are_refused() {
    let mut meter = ddsy();
    let before = meter;
    for function in [0x01, 0x06, 0x98, 0x99, 0xAA, 0xAB] {
        let reply = ask(&mut meter, &[1, function, 0, 0, 0, 0]).unwrap();
        assert_eq!(reply, [1, function | 0x80, 1]);
    }
    let encrypted = ask(&mut meter, &bytes("01 10 00 22 00 01 02 00 61")).unwrap();
    assert_eq!(encrypted, [1, 0x90, 3]);
    let clear_all = ask(&mut meter, &bytes("01 20 09 00 00 01 02 00 00")).unwrap();
    assert_eq!(clear_all, [1, 0xA0, 2]);
    for address in [0x0011, 0x0062, 0x0230, 0x0419, 0x043B, 0x0487, 0x5030] {
        assert_eq!(meter.register(address), None, "{address:04X}H");
    }
    assert_eq!(meter, before);
}

#[test]
fn broadcast_is_a_switch_and_never_answered() {
    let mut quiet = ddsy();
    let before = quiet;
    assert_eq!(ask(&mut quiet, &sale(0, 100, 13)), None);
    assert_eq!(quiet, before);
    let mut applying =
        meter(Model::Ddsy1352, 1, MeterOptions { broadcast: Broadcast::Apply, ..MeterOptions::default() });
    assert_eq!(ask(&mut applying, &sale(0, 100, 13)), None);
    assert_eq!(applying.remaining_cents(), 8_975);
}

#[test]
fn force_mode_and_a_power_cut() {
    for survives in [true, false] {
        let options = MeterOptions { force_survives_power_cut: survives, ..MeterOptions::default() };
        let mut meter = meter(Model::Ddsy1352, 1, options);
        ask(&mut meter, &bytes("01 10 00 57 00 02 04 00 01 00 01")).unwrap();
        meter.power_cut(NOTED_MS + HOUR_MS);
        assert_eq!(meter.relay_closed(), !survives);
    }
}

#[test]
fn demand_is_the_highest_quarter_hour() {
    let mut meter = ddsy();
    meter.set_load(Load::new([2_000, 0, 0], 1_000));
    meter.advance(NOTED_MS + HOUR_MS);
    meter.set_load(Load::new([500, 0, 0], 1_000));
    meter.advance(NOTED_MS + 3 * HOUR_MS);
    let bytes: Vec<u8> = (0x022B..0x022F).flat_map(|address| word(&meter, address).to_be_bytes()).collect();
    // The first whole quarter at 2 kW ended at 14:30; the first, partial one was lower.
    assert_eq!(bytes[1..7], [0x07, 0xD0, 30, 14, 5, 3]);
}

#[test]
fn impossible_setups_are_named() {
    let good = setup(Model::Ddsy1352, 1);
    let refused = |setup: MeterSetup| VirtualMeter::new(&setup, MeterOptions::default()).unwrap_err();
    assert_eq!(refused(MeterSetup { unit: 0, ..good }), SetupError::Unit { unit: 0 });
    assert_eq!(refused(MeterSetup { unit: 248, ..good }), SetupError::Unit { unit: 248 });
    let mut number = NUMBER;
    number[4] = 10;
    assert_eq!(refused(MeterSetup { number, ..good }), SetupError::Number { position: 4, value: 10 });
    assert_eq!(refused(MeterSetup { start_ms: -1, ..good }), SetupError::Start { start_ms: -1 });
    assert_eq!(refused(MeterSetup { utc_offset_min: 900, ..good }), SetupError::Offset { minutes: 900 });
}
